"""The first tab: the image, its noise, its latents and its reconstruction, beside every other model of the method."""

from __future__ import annotations

from html import escape

import gradio as gr

from space.bench import Bench
from space.drawing import ACTIVATION_COLOURS, card, colour_bar, image_of
from space.lab import SEVERAL, SIGMA, Lab, Look, Stop
from space.latent_card import latent_map
from space.parts import QUICK, SPEAK_CHANGES, Page, Part, message_of
from space.terms import term
from training.draw.histograms import activation_charts, histogram_of
from training.words import say

KEY = "see"
BINS = ("logarithmic", "equal")
ARROW = '<div class="arrow" aria-hidden="true">→</div>'


def build(page: Page) -> None:
    """Lay out the tab inside the current Blocks, and let it follow the bench."""
    lab, first = page.lab, page.first
    images = page.html("images", _images(lab, first))
    summary = page.html("summary", _summary(lab, first), js_on_load=SPEAK_CHANGES)
    strip = page.html("strip", _strip(lab, first))
    with gr.Row(elem_id="numbers"):
        with gr.Column(scale=2, min_width=300):
            kinds = [(say(f"see.{kind}"), kind) for kind in BINS]
            bins = gr.Radio(kinds, value=BINS[0], label=say("see.bins"), elem_id="bins")
            histograms = page.html("histograms", _histograms(lab, first, BINS[0]))
        with gr.Column(scale=1, min_width=300):
            metrics = page.html("metrics", _metrics(lab, first))
    page.add(Part([images, summary], lambda bench: [_images(lab, bench), _summary(lab, bench)], tab=KEY, when=QUICK))
    page.add(Part([strip, metrics], lambda bench: [_strip(lab, bench), _metrics(lab, bench)], tab=KEY))
    page.add(Part([histograms], lambda bench, bins: [_histograms(lab, bench, bins)], [bins], KEY))


def name_of(lab: Lab, bench: Bench) -> str:
    """What the image on the bench is called."""
    if bench.drawing:
        return say("see.drawing")
    return lab.name(bench.digit) if len(lab.classes) > 1 else say("see.image")


def edited(lab: Lab, bench: Bench) -> tuple[Look, Look]:
    """What the chosen model makes of the image on the bench: without and with the latents that were set by hand."""
    stop, look = bench.stop(lab), bench.look(lab)
    edits = bench.edits_of(stop)
    return look, lab.edited(look, stop, edits) if edits else look


def _images(lab: Lab, bench: Bench) -> str:
    stop, name = bench.stop(lab), name_of(lab, bench)
    plain, look = edited(lab, bench)
    source = say("see.drawn") if bench.drawing else say("see.from_test", name=escape(name))
    psnr = term("PSNR")
    noisy = say("see.psnr", PSNR=psnr, psnr=look.psnr_of(look.noise_mse)) if bench.sigma > 0 else say("see.no_noise")
    steps = [
        card(image_of(lab.picture(look.clean), say("see.clean_alt", name=name)), say("see.clean"), source),
        card(
            image_of(lab.picture(look.noisy), say("see.noisy_alt", name=name, sigma=bench.sigma)),
            say("see.with_noise", sigma=bench.sigma),
            noisy,
        ),
        card(
            latent_map(lab, bench, look.activations, bench.edits_of(stop)),
            say("see.latents", count=len(look.latents), latents=term("latents")),
            colour_bar(ACTIVATION_COLOURS, say("see.off"), say("see.on")),
            "map",
        ),
        card(
            image_of(lab.picture(look.reconstruction), say("see.reconstruction_alt", name=name)),
            say("see.reconstruction" if look is plain else "see.edited"),
            say("see.psnr_bold", PSNR=psnr, psnr=look.psnr),
        ),
    ]
    if look is not plain:
        unedited = image_of(lab.picture(plain.reconstruction), say("see.unedited_alt", name=name))
        steps.append(card(unedited, say("see.unedited"), say("see.psnr", PSNR=psnr, psnr=plain.psnr)))
    return f'<div class="sae"><div class="steps of{len(steps)}">{ARROW.join(steps[:4])}{"".join(steps[4:])}</div></div>'


