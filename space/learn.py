"""The tab in which a model is trained before the visitor's eyes, kept, and taken home."""

from __future__ import annotations

import os
import shutil
import tempfile
import time
import uuid
from collections.abc import Iterator
from dataclasses import replace
from html import escape
from pathlib import Path

import gradio as gr

from sae_model.errors import is_number, is_whole
from sae_model.methods import METHODS, sparsity_from_config
from space.bench import Bench
from space.drawing import card, image_of, wall
from space.edge import address_of, is_hosted, is_owner
from space.errors import InputError, in_words, with_error_message
from space.lab import LARGEST_SEED, USER
from space.lines import unread
from space.live_training import LONGEST, MOST_WAITING, LiveTraining
from space.memory import trim
from space.parts import SPEAK_CHANGES, Page, choosing, message_of
from space.see import name_of
from space.terms import term
from space.user_models import TRAINED_HERE, Address
from training.draw.charts import Axis, Chart, Frame
from training.draw.histograms import activation_charts, histogram_of
from training.fit.recipe import Recipe, for_any_range, tuned
from training.publish.hub import push
from training.publish.publishing import save_run
from training.publish.record import Record, versions
from training.words import in_language_of_now, say, word_of

KEY = "learn"
HAS_LOGIN = is_hosted() and "OAUTH_CLIENT_ID" in os.environ
"""Whether this is a Space whose visitors can sign in: its front matter says `hf_oauth: true`."""
MOMENT = 0.3
"""Seconds of training between two images of it."""
MOST_UNREAD = 3
"""So many moments may be on their way to the visitor; the training waits with the next one."""
EPOCHS, FEWEST_STEPS = 2, 300
"""Passes over the images; more of them where that makes too few steps."""
SIZES = (100, 225, 400, 900)
COLUMNS, ROWS = 12, 12
LOSSES = tuple(step * 10.0**power for power in range(-4, 7) for step in (1, 2, 5))
CURVE = Frame("small", 360, 190, 1, (1, 2, 5), left=46, right=12, top=12, bottom=38)


