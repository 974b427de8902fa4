"""The first tab: one digit, some noise, every network of a way of being sparse."""

from __future__ import annotations

import random
from dataclasses import dataclass

import gradio as gr

from space.drawing import COLOUR_BAR, activation_image, digit_image, histogram
from space.lab import KNOBS, LARGEST_SEED, TITLES, InputError, Lab, Look, Stop, psnr

INTRO = """
# Sparse autoencoders, by touch
This network squeezes a picture of 784 pixels through **more** numbers than that: 900 *latents*. Left alone it would
just copy. A penalty, weighted by **beta**, keeps most latents off. Move beta to the right: the map of latents goes
dark, and for a long while the picture hardly suffers. Then add noise: the sparse ones leave the noise out.
"""

FIRST_SIGMA = 0.3
FIRST_DIGIT = 7
ENDS = {
    "l1": ("copies everything", "too sparse"),
    "kl-image": ("few on", "many on"),
    "kl-neuron": ("few on", "many on"),
    "topk": ("fewest", "most"),
    "adaptive-topk": ("fewest", "all"),
    "noise": ("clean pictures", "noisy pictures"),
}

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
SPEAK_CHANGES = "element.setAttribute('aria-live', 'polite');"
BARE = {"apply_default_css": False, "container": False}
# A fast drag sends only its latest position; pictures replace each other without a spinner.
LIVE = {"show_progress": "hidden", "concurrency_limit": 2, "api_visibility": "private"}


@dataclass(frozen=True)
class Choice:
    """The components that hold which network is chosen; the other tabs read them, and the frontier sets them."""

    way: gr.Radio
    stop: gr.Slider
    picks: gr.State
    """Counts choices that were made in another tab; the page follows each."""


def build(lab: Lab) -> Choice:
    """Lay out the tab inside the current Blocks and wire it."""
    way_names = [(TITLES[kind], kind) for kind in lab.ways]
    first_way = "l1"
    first_stop = lab.position(first_way, "l1-0.3")
    first = lab.of_class[FIRST_DIGIT][0].item()
    first_view = view(lab, first, 0, FIRST_SIGMA, first_way, first_stop)

    gr.Markdown(INTRO, elem_id="intro")
    index, seed = gr.State(first), gr.State(0)
    with gr.Row(elem_id="bench"):
        with gr.Column(scale=1, min_width=300, elem_id="controls"):
            way = gr.Radio(way_names, value=first_way, label="How latents are kept off", elem_id="way")
            with gr.Group():
                stop = gr.Slider(
                    0, len(lab.ways[first_way]) - 1, first_stop, step=1, label=KNOBS[first_way], elem_id="beta"
                )
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
    figures = gr.HTML(first_view[3], elem_id="figures", **BARE)

    shown = [stops, told, pictures, figures]
    inputs = [index, seed, sigma, way, stop]

    def show(index: int, seed: int, sigma: float, way: str, stop: int) -> tuple[str, ...]:
        return view(lab, index, seed, sigma, way, stop)

    def choose(label: str, index: int, seed: int, sigma: float, way: str, stop: int) -> tuple[int | str, ...]:
        chosen = lab.random_digit(int(label), other_than=index)
        return chosen, *view(lab, chosen, seed, sigma, way, stop)

    def choose_any(index: int, seed: int, sigma: float, way: str, stop: int) -> tuple[int | str, ...]:
        label = str(random.randrange(10))
        return label, *choose(label, index, seed, sigma, way, stop)

    def draw(index: int, sigma: float, way: str, stop: int) -> tuple[int | str, ...]:
        seed = random.randint(0, LARGEST_SEED)
        return seed, *view(lab, index, seed, sigma, way, stop)

    def change_way(index: int, seed: int, sigma: float, way: str) -> tuple[object, ...]:
        middle = len(lab.ways[way]) // 2
        slider = gr.Slider(maximum=len(lab.ways[way]) - 1, value=middle, label=KNOBS[way])
        return slider, *view(lab, index, seed, sigma, way, middle)

    gr.on([sigma.change, stop.change], show, inputs, shown, trigger_mode="always_last", **LIVE)
    way.input(change_way, inputs[:4], [stop, *shown], **LIVE)
    gr.on([digit.input, another.click], choose, [digit, *inputs], [index, *shown], **LIVE)
    anyone.click(choose_any, inputs, [digit, index, *shown], **LIVE)
    redraw.click(draw, [index, sigma, way, stop], [seed, *shown], **LIVE)
    picks = gr.State(0)
    picks.change(show, inputs, shown, **LIVE)
    return Choice(way, stop, picks)


def view(lab: Lab, index: int, seed: int, sigma: float, way: str, stop: int) -> tuple[str, str, str, str]:
    """Everything that depends on the controls, as HTML: slider stops, the story, the pictures, the figures."""
    try:
        stops = lab.ways[way]
        chosen = lab.stop_at(way, min(stop, len(stops) - 1))  # the slider may lag behind a change of way
        looks = dict(zip(stops, lab.look(index, sigma, seed, stops), strict=True))
    except (InputError, KeyError, TypeError) as error:  # what no control of the page can send
        raise gr.Error(f"That cannot be shown: {error}", print_exception=False) from error
    label = lab.labels[index].item()
    return (
        _stops(way, stops, chosen),
        _story(looks[chosen], chosen, label, sigma),
        _way(looks[chosen], label, sigma) + _strip(looks, chosen),
        _figures(lab, looks[chosen], chosen),
    )


