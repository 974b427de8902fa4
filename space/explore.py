"""The first tab: one digit, some noise, every variant."""

from __future__ import annotations

import random

import gradio as gr

from sae_model.sparsity import L1, Sparsity
from space.drawing import COLOUR_BAR, activation_image, digit_image, histogram
from space.lab import LARGEST_SEED, Lab, Look, psnr

INTRO = """
# Sparse autoencoders, by touch
This network squeezes a picture of 784 pixels through **more** numbers than that: 900 *latents*. Left alone it would
just copy. A penalty, weighted by **beta**, keeps most latents off. Move beta to the right: the map of latents goes
dark, and for a long while the picture hardly suffers. Then add noise: the sparse ones leave the noise out.
"""

FIRST_SIGMA = 0.3
FIRST_DIGIT = 7

# Screen readers would read the beta slider's position; tell them the stop's name instead, and follow it.
NAME_STOPS = """
const names = props.names;
function tell() {
  const slider = document.querySelector('#beta input[type=range]');
  if (slider) slider.setAttribute('aria-valuetext', names[Number(slider.value)]);
  else setTimeout(tell, 100);
}
tell();
watch('value', tell);
"""

SPEAK_CHANGES = "element.setAttribute('aria-live', 'polite');"


def stop_label(sparsity: Sparsity) -> str:
    """What stands under a stop of the beta slider."""
    return f"{sparsity.beta:g}".removeprefix("0") if isinstance(sparsity, L1) else "0"


def build(lab: Lab) -> None:
    """Lay out the tab inside the current Blocks and wire it."""
    names = list(lab.variants)
    first_stop = names.index(max(names, key=lambda name: -abs(lab.evaluations[name].effective_l0 - 60)))
    first = lab.of_class[FIRST_DIGIT][0].item()
    first_view = view(lab, first, 0, FIRST_SIGMA, first_stop)

    bare = {"apply_default_css": False, "container": False}
    gr.Markdown(INTRO, elem_id="intro")
    index, seed = gr.State(first), gr.State(0)
    with gr.Row(elem_id="bench"):
        with gr.Column(scale=1, min_width=300, elem_id="controls"):
            with gr.Group():
                stop = gr.Slider(
                    0,
                    len(names) - 1,
                    first_stop,
                    step=1,
                    label="Sparsity (beta)",
                    info="Weight of the penalty; each stop is a network of its own",
                    elem_id="beta",
                )
                stops = gr.HTML(first_view[0], elem_id="stops", js_on_load=NAME_STOPS, names=names, **bare)
            sigma = gr.Slider(
                0, 1, FIRST_SIGMA, step=0.01, label="Noise (sigma)", info="Its spread on each pixel", elem_id="noise"
            )
            redraw = gr.Button("Draw the noise anew", size="sm")
            digit = gr.Radio(
                [str(label) for label in range(10)], value=str(FIRST_DIGIT), label="Digit", elem_id="digit"
            )
            with gr.Row():
                another = gr.Button("Another one of these", size="sm", min_width=120)
                anyone = gr.Button("Any digit", size="sm", min_width=120)
        with gr.Column(scale=3, min_width=320):
            told = gr.HTML(first_view[1], elem_id="told", js_on_load=SPEAK_CHANGES, **bare)
            pictures = gr.HTML(first_view[2], elem_id="pictures", **bare)
    figures = gr.HTML(first_view[3], elem_id="figures", **bare)

    shown = [stops, told, pictures, figures]
    inputs = [index, seed, sigma, stop]

    def show(index: int, seed: int, sigma: float, stop: int) -> tuple[str, ...]:
        return view(lab, index, seed, sigma, stop)

    def choose(label: str, index: int, seed: int, sigma: float, stop: int) -> tuple[int | str, ...]:
        chosen = lab.random_digit(int(label), other_than=index)
        return chosen, *view(lab, chosen, seed, sigma, stop)

    def choose_any(index: int, seed: int, sigma: float, stop: int) -> tuple[int | str, ...]:
        label = str(random.randrange(10))
        return label, *choose(label, index, seed, sigma, stop)

    def draw(index: int, sigma: float, stop: int) -> tuple[int | str, ...]:
        seed = random.randint(0, LARGEST_SEED)
        return seed, *view(lab, index, seed, sigma, stop)

    # A fast drag sends only its latest position; pictures replace each other without a spinner.
    live = {"show_progress": "hidden", "concurrency_limit": 4, "api_visibility": "private"}
    gr.on([sigma.change, stop.change], show, inputs, shown, trigger_mode="always_last", **live)
    gr.on([digit.input, another.click], choose, [digit, *inputs], [index, *shown], **live)
    anyone.click(choose_any, inputs, [digit, index, *shown], **live)
    redraw.click(draw, [index, sigma, stop], [seed, *shown], **live)


