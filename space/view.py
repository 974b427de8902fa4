"""What depends on the controls of the first tab, as HTML: slider stops, the story, the pictures, the figures."""

from __future__ import annotations

from html import escape

from space.drawing import COLOUR_BAR, activation_image, digit_image, histogram
from space.lab import Lab, Look, Stop, psnr

ENDS = {
    "l1": ("copies everything", "too sparse"),
    "kl-image": ("few on", "many on"),
    "kl-neuron": ("few on", "many on"),
    "topk": ("fewest", "most"),
    "adaptive-topk": ("fewest", "all"),
    "noise": ("clean pictures", "noisy pictures"),
}


def view(lab: Lab, index: int, seed: int, sigma: float, way: str, stop: int) -> tuple[str, str, str, str]:
    """Slider stops, story, pictures and figures.

    Raises:
        InputError: values that no control of the page can send, or a guest that is not here any more.
    """
    stops = lab.stops(way)
    last = len(stops) - 1
    chosen = lab.stop_at(way, last if isinstance(stop, int) and stop > last else stop)  # it may lag behind the way
    looks = dict(zip(stops, lab.look(index, sigma, seed, stops), strict=True))
    label = lab.labels[index].item()
    return (
        _stops(lab.kind(way), stops, chosen),
        _story(looks[chosen], chosen, label, sigma),
        _way(looks[chosen], label, sigma) + _strip(looks, chosen),
        _figures(lab, looks[chosen], chosen),
    )


def _stops(kind: str, stops: list[Stop], chosen: Stop) -> str:
    marks = "".join(f'<span class="{"chosen" * (stop == chosen)}">{stop.label}</span>' for stop in stops)
    low, high = ENDS[kind] if not stops[-1].guest else (ENDS[kind][0], "brought here")
    return (
        f'<div aria-hidden="true" data-stop="{escape(chosen.title)}"><div class="stops">{marks}</div>'
        f'<div class="stops-ends"><span>{low}</span><span>{high}</span></div></div>'
    )


def _story(look: Look, stop: Stop, label: int, sigma: float) -> str:
    latents = len(look.activations)
    sentence = f"<b>{escape(stop.title)}</b> rebuilds this {label} at {look.psnr:.1f} dB"
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
    map_of = f"Map of {len(look.activations)} latents; mean activation {look.mean_activation:.3f}"
    steps = [
        figure(digit_image(look.clean, f"A clean handwritten {label}"), "Clean", f"a {label} of the test set"),
        figure(digit_image(look.noisy, f"The same {label} with noise of sigma {sigma:g}"), "With noise", noisy_psnr),
        figure(
            activation_image(look.activations, map_of) + colour_bar("0 off", "1 on"),
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
            escape(_short(stop)),
            f"{look.psnr:.1f} dB",
            "chosen" * (stop == chosen),
        )
        for stop, look in looks.items()
    )
    return (
        '<div class="sae" style="margin-top: 18px"><h2>The same picture at every stop</h2>'
        f'<div class="strip">{cards}</div></div>'
    )


def _short(stop: Stop) -> str:
    """A name that fits below a small picture: that of a guest without its owner and its revision."""
    if stop.guest:
        return stop.title.partition("@")[0].rpartition("/")[2]
    return stop.variant if stop.k is None else f"k = {stop.k}"


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
        f'<div class="sae" style="margin-top: 8px"><h2>{escape(stop.title)} on all {len(lab.images):,} test pictures'
        f'</h2><div class="charts">{charts}<table><thead><tr><td></td><th scope="col">this picture</th>'
        f'<th scope="col">test set, no noise</th></tr></thead><tbody>{body}</tbody></table></div></div>'
    )
