"""Saving and loading: exact, strict, and an error message of one line for each kind of broken model."""

from __future__ import annotations

import hashlib
import json
import shutil
from collections.abc import Callable
from pathlib import Path

import pytest
import torch
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from safetensors.torch import load_file, save_file

from sae_model import ModelLoadError, SparseAutoencoder
from sae_model.architectures import Dictionary
from sae_model.storage import LARGEST_HEADER, VERSION


@pytest.fixture
def saved(tiny_model: SparseAutoencoder, tmp_path: Path) -> Path:
    folder = tmp_path / "model"
    tiny_model.save_pretrained(folder)
    return folder


def assert_same(one: SparseAutoencoder, other: SparseAutoencoder) -> None:
    images = torch.rand(8, *one.image_shape)
    for tensor, again in zip(one(images), other(images), strict=True):
        assert torch.equal(tensor, again)


def test_a_trained_model_is_stored_in_half_the_bytes_and_comes_back_bit_for_bit(
    brief_model: SparseAutoencoder, tmp_path: Path
) -> None:
    brief_model.save_pretrained(tmp_path / "model")
    weights = tmp_path / "model" / "model.safetensors"
    parameters = sum(parameter.numel() for parameter in brief_model.parameters())
    assert weights.stat().st_size < 2 * parameters + 2000
    loaded = SparseAutoencoder.from_pretrained(tmp_path / "model")
    assert_same(brief_model, loaded)
    assert not loaded.training
    assert loaded.config() == brief_model.config()
    assert all(parameter.requires_grad for parameter in loaded.parameters())
    assert all(parameter.dtype == torch.float32 for parameter in loaded.parameters())


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
        "step_loss": "bce",
        "weights_sha256": sha256,
    }


def test_saving_again_replaces_the_model_and_keeps_the_card(saved: Path) -> None:
    (saved / "README.md").write_text("my own words")
    (saved / "notes.txt").write_text("mine")
    (saved / ".partial").mkdir()
    (saved / ".partial" / "rest").write_text("what a killed process left")
    other = SparseAutoencoder(latent_dim=31).eval()
    other.save_pretrained(saved)
    assert_same(other, SparseAutoencoder.from_pretrained(saved))
    assert (saved / "README.md").read_text() == "my own words"
    assert (saved / "notes.txt").read_text() == "mine"
    assert not (saved / ".partial").exists()
    assert not (saved / "rest").exists()
    assert [path.name for path in saved.parent.iterdir()] == ["model"]


