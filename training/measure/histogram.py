"""How activations are spread: as counts in the bins of the lecture's two histograms."""

from __future__ import annotations

import math
from dataclasses import dataclass

import torch
from torch import Tensor

LOWEST, LOG_BINS, LINEAR_BINS = 1e-3, 12, 10
EDGES = torch.logspace(math.log10(LOWEST), 0, LOG_BINS + 1)


@dataclass(frozen=True)
class Histogram:
    """How values in [0, 1] are spread, as counts."""

    zero: int
    """How many are exactly 0."""
    log: tuple[int, ...]
    """How many of those above 0 lie in each of 12 logarithmic bins of [0.001, 1]; the first takes all below."""
    linear: tuple[int, ...]
    """How many of all lie in each of ten equal bins of [0, 1]."""
    mean: float
    """Of all."""

    @property
    def zero_share(self) -> float:
        """Of all values, in [0, 1]."""
        return self.zero / max(sum(self.linear), 1)


def histogram_of(values: Tensor) -> Histogram:
    """Count values of any shape in [0, 1], such as the activations (latent_dim,) of an image or those of many."""
    values = values.detach().float().flatten().cpu()
    zero = int((values == 0).sum())
    log = torch.bucketize(values, EDGES[1:-1], right=True).bincount(minlength=LOG_BINS)
    log[0] -= zero
    linear = torch.histc(values, LINEAR_BINS, 0, 1).long()
    return Histogram(zero, tuple(log.tolist()), tuple(linear.tolist()), values.mean(dtype=torch.float64).item())


def percent(share: float, exact: bool = False) -> str:
    """A share as a short percentage, never rounded to all or nothing: "97%" (exact: "97.2%"), "2.4%", "<.1%", "0"."""
    if share == 0:
        return "0"
    if share < 0.0005:
        return "<.1%"
    if 0.9995 <= share < 1:
        return ">99.9%"
    return f"{share:.0%}" if share == 1 or (0.0995 <= share < 0.9895 and not exact) else f"{share:.1%}"
