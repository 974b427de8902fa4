"""From logits to a reconstruction, and the loss that belongs to it: the two kinds of output.

    kind      reconstruction     loss                                          values
    sigmoid   sigmoid(logits)    mean binary cross-entropy, nats per pixel     in [0, 1]
    linear    logits             squared error over the variance               of any range

In both, the gradient of the loss in the logits is the residual, reconstruction less image, times a constant (these are
the canonical links of McCullagh and Nelder 1989, "Generalized linear models"): so one encoder serves either.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import torch
import torch.nn.functional as F
from torch import Tensor


@dataclass(frozen=True)
class OutputKind:
    """A kind of output. Images and logits come less the model's `offset` and over its `scale`: 0 and 1 for sigmoid."""

    reconstruction: Callable[[Tensor], Tensor]
    """Logits, any shape -> reconstruction, the same shape."""
    loss: Callable[[Tensor, Tensor], Tensor]
    """(logits, images), both (batch, channels, height, width) -> scalar."""


def _as_they_are(logits: Tensor) -> Tensor:
    return logits


def _squared_error(logits: Tensor, images: Tensor) -> Tensor:
    """The mean squared distance. In units of `scale`, images have a mean squared distance of 1 from their mean."""
    return (logits - images).square().flatten(1).sum(1).mean()


OUTPUTS = {
    "sigmoid": OutputKind(torch.sigmoid, F.binary_cross_entropy_with_logits),
    "linear": OutputKind(_as_they_are, _squared_error),
}
"""What config.json calls them."""
