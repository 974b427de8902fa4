"""What the page computes in a browser and what Python computes are the same.

Both sides calculate in double precision here. In single precision, a step of the refinement that lowers its objective
by hardly more than it must is taken on one side and not on the other: of 500 codes of `adaptive-topk` with k = 10,
8 then differ by more than 0.001 and one by 0.1. For the same reason pixels are bytes / 255 in double precision.
"""

from __future__ import annotations

import base64
import math
import re
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from playwright.sync_api import Page
from safetensors.torch import save_file
from torch import Tensor
from wasmtime import wat2wasm

from sae_model import SparseAutoencoder, bernoulli_kl, effective_l0, unit_activation
from sae_model.architectures import ARCHITECTURES
from sae_model.bundle import BUNDLE, list_variants
from sae_model.methods import (
    L1,
    AdaptiveL1,
    AdaptiveTopK,
    BatchTopK,
    JumpReLU,
    KLPerImage,
    Matryoshka,
    Sparsity,
    TopK,
)
from sae_model.refinement import Refinement
from space.head import WEB
from space.lab import Lab, Look
from space.noise import bits, noise
from training.data import Split
from training.fit.bundled_recipes import RECIPES
from training.measure.histogram import EDGES, histogram_of, percent

LARGEST_SEED = 2**32 - 1
SPECIMENS = [(0, 0.0, 0), (1, 0.3, 0), (2, 0.0, 1), (3, 0.3, 1), (4, 0.1, 7), (8, 0.6, LARGEST_SEED), (18, 1.0, 12345)]
"""Position in the test split, sigma and seed."""
FEW = 2
"""So many of them, one clean and one with noise, where another model or stop of the same method has them all."""
WHOLE = {(recipe.sparsity.kind, recipe.architecture, recipe.noise): recipe.name for recipe in RECIPES}.values()
"""One bundled model of each kind; of a penalty the strongest, whose codes are refined."""

LOOK = """async ([folder, stop, betas, specimens]) => {
  const [{Model}, {readSafetensors}, {noise}, m] = await Promise.all(
    ['model', 'safetensors', 'noise', 'measures'].map((name) => import(`web/${name}.js`)));
  const [config, weights] = await Promise.all([
    fetch(`${folder}/config.json`).then((answer) => answer.json()),
    fetch(`${folder}/model.safetensors`).then((answer) => answer.arrayBuffer())]);
  const model = new Model(config, readSafetensors(weights), betas);
  const looks = specimens.map(({pixels, sigma, seed, edits}) => {
    const clean = Float64Array.from(pixels), random = noise(seed, clean.length);
    const noisy = clean.map((value, i) => value + sigma * random[i]);
    const latents = model.encode(noisy, stop), reconstruction = model.decode(latents), edited = latents.slice();
    for (const [latent, value] of edits) edited[latent] = value;
    const mse = m.mse(reconstruction, clean);
    const metrics = {mse, psnr: m.psnr(mse, 1), mean_activation: m.meanActivation(latents),
      effective_l0: m.effectiveL0(latents), l0: m.l0(latents)};
    return {latents: [...latents], reconstruction: [...reconstruction], edited: [...model.decode(edited)],
      metrics, histogram: m.histogramOf(latents.map(m.activation))};
  });
  const last = model.latentDim - 1;
  return {looks, isLinear: model.isLinear, bias: [...model.bias()], alone: [...model.alone(last, 2)]};
}"""


@pytest.fixture(scope="module")
def folder(exported: Path) -> Path:
    """What the page in `tab` may fetch."""
    (exported / "bundled").symlink_to(BUNDLE)
    return exported


def stop_of(sparsity: Sparsity, k: int | None = None, beta: float | None = None) -> dict[str, Any]:
    """What a stop of the page says about how its model is used."""
    beta = (sparsity.beta if beta is None else beta) if sparsity.betas else None
    refinement = sparsity.refinement(None if beta is None else torch.tensor([beta]))
    return {
        "k": k or sparsity.default_k,
        "steps": int(refinement.steps) if refinement else 0,
        "rounds": refinement.rounds if refinement else 0,
        "beta": beta if beta is not None else float(refinement.beta) if refinement else 0,
    }


