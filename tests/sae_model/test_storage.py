"""Saving and loading: exact, strict, and refusing each kind of broken model with one sentence."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path

import pytest
import torch
from safetensors.torch import load_file, save_file

from sae_model import L1, ModelLoadError, SparseAutoencoder
from sae_model.storage import staged_folder


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
    assert (loaded.latent_dim, loaded.hidden_dim, loaded.sparsity) == (30, 16, L1(0.1))
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


def test_saving_again_replaces_the_model_and_keeps_the_card(saved: Path) -> None:
    (saved / "README.md").write_text("my own words")
    (saved / "notes.txt").write_text("mine")
    other = SparseAutoencoder(latent_dim=31, hidden_dim=16).eval()
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
        SparseAutoencoder(latent_dim=31, hidden_dim=16).save_pretrained(saved)
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
    "unknown argument": (edit_config(layers=3), "does not describe a model of this version.*layers"),
    "bad size": (edit_config(latent_dim=-1), "latent_dim is a whole number of at least 1"),
    "unknown sparsity": (edit_config(sparsity={"kind": "l7"}), "Unknown way of being sparse: 'l7'"),
    "bad knob": (edit_config(sparsity={"kind": "l1", "beta": -1}), "beta is a number of at least 0"),
    "no weights": (lambda folder: (folder / "model.safetensors").unlink(), "has no model.safetensors"),
    "truncated weights": (truncate, "is no whole safetensors file"),
    "weights are no safetensors": (lambda f: (f / "model.safetensors").write_bytes(b"x" * 99), "no whole safetensors"),
    "missing weight": (edit_weights(lambda w: w.pop("encoder.threshold")), "lacks encoder.threshold"),
    "extra weight": (edit_weights(lambda w: w.update(more=torch.ones(2))), "has the foreign more"),
    "misshapen weight": (
        edit_weights(lambda w: w.update({"encoder.threshold": torch.ones(7)})),
        r"encoder.threshold is \(7,\) and should be \(30,\)",
    ),
    "another size in the config": (edit_config(latent_dim=31), "does not fit its config.json"),
    "not a number": (edit_weights(lambda w: w["decoder.to_pixels.bias"].fill_(float("nan"))), "no finite numbers"),
    "infinite": (edit_weights(lambda w: w["decoder.to_pixels.bias"].fill_(float("inf"))), "no finite numbers"),
    "flipped bit": (flip_a_bit, "SHA-256 differs"),
    "no checksum": (edit_config(weights_sha256=None), "SHA-256 differs"),
}


@pytest.mark.parametrize("broken", BROKEN)
def test_a_broken_model_is_refused_with_one_sentence_that_says_where(saved: Path, broken: str) -> None:
    breaks, sentence = BROKEN[broken]
    breaks(saved)
    with pytest.raises(ModelLoadError, match=sentence) as caught:
        SparseAutoencoder.from_pretrained(saved)
    assert str(saved) in str(caught.value)
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize(
    "source", ["no/such/folder/here", "/no/such/folder", "", "a b/c", "~nobody-here/model", "a" * 300, "a\0b"]
)
def test_a_folder_that_is_not_there_is_refused_with_one_sentence(source: str) -> None:
    with pytest.raises(ModelLoadError, match="neither a folder here nor a Hub id") as caught:
        SparseAutoencoder.from_pretrained(source)
    assert "\n" not in str(caught.value)


def test_a_repo_that_is_not_cached_is_refused_offline() -> None:
    with pytest.raises(ModelLoadError, match="not in the local cache, and the Hub could not be asked"):
        SparseAutoencoder.from_pretrained("nobody/nothing", local_files_only=True)
