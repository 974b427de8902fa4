"""What the texts and the lessons say of the models is what was measured; the pages of text are linked and short."""

from __future__ import annotations

import itertools
import re
from dataclasses import fields
from pathlib import Path

import numpy as np
import pytest
import torch
from PIL import Image, ImageDraw
from safetensors.torch import load_file

from sae_model import SparseAutoencoder, TopK, load_variant
from sae_model.bundle import BUNDLE
from sae_model.methods import METHODS, AdaptiveL1, AdaptiveTopK
from sae_model.refinement import Refinement
from sae_model.storage import LARGEST_HEADER
from space import app, lines, live_training, user_model_process, user_models
from space.lab import BETWEEN
from training.data import Split, add_noise, as_floats, load_split
from training.data.dataset import FEWEST, VALIDATION_IMAGES
from training.fit.bundled_recipes import LECTURE, RECIPES
from training.fit.checkpoint import STEPS_PER_CHECKPOINT
from training.measure.evaluation import NOISE_LEVELS, Evaluation, read_by
from training.publish.card import render_card
from training.publish.record import Record
from training.results import lecture_table

ROOT = Path(__file__).resolve().parents[1]
README, RESEARCHERS, RESULTS = (
    (ROOT / path).read_text(encoding="utf-8") for path in ("README.md", "training/README.md", "training/RESULTS.md")
)
ALL = {recipe.name: Evaluation.read(BUNDLE / recipe.name / "evaluation.json") for recipe in RECIPES}
RECIPE = {recipe.name: recipe for recipe in RECIPES}
BY_BETA = [recipe.name for recipe in RECIPES if recipe.family == "l1"]
NOISE = "0.3"


def flat(text: str) -> str:
    return " ".join(text.split())


def noisy(name: str) -> float:
    return ALL[name].denoise_mse[NOISE]


def error(name: str, labels: str) -> float:
    return ALL[name].probe_error[labels]


def mse(model: SparseAutoencoder, given: torch.Tensor, clean: torch.Tensor) -> float:
    with torch.no_grad():
        return (model(given).reconstruction - clean).square().mean().item()


def l0(model: SparseAutoencoder, given: torch.Tensor) -> float:
    with torch.no_grad():
        return (model.encode(given) != 0).sum(1).float().mean().item()


@pytest.fixture(scope="module")
def clean(digits: Split) -> torch.Tensor:
    return as_floats(digits.images[:1000])


@pytest.fixture(scope="module")
def noised(clean: torch.Tensor) -> torch.Tensor:
    return add_noise(clean, 0.3, torch.Generator().manual_seed(5))


# The texts.


def test_readme_is_short_and_says_how_to_clone() -> None:
    assert len(README.splitlines()) <= 200
    assert max(map(len, README.splitlines())) <= 120
    assert "git clone --depth 1" in README


def test_links_between_the_texts_lead_somewhere() -> None:
    for path in ("README.md", "training/README.md", "training/RESULTS.md"):
        text = (ROOT / path).read_text(encoding="utf-8")
        for file, _, anchor in re.findall(r"\]\((?!http)([^)#]*)(#?)([^)]*)\)", text):
            there = (ROOT / path).parent / file if file else ROOT / path
            assert there.exists(), file
            if anchor:
                heads = re.findall(r"^#+ (.*)$", there.read_text(encoding="utf-8"), re.M)
                assert anchor in {re.sub(r"[^\w -]", "", head.lower()).replace(" ", "-") for head in heads}


def test_the_table_of_readme_is_a_part_of_the_first_of_results() -> None:
    def cells(table: str) -> dict[str, list[str]]:
        rows = [line.strip("| ").split(" | ") for line in table.splitlines() if line.startswith("| ")]
        return {first: rest for first, *rest in rows}

    (table,) = re.findall(r"^\| metric .*\n(?:\|.*\n)+", README, re.M)
    whole, shown = cells(lecture_table(ALL)), cells(table)
    for metric, values in shown.items():
        told = dict(zip(whole["metric"], whole[metric], strict=True))
        assert values == [told[name] for name in shown["metric"]], metric


