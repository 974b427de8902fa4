"""Models on disk: written whole or not at all, read strictly or refused with an error message."""

from __future__ import annotations

import hashlib
import json
import os
import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import torch
from safetensors import safe_open
from safetensors.torch import load, save
from torch import Tensor

from sae_model.errors import LONGEST_MESSAGE, UserError, first_line, one_line

CONFIG_NAME = "config.json"
WEIGHTS_NAME = "model.safetensors"
CARD_NAME = "README.md"
PARTIAL = ".partial"
"""The ending of half-written files and folders."""
LARGEST_HEADER = 100_000
"""The most bytes of a config.json, and of the header of a model.safetensors; ours have up to 7,000."""
FLOATS = ("F16", "BF16", "F32")
"""What weights may be stored as: single precision, in which they are loaded, holds each of these exactly."""
MODEL_TYPE = "sparse-autoencoder"
ADVICE = "fetch or save it again"
LFS_POINTER = b"version https://git-lfs"
LFS_ADVICE = "a pointer of Git LFS, not the file itself: run `git lfs pull` in its folder"
VERSION = "0.7.0"  # of this package; config.json tells which one wrote it


class ModelLoadError(UserError):
    """A model could not be loaded. The message is one line: what is wrong, where, and what to do."""


@contextmanager
def staged_folder(target: Path) -> Iterator[Path]:
    """Yield an empty folder; on success its files appear in `target`, on failure nothing does.

    A new target appears whole, by one rename. Into one that is there the files are moved one by one, each atomically,
    config.json last; files of other names stay. What a killed process left is cleared away by the next one.

    Raises:
        OSError: the target cannot be written, or is a file.
    """
    place = Path(target).resolve()  # "." has no name of its own
    if place.exists() and not place.is_dir():
        raise NotADirectoryError(f"{target} is a file; a model is saved to a folder: name another one.")
    is_new = not place.exists()
    stage = place.with_name(f".{place.name}{PARTIAL}") if is_new else place / PARTIAL
    shutil.rmtree(stage, ignore_errors=True)
    stage.mkdir(parents=True)
    try:
        yield stage
        if is_new:
            stage.rename(place)
            return
        for path in sorted(stage.iterdir(), key=lambda path: path.name == CONFIG_NAME):
            path.replace(place / path.name)
    finally:
        shutil.rmtree(stage, ignore_errors=True)


def write_file(path: Path, content: bytes) -> None:
    """Write or replace one file, whole.

    Raises:
        OSError: it cannot be written. What was there before is untouched.
    """
    path = Path(path).resolve()
    path.parent.mkdir(parents=True, exist_ok=True)
    stage = path.with_name(f".{path.name}{PARTIAL}")
    try:
        with stage.open("wb") as file:
            file.write(content)
            file.flush()
            os.fsync(file.fileno())
        stage.replace(path)
    finally:
        stage.unlink(missing_ok=True)


def write_model(folder: Path, state: dict[str, Tensor], config: dict[str, Any]) -> None:
    """Write weights and config to a staged folder, with the checksum of the weights in the config.

    Raises:
        ValueError: weights that would not come back exactly, or are not finite.
    """
    weights = save({name: _smallest_exact(name, tensor) for name, tensor in state.items()}, metadata={"format": "pt"})
    (folder / WEIGHTS_NAME).write_bytes(weights)  # not save_file, which hides the system's error message
    sha256 = hashlib.sha256(weights).hexdigest()
    described = {"model_type": MODEL_TYPE, "sae_model_version": VERSION, **config, "weights_sha256": sha256}
    (folder / CONFIG_NAME).write_text(json.dumps(described, indent=2) + "\n", encoding="utf-8")


def _smallest_exact(name: str, tensor: Tensor) -> Tensor:
    """Copy a tensor, in half precision where that loses nothing, else in single. Models trained here are rounded.

    Tensors that share their memory are thus stored one by one.
    """
    tensor = tensor.detach().cpu().contiguous()
    if not tensor.is_floating_point():
        return tensor
    if not bool(tensor.isfinite().all()):
        raise ValueError(f"{name} holds values that are not finite, so it would not be loaded again.")
    single = tensor.float()
    if tensor.dtype == torch.float64 and not torch.equal(single.double(), tensor):
        raise ValueError(f"{name} in double precision would not come back exactly: save model.float() instead.")
    return single.half() if torch.equal(single.half().float(), single) else single.clone()


