"""The linear classifier finds what can be found, no more, and is at the minimum that it says."""

from __future__ import annotations

import pytest
import torch
import torch.nn.functional as F
from torch import Tensor

from training.data import Split
from training.measure import probe
from training.measure.probe import PENALTY, fit_classifier, probe_errors


def as_they_are(images: Tensor) -> Tensor:
    return images


def blurred(count: int, seed: int) -> Split:
    """Ten classes that overlap."""
    generator = torch.Generator().manual_seed(seed)
    labels = torch.randint(10, (count,), generator=generator)
    centres = torch.randn(10, 8, generator=torch.Generator().manual_seed(9))
    return Split(centres[labels] + 0.7 * torch.randn(count, 8, generator=generator), labels)


@pytest.mark.parametrize("scale", [1e-3, 1e3])
def test_the_scale_of_features_changes_nothing(scale: float) -> None:
    train, test = blurred(1000, 0), blurred(1000, 1)
    errors = probe_errors(as_they_are, train, test)
    assert 0.02 < errors["all"] < errors["100"]
    assert probe_errors(lambda images: scale * images, train, test) == pytest.approx(errors, abs=0.004)


def test_features_that_are_all_zero_are_no_error() -> None:
    train, test = blurred(200, 0), blurred(100, 1)
    errors = probe_errors(torch.zeros_like, train, test)
    assert 0.7 < errors["all"] < 1


@pytest.mark.parametrize("which", ["100", "all"])
def test_the_solution_is_a_minimum(which: str) -> None:
    """Where the gradient, worked out by hand, is about zero; the loss is convex, so there is no other."""
    train = blurred(1000, 0)
    features = (train.images * train.images.square().sum(1).mean().rsqrt()).double()
    penalty = PENALTY[which]
    weight, bias = fit_classifier(features.float(), train.labels, 10, penalty, probe.STEPS)
    weight, bias = weight.double(), bias.double()
    wrong = F.softmax(features @ weight.T + bias, dim=1) - F.one_hot(train.labels, 10)
    gradient = wrong.T @ features / len(features) + penalty * weight
    at_zero = (0.1 - F.one_hot(train.labels, 10).double()).T @ features / len(features)
    assert gradient.norm() < 0.01 * at_zero.norm()
    assert wrong.mean(0).norm() < 0.01


@pytest.fixture
def fitted(monkeypatch: pytest.MonkeyPatch) -> list[tuple[Tensor, Tensor]]:
    """The features and labels that classifiers are fitted to; each of them names one class, and the next another."""
    fitted: list[tuple[Tensor, Tensor]] = []

    def note(features: Tensor, labels: Tensor, classes: int, *_: object) -> tuple[Tensor, Tensor]:
        fitted.append((features, labels))
        return torch.zeros(classes, features.shape[1]), F.one_hot(torch.tensor(len(fitted) % 10), classes).float()

    monkeypatch.setattr(probe, "fit_classifier", note)
    return fitted


def test_few_labels_are_ten_of_each_class_and_several_draws_are_averaged(fitted: list[tuple[Tensor, Tensor]]) -> None:
    train, test = blurred(5000, 0), blurred(1000, 1)
    errors = probe_errors(as_they_are, train, test)
    *few, (features, labels) = fitted
    assert len(few) == 10
    assert all(labels.bincount().tolist() == [10] * 10 for _, labels in few)
    assert len(torch.cat([features for features, _ in few]).unique(dim=0)) == 1000  # no image twice
    assert torch.equal(labels, train.labels)
    assert len(features) == 5000
    # Each draw's classifier named another class, so each was wrong by another amount.
    each = [(test.labels != named % 10).double().mean().item() for named in range(1, 11)]
    assert errors["100"] == pytest.approx(sum(each) / 10)
    assert errors["all"] == pytest.approx((test.labels != 1).double().mean().item())


def test_fewer_than_ten_of_a_class_are_all_taken(fitted: list[tuple[Tensor, Tensor]]) -> None:
    labels = torch.tensor([0] * 30 + [1] * 4 + [5] * 12)
    few = Split(torch.rand(46, 3), labels)
    probe_errors(as_they_are, few, few)
    assert len(fitted) == 2  # no further draw, in which that class would be missing; and all images
    assert fitted[0][1].bincount().tolist() == [10, 4, 0, 0, 0, 10]


def test_separable_classes_are_told_apart_also_where_the_caller_switched_gradients_off() -> None:
    """Four classes, each around a corner of its own, far apart."""
    generator = torch.Generator().manual_seed(0)
    labels = torch.arange(800) % 4
    points = 4 * torch.eye(4, 6)[labels] + 0.1 * torch.randn(800, 6, generator=generator)
    train, test = Split(points[:600], labels[:600]), Split(points[600:], labels[600:])
    with torch.no_grad():
        assert probe_errors(as_they_are, train, test) == {"100": 0, "all": 0}
