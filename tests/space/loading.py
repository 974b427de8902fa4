"""Users' models, loaded as the page loads them."""

from __future__ import annotations

from space.errors import InputError
from space.user_models import UserModels


def load(models: UserModels, text: object, is_owner: bool = True) -> list[str]:
    """The keys of what is said."""
    return [step["key"] for step in models.load(models.address(str(text), is_owner))]


def is_here(models: UserModels, name: object) -> bool:
    try:
        return models.find(str(name)) is not None
    except InputError:
        return False
