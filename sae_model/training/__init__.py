"""In a clone `sae_model.training` is the folder `training/` beside this package; a wheel holds that here instead."""

from importlib import import_module
from pathlib import Path
from typing import Any

__path__ = [str(Path(__file__).parents[2] / "training")]


def __getattr__(name: str) -> Any:
    return import_module("._lazy", __name__).attribute(name, __name__)
