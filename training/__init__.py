"""Training, measuring and publishing sparse autoencoders.

In Python it is `sae_model.training`, in a clone and where the package is installed; the command line is `python -m
training` in a clone and `python -m sae_model.training` anywhere.
"""

from typing import Any

from ._lazy import attribute


def __getattr__(name: str) -> Any:
    return attribute(name, __name__)
