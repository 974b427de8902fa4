"""Figures show the metrics that they were given."""

from __future__ import annotations

import io
from dataclasses import replace

import numpy as np
import pytest
import torch
from PIL import Image

from sae_model import SparseAutoencoder, list_variants
from sae_model.zoo import ZOO
from training.card_image import card_image, one_of_each
from training.data import Split
from training.evaluation import Evaluation
from training.figures import activation_histograms, class_maps, cost_curves, draw_report, frontier
from training.latent_statistics import LatentStatistics, latent_statistics
from training.zoo import FAMILIES, RECIPES


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
    figure = class_maps(
        LatentStatistics(means, torch.zeros(900, 12, dtype=torch.long), torch.zeros(900)), tuple("0123456789")
    )
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


def test_the_frontier_holds_every_variant_and_rings_this_model(evaluations: dict[str, Evaluation]) -> None:
    mine = replace(evaluations["topk-25"], fvu=0.123, effective_l0=45.6)
    ax = frontier(mine).axes[0]
    *families, ring = ax.lines
    shown = {(x, y) for line in families for x, y in zip(line.get_xdata(), line.get_ydata(), strict=True)}
    assert shown == {(e.effective_l0, e.fvu) for e in evaluations.values()}
    assert [line.get_label() for line in families] == list(FAMILIES.values())
    assert (ring.get_xdata()[0], ring.get_ydata()[0]) == (45.6, 0.123)


def test_the_frontier_joins_the_variants_of_one_family(evaluations: dict[str, Evaluation]) -> None:
    lines = {line.get_label(): line for line in frontier(evaluations["dense"]).axes[0].lines}
    for family, title in FAMILIES.items():
        names = [recipe.name for recipe in RECIPES if recipe.family == family]
        expected = sorted((evaluations[name].effective_l0, evaluations[name].fvu) for name in names)
        assert lines[title].get_xydata().tolist() == [list(point) for point in expected]


def test_a_report_draws_every_figure(brief_model: SparseAutoencoder, digits: Split) -> None:
    evaluation = Evaluation.read(ZOO / "dense" / "evaluation.json")
    some = Split(digits.images[:300], digits.labels[:300])
    names = [name for name, _ in draw_report(brief_model, evaluation, some, tuple("0123456789"))]
    assert names == ["activation-histograms", "reconstructions", "class-maps", "cost-of-a-rate", "frontier"]


def test_the_latent_that_responds_to_a_class_is_found(tiny_model: SparseAutoencoder) -> None:
    """Images that are white for class 1 and black for class 0."""
    labels = torch.arange(40) % 2
    images = labels.float().reshape(-1, 1, 1, 1).expand(-1, 1, 28, 28) * torch.linspace(0.5, 1, 40).reshape(-1, 1, 1, 1)
    with torch.no_grad():
        tiny_model.network.first.weight[7] = 0.01
        tiny_model.network.first.bias[7] = 0
        tiny_model.network.atoms[7] = 1  # an image that is white all over
    statistics = latent_statistics(tiny_model, images, labels)
    assert statistics.class_means.shape == (2, 30)
    assert statistics.top_images.shape == (30, 12)
    assert statistics.class_means[1, 7] > 2 * statistics.class_means[0, 7]
    assert (labels[statistics.top_images[7, :10]] == 1).all()
    latents = tiny_model.encode(images)
    assert statistics.top_images[7, 0] == latents[:, 7].argmax()
    torch.testing.assert_close(statistics.peak, latents.detach().amax(0))
    torch.testing.assert_close(statistics.class_means[1], torch.tanh(latents.detach()[1::2] / 2).mean(0))
    with pytest.raises(ValueError, match="At least 12 images and a label for each; got 5 and 5"):
        latent_statistics(tiny_model, images[:5], labels[:5])
    with pytest.raises(ValueError, match="got 40 and 39"):
        latent_statistics(tiny_model, images, labels[:39])


def test_the_image_of_a_card_shows_images_above_reconstructions(brief_model: SparseAutoencoder, digits: Split) -> None:
    images = one_of_each(digits)
    assert digits.labels[[(digits.images == image).all((1, 2, 3)).nonzero().item() for image in images]].tolist() == [
        *range(10)
    ]
    drawn = Image.open(io.BytesIO(card_image(brief_model, images)))
    assert drawn.format == "WEBP"
    side = drawn.width / 10
    rows = [np.asarray(drawn.convert("L"))[int(i * side) : int((i + 1) * side)] for i in range(4)]
    clean, rebuilt, noisy, cleaned = rows
    assert np.corrcoef(clean.ravel(), rebuilt.ravel())[0, 1] > 0.85
    assert np.corrcoef(clean.ravel(), cleaned.ravel())[0, 1] > 0.7
    assert np.corrcoef(clean.ravel(), noisy.ravel())[0, 1] < np.corrcoef(clean.ravel(), rebuilt.ravel())[0, 1]
