"""Six short lessons beside the bench: each asks for one thing, notices when it is done, and says what it shows."""

from __future__ import annotations

import re
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from html import escape, unescape
from urllib.parse import parse_qs

import gradio as gr

from space.bench import Bench, opening
from space.lab import SIGMA, Lab, Stop
from space.parts import SPEAK_CHANGES, Page, Part
from space.terms import term, tip
from training.draw.histograms import histogram_of, percent
from training.words import in_language_of_now, say, word_of

FEW = 30
SPARSE = 0.95
RATE = 0.05
KEPT, FEWER = 50, 10


@dataclass(frozen=True)
class Lesson:
    """One thing to do."""

    key: str
    """Of its words in the language files."""
    is_done: Callable[[Lab, Bench], bool]
    shows: Callable[[Lab, Bench], str]
    """What it shows when it is done, with the numbers at hand, as HTML."""

    @property
    def title(self) -> str:
        return say(f"lessons.{self.key}")

    @property
    def task(self) -> str:
        """What to do, as HTML."""
        terms = {"effective_l0": term("effective L0"), "target_rate": term("target rate")}
        return say(f"lessons.{self.key}_task", sigma=SIGMA, few=FEW, sparse=SPARSE, rate=RATE, k=KEPT, **terms)


def _copies(lab: Lab, bench: Bench) -> bool:
    return lab.model(bench.stop(lab)).sparsity.hyperparameter is None and _is_plain(lab, bench) and bench.sigma >= SIGMA


def _is_plain(lab: Lab, bench: Bench) -> bool:
    """Whether the chosen model is a bundled one that saw no noise and serves one k."""
    stop = bench.stop(lab)
    return not stop.is_users and stop.argument is None and not lab.recipes[stop.variant].noise


def _what_copying_shows(lab: Lab, bench: Bench) -> str:
    look = bench.look(lab)
    on, latents = look.l0, len(look.latents)
    return say("lessons.copying_shows", on=on, latents=latents, mse=look.mse, noise_mse=look.noise_mse)


def _what_a_penalty_shows(lab: Lab, bench: Bench) -> str:
    look = bench.look(lab)
    return say("lessons.penalty_shows", effective_l0=look.effective_l0, psnr=look.psnr)


def _is_cleanest(lab: Lab, bench: Bench) -> bool:
    compared = lab.compared(bench.method)
    return (
        _is_plain(lab, bench)
        and len(compared) > 2
        and bench.stop(lab) == lab.least_noise(bench.method)
        and bench.sigma > 0
    )


def _what_noise_shows(lab: Lab, bench: Bench) -> str:
    compared = lab.compared(bench.method)
    first, best, last = compared[0], lab.least_noise(bench.method), compared[-1]
    errors = " / ".join(
        say("lessons.noise_error", error=lab.denoise_mse(stop), stop=escape(stop.short)) for stop in (first, best, last)
    )
    return say("lessons.noise_shows", sigma=SIGMA, errors=errors)


def _zero_share(lab: Lab, bench: Bench) -> float:
    return histogram_of(bench.look(lab).activations).zero_share


def _what_histograms_show(lab: Lab, bench: Bench) -> str:
    look = bench.look(lab)
    zeros, fvu = percent(_zero_share(lab, bench), exact=True), lab.evaluation(bench.stop(lab)).fvu
    return say("lessons.histograms_shows", zeros=zeros, mean=look.mean_activation, fvu=fvu)


def _states_the_rate(lab: Lab, bench: Bench) -> bool:
    return _target(lab, bench.stop(lab)) == RATE


def _what_a_rate_shows(lab: Lab, bench: Bench) -> str:
    e = lab.evaluation(bench.stop(lab))
    spreads = "; ".join(_spread(lab, stop) for stop in lab.places if _target(lab, stop) == RATE)
    return say("lessons.rate_shows", rate=RATE, mean=e.mean_activation, effective_l0=e.effective_l0, spreads=spreads)


def _spread(lab: Lab, stop: Stop) -> str:
    images, latents = lab.spreads(stop)
    title = escape(word_of(lab.model(stop).sparsity, "title"))
    return say("lessons.rate_spread", title=title, images=images, latents=latents)


def _target(lab: Lab, stop: Stop) -> float | None:
    return getattr(lab.model(stop).sparsity, "target", None)


