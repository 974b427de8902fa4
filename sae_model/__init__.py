"""The model: sparse autoencoders, their sparsity methods, loading and saving, and the bundled variants.

It imports nothing of `training` or `space`.
"""

from sae_model.bundle import list_variants, load_variant
from sae_model.methods import (
    L1,
    AdaptiveL1,
    AdaptiveTopK,
    BatchTopK,
    Dense,
    JumpReLU,
    KLPerImage,
    KLPerNeuron,
    Matryoshka,
    Sparsity,
    TopK,
)
from sae_model.model import Output, SparseAutoencoder
from sae_model.sparsity import bernoulli_kl, effective_l0, keep_top_k, load_balancing_loss, unit_activation
from sae_model.storage import VERSION, ModelLoadError

__version__ = VERSION

__all__ = [
    "L1",
    "AdaptiveL1",
    "AdaptiveTopK",
    "BatchTopK",
    "Dense",
    "JumpReLU",
    "KLPerImage",
    "KLPerNeuron",
    "Matryoshka",
    "ModelLoadError",
    "Output",
    "SparseAutoencoder",
    "Sparsity",
    "TopK",
    "__version__",
    "bernoulli_kl",
    "effective_l0",
    "keep_top_k",
    "list_variants",
    "load_balancing_loss",
    "load_variant",
    "unit_activation",
]
