"""The figure of costs shows what was measured, and images are in memory once."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest

from sae_model import L1
from tests.command_line import assert_refused, run
from training.benchmarks import scaling
from training.benchmarks.machine import in_own_process
from training.benchmarks.scaling import Cost, Scaling, images_per_second, measure_cost, scaling_figure, scaling_table
from training.data import Split, load_split
from training.fit.loop import TrainingError
from training.fit.recipe import Recipe

TINY = Recipe(L1(0.1), latent_dim=120, epochs=1)
MEASURED = Scaling(
    by_images=[Cost(1_000, 900, 1.25, 50_000_000), Cost(2_000, 900, 2.5, 51_000_000)],
    by_latents=[Cost(1_500, 300, 0.5, 40_000_000), Cost(1_500, 900, 1.5, 60_000_000)],
    by_processes={1: 10_000.0, 2: 15_000.0},
)


def test_the_cost_of_a_recipe_is_that_of_its_images_and_latents(training_digits: Split) -> None:
    cost = measure_cost(TINY, training_digits.images[:500])
    assert (cost.images, cost.latents) == (500, 120)
    assert cost.seconds > 0


@pytest.mark.slow
def test_images_are_in_memory_once() -> None:
    """25,000 images more are 20 MB more."""
    train = load_split("mnist", "train").images
    few, many = (
        in_own_process(measure_cost, replace(TINY, latent_dim=30), train[:count].clone()) for count in (5_000, 30_000)
    )
    assert 0.8 * 784 < (many.peak_bytes - few.peak_bytes) / 25_000 < 1.5 * 784


def test_the_table_has_every_measurement() -> None:
    lines = scaling_table(MEASURED).splitlines()
    assert "| 1,000 | 900 | 1.25 | 50 |" in lines
    assert "| 1,500 | 300 | 0.50 | 40 |" in lines
    assert "| 2 | 15,000 |" in lines


def test_the_figure_shows_every_measurement_with_its_unit() -> None:
    figure = scaling_figure(MEASURED)
    shown = {ax.get_title() or ax.get_xlabel(): ax for ax in figure.axes}
    measured = {name: ax.lines[0].get_xydata().tolist() for name, ax in shown.items() if ax.lines}
    assert measured == {
        "Images": [[1_000, 1.25], [2_000, 2.5]],
        "Latents": [[300, 0.5], [900, 1.5]],
        "Processes": [[1, 10_000], [2, 15_000]],
        "images": [[1_000, 50], [2_000, 51]],
        "latents": [[300, 40], [900, 60]],
    }
    assert shown["Images"].get_ylabel() == "seconds an epoch"
    assert shown["images"].get_ylabel() == "peak memory, MB"
    assert shown["Processes"].get_ylabel() == "images per second"
    assert shown["Images"].lines[1].get_ydata().tolist() == [1.25, 2.5]  # 1250 microseconds an image


@pytest.mark.slow
def test_processes_are_started_and_tell_their_rate(training_digits: Split) -> None:
    assert images_per_second(2, TINY, training_digits.images[:600]) > 1
    with pytest.raises(TrainingError, match="Training on 2 processes failed"):
        images_per_second(2, TINY, training_digits.images[:1])


@pytest.mark.slow
def test_every_point_is_measured_once(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(scaling, "IMAGES", (300,))
    monkeypatch.setattr(scaling, "LATENTS", (50,))
    monkeypatch.setattr(scaling, "IMAGES_WHERE_LATENTS_VARY", 300)
    monkeypatch.setattr(scaling, "RECIPE", TINY)
    monkeypatch.setattr(scaling, "PROCESSES", (1,))
    monkeypatch.setattr(scaling, "images_per_second", lambda count, *_: 1000.0 * count)
    measured = scaling.measure_scaling()
    assert [(cost.images, cost.latents) for cost in measured.by_images] == [(300, 120)]
    assert [(cost.images, cost.latents) for cost in measured.by_latents] == [(300, 50)]
    assert measured.by_processes == {1: 1000.0}


def test_a_figure_that_is_no_png_is_refused_before_the_measurement(tmp_path: Path) -> None:
    done = run("scaling", "--output", tmp_path / "costs.pdf")
    assert_refused(done, f"Error: The figure is a PNG; {tmp_path / 'costs.pdf'} does not end in .png.")
    assert list(tmp_path.iterdir()) == []
