"""Users' models, without the page."""

from __future__ import annotations

import itertools
import json
from pathlib import Path

import pytest
import torch
from huggingface_hub import HfApi
from huggingface_hub.constants import HF_HUB_CACHE

from sae_model import L1, AdaptiveTopK, Dense, KLPerImage, SparseAutoencoder, TopK
from space.errors import InputError
from space.index import news_of
from space.lab import Lab
from space.user_models import MOST_MODELS, Address, UserModels, title
from tests.loopback_hub import LoopbackHub
from tests.space.loading import is_here, load, push
from training.data import Split
from training.fit.recipe import DEFAULT_ARCHITECTURE
from training.measure.evaluation import evaluate
from training.measure.latent_statistics import latent_statistics, to_bytes

pytestmark = pytest.mark.usefixtures("in_this_process")
WEIGHTS, CONFIG = "model.safetensors", "config.json"


@pytest.fixture
def lab(lab: Lab, models: UserModels, monkeypatch: pytest.MonkeyPatch) -> Lab:
    monkeypatch.setattr(lab, "user_models", models)
    return lab


def test_a_users_model_is_measured_here_and_stands_last_beside_the_bundled_models_of_its_method(
    lab: Lab, folder: Path, few: Split
) -> None:
    assert load(lab.user_models, folder) == ["box.fetching", "box.measuring"]
    mine = lab.user_models.find(str(folder))
    loaded = SparseAutoencoder.from_pretrained(folder)
    expected = evaluate(loaded, few)
    assert mine.evaluation.fvu == pytest.approx(expected.fvu, rel=1e-4)
    assert mine.evaluation.effective_l0 == pytest.approx(expected.effective_l0, rel=1e-4)
    assert mine.statistics == to_bytes({"": latent_statistics(loaded, *few, classes=10)})
    news = news_of(lab, mine)
    assert news["family"] == {
        "key": f"user:{folder}",
        "of": "l1",
        "title": title(str(folder)),
        "stops": [*(stop.key for stop in lab.families["l1"]), str(folder)],
    }
    (model,), (stop,) = news["models"].values(), news["stops"].values()
    assert model["bytes"] == len(mine.weights)
    assert model["config"] == json.loads((folder / CONFIG).read_text())
    assert (stop["users"], stop["short"]) == (True, "mine")
    json.dumps(news, allow_nan=False)


@pytest.mark.parametrize(
    ("architecture", "sparsity", "family", "refined"),
    [
        (DEFAULT_ARCHITECTURE, Dense(), "l1", (None, 0, 0)),
        (DEFAULT_ARCHITECTURE, L1(1.0), "l1", (None, 12, 0)),
        (DEFAULT_ARCHITECTURE, KLPerImage(0.1), "kl-image", (None, 0, 0)),
        (DEFAULT_ARCHITECTURE, TopK(3), "topk", (3, 8, 2)),
        (DEFAULT_ARCHITECTURE, AdaptiveTopK(5), "adaptive-topk", (5, 8, 4)),
        ("lecture", L1(1.0), "l1", (None, 0, 0)),
    ],
)
def test_users_models_of_every_method_can_be_shown(
    lab: Lab, tmp_path: Path, architecture: str, sparsity: object, family: str, refined: tuple
) -> None:
    SparseAutoencoder(50, sparsity, architecture=architecture).save_pretrained(tmp_path / "it")
    load(lab.user_models, tmp_path / "it")
    news = news_of(lab, lab.user_models.find(str(tmp_path / "it")))
    assert news["family"]["of"] == family
    stop = news["stops"][news["choose"]]
    assert (stop["k"], stop["steps"], stop["rounds"]) == refined
    assert news["models"][news["choose"]]["linear"] == (architecture == DEFAULT_ARCHITECTURE)


@pytest.mark.parametrize(
    ("change", "words"),
    [
        ({"model_type": "bert"}, "its model_type is 'bert'"),  # as the package says it
        ({"latent_dim": 2049}, "its latent_dim is 2049, and this page takes up to 2048"),
        ({"image_shape": [3, 32, 32]}, r"mine is for images of \[3, 32, 32\], and .* shows .* \[1, 28, 28\]"),
        ({"image_shape": "wide"}, "mine is for images of wide"),
    ],
)
def test_what_cannot_be_loaded_ends_in_an_error_message(
    models: UserModels, folder: Path, change: dict, words: str
) -> None:
    config = json.loads((folder / CONFIG).read_text())
    (folder / CONFIG).write_text(json.dumps(config | change))
    with pytest.raises(InputError, match=words) as error:
        load(models, folder)
    assert "\n" not in str(error.value)
    assert not is_here(models, folder)


def test_a_model_that_cannot_be_measured_ends_in_an_error_message(models: UserModels, few: Split, folder: Path) -> None:
    beyond = UserModels(Split(few.images * 2.0, few.labels), 10)
    with pytest.raises(InputError, match=r"cannot be measured on the test images: .*values from 0 to 510"):
        load(beyond, folder)
    wild = SparseAutoencoder.from_pretrained(folder)
    with torch.no_grad():
        wild.network.first.weight.fill_(3e38)
    wild.save_pretrained(folder)
    with pytest.raises(InputError, match="mine cannot be measured on the test images: all elements of input should"):
        load(models, folder)


