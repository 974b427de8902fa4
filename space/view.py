"""What depends on the controls of the first tab, as HTML: the method's description, stops, summary, images, metrics."""

from __future__ import annotations

from html import escape

from space.drawing import ACTIVATION_COLOURS, activation_image, colour_bar, digit_image
from space.lab import CLASSES, SIGMA, Lab, Look, Stop, psnr
from training.histograms import linear_histogram
from training.recipe import DEFAULT_ARCHITECTURE
from training.zoo import FAMILIES


def view(
    lab: Lab, index: int, seed: int, sigma: float, method: str, stop: int, drawing: str = ""
) -> tuple[str, str, str, str, str]:
    """Description, slider stops, summary, images and metrics.

    Args:
        lab: the models.
        index: position of the image in the test split.
        seed: which draw of the noise.
        sigma: its standard deviation, in [0, 1].
        method: a choice, as `Lab` explains.
        stop: position on its slider; one beyond the last counts as the last.
        drawing: a visitor's own digit in place of the test image, as `Lab.look` takes it.

    Raises:
        InputError: values that no control of the page can send, or a user's model that is not here any more.
    """
    stops = lab.stops(method)
    last = len(stops) - 1
    chosen = lab.stop_at(method, last if isinstance(stop, int) and stop > last else stop)  # it may lag behind
    looks = dict(zip(stops, lab.look(index, sigma, seed, stops, drawing), strict=True))
    name = "drawing" if drawing else escape(CLASSES[lab.labels[index]])
    return (
        _description(lab, chosen),
        _stops(lab, method, chosen),
        _summary(lab, looks[chosen], chosen, name, sigma),
        _steps(looks[chosen], name, sigma, bool(drawing)) + _strip(looks, chosen),
        _metrics(lab, looks[chosen], chosen),
    )


def _description(lab: Lab, stop: Stop) -> str:
    sparsity, recipe = lab.model(stop).sparsity, lab.recipes.get(stop.variant)
    words = f"<b>{escape(sparsity.title)}</b> asks for {escape(sparsity.asks_for)}."
    if recipe and not stop.is_users and recipe.architecture != DEFAULT_ARCHITECTURE:
        words = f"<b>{escape(FAMILIES[recipe.family])}</b>, in the place of a dictionary. {words}"
    if recipe and not stop.is_users and recipe.noise:
        words += f" Trained on images with noise of sigma up to {recipe.noise:g}."
    return f'<div class="sae"><p class="muted">{words}</p></div>'


def _stops(lab: Lab, method: str, chosen: Stop) -> str:
    stops = lab.stops(method)
    marks = "".join(f'<span class="{"chosen" * (stop == chosen)}">{escape(stop.label)}</span>' for stop in stops)
    ends = "".join(f"<span>{escape(end)}</span>" for end in lab.ends(method))
    width = (len(lab.compared(method)) - 1) / max(len(stops) - 1, 1)  # not below the stops after those
    return (
        f'<div data-stop="{escape(chosen.title)}"><div class="stops" aria-hidden="true">{marks}</div>'
        + f'<div class="stops-ends" style="width: {width:.0%}" aria-hidden="true">{ends}</div>' * (width > 0)
        + f"{_turn(lab, method)}</div>"
    )


def _turn(lab: Lab, method: str) -> str:
    """Where the error with noise is lowest, and what it is at both ends."""
    compared = lab.compared(method)
    if len(compared) < 2:
        return ""
    least = lab.least_noise(method)
    ends = [_error_at(lab, stop) for stop in (compared[0], compared[-1]) if stop != least]
    return (
        f'<p class="turn">Error per pixel on the test images with noise of sigma {SIGMA:g}: '
        f"<b>{_error_at(lab, least)}</b>, the lowest; {', '.join(ends)}.</p>"
    )


def _error_at(lab: Lab, stop: Stop) -> str:
    return f"<span>{lab.denoise_mse(stop):.4f} at {escape(_short(stop))}</span>"


def _summary(lab: Lab, look: Look, stop: Stop, name: str, sigma: float) -> str:
    latents, e = len(look.activations), lab.evaluation(stop)
    given = f"; the noisy image that it was given is at {_psnr_of_noise(look):.1f} dB" if sigma > 0 else ""
    clean, noisy = e.mse, lab.denoise_mse(stop)
    return (
        f'<div class="sae"><p><b>{escape(stop.title)}</b> reconstructs this {name} at {look.psnr:.1f} dB{given}. '
        f"About <b>{look.effective_l0:.0f}</b> of its {latents} latents carry the image; {latents - look.l0} are "
        f"exactly off.</p><p>On all test images: mean activation {e.mean_activation:.3f}, effective L0 "
        f"{e.effective_l0:.0f}; error per pixel {clean:.4f} without noise, {noisy:.4f} with noise of sigma {SIGMA:g} "
        f"(that of the noisy images: {SIGMA**2:.4f}).</p></div>"
    )


