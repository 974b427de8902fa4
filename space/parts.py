"""What the tabs share: how a tab is a set of parts, each drawn from what is on the bench."""

from __future__ import annotations

import json
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from itertools import islice
from pathlib import Path
from typing import Any

import gradio as gr

from space.bench import Bench
from space.errors import with_error_message
from space.lab import USER, Lab
from space.stop_slider import StopSlider, stop_slider
from space.user_models import title
from training.fit.zoo import family_title

BARE = {"apply_default_css": False, "container": False}
SPEAK_CHANGES = "element.setAttribute('aria-live', 'polite');"


QUICK, SLOW, LONG = range(3)
"""When a part is drawn: first, as what one looks at while a slider moves; after that; or after that and in seconds."""


@dataclass(frozen=True)
class Part:
    """Some components that are drawn anew when the bench changes and their tab is open."""

    outputs: Sequence[gr.Component]
    render: Callable[..., Sequence[Any]]
    """(bench, *values of `inputs`) -> a value for each output. Raises InputError."""
    inputs: Sequence[gr.Component] = ()
    """Controls of the tab's own."""
    tab: str | None = None
    """Its tab's `KEY`; None where it is seen in every tab."""
    when: int = SLOW


@dataclass
class Page:
    """The page while it is laid out; `wire` then lets its parts follow the controls."""

    lab: Lab
    first: Bench
    """What is on the bench when the page opens."""
    bench: list[gr.Component] = field(default_factory=list)
    """The components whose values a `Bench` holds, in its order."""
    user_models: gr.State | None = None
    """Names of the models that this visitor loaded."""
    _parts: list[Part] = field(default_factory=list)

    def __post_init__(self) -> None:
        # What all listeners of the page have. Images replace each other without a spinner; a spinner that is hidden is
        # updated all the same, for every output and each time, but for this one component that stands for all. Two
        # answers of a kind are computed at once: more would only wait for each other on a small Space's two cores.
        self.live = {
            "show_progress": "hidden",
            "show_progress_on": self.html("progress", html_template=""),
            "concurrency_limit": 2,
            "api_visibility": "private",
        }

    @property
    def choice(self) -> list[gr.Component]:
        """The radio of the sparsity methods and the slider of the stops."""
        return self.bench[4:6]

    def html(self, elem_id: str, value: str = "", **options: Any) -> gr.HTML:
        """A part of the page in our own HTML."""
        return gr.HTML(value, elem_id=elem_id, **BARE, **options)

    def held(self, name: str, value: Any) -> gr.HTML:
        """A value that the visitor's browser holds, and that nothing shows.

        The server forgets the sessions that rested longest, and with them each `gr.State`; a page that was left open is
        to stay what it is.
        """
        return self.html(f"held-{name}", value, html_template="")

    def add(self, part: Part) -> None:
        """Draw a part anew when the bench changes, and when one of its own controls does.

        What is slow is then drawn with all that is slow in its tab: an older answer to the tab's listener could come
        after that of a listener of its own.
        """
        self._parts.append(part)
        triggers = [control.input for control in part.inputs if not isinstance(control, gr.State)]
        if triggers and part.when == QUICK:
            gr.on(triggers, *self._drawing([part], is_queued=True), trigger_mode="always_last", **self.live)
        elif triggers:
            gr.on(triggers, None, js=f"() => window.drawTab['{part.tab}-rest']()")

    @staticmethod
    def follow(change: Any) -> None:
        """Draw the open tab anew after an event that has changed the bench."""
        change.then(None, js="() => window.drawOpenTab()")

    def wire(self, keys: Sequence[str]) -> None:
        """Draw the tab that is open whenever page.js says so: after an event of `follow`, or when a slider moves.

        Each tab has two components whose `input` page.js triggers: for what is quick, and for the rest, once the slider
        rests. A browser is slow where one event has many outputs. Two listeners to one event that both want its latest
        value alone (`always_last`) would wake each other without end in Gradio's client. What is quick does not go
        through Gradio's queue: that saves a third of the time.
        """
        for key in keys:
            quick = self._listen(self._trigger(key), key, QUICK, queue=False)
            quick.then(None, js="() => window.drawRest()")
            rest = self._listen(self._trigger(f"{key}-rest"), key, SLOW)
            self._listen(rest.then, key, LONG)

    def _trigger(self, name: str) -> Callable[..., Any]:
        """The event that page.js triggers under a name."""
        wake = f"(window.drawTab ??= {{}})['{name}'] = () => trigger('input');"
        return self.html(f"draw-{name}", html_template="", js_on_load=wake).input

    def _listen(self, event: Callable[..., Any], key: str, when: int, queue: bool = True) -> Any:
        """Let the parts of a tab and a stage be drawn after an event, where there are any."""
        parts = [part for part in self._parts if part.when == when and part.tab in (None, key)]
        spinner = {"show_progress": "full", "show_progress_on": None} if when == LONG else {}
        drawing = self._drawing(parts, queue)
        return parts and event(*drawing, trigger_mode="always_last", queue=queue, **self.live | spinner)

    def _drawing(self, parts: Sequence[Part], is_queued: bool) -> tuple[Callable[..., list[Any]], list[Any], list[Any]]:
        """Handler, inputs and outputs that draw some parts.

        Gradio shows no error of an event that does not go through its queue; the rest of the tab, which follows, has
        the same one.
        """
        inputs = [*self.bench, *(control for part in parts for control in part.inputs)]
        outputs = [output for part in parts for output in part.outputs]

        @with_error_message
        def draw(*values: Any) -> list[Any]:
            bench, rest = Bench(*values[: len(self.bench)]), iter(values[len(self.bench) :])
            try:
                drawn = [value for part in parts for value in part.render(bench, *islice(rest, len(part.inputs)))]
            except Exception:
                if is_queued:
                    raise
                drawn = [gr.skip() for _ in outputs]
            return drawn if len(drawn) > 1 else drawn[0]

        return draw, inputs, outputs


def script_with(path: Path, **words: str) -> str:
    """A script of the page, in which `words` are those of the language of the moment."""
    return f"const words = {json.dumps(words)};\n{path.read_text(encoding='utf-8')}"


def message_of(html: str, css_class: str = "") -> str:
    """A message to the visitor, of HTML: what is not our own has to be escaped."""
    return f'<div class="sae {css_class}"><p>{html}</p></div>'


def method_choices(lab: Lab, user_models: list[str]) -> list[tuple[str, str]]:
    """What the radio offers, as (title, choice): the bundled families, and the models of a visitor."""
    families = [(family_title(family), family) for family in lab.families]
    return families + [(title(name), USER + name) for name in user_models]


def choosing(lab: Lab, user_models: list[str], choice: str, position: int) -> tuple[list[str], gr.Radio, StopSlider]:
    """What sets a visitor's `user_models`, the radio and the slider to a stop of a choice, a user's model with it."""
    if choice.startswith(USER):
        name = choice.removeprefix(USER)
        user_models = [*(other for other in user_models if other in lab.user_models and other != name), name]
    radio = gr.Radio(method_choices(lab, user_models), value=choice)
    return user_models, radio, stop_slider(lab, choice, position)


def class_choice(lab: Lab, label: int, title: str, elem_id: str) -> gr.Radio | gr.Dropdown:
    """What chooses a class: a row of buttons where names are as short as digits, a list otherwise."""
    kind = gr.Radio if lab.noun == "digit" else gr.Dropdown
    choices = [(name, str(number)) for number, name in enumerate(lab.classes)]
    return kind(choices, value=str(label), label=title, elem_id=elem_id)
