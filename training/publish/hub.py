"""Publishing: models, the whole bundle, and (from `space.deploy`) the page. One commit each, or none."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

from huggingface_hub import CommitOperationAdd, HfApi, errors
from huggingface_hub.errors import HTTPError  # type: ignore[attr-defined]  # as in sae_model/hub.py
from huggingface_hub.utils import validate_repo_id  # type: ignore[attr-defined]  # public, but not in its __all__

from sae_model import SparseAutoencoder
from sae_model.bundle import repo_name
from sae_model.errors import UserError
from sae_model.hub import SECONDS_TO_ANSWER, why_not_written
from sae_model.storage import CARD_NAME

from .card import merge_cards, render_card
from .record import Record
from .run_folder import FILES

SPACE = "by-touch"
"""What README calls the Space that an owner deploys; cards tell how to install from it."""
COLLECTION = "Sparse autoencoders, by touch"
ABOUT = "A model for every sparsity method and several strengths of each, trained on MNIST and measured alike."


class HubError(UserError):
    """Something could not be published. The message says what to do."""


@contextmanager
def hub_errors(undone: str) -> Iterator[None]:
    """Turn what goes wrong between us and the Hub into a HubError; `undone` says what was not done."""
    try:
        yield
    except (HTTPError, OSError, RuntimeError, ValueError, TypeError, LookupError, AttributeError) as error:
        raise HubError(f"{undone}: {why_not_written(error)}") from error


def check_repo_id(repo_id: str) -> None:
    """Refuse an id that is not `owner/name`.

    Raises:
        HubError: it is not a repo id.
    """
    try:
        validate_repo_id(repo_id)
        is_whole = all(repo_id.partition("/"))
    except errors.HFValidationError:
        is_whole = False
    if not is_whole:
        raise HubError(f"{repo_id!r} is not a Hub id of the form owner/name.")


def check_login(repo_id: str) -> None:
    """Find out before a long training whether a push can work after it: is this an id, is there a login?

    Raises:
        HubError: no.
    """
    check_repo_id(repo_id)
    with hub_errors(f"{repo_id} cannot be pushed to"):
        HfApi().whoami()


def push(
    folder: Path,
    repo_id: str,
    private: bool = False,
    branch: str | None = None,
    create_pr: bool = False,
    token: str | None = None,
) -> str:
    """Publish the model of a folder that `fit` wrote: its files and its card, in one commit, or none.

    What a person wrote into the card on the Hub stays. Nothing is committed where nothing changed.

    The model is loaded strictly first, so nothing broken is published. Repo and branch are made if they are not there.

    Args:
        private: make a repo that only its owner sees.
        create_pr: open a pull request instead of committing.
        token: whose login; None takes this machine's.

    Returns:
        Address of the commit, or of the pull request.

    Raises:
        ModelLoadError, RecordError: the folder holds no model that `fit` wrote.
        HubError: the Hub refused, failed or was not there.
    """
    check_repo_id(repo_id)
    model, record = SparseAutoencoder.from_pretrained(folder), Record.read(folder)
    with hub_errors(f"{folder} was not pushed to {repo_id}"):
        api = HfApi(token=token)
        try:
            info = api.model_info(repo_id, timeout=SECONDS_TO_ANSWER)
            if private and not info.private:
                raise HubError(f"{repo_id} is public: make it private in its settings, or leave out --private.")
        except errors.RepositoryNotFoundError:
            api.create_repo(repo_id, private=private or None, exist_ok=True)
        if branch is not None:
            api.create_branch(repo_id, branch=branch, exist_ok=True)
        parent = api.model_info(repo_id, revision=branch, timeout=SECONDS_TO_ANSWER).sha
        space = f"{repo_id.partition('/')[0]}/{SPACE}"
        there = api.repo_exists(space, repo_type="space")
        card = render_card(model, record, repo_id, f"{api.endpoint}/spaces/{space}" if there else None)
        old_card = _read(api, repo_id, CARD_NAME, parent)
        if old_card is not None:
            card = merge_cards(card, old_card)
        files = {name: folder / name for name in FILES if (folder / name).is_file()} | {CARD_NAME: card.encode()}
        commit = api.create_commit(
            repo_id,
            [CommitOperationAdd(name, content) for name, content in files.items()],
            commit_message=f"{record.recipe.name}, trained on {record.about.title}",
            revision=branch,
            create_pr=create_pr,
            parent_commit=parent,  # a change that somebody else makes meanwhile is not overwritten
        )
    return commit.pr_url or commit.commit_url


def _read(api: HfApi, repo_id: str, filename: str, revision: str | None) -> str | None:
    """Fetch a text file of a commit, or None where there is none."""
    try:
        return Path(api.hf_hub_download(repo_id, filename, revision=revision)).read_text(encoding="utf-8")
    except errors.EntryNotFoundError:
        return None


def push_all(folders: list[Path], owner: str, done: Callable[[str], None]) -> str:
    """Publish many models, one repo each, and gather them in a Collection, whose address is returned.

    Only what changed is committed; `done` is called with the address of each commit.

    Raises:
        HubError: as for `push`. What was published before stays; the same call again does the rest.
    """
    for folder in folders:
        done(push(folder, f"{owner}/{repo_name(folder.name)}"))
    with hub_errors(f"the Collection of {owner} was not made"):
        api = HfApi()
        collection = api.create_collection(COLLECTION, namespace=owner, description=ABOUT, exists_ok=True)
        there = {item.item_id for item in collection.items}
        for repo_id in (f"{owner}/{repo_name(folder.name)}" for folder in folders):
            if repo_id not in there:
                api.add_collection_item(collection.slug, repo_id, "model", exists_ok=True)
    return collection.url