@torch.inference_mode()
def agree(tab: Page, path: str, model: SparseAutoencoder, clean: Tensor, **arguments: float) -> None:
    """Hold both sides equal on images (n, *image_shape) with noise, and with some latents set by hand."""
    model = model.double()
    specimens = []
    for image, (_, sigma, seed) in zip(clean, SPECIMENS[: len(clean)], strict=True):
        edits = [[seed % model.latent_dim, 3.5], [model.latent_dim - 1, 0.0 if sigma else -1.5]]
        specimens.append({"pixels": image.flatten().tolist(), "sigma": sigma, "seed": seed, "edits": edits})
    betas = list(model.sparsity.betas) or None
    tolerance = 1e-4 if betas else 1e-9  # beta itself has single precision in Python
    answer = tab.evaluate(LOOK, [path, stop_of(model.sparsity, **arguments), betas, specimens])
    bias = model.logits(torch.zeros(1, model.latent_dim))[0]
    alone = torch.zeros(1, model.latent_dim)
    alone[0, -1] = 2
    assert answer["isLinear"] == model.is_linear
    near(answer["bias"], bias)
    near(answer["alone"], model.logits(alone)[0] - bias)
    if model.is_linear:
        near(answer["alone"], 2 * model.dictionary[-1])
    for image, specimen, found in zip(clean, specimens, answer["looks"], strict=True):
        noisy = image + specimen["sigma"] * noise(specimen["seed"], tuple(image.shape))
        latents = model.encode(noisy[None], **arguments)  # one at a time, as the page does
        reconstruction = model.decode(latents)[0]
        near(found["latents"], latents, tolerance)  # so none that is on in one is off in the other
        near(found["reconstruction"], reconstruction, tolerance)
        look = Look(image, noisy, latents[0], reconstruction)
        carried = {"effective_l0": effective_l0(latents).item(), "l0": latents.count_nonzero().item()}
        expected = carried | {name: getattr(look, name) for name in ("mse", "psnr", "mean_activation")}
        assert found["metrics"] == pytest.approx(expected, rel=tolerance)
        same_histogram(found["histogram"], unit_activation(latents))
        for latent, value in specimen["edits"]:
            latents[0, latent] = value
        near(found["edited"], model.decode(latents)[0], tolerance)


def near(found: list[float], expected: Tensor, tolerance: float = 1e-9) -> None:
    assert (torch.tensor(found, dtype=torch.float64) - expected.flatten()).abs().max() < tolerance


def same_histogram(found: dict[str, Any], values: Tensor) -> None:
    expected = histogram_of(values)
    assert (found["zero"], found["log"], found["linear"]) == (expected.zero, [*expected.log], [*expected.linear])
    assert found["mean"] == pytest.approx(expected.mean)


def test_what_the_page_is_told_of_a_stop_is_how_its_model_is_used(lab: Lab, index: dict) -> None:
    assert {stop["model"] for stop in index["stops"].values()} == set(list_variants())
    for key, told in index["stops"].items():
        model = SparseAutoencoder.from_pretrained(BUNDLE / told["model"])
        used = stop_of(model.sparsity, **lab.stops[key].arguments)
        assert {name: told[name] for name in used} == (used if model.is_linear else used | {"beta": 0.0})
        assert index["models"][told["model"]]["betas"] == (list(model.sparsity.betas) or None)
    ranges = [family["range"] for family in index["families"] if "range" in family]
    assert ranges
    for family in ranges:
        sparsity = lab.recipes[family["model"]].sparsity
        for value, steps in zip(family["values"], family["steps"], strict=True):
            assert steps == stop_of(sparsity, **{family["argument"]: value})["steps"]


def stops(sparsity: Sparsity) -> list[dict[str, float]]:
    """What a model is asked for: where it was measured, and at one place between."""
    for name, values in sparsity.measured_at.items():
        between = math.sqrt(values[-2] * values[-1]) if name == "beta" else 7  # a beta whose codes are refined
        return [{name: value} for value in (*values, between)]
    return [{}]


