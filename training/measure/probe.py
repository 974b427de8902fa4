"""A linear classifier on the activations: does the code say which digit it is?

Multinomial logistic regression with an L2 penalty, minimised by L-BFGS (Liu and Nocedal 1989). A linear probe tells
what a code makes linearly readable (Alain and Bengio 2017, "Understanding intermediate layers using linear
classifier probes").
"""

from __future__ import annotations

from collections.abc import Callable

import torch
import torch.nn.functional as F
from torch import Tensor

from ..data import Split, as_floats

FEW = 10
"""Images of each class, for the classifier with few labels."""
DRAWS = 10
"""Disjoint sets of this many images; the error is the mean over them, as one set alone is luck."""
PENALTY = {"100": 1e-3, "all": 1e-5}
"""Weights of the L2 penalty, in nats an image, chosen on the validation split."""
STEPS = 15
"""Of L-BFGS; more change the error by less than 0.1%."""


def probe_errors(features: Callable[[Tensor], Tensor], train: Split, test: Split) -> dict[str, float]:
    """Fit the classifiers on training images, and count errors on test images.

    Features are scaled by one number, so that their mean square length is 1: their overall scale changes nothing.

    Args:
        features: images (n, ...) as `train` and `test` hold them -> features (n, d).
        train: what to fit on.
        test: what to measure on.

    Returns:
        "100" -> error of a classifier that was fitted on 10 images of each class, "all" -> on all, in [0, 1].
    """
    known, unknown = features(train.images), features(test.images)
    scale = known.square().sum(1).mean().rsqrt().nan_to_num(posinf=1.0)
    known, unknown = known * scale, unknown * scale
    few = [_error(known[rows], train.labels[rows], unknown, test.labels, "100") for rows in _few_of_each(train.labels)]
    return {"100": sum(few) / len(few), "all": _error(known, train.labels, unknown, test.labels, "all")}


def pixels(images: Tensor) -> Tensor:
    """The images themselves as features, (n, pixels), for comparison."""
    return as_floats(images).flatten(1)


def _few_of_each(labels: Tensor) -> list[Tensor]:
    """Positions of the first 10 images of each class, of the next 10, and so on, up to ten such sets."""
    of_class = [(labels == label).nonzero().flatten() for label in labels.unique().tolist()]
    draws = max(1, min(DRAWS, min(map(len, of_class)) // FEW))
    return [torch.cat([rows[FEW * draw : FEW * (draw + 1)] for rows in of_class]) for draw in range(draws)]


def _error(known: Tensor, labels: Tensor, unknown: Tensor, truth: Tensor, which: str) -> float:
    weight, bias = fit_classifier(known, labels, int(max(labels.max(), truth.max())) + 1, PENALTY[which], STEPS)
    return (F.linear(unknown, weight, bias).argmax(1) != truth).float().mean().item()


def fit_classifier(features: Tensor, labels: Tensor, classes: int, penalty: float, steps: int) -> tuple[Tensor, Tensor]:
    """Multinomial logistic regression.

    Args:
        features: (n, d).
        labels: (n,), from 0 to classes - 1.
        classes: how many there are.
        penalty: minimised is the mean cross-entropy in nats plus this times half the squared length of the weights.
        steps: of L-BFGS, at most.

    Returns:
        Weight (classes, d) and bias (classes,).
    """
    # In the coordinates v, weight = v root^-1, the problem is as steep in all directions at the start: with all classes
    # equally likely, the Hessian is about the features' second moments times 1 / classes, plus the penalty.
    moments = features.T @ features / (len(features) * classes)
    root = torch.linalg.cholesky(moments + penalty * torch.eye(features.shape[1]))
    v = torch.zeros(classes, features.shape[1], requires_grad=True)
    bias = torch.zeros(classes, requires_grad=True)
    optimizer = torch.optim.LBFGS([v, bias], max_iter=steps, history_size=10, line_search_fn="strong_wolfe")

    def weight() -> Tensor:
        return torch.linalg.solve_triangular(root, v, upper=False, left=False)

    def closure() -> Tensor:
        optimizer.zero_grad()
        rows = weight()
        loss = F.cross_entropy(F.linear(features, rows, bias), labels) + penalty / 2 * rows.square().sum()
        loss.backward()
        return loss

    optimizer.step(closure)
    return weight().detach(), bias.detach()
