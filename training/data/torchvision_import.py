"""`torchvision`, importable beside a CPU-only torch too.

PyPI's torchvision wheel is built for CUDA. Beside the CPU build of torch its compiled operators cannot load, and
`import torchvision` fails while describing them: "operator torchvision::nms does not exist". Its pure-Python parts,
all that is needed here, work once these operators have been declared. Where the operators load, nothing is declared.
"""

import sys

import torch

from .images import DataError

_SCHEMA = "(Tensor dets, Tensor scores, float iou_threshold) -> Tensor"

try:
    import torchvision  # noqa: F401
except ModuleNotFoundError as error:
    raise DataError(
        "torchvision, which reads or downloads this data set, is not installed: pip install torchvision."
    ) from error
except RuntimeError as error:
    if "torchvision::" not in str(error):
        raise
    for name in [name for name in sys.modules if name.partition(".")[0] == "torchvision"]:
        del sys.modules[name]  # halves of the failed import
    for operator in ("nms", "qnms"):
        torch.library.define(f"torchvision::{operator}", _SCHEMA)

from torchvision import datasets, models, transforms  # noqa: E402

__all__ = ["datasets", "models", "transforms"]
