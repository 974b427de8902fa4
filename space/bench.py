"""What is on a visitor's bench: an image, its noise, a model, and latents that were set by hand; also as a link."""

from __future__ import annotations

import json
import math
from collections.abc import Mapping
from dataclasses import dataclass, replace
from urllib.parse import parse_qs, urlencode

from space.errors import InputError
from space.lab import SIGMA, USER, Lab, Look, Specimen, Stop
from space.own_digit import from_text
from training.words import language, say

MOST_EDITS = 50
LARGEST_VALUE = 1e4
"""Of a latent that is set by hand; the largest that the models have is about 50."""


@dataclass(frozen=True)
class Bench:
    """The values of the page's controls, in their order; one that there is not is an InputError where it is used."""

    digit: int
    """Position in the test split of the image; where there is a drawing, the one that comes back after it."""
    drawing: str
    """A visitor's own digit, as `own_digit.to_text` writes it, or ""."""
    sigma: float
    """Of the noise, in [0, 1]."""
    seed: int
    """Which draw of the noise."""
    method: str
    """A choice of sparsity method, as `Lab` explains."""
    position: int
    """That of the slider of that choice."""
    edits: str
    """JSON: key of a stop -> latent -> the value that it was set to. Those of other stops wait for their return."""
    tab: str
    """The `KEY` of the tab that is open."""

    @property
    def specimen(self) -> Specimen:
        """The image and its noise."""
        return Specimen(self.digit, self.sigma, self.seed, self.drawing)

    def stop(self, lab: Lab) -> Stop:
        """The chosen stop. The slider's position may lag behind the method, so one beyond the last is the last."""
        last = len(lab.stops(self.method)) - 1
        beyond = isinstance(self.position, int) and self.position > last
        return lab.stop_at(self.method, last if beyond else self.position)

    def look(self, lab: Lab) -> Look:
        """What the chosen model makes of the image, without edits."""
        return lab.look(self.specimen, self.stop(lab))

    def edits_of(self, stop: Stop) -> dict[int, float]:
        """Latent -> the value that it was set to, for one stop.

        Raises:
            InputError: `edits` was not written by the page.
        """
        try:
            values = {
                _latent(latent): _value(value)
                for latent, value in json.loads(self.edits or "{}").get(stop.key, {}).items()
            }
        except (ValueError, TypeError, AttributeError, RecursionError):
            raise InputError(say("errors.edits")) from None
        if len(values) > MOST_EDITS:
            raise InputError(say("errors.too_many_edits", most=MOST_EDITS, count=len(values)))
        return values

    def query(self, lab: Lab) -> str:
        """The same as a query string, by which `restored` finds it again; what is as the page opens is left out."""
        stop, first = self.stop(lab), opening(lab)
        values: dict[str, object] = {"digit": self.digit}
        if self.drawing:
            values["draw"] = self.drawing
        values |= {"sigma": f"{self.sigma:g}", "seed": self.seed, "model": stop.variant}
        values |= {name: f"{value:g}" for name, value in stop.arguments.items()}
        if self.method in lab.families and lab.find(stop.variant)[0] != self.method and not stop.is_users:
            values["method"] = self.method  # the variant is in several
        edits = self.edits_of(stop)
        if edits:
            values["set"] = " ".join(f"{latent}:{value:g}" for latent, value in edits.items())
        if self.tab != first.tab:
            values["tab"] = self.tab
        values["lang"] = language()
        return f"?{urlencode(values, safe=':', errors='replace')}"


def opening(lab: Lab) -> Bench:
    """What is on the bench when the page opens: an image with noise (of MNIST a 7), and of the models of the first
    family the one that leaves most of the noise out."""
    method = next(iter(lab.families))
    some = [images for images in lab.of_class if len(images)]
    index = some[7 % len(some)][0].item()
    return Bench(index, "", SIGMA, 0, method, lab.first_position(method), "{}", "see")


def restored(lab: Lab, query: str, tabs: tuple[str, ...]) -> tuple[Bench, str]:
    """The bench of a link such as "?digit=12&sigma=0.3&model=l1-1", and the address of a user's model in it that is not
    loaded yet, or "".

    `tabs` are the keys of the tabs that there are.

    Raises:
        InputError: a part of the link names what there is not.
    """
    given = {name: values[-1] for name, values in parse_qs(query.removeprefix("?"), max_num_fields=50).items()}
    bench = opening(lab)
    for name, kind in (("digit", int), ("sigma", float), ("seed", int)):
        if name in given:
            bench = replace(bench, **{name: _number(given, name, kind)})
    if "draw" in given:
        from_text(given["draw"])  # or an error
        bench = replace(bench, drawing=given["draw"])
    if given.get("tab", bench.tab) not in tabs:
        raise InputError(say("errors.tab", tab=given["tab"], tabs=", ".join(tabs)))
    bench = replace(bench, tab=given.get("tab", bench.tab))
    lab.images_of(bench.specimen)  # or an error
    missing = ""
    if "model" in given:
        bench, missing = _with_model(lab, bench, given)
    if "set" in given:
        stop = Stop(missing, "", is_users=True) if missing else bench.stop(lab)
        bench = replace(bench, edits=with_edits("{}", stop, _edits(given["set"])))
        if not missing:
            lab.edited(bench.look(lab), stop, bench.edits_of(stop))  # or an error
    return bench, missing


def _with_model(lab: Lab, bench: Bench, given: Mapping[str, str]) -> tuple[Bench, str]:
    name = given["model"].strip()
    if name in lab.recipes:
        method = given.get("method", lab.find(name)[0])
    elif name in lab.user_models:
        method = USER + name
    else:
        return bench, name
    stops = lab.stops(method)
    asked = {argument: _number(given, argument, float) for argument in ("k", "beta") if argument in given}
    named = [stop for stop in stops if stop.variant == name]
    if not named:
        raise InputError(say("errors.link_method", name=name, method=method))
    wanted = min(named, key=lambda stop: abs(stop.value - asked.get(stop.argument, math.inf)))
    return replace(bench, method=method, position=stops.index(wanted)), ""


def with_edits(edits: str, stop: Stop, values: Mapping[int, float]) -> str:
    """`Bench.edits` with the values of one stop replaced."""
    others = {key: old for key, old in json.loads(edits or "{}").items() if key != stop.key}
    return json.dumps(others | ({stop.key: dict(values)} if values else {}))


def _edits(text: str) -> dict[int, float]:
    try:
        pairs = [pair.split(":") for pair in text.split()]
        return {_latent(latent): _value(float(value)) for latent, value in pairs}
    except (ValueError, TypeError):
        raise InputError(say("errors.link_edits", text=text)) from None


def _latent(text: str) -> int:
    if not (text.isascii() and text.isdecimal() and len(text) < 9):
        raise ValueError(text)
    return int(text)


def _value(value: float) -> float:
    if isinstance(value, bool) or not math.isfinite(value) or abs(value) > LARGEST_VALUE:
        raise ValueError(value)
    return float(value)


def _number(given: Mapping[str, str], name: str, kind: type) -> float:
    try:
        return kind(given[name])
    except (ValueError, OverflowError):
        raise InputError(say("errors.link_number", name=name, text=given[name])) from None
