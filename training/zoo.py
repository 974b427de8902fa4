"""The bundled variants, as recipes."""

from dataclasses import replace

from sae_model import L1, AdaptiveTopK, Dense, KLPerImage, KLPerNeuron, TopK
from training.recipe import tuned

# From "copies everything" to "clearly too sparse", in steps of about equal ratio in effective L0.
BETAS = (0.001, 0.01, 0.1, 0.3, 1.0, 3.0, 10.0)
TARGETS = (0.02, 0.05, 0.1, 0.2)
KEPT = (10, 25, 50)
# At these k the figures of the model for every k are measured and committed.
STOPS_OF_EVERY_K = (1, 2, 5, 10, 25, 50, 100, 200, 900)

RECIPES = [
    tuned(Dense()),
    *(tuned(L1(beta)) for beta in BETAS),
    *(tuned(KLPerImage(target)) for target in TARGETS),
    *(tuned(KLPerNeuron(target)) for target in TARGETS),
    *(tuned(TopK(k)) for k in KEPT),
    tuned(AdaptiveTopK()),
    replace(tuned(L1(0.01)), noise=0.6, hidden_dim=448, epochs=48, learning_rate=4e-3),
]