def _summary(lab: Lab, bench: Bench) -> str:
    stop, look = bench.stop(lab), bench.look(lab)
    words = edits_of(lab, bench)
    if not words:
        words = say(
            "see.summary",
            title=escape(stop.title),
            name=escape(name_of(lab, bench)),
            effective_l0=look.effective_l0,
            latents=len(look.latents),
            term=term("effective L0"),
            off=len(look.latents) - look.l0,
        )
    return message_of(words)


def edits_of(lab: Lab, bench: Bench) -> str:
    """Which latents were set by hand, how each is undone, and what that changed, as HTML; "" where none was."""
    plain, look = edited(lab, bench)
    if look is plain:
        return ""
    stop = bench.stop(lab)
    undo = "".join(
        f'<button type="button" class="undo" data-latent="{latent}" data-stop="{escape(stop.key)}" aria-label="'
        f'{escape(say("see.undo_aria", latent=latent))}">'
        f"{say('see.undo_set' if value else 'see.undo_off', latent=latent, value=value)} ✕</button>"
        for latent, value in bench.edits_of(stop).items()
    )
    return say("see.edits", undo=undo, mse=look.mse, plain=plain.mse)


def _strip(lab: Lab, bench: Bench) -> str:
    chosen = bench.stop(lab)
    stops = [(at, stop) for at, stop in enumerate(lab.stops(bench.method)) if stop.label or stop == chosen]
    cards = "".join(
        _thumbnail(lab, lab.look(bench.specimen, stop), stop, position, stop == chosen) for position, stop in stops
    )
    return (
        f'<div class="sae"><h2>{say("see.strip")}</h2>'
        f'<div class="strip" style="--stops: {len(stops)}">{cards}</div></div>'
    )


def _thumbnail(lab: Lab, look: Look, stop: Stop, position: int, chosen: bool) -> str:
    image = image_of(lab.picture(look.reconstruction), say("see.choose_stop", title=stop.title, psnr=look.psnr))
    return (
        f'<button type="button" class="{"chosen" * chosen}" data-position="{position}" aria-pressed="'
        f'{str(chosen).lower()}">{image}<b>{escape(stop.short)}</b>'
        f"<span>{say('see.db', psnr=look.psnr)}</span></button>"
    )


def _histograms(lab: Lab, bench: Bench, bins: str) -> str:
    _, look = edited(lab, bench)
    of_image = histogram_of(look.activations)
    means = lab.means(bench.stop(lab), bench.sigma, bench.seed)
    charts = "".join(chart.svg() for chart in activation_charts(of_image, means, linear=bins == BINS[1]))
    words = say("see.histograms", several=SEVERAL, sigma=bench.sigma)
    return f'<div class="sae"><div class="charts">{charts}</div><p class="muted">{words}</p></div>'


def _metrics(lab: Lab, bench: Bench) -> str:
    stop = bench.stop(lab)
    (_, look), e = edited(lab, bench), lab.evaluation(stop)
    rows = [
        (term("mse"), f"{look.mse:.4f}", f"{e.mse:.4f}"),
        (say("see.denoise", sigma=SIGMA), "", f"{lab.denoise_mse(stop):.4f}"),
        (term("FVU"), "", f"{e.fvu:.1%}"),
        (term("mean activation"), f"{look.mean_activation:.3f}", f"{e.mean_activation:.3f}"),
        (term("effective L0", say("see.effective_l0")), f"{look.effective_l0:.0f}", f"{e.effective_l0:.0f}"),
        (term("L0"), f"{look.l0}", f"{e.l0:.0f}"),
        (term("dead"), "", f"{e.dead_fraction:.1%}"),
    ]
    at = lab.measured(stop)
    test = say("see.test_split") if at == stop else say("see.test_split_at", short=at.short)
    heads = escape(stop.title), say("see.this_image", sigma=bench.sigma), test
    head = "".join(f'<th scope="col">{what}</th>' for what in heads)
    body = "".join(f'<tr><th scope="row">{what}</th><td>{here}</td><td>{test}</td></tr>' for what, here, test in rows)
    return f'<div class="sae"><table><thead><tr>{head}</tr></thead><tbody>{body}</tbody></table></div>'
