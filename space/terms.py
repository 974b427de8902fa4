"""The field's terms on the page: each explains itself when it is hovered or focused (page.js shows the words)."""

from __future__ import annotations

from html import escape

from training.evaluation import DEAD_AFTER

TERMS = {
    "latent": "One of the numbers into which the model turns an image. The decoder makes the image from them alone.",
    "latents": "The numbers into which the model turns an image. The decoder makes the image from them alone.",
    "atom": "The image that belongs to a latent: times the latent's value, it is what the latent adds to the logits.",
    "logits": "What the decoder computes for each pixel before the sigmoid maps it to a brightness from 0 to 1.",
    "activation": "The size of a latent z mapped to [0, 1): tanh(z / 2). It is 0 where the latent is off.",
    "mean activation": "Activations averaged over all latents: the rate. It is small where latents are few or small.",
    "effective L0": (
        "How many latents carry an image: (sum of z)² / (sum of z²). Latents that are tiny beside the others hardly "
        "count, and scaling all of them changes nothing."
    ),
    "L0": "How many latents are not exactly zero.",
    "PSNR": (
        "Peak signal-to-noise ratio, in decibels: 10 times the decimal logarithm of the squared range of pixels, 1 for "
        "images, over the squared error per pixel. More is better; 10 dB more is a tenth of the error."
    ),
    "mse": "Squared error against the clean image, averaged over its pixels (of images, brightness from 0 to 1).",
    "FVU": (
        "Fraction of variance unexplained: the squared error of the reconstruction over the variance of the images. "
        "0 is a perfect copy, 1 is no better than the mean image."
    ),
    "dead": f"Dead latents are among the {DEAD_AFTER} largest (of a top-k model: the k largest) of no test image.",
    "sigma": "Standard deviation of the Gaussian noise that is added to every pixel; of images these go from 0 to 1.",
    "beta": "Weight of the penalty in the training loss. With 0 nothing keeps latents off.",
    "target rate": "The mean activation p that a Kullback-Leibler penalty asks for.",
}


def term(name: str, words: str | None = None) -> str:
    """A term as HTML, shown as `words` where it is to be called otherwise."""
    return (
        f'<button type="button" class="term" data-tip="{escape(TERMS[name])}" '
        f'aria-label="{escape(words or name)}: {escape(TERMS[name])}">{escape(words or name)}</button>'
    )