def view(lab: Lab, index: int, seed: int, sigma: float, stop: int) -> tuple[str, str, str, str]:
    """Everything that depends on the controls, as HTML: slider stops, the story, the pictures, the figures."""
    names = list(lab.variants)
    chosen = names[stop]
    looks = lab.look(index, sigma, seed, names)
    label = lab.labels[index].item()
    return (
        _stops(lab, stop),
        _story(looks[chosen], chosen, label, sigma),
        _way(looks[chosen], label, sigma) + _strip(looks, chosen),
        _figures(lab, looks[chosen], chosen),
    )


def _stops(lab: Lab, stop: int) -> str:
    labels = [stop_label(model.sparsity) for model in lab.variants.values()]
    marks = "".join(f'<span class="{"chosen" * (i == stop)}">{text}</span>' for i, text in enumerate(labels))
    return (
        f'<div aria-hidden="true"><div class="stops">{marks}</div>'
        '<div class="stops-ends"><span>copies everything</span><span>too sparse</span></div></div>'
    )


def _story(look: Look, name: str, label: int, sigma: float) -> str:
    latents = len(look.activations)
    sentence = f"<b>{name}</b> rebuilds this {label} at {look.psnr:.1f} dB"
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
    bar = (
        f'<div class="scale" style="background: linear-gradient(90deg, {COLOUR_BAR})" aria-hidden="true"></div>'
        '<div class="scale-ends"><span>0 off</span><span>1 on</span></div>'
    )
    noisy_psnr = f"{_psnr_of_noise(look):.1f} dB" if sigma > 0 else "no noise"
    steps = [
        _figure(digit_image(look.clean, f"A clean handwritten {label}"), "Clean", f"a {label} of the test set"),
        _figure(digit_image(look.noisy, f"The same {label} with noise of sigma {sigma:g}"), "With noise", noisy_psnr),
        _figure(
            activation_image(look.activations, f"Map of 900 latents; mean activation {look.mean_activation:.3f}") + bar,
            "Its latents",
            f"mean activation {look.mean_activation:.3f}",
        ),
        _figure(
            digit_image(look.reconstruction, f"The {label} as rebuilt from these latents"),
            "Rebuilt",
            f"PSNR {look.psnr:.1f} dB",
        ),
    ]
    return f'<div class="sae"><div class="way">{arrow.join(steps)}</div></div>'


def _strip(looks: dict[str, Look], chosen: str) -> str:
    cards = "".join(
        _figure(
            digit_image(look.reconstruction, f"Rebuilt by {name}, PSNR {look.psnr:.1f} dB"),
            name,
            f"{look.psnr:.1f} dB",
            "chosen" * (name == chosen),
        )
        for name, look in looks.items()
    )
    return (
        '<div class="sae" style="margin-top: 18px"><h2>The same picture through every network</h2>'
        f'<div class="strip">{cards}</div></div>'
    )


def _figure(picture: str, title: str, caption: str, css_class: str = "") -> str:
    return f'<figure class="{css_class}">{picture}<figcaption><b>{title}</b>{caption}</figcaption></figure>'


def _figures(lab: Lab, look: Look, name: str) -> str:
    e = lab.evaluations[name]
    images = len(lab.images)
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
        f'<div class="sae" style="margin-top: 8px"><h2>{name} on all {images:,} test pictures</h2>'
        f'<div class="charts">{charts}<table><thead><tr><td></td><th scope="col">this picture</th>'
        f'<th scope="col">test set, no noise</th></tr></thead><tbody>{body}</tbody></table></div></div>'
    )