def test_a_failure_while_saving_leaves_what_was_there(saved: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    before = {path.name: path.read_bytes() for path in saved.iterdir()}

    def fail(*_: object, **__: object) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr("sae_model.storage.hashlib.sha256", fail)
    with pytest.raises(OSError, match="No space left"):
        SparseAutoencoder(latent_dim=31).save_pretrained(saved)
    assert {path.name: path.read_bytes() for path in saved.iterdir()} == before
    assert [path.name for path in saved.parent.iterdir()] == ["model"]


def test_config_json_is_replaced_last(saved: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """So that a folder without one, in which a first save was cut off, holds no model."""
    replaced, real = [], Path.replace
    monkeypatch.setattr(Path, "replace", lambda path, target: replaced.append(path.name) or real(path, target))
    (saved / "README.md").unlink()
    SparseAutoencoder(latent_dim=31).save_pretrained(saved)
    assert sorted(replaced[:-1]) == ["README.md", "model.safetensors"]
    assert replaced[-1] == "config.json"


def test_a_model_cannot_be_saved_onto_a_file(tiny_model: SparseAutoencoder, tmp_path: Path) -> None:
    (tmp_path / "file").write_text("mine")
    with pytest.raises(OSError, match="is a file"):
        tiny_model.save_pretrained(tmp_path / "file")
    assert (tmp_path / "file").read_text() == "mine"


@pytest.mark.parametrize("place", [".", "..", "deeper/..", "new/", "new/folder"])
def test_any_name_of_a_folder_will_do(
    tiny_model: SparseAutoencoder, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, place: str
) -> None:
    (tmp_path / "here" / "deeper").mkdir(parents=True)
    monkeypatch.chdir(tmp_path / "here")
    tiny_model.save_pretrained(place)
    assert_same(tiny_model, SparseAutoencoder.from_pretrained(place))
    assert not list(tmp_path.rglob("*.partial"))


def test_doubles_that_would_not_come_back_are_not_saved(tiny_model: SparseAutoencoder, tmp_path: Path) -> None:
    for value in (0.1, 1e300):
        tiny_model.double().network.bias.data.fill_(value)
        with pytest.raises(ValueError, match=r"network\.bias in double precision .* save model\.float\(\) instead"):
            tiny_model.save_pretrained(tmp_path / "model")
        assert not (tmp_path / "model").exists()


@pytest.mark.parametrize("dtype", [torch.float16, torch.bfloat16, torch.float64])
def test_models_in_another_precision_come_back_with_the_same_values(
    tiny_model: SparseAutoencoder, tmp_path: Path, dtype: torch.dtype
) -> None:
    tiny_model.to(dtype).save_pretrained(tmp_path / "model")
    assert_same(tiny_model.float(), SparseAutoencoder.from_pretrained(tmp_path / "model"))


def edit_config(folder: Path, changes: dict[str, object]) -> None:
    config = json.loads((folder / "config.json").read_text()) | changes
    (folder / "config.json").write_text(json.dumps(config))


def write_config(folder: Path, content: bytes) -> None:
    (folder / "config.json").write_bytes(content)


def edit_weights(folder: Path, edit: Callable[[dict[str, torch.Tensor]], object]) -> None:
    weights = load_file(folder / "model.safetensors")
    edit(weights)
    save_file(weights, folder / "model.safetensors")


def edit_bytes(folder: Path, edit: Callable[[bytes], bytes]) -> None:
    weights = folder / "model.safetensors"
    weights.write_bytes(edit(weights.read_bytes()))


def write_header(folder: Path, header: object, length: int | None = None, rest: bytes = b"") -> None:
    """Replace a weights file by one with another header, which says that it has a length of its own."""
    text = json.dumps(header).encode()
    size = (len(text) if length is None else length).to_bytes(8, "little")
    (folder / "model.safetensors").write_bytes(size + text + rest)


BROKEN = {
    "no config": (lambda folder, name: (folder / name).unlink(), "config.json", "has no config.json"),
    "config is no JSON": (write_config, b"{", "config.json cannot be read as JSON"),
    "config is no text": (write_config, b"\xff\xfe\x00", "config.json cannot be read as JSON"),
    "config is a list": (write_config, b"[]", "describes another kind of model"),
    "deep nesting": (write_config, b"[" * 90_000, "cannot be read as JSON"),
    "large config": (write_config, b" " * (LARGEST_HEADER + 1), "it has more than 100,000 bytes"),
    "foreign config": (edit_config, {"model_type": "bert"}, "its model_type is 'bert'"),
    "unknown argument": (edit_config, {"layers\u202e\x1b[2J": 3}, "describes no model of sae_model .*layers"),
    "bad size": (edit_config, {"latent_dim": -1}, "latent_dim is a whole number of at least 1"),
    "endless size": (edit_config, {"latent_dim": 10**18}, r"does not fit its config\.json|describes no model"),
    "unknown sparsity": (edit_config, {"sparsity": {"kind": "l7"}}, "Unknown sparsity method: 'l7'"),
    "sparsity of another type": (edit_config, {"sparsity": {"kind": ["l1"] * 900}}, "A sparsity method is written as"),
    "sparsity is null": (edit_config, {"sparsity": None}, "A sparsity method is written as"),
    "long hyperparameter": (edit_config, {"sparsity": {"kind": "l1", "x" * 900: 1}}, "'l1' has no hyperparameter 'xx"),
    "written by a later version": (
        edit_config,
        {"sparsity": {"kind": "l7"}, "sae_model_version": "9.1"},
        r"Unknown sparsity method: 'l7.*version 9\.1 wrote it: load it with",
    ),
    "a pointer of Git LFS": (
        edit_bytes,
        lambda _: b"version https://git-lfs.github.com/spec/v1\noid sha256:4d7a",
        r"model\.safetensors is a pointer of Git LFS.*run `git lfs pull`",
    ),
    "no weights": (lambda folder, name: (folder / name).unlink(), "model.safetensors", r"has no model\.safetensors"),
    "truncated weights": (edit_bytes, lambda whole: whole[:-100], "is not a complete safetensors file"),
    "missing weight": (edit_weights, lambda w: w.pop("network.bias"), r"it lacks network\.bias\. Fetch or save it"),
    "strange weights": (
        edit_weights,
        lambda w: w.update({f"a\n{i}" * 99: torch.ones(2) for i in range(99)}),
        "it has the unexpected a 0a",
    ),
    "misshapen weight": (
        edit_weights,
        lambda w: w.update({"network.threshold": torch.ones(7)}),
        rf"network\.threshold is F32 \(7,\), and should be F16 or BF16 or F32 \({Dictionary.STEPS}, 30\)",
    ),
    "not a number": (edit_weights, lambda w: w["network.bias"].fill_(float("nan")), "not finite"),
    "double precision": (
        edit_weights,
        lambda w: w.update({"network.bias": w["network.bias"].double()}),
        r"network\.bias is F64 \(784,\), and should be F16 or BF16 or F32 \(784,\)",
    ),
    "bytes behind the weights": (edit_bytes, lambda whole: whole + bytes(99), "safetensors file .*not fully covered"),
    "flipped bit": (edit_bytes, lambda whole: whole[:-1] + bytes([whole[-1] ^ 1]), "SHA-256 differs"),
    "no checksum": (edit_config, {"weights_sha256": None}, "SHA-256 differs"),
    "header longer than any": (
        lambda folder, length: write_header(folder, {}, length),
        LARGEST_HEADER + 1,
        "its header has more than 100,000 bytes",
    ),
}
"""What breaks a model, with which argument, and what is said."""


@pytest.mark.parametrize("broken", BROKEN)
def test_a_broken_model_is_refused_on_one_line_that_says_where(saved: Path, broken: str) -> None:
    breaks, how, words = BROKEN[broken]
    breaks(saved, how)
    with pytest.raises(ModelLoadError, match=words) as caught:
        SparseAutoencoder.from_pretrained(saved)
    message = str(caught.value)
    assert str(saved) in message
    assert "\n" not in message
    assert message.isprintable()
    assert len(message) < 300


def test_beside_a_long_path_a_message_still_names_what_is_wrong(tiny_model: SparseAutoencoder, tmp_path: Path) -> None:
    folder = tmp_path / ("a long name, " * 10)
    tiny_model.save_pretrained(folder)
    edit_config(folder, {"sparsity": {"kind": "l7"}, "sae_model_version": "9.1"})
    with pytest.raises(ModelLoadError, match=r"Unknown sparsity method: 'l7.*\): version 9\.1 wrote it: load it with"):
        SparseAutoencoder.from_pretrained(folder)


NAMES = ("model_type", "architecture", "image_shape", "latent_dim", "sparsity", "weights_sha256", "sae_model_version")
SCALARS = st.one_of(
    st.none(),
    st.booleans(),
    st.integers(),
    st.floats(),
    st.text(st.characters(), max_size=20),
    st.sampled_from(
        [10**400, 10**18, -1, 0, 1, 30, 784, 28, "F16", "F32", "I64", "l1", "topk", "dictionary", "lecture"]
    ),
)
VALUES = st.recursive(
    SCALARS,
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(max_size=8) | st.sampled_from(NAMES), inner),
    max_leaves=12,
)
SPARSITIES = st.fixed_dictionaries(
    {"kind": st.sampled_from(["none", "l1", "kl-image", "kl-neuron", "topk", "adaptive-topk"]) | SCALARS},
    optional={"beta": SCALARS, "target": SCALARS, "k": SCALARS, "more": SCALARS},
)
CONFIGS = st.dictionaries(st.sampled_from(NAMES[1:]) | st.text(max_size=8), VALUES | SPARSITIES, max_size=4)
ENTRIES = st.fixed_dictionaries(
    {}, optional={"dtype": SCALARS, "shape": VALUES, "data_offsets": st.lists(st.integers() | SCALARS, max_size=3)}
)


def assert_loads_or_is_refused(folder: Path) -> None:
    """A model, or a ModelLoadError of one line: nothing else."""
    message = "loaded"
    try:
        model = SparseAutoencoder.from_pretrained(folder)
        assert all(tensor.isfinite().all() for tensor in model.state_dict().values())
    except ModelLoadError as error:
        message = str(error)
    assert message.isprintable()
    assert len(message) < 300


def with_any_config(whole: Path, data: st.DataObject) -> Path:
    """A folder that differs from a whole one in what its config.json says."""
    folder = shutil.copytree(whole, whole.parent / "fuzz", dirs_exist_ok=True)
    edit_config(folder, data.draw(CONFIGS))
    return folder


def with_any_header(whole: Path, data: st.DataObject) -> Path:
    """A folder that differs from a whole one in the header of its weights file, or in what follows it."""
    folder = shutil.copytree(whole, whole.parent / "fuzz", dirs_exist_ok=True)
    weights = (whole / "model.safetensors").read_bytes()
    size = int.from_bytes(weights[:8], "little")
    header = json.loads(weights[8 : 8 + size])
    del header["__metadata__"]
    for name in data.draw(st.lists(st.sampled_from(sorted(header)) | st.text(max_size=8), max_size=3)):
        entry = header[name] if isinstance(header.get(name), dict) else {}
        header[name] = data.draw(VALUES | ENTRIES.map(lambda changes, entry=entry: entry | changes))
    length = data.draw(st.none() | st.integers(0, 2**64 - 1))
    rest = weights[8 + size :] if data.draw(st.booleans()) else b""
    write_header(folder, header, length, rest)
    return folder


def with_any_bytes(whole: Path, data: st.DataObject) -> Path:
    """A folder that differs from a whole one in some bytes of its weights file."""
    folder = shutil.copytree(whole, whole.parent / "fuzz", dirs_exist_ok=True)
    weights = bytearray((whole / "model.safetensors").read_bytes())
    position, content = data.draw(st.integers(0, 2000)), data.draw(st.binary(max_size=20))
    weights[position : position + len(content)] = content
    (folder / "model.safetensors").write_bytes(weights)
    return folder


@pytest.mark.parametrize("damaged", [with_any_config, with_any_header, with_any_bytes])
@settings(deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(data=st.data())
def test_a_damaged_model_loads_or_is_refused(saved: Path, damaged: Callable, data: st.DataObject) -> None:
    assert_loads_or_is_refused(damaged(saved, data))


@pytest.mark.parametrize(
    "source", ["no/such/folder/here", __file__, "", "a b/c", "~nobody-here/model", "a" * 300, "a\0b"]
)
def test_a_folder_that_is_not_there_is_refused_on_one_line(source: str) -> None:
    with pytest.raises(
        ModelLoadError, match="is not a folder here, and on the Hub it cannot be: an id has the form owner/name"
    ) as caught:
        SparseAutoencoder.from_pretrained(source)
    assert "\n" not in str(caught.value)


def test_weights_that_would_not_load_are_not_saved(tiny_model: SparseAutoencoder, tmp_path: Path) -> None:
    tiny_model.network.bias.data[3] = torch.nan
    with pytest.raises(ValueError, match=r"network\.bias holds values that are not finite"):
        tiny_model.save_pretrained(tmp_path / "model")
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize("device", ["hpu", "meta", "abacus", torch.device("cuda:99")])
def test_a_device_that_is_not_there_is_refused_on_one_line(saved: Path, device: object) -> None:
    with pytest.raises(ModelLoadError, match=r"There is no device '.*' here: name cpu, or cuda where") as caught:
        SparseAutoencoder.from_pretrained(saved, map_location=device)
    assert "\n" not in str(caught.value)


def test_tied_weights_are_saved_one_by_one(tmp_path: Path) -> None:
    model = SparseAutoencoder(30, image_shape=(1, 8, 8)).eval()
    model.network.first.weight = model.network.atoms
    model.save_pretrained(tmp_path / "model")
    loaded = SparseAutoencoder.from_pretrained(tmp_path / "model")
    assert torch.equal(loaded.network.first.weight, model.network.atoms)
    assert_same(loaded, model)