IN_README = (
    f"its error is {noisy('dense') / ALL['dense'].noisy_mse[NOISE]:.0%} of that of the noisy image",
    f"removes {1 - noisy('l1-1') / ALL['l1-1'].noisy_mse[NOISE]:.0%} of the noise error with "
    f"{ALL['l1-1'].effective_l0:.0f} effective latents instead of {ALL['dense'].effective_l0:.0f}",
    f"mean activation of {ALL['lecture'].mean_activation:.3f}, yet {ALL['lecture'].effective_l0:.0f} effective latents",
    f"The noisy image itself has {ALL['dense'].noisy_mse[NOISE]:.4f}",
    f"the learning rate of `l1-1`, {RECIPE['l1-1'].learning_rate:g},",
)
IN_RESULTS = (
    f"has an error of {ALL['dense'].noisy_mse[NOISE]:.4f} as it is seen",
    f"`dense` returns {noisy('dense'):.4f}",
    f"`l1-1` has {error('l1-1', 'all'):.2%}",
    f"`l1-3` {error('l1-3', 'all'):.2%}",
    f"`topk-25` {error('topk-25', 'all'):.2%}",
    f"`l1-10` {error('l1-10', '100'):.1%}",
    f"and `topk-25` {error('topk-25', '100'):.1%}",
    f"less error under noise than before ({noisy('l1-0.1-noise-0.6'):.4f},",
    f"fewer dead latents ({ALL['l1-0.1-noise-0.6'].dead_fraction:.1%},",
    f"a probe error of {error('l1-0.1-noise-0.6', 'all'):.1%}",
    f"has {ALL['matryoshka'].fvu / ALL['topk-25'].fvu:.1f} times the FVU of `topk-25`",
    f"({noisy('batch-topk'):.4f} against {noisy('topk-25'):.4f})",
    f"`jumprelu` has {noisy('jumprelu'):.4f}",
    f"`dense` and `l1-0.01` are trained for {RECIPE['dense'].epochs} epochs, the other L1 models for "
    f"{RECIPE['l1-1'].epochs} ",
    f"first {METHODS['matryoshka'](k=25).prefixes(900)[0]} latents",
    f"its slider has {(len(AdaptiveL1.measured_at['beta']) - 1) * BETWEEN + 1} places",
    f"(beta {LECTURE.sparsity.beta:g}, five epochs of Adam at 1e-4)",
)


def test_the_texts_say_what_was_measured() -> None:
    for text, sayings in ((README, IN_README), (RESULTS, IN_RESULTS)):
        for said in sayings:
            assert said in flat(text), said


def test_what_results_compare_is_so() -> None:
    denoise = {name: noisy(name) for name in BY_BETA}
    assert min(denoise, key=denoise.__getitem__) == "l1-3"
    assert [a for a, b in itertools.pairwise(BY_BETA) if denoise[a] < denoise[b]] == [
        "l1-0.1",
        "l1-3",
        "l1-10",
    ]
    assert {RECIPE[name].epochs for name in BY_BETA[2:]} == {RECIPE["l1-1"].epochs}
    assert RECIPE["l1-0.01"].epochs == RECIPE["dense"].epochs
    assert (LECTURE.epochs, LECTURE.learning_rate, len(AdaptiveL1.betas)) == (5, 1e-4, 8)
    assert [recipe.name for recipe in RECIPES if recipe.noise] == ["l1-0.1-noise-0.6"]
    by_k = read_by(BUNDLE / "adaptive-topk", "k")
    assert by_k[200].fvu > by_k[100].fvu
    for name in [*BY_BETA[:5], "topk-25", "topk-50"]:
        assert error(name, "100") <= error("dense", "100")
    for name in [n for n, r in RECIPE.items() if r.sparsity.kind in ("l1", "adaptive-l1") or "topk" in r.sparsity.kind]:
        assert error(name, "all") < error("dense", "all")
    by_class = ALL["kl-neuron-0.05"].mean_activation_by_class
    assert f"differ by {max(by_class) / min(by_class) - 1:.0%} between digits" in flat(RESULTS)


def test_seeds_differ_by_as_much_as_results_say() -> None:
    """Of their means, by the table that the command printed."""
    (table,) = re.findall(r"^\| 3 seeds .*\n(?:\|.*\n)+", RESULTS, re.M)
    head, _, *rows = ([cell.strip() for cell in line.strip("|").split("|")] for line in table.strip().splitlines())
    spread = {
        (row[0].strip("`"), metric): float(cell.split(" ± ")[1]) / float(cell.split(" ± ")[0])
        for row in rows
        for metric, cell in zip(head[1:], row[1:], strict=True)
    }
    assert max(value for (_, metric), value in spread.items() if metric != "dead latents") <= 0.06
    assert f"whose mean is 8.8%, {spread['dense', 'dead latents']:.0%}; of the others" in flat(RESULTS)
    assert all(spread[name, "dead latents"] >= 0.3 for name in ("l1-1", "l1-3", "topk-25"))


