"""Models on disk and on the Hub: written whole or not at all, read strictly or refused with an error message."""

from __future__ import annotations

import hashlib
import json
import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import torch
from huggingface_hub import HfApi, hf_hub_download
from huggingface_hub.errors import (
    EntryNotFoundError,
    HfHubHTTPError,
    HFValidationError,
    HTTPError,
    LocalEntryNotFoundError,
    OfflineModeIsEnabled,
    RepositoryNotFoundError,
    RevisionNotFoundError,
)
from safetensors import SafetensorError
from safetensors.torch import load_file, save
from torch import Tensor

CONFIG_NAME = "config.json"
WEIGHTS_NAME = "model.safetensors"
CARD_NAME = "README.md"
SECONDS_TO_ANSWER = 10
MODEL_TYPE = "sparse-autoencoder"
VERSION = "0.5.0"  # of this package; config.json tells which one wrote it


class ModelLoadError(Exception):
    """A model could not be loaded. The message is one line: what is wrong, where, and what to do."""


@contextmanager
def staged_folder(target: Path) -> Iterator[Path]:
    """Yield an empty folder beside `target`; on success its files appear in `target`, on failure nothing does.

    A target that is new or empty appears whole, by one rename. Into any other the files are moved one by one, each
    atomically; files of other names stay. The staging folder is `.NAME.partial`: what a killed process left there is
    cleared away by the next one.
    """
    target = Path(target)
    target.parent.mkdir(parents=True, exist_ok=True)
    if target.exists() and not target.is_dir():
        raise NotADirectoryError(f"{target} is a file; a model is saved to a folder: name another one.")
    stage = target.with_name(f".{target.name}.partial")
    shutil.rmtree(stage, ignore_errors=True)
    stage.mkdir()
    try:
        yield stage
        if target.exists() and any(target.iterdir()):
            for path in sorted(stage.iterdir()):
                path.replace(target / path.name)
        else:
            if target.exists():
                target.rmdir()
            stage.rename(target)
    finally:
        shutil.rmtree(stage, ignore_errors=True)


def write_model(folder: Path, state: dict[str, Tensor], config: dict[str, Any]) -> None:
    """Write weights and config to `folder`, the checksum of the one inside the other."""
    weights = folder / WEIGHTS_NAME
    stored = {name: _smallest_exact(tensor) for name, tensor in state.items()}
    weights.write_bytes(save(stored, metadata={"format": "pt"}))  # not save_file: it hides what the disk says
    described = {"model_type": MODEL_TYPE, "sae_model_version": VERSION, **config, "weights_sha256": _sha256(weights)}
    (folder / CONFIG_NAME).write_text(json.dumps(described, indent=2) + "\n", encoding="utf-8")


def _smallest_exact(tensor: Tensor) -> Tensor:
    """The tensor in half precision where that loses nothing, as it is otherwise. Models trained here are rounded."""
    tensor = tensor.detach().cpu().contiguous()
    if tensor.dtype == torch.float32 and torch.equal(tensor.half().float(), tensor):
        return tensor.half()
    return tensor


def _sha256(path: Path) -> str:
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def find_files(folder_or_repo: str, filenames: tuple[str, ...], **hub_options: Any) -> list[Path]:
    """The paths of files of one model: in a local folder, or of one commit of a Hub repo, downloaded or cached.

    The Hub is asked once, briefly, whether it is there: its client would otherwise try again for 23 seconds before it
    says that it is not. Where it is not, what the cache holds is taken.

    Raises:
        ModelLoadError: they are not there, or cannot be had.
    """
    folder = _as_folder(folder_or_repo)
    if folder is not None:
        for filename in filenames:
            if not (folder / filename).is_file():
                raise ModelLoadError(
                    f"{folder} has no {filename}, so it holds no model: was it saved with save_pretrained?"
                )
        return [folder / filename for filename in filenames]
    revision = hub_options.pop("revision", None)
    where = f"{folder_or_repo} on the Hub" + (f" at revision {revision}" if revision else "")
    try:
        if not hub_options.get("local_files_only"):
            hub_options["local_files_only"] = not _hub_answers(folder_or_repo, revision, hub_options.get("token"))
        paths = []
        for filename in filenames:
            paths.append(Path(hf_hub_download(folder_or_repo, filename, revision=revision, **hub_options)))
            revision = paths[0].parent.name  # a branch may move between two files; its commit does not
        return paths
    except HFValidationError as error:
        raise ModelLoadError(
            f"{folder_or_repo!r} is neither a folder here nor a Hub id of the form owner/name."
        ) from error
    except RevisionNotFoundError as error:
        raise ModelLoadError(f"{folder_or_repo} on the Hub has no revision {revision!r}.") from error
    except LocalEntryNotFoundError as error:
        raise ModelLoadError(
            f"{folder_or_repo} is no folder here, its {filename} is not in the local cache, and the Hub could not be "
            "asked: check the spelling and the network (or local_files_only and HF_HUB_OFFLINE), and try again."
        ) from error
    except EntryNotFoundError as error:
        raise ModelLoadError(f"{where} has no {filename}, so it holds no model of this family.") from error
    except (HTTPError, OSError) as error:
        status = getattr(getattr(error, "response", None), "status_code", None)
        if isinstance(error, RepositoryNotFoundError) or status in (401, 403):
            raise ModelLoadError(
                f"{folder_or_repo} is neither a folder here nor a repo that the Hub shows you: "
                "check the spelling, and log in with `hf auth login` if it is private."
            ) from error
        raise ModelLoadError(
            f"{where} could not be fetched ({_first_line(error)}): nothing half-fetched is kept, try again."
        ) from error


