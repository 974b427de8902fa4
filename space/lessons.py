"""Six short lessons beside the bench: each asks for one thing, notices when it is done, and says what it shows."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from html import escape

import gradio as gr

from space.bench import Bench, opening
from space.lab import SIGMA, Lab
from space.parts import SPEAK_CHANGES, Page, Part
from space.terms import term
from training.histograms import histogram_of, percent

FEW = 30
SPARSE = 0.95
RATE = 0.05
FEWEST = 10


@dataclass(frozen=True)
class Lesson:
    """One thing to do."""

    title: str
    task: str
    """What to do, as HTML."""
    is_done: Callable[[Lab, Bench], bool]
    shows: Callable[[Lab, Bench], str]
    """What it shows when it is done, with the numbers at hand, as HTML."""


def _copies(lab: Lab, bench: Bench) -> bool:
    return lab.model(bench.stop(lab)).sparsity.hyperparameter is None and _is_plain(lab, bench) and bench.sigma >= SIGMA


def _is_plain(lab: Lab, bench: Bench) -> bool:
    """Whether the chosen model is a bundled one that saw no noise and serves one k."""
    stop = bench.stop(lab)
    return not stop.is_users and stop.k is None and not lab.recipes[stop.variant].noise


def _what_copying_shows(lab: Lab, bench: Bench) -> str:
    look = bench.look(lab)
    return (
        f"{look.l0} of {len(look.latents)} latents are on, and much noise comes through: squared error {look.mse:.3f}, "
        f"that of the noisy image {look.noise_mse:.3f}. Nothing forces so many latents to do better than copy."
    )


def _what_a_penalty_shows(lab: Lab, bench: Bench) -> str:
    look = bench.look(lab)
    return (
        f"{look.effective_l0:.0f} latents carry the image now, at {look.psnr:.1f} dB. In training each latent that was "
        "on had its cost, so only those are on that explain much."
    )


def _is_cleanest(lab: Lab, bench: Bench) -> bool:
    compared = lab.compared(bench.method)
    return len(compared) > 2 and bench.stop(lab) == lab.least_noise(bench.method) and bench.sigma > 0


def _what_noise_shows(lab: Lab, bench: Bench) -> str:
    compared = lab.compared(bench.method)
    first, best, last = compared[0], lab.least_noise(bench.method), compared[-1]
    errors = " / ".join(f"{lab.denoise_mse(stop):.4f} at {escape(stop.short)}" for stop in (first, best, last))
    return (
        f"Squared error with noise {SIGMA:g}, test images: {errors}. Few atoms cannot make noise, so a sparse code "
        "leaves it out; too sparse a code leaves out parts of the digit, too."
    )


def _zero_share(lab: Lab, bench: Bench) -> float:
    return histogram_of(bench.look(lab).activations).zero_share


def _what_histograms_show(lab: Lab, bench: Bench) -> str:
    look = bench.look(lab)
    return (
        f"{percent(_zero_share(lab, bench), exact=True)} of the activations are exactly 0, and a few are far above "
        f"their mean, {look.mean_activation:.4f}: that is sparse. Many small values would have a low mean, too."
    )


def _states_the_rate(lab: Lab, bench: Bench) -> bool:
    return getattr(lab.model(bench.stop(lab)).sparsity, "target", None) == RATE


def _what_a_rate_shows(lab: Lab, bench: Bench) -> str:
    e = lab.evaluation(bench.stop(lab))
    return (
        f"Asked for {RATE:g}, the model came to a mean activation of {e.mean_activation:.4f}. Yet {e.effective_l0:.0f} "
        "latents carry an image: a stated rate says how much is on, and not how few."
    )


def _keeps_few(lab: Lab, bench: Bench) -> bool:
    stop = bench.stop(lab)
    return (stop.k or lab.model(stop).sparsity.default_k) == FEWEST


def _what_k_shows(lab: Lab, bench: Bench) -> str:
    e, latents = lab.evaluation(bench.stop(lab)), lab.model(bench.stop(lab)).latent_dim
    return (
        f"With {FEWEST} of {latents} latents {e.fvu:.0%} of the variance is lost. How many latents are on is exact "
        "here, for every image, easy or hard; no penalty has to be weighed."
    )


LESSONS = (
    Lesson(
        "Copying",
        f"Move beta to its left end, where no penalty is, with noise of {SIGMA:g} or more.",
        _copies,
        _what_copying_shows,
    ),
    Lesson(
        "Penalty",
        f"Move beta to the right until fewer than {FEW} latents carry the image ({term('effective L0')}).",
        lambda lab, bench: bench.look(lab).effective_l0 < FEW,
        _what_a_penalty_shows,
    ),
    Lesson(
        "Noise",
        "Find the stop with the lowest error under noise: the line below beta names it.",
        _is_cleanest,
        _what_noise_shows,
    ),
    Lesson(
        "Histograms",
        f"Find a model of which more than {SPARSE:.0%} of the activations of this image are exactly 0.",
        lambda lab, bench: _zero_share(lab, bench) > SPARSE,
        _what_histograms_show,
    ),
    Lesson(
        "Stating a rate",
        f"Choose a KL method, and the {term('target rate')} {RATE:g}.",
        _states_the_rate,
        _what_a_rate_shows,
    ),
    Lesson(
        "Exactly k",
        f"Choose a top-k method, and k = {FEWEST}.",
        _keeps_few,
        _what_k_shows,
    ),
)


def build(page: Page) -> None:
    """Lay out the lessons inside the current Blocks, and let them follow the bench."""
    lab = page.lab
    lessons = [lesson for lesson in LESSONS if lab.is_bundled or _can_be_done(lab, lesson)]
    done = gr.State(())
    shown = page.html("lessons", _lessons(lessons, 0, ""), js_on_load=SPEAK_CHANGES)

    def notice(bench: Bench, done: tuple[str, ...]) -> list[object]:
        number = len(done)
        if number == len(lessons) or not lessons[number].is_done(lab, bench):
            return [gr.skip(), gr.skip()]
        done = (*done, lessons[number].title)
        return [done, _lessons(lessons, len(done), lessons[number].shows(lab, bench))]

    page.add(Part([done, shown], notice, [done]))


def _can_be_done(lab: Lab, lesson: Lesson) -> bool:
    """Whether some model of the page does what a lesson asks for; the bundled ones do."""
    places = [(method, position) for method, stops in lab.families.items() for position in range(len(stops))]
    return any(lesson.is_done(lab, replace(opening(lab), method=m, position=p)) for m, p in places)


def _lessons(lessons: Sequence[Lesson], number: int, shown: str) -> str:
    """The lessons as dots, what the last one showed, and what is to be done next; `number` of them are done."""
    if not lessons:
        return ""
    dots = "".join(
        f'<li class="{"done" if i < number else "next" * (i == number)}">{escape(lesson.title)}'
        f'<span class="sr">{", done" * (i < number)}</span></li>'
        for i, lesson in enumerate(lessons)
    )
    words = f"<b>✓ {escape(lessons[number - 1].title)}.</b> {shown} " if number else ""
    words += f"<b>{number + 1}.</b> {lessons[number].task}" if number < len(lessons) else "<b>That is all.</b>"
    return f'<div class="sae lessons"><ol>{dots}</ol><p>{words}</p></div>'