def _stops(way: str, stops: list[Stop], chosen: Stop) -> str:
    marks = "".join(f'<span class="{"chosen" * (stop == chosen)}">{stop.label}</span>' for stop in stops)
    low, high = ENDS[way]
    return (
        f'<div aria-hidden="true" data-stop="{chosen.title}"><div class="stops">{marks}</div>'
        f'<div class="stops-ends"><span>{low}</span><span>{high}</span></div></div>'
    )


def _story(look: Look, stop: Stop, label: int, sigma: float) -> str:
    latents = len(look.activations)
    sentence = f"<b>{stop.title}</b> rebuilds this {label} at {look.psnr:.1f} dB"
    if sigma > 0:
        noisy_psnr = _psnr_of_noise(look)
        verdict = "cleaner" if look.psnr > noisy_psnr else "no cleaner"
        sentence += f", {verdict} than the noisy picture it was given ({noisy_psnr:.1f} dB)"
    return (
        f'<div class="sae"><p>{sentence}. About <b>{look.effective_l0:.0f}</b> of its {latents} latents carry the '
        f"picture; {latents - look.l0} are off.</p></div>"
    )


def _psnr_of_noise(look: Look) -> float:
    return psnr((look.noisy - look.clean).square().mean().item())


def _way(look: Look, label: int, sigma: float) -> str:
    arrow = '<div class="arrow" aria-hidden="true">→</div>'
    noisy_psnr = f"{_psnr_of_noise(look):.1f} dB" if sigma > 0 else "no noise"
    steps = [
        figure(digit_image(look.clean, f"A clean handwritten {label}"), "Clean", f"a {label} of the test set"),
        figure(digit_image(look.noisy, f"The same {label} with noise of sigma {sigma:g}"), "With noise", noisy_psnr),
        figure(
            activation_image(look.activations, f"Map of 900 latents; mean activation {look.mean_activation:.3f}")
            + colour_bar("0 off", "1 on"),
            "Its latents",
            f"mean activation {look.mean_activation:.3f}",
        ),
        figure(
            digit_image(look.reconstruction, f"The {label} as rebuilt from these latents"),
            "Rebuilt",
            f"PSNR {look.psnr:.1f} dB",
        ),
    ]
    return f'<div class="sae"><div class="way">{arrow.join(steps)}</div></div>'


def colour_bar(low: str, high: str) -> str:
    """The colours of an activation map, from low to high."""
    return (
        f'<div class="scale" style="background: linear-gradient(90deg, {COLOUR_BAR})" aria-hidden="true"></div>'
        f'<div class="scale-ends"><span>{low}</span><span>{high}</span></div>'
    )


def _strip(looks: dict[Stop, Look], chosen: Stop) -> str:
    cards = "".join(
        figure(
            digit_image(look.reconstruction, f"Rebuilt by {stop.title}, PSNR {look.psnr:.1f} dB"),
            stop.title if stop.k is None else f"k = {stop.k}",
            f"{look.psnr:.1f} dB",
            "chosen" * (stop == chosen),
        )
        for stop, look in looks.items()
    )
    return (
        '<div class="sae" style="margin-top: 18px"><h2>The same picture at every stop</h2>'
        f'<div class="strip">{cards}</div></div>'
    )


def figure(picture: str, title: str, caption: str, css_class: str = "") -> str:
    """A picture with a title and a line below it."""
    return f'<figure class="{css_class}">{picture}<figcaption><b>{title}</b>{caption}</figcaption></figure>'


def _figures(lab: Lab, look: Look, stop: Stop) -> str:
    e = lab.evaluation(stop)
    charts = histogram(
        e.activation_histogram, e.mean_activation, "All activations", "activation", "share of activations"
    ) + histogram(
        e.latent_histogram, e.mean_activation, "Mean of each latent", "mean activation of a latent", "share of latents"
    )
    rows = [
        ("Error per pixel (mse)", f"{look.mse:.4f}", f"{e.mse:.4f}"),
        ("Mean activation", f"{look.mean_activation:.3f}", f"{e.mean_activation:.3f}"),
        ("Latents that carry a picture (effective L0)", f"{look.effective_l0:.0f}", f"{e.effective_l0:.0f}"),
        ("Latents not exactly zero (L0)", f"{look.l0}", f"{e.l0:.0f}"),
        ("Variance lost (FVU)", "", f"{e.fvu:.1%}"),
        ("Error from noise of sigma 0.3 (mse)", "", f"{e.denoise_mse['0.3']:.4f}"),
        ("Latents that never matter (dead)", "", f"{e.dead_fraction:.1%}"),
    ]
    body = "".join(f'<tr><th scope="row">{what}</th><td>{here}</td><td>{test}</td></tr>' for what, here, test in rows)
    return (
        f'<div class="sae" style="margin-top: 8px"><h2>{stop.title} on all {len(lab.images):,} test pictures</h2>'
        f'<div class="charts">{charts}<table><thead><tr><td></td><th scope="col">this picture</th>'
        f'<th scope="col">test set, no noise</th></tr></thead><tbody>{body}</tbody></table></div></div>'
    )
