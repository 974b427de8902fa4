"""The first tab: the image, its noise, its latents and its reconstruction, beside every other model of the method."""

from __future__ import annotations

from html import escape

import gradio as gr

from space.bench import Bench
from space.drawing import ACTIVATION_COLOURS, card, colour_bar, image_of
from space.lab import SEVERAL, SIGMA, Lab, Look, Stop
from space.latent_card import latent_map
from space.parts import QUICK, SPEAK_CHANGES, Page, Part
from space.terms import term
from training.histograms import activation_charts, histogram_of

KEY, TITLE = "see", "See"
BINS = ["logarithmic", "ten equal"]
ARROW = '<div class="arrow" aria-hidden="true">→</div>'


def build(page: Page) -> None:
    """Lay out the tab inside the current Blocks, and let it follow the bench."""
    lab, first = page.lab, page.first
    images = page.html("images", _images(lab, first))
    summary = page.html("summary", _summary(lab, first), js_on_load=SPEAK_CHANGES)
    strip = page.html("strip", _strip(lab, first))
    with gr.Row(elem_id="numbers"):
        with gr.Column(scale=2, min_width=300):
            bins = gr.Radio(BINS, value=BINS[0], label="Bins of the histograms", elem_id="bins")
            histograms = page.html("histograms", _histograms(lab, first, BINS[0]))
        with gr.Column(scale=1, min_width=300):
            metrics = page.html("metrics", _metrics(lab, first))
    page.add(Part([images, summary], lambda bench: [_images(lab, bench), _summary(lab, bench)], tab=KEY, when=QUICK))
    page.add(Part([strip, metrics], lambda bench: [_strip(lab, bench), _metrics(lab, bench)], tab=KEY))
    page.add(Part([histograms], lambda bench, bins: [_histograms(lab, bench, bins)], [bins], KEY))


def name_of(lab: Lab, bench: Bench) -> str:
    """What the image on the bench is called."""
    return "drawing" if bench.drawing else lab.name(bench.digit) if len(lab.classes) > 1 else "image"


def edited(lab: Lab, bench: Bench) -> tuple[Look, Look]:
    """What the chosen model makes of the image on the bench: without and with the latents that were set by hand."""
    stop, look = bench.stop(lab), bench.look(lab)
    edits = bench.edits_of(stop)
    return look, lab.edited(look, stop, edits) if edits else look


def _images(lab: Lab, bench: Bench) -> str:
    stop, name = bench.stop(lab), name_of(lab, bench)
    plain, look = edited(lab, bench)
    source = "scaled and centred as MNIST's" if bench.drawing else f"{escape(name)}, test split"
    noisy = f"{term('PSNR')} {look.psnr_of(look.noise_mse):.1f} dB" if bench.sigma > 0 else "no noise"
    steps = [
        card(image_of(lab.picture(look.clean), f"A clean {name}"), "Clean", source),
        card(
            image_of(lab.picture(look.noisy), f"The same {name} with noise of sigma {bench.sigma:g}"),
            f"With noise {bench.sigma:g}",
            noisy,
        ),
        card(
            latent_map(lab, bench, look.activations, bench.edits_of(stop)),
            f"{len(look.latents)} {term('latents')}",
            colour_bar(ACTIVATION_COLOURS, "0 off", "1 on"),
            "map",
        ),
        card(
            image_of(lab.picture(look.reconstruction), f"The {name} as reconstructed from these latents"),
            "Reconstruction" if look is plain else "Edited",
            f"{term('PSNR')} <b>{look.psnr:.1f} dB</b>",
        ),
    ]
    if look is not plain:
        words = f"The {name} as reconstructed from the latents before the edit"
        unedited = image_of(lab.picture(plain.reconstruction), words)
        steps.append(card(unedited, "Unedited", f"{term('PSNR')} {plain.psnr:.1f} dB"))
    return f'<div class="sae"><div class="steps of{len(steps)}">{ARROW.join(steps[:4])}{"".join(steps[4:])}</div></div>'


