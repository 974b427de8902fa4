"""Files of a model from a folder or from the Hub, and what the Hub's errors mean, in words."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from huggingface_hub import HfApi, errors, hf_hub_download
from huggingface_hub.errors import HTTPError  # type: ignore[attr-defined]  # httpx's, whichever it uses

from sae_model.errors import first_line
from sae_model.storage import ModelLoadError

SECONDS_TO_ANSWER = 10


def find_files(folder_or_repo: str, filenames: tuple[str, ...], **hub_options: Any) -> list[Path]:
    """The paths of files of one model: in a local folder, or of one commit of a Hub repo, downloaded or cached.

    The Hub is asked once, briefly, whether it is there: its client would otherwise try again for 23 seconds before it
    says that it is not. Where it is not, what the cache holds is taken.

    Raises:
        ModelLoadError: they are not there, or cannot be had.
    """
    folder = as_folder(folder_or_repo)
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
    except errors.HFValidationError as error:
        raise ModelLoadError(
            f"{folder_or_repo!r:.80} is neither a folder here nor a Hub id of the form owner/name."
        ) from error
    except errors.RevisionNotFoundError as error:
        raise ModelLoadError(f"{folder_or_repo} on the Hub has no revision {revision!r:.80}.") from error
    except errors.LocalEntryNotFoundError as error:
        raise ModelLoadError(
            f"{folder_or_repo} is no folder here, its {filename} is not in the local cache, and the Hub could not be "
            "asked: check the spelling and the network (or local_files_only and HF_HUB_OFFLINE), and try again."
        ) from error
    except errors.EntryNotFoundError as error:
        raise ModelLoadError(f"{where} has no {filename}, so it holds no model of this family.") from error
    except Exception as error:  # the Hub's answers, and those of whoever it redirects to, may be anything
        if isinstance(error, errors.RepositoryNotFoundError) or _status(error) in (401, 403):
            raise ModelLoadError(
                f"{folder_or_repo} is neither a folder here nor a repo that the Hub shows you: "
                "check the spelling, and log in with `hf auth login` if it is private."
            ) from error
        reason = first_line(error).rstrip(".")
        raise ModelLoadError(
            f"{where} could not be fetched ({reason}): nothing half-fetched is kept, try again."
        ) from error


def as_folder(name: str) -> Path | None:
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
    except (errors.OfflineModeIsEnabled, HTTPError) as error:
        if (_status(error) or 500) < 500:
            raise
        return False
    return True


def _status(error: BaseException) -> int | None:
    return getattr(getattr(error, "response", None), "status_code", None)


def why_not_written(error: BaseException) -> str:
    """Why the Hub did not write, and what to do. Nothing of the request is repeated, for it holds the token."""
    if isinstance(error, RuntimeError) and isinstance(error.__cause__, HTTPError):
        error = error.__cause__  # the client wraps what happened to one of several files
    status, again = _status(error), "Nothing was half-written: run the same command again"
    if isinstance(error, errors.OfflineModeIsEnabled):
        return "the Hub is switched off (HF_HUB_OFFLINE): unset it, and run the same command again."
    if isinstance(error, errors.LocalTokenNotFoundError) or status == 401:
        return "the Hub does not accept this login: run `hf auth login`, or set HF_TOKEN to a token that may write."
    if status == 403:
        return "this login may not write there: take a token with write access, or a name of your own as OWNER."
    if isinstance(error, errors.RevisionNotFoundError):
        return "there is no such branch: name one with --branch, which is made if it is not there."
    if isinstance(error, errors.RepositoryNotFoundError):
        return "there is no such repo that this login may see: check the spelling, and `hf auth whoami`."
    if status in (409, 412):
        return f"somebody else changed it meanwhile. {again}."
    if status is not None:
        return f"the Hub failed with status {status}. {again}, later if it fails again."
    if isinstance(error, HTTPError):
        return f"the Hub cannot be reached ({type(error).__name__}). {again} when the network is back."
    return first_line(error)
