"""What is on a visitor's bench, as the browser sends it. Anybody may send anything, so every field is checked here.

web/state.js has the same table, and writes the address from it.
"""

from __future__ import annotations

from typing import Annotated, Literal, get_args

from pydantic import ConfigDict, Field, TypeAdapter
from pydantic.dataclasses import dataclass

from space.errors import InputError
from space.lab import LARGEST_SEED, Lab, Specimen
from space.languages import CATALOGS

Tab = Literal["see", "atoms", "classes", "learn", "rates", "frontier"]
TABS: tuple[Tab, ...] = get_args(Tab)
LONGEST_STATE = 20_000
MOST_EDITS = 50
Position = Annotated[int, Field(ge=0)]
Name = Annotated[str, Field(max_length=300, pattern=r"^[^\p{C}\p{Zl}\p{Zp}]*$")]
"""Of a stop or a family, on one line; the address of a user's model has up to 200 letters."""
Latent = Annotated[str, Field(pattern="^[0-9]{1,8}$")]
Value = Annotated[float, Field(ge=-1e4, le=1e4)]
"""Of a latent that is set by hand; the largest that the models have is about 50."""


@dataclass(frozen=True, config=ConfigDict(strict=True, extra="forbid", allow_inf_nan=False))
class State:
    """The state of a page."""

    digit: Position
    """Position in the test split of the image; where there is a drawing, the one that comes back after it."""
    draw: Annotated[str, Field(pattern="^[A-Za-z0-9_-]{0,1000}$")]
    """A visitor's own image as text, or ""; web/digit.js writes and reads it."""
    sigma: Annotated[float, Field(ge=0, le=1)]
    seed: Annotated[int, Field(ge=0, le=LARGEST_SEED)]
    family: Name
    """The slider."""
    stop: Name
    """The key of the chosen stop."""
    edits: dict[Name, Annotated[dict[Latent, Value], Field(max_length=MOST_EDITS)]]
    """Key of a stop -> latent -> the value that it was set to."""
    beside: Name
    """The key of the stop that is shown beside the chosen one, or ""."""
    tab: Tab
    lang: Annotated[str, Field(pattern=f"^({'|'.join(CATALOGS)})$")]
    bins: Literal["logarithmic", "equal"]
    """The kind of bins of the histograms."""
    label: Position
    """The class that the tab Classes shows."""
    reveal: Annotated[int, Field(ge=0, le=10**6)]
    """How many atoms the tab Atoms adds up."""
    target: Annotated[float, Field(gt=0, lt=1)]
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
    return State(digit, "", 0.3, 0, family, stop, {}, beside, TABS[0], "en", "logarithmic", label, 5, 0.1)


def read(text: object, lab: Lab) -> State:
    """The state that a browser sent.

    Raises:
        InputError: the page writes no such state.
    """
    try:
        if not isinstance(text, str) or len(text) > LONGEST_STATE:
            raise ValueError
        state = TypeAdapter(State).validate_json(text)
        if state.digit >= len(lab.images) or state.label >= len(lab.classes):
            raise ValueError
    except ValueError:
        raise InputError("errors.state", name="state") from None
    return state
