"""The names of `library`, which is imported when the first one is asked for: the command line sets up torch before."""

from __future__ import annotations

from importlib import import_module
from typing import Any


def attribute(name: str, package: str) -> Any:
    """What `from sae_model.training import name` gives.

    Raises:
        AttributeError: there is no such name. ModuleNotFoundError: what training needs is not installed.
    """
    if name.startswith("__"):
        raise AttributeError(f"module {package!r} has no attribute {name!r}")
    try:
        library = import_module(".library", package)
    except ModuleNotFoundError as error:
        if error.name in ("PIL", "tqdm", "yaml"):
            raise ModuleNotFoundError(
                f"Training needs {error.name}: pip install 'sae-model[train]'", name=error.name
            ) from error
        raise
    if name not in library.__all__:
        raise AttributeError(f"module {package!r} has no attribute {name!r}")
    return getattr(library, name)