def _psnr_of_noise(look: Look) -> float:
    return psnr((look.noisy - look.clean).square().mean().item())


def _steps(look: Look, name: str, sigma: float, drawn: bool) -> str:
    arrow = '<div class="arrow" aria-hidden="true">→</div>'
    noisy_psnr = f"PSNR {_psnr_of_noise(look):.1f} dB" if sigma > 0 else "no noise"
    source = "scaled and centred as MNIST's digits are" if drawn else f"a {name} of the test split"
    map_of = f"Map of {len(look.activations)} latents; mean activation {look.mean_activation:.3f}"
    steps = [
        card(digit_image(look.clean, f"A clean handwritten {name}"), "Clean", source),
        card(digit_image(look.noisy, f"The same {name} with noise of sigma {sigma:g}"), "With noise", noisy_psnr),
        card(
            activation_image(look.activations, map_of) + colour_bar(ACTIVATION_COLOURS, "0 off", "1 on"),
            "Its latents",
            f"mean activation {look.mean_activation:.3f}",
        ),
        card(
            digit_image(look.reconstruction, f"The {name} as reconstructed from these latents"),
            "Recon&shy;struction",
            f"PSNR {look.psnr:.1f} dB",
        ),
    ]
    return f'<div class="sae"><div class="steps">{arrow.join(steps)}</div></div>'


def _strip(looks: dict[Stop, Look], chosen: Stop) -> str:
    cards = "".join(
        card(
            digit_image(look.reconstruction, f"Reconstructed by {stop.title}, PSNR {look.psnr:.1f} dB"),
            escape(_short(stop)),
            f"{look.psnr:.1f} dB",
            "chosen" * (stop == chosen),
        )
        for stop, look in looks.items()
    )
    return (
        '<div class="sae" style="margin-top: 18px"><h2>The same image at every stop</h2>'
        f'<div class="strip">{cards}</div></div>'
    )


def _short(stop: Stop) -> str:
    """A name that fits below a small image: that of a user's model without its owner and its revision."""
    if stop.is_users:
        return stop.title.partition("@")[0].rpartition("/")[2]
    return stop.variant if stop.k is None else f"k = {stop.k}"


def card(image: str, title: str, caption: str, css_class: str = "") -> str:
    """An image with a title and a line below it; all are HTML."""
    return f'<figure class="{css_class}">{image}<figcaption><b>{title}</b>{caption}</figcaption></figure>'


def _metrics(lab: Lab, look: Look, stop: Stop) -> str:
    e = lab.evaluation(stop)
    charts = "".join(
        linear_histogram(shares, e.mean_activation, *words).svg()
        for shares, words in (
            (e.activation_histogram, ("All activations", "activation", "share of activations")),
            (e.latent_histogram, ("Mean of each latent", "mean activation of a latent", "share of latents")),
        )
    )
    rows = [
        ("Error per pixel (mse)", f"{look.mse:.4f}", f"{e.mse:.4f}"),
        ("Mean activation", f"{look.mean_activation:.3f}", f"{e.mean_activation:.3f}"),
        ("Latents that carry an image (effective L0)", f"{look.effective_l0:.0f}", f"{e.effective_l0:.0f}"),
        ("Latents not exactly zero (L0)", f"{look.l0}", f"{e.l0:.0f}"),
        ("Variance lost (FVU)", "", f"{e.fvu:.1%}"),
        (f"Error per pixel with noise of sigma {SIGMA:g}", "", f"{lab.denoise_mse(stop):.4f}"),
        ("Latents never among the largest of an image (dead)", "", f"{e.dead_fraction:.1%}"),
    ]
    body = "".join(f'<tr><th scope="row">{what}</th><td>{here}</td><td>{test}</td></tr>' for what, here, test in rows)
    return (
        f'<div class="sae" style="margin-top: 8px"><h2>{escape(stop.title)} on all {len(lab.images):,} test images'
        f'</h2><div class="charts">{charts}<table><thead><tr><td></td><th scope="col">this image</th>'
        f'<th scope="col">test split, no noise</th></tr></thead><tbody>{body}</tbody></table></div></div>'
    )