def _as_folder(name: str) -> Path | None:
    """The folder of a name, or None where there is none."""
    try:
        folder = Path(name).expanduser()
        return folder if name and folder.is_dir() else None
    except (OSError, RuntimeError, ValueError):  # longer than a name may be, the home of nobody, a zero byte
        return None


def _hub_answers(repo: str, revision: str | None, token: str | bool | None) -> bool:
    """Whether the Hub can be asked for a repo; False where it is down, silent, failing, or was switched off.

    Raises:
        HTTPError: it answers, and refuses. HFValidationError: this is no id.
    """
    try:
        HfApi(token=token).model_info(repo, revision=revision, timeout=SECONDS_TO_ANSWER)
    except OfflineModeIsEnabled:
        return False
    except HfHubHTTPError as error:
        if error.response.status_code < 500:
            raise
        return False
    except HTTPError:
        return False
    return True


def _first_line(error: Exception) -> str:
    return (str(error).strip().splitlines() or [type(error).__name__])[0]


def read_config(path: Path) -> dict[str, Any]:
    """The content of a config.json, known to be of this family.

    Raises:
        ModelLoadError: it is no JSON object, or describes some other kind of model.
    """
    try:
        config = json.loads(path.read_text(encoding="utf-8"))
    except (ValueError, OSError) as error:
        raise ModelLoadError(f"{path} cannot be read as JSON: {_first_line(error)}") from error
    if not isinstance(config, dict) or config.get("model_type") != MODEL_TYPE:
        found = config.get("model_type") if isinstance(config, dict) else None
        raise ModelLoadError(
            f"{path} describes another kind of model: its model_type is {found!r:.80}, "
            f"and this family's is {MODEL_TYPE!r}."
        )
    return config


def read_weights(path: Path, expected: dict[str, Tensor], sha256: str | None) -> dict[str, Tensor]:
    """The tensors of a model.safetensors in single precision, known to be exactly the expected ones.

    Args:
        path: the file.
        expected: names and shapes that must be there, neither more nor fewer (their values are not looked at).
        sha256: the checksum that config.json states.

    Raises:
        ModelLoadError: truncated, missing, extra, misshapen or non-finite weights, or another checksum.
    """
    try:
        weights = load_file(path)
    except (SafetensorError, OSError) as error:
        raise ModelLoadError(
            f"{path} is no whole safetensors file ({_first_line(error)}): fetch or save it again."
        ) from error
    missing, extra = sorted(expected.keys() - weights.keys()), sorted(weights.keys() - expected.keys())
    if missing or extra:
        parts = [f"lacks {_some(missing)}"] * bool(missing) + [f"has the foreign {_some(extra)}"] * bool(extra)
        raise ModelLoadError(f"{path} does not fit its config.json: it {' and '.join(parts)}.")
    for name, tensor in weights.items():
        wanted, found = tuple(expected[name].shape), tuple(tensor.shape)
        if wanted != found:
            raise ModelLoadError(f"{path} does not fit its config.json: {name} is {found} and should be {wanted}.")
        if tensor.is_floating_point() != expected[name].is_floating_point() or not bool(tensor.isfinite().all()):
            raise ModelLoadError(f"{path} holds values in {name} that are no finite numbers: its training went wrong.")
    if _sha256(path) != sha256:
        raise ModelLoadError(
            f"{path} is not the file that its config.json was written for (SHA-256 differs): fetch it again."
        )
    return {name: tensor.to(expected[name].dtype) for name, tensor in weights.items()}


def _some(names: list[str]) -> str:
    """The first names of many, without line breaks: anybody may have chosen them."""
    shown = ", ".join(" ".join(name.split())[:40] for name in names[:2])
    return shown + (f" and {len(names) - 2} more" if len(names) > 2 else "")
