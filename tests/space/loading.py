"""Users' models, put on the Hub and loaded as the page loads them."""

from __future__ import annotations

from pathlib import Path

from huggingface_hub import HfApi

from space.errors import InputError
from space.user_models import UserModels


def push(folder: Path, repo: str, **options: object) -> None:
    HfApi().create_repo(repo, exist_ok=True, **options)
    HfApi().upload_folder(repo_id=repo, folder_path=folder)


def load(models: UserModels, text: object, is_owner: bool = True) -> list[str]:
    """The keys of what is said."""
    return [step["key"] for step in models.load(models.address(str(text), is_owner))]


def is_here(models: UserModels, name: object) -> bool:
    try:
        return models.find(str(name)) is not None
    except InputError:
        return False