def test_batch_top_k_lets_more_through_on_noise(clean: torch.Tensor, noised: torch.Tensor) -> None:
    model = load_variant("batch-topk")
    said = re.search(r"on noisy images \((\d+) instead of (\d+)", flat(RESULTS))
    assert [l0(model, noised), l0(model, clean)] == pytest.approx([float(number) for number in said.groups()], rel=0.02)


def test_the_first_images_are_harder_and_refitting_lowers_fvu_by_little(clean: torch.Tensor) -> None:
    fvu = mse(load_variant("topk-25"), clean, clean) / clean.var(0, correction=0).mean().item()
    assert f"`topk-25` has an FVU of {fvu:.4f}, so refitting the values lowers it by" in flat(RESULTS)
    assert f"lowers it by {1 - ALL['topk-25'].fvu_refit / fvu:.0%}" in flat(RESULTS)
    assert fvu > ALL["topk-25"].fvu


@pytest.mark.slow
def test_refinement_lowers_the_error_by_as_much_as_results_say(monkeypatch: pytest.MonkeyPatch) -> None:
    """On the first 1,000 images of the validation split, where the table has all of it."""
    model, images = load_variant("topk-25"), as_floats(load_split("mnist", "validation").images)
    some, fvu = images[:1000], []
    for refinement in (None, *(Refinement(steps=8, rounds=rounds) for rounds in (1, 2, 4))):
        monkeypatch.setattr(TopK, "refinement", lambda *_, it=refinement: it)
        fvu.append(mse(model, some, some) / some.var(0, correction=0).mean().item())
    alone = re.search(r"the encoder alone \| ([\d.]+)", RESULTS)[1]
    refined = re.search(r"each with 8 steps \| ([\d.]+) / ([\d.]+) / ([\d.]+)", RESULTS).groups()
    assert fvu == pytest.approx([float(number) for number in (alone, *refined)], rel=0.1)
    assert fvu[2] < fvu[0] / 2


def test_a_card_is_made_of_the_committed_files() -> None:
    for name, recipe in RECIPE.items():
        card = (BUNDLE / name / "README.md").read_text(encoding="utf-8")
        assert card == render_card(load_variant(name), Record.read(BUNDLE / name)), name
        has_none = recipe.sparsity.kind in ("none", "topk", "adaptive-topk", "batch-topk", "matryoshka")
        assert has_none == ("plus the penalty" not in card), name


def test_the_table_of_methods_has_all_of_them_and_their_words() -> None:
    (table,) = re.findall(r"^\| `--sparsity` .*\n\|-.*\n((?:\|.*\n)+)", RESEARCHERS, re.M)
    rows = [[cell.strip() for cell in line.strip("|").split("|")] for line in table.strip().splitlines()]
    assert rows == [
        [
            f"`{kind}`",
            f"`{method.__name__}({', '.join(field.name for field in fields(method))})`",
            ", ".join(f"`--{field.name}`" for field in fields(method)),
            method.asks_for,
        ]
        for kind, method in METHODS.items()
    ]


def test_the_limits_that_are_told_are_those_of_the_code() -> None:
    text = flat(RESEARCHERS)
    for said in (
        f"up to {LARGEST_HEADER // 1000} kB of it",
        f"{user_model_process.CPU_SECONDS} seconds of CPU time, {user_models.MOST_SECONDS} in all, "
        f"{user_model_process.MEMORY // 10**9} GB of memory, files of {user_model_process.LARGEST_FILE // 10**6} MB, "
        f"{user_model_process.LARGEST_SIZE:,} latents",
        f"keeps {app.MOST_SESSIONS} sessions",
        f"every {STEPS_PER_CHECKPOINT} steps",
        f"At least {FEWEST['train']} images to train on and {FEWEST['test']} to measure on",
        f"at most {VALIDATION_IMAGES:,} images",
    ):
        assert said in text, said
    assert (lines.PATIENCE, lines.KEPT, live_training.MOST_WAITING, live_training.MOST_OF_AN_ADDRESS) == (
        10,
        120,
        12,
        4,
    )
    assert "after ten seconds, and no unread answer after two minutes" in text
    assert "twelve may wait for a training, four of them from one address" in text
    assert len(NOISE_LEVELS) == 5  # "noise of five levels"
    assert (round(min(AdaptiveL1.betas), 9), round(max(AdaptiveL1.betas), 9)) == (0.03, 10)
    assert min(AdaptiveTopK.measured_at["k"]) == 1


# The lessons of the page.


