"""The controls, which stand beside every tab: model, noise, image, and the link that holds the state of all."""

from __future__ import annotations

import random
from collections.abc import Sequence
from html import escape
from pathlib import Path

import gradio as gr

from space import draw, user_model_box
from space.bench import Bench, restored
from space.errors import in_words, with_error_message
from space.lab import LARGEST_SEED, SIGMA, Lab, Stop
from space.latent_card import latent_card
from space.own_digit import as_mnist, from_text, to_text
from space.parts import QUICK, Page, Part, choosing, class_choice, message_of, method_choices, script_with
from space.stop_slider import ClampedSlider, stop_slider
from space.terms import term
from training.fit.recipe import DEFAULT_ARCHITECTURE
from training.fit.zoo import family_title
from training.words import in_language_of_now, language, say, word_of

SCRIPT, LINK = (Path(__file__).with_name(name) for name in ("page.js", "link.js"))

# Screen readers would read the slider's position; tell them the stop's name instead, and follow it.
NAME_STOPS = """
function tell() {
  const slider = document.querySelector('#beta input[type=range]');
  const stop = element.querySelector('[data-stop]');
  if (slider && stop) slider.setAttribute('aria-valuetext', stop.dataset.stop);
  else setTimeout(tell, 100);
}
tell();
watch('value', tell);
"""


class Controls:
    """Lays out the controls inside the current Blocks, and wires them when the tabs are there."""

    def __init__(self, page: Page) -> None:
        self.page = page
        lab, first = page.lab, page.first
        self.index, self.seed = page.held("index", first.digit), page.held("seed", first.seed)
        self.drawing, self.tab = page.held("drawing", first.drawing), page.held("tab", first.tab)
        page.user_models = gr.State([])
        with gr.Group(elem_id="model"):
            choices = method_choices(lab, [])
            self.method = gr.Radio(choices, value=first.method, label=say("controls.method"), elem_id="method")
            self.description = page.html("description", _description(lab, first.stop(lab)))
        with gr.Column(elem_id="sliders", min_width=0), gr.Group():
            self.stop = stop_slider(lab, first.method, first.position)
            self.stops = page.html("stops", _stops(lab, first), js_on_load=NAME_STOPS)
            self.sigma = ClampedSlider(0, 1, first.sigma, step=0.01, label=say("controls.noise"), elem_id="noise")
        with gr.Group(elem_id="specimen"):
            title = say("controls.digit" if lab.noun == "digit" else "controls.class")
            self.digit = class_choice(lab, int(lab.labels[first.digit]), title, "digit")
            with gr.Row(elem_id="digit-buttons"):
                self.another = gr.Button(say("controls.another"), size="sm", min_width=70)
                self.any_digit = gr.Button(say(f"controls.any_{lab.noun}"), size="sm", min_width=70)
                self.redraw = gr.Button(say("controls.new_noise"), size="sm", min_width=70)
            self.canvas = draw.build(lab.noun, visible=not lab.draws_vectors)

        @in_language_of_now
        def card(request: str) -> str:
            try:
                return latent_card(lab, request)
            except Exception as error:
                return f'<p class="error">{escape(in_words(error))}</p>'

        # What the visitor does to latents; its value is Bench.edits.
        self.hand = page.html(
            "hand",
            first.edits,
            html_template="",
            js_on_load=script_with(
                SCRIPT,
                language=language(),
                title=say("page.title"),
                card=say("latent.card"),
                play=say("strokes.play"),
                pause=say("strokes.pause"),
                reset=say("controls.reset"),
                tabs=say("page.tabs"),
            ),
            server_functions=[card],
        )
        self.link = page.html(
            "link",
            first.query(lab),
            html_template='<p class="sr" role="status"></p>',
            js_on_load=script_with(LINK, copied=say("page.link_copied"), prompt=say("page.link_prompt")),
        )
        self.trouble = page.html("trouble")
        page.bench += [
            self.index, self.drawing, self.sigma, self.seed, self.method, self.stop, self.hand, self.tab
        ]  # fmt: skip
        self.linked = user_model_box.build(page)

    def wire(self, blocks: gr.Blocks, tabs: gr.Tabs, keys: Sequence[str]) -> None:
        """Let every control change the bench, and the page follow; after all tabs are laid out."""
        page, lab = self.page, self.page.lab
        words = Part(
            [self.description, self.stops],
            lambda bench: [_description(lab, bench.stop(lab)), _stops(lab, bench)],
            when=QUICK,
        )
        page.add(words)
        page.add(Part([self.link], lambda bench: [bench.query(lab)]))

        def change_method(method: str) -> gr.Slider:
            return stop_slider(lab, method, lab.first_position(method))

        def class_of(index: int) -> str:
            return str(lab.label(index))

        def choose(label: str | None, index: int) -> tuple[object, ...]:
            found = lab.random_image(int(label or class_of(index)), other_than=index)
            return gr.skip() if label else class_of(index), found, "", ""  # none is chosen while there is a drawing

        def choose_any(index: int) -> tuple[object, ...]:
            label = str(random.choice([label for label, images in enumerate(lab.of_class) if len(images)]))
            return label, *choose(label, index)[1:]

        def take(value: str, index: int) -> tuple[str | None, str]:
            ink = draw.drawn(value)
            return (class_of(index), "") if ink is None else (None, to_text(as_mnist(ink)))

        image = [self.digit, self.index, self.drawing, self.canvas]
        latest = page.live | {"trigger_mode": "always_last"}
        page.follow(self.method.input(with_error_message(change_method), self.method, self.stop, **latest))
        another = [self.digit.input, self.another.click]
        page.follow(gr.on(another, with_error_message(choose), [self.digit, self.index], image, **latest))
        page.follow(self.any_digit.click(with_error_message(choose_any), self.index, image, **page.live))
        drawn = gr.on(
            [self.canvas.input, self.canvas.clear],
            with_error_message(take),
            [self.canvas, self.index],
            [self.digit, self.drawing],
            **latest,
        )
        page.follow(drawn)
        page.follow(self.redraw.click(lambda: random.randint(0, LARGEST_SEED), None, self.seed, **page.live))
        for tab, key in zip(tabs.children, keys, strict=True):
            page.follow(tab.select(lambda key=key: key, None, self.tab, **page.live))

        @in_language_of_now
        def open_link(query: str, mine: list[str]) -> list[object]:
            unchanged = [gr.skip()] * (len(restored_parts) - 1)
            if not isinstance(query, str) or query in ("", "?"):
                return [*unchanged, ""]
            try:
                bench, missing = restored(lab, query, tuple(keys))
            except Exception as error:
                return [*unchanged, message_of(escape(in_words(error)), "error")]
            return [
                bench.digit, bench.drawing, bench.sigma, bench.seed, bench.edits, bench.tab,
                *choosing(lab, mine, bench.method, bench.position),
                None if bench.drawing else class_of(bench.digit),
                draw.address(from_text(bench.drawing)) if bench.drawing else "",
                gr.Tabs(selected=bench.tab), missing, "",
            ]  # fmt: skip

        restored_parts = [
            self.index, self.drawing, self.sigma, self.seed, self.hand, self.tab,
            page.user_models, self.method, self.stop,
            self.digit, self.canvas, tabs, self.linked, self.trouble,
        ]  # fmt: skip
        given, address = [self.link, page.user_models], "(_, mine) => [location.search, mine]"
        page.follow(blocks.load(open_link, given, restored_parts, js=address, **page.live))
        page.follow(self.link.input(open_link, given, restored_parts, **page.live))
        page.wire(keys)


