"""What is on a visitor's bench, as the browser sends it. Anybody may send anything, so every field is checked here.

web/state.js has the same table, and writes the address from it.
"""

from __future__ import annotations

import json
import re
from collections.abc import Callable
from dataclasses import dataclass, fields
from typing import Any

from sae_model.errors import is_integer, is_number
from space.errors import InputError
from space.lab import LARGEST_SEED, Lab, Specimen
from space.languages import CATALOGS

TABS = ("see", "atoms", "classes", "learn", "rates", "frontier")
BINS = ("logarithmic", "equal")
LONGEST_STATE = 20_000
LONGEST_NAME = 300
"""Of a stop or a family; the address of a user's model has up to 200 letters."""
DRAWING = re.compile(r"[A-Za-z0-9_-]{0,1000}", re.ASCII)
MOST_EDITS = 50
LARGEST_VALUE = 1e4
"""Of a latent that is set by hand; the largest that the models have is about 50."""


@dataclass(frozen=True)
class State:
    """The state of a page."""

    digit: int
    """Position in the test split of the image; where there is a drawing, the one that comes back after it."""
    draw: str
    """A visitor's own image as text, or ""; web/digit.js writes and reads it."""
    sigma: float
    seed: int
    family: str
    """The slider."""
    stop: str
    """The key of the chosen stop."""
    edits: dict[str, dict[str, float]]
    """Key of a stop -> latent -> the value that it was set to."""
    beside: str
    """The key of the stop that is shown beside the chosen one, or ""."""
    tab: str
    lang: str
    bins: str
    """The kind of bins of the histograms."""
    label: int
    """The class that the tab Classes shows."""
    reveal: int
    """How many atoms the tab Atoms adds up."""
    target: float
    """The target rate in the tab Rates."""

    @property
    def specimen(self) -> Specimen:
        """The test image and its noise."""
        return Specimen(self.digit, self.sigma, self.seed)


def opening(lab: Lab) -> State:
    """What is on the bench when the page opens; the model is the one of the first family that removes noise best."""
    family, digit = next(iter(lab.families)), lab.opening_digit
    beside, label = next(iter(lab.stops)), int(lab.labels[digit])
    stop = lab.first(family).key
    return State(digit, "", 0.3, 0, family, stop, {}, beside, TABS[0], "en", BINS[0], label, 5, 0.1)


def read(text: object, lab: Lab) -> State:
    """The state that a browser sent.

    Raises:
        InputError: the page writes no such state.
    """
    holds: dict[str, Callable[[Any], bool]] = {
        "digit": lambda value: _is_integer_up_to(value, len(lab.images) - 1),
        "draw": lambda value: isinstance(value, str) and re.fullmatch(DRAWING, value) is not None,
        "sigma": lambda value: is_number(value) and 0 <= value <= 1,
        "seed": lambda value: _is_integer_up_to(value, LARGEST_SEED),
        "family": _is_name,
        "stop": _is_name,
        "edits": _are_edits,
        "beside": _is_name,
        "tab": lambda value: isinstance(value, str) and value in TABS,
        "lang": lambda value: isinstance(value, str) and value in CATALOGS,
        "bins": lambda value: isinstance(value, str) and value in BINS,
        "label": lambda value: _is_integer_up_to(value, len(lab.classes) - 1),
        "reveal": lambda value: _is_integer_up_to(value, 10**6),
        "target": lambda value: is_number(value) and 0 < value < 1,
    }
    try:
        if not isinstance(text, str) or len(text) > LONGEST_STATE:
            raise ValueError
        values = json.loads(text)
        if not isinstance(values, dict) or set(values) != {field.name for field in fields(State)}:
            raise ValueError
    except (ValueError, RecursionError):
        raise InputError("errors.state", name="state") from None
    for name, value in values.items():
        if not holds[name](value):
            raise InputError("errors.state", name=name)
    return State(**values)


def _is_integer_up_to(value: Any, most: int) -> bool:
    return is_integer(value) and 0 <= value <= most


def _is_name(value: Any) -> bool:
    return isinstance(value, str) and len(value) <= LONGEST_NAME and value.isprintable()


def _are_edits(value: Any) -> bool:
    return (
        isinstance(value, dict)
        and all(_is_name(stop) and isinstance(of, dict) and len(of) <= MOST_EDITS for stop, of in value.items())
        and all(
            latent.isascii() and latent.isdecimal() and len(latent) < 9 and is_number(to) and abs(to) <= LARGEST_VALUE
            for of in value.values()
            for latent, to in of.items()
        )
    )
