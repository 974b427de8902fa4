"""Figures show the metrics that they were given."""

from __future__ import annotations

import io
from dataclasses import replace

import numpy as np
import pytest
import torch
from PIL import Image

from sae_model import SparseAutoencoder
from sae_model.bundle import BUNDLE
from tests.training.test_charts import at_epoch
from training.data import DATASETS, Split
from training.draw.card_image import GAP, card_image, examples
from training.draw.figures import class_maps, draw_report
from training.measure.evaluation import Evaluation, activations_of
from training.measure.histogram import histogram_of, percent
from training.measure.latent_statistics import LatentStatistics, latent_statistics


def test_a_report_draws_every_figure(brief_model: SparseAutoencoder, digits: Split) -> None:
    evaluation = Evaluation.read(BUNDLE / "dense" / "evaluation.json")
    some = Split(digits.images[:300], digits.labels[:300])
    history = [at_epoch(1, 0.2), at_epoch(2, 0.1)]
    drawn = dict(draw_report(brief_model, evaluation, some, DATASETS["mnist"].about, history))
    charts = ["history", "activation-histograms", "activation-histograms-linear", "cost-of-a-rate", "frontier"]
    assert {*drawn} == {*charts, "reconstructions", "class-maps"}
    zero = percent(histogram_of(activations_of(brief_model, some.images)).zero_share, exact=True)
    assert drawn["activation-histograms"].findobj(lambda part: getattr(part, "get_text", str)() == zero)
    assert "this model" in [words.get_text() for words in drawn["frontier"].axes[0].texts]


def test_without_the_bundled_models_there_is_no_frontier(
    brief_model: SparseAutoencoder, digits: Split, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("training.draw.figures.bundled_points", list)
    evaluation = Evaluation.read(BUNDLE / "dense" / "evaluation.json")
    some = Split(digits.images[:30], digits.labels[:30])
    about = replace(DATASETS["mnist"].about, title="mine")
    drawn = {name for name, _ in draw_report(brief_model, evaluation, some, about)}
    assert "cost-of-a-rate" in drawn
    assert "frontier" not in drawn


@pytest.mark.parametrize("count", [2, 3, 7])
def test_class_maps_hold_the_means_on_one_scale_are_as_wide_as_their_classes_and_cut_no_word(count: int) -> None:
    """Names with dollars, which would be formulas, are drawn as they are."""
    about = replace(DATASETS["mnist"].about, title="ti$tle_{$", classes=("a$b_{$", *"bcdefg")[:count])
    means = torch.rand(count, 100)
    figure = class_maps(LatentStatistics(means, torch.zeros(100, 12, dtype=torch.long), *torch.zeros(3, 100)), about)
    figure.savefig(io.BytesIO())  # or an error
    *maps, bar = figure.axes
    for ax, expected in zip(maps, means.numpy(), strict=True):
        np.testing.assert_allclose(np.asarray(ax.images[0].get_array()).ravel(), expected)
    assert len({ax.images[0].get_clim() for ax in maps}) == 1
    label = bar.yaxis.label.get_window_extent()
    assert 0 <= label.y0 <= label.y1 <= figure.bbox.height
    assert max(ax.get_position().x1 for ax in maps) > 0.7


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
    assert statistics.frequency[7] == pytest.approx((latents[:, 7] != 0).float().mean().item(), abs=1e-6)
    ranks = (latents.abs().unsqueeze(2) < latents.abs().unsqueeze(1)).sum(2)  # so many are larger
    assert statistics.alive.tolist() == ((ranks < 25) & (latents != 0)).any(0).tolist()
    torch.testing.assert_close(statistics.peak, latents.detach().amax(0))
    torch.testing.assert_close(statistics.class_means[1], torch.tanh(latents.detach()[1::2] / 2).mean(0))
    with pytest.raises(ValueError, match="At least 12 images and a label for each; got 40 and 39"):
        latent_statistics(tiny_model, images, labels[:39])


def test_the_image_of_a_card_shows_images_above_reconstructions(brief_model: SparseAutoencoder, digits: Split) -> None:
    images = examples(digits)
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


@pytest.mark.parametrize(
    ("shape", "drawn"),
    [((1, 1, 20_000), (1, 512)), ((3, 2, 60), (2, 60)), ((1, 600, 300), (512, 256)), ((20_000, 1, 1), (142, 142))],
)
def test_images_of_any_shape_fit_the_image_of_a_card(shape: tuple[int, int, int], drawn: tuple[int, int]) -> None:
    model = SparseAutoencoder(20, image_shape=shape).eval()
    sheet = Image.open(io.BytesIO(card_image(model, torch.full((10, *shape), 0.2))))
    height, width = (side + GAP for side in drawn)
    scale = sheet.height // (4 * height)
    assert sheet.size == (10 * width * scale, 4 * height * scale)
    assert max(sheet.size) <= 16_383
    first = np.asarray(sheet.convert("L"))[GAP * scale : height * scale, GAP * scale : width * scale]
    assert np.median(first) / 255 == pytest.approx(0.2, abs=0.1)
