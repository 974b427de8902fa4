"""The first tab: one image (of the test split, or the visitor's own), some noise, every model of a sparsity method."""

from __future__ import annotations

import random

import gradio as gr

from space import draw, user_model_box
from space.errors import with_error_message
from space.lab import CLASSES, LARGEST_SEED, SIGMA, Lab
from space.own_digit import standardise, to_text
from space.parts import BARE, LIVE, SPEAK_CHANGES, Choice, method_choices, stop_slider
from space.view import view

INTRO = """
# Sparse autoencoders, by touch
A model here turns an image of 784 pixels into 900 numbers, its *latents*, and those back into an image. These are
**more** numbers than pixels, so without a penalty it may just copy. A penalty, weighted by **beta**, turns latents off.
Move beta and watch how many stay on, how much noise comes through, and how much of the image is lost. The line below
the slider says where the error is lowest. The models have seen no noise in training, but for *Trained on noise*.
"""

FIRST_CLASS = 7

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


def build(page: gr.Blocks, lab: Lab) -> Choice:
    """Lay out the tab inside the current Blocks and wire it."""
    first_method = next(iter(lab.families))
    first_stop = lab.first_position(first_method)
    first = lab.of_class[FIRST_CLASS][0].item()
    first_view = view(lab, first, 0, SIGMA, first_method, first_stop)

    gr.Markdown(INTRO, elem_id="intro")
    index, seed, drawing = gr.State(first), gr.State(0), gr.State("")
    with gr.Row(elem_id="bench"):
        with gr.Column(scale=1, min_width=300, elem_id="controls"):
            with gr.Group():
                methods = method_choices(lab, [])
                method = gr.Radio(methods, value=first_method, label="Sparsity method", elem_id="method")
                description = gr.HTML(first_view[0], elem_id="description", js_on_load=SPEAK_CHANGES, **BARE)
            with gr.Group():
                stop = stop_slider(lab, first_method, first_stop)
                stops = gr.HTML(first_view[1], elem_id="stops", js_on_load=NAME_STOPS, **BARE)
            sigma = gr.Slider(0, 1, SIGMA, step=0.01, label="Noise (sigma)", elem_id="noise")
            redraw = gr.Button("Draw the noise anew", size="sm")
            digits = [(name, str(label)) for label, name in enumerate(CLASSES)]
            digit = gr.Radio(digits, value=str(FIRST_CLASS), label="Digit", elem_id="digit")
            with gr.Row():
                another = gr.Button("Another one of these", size="sm", min_width=120)
                any_digit = gr.Button("Any digit", size="sm", min_width=120)
            canvas = draw.build()
        with gr.Column(scale=3, min_width=320):
            summary = gr.HTML(first_view[2], elem_id="summary", js_on_load=SPEAK_CHANGES, **BARE)
            images = gr.HTML(first_view[3], elem_id="images", **BARE)
    box = user_model_box.lay_out(lab)
    metrics = gr.HTML(first_view[4], elem_id="metrics", **BARE)

    shown = [description, stops, summary, images, metrics]
    inputs = [index, seed, sigma, method, stop, drawing]
    choice = Choice(method, stop, picks=gr.State(0), user_models=gr.State([]))

    @with_error_message
    def show(index: int, seed: int, sigma: float, method: str, stop: int, drawing: str) -> tuple[str, ...]:
        return view(lab, index, seed, sigma, method, stop, drawing)

    @with_error_message
    def choose(label: str, index: int, seed: int, sigma: float, method: str, stop: int) -> tuple[int | str, ...]:
        chosen = lab.random_image(int(label), other_than=index)
        return chosen, "", "", *view(lab, chosen, seed, sigma, method, stop)

    @with_error_message
    def choose_any(index: int, seed: int, sigma: float, method: str, stop: int) -> tuple[int | str, ...]:
        label = str(random.randrange(len(CLASSES)))
        return label, *choose(label, index, seed, sigma, method, stop)

    @with_error_message
    def take(value: str, index: int, seed: int, sigma: float, method: str, stop: int) -> tuple[str, ...]:
        ink = draw.drawn(value)
        text = "" if ink is None else to_text(standardise(ink))
        return text, *view(lab, index, seed, sigma, method, stop, text)

    @with_error_message
    def new_noise(index: int, sigma: float, method: str, stop: int, drawing: str) -> tuple[int | str, ...]:
        seed = random.randint(0, LARGEST_SEED)
        return seed, *view(lab, index, seed, sigma, method, stop, drawing)

    @with_error_message
    def change_method(index: int, seed: int, sigma: float, method: str, drawing: str) -> tuple[object, ...]:
        start = lab.first_position(method)
        return stop_slider(lab, method, start), *view(lab, index, seed, sigma, method, start, drawing)

    gr.on([sigma.change, stop.change], show, inputs, shown, trigger_mode="always_last", **LIVE)
    method.input(change_method, [*inputs[:4], drawing], [stop, *shown], **LIVE)
    chosen = [index, drawing, canvas, *shown]
    gr.on([digit.input, another.click], choose, [digit, *inputs[:5]], chosen, **LIVE)
    any_digit.click(choose_any, inputs[:5], [digit, *chosen], **LIVE)
    changes = [canvas.input, canvas.clear]
    gr.on(changes, take, [canvas, *inputs[:5]], [drawing, *shown], trigger_mode="always_last", **LIVE)
    redraw.click(new_noise, [index, sigma, method, stop, drawing], [seed, *shown], **LIVE)
    choice.picks.change(show, inputs, shown, **LIVE)
    user_model_box.wire(page, lab, box, choice, [index, seed, sigma, drawing], shown)
    return choice
