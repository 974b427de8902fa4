"""The first tab: one digit, some noise, every network of a way of being sparse."""

from __future__ import annotations

import random

import gradio as gr

from space import bring
from space.errors import in_sentences
from space.lab import GUEST, LARGEST_SEED, Lab
from space.parts import BARE, LIVE, SPEAK_CHANGES, Choice, stop_slider, way_choices
from space.view import view

INTRO = """
# Sparse autoencoders, by touch
This network squeezes a picture of 784 pixels through **more** numbers than that: 900 *latents*. Left alone it would
just copy. A penalty, weighted by **beta**, keeps most latents off. Move beta to the right: the map of latents goes
dark, and for a long while the picture hardly suffers. Then add noise: the sparse ones leave the noise out.
"""

FIRST_SIGMA = 0.3
FIRST_DIGIT = 7

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
    first_way = "l1"
    first_stop = lab.position(first_way, "l1-0.3")
    first = lab.of_class[FIRST_DIGIT][0].item()
    first_view = view(lab, first, 0, FIRST_SIGMA, first_way, first_stop)

    gr.Markdown(INTRO, elem_id="intro")
    index, seed = gr.State(first), gr.State(0)
    with gr.Row(elem_id="bench"):
        with gr.Column(scale=1, min_width=300, elem_id="controls"):
            ways = way_choices(lab, [])
            way = gr.Radio(ways, value=first_way, label="How latents are kept off", elem_id="way")
            with gr.Group():
                stop = stop_slider(lab, first_way, first_stop)
                stops = gr.HTML(first_view[0], elem_id="stops", js_on_load=NAME_STOPS, **BARE)
            sigma = gr.Slider(0, 1, FIRST_SIGMA, step=0.01, label="Noise (sigma)", elem_id="noise")
            redraw = gr.Button("Draw the noise anew", size="sm")
            digits = [str(label) for label in range(10)]
            digit = gr.Radio(digits, value=str(FIRST_DIGIT), label="Digit", elem_id="digit")
            with gr.Row():
                another = gr.Button("Another one of these", size="sm", min_width=120)
                anyone = gr.Button("Any digit", size="sm", min_width=120)
        with gr.Column(scale=3, min_width=320):
            told = gr.HTML(first_view[1], elem_id="told", js_on_load=SPEAK_CHANGES, **BARE)
            pictures = gr.HTML(first_view[2], elem_id="pictures", **BARE)
    box = bring.lay_out(lab)
    figures = gr.HTML(first_view[3], elem_id="figures", **BARE)

    shown = [stops, told, pictures, figures]
    inputs = [index, seed, sigma, way, stop]
    choice = Choice(way, stop, picks=gr.State(0), guests=gr.State([]))

    @in_sentences
    def show(index: int, seed: int, sigma: float, way: str, stop: int) -> tuple[str, ...]:
        return view(lab, index, seed, sigma, way, stop)

    @in_sentences
    def choose(label: str, index: int, seed: int, sigma: float, way: str, stop: int) -> tuple[int | str, ...]:
        chosen = lab.random_digit(int(label), other_than=index)
        return chosen, *view(lab, chosen, seed, sigma, way, stop)

    @in_sentences
    def choose_any(index: int, seed: int, sigma: float, way: str, stop: int) -> tuple[int | str, ...]:
        label = str(random.randrange(10))
        return label, *choose(label, index, seed, sigma, way, stop)

    @in_sentences
    def draw(index: int, sigma: float, way: str, stop: int) -> tuple[int | str, ...]:
        seed = random.randint(0, LARGEST_SEED)
        return seed, *view(lab, index, seed, sigma, way, stop)

    @in_sentences
    def change_way(index: int, seed: int, sigma: float, way: str) -> tuple[object, ...]:
        stops = len(lab.stops(way))
        start = stops - 1 if way.startswith(GUEST) else stops // 2
        return stop_slider(lab, way, start), *view(lab, index, seed, sigma, way, start)

    gr.on([sigma.change, stop.change], show, inputs, shown, trigger_mode="always_last", **LIVE)
    way.input(change_way, inputs[:4], [stop, *shown], **LIVE)
    gr.on([digit.input, another.click], choose, [digit, *inputs], [index, *shown], **LIVE)
    anyone.click(choose_any, inputs, [digit, index, *shown], **LIVE)
    redraw.click(draw, [index, sigma, way, stop], [seed, *shown], **LIVE)
    choice.picks.change(show, inputs, shown, **LIVE)
    bring.wire(page, lab, box, choice, [index, seed, sigma], shown)
    return choice