def build(page: Page) -> None:
    """Lay out the tab inside the current Blocks, and wire it."""
    lab = page.lab
    trainings = lab.trainings
    gr.Markdown(say("learn.intro"))
    with gr.Row(elem_id="train-settings"):
        kinds = [(word_of(method, "title"), kind) for kind, method in METHODS.items()]
        kind = gr.Dropdown(
            kinds, value=next(k for k, m in METHODS.items() if m.hyperparameter), label=say("learn.method")
        )
        strength = gr.Dropdown(**_strengths(kind.value), elem_id="train-strength")
        size = gr.Dropdown(list(SIZES), value=400, label=say("learn.latents"))
        noise = gr.Slider(0, 0.6, 0, step=0.1, label=say("learn.noise"))
        seed = gr.Number(0, label=say("learn.seed"), precision=0)
    with gr.Row(elem_id="train-buttons"):
        start = gr.Button(say("learn.start"), size="sm", variant="primary", elem_id="train-start", min_width=90)
        pause = gr.Button(say("learn.pause"), size="sm", elem_id="train-pause", min_width=90)
        step = gr.Button(say("learn.step"), size="sm", elem_id="train-step", min_width=90)
        stop = gr.Button(say("learn.stop"), size="sm", elem_id="train-stop", min_width=90)
        keep = gr.Button(say("learn.keep"), size="sm", elem_id="train-keep", min_width=90)
        download = say("learn.download")
        file = gr.DownloadButton(download, size="sm", elem_id="train-file", min_width=90, interactive=False)
    with gr.Accordion(say("learn.push"), open=False, elem_id="push"):
        if HAS_LOGIN:
            gr.LoginButton(size="sm")
        with gr.Row():
            repo = gr.Textbox(label=say("learn.repo"), placeholder="owner/name", max_lines=1)
            publish = gr.Button(say("learn.send"), size="sm", min_width=90, scale=0)
    said = page.html("train-said", message_of(say("learn.idle")), js_on_load=SPEAK_CHANGES)
    frame = gr.HTML("", elem_id="train", apply_default_css=False, container=False)

    nothing = message_of(say("learn.idle")), ""
    settings = [kind, strength, size, noise, seed]

    def recipe_of(kind: str, strength: str, size: int, noise: float, seed: int) -> Recipe:
        if not is_whole(seed or 0) or not 0 <= (seed or 0) <= LARGEST_SEED:
            raise InputError(say("errors.seed", last=LARGEST_SEED, value=seed))
        if not is_number(noise) or not 0 <= noise <= 1:
            raise InputError(say("errors.sigma", value=noise))
        if size not in SIZES:
            raise InputError(say("errors.size", sizes=", ".join(map(str, SIZES)), value=size))
        method = _method(kind)
        named = {_name(method, values): values for values in method.bundled}
        if strength not in named:
            label = word_of(method, "label")
            raise InputError(say("errors.strength", label=label, names=", ".join(named), value=strength))
        sparsity = sparsity_from_config({"kind": kind, **named[strength]})
        recipe = tuned(sparsity) if lab.loss == "bce" else for_any_range(tuned(sparsity))
        a_pass = max(1, len(lab.dataset.split("train").images) // recipe.batch_size)
        epochs = max(EPOCHS, -(-FEWEST_STEPS // a_pass))
        return replace(
            recipe, latent_dim=int(size), noise=float(noise), seed=int(seed or 0), epochs=epochs, **lab.data_fields
        )

    @in_language_of_now
    def run(request: gr.Request, *values: object, single: bool = False) -> Iterator[tuple[str, str]]:
        """Start, or go on; a step takes one moment."""
        chosen, bench = values[: len(settings)], Bench(*values[len(settings) :])
        hold(request)  # a step may be asked for while the same training runs
        ticket = None
        try:
            ticket = trainings.wait(request.session_hash, address_of(request))
            while ahead := trainings.ahead(ticket):
                others = len(set(ahead) - {request.session_hash})
                yield message_of(say("learn.waiting", ahead=others)) if others else gr.skip(), gr.skip()
                time.sleep(MOMENT)
            if ahead is None:  # stopped, or gone
                yield nothing
                return
            training = trainings.find(request.session_hash)
            if training is None or training.finished:
                training = trainings.begin(request.session_hash, recipe_of(*chosen))
                yield "", _frame(page, training, bench)
            training.paused = single
            began = time.monotonic()
            while not training.finished:
                training.advance(0.0 if single else MOMENT)
                frame = _frame(page, training, bench)
                if trainings.find(request.session_hash) is not training:  # it was stopped meanwhile
                    yield nothing  # Gradio shows a generator's last answer again at its end
                    return
                yield _said(training), frame
                while unread(request) > MOST_UNREAD and time.monotonic() - began < LONGEST:
                    time.sleep(MOMENT)
                if training.paused or time.monotonic() - began > LONGEST:
                    break
            training.paused = True
            yield _said(training), gr.skip()
        except Exception as error:
            yield message_of(escape(in_words(error)), "error"), gr.skip()
        finally:
            trainings.leave(ticket)
            trim()

    @in_language_of_now
    def one_step(request: gr.Request, *values: object) -> Iterator[tuple[str, str]]:
        yield from run(request, *values, single=True)

    def hold(request: gr.Request) -> None:
        if training := trainings.find(request.session_hash):
            training.paused = True

    def end(request: gr.Request) -> tuple[str, str]:
        trainings.drop(request.session_hash)
        return nothing

    @in_language_of_now
    def take(mine: list[str], request: gr.Request) -> Iterator[tuple[object, ...]]:
        """Measure the model as it is now, set it beside the others, and make the folder that `fit` writes."""
        unchanged = [gr.skip()] * 4
        training = trainings.find(request.session_hash)
        try:
            if training is None or not training.history:
                raise InputError(say("learn.nothing"))
            training.paused = True
            model, name = training.trained(), f"{training.recipe.name}-{uuid.uuid4().hex[:6]}"
            with tempfile.TemporaryDirectory() as scratch:
                folder, shown = Path(scratch) / name, TRAINED_HERE + name
                model.save_pretrained(folder)
                for words in lab.user_models.load(Address(str(folder), called=shown)):
                    yield message_of(escape(words)), *unchanged
                evaluation = lab.user_models.find(shown).evaluation
                record = Record(training.recipe, versions(), len(lab.images), evaluation, lab.dataset.about)
                saved = trainings.keep(
                    request.session_hash, name, lambda into: save_run(into, model, record, lab.test, {}, [])
                )
                archive = shutil.make_archive(str(saved), "zip", saved.parent, name)
            choice = USER + shown
            words = say(
                "learn.kept",
                title=escape(shown),
                fvu=evaluation.fvu,
                effective_l0=evaluation.effective_l0,
                images=len(lab.images),
            )
            file = gr.DownloadButton(value=archive, interactive=True)
            yield message_of(words), *choosing(lab, mine, choice, lab.first_position(choice)), file
        except Exception as error:
            yield message_of(escape(in_words(error)), "error"), *unchanged

    @in_language_of_now
    def send(repo_id: str, token: gr.OAuthToken | None, request: gr.Request) -> Iterator[str]:
        """Push the model that was kept last: with the visitor's login, or the machine's if this is its owner."""
        kept = trainings.kept(request.session_hash)
        try:
            if kept is None:
                raise InputError(say("learn.not_kept"))
            if token is None and not is_owner(request):
                raise InputError(say("learn.sign_in" if HAS_LOGIN else "learn.no_login"))
            repo_id = (repo_id or "").strip()
            yield message_of(escape(say("learn.pushing", repo=repo_id)))
            address = push(kept, repo_id, token=token and token.token)
            link = f'<a href="{escape(address)}">{escape(repo_id)}</a>'
            yield message_of(say("learn.pushed", link=link))
        except Exception as error:
            words = in_words(error).replace(str(kept), say("learn.the_model"))
            yield message_of(escape(words), "error")

    # One training at a time; those who wait for it do so here, where they are told their place; or that there is none.
    line = {"concurrency_id": "training", "concurrency_limit": MOST_WAITING + 4}
    line |= {"api_visibility": "private", "trigger_mode": "once", "show_progress": "hidden", "show_progress_on": said}
    inputs = [*settings, *page.bench]
    kind.input(with_error_message(lambda kind: gr.Dropdown(**_strengths(kind))), kind, strength, **page.live)
    start.click(run, inputs, [said, frame], **line)
    step.click(one_step, inputs, [said, frame], **line)
    pause.click(hold, None, None, **page.live)
    stop.click(end, None, [said, frame], **page.live)
    kept = keep.click(
        take, page.user_models, [said, page.user_models, *page.choice, file],
        **page.live | {"concurrency_id": "user-models", "concurrency_limit": 1},
    )  # fmt: skip
    page.follow(kept)
    pushed = {"show_progress": "hidden", "concurrency_limit": 2, "api_visibility": "private", "trigger_mode": "once"}
    gr.on([publish.click, repo.submit], send, repo, said, **pushed)


def _method(kind: str) -> type:
    if kind not in METHODS:
        raise InputError(say("errors.method", method=kind, methods=", ".join(METHODS)))
    return METHODS[kind]


def _name(method: type, values: dict[str, float]) -> str:
    """What one of the bundled values of a method is called."""
    return f"{values[method.hyperparameter]:g}" if method.hyperparameter else word_of(method, "title")


def _strengths(kind: str) -> dict[str, object]:
    """Label, choices and value of the dropdown over a method's hyperparameter."""
    method = _method(kind)
    names = [_name(method, values) for values in method.bundled]
    return {"choices": names, "value": names[len(names) // 2], "label": word_of(method, "label")}


def _said(training: LiveTraining) -> str:
    if training.finished:
        return message_of(say("learn.done"))
    return message_of(say("learn.paused" if training.paused else "learn.running"))


def _frame(page: Page, training: LiveTraining, bench: Bench) -> str:
    """One moment of a training as HTML."""
    name = name_of(page.lab, bench)
    _, noisy = page.lab.images_of(bench.specimen)
    activations, carried = training.watched()
    loss = training.history[-1][1] if training.history else float("nan")
    rows = [
        (say("learn.row_step"), say("learn.step_of", step=training.step, steps=training.steps)),
        (say("learn.loss", loss=say(f"learn.{training.recipe.loss}")), f"{loss:.4f}" if training.history else "–"),
        (term("mean activation"), f"{activations.mean():.3f}"),
        (
            term("effective L0", say("see.effective_l0")),
            say("learn.carried", effective_l0=carried, latents=training.recipe.latent_dim),
        ),
    ]
    table = "".join(f'<tr><th scope="row">{what}</th><td>{value}</td></tr>' for what, value in rows)
    with training.lock:
        atoms = training.model.dictionary[: COLUMNS * ROWS].clone()
    now = page.lab.picture(training.reconstruct(noisy))
    pair = card(image_of(now, say("learn.now_alt", name=name)), say("see.reconstruction"), say("learn.now"))
    given = page.lab.picture(noisy[0])
    pair += card(
        image_of(given, say("learn.given_alt", name=name)),
        say("strokes.given"),
        say("strokes.noise", sigma=bench.sigma),
    )
    charts = "".join(
        chart.svg() for chart in activation_charts(histogram_of(activations), histogram_of(activations.mean(0)))
    )
    return (
        '<div class="sae train"><div>'
        f"<h2>{say('learn.atoms', count=len(atoms), latents=training.recipe.latent_dim)}</h2>"
        f"{wall(atoms, COLUMNS, say('learn.atoms_alt', count=len(atoms)))}</div>"
        f'<div><div class="pair">{pair}</div><table><tbody>{table}</tbody></table></div>'
        f"<div>{_curve(training)}{charts}</div></div>"
    )


def _curve(training: LiveTraining) -> str:
    first = training.history[0][1] if training.history else 0.5
    low, high = first / 25, 1.1 * first
    losses = tuple(tick for tick in LOSSES if low <= tick <= high)
    steps = tuple(range(0, training.steps + 1, 100 * (1 + training.steps // 600)))
    chart = Chart(
        Axis(say("learn.axis_step"), 0, training.steps, steps),
        Axis(say("learn.axis_loss", loss=say(f"learn.{training.recipe.loss}")), low, high, losses, log=True),
        CURVE,
    )
    spoken = say("learn.curve", count=0)
    if training.history:
        losses = [loss for _, loss in training.history]
        spoken = say("learn.curve_from", count=len(losses), first=losses[0], last=losses[-1])
    return chart.drawing(chart.curve(training.history, 0), spoken).svg()