def _keeps_so_many(lab: Lab, bench: Bench) -> bool:
    return _kept(lab, bench.stop(lab)) == KEPT and len(lab.compared(bench.method)) > 1


def _kept(lab: Lab, stop: Stop) -> int | None:
    """How many latents a stop keeps; None keeps all."""
    return stop.arguments.get("k") or lab.model(stop).sparsity.default_k


def _what_k_shows(lab: Lab, bench: Bench) -> str:
    stop = bench.stop(lab)
    fewer = min(lab.compared(bench.method), key=lambda other: abs((_kept(lab, other) or KEPT) - FEWER))
    return say(
        "lessons.k_shows",
        k=KEPT,
        latents=lab.model(stop).latent_dim,
        fvu=lab.evaluation(stop).fvu,
        fewer=_kept(lab, fewer),
        fewer_fvu=lab.evaluation(fewer).fvu,
        sigma=SIGMA,
        noise=lab.denoise_mse(stop),
        fewer_noise=lab.denoise_mse(fewer),
    )


LESSONS = (
    Lesson("copying", _copies, _what_copying_shows),
    Lesson("penalty", lambda lab, bench: bench.look(lab).effective_l0 < FEW, _what_a_penalty_shows),
    Lesson("noise", _is_cleanest, _what_noise_shows),
    Lesson("histograms", lambda lab, bench: _zero_share(lab, bench) > SPARSE, _what_histograms_show),
    Lesson("rate", _states_the_rate, _what_a_rate_shows),
    Lesson("k", _keeps_so_many, _what_k_shows),
)


def build(page: Page, blocks: gr.Blocks) -> None:
    """Lay out the lessons inside the current Blocks, and let them follow the bench."""
    lab = page.lab
    lessons = [lesson for lesson in LESSONS if lab.is_bundled or _can_be_done(lab, lesson)]
    done = gr.State(())  # what each lesson showed that is done
    shown = page.html("lessons", _lessons(lessons, ()), js_on_load=SPEAK_CHANGES)
    address = page.held("address", "")

    def notice(bench: Bench, done: tuple[str, ...]) -> list[object]:
        number = len(done)
        if number == len(lessons) or not lessons[number].is_done(lab, bench):
            return [gr.skip(), gr.skip()]
        done = (*done, lessons[number].shows(lab, bench))
        return [done, _lessons(lessons, done)]

    @in_language_of_now
    def resume(query: str) -> list[object]:
        """After a change of language (link.js) go on where one was; what was shown is not said again."""
        number = parse_qs(str(query).removeprefix("?")).get("lessons", [""])[-1]
        if number not in map(str, range(1, len(lessons) + 1)):
            return [gr.skip(), gr.skip()]
        done = ("",) * int(number)
        return [done, _lessons(lessons, done)]

    page.add(Part([done, shown], notice, [done]))
    blocks.load(resume, address, [done, shown], js="() => [location.search]", **page.live)


def _can_be_done(lab: Lab, lesson: Lesson) -> bool:
    """Whether some model of the page does what a lesson asks for; the bundled ones do."""
    places = [(method, position) for method, stops in lab.families.items() for position in range(len(stops))]
    return any(lesson.is_done(lab, replace(opening(lab), method=m, position=p)) for m, p in places)


def _lessons(lessons: Sequence[Lesson], done: Sequence[str]) -> str:
    """The lessons by their titles, what the last one showed that is done, and what is to be done next."""
    if not lessons:
        return ""
    number = len(done)
    titles = "".join(
        f'<li class="{"done" if i < number else "next" * (i == number)}">'
        + tip(escape(lesson.title), _text(f"{lesson.task} {''.join(done[i : i + 1])}"))
        + f'<span class="sr">{say("lessons.done") if i < number else ""}</span></li>'
        for i, lesson in enumerate(lessons)
    )
    words = {"title": escape(lessons[number - 1].title), "shows": "".join(done[-1:]), "number": number + 1}
    if number == len(lessons):
        words = say("lessons.all", **words)
    else:
        words = say("lessons.shown" if number else "lessons.next", task=lessons[number].task, **words)
    return f'<div class="sae lessons"><ol>{titles}</ol><p>{words}</p></div>'


def _text(html: str) -> str:
    """HTML without its tags, fit for an attribute."""
    return escape(unescape(re.sub("<[^>]*>", "", html)))