@pytest.mark.usefixtures("folder")
@pytest.mark.parametrize("name", list_variants())
def test_the_browser_computes_what_python_does(tab: Page, digits: Split, name: str) -> None:
    model = SparseAutoencoder.from_pretrained(BUNDLE / name)
    clean = digits.images[[index for index, _, _ in SPECIMENS]].double() / 255
    asked = stops(model.sparsity)
    for arguments in asked:
        images = clean if name in WHOLE and arguments == asked[len(asked) // 2] else clean[:FEW]
        agree(tab, f"bundled/{name}", model, images, **arguments)


def test_the_page_has_every_architecture_and_names_one_that_it_lacks(tab: Page) -> None:
    names, error = tab.evaluate(
        """async () => {
          const {ARCHITECTURES, Model} = await import('web/model.js');
          const config = {architecture: 'other', image_shape: [1, 2, 2]};
          try { new Model(config, new Map()); } catch (error) { return [Object.keys(ARCHITECTURES), error.message]; }
        }"""
    )
    assert names == list(ARCHITECTURES)
    assert error == "The page does not know the architecture other."


class _Both(L1):
    """What no method has today."""

    def refinement(self, beta: Tensor | None = None) -> Refinement:
        return Refinement(steps=4, rounds=3, beta=self.beta)


OWN: dict[str, dict[str, Any]] = {
    "colour": {"image_shape": (3, 8, 8), "sparsity": TopK(6)},
    "colour-steps-on-squares": {"image_shape": (3, 8, 8), "sparsity": KLPerImage(0.1), "step_loss": "mse"},
    "squares-of-top-k": {"image_shape": (1, 9, 7), "sparsity": Matryoshka(9), "step_loss": "mse"},
    "vectors": {"image_shape": (37, 1, 1), "sparsity": L1(3.0), "output": "linear"},
    "vectors-of-thresholds": {"image_shape": (37, 1, 1), "sparsity": JumpReLU(), "output": "linear"},
    "vectors-of-every-k": {"image_shape": (37, 1, 1), "sparsity": AdaptiveTopK(5), "output": "linear"},
    "thresholds": {"image_shape": (1, 8, 8), "sparsity": BatchTopK(5)},
    "choice-under-a-penalty": {"image_shape": (1, 8, 8), "sparsity": L1(2.0)},
    "every-beta": {"image_shape": (1, 8, 8), "sparsity": AdaptiveL1(2.0)},
    "classical": {"image_shape": (1, 8, 8), "sparsity": L1(2.0), "steps": 0},
    "classical-top-k": {"image_shape": (37, 1, 1), "sparsity": TopK(6), "steps": 0, "output": "linear"},
}


@pytest.mark.parametrize("name", OWN)
def test_models_of_other_shapes_outputs_and_methods_agree(tab: Page, folder: Path, name: str) -> None:
    torch.manual_seed(3)
    made = SparseAutoencoder(latent_dim=61, **OWN[name])
    clean = torch.rand(len(SPECIMENS), *made.image_shape, dtype=torch.float64)
    with torch.no_grad():
        for parameter in made.parameters():
            parameter.add_(0.3 * torch.randn(parameter.shape) * parameter.abs().mean().clamp_min(0.05))
        made.network.threshold.abs_()
        made.network.first.bias.add_(0.1)
        made.network.atoms[5] = 0
        if made.output == "linear":
            clean = 40 * clean - 7
            made.centre_on(clean.float())
        if made.threshold is not None:
            made.threshold.uniform_(0.0, 0.1)
    made.save_pretrained(folder / name)
    model = SparseAutoencoder.from_pretrained(folder / name)
    if name == "choice-under-a-penalty":
        model.sparsity = _Both(2.0)
    on = model.encode(clean).count_nonzero(1)
    assert 0 < on.min() <= on.max() < 61
    agree(tab, name, model, clean)


PRODUCTS = """async ([rows, width, some]) => {
  const {matrix} = await import('web/matrix.js');
  const numbers = (count) => Float64Array.from({length: count}, (_, i) => Math.sin(1 + i * i));
  const data = Float32Array.from(numbers(rows * width)), vector = numbers(width), weights = numbers(some.length);
  const picked = Int32Array.from(some), WithCode = globalThis.WebAssembly, {Instance} = WithCode;
  let instances = 0;
  WithCode.Instance = class extends Instance { constructor(...given) { super(...given); instances++; } };
  const results = (one) => [one.correlate(vector), one.correlate(vector, picked),
    one.accumulate(picked, weights, vector.slice()), one.correlate(vector)].map((numbers) => [...numbers]);
  const fast = results(matrix(data, width));
  delete globalThis.WebAssembly;
  const without = results(matrix(data, width));
  globalThis.WebAssembly = WithCode;
  WithCode.Instance = Instance;
  return [instances, fast, without];
}"""


def test_products_are_the_same_with_and_without_web_assembly(tab: Page) -> None:
    for rows, width, picked in (
        (900, 784, [*range(0, 900, 7)]),
        (7, 9, [6, 0, 3]),
        (1, 1, [0]),
        (5, 2, []),
        (4, 3, [0, 1, 2, 3]),
    ):
        numbers = [np.sin(1 + np.arange(count, dtype=np.float64) ** 2) for count in (rows * width, width, len(picked))]
        data = numbers[0].astype(np.float32).astype(np.float64).reshape(rows, width)
        every = data @ numbers[1]
        expected = [every, every[picked], numbers[1] + numbers[2] @ data[picked], every]
        instances, *answers = tab.evaluate(PRODUCTS, [rows, width, picked])
        assert instances == 1  # so WebAssembly did the first ones
        for found in answers:
            for one, other in zip(found, expected, strict=True):
                assert one == pytest.approx(other, abs=1e-11)


def test_the_code_of_the_products_is_the_text_beside_it() -> None:
    code = base64.b64encode(wat2wasm((WEB / "matrix.wat").read_text(encoding="utf-8"))).decode()
    lines = (WEB / "matrix.js").read_text(encoding="utf-8").partition("const CODE =")[2].partition(";")[0]
    assert "".join(re.findall(r'"(.*)"', lines)) == code, f"CODE in matrix.js has to be {code}"


def test_weights_of_every_type_are_read(tab: Page, folder: Path) -> None:
    halves = torch.arange(65536, dtype=torch.int32).to(torch.uint16).view(torch.float16)
    halves = halves[halves.isfinite()]
    values = torch.randn(5)
    tensors = {
        "half": halves,
        "brain": values.bfloat16(),
        "single": values.reshape(5, 1),
        "bytes": torch.tensor([0, 255], dtype=torch.uint8),
        "words": torch.tensor([[0, 65535]], dtype=torch.uint16),
        "count": torch.tensor(7),
    }
    save_file(tensors, folder / "types.safetensors", metadata={"format": "pt"})
    found = tab.evaluate(
        """async () => {
          const {readSafetensors} = await import('web/safetensors.js');
          const file = await (await fetch('types.safetensors')).arrayBuffer();
          const tensors = [...readSafetensors(file)].map(([name, {shape, data}]) => [name, [shape, [...data]]]);
          return Object.fromEntries(tensors);
        }"""
    )
    assert found.keys() == tensors.keys()
    for name, (shape, data) in found.items():
        assert shape == list(tensors[name].shape)
        assert torch.equal(torch.tensor(data, dtype=torch.float64), tensors[name].flatten().double())


def test_a_seed_means_the_same_noise_on_both_sides(tab: Page) -> None:
    seeds, count = [0, 1, 42, 2**31, LARGEST_SEED], 2 * 3 * 64 * 64
    whole, normal = tab.evaluate(
        """async ([seeds, count]) => {
          const {bits, noise} = await import('web/noise.js');
          return [seeds.map((seed) => Array.from({length: count}, (_, i) => bits(seed, i))),
                  seeds.map((seed) => [...noise(seed, count)])];
        }""",
        [seeds, count],
    )
    for seed, words, numbers in zip(seeds, whole, normal, strict=True):
        assert words == bits(seed, np.arange(count, dtype=np.uint32)).tolist()
        near(numbers, noise(seed, (count,)), 1e-12)
    assert torch.equal(noise(7, (3, 4, 5)).flatten(), noise(7, (100,))[:60])  # a number depends on its position alone


@pytest.mark.parametrize("first", [0, 2**31 - 500, 2**32 - 1000])
def test_noise_is_normal_and_neither_neighbours_nor_seeds_are_alike(first: int) -> None:
    draws = torch.stack([noise(first + i, (784,)) for i in range(1000)])
    n = draws.numel()
    assert abs(draws.mean()) < 4 / math.sqrt(n)
    assert abs(draws.var() - 1) < 4 * math.sqrt(2 / n)
    assert abs(draws.pow(4).mean() - 3) < 4 * math.sqrt(96 / n)
    assert draws.abs().max() < 6.8
    for values in (draws, draws.square() - 1):
        for other, steps in ((0, 1), (0, 2), (0, 256), (1, 1), (1, 28)):  # of the seed, and of the position
            pairs = values.narrow(other, steps, values.shape[other] - steps) * values.narrow(
                other, 0, values.shape[other] - steps
            )
            assert abs(pairs.mean()) < 4 * pairs.std() / math.sqrt(pairs.numel()), (other, steps)
    assert draws.mean(0).abs().max() < 4.5 / math.sqrt(1000)  # of each position over the seeds
    assert draws.mean(1).abs().max() < 4.5 / math.sqrt(784)


def test_measures_and_the_words_for_shares_agree(tab: Page) -> None:
    torch.manual_seed(0)
    of_latents = unit_activation(torch.randn(5000, dtype=torch.float64) ** 5).clamp_min(0.0005)
    values = torch.cat([of_latents, EDGES.double(), torch.linspace(0, 1, 11, dtype=torch.float64), torch.zeros(3)])
    shares = [i / 1601 for i in range(1, 1602)] + [0.00049, 0.0005, 0.9895, 0.99949, 0.9995, 1e-9]
    rates = [0, 1e-9, 0.02, 0.05, 0.5, 0.98, 1]
    histogram, words, exact, divergences, ratios = tab.evaluate(
        """async ([values, shares, rates]) => {
          const {bernoulliKl, histogramOf, percent, psnr} = await import('web/measures.js');
          return [histogramOf(Float64Array.from(values)), shares.map((share) => percent(share)),
            shares.map((share) => percent(share, true)),
            rates.map((p) => rates.map((q) => bernoulliKl(p, q))), [psnr(0.01, 1), psnr(0.01, 40), psnr(0, 1)]];
        }""",
        [values.tolist(), shares, rates],
    )
    same_histogram(histogram, values)
    assert ratios == pytest.approx([20, 20 + 20 * math.log10(40), 100])
    assert words == [percent(share) for share in shares]
    assert exact == [percent(share, exact=True) for share in shares]
    for p, found in zip(rates, divergences, strict=True):
        near(found, bernoulli_kl(p, torch.tensor(rates, dtype=torch.float64)), 1e-12)


def test_pixels_are_drawn_in_their_channels(tab: Page) -> None:
    """Three channels are red, green and blue, one after the other; of two, and of a vector, one sees shades of grey."""
    drawn = tab.evaluate(
        """async () => {
          const {canvas, grey} = await import('web/paint.js');
          return [[3, 1, 2], [2, 1, 3], [6, 1, 1]].map((shape) => {
            const sheet = canvas();
            grey(sheet, [0, 0.2, 0.4, 0.8, 0.6, 0.8], shape);
            const {width, height} = sheet;
            return [width, height, [...sheet.getContext('2d').getImageData(0, 0, width, height).data]];
          });
        }"""
    )
    of_colour, of_two, of_vector = ([*size, np.reshape(data, (-1, 4))[:, :3].tolist()] for *size, data in drawn)
    assert of_colour == [2, 1, [[0, 102, 153], [51, 204, 204]]]
    assert of_two == [3, 1, [[level] * 3 for level in (102, 102, 153)]]
    assert of_vector == [3, 3, [[level] * 3 for level in (0, 51, 102, 204, 153, 204, 0, 0, 0)]]


def test_a_random_image_of_a_class_is_another_one_if_there_is_one(tab: Page) -> None:
    found = tab.evaluate("""async () => {
      const {Images} = await import('web/images.js');
      const images = new Images({shape: [1, 1, 1]}, () => {});
      images.files.here.set('labels', [0, 1, 1]);
      return [[1, 1], [1, 2], [0, 1], [0, 0], [2, 0]].map(([label, other]) => images.random(label, other));
    }""")
    assert found == [2, 1, 0, 0, None]