def test_what_the_lessons_say_of_the_bundle_is_so() -> None:
    assert ALL["l1-10"].mse == pytest.approx(ALL["topk-10"].mse, rel=0.1)
    assert noisy("topk-10") > 1.3 * noisy("l1-10")
    pair = ALL["l1-0.1-noise-0.6"], ALL["topk-50"]
    assert pair[0].mean_activation == pytest.approx(pair[1].mean_activation, rel=0.1)
    assert pair[0].effective_l0 > 5 * pair[1].effective_l0
    by_k = [f"topk-{k}" for k in (10, 25, 50)]
    assert min(by_k, key=lambda name: ALL[name].mse) == "topk-50"
    assert min(by_k, key=noisy) == "topk-25"
    assert noisy("dense") / ALL["dense"].noisy_mse["0.3"] == pytest.approx(0.9, abs=0.05)  # a tenth less
    assert ALL["l1-30"].dead_fraction > 0.3 > 10 * ALL["l1-1"].dead_fraction
    assert max(BY_BETA, key=lambda name: ALL[name].dead_fraction) == "l1-30"
    per_image, per_latent = ALL["kl-image-0.05"], ALL["kl-neuron-0.05"]
    assert per_latent.dead_fraction < per_image.dead_fraction
    assert per_latent.fvu > per_image.fvu
    assert all(int(name[5:]) - 0.2 < ALL[name].l0 < int(name[5:]) for name in by_k)  # now and then one fewer is on
    ones, eights = ALL["l1-1"].l0_by_class[1], ALL["l1-1"].l0_by_class[8]
    assert eights > 2 * ones
    assert ALL["batch-topk"].l0_by_class[8] > 1.5 * ALL["batch-topk"].l0_by_class[1]
    spread = {
        name: max(of) / min(of) for name, of in ((name, ALL[name].mean_activation_by_class) for name in ALL) if of
    }
    assert spread["l1-1"] > 2 > 1.2 > spread["kl-neuron-0.05"] > 1.1 > 1.05 > spread["kl-image-0.05"]


def test_what_the_lessons_say_of_latents_is_so() -> None:
    used = {
        name: load_file(BUNDLE / name / "statistics.safetensors")["frequency"].median().item()
        for name in ("l1-3", "dense")
    }
    assert {name: round(100 * share) for name, share in used.items()} == {"l1-3": 6, "dense": 97}
    thresholds = {name: load_variant(name).network.threshold.mean().item() for name in ("topk-10", "l1-10")}
    assert thresholds["topk-10"] < 0 < 0.3 < thresholds["l1-10"]


def test_a_stated_rate_rises_under_noise(clean: torch.Tensor, noised: torch.Tensor) -> None:
    """Fewer latents are on, and they are larger."""
    for name in ("kl-image-0.05", "kl-neuron-0.05"):
        model = load_variant(name)
        with torch.no_grad():
            (on, before), (on_noise, after) = (
                (l0(model, x), torch.tanh(model.encode(x) / 2).mean()) for x in (clean, noised)
            )
        assert before == pytest.approx(0.05, rel=0.1)
        assert after > 2 * before
        assert on_noise < on


def test_sparse_models_remove_less_of_clipped_noise(clean: torch.Tensor, noised: torch.Tensor) -> None:
    some, given = clean[:300], noised[:300]
    for name in ("l1-1", "l1-3", "topk-25", "kl-image-0.05", "jumprelu"):
        model = load_variant(name)
        assert mse(model, given.clamp(0, 1), some) > mse(model, given, some), name


def test_a_letter_is_made_about_as_well_as_a_digit_but_of_very_few_latents() -> None:
    drawn = []
    for left, top, width in ((85, 60, 24), (75, 50, 26), (95, 70, 22), (80, 60, 30)):
        image = Image.new("L", (280, 280))  # an A, in strokes as thick as a digit's
        draw = ImageDraw.Draw(image)
        draw.line([(left, 215), (140, top), (280 - left, 215)], fill=255, width=width, joint="curve")
        draw.line([(left + 25, 160), (255 - left, 160)], fill=255, width=width - 2)
        drawn.append(np.asarray(image.resize((28, 28), Image.Resampling.LANCZOS)))
    letters = as_floats(torch.from_numpy(np.stack(drawn)).unsqueeze(1))
    for name in ("dense", "l1-1", "l1-3", "topk-10", "topk-25", "l1-30"):
        ratio = mse(load_variant(name), letters, letters) / ALL[name].mse
        assert (ratio > 1.1) == (name in ("topk-10", "l1-30")), name
        assert ratio < 2
