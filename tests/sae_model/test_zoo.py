"""The bundled variants are whole, small, and tell the story that the page tells."""

from __future__ import annotations

import itertools

import pytest

from sae_model import L1, ModelLoadError, list_variants, load_variant
from sae_model.zoo import ZOO
from training.data import Split
from training.evaluation import Evaluation, evaluate, read_by_k
from training.record import Record
from training.zoo import RECIPES

MEGABYTE = 1_000_000


def evaluation(name: str) -> Evaluation:
    return Evaluation.read(ZOO / name / "evaluation.json")


def is_l1(name: str) -> bool:
    return name.startswith("l1-") and "-noise-" not in name


def test_the_bundle_is_what_the_recipes_say() -> None:
    assert set(list_variants()) == {recipe.name for recipe in RECIPES}
    for recipe in RECIPES:
        assert Record.read(ZOO / recipe.name).recipe == recipe


def test_promised_variants_are_there_from_weak_to_strong() -> None:
    names = list_variants()
    assert {"dense", "l1-0.001", "l1-0.01", "kl-image-0.05", "kl-neuron-0.05", "topk-25", "adaptive-topk"} <= set(names)
    assert names[0] == "dense"
    betas = [load_variant(name).sparsity.beta for name in names if is_l1(name)]
    assert betas == sorted(betas)
    assert len(betas) >= 5


def test_the_bundle_is_small() -> None:
    for name in list_variants():
        assert (ZOO / name / "model.safetensors").stat().st_size < 4 * MEGABYTE
    assert sum(path.stat().st_size for path in ZOO.rglob("*") if path.is_file()) < 40 * MEGABYTE


@pytest.mark.parametrize("name", list_variants())
def test_a_variant_loads_as_named_with_its_files_beside_it(name: str) -> None:
    model = load_variant(name)
    assert model.sparsity.name == name.partition("-noise-")[0]
    assert model.latent_dim == 900
    assert not model.training
    assert name in (ZOO / name / "README.md").read_text()


@pytest.mark.parametrize("name", ["dense", "l1-0.3", "kl-image-0.05", "topk-25", "adaptive-topk"])
def test_committed_figures_are_those_of_the_committed_weights(name: str, digits: Split) -> None:
    measured, committed = evaluate(load_variant(name), digits.images, digits.labels), evaluation(name)
    for figure in ("bce", "mse", "fvu", "mean_activation", "effective_l0", "l0"):
        assert getattr(measured, figure) == pytest.approx(getattr(committed, figure), rel=1e-3), figure
    assert measured.denoise_mse == pytest.approx(committed.denoise_mse, rel=1e-3)
    assert measured.fvu_top_k == pytest.approx(committed.fvu_top_k, rel=1e-3)


def test_more_beta_means_fewer_latents_in_steps_that_tell_the_story() -> None:
    carried = [evaluation(name).effective_l0 for name in list_variants() if name == "dense" or is_l1(name)]
    assert carried == sorted(carried, reverse=True)
    assert carried[0] > 400
    assert carried[-1] < 20
    assert max(before / after for before, after in itertools.pairwise(carried)) < 3


def test_the_lectures_figures_are_beaten_all_at_once() -> None:
    """Bars: the lecture's recipe, rebuilt, on the same test split."""
    ours = evaluation("l1-0.3")
    assert isinstance(load_variant("l1-0.3").sparsity, L1)
    assert ours.bce < 0.0678
    assert ours.fvu < 0.036
    assert ours.denoise_mse["0.3"] < 0.0149
    assert all(ours.fvu_top_k[k] < bar for k, bar in {"10": 0.82, "25": 0.52, "50": 0.31, "100": 0.15}.items())
    assert ours.mean_activation <= 0.104 / 2
    assert ours.effective_l0 <= 517 / 5


@pytest.mark.parametrize("target", [0.02, 0.05, 0.1, 0.2])
@pytest.mark.parametrize("way", ["kl-image", "kl-neuron"])
def test_a_stated_rate_is_reached_within_five_percent(way: str, target: float) -> None:
    assert evaluation(f"{way}-{target:g}").mean_activation == pytest.approx(target, rel=0.05)


@pytest.mark.parametrize("name", list_variants())
def test_hardly_a_latent_is_dead_where_many_are_needed(name: str) -> None:
    figures = evaluation(name)
    assert figures.dead_fraction <= 0.05 or figures.effective_l0 <= 20


@pytest.mark.parametrize(("k", "bar"), [(10, 0.15), (25, 0.08), (50, 0.05)])
def test_exactly_k_latents_are_enough_and_one_network_for_every_k_is_close(k: int, bar: float) -> None:
    dedicated = evaluation(f"topk-{k}")
    assert dedicated.l0 == pytest.approx(k, rel=1e-3)
    assert dedicated.fvu <= bar
    assert dedicated.dead_fraction <= 0.05
    assert read_by_k(ZOO / "adaptive-topk")[k].fvu <= 1.15 * dedicated.fvu


def test_training_on_noise_teaches_to_leave_it_out() -> None:
    taught, untaught = evaluation("l1-0.01-noise-0.6"), evaluation("l1-0.01")
    assert taught.denoise_mse["0.3"] < 0.75 * untaught.denoise_mse["0.3"]
    assert taught.denoise_mse["0.3"] <= 0.006


def test_an_unknown_variant_is_a_sentence_with_the_known_ones() -> None:
    with pytest.raises(ModelLoadError, match=r"no bundled variant 'l1-7'; there are: dense, l1-0\.001"):
        load_variant("l1-7")
