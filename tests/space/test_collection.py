"""The page with one's own models and data: other shapes, classes and names, from a folder and from the Hub."""

from __future__ import annotations

import json
import re
import shutil
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
import pytest
import torch
from PIL import Image
from safetensors.torch import load, save_file

from sae_model import L1, Dense, Sparsity, TopK
from sae_model.bundle import BUNDLE
from sae_model.errors import UserError
from space.app import build_app, main, options_of
from space.collection import bundled, open_collection
from space.files import Files
from space.head import carried
from space.lab import Lab, Specimen
from space.lines import Lines
from tests.space.browser import english_in, keep_a_model, settle, slide
from training.data import Split, open_dataset
from training.fit.loop import fit
from training.fit.recipe import Recipe, for_any_range
from training.publish.hub import push
from training.runs import Data, measure_and_save

if TYPE_CHECKING:
    from playwright.sync_api import Page

SHAPES = ("a <b>blue disc", "green square", "red square")


def train(into: Path, name: str, *methods: Sparsity) -> None:
    """Folders as `fit` writes them."""
    dataset = open_dataset(name, bounded=False)
    images, test = dataset.split("train"), dataset.split("test")
    for method in methods:
        recipe = Recipe(method, dataset=name, latent_dim=36, epochs=3, batch_size=32)
        recipe = for_any_range(recipe) if images.images.is_floating_point() else recipe
        model = recipe.new_model(images.images)
        for _ in fit(model, images.images, recipe):
            pass
        measure_and_save(recipe, model, Data(images, test, None, about=dataset.about), into / method.name)


