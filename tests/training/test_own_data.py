"""The command line on a user's own data: fit, evaluate, report, push and load again, whatever its shape."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest
import torch
from huggingface_hub import HfApi, ModelCard
from PIL import Image
from safetensors.torch import save_file

from sae_model import SparseAutoencoder
from space.collection import open_collection
from tests.command_line import assert_refused, run, succeeded
from tests.loopback_hub import LoopbackHub

QUICK = ("--epochs", "2", "--latent-dim", "30")


@pytest.fixture
def shapes(tmp_path: Path) -> Path:
    """Two classes of 10 x 12 pixels in colour: red left halves, and green upper halves."""
    generator = np.random.default_rng(0)
    for half, count in (("train", 120), ("test", 20)):
        for number in range(count):
            image = generator.integers(0, 60, (10, 12, 3)).astype(np.uint8)
            name = ("left", "up")[number % 2]
            if name == "left":
                image[:, :6, 0] += 150
            else:
                image[:5, :, 1] += 150
            (tmp_path / "shapes" / half / name).mkdir(parents=True, exist_ok=True)
            Image.fromarray(image).save(tmp_path / "shapes" / half / name / f"{number}.png")
    return tmp_path / "shapes"


def test_a_data_set_in_colour_on_the_hub_goes_the_whole_way(hub: LoopbackHub, shapes: Path, tmp_path: Path) -> None:
    HfApi().create_repo("ada/pictures", repo_type="dataset")
    HfApi().upload_folder(repo_id="ada/pictures", repo_type="dataset", folder_path=shapes)
    name, model = "hub:ada/pictures", tmp_path / "model"
    about = ("--license", "CC0-1.0", "--credit", "Ada Example")
    done = succeeded("fit", "--dataset", name, *QUICK, *about, "--output", model)
    assert json.loads((model / "config.json").read_text())["image_shape"] == [3, 10, 12]
    assert json.loads(run("evaluate", model, "--dataset", name).stdout) == json.loads(done.stdout)
    succeeded("report", model, "--dataset", name, "--output", tmp_path / "figures")
    drawn = {path.name for path in (tmp_path / "figures").iterdir()}
    assert {"class-maps.png", "reconstructions.png", "history.svg"} <= drawn
    assert "This model was measured on pictures" in (tmp_path / "figures" / "frontier.svg").read_text()
    succeeded("push", model, "ada/learned")
    card = ModelCard(hub.files("ada/learned")["README.md"].decode())
    assert "pictures: Ada Example, CC0-1.0." in card.text
    assert "images of 3 x 10 x 12 pixels" in card.text
    assert "Measured on the 20 images of pictures's test split" in card.text
    assert "pictures" in card.data.tags
    assert card.data.eval_results[0].dataset_name == "pictures"
    assert hub.commits("ada/learned")[0].title == "l1-1, trained on pictures"
    collection = open_collection("ada")  # the page's: the owner's models, and the data set that they name
    assert (collection.dataset.about.hub, collection.dataset.classes) == ("ada/pictures", ("left", "up"))
    loaded = SparseAutoencoder.from_pretrained("ada/learned")
    scope: dict[str, torch.Tensor] = {}
    exec(card.text.partition("```python")[2].partition("```")[0], scope)
    assert scope["reconstruction"].shape == (8, 3, 10, 12)
    assert torch.equal(loaded.dictionary, SparseAutoencoder.from_pretrained(model).dictionary)
    colours = np.asarray(Image.open(model / "reconstructions.webp").convert("RGB")).astype(int)
    assert (colours[..., 0] - colours[..., 1]).max() > 80  # red


def test_without_classes_there_are_no_class_maps_and_no_probes(shapes: Path, tmp_path: Path) -> None:
    flat = tmp_path / "photos"
    flat.mkdir()
    for path in shapes.rglob("*.png"):
        path.rename(flat / f"{path.parent.parent.name}-{path.name}")
    done = succeeded("fit", "--dataset", flat, "--image-size", "8", "--grey", *QUICK, "--output", tmp_path / "model")
    assert "has no test half: 14 of its 140 images" in done.stderr
    assert json.loads(done.stdout)["probe_error"] == {}
    assert json.loads(done.stdout)["l0_by_class"] == []
    recipe = json.loads((tmp_path / "model" / "recipe.json").read_text())
    assert (recipe["image_size"], recipe["grey"]) == (8, True)
    assert "photos: licence unknown." in (tmp_path / "model" / "README.md").read_text()
    same = ("--dataset", flat, "--image-size", "8", "--grey")
    for named in (same, ()):  # where nothing is named, recipe.json has all three
        assert json.loads(run("evaluate", tmp_path / "model", *named).stdout) == json.loads(done.stdout)
    succeeded("report", tmp_path / "model", "--output", tmp_path / "figures")
    assert not list((tmp_path / "figures").glob("class-maps*"))


def test_a_path_that_is_not_there_any_more_is_said_to_be_relative_to_where_fit_ran(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    values = np.random.default_rng(0).normal(size=(150, 6))
    np.save(tmp_path / "my.npy", values)
    monkeypatch.chdir(tmp_path)
    succeeded("fit", "--dataset", "my.npy", "--loss", "mse", *QUICK, "--output", "model")
    succeeded("evaluate", "model", "--measure", "quick")
    (tmp_path / "elsewhere").mkdir()
    monkeypatch.chdir(tmp_path / "elsewhere")
    said = "was trained on my.npy, a path from the folder where `fit` ran: there is none here"
    assert_refused(run("evaluate", "../model"), said)
    succeeded("evaluate", "../model", "--dataset", "../my.npy", "--measure", "quick")


def test_vectors_of_any_range_go_the_whole_way(hub: LoopbackHub, tmp_path: Path) -> None:
    values = 1e6 + 50 * torch.randn(300, 5, generator=torch.Generator().manual_seed(0)).repeat(1, 3)[:, :13]
    save_file({"images": values.reshape(300, 13, 1, 1)}, tmp_path / "vectors.safetensors")
    name, model = tmp_path / "vectors.safetensors", tmp_path / "model"
    done = succeeded("fit", "--dataset", name, "--loss", "mse", *QUICK, "--epochs", "60", "--output", model)
    assert json.loads(done.stdout)["bce"] is None
    assert json.loads(done.stdout)["fvu"] < 0.5
    assert json.loads((model / "config.json").read_text())["output"] == "linear"
    assert json.loads(run("evaluate", model, "--dataset", name).stdout) == json.loads(done.stdout)
    succeeded("report", model, "--dataset", name, "--output", tmp_path / "figures")
    succeeded("push", model, "ada/vectors")
    card = hub.files("ada/vectors")["README.md"].decode()
    assert "A sparse autoencoder for vectors of 13 values" in card
    assert "squared error per value" in card
    assert "at noise in the units of the data, 0.3" in card
    assert "pixel" not in card.partition("## Licence")[0]
    assert "The loss is the squared error over the variance" in card
    scope: dict[str, torch.Tensor] = {}
    exec(card.partition("```python")[2].partition("```")[0], scope)
    assert scope["reconstruction"].shape == (8, 13, 1, 1)
    succeeded("fit", "--init", model, "--dataset", name, "--epochs", "1", "--output", tmp_path / "next")
    assert json.loads((tmp_path / "next" / "recipe.json").read_text())["loss"] == "mse"