def _summary(lab: Lab, bench: Bench) -> str:
    stop, (plain, look) = bench.stop(lab), edited(lab, bench)
    edits = bench.edits_of(stop)
    if edits:
        undo = "".join(
            f'<button type="button" class="undo" data-latent="{latent}" aria-label="Undo the edit of latent {latent}">'
            f"{latent} {'off' if value == 0 else f'= {value:.3g}'} ✕</button>"
            for latent, value in edits.items()
        )
        return (
            f'<div class="sae"><p>Set by hand: {undo} Squared error per pixel <b>{look.mse:.4f}</b>, unedited '
            f"<b>{plain.mse:.4f}</b>.</p></div>"
        )
    off, latents = len(look.latents) - look.l0, len(look.latents)
    return (
        f'<div class="sae"><p><b>{escape(stop.title)}</b>: about <b>{look.effective_l0:.0f}</b> of {latents} latents '
        f"carry this {escape(name_of(lab, bench))} ({term('effective L0')}), {off} are 0. Hover over a cell; "
        "click to change its latent.</p></div>"
    )


def _strip(lab: Lab, bench: Bench) -> str:
    stops, chosen = lab.stops(bench.method), bench.stop(lab)
    cards = "".join(
        _thumbnail(lab, lab.look(bench.specimen, stop), stop, position, stop == chosen)
        for position, stop in enumerate(stops)
    )
    return (
        '<div class="sae"><h2>The same image at every stop <span class="muted">a click chooses it</span></h2>'
        f'<div class="strip" style="--stops: {len(stops)}">{cards}</div></div>'
    )


def _thumbnail(lab: Lab, look: Look, stop: Stop, position: int, chosen: bool) -> str:
    image = image_of(lab.picture(look.reconstruction), f"Choose {stop.title}: PSNR {look.psnr:.1f} dB")
    return (
        f'<button type="button" class="{"chosen" * chosen}" data-position="{position}" aria-pressed="'
        f'{str(chosen).lower()}">{image}<b>{escape(stop.short)}</b><span>{look.psnr:.1f} dB</span></button>'
    )


def _histograms(lab: Lab, bench: Bench, bins: str) -> str:
    _, look = edited(lab, bench)
    of_image = histogram_of(look.activations)
    means = lab.means(bench.stop(lab), bench.sigma, bench.seed)
    charts = "".join(chart.svg() for chart in activation_charts(of_image, means, linear=bins == BINS[1]))
    return (
        f'<div class="sae"><div class="charts">{charts}</div><p class="muted">Left: of this image. '
        f"Right: over the first {SEVERAL} test images, noise {bench.sigma:g}.</p></div>"
    )


def _metrics(lab: Lab, bench: Bench) -> str:
    stop = bench.stop(lab)
    (_, look), e = edited(lab, bench), lab.evaluation(stop)
    rows = [
        (term("mse", "Squared error"), f"{look.mse:.4f}", f"{e.mse:.4f}"),
        (f"… with noise {SIGMA:g}", "", f"{lab.denoise_mse(stop):.4f}"),
        (term("FVU", "Variance lost"), "", f"{e.fvu:.1%}"),
        (term("mean activation", "Mean activation"), f"{look.mean_activation:.3f}", f"{e.mean_activation:.3f}"),
        (term("effective L0", "Effective L0"), f"{look.effective_l0:.0f}", f"{e.effective_l0:.0f}"),
        (term("L0", "L0"), f"{look.l0}", f"{e.l0:.0f}"),
        (term("dead", "Dead latents"), "", f"{e.dead_fraction:.1%}"),
    ]
    body = "".join(f'<tr><th scope="row">{what}</th><td>{here}</td><td>{test}</td></tr>' for what, here, test in rows)
    return (
        f'<div class="sae"><table><thead><tr><th scope="col">{escape(stop.title)}</th><th scope="col">this image</th>'
        f'<th scope="col">test split</th></tr></thead><tbody>{body}</tbody></table></div>'
    )
