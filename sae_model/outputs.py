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
    """A kind of output. The model's `offset` is subtracted from images and logits, and they are divided by its `scale`:
    0 and 1 for sigmoid."""

    reconstruction: Callable[[Tensor], Tensor]
    """Logits, any shape -> reconstruction, the same shape."""
    loss: Callable[[Tensor, Tensor], Tensor]
    """(logits, images), both (batch, channels, height, width) -> scalar."""
    slope: Callable[[Tensor], Tensor]
    """Reconstruction, any shape -> its derivative in the logits, the same shape."""
    squared_error_per_loss: Callable[[int], float]
    """Number of pixels -> how much half the squared error of an image falls where the loss falls by 1."""
    step: float
    """Length of a first gradient step on half the squared error, for atoms of length 1."""
    choice_step: float
    """Length of a step towards another choice of latents, for atoms of length 1."""


def _squared_error(logits: Tensor, images: Tensor) -> Tensor:
    """The mean squared distance. In units of `scale`, images have a mean squared distance of 1 from their mean."""
    return (logits - images).square().flatten(1).sum(1).mean()


OUTPUTS = {
    # Near the image the cross-entropy of a pixel is the squared error over 2 p (1 - p), and digits have a mean
    # p (1 - p) of about 0.1. That and the steps were chosen on the validation split.
    "sigmoid": OutputKind(
        reconstruction=torch.sigmoid,
        loss=F.binary_cross_entropy_with_logits,
        slope=lambda p: p * (1 - p),
        squared_error_per_loss=lambda pixels: 0.12 * pixels,
        step=50.0,
        choice_step=200.0,
    ),
    "linear": OutputKind(
        reconstruction=lambda logits: logits,
        loss=_squared_error,
        slope=torch.ones_like,
        squared_error_per_loss=lambda _: 0.5,
        step=1.0,
        choice_step=1.0,
    ),
}
"""What config.json calls them."""
