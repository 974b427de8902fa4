"""Pictures show the figures that they were given."""

from __future__ import annotations

import numpy as np
import pytest
import torch

from sae_model import SparseAutoencoder, list_variants
from sae_model.zoo import ZOO
from training.atlas import Atlas, make_atlas
from training.data import Split
from training.evaluation import Evaluation
from training.figures import activation_histograms, class_maps, cost_curves, draw_report, family, frontier


@pytest.fixture(scope="module")
def evaluations() -> dict[str, Evaluation]:
    return {name: Evaluation.read(ZOO / name / "evaluation.json") for name in list_variants()}


def test_bars_are_the_shares(evaluations: dict[str, Evaluation]) -> None:
    evaluation = evaluations["l1-0.3"]
    left, right = activation_histograms(evaluation).axes
    assert [bar.get_height() for bar in left.patches] == pytest.approx(evaluation.activation_histogram)
    assert [bar.get_height() for bar in right.patches] == pytest.approx(evaluation.latent_histogram)
    assert left.lines[0].get_xdata()[0] == evaluation.mean_activation
    assert left.get_xlabel()
    assert left.get_ylabel()


def test_class_maps_share_one_scale_and_hold_the_means() -> None:
    means = torch.rand(10, 900) / 2
    figure = class_maps(Atlas(means, torch.zeros(900, 12, dtype=torch.long), torch.zeros(900)), list("0123456789"))
    images = [ax.images[0] for ax in figure.axes[:10]]
    for image, expected in zip(images, means.numpy(), strict=True):
        np.testing.assert_allclose(np.asarray(image.get_array()).ravel(), expected)
    assert len({image.get_clim() for image in images}) == 1


def test_costs_are_least_at_the_target_and_the_measured_rate_is_marked() -> None:
    ax = cost_curves(0.2, rate=0.35).axes[0]
    for line in ax.lines[:3]:
        assert line.get_xdata()[np.argmin(line.get_ydata())] == pytest.approx(0.2, abs=0.002)
    kl = ax.lines[0]
    expected = 0.2 * np.log(0.2 / 0.5) + 0.8 * np.log(0.8 / 0.5)
    assert np.interp(0.5, kl.get_xdata(), kl.get_ydata()) == pytest.approx(expected, rel=1e-3)
    assert 0.35 in [line.get_xdata()[0] for line in ax.lines]


def test_the_frontier_holds_every_variant_and_rings_the_chosen_one(evaluations: dict[str, Evaluation]) -> None:
    ax = frontier(evaluations, "topk-25").axes[0]
    shown = {(x, y) for line in ax.lines[:-1] for x, y in zip(line.get_xdata(), line.get_ydata(), strict=True)}
    assert shown == {(e.effective_l0, e.fvu) for e in evaluations.values()}
    chosen = evaluations["topk-25"]
    assert (ax.lines[-1].get_xdata()[0], ax.lines[-1].get_ydata()[0]) == (chosen.effective_l0, chosen.fvu)


@pytest.mark.parametrize(
    ("name", "expected"),
    [
        ("dense", "dense"),
        ("l1-0.3", "l1"),
        ("kl-image-0.05", "kl-image"),
        ("l1-0.1-noise-0.6", "l1"),
        ("topk-25", "topk"),
    ],
)
def test_families_are_read_off_names(name: str, expected: str) -> None:
    assert family(name) == expected


def test_a_report_draws_every_picture(brief_model: SparseAutoencoder, digits: Split) -> None:
    evaluation = Evaluation.read(ZOO / "dense" / "evaluation.json")
    names = [name for name, _ in draw_report(brief_model, evaluation, digits, list("0123456789"))]
    assert names == ["activation-histograms", "reconstructions", "class-maps", "cost-of-a-rate", "frontier"]


def test_an_atlas_finds_the_latent_that_answers_to_a_class(tiny_model: SparseAutoencoder) -> None:
    """Images that are white for class 1 and black for class 0."""
    labels = torch.arange(40) % 2
    images = labels.float().reshape(-1, 1, 1, 1).expand(-1, 1, 28, 28) * torch.linspace(0.5, 1, 40).reshape(-1, 1, 1, 1)
    with torch.no_grad():
        tiny_model.encoder.to_hidden.weight.fill_(0.01)
        tiny_model.encoder.to_latents.bias.zero_()
    atlas = make_atlas(tiny_model, images, labels)
    latent = int(atlas.class_means[1].argmax())
    assert atlas.class_means[1, latent] > atlas.class_means[0, latent]
    assert (labels[atlas.exciting[latent]] == 1).all()
    assert atlas.exciting[latent, 0] == 39
    with pytest.raises(ValueError, match="An atlas needs 12 images"):
        make_atlas(tiny_model, images[:5], labels[:5])
