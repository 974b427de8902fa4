"""Put the page on the Hub: `python -m space.deploy OWNER/NAME`, from the root of the repository."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Annotated

import typer
from huggingface_hub import CommitOperationAdd, CommitOperationDelete, HfApi, SpaceCard
from huggingface_hub.errors import RepositoryNotFoundError

from sae_model import list_variants
from sae_model.hub import SECONDS_TO_ANSWER
from sae_model.storage import CARD_NAME
from training.hub import HubError, check_repo_id, hub_errors, repo_name

ROOT = Path(__file__).resolve().parents[1]
# What the page runs on: code, the models with their metrics, the images that it shows and trains on. No tests.
NEEDED = (
    "requirements.txt",
    "LICENSE",
    "sae_model/*.py",
    "sae_model/zoo/*/config.json",
    "sae_model/zoo/*/model.safetensors",
    "sae_model/zoo/*/evaluation*.json",
    "training/*.py",
    "training/data/MNIST/raw/*.gz",
    "space/*.py",
    "space/*.css",
    "space/*.js",
    "space/*.png",  # README shows these
    "training/benchmarks/*.png",
)
FOLDERS = ("sae_model/", "training/", "space/")


def needed_files() -> dict[str, Path]:
    """Path in the Space -> file here, of all that the page needs but its README."""
    return {path.relative_to(ROOT).as_posix(): path for pattern in NEEDED for path in sorted(ROOT.glob(pattern))}


def deploy(repo_id: str, private: bool = False) -> str:
    """Upload the page to a Space, in one commit; files of an earlier upload that it needs no more are deleted.

    Args:
        repo_id: `owner/name`; made if it is not there.
        private: make a Space that only its owner sees.

    Returns:
        Address of the Space.

    Raises:
        HubError: the Hub rejected it, failed or did not answer.
    """
    check_repo_id(repo_id)
    owner = repo_id.partition("/")[0]
    with hub_errors(f"The page was not uploaded to {repo_id}"):
        api = HfApi()
        try:
            parent = api.space_info(repo_id, timeout=SECONDS_TO_ANSWER).sha
        except RepositoryNotFoundError:
            api.create_repo(repo_id, repo_type="space", space_sdk="gradio", private=private or None, exist_ok=True)
            parent = api.space_info(repo_id, timeout=SECONDS_TO_ANSWER).sha
        files = needed_files()
        there = api.list_repo_files(repo_id, repo_type="space", revision=parent)
        left = [name for name in there if name.startswith(FOLDERS) and name not in files]
        api.create_commit(
            repo_id,
            [
                CommitOperationAdd(CARD_NAME, _front_page(api, owner).encode()),
                *(CommitOperationAdd(name, path) for name, path in files.items()),
                *(CommitOperationDelete(name) for name in left),
            ],
            commit_message="The page, its models and its images",
            repo_type="space",
            parent_commit=parent,
        )
    return f"{api.endpoint}/spaces/{repo_id}"


def _front_page(api: HfApi, owner: str) -> str:
    """README.md, whose front matter names those of the owner's repos that hold our models."""
    card = SpaceCard.load(ROOT / CARD_NAME)
    repos = [f"{owner}/{repo_name(variant)}" for variant in list_variants()]
    card.data.models = [repo for repo in repos if api.repo_exists(repo)]
    return str(card)


def main(
    repo_id: Annotated[str, typer.Argument(help="The Space; made if it is not there.", metavar="OWNER/NAME")],
    private: Annotated[bool, typer.Option("--private", help="Make a Space that only its owner sees.")] = False,
) -> None:
    """Put the page on the Hub. The login is the Hub's own: `hf auth login`, or HF_TOKEN."""
    try:
        print(deploy(repo_id, private))
    except HubError as error:
        sys.exit(f"Error: {error}")


if __name__ == "__main__":
    typer.run(main)