@contextmanager
def load_errors(path: Path, what: str, advice: str = ADVICE) -> Iterator[None]:
    """Turn any failure to read an untrusted file into a ModelLoadError."""
    try:
        yield
    except (ModelLoadError, MemoryError):
        raise
    except Exception as error:
        # Beside a long path the reason is shortened, not the whole line: its first words name what is wrong.
        room = max(LONGEST_MESSAGE - len(f"{path} {what} (): {advice}."), 60)
        reason = one_line(first_line(error).rstrip("."), room)
        raise ModelLoadError(f"{path} {what} ({reason}): {advice}.") from error


def as_device(name: str | torch.device | None) -> torch.device:
    """Resolve a device name; None selects a GPU where there is one.

    Raises:
        ModelLoadError: there is no such device here, or it holds no numbers ("meta").
    """
    if name is None:
        name = "cuda" if torch.cuda.is_available() else "cpu"
    try:
        device = torch.device(name)
        torch.zeros(1, device=device).item()
    except Exception as error:  # torch knows names of devices whose backends are not installed
        raise ModelLoadError(
            f"There is no device {str(name)!r:.40} here: name cpu, or cuda where there is a GPU."
        ) from error
    return device


def is_lfs_pointer(path: Path) -> bool:
    """Whether a file is what Git LFS puts in place of one that it did not fetch."""
    with path.open("rb") as file:
        return file.read(len(LFS_POINTER)) == LFS_POINTER


def read_config(path: Path) -> dict[str, Any]:
    """Read a config.json, and check that it is of this family.

    Raises:
        ModelLoadError: it is not a JSON object, or describes some other kind of model.
    """
    with load_errors(path, "cannot be read as JSON"):
        if path.stat().st_size > LARGEST_HEADER:
            raise ValueError(f"it has more than {LARGEST_HEADER:,} bytes")
        config = json.loads(path.read_text(encoding="utf-8"))
    if not isinstance(config, dict) or config.get("model_type") != MODEL_TYPE:
        found = config.get("model_type") if isinstance(config, dict) else None
        raise ModelLoadError(
            f"{path} describes another kind of model: its model_type is {found!r:.80}, "
            f"and this family's is {MODEL_TYPE!r}."
        )
    return config


def read_weights(
    path: Path, expected: dict[str, Tensor], sha256: str | None, advice: str = ADVICE
) -> dict[str, Tensor]:
    """Read the tensors of a model.safetensors in single precision, and check that they are exactly the expected ones.

    Names, types and shapes are compared before any tensor is read, so a file takes no more memory than its config says.

    Args:
        expected: names, types and shapes that must be there, neither more nor fewer (values are not looked at).
        sha256: the checksum that config.json states.
        advice: what to do if these are not the expected tensors.

    Raises:
        ModelLoadError: truncated, missing, extra, misshapen or non-finite weights, or another checksum.
    """
    with load_errors(path, "is not a complete safetensors file"):
        if is_lfs_pointer(path):
            raise ModelLoadError(f"{path} is {LFS_ADVICE}.")
        with path.open("rb") as file:  # a header begins with its length; safetensors itself would read 100 MB
            if int.from_bytes(file.read(8), "little") > LARGEST_HEADER:
                raise ValueError(f"its header has more than {LARGEST_HEADER:,} bytes")
        with safe_open(path, framework="numpy") as file:
            _compare(path, {name: file.get_slice(name) for name in file.keys()}, expected, advice)  # noqa: SIM118
        content = path.read_bytes()
        stored = load(content)
        weights = {name: stored[name].to(tensor.dtype) for name, tensor in expected.items()}
    for name, tensor in weights.items():
        if not bool(tensor.isfinite().all()):
            raise ModelLoadError(f"{path} holds values in {name} that are not finite: its training went wrong.")
    if hashlib.sha256(content).hexdigest() != sha256:
        raise ModelLoadError(
            f"{path} is not the file that its config.json was written for (SHA-256 differs): fetch it again."
        )
    return weights


def _compare(path: Path, stored: dict[str, Any], expected: dict[str, Tensor], advice: str) -> None:
    """Raise a ModelLoadError for the first of the stored tensors that is not the expected one."""
    for name in sorted(expected.keys() | stored.keys()):
        if name not in stored:
            wrong = f"it lacks {name}"
        elif name not in expected:
            wrong = f"it has the unexpected {one_line(name, 80)}"
        else:
            shape, dtype, tensor = tuple(stored[name].get_shape()), stored[name].get_dtype(), expected[name]
            types = FLOATS if tensor.is_floating_point() else ("I64",)
            if shape == tensor.shape and dtype in types:
                continue
            wrong = f"{name} is {dtype} {shape!s:.80}, and should be {' or '.join(types)} {tuple(tensor.shape)}"
        raise ModelLoadError(f"{path} does not fit its config.json: {wrong}. {advice[0].upper()}{advice[1:]}.")
