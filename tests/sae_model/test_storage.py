"""Saving and loading: exact, strict, and an error message of one line for each kind of broken model."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Callable
from pathlib import Path

import pytest
import torch
from safetensors.torch import load_file, save_file

from sae_model import L1, ModelLoadError, SparseAutoencoder
from sae_model.architectures import Dictionary
from sae_model.storage import VERSION, staged_folder


@pytest.fixture
def saved(tiny_model: SparseAutoencoder, tmp_path: Path) -> Path:
    folder = tmp_path / "model"
    tiny_model.save_pretrained(folder)
    return folder


def assert_same(one: SparseAutoencoder, other: SparseAutoencoder) -> None:
    images = torch.rand(8, 1, 28, 28)
    for tensor, again in zip(one(images), other(images), strict=True):
        assert torch.equal(tensor, again)


def test_a_loaded_model_is_the_saved_one_bit_for_bit(tiny_model: SparseAutoencoder, saved: Path) -> None:
    loaded = SparseAutoencoder.from_pretrained(saved)
    assert_same(tiny_model, loaded)
    assert not loaded.training
    assert (loaded.latent_dim, loaded.sparsity, loaded.architecture) == (30, L1(0.1), "dictionary")
    assert loaded.image_shape == (1, 28, 28)
    assert all(parameter.requires_grad for parameter in loaded.parameters())


def test_a_trained_model_is_stored_in_half_the_bytes_without_loss(
    brief_model: SparseAutoencoder, tmp_path: Path
) -> None:
    brief_model.save_pretrained(tmp_path / "model")
    weights = tmp_path / "model" / "model.safetensors"
    parameters = sum(parameter.numel() for parameter in brief_model.parameters())
    assert weights.stat().st_size < 2 * parameters + 2000
    loaded = SparseAutoencoder.from_pretrained(tmp_path / "model")
    assert all(parameter.dtype == torch.float32 for parameter in loaded.parameters())
    assert_same(brief_model, loaded)


def test_config_json_says_what_the_model_is(saved: Path) -> None:
    config = json.loads((saved / "config.json").read_text())
    sha256 = hashlib.sha256((saved / "model.safetensors").read_bytes()).hexdigest()
    assert config == {
        "model_type": "sparse-autoencoder",
        "sae_model_version": VERSION,
        "architecture": "dictionary",
        "image_shape": [1, 28, 28],
        "latent_dim": 30,
        "output": "sigmoid",
        "sparsity": {"kind": "l1", "beta": 0.1},
        "weights_sha256": sha256,
    }


def test_saving_again_replaces_the_model_and_keeps_the_card(saved: Path) -> None:
    (saved / "README.md").write_text("my own words")
    (saved / "notes.txt").write_text("mine")
    other = SparseAutoencoder(latent_dim=31).eval()
    other.save_pretrained(saved)
    assert_same(other, SparseAutoencoder.from_pretrained(saved))
    assert (saved / "README.md").read_text() == "my own words"
    assert (saved / "notes.txt").read_text() == "mine"
    assert [path.name for path in saved.parent.iterdir()] == ["model"]


def test_a_failure_while_saving_leaves_what_was_there(saved: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    before = {path.name: path.read_bytes() for path in saved.iterdir()}

    def fail(*_: object, **__: object) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr("sae_model.storage._sha256", fail)
    with pytest.raises(OSError, match="No space left"):
        SparseAutoencoder(latent_dim=31).save_pretrained(saved)
    assert {path.name: path.read_bytes() for path in saved.iterdir()} == before
    assert [path.name for path in saved.parent.iterdir()] == ["model"]


def test_a_model_cannot_be_saved_onto_a_file(tiny_model: SparseAutoencoder, tmp_path: Path) -> None:
    (tmp_path / "file").write_text("mine")
    with pytest.raises(OSError, match="is a file"):
        tiny_model.save_pretrained(tmp_path / "file")
    assert (tmp_path / "file").read_text() == "mine"


def test_a_staged_folder_is_as_readable_as_any_other(tmp_path: Path) -> None:
    (tmp_path / "plain").mkdir()
    with staged_folder(tmp_path / "staged"):
        pass
    assert (tmp_path / "staged").stat().st_mode == (tmp_path / "plain").stat().st_mode


def edit_config(**changes: object) -> Callable[[Path], None]:
    def edit(folder: Path) -> None:
        config = json.loads((folder / "config.json").read_text()) | changes
        (folder / "config.json").write_text(json.dumps(config))

    return edit


def leave_out(name: str) -> Callable[[Path], None]:
    def edit(folder: Path) -> None:
        config = json.loads((folder / "config.json").read_text())
        del config[name]
        (folder / "config.json").write_text(json.dumps(config))

    return edit


def edit_weights(edit: Callable[[dict[str, torch.Tensor]], object]) -> Callable[[Path], None]:
    def edit_file(folder: Path) -> None:
        weights = load_file(folder / "model.safetensors")
        edit(weights)
        save_file(weights, folder / "model.safetensors")

    return edit_file


def truncate(folder: Path) -> None:
    weights = folder / "model.safetensors"
    weights.write_bytes(weights.read_bytes()[:-100])


def flip_a_bit(folder: Path) -> None:
    weights = folder / "model.safetensors"
    content = bytearray(weights.read_bytes())
    content[-3] ^= 1
    weights.write_bytes(content)


def write_config(text: str) -> Callable[[Path], None]:
    return lambda folder: (folder / "config.json").write_text(text)


BROKEN = {
    "no config": (lambda folder: (folder / "config.json").unlink(), "has no config.json"),
    "config is no JSON": (write_config("{"), "config.json cannot be read as JSON"),
    "config is a list": (write_config("[]"), "describes another kind of model"),
    "config is empty": (write_config("{}"), "describes another kind of model"),
    "foreign config": (edit_config(model_type="bert"), "its model_type is 'bert'"),
    "foreign and long": (edit_config(model_type=["bert\n"] * 900), "describes another kind of model"),
    "unknown argument": (edit_config(layers=3), "does not describe a model of this version.*layers"),
    "bad size": (edit_config(latent_dim=-1), "latent_dim is a whole number of at least 1"),
    "unknown sparsity": (edit_config(sparsity={"kind": "l7"}), "Unknown sparsity method: 'l7'"),
    "bad hyperparameter": (edit_config(sparsity={"kind": "l1", "beta": -1}), "beta is a number of at least 0"),
    "hyperparameter that is not there": (
        edit_config(sparsity={"kind": "l1", "x" * 900: 1}),
        "'l1' has no hyperparameter 'xxx",
    ),
    "sparsity of another type": (edit_config(sparsity={"kind": ["l1"] * 900}), "A sparsity method is written as"),
    "sparsity left out": (leave_out("sparsity"), "names no sparsity method"),
    "sparsity is null": (edit_config(sparsity=None), "names no sparsity method"),
    **{
        f"sparsity is {json.dumps(value)}": (edit_config(sparsity=value), "A sparsity method is written as")
        for value in ("", 0, [], False, "l1", 5, True, {}, "l1\nl1", ["x" * 900])
    },
    "unknown architecture": (edit_config(architecture="deep"), "Unknown architecture: 'deep'. Known ones: dictionary"),
    "architecture is null": (edit_config(architecture=None), "Unknown architecture: None"),
    "bad image shape": (edit_config(image_shape=[28, 28]), r"image_shape is \(channels, height, width\)"),
    "endless image shape": (edit_config(image_shape=[1, 2**40, 2**40]), "does not describe a model of this version"),
    "another image shape": (edit_config(image_shape=[1, 28, 27]), "does not fit its config.json"),
    "another architecture": (edit_config(architecture="lecture"), "does not fit its config.json: it lacks"),
    "strange argument": (edit_config(**{"a\nb" * 900: 3}), "unexpected keyword argument 'a b"),
    "model of the former version": (
        edit_config(hidden_dim=224, sae_model_version="0.4.0"),
        r"was written by sae_model 0\.4\.0.*This is 0\.5\.0, which cannot read it: load it with sae_model 0\.4\.0",
    ),
    "written by a later version": (
        edit_config(sparsity={"kind": "l7"}, sae_model_version="9.1"),
        r"Unknown sparsity method: 'l7'.*It was written by 9\.1, which could load it",
    ),
    "no weights": (lambda folder: (folder / "model.safetensors").unlink(), "has no model.safetensors"),
    "truncated weights": (truncate, "is no whole safetensors file"),
    "weights are no safetensors": (lambda f: (f / "model.safetensors").write_bytes(b"x" * 99), "no whole safetensors"),
    "missing weight": (edit_weights(lambda w: w.pop("network.threshold")), "lacks network.threshold"),
    "extra weight": (edit_weights(lambda w: w.update(more=torch.ones(2))), "has the foreign more"),
    "many strange weights": (
        edit_weights(lambda w: w.update({f"a\n{i}" * 99: torch.ones(2) for i in range(99)})),
        "has the foreign a .* and 97 more",
    ),
    "misshapen weight": (
        edit_weights(lambda w: w.update({"network.threshold": torch.ones(7)})),
        rf"network.threshold is \(7,\) and should be \({Dictionary.STEPS}, 30\)",
    ),
    "another size in the config": (edit_config(latent_dim=31), "does not fit its config.json"),
    "not a number": (edit_weights(lambda w: w["network.bias"].fill_(float("nan"))), "no finite numbers"),
    "infinite": (edit_weights(lambda w: w["network.bias"].fill_(float("inf"))), "no finite numbers"),
    "flipped bit": (flip_a_bit, "SHA-256 differs"),
    "no checksum": (edit_config(weights_sha256=None), "SHA-256 differs"),
}


@pytest.mark.parametrize("broken", BROKEN)
def test_a_broken_model_is_refused_on_one_line_that_says_where(saved: Path, broken: str) -> None:
    breaks, words = BROKEN[broken]
    breaks(saved)
    with pytest.raises(ModelLoadError, match=words) as caught:
        SparseAutoencoder.from_pretrained(saved)
    message = str(caught.value)
    assert str(saved) in message
    assert "\n" not in message
    assert len(message.replace(str(saved), "model")) < 300


@pytest.mark.parametrize(
    "source", ["no/such/folder/here", "/no/such/folder", "", "a b/c", "~nobody-here/model", "a" * 300, "a\0b"]
)
def test_a_folder_that_is_not_there_is_refused_on_one_line(source: str) -> None:
    with pytest.raises(ModelLoadError, match="neither a folder here nor a Hub id") as caught:
        SparseAutoencoder.from_pretrained(source)
    assert "\n" not in str(caught.value)


def test_a_repo_that_is_not_cached_is_refused_offline() -> None:
    with pytest.raises(ModelLoadError, match="not in the local cache, and the Hub could not be asked"):
        SparseAutoencoder.from_pretrained("nobody/nothing", local_files_only=True)