def _description(lab: Lab, stop: Stop) -> str:
    sparsity, recipe = lab.model(stop).sparsity, lab.recipes.get(stop.variant)
    of_method = {name: escape(word_of(sparsity, name)) for name in ("title", "asks_for")}
    words = say("description.plain", **of_method)
    if recipe and not stop.is_users and recipe.architecture != DEFAULT_ARCHITECTURE:
        about = say(f"families.{recipe.architecture}_about", dictionary=term("dictionary"))
        words = say("description.architecture", family=escape(family_title(recipe.family)), about=about)
    if recipe and not stop.is_users:
        key = ("noise_bundled" if lab.is_bundled else "noise") if recipe.noise else "no_noise"
        words = say(f"description.{key}", description=words, noise=recipe.noise)
    return f'<div class="sae"><p class="muted">{words}</p></div>'


def _stops(lab: Lab, bench: Bench) -> str:
    stops, chosen = lab.stops(bench.method), bench.stop(lab)
    compared = lab.compared(bench.method)
    marks = "".join(
        f'<span class="{"chosen" * (stop == chosen)} {"apart" * (stop not in compared)}">{escape(stop.label)}</span>'
        for stop in stops
    )
    ends = "".join(f"<span>{escape(end)}</span>" for end in lab.ends(bench.method))
    width = stops.index(compared[-1]) / max(len(stops) - 1, 1)  # not below the stops after those
    return (
        f'<div data-stop="{escape(chosen.title)}"><div class="stops" aria-hidden="true">{marks}</div>'
        + f'<div class="stops-ends" style="width: {width:.0%}" aria-hidden="true">{ends}</div>' * (width > 0)
        + f"{_turn(lab, bench.method)}</div>"
    )


def _turn(lab: Lab, method: str) -> str:
    """Where the error with noise is lowest, and what it is at both ends."""
    compared = lab.compared(method)
    if len(compared) < 2:
        return ""
    least = lab.least_noise(method)
    ends = ", ".join(_error_at(lab, stop) for stop in (compared[0], compared[-1]) if stop != least)
    return f'<p class="turn">{say("controls.turn", sigma=SIGMA, least=_error_at(lab, least), ends=ends)}</p>'


def _error_at(lab: Lab, stop: Stop) -> str:
    return say("controls.error_at", error=lab.denoise_mse(stop), stop=escape(stop.short))
