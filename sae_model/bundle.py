"""The bundled variants: trained models that come with the project, by name.

A checkout has their weights. A package that was installed from a Space has none, and fetches each from its own repo.
"""

from __future__ import annotations

import json
from difflib import get_close_matches
from functools import cache
from pathlib import Path

from sae_model.methods import METHODS
from sae_model.model import SparseAutoencoder
from sae_model.storage import CONFIG_NAME, WEIGHTS_NAME, ModelLoadError

BUNDLE = Path(__file__).parent / "bundled"
OWNER = BUNDLE / "owner.txt"
"""Whose repos on the Hub hold the variants; `space.deploy` writes it into what it uploads."""


@cache
def list_variants() -> tuple[str, ...]:
    """Names of the bundled variants: method by method, and within one by the values of its hyperparameters."""

    def strength(path: Path) -> tuple[int, list[float], str]:
        sparsity = json.loads(path.read_text(encoding="utf-8"))["sparsity"]
        return list(METHODS).index(sparsity.pop("kind")), list(sparsity.values()), path.parent.name

    return tuple(path.parent.name for path in sorted(BUNDLE.glob(f"*/{CONFIG_NAME}"), key=strength))


def load_variant(name: str) -> SparseAutoencoder:
    """Load a bundled variant, in eval mode. Where its weights are not installed, they are fetched from the Hub, once.

    Raises:
        ModelLoadError: no such variant, or its weights cannot be fetched or are damaged.
    """
    if name not in list_variants():
        nearest = get_close_matches(str(name), list_variants(), cutoff=0)
        raise ModelLoadError(
            f"There is no bundled variant {name!r:.80}. The nearest ones: {', '.join(nearest) or 'none'}; "
            "list_variants() has all."
        )
    if (BUNDLE / name / WEIGHTS_NAME).is_file():
        return SparseAutoencoder.from_pretrained(BUNDLE / name)
    if not OWNER.is_file():
        raise ModelLoadError(
            f"The weights of {name} are not installed: use a clone of the project (`pip install -e .` there), or name "
            'a repo that holds them: SparseAutoencoder.from_pretrained("owner/name").'
        )
    return SparseAutoencoder.from_pretrained(f"{OWNER.read_text(encoding='utf-8').strip()}/{repo_name(name)}")


def repo_name(variant: str) -> str:
    """What the repo of a bundled variant is called on the Hub, behind its owner."""
    return f"sae-mnist-{variant}"
