"""The bundled variants: trained models that come with the package, by name."""

from __future__ import annotations

import json
from functools import cache
from pathlib import Path

from sae_model.methods import METHODS
from sae_model.model import SparseAutoencoder
from sae_model.storage import CONFIG_NAME, ModelLoadError

ZOO = Path(__file__).parent / "zoo"


@cache
def list_variants() -> tuple[str, ...]:
    """Names of the bundled variants: method by method, and within one by the values of its hyperparameters."""

    def strength(path: Path) -> tuple[int, list[float], str]:
        sparsity = json.loads(path.read_text(encoding="utf-8"))["sparsity"]
        return list(METHODS).index(sparsity.pop("kind")), list(sparsity.values()), path.parent.name

    return tuple(path.parent.name for path in sorted(ZOO.glob(f"*/{CONFIG_NAME}"), key=strength))


def load_variant(name: str) -> SparseAutoencoder:
    """Load a bundled variant, in eval mode.

    Raises:
        ModelLoadError: no such variant, or its files were damaged.
    """
    if name not in list_variants():
        raise ModelLoadError(
            f"There is no bundled variant {name!r}; there are: {', '.join(list_variants()) or 'none'}."
        )
    return SparseAutoencoder.from_pretrained(ZOO / name)
