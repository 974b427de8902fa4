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
        ModelLoadError: they are not there, or cannot be fetched.
    """
    folder = as_folder(folder_or_repo)
    if folder is not None:
        for filename in filenames:
            if not (folder / filename).is_file():
                raise ModelLoadError(
                    f"{folder} has no {filename}, so it holds no model: was it saved with save_pretrained?"
                )
        return [folder / filename for filename in filenames]
    place = f"{folder_or_repo!r:.80} is not a folder here, and on the Hub it"
    revision = asked = hub_options.pop("revision", None)
    try:
        if not hub_options.get("local_files_only"):
            answers = _hub_answers(folder_or_repo, revision, hub_options.get("token"))
            hub_options["local_files_only"] = not (answers or hub_options.get("force_download"))
        paths: list[Path] = []
        for filename in filenames:
            paths.append(Path(hf_hub_download(folder_or_repo, filename, revision=revision, **hub_options)))
            revision = paths[0].parent.name  # a branch may move between two files; its commit does not
        return paths
    except errors.RemoteEntryNotFoundError as error:
        raise ModelLoadError(f"{place} has no {filename}, so it holds no model of this family.") from error
    except Exception as error:  # the answers of the Hub, and of servers it redirects to, may be anything
        raise ModelLoadError(f"{place} {why_not_read(error, asked)}") from error


def why_not_read(error: BaseException, revision: str | None) -> str:
    """Why the Hub did not give what was asked for, and what to do: the rest of a sentence on a repo."""
    at = f" at revision {revision!r:.80}" if revision else ""
    if isinstance(error, errors.HFValidationError):
        return "cannot be: an id has the form owner/name."
    if isinstance(error, errors.RevisionNotFoundError):
        return f"has no revision {revision!r:.80}."
    if isinstance(error, errors.LocalEntryNotFoundError):
        return (
            f"could not be asked for: it is not in the local cache{at}. Check the spelling and the network (or "
            "local_files_only and HF_HUB_OFFLINE), and try again."
        )
    if isinstance(error, errors.RepositoryNotFoundError) or _status(error) in (401, 403):
        return (
            "is not there, or not shown to you: check the spelling, and log in with `hf auth login` if it is private."
        )
    reason = first_line(error).rstrip(".")
    return f"could not be fetched{at} ({reason}): nothing half-fetched is kept, try again."


def as_folder(name: str) -> Path | None:
    """The folder at this path, or None."""
    try:
        path = Path(name).expanduser()
        return path if name and path.is_dir() else None
    except (OSError, RuntimeError, ValueError):  # too long a name, the home of no user, a zero byte
        return None


def _hub_answers(repo: str, revision: str | None, token: str | bool | None) -> bool:
    """Whether the Hub can be asked for a repo; False where it is down, silent, failing, or was switched off.

    Raises:
        HTTPError: it answers, and refuses. HFValidationError: this is not an id.
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
    if isinstance(error, errors.RepositoryNotFoundError | errors.RevisionNotFoundError):
        return "there is no such repo or branch that this login may see: check the spelling, and `hf auth whoami`."
    if status in (409, 412):
        return f"somebody else changed it meanwhile. {again}."
    if status is not None:
        return f"the Hub failed with status {status}. {again}, later if it fails again."
    if isinstance(error, HTTPError):
        return f"the Hub cannot be reached ({type(error).__name__}). {again} when the network is back."
    return first_line(error)