@pytest.fixture(scope="session")
def shapes(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Models, in `models`, of images in colour that are no squares, in `shapes`."""
    folder, generator = tmp_path_factory.mktemp("own"), np.random.default_rng(0)
    for half, count in (("train", 240), ("test", 45)):
        for number in range(count):
            image = np.zeros((20, 24, 3), np.uint8)
            top, left = generator.integers(0, 12, 2)
            image[top : top + 8, left : left + 8, 2 - number % 3] = 220
            of_class = folder / "shapes" / half / SHAPES[number % 3]
            of_class.mkdir(parents=True, exist_ok=True)
            Image.fromarray(image).save(of_class / f"{number}.png")
    train(folder / "models", str(folder / "shapes"), Dense(), L1(1.0), TopK(5))
    return folder


@pytest.fixture(scope="session")
def vectors(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Models, in `models`, of vectors of 10 values of any range, in `vectors.safetensors`."""
    folder = tmp_path_factory.mktemp("vectors")
    generator = torch.Generator().manual_seed(0)
    codes = (torch.rand(400, 6, generator=generator) < 0.3) * torch.randn(400, 6, generator=generator)
    images = codes @ torch.randn(6, 10, generator=generator)
    save_file({"images": images}, folder / "vectors.safetensors")
    train(folder / "models", str(folder / "vectors.safetensors"), L1(0.1))
    return folder


def test_the_bundled_models_are_in_the_order_of_the_list(digits: Split) -> None:
    collection = bundled()
    assert list(collection.models)[:4] == ["dense", "l1-0.01", "lecture", "l1-0.1"]
    assert torch.equal(collection.test.images, digits.images)


def test_models_of_a_folder_come_with_their_data(shapes: Path) -> None:
    lab = Lab(open_collection(str(shapes / "models")))
    assert list(lab.models) == ["dense", "l1-1", "topk-5"]
    assert (lab.image_shape, lab.classes) == ((3, 20, 24), SHAPES)
    assert len(lab.images) == 45
    assert len(set(lab.labels[:12].tolist())) == 3  # shuffled, or the first images would be of one class
    assert lab.look(Specimen(0, 0.3), "l1-1").reconstruction.shape == (3, 20, 24)
    table = Files(lab, None).table
    assert load(table["statistics/topk-5.safetensors"].body)["class_means"].shape == (3, 36)
    index = json.loads(table["lab.json"].body)
    assert (index["shape"], index["classes"], index["noun"]) == ([3, 20, 24], list(SHAPES), "image")
    assert (index["bundled"], index["images"]["count"]) == (False, 45)
    one = Lab(open_collection(str(shapes / "models" / "dense"), dataset=str(shapes / "shapes")))
    assert list(one.models) == ["dense"]


def test_classes_of_few_images_or_none_do_no_harm_and_of_large_images_fewer_are_shown(
    shapes: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    collection = open_collection(str(shapes / "models"))
    images, labels = collection.test
    first = labels.argsort()[:1]  # one image of the first class, and none of the last
    kept = torch.cat([first, (labels == 1).nonzero().flatten()])
    lab = Lab(replace(collection, test=Split(images[kept], labels[kept])))
    assert lab.opening_digit < len(kept)
    means = load(Files(lab, None).table["statistics/dense.safetensors"].body)["class_means"]
    assert means.shape == (3, 36)
    assert means[1].any()
    assert not means[2].any()
    monkeypatch.setattr("space.collection.MOST_BYTES", 20 * 3 * 20 * 24)
    monkeypatch.setattr("space.collection.FEWEST_IMAGES", 12)
    assert len(open_collection(str(shapes / "models")).test.images) == 20


@pytest.mark.usefixtures("hub")
def test_models_of_an_owner_come_from_the_hub(shapes: Path) -> None:
    for name in ("dense", "l1-1"):
        push(shapes / "models" / name, f"ada/{name}")
    assert list(open_collection("ada").models) == ["dense", "l1-1"]
    with pytest.raises(UserError, match="no owner of models tagged sparse-autoencoder"):
        open_collection("nobody")


def test_what_does_not_fit_on_one_page_is_an_error_message(shapes: Path, tmp_path: Path) -> None:
    both = tmp_path / "both"
    shutil.copytree(shapes / "models" / "dense", both / "a")
    shutil.copytree(BUNDLE / "l1-1", both / "b")
    (tmp_path / "empty").mkdir()
    shapes_models = str(shapes / "models")
    for arguments, words in (
        ((str(tmp_path / "nowhere"),), "There is no folder"),
        ((str(tmp_path / "empty"),), "holds no folder with a config.json"),
        ((str(both),), r"for images of the shape \(1, 28, 28\).*one kind"),
        ((shapes_models, "mnist"), r"The images of MNIST have the shape \(1, 28, 28\).*name the data set"),
        ((shapes_models, "no-such-thing"), "Unknown data set"),
    ):
        with pytest.raises(UserError, match=words) as caught:
            open_collection(*arguments)
        assert "\n" not in str(caught.value)
        assert len(str(caught.value)) < 300
    with pytest.raises(SystemExit, match=r"^Error: .* holds no folder with a config.json"):
        main(str(tmp_path / "empty"))


def test_a_page_of_models_without_a_dictionary_opens_with_an_image(tmp_path: Path) -> None:
    shutil.copytree(BUNDLE / "lecture", tmp_path / "lecture")
    looks = carried(Lab(open_collection(str(tmp_path))))["looks"]
    assert {stop: set(look) for stop, look in looks.items()} == {"lecture": {"latents", "reconstruction"}}


@contextmanager
def space_of(folder: Path) -> Iterator[str]:
    """The address of a Space with the models of a folder; in this process, which takes no seconds to start."""
    lab = Lab(open_collection(str(folder / "models")))
    files = Files(lab, {"hosted": False})
    app = build_app(lab)
    app._queue = Lines(app)
    app.launch(**options_of(files), prevent_thread_lock=True, quiet=True, server_name="127.0.0.1")
    yield app.local_url
    app.close()


@pytest.mark.slow
@pytest.mark.parametrize(
    ("which", "classes", "proportion"),
    [("shapes", SHAPES, 24 / 20), ("vectors", ("vectors",), None)],
)
def test_every_tab_works_for_other_data(
    open_tab: Callable[[str], Page],
    request: pytest.FixtureRequest,
    which: str,
    classes: tuple[str, ...],
    proportion: float | None,
) -> None:
    with space_of(request.getfixturevalue(which)) as address:
        page = open_tab(f"{address.rstrip('/')}/?model={'l1-0.1' if which == 'vectors' else 'dense'}")
        picture = "document.querySelector('#reconstruction canvas').toDataURL()"
        before = page.evaluate(picture)
        slide(page, "#noise", 0.8)
        page.wait_for_function(f"old => {picture} !== old", arg=before)
        if proportion:
            for selector in (".given .clean canvas", "#reconstruction canvas"):
                box = page.locator(selector).bounding_box()
                assert box["width"] / box["height"] == pytest.approx(proportion, abs=0.02)
        assert page.locator("#digit select option").all_inner_texts() == list(classes)
        page.wait_for_function("() => document.querySelector('#digit select').value !== ''")  # labels are here
        page.select_option("#digit select", "0")
        if len(classes) > 1:  # names of classes are no HTML
            page.wait_for_function("name => document.querySelector('#panel').innerText.includes(name)", arg=classes[0])
        assert page.locator("#draw").count() == (which != "vectors")
        for tab in ("atoms", "classes", "rates", "frontier", "see"):
            page.click(f"#tab-{tab}")
            page.wait_for_selector("#panel canvas, #panel svg")
            settle(page)
            assert "NaN" not in page.inner_html("#panel")
        page.locator("#languages button").click()
        page.wait_for_selector("html[lang=ru]")
        assert english_in(page) <= set(re.findall(r"\w+", " ".join(classes)))
        page.locator("#languages button").click()
        page.wait_for_selector("html[lang=en]")
        page.click("#tab-learn")
        keep_a_model(page)
        assert page.is_visible("#train canvas")
        assert page.locator("#message.error, #train-said.error, #trouble p").all_inner_texts() == []


def test_each_model_is_one_stop_of_a_slider() -> None:
    collection = bundled()
    clean, noisy = collection.models["l1-0.1"], collection.models["l1-0.1-noise-0.6"]
    models = {"l1-0.1": clean, "l1-0.1-noise-0.6": noisy}
    models["l1-0.1-noise-0.3"] = replace(noisy, recipe=replace(noisy.recipe, noise=0.3))
    stops = Lab(replace(collection, models=models)).families["noise"]
    assert sorted(stop.label for stop in stops) == ["+0.3", "+0.6", "l1-0.1"]
