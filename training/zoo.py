"""The bundled variants, as recipes."""

from sae_model import L1, Dense
from training.recipe import Recipe

# From "copies everything" to "clearly too sparse", in steps of about equal ratio in effective L0.
BETAS = (0.001, 0.01, 0.1, 0.3, 1.0, 3.0, 10.0)

RECIPES = [Recipe(Dense()), *(Recipe(L1(beta)) for beta in BETAS)]
