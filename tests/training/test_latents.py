"""What is said of each latent is what its values are, worked out here anew; the report shows it in a browser."""

from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch

from sae_model import SparseAutoencoder, TopK
from tests.command_line import assert_refused, run, succeeded
from training.data import About, Split, as_floats
from training.draw import latents_report
from training.measure import latents as measure
from training.measure.latents import heat_maps, log_histogram, look_at_latents, nearest_atoms, stability


def test_latents_do_what_is_said(
    brief_model: SparseAutoencoder, digits: Split, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("training.measure.evaluation.BATCH", 130)  # the best of several batches
    images, labels = digits.images[:500], digits.labels[:500]
    found = look_at_latents(brief_model, images, labels)
    with torch.no_grad():
        z = brief_model.encode(as_floats(images)).double().numpy()
    np.testing.assert_allclose(found.frequency, (z != 0).mean(0), atol=1e-6)
    np.testing.assert_allclose(found.mean_activation, np.tanh(z / 2).mean(0), atol=1e-6)
    for latent in (0, 7, int(found.frequency.argmax())):
        order = np.sort(z[:, latent])[::-1][:12]
        np.testing.assert_allclose(found.top_values[latent], order, rtol=1e-5, atol=1e-6)
        on = found.top_rows[latent][found.top_rows[latent] >= 0]
        assert len(on) == min(12, (z[:, latent] > 0).sum())
        np.testing.assert_allclose(z[on, latent], order[: len(on)], rtol=1e-5)
        np.testing.assert_allclose(
            found.class_means[:, latent],
            [np.tanh(z[labels.numpy() == digit, latent] / 2).mean() for digit in range(10)],
            atol=1e-6,
        )
    assert look_at_latents(brief_model, images).class_means.shape == (0, brief_model.latent_dim)
    with pytest.raises(ValueError, match="got 500 and 3 labels"):
        look_at_latents(brief_model, images, labels[:3])


def test_frequencies_are_counted_by_decades() -> None:
    edges, counts, never = log_histogram(torch.tensor([0.0, 0.0, 1e-7, 2e-5, 0.02, 0.03, 1.0]), bins_a_decade=1)
    assert edges.tolist() == [-5, -4, -3, -2, -1, 0]
    assert (counts.tolist(), never) == ([2, 0, 0, 2, 1], 2)


def unit(atoms: np.ndarray) -> np.ndarray:
    flat = atoms.reshape(len(atoms), -1)
    return flat / np.linalg.norm(flat, axis=1, keepdims=True)


def test_the_nearest_atom_and_the_best_match_are_those_of_all_products(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(measure, "BATCH", 7)
    generator = np.random.default_rng(0)
    first, second = generator.normal(size=(20, 1, 3, 3)), generator.normal(size=(30, 1, 3, 3))
    a, b = (unit(d) for d in (first, second))
    alike = a @ a.T - 2 * np.eye(20)
    cosine, number = nearest_atoms(torch.from_numpy(first))
    np.testing.assert_allclose(cosine, alike.max(1), atol=1e-5)
    assert number.tolist() == alike.argmax(1).tolist()
    np.testing.assert_allclose(
        stability(torch.from_numpy(first), torch.from_numpy(second)), (a @ b.T).max(1), atol=1e-5
    )
    turned = torch.from_numpy(first)[torch.randperm(20)] * 3
    np.testing.assert_allclose(stability(torch.from_numpy(first), turned), 1, atol=1e-5)
    with pytest.raises(ValueError, match=r"Atoms have one shape; got \(1, 3, 3\) and \(2,\)"):
        stability(torch.from_numpy(first), torch.zeros(4, 2))


def test_a_heat_map_is_the_latent_over_the_patches_of_its_image() -> None:
    torch.manual_seed(0)
    model = SparseAutoencoder(6, TopK(3), image_shape=(4,), output="linear").eval()
    patches = torch.randn(12, 4)
    groups, positions = torch.arange(12) // 4, torch.tensor([[0, 0], [0, 1], [1, 0], [1, 1]]).repeat(3, 1)
    shown = torch.tensor([0, 2, 1, -1, 0, 2])
    maps = heat_maps(model, patches, groups, positions, shown)
    z = model.encode(patches).detach()
    for latent, image in enumerate(shown.tolist()):
        expected = torch.zeros(2, 2) if image < 0 else z[4 * image : 4 * image + 4, latent].reshape(2, 2)
        torch.testing.assert_close(maps[latent], expected)


@pytest.fixture(scope="module")
def reports(tmp_path_factory: pytest.TempPathFactory, brief_model: SparseAutoencoder, few_digits: Path) -> Path:
    """Reports of a model of digits beside itself, and of patches of images as vectors."""
    folder = tmp_path_factory.mktemp("reports")
    brief_model.save_pretrained(folder / "digits")
    generator = np.random.default_rng(0)
    groups, at = np.repeat(np.arange(60), 9), np.stack(np.divmod(np.arange(9), 3), 1)
    arrays = {"images": generator.normal(size=(540, 8)), "groups": groups, "positions": np.tile(at, (60, 1))}
    np.savez(folder / "patches.npz", **arrays)
    torch.manual_seed(0)
    SparseAutoencoder(16, TopK(3), image_shape=(8,), output="linear").save_pretrained(folder / "patches")
    of_digits = ("--data-dir", few_digits, "--beside", folder / "digits")
    for name, more in (("digits", of_digits), ("patches", ("--dataset", folder / "patches.npz"))):
        succeeded("report", folder / name, "--html", *more, "--output", folder / f"{name}-report")
    return folder


@pytest.fixture
def page(browser: Any) -> Iterator[Any]:
    page = browser.new_context(offline=True).new_page()
    page.wrong = []
    page.on("pageerror", lambda error: page.wrong.append(str(error)))
    yield page
    page.context.close()


@pytest.mark.slow
def test_the_report_of_digits_is_sorted_and_searched(
    reports: Path, page: Any, brief_model: SparseAutoencoder, digits: Split
) -> None:
    page.goto((reports / "digits-report" / "latents.html").as_uri())
    page.wait_for_selector(".latent")
    frequency = look_at_latents(brief_model, digits.images[:500]).frequency
    first = page.locator(".latent")
    assert frequency[int(first.first.get_attribute("data-latent"))] == frequency.max()
    assert first.first.locator("canvas").count() == 9  # the atom, and eight images
    ink = "c => { const d = c.getContext('2d').getImageData(0, 0, c.width, c.height).data; return Math.max(...d) }"
    assert first.first.locator("canvas").nth(1).evaluate(ink) == 255
    page.select_option("#sort", "rare")
    assert frequency[int(first.first.get_attribute("data-latent"))] == frequency.min()
    page.fill("#find", "17")
    assert [row.get_attribute("data-latent") for row in first.all()] == ["17"]
    page.fill("#find", "3")  # a number, and a class
    assert page.locator(".latent", has_text="most for 3 ").count() > 0
    assert "Mean 1.000" in page.locator("#charts").inner_text()  # it is compared with itself
    assert page.wrong == []


@pytest.mark.slow
def test_the_report_of_patches_says_where_they_are_from(reports: Path, page: Any) -> None:
    page.goto((reports / "patches-report" / "latents.html").as_uri())
    page.wait_for_selector(".latent")
    latent = page.locator(".latent").first
    assert latent.locator(".row").first.inner_text().startswith("image ")
    size = latent.locator("canvas").last.evaluate("c => [c.width, c.height]")
    assert size == [3, 3]
    assert page.locator("#by-stability").count() == 0
    assert page.wrong == []


def test_the_pictures_of_a_report_have_a_bound(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(latents_report, "MOST_PIXELS", 25 * 40 * 20 // 4)
    model = SparseAutoencoder(25, TopK(3), image_shape=(1, 40, 20)).eval()
    html = latents_report.latents_report(model, torch.rand(99, 1, 40, 20), None, About("noise", ("noise",)))
    (height, width), rows = re.findall(r'"height": (\d+), "width": (\d+)', html)
    assert (int(height), int(width)) == (20, 10)  # of an atom
    assert int(rows[0]) < 20


def test_a_model_without_atoms_has_no_report(tmp_path: Path) -> None:
    SparseAutoencoder(20, architecture="lecture").save_pretrained(tmp_path / "model")
    refused = run("report", tmp_path / "model", "--html", "--output", tmp_path / "report")
    assert_refused(refused, "The latents of this model cannot be shown")
    assert not (tmp_path / "report").exists()