def test_what_is_no_address_ends_in_an_error_message_and_others_are_told_nothing_of_folders(
    models: UserModels, folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    texts = ("", "  ", "/etc/nothing", "a/../b", "no-owner", "x" * 5000, "~nobody/x", "ada/mine@../x", "a b/c")
    for text, is_owner in itertools.product(texts, (True, False)):
        with pytest.raises(InputError, match=r"owner/name|has at most \d+ characters"):
            models.address(text, is_owner)
    monkeypatch.chdir(folder.parent.parent)
    relative = f"{folder.parent.name}/{folder.name}"
    for text in (str(folder), relative, "../..", str(folder.with_name("absent"))):
        with pytest.raises(InputError) as error:
            models.address(text, is_owner=False)
        assert str(error.value) == f"{text} is not a repo id of the form owner/name or owner/name@revision."


def test_addresses_are_read_and_told_by_their_last_two_parts(models: UserModels, folder: Path) -> None:
    assert models.address(f" {folder} ", is_owner=True) == Address(str(folder), from_owner=True)
    assert models.address("ada/mine", is_owner=True) == Address("ada/mine", from_owner=True)
    assert models.address("ada/mine", is_owner=False) == Address("ada/mine")
    for name in ("trained here/l1-1-0a1b2c", "from disk/l1-1-0a1b2c"):
        with pytest.raises(InputError, match="came from this page or from a disk and is no longer here"):
            models.address(name, is_owner=True)
    assert models.address("ada/mine@refs/pr/1", is_owner=False) == Address("ada/mine", "refs/pr/1")
    assert models.address("ada/mine@v1", is_owner=False).name == "ada/mine@v1"
    assert title("ada/mine@refs/pr/1") == "ada/mine@refs/pr/1"
    assert title("/home/ada/runs/mine/") == "runs/mine"


def test_the_models_used_last_are_kept_and_others_are_to_be_loaded_again(lab: Lab, folder: Path) -> None:
    places = [folder.with_name(f"mine-{i}") for i in range(MOST_MODELS + 1)]
    for place in places:
        SparseAutoencoder.from_pretrained(folder).save_pretrained(place)
    for place in places[:MOST_MODELS]:
        load(lab.user_models, place)
    lab.user_models.find(str(places[0]))  # used again, so the second one is the next to go
    load(lab.user_models, places[MOST_MODELS])
    assert is_here(lab.user_models, places[0])
    with pytest.raises(InputError, match=r"mine-1 is no longer here: .* Load it again\."):
        lab.user_models.find(str(places[1]))


def test_an_unchanged_model_is_not_measured_again_and_a_changed_one_is(models: UserModels, folder: Path) -> None:
    assert len(load(models, folder)) == 2
    before = models.find(str(folder))
    assert len(load(models, folder)) == 1
    assert models.find(str(folder)) is before
    assert models.of_checksum(before.checksum) is before
    SparseAutoencoder(latent_dim=31, sparsity=L1(0.1)).save_pretrained(folder)
    assert len(load(models, folder)) == 2  # another one under its name
    assert models.find(str(folder)).config["latent_dim"] == 31
    assert models.of_checksum(before.checksum) is None
    assert models.of_checksum("") is None


@pytest.mark.usefixtures("hub")
def test_a_model_is_loaded_from_the_hub_at_a_revision(models: UserModels, folder: Path) -> None:
    push(folder, "ada/mine")
    HfApi().create_tag("ada/mine", tag="v1")
    SparseAutoencoder(latent_dim=31).save_pretrained(folder)
    push(folder, "ada/mine")
    for text, latents in (("ada/mine", 31), ("ada/mine@v1", 30)):
        load(models, text)
        assert models.find(text).config["latent_dim"] == latents
    with pytest.raises(InputError, match="no revision 'v9'"):
        load(models, "ada/mine@v9")
    with pytest.raises(InputError, match="'ada/nothing' is not a folder here, and on the Hub it is not there"):
        load(models, "ada/nothing")


def test_for_others_no_large_files_are_fetched_none_kept_no_paths_shown_and_no_private_repos_loaded(
    models: UserModels, folder: Path, hub: LoopbackHub, monkeypatch: pytest.MonkeyPatch
) -> None:
    push(folder, "ada/mine")
    push(folder, "ada/secret", private=True)
    load(models, "ada/mine", is_owner=False)
    with pytest.raises(InputError, match="ada/secret"):
        load(models, "ada/secret", is_owner=False)
    assert not list(Path(HF_HUB_CACHE).rglob("*.safetensors"))
    load(models, "ada/secret")  # the owner may load them
    (folder / WEIGHTS).write_bytes(b"x" * 50)
    push(folder, "ada/broken")
    with pytest.raises(InputError, match=r"^ada/broken/model\.safetensors is not a complete safetensors file"):
        load(models, "ada/broken", is_owner=False)
    monkeypatch.setattr("space.user_model_process.LARGEST_FILE", 40)
    with pytest.raises(InputError, match=r"config.json of ada/broken is too large for this page"):
        load(models, "ada/broken", is_owner=False)
    assert hub.requests[-1][0] == "HEAD"


def test_a_hub_that_is_down_is_told_at_once_and_the_cache_is_used(
    models: UserModels, folder: Path, hub: LoopbackHub, waits: list[float]
) -> None:
    push(folder, "ada/mine")
    load(models, "ada/mine")
    hub.stop()
    assert len(load(models, "ada/mine")) == 1
    with pytest.raises(InputError, match="could not be asked for"):
        load(models, "ada/other")
    assert waits == []
