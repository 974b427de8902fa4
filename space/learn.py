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

from sae_model.methods import METHODS, sparsity_from_config
from space.bench import Bench
from space.drawing import card, image_of, wall
from space.errors import InputError, in_words, with_error_message
from space.lab import LARGEST_SEED, SEVERAL, USER
from space.live_training import LONGEST, LiveTraining, LiveTrainings
from space.parts import SPEAK_CHANGES, Page, method_choices
from space.see import name_of
from space.stop_slider import stop_slider
from space.terms import term
from space.user_models import Address, title
from training.charts import Axis, Chart, Frame
from training.data import DATASETS, as_floats
from training.histograms import activation_charts, histogram_of
from training.hub import HubError, push
from training.publishing import save_run
from training.recipe import Recipe, for_any_range, tuned
from training.record import Record, versions

KEY, TITLE = "learn", "Learn"
INTRO = """
A model learns here from the training images, by the loop of the command line; its atoms are noise at first. The chosen
image is reconstructed as the model does it at the moment.
"""
HAS_LOGIN = "OAUTH_CLIENT_ID" in os.environ
"""Whether this is a Space whose visitors can sign in: its front matter says `hf_oauth: true`."""
MOMENT = 0.3
"""Seconds of training between two images of it."""
EPOCHS, FEWEST_STEPS = 2, 300
"""Passes over the images; more of them where that makes too few steps."""
SIZES = (100, 225, 400, 900)
COLUMNS, ROWS = 12, 12
LOSSES = tuple(step * 10.0**power for power in range(-4, 7) for step in (1, 2, 5))
CURVE = Frame("small", 360, 190, 1, (1, 2, 5), left=46, right=12, top=12, bottom=38)


def build(page: Page) -> None:
    """Lay out the tab inside the current Blocks, and wire it."""
    lab = page.lab
    trainings = LiveTrainings(lab.dataset, as_floats(lab.images[:SEVERAL]))
    gr.Markdown(INTRO)
    with gr.Row(elem_id="train-settings"):
        kinds = [(method.title, kind) for kind, method in METHODS.items()]
        kind = gr.Dropdown(kinds, value=next(k for k, m in METHODS.items() if m.hyperparameter), label="Method")
        strength = gr.Dropdown(**_strengths(kind.value), elem_id="train-strength")
        size = gr.Dropdown(list(SIZES), value=400, label="Latents")
        noise = gr.Slider(0, 0.6, 0, step=0.1, label="Noise in training")
        seed = gr.Number(0, label="Seed", precision=0, minimum=0, maximum=LARGEST_SEED)
    with gr.Row(elem_id="train-buttons"):
        start = gr.Button("Start", size="sm", variant="primary", elem_id="train-start", min_width=90)
        pause = gr.Button("Pause", size="sm", elem_id="train-pause", min_width=90)
        step = gr.Button("Step", size="sm", elem_id="train-step", min_width=90)
        stop = gr.Button("Stop", size="sm", elem_id="train-stop", min_width=90)
        keep = gr.Button("Keep it", size="sm", elem_id="train-keep", min_width=90)
        file = gr.DownloadButton("Download", size="sm", elem_id="train-file", min_width=90, interactive=False)
    with gr.Accordion("Push it to the Hub", open=False, elem_id="push"):
        if HAS_LOGIN:
            gr.LoginButton(size="sm")
        with gr.Row():
            repo = gr.Textbox(label="A repo of yours, made if it is not there", placeholder="owner/name", max_lines=1)
            publish = gr.Button("Push", size="sm", min_width=90, scale=0)
    said = page.html("train-said", "", js_on_load=SPEAK_CHANGES)
    frame = gr.HTML("", elem_id="train", apply_default_css=False, container=False)

    settings = [kind, strength, size, noise, seed]

    def recipe_of(kind: str, strength: str, size: int, noise: float, seed: int) -> Recipe:
        method = METHODS[kind]
        named = {_name(method, values): values for values in method.bundled}
        sparsity = sparsity_from_config({"kind": kind, **named[strength]})
        recipe = tuned(sparsity) if lab.loss == "bce" else for_any_range(tuned(sparsity))
        a_pass = max(1, len(lab.dataset.split("train").images) // recipe.batch_size)
        epochs = max(EPOCHS, -(-FEWEST_STEPS // a_pass))
        return replace(
            recipe, latent_dim=int(size), noise=float(noise), seed=int(seed or 0), epochs=epochs, **lab.data_fields
        )

    def run(request: gr.Request, *values: object, single: bool = False) -> Iterator[tuple[str, str]]:
        """Start, or go on; a step takes one moment."""
        chosen, bench = values[: len(settings)], Bench(*values[len(settings) :])
        try:
            training = trainings.find(request.session_hash)
            if training is None or training.finished:
                training = trainings.begin(request.session_hash, recipe_of(*chosen))
                yield "", _frame(page, training, bench)
            training.paused = single
            began = time.monotonic()
            while not training.finished:
                training.advance(0.0 if single else MOMENT)
                yield _said(training), _frame(page, training, bench)
                if training.paused or time.monotonic() - began > LONGEST:
                    break
            training.paused = True
            yield _said(training), _frame(page, training, bench)
        except Exception as error:
            yield _message(in_words(error), "error"), gr.skip()

    def one_step(request: gr.Request, *values: object) -> Iterator[tuple[str, str]]:
        yield from run(request, *values, single=True)

    def hold(request: gr.Request) -> None:
        if training := trainings.find(request.session_hash):
            training.paused = True

    def end(request: gr.Request) -> tuple[str, str]:
        trainings.drop(request.session_hash)
        return "", ""

    def take(mine: list[str], request: gr.Request) -> Iterator[tuple[object, ...]]:
        """Measure the model as it is now, set it beside the others, and make the folder that `fit` writes."""
        unchanged = [gr.skip()] * 4
        training = trainings.find(request.session_hash)
        try:
            if training is None or not training.history:
                raise InputError("There is no model yet: start a training first.")
            training.paused = True
            model, name = training.trained(), f"{training.recipe.name}-{uuid.uuid4().hex[:6]}"
            with tempfile.TemporaryDirectory() as scratch:
                folder = Path(scratch) / "trained" / name
                model.save_pretrained(folder)
                for words in lab.user_models.load(Address(str(folder))):
                    yield _message(words.replace(str(folder), name)), *unchanged
                evaluation = lab.user_models.find(str(folder)).evaluation
                about = None if training.recipe.dataset in DATASETS else lab.dataset.about
                record = Record(training.recipe, versions(), len(lab.images), evaluation, about)
                saved = training.keep(name, lambda into: save_run(into, model, record, lab.test, {}, []))
                archive = shutil.make_archive(str(saved), "zip", saved.parent, name)
            choice = USER + str(folder)
            mine = [*(other for other in mine if other in lab.user_models), str(folder)]
            words = (
                f"<b>{escape(title(str(folder)))}</b> stands beside the others now, in every tab: FVU "
                f"{evaluation.fvu:.1%} at an effective L0 of {evaluation.effective_l0:.0f}, measured on the "
                f"{len(lab.images):,} test images."
            )
            radio = gr.Radio(method_choices(lab, mine), value=choice)
            file = gr.DownloadButton(value=archive, interactive=True)
            yield (
                f'<div class="sae"><p>{words}</p></div>', mine, radio,
                stop_slider(lab, choice, lab.first_position(choice)), file,
            )  # fmt: skip
        except Exception as error:
            yield _message(in_words(error), "error"), *unchanged

    def send(repo_id: str, token: gr.OAuthToken | None, request: gr.Request) -> Iterator[str]:
        """Push the model that was kept last: with the visitor's login, or on one's own machine with one's own."""
        training = trainings.find(request.session_hash)
        try:
            if training is None or training.kept is None:
                raise InputError("Keep a model first; then it can be pushed.")
            if lab.user_models.hosted and token is None:
                raise InputError(
                    "Sign in first, with the button above." if HAS_LOGIN else
                    "This Space has no login: download the model, and push it with `python -m training push`."
                )  # fmt: skip
            repo_id = (repo_id or "").strip()
            yield _message(f"Pushing to {repo_id} …")
            address = push(training.kept, repo_id, token=token and token.token)
            yield f'<div class="sae"><p>Pushed: <a href="{escape(address)}">{escape(repo_id)}</a>.</p></div>'
        except Exception as error:
            words = str(error) if isinstance(error, HubError) else in_words(error)
            yield _message(words.replace(str(training and training.kept), "The model"), "error")

    # One training at a time, in a line of its own: sliders go on beside it.
    line = {"concurrency_id": "training", "concurrency_limit": 1, "api_visibility": "private", "trigger_mode": "once"}
    inputs = [*settings, *page.bench]
    kind.input(with_error_message(lambda kind: gr.Dropdown(**_strengths(kind))), kind, strength, **page.live)
    start.click(run, inputs, [said, frame], show_progress="minimal", show_progress_on=said, **line)
    step.click(one_step, inputs, [said, frame], show_progress="hidden", show_progress_on=said, **line)
    pause.click(hold, None, None, **page.live)
    stop.click(end, None, [said, frame], **page.live)
    kept = keep.click(
        take, page.user_models, [said, page.user_models, *page.choice, file],
        **page.live | {"concurrency_id": "user-models", "concurrency_limit": 1},
    )  # fmt: skip
    page.follow(kept)
    pushed = {"show_progress": "hidden", "concurrency_limit": 2, "api_visibility": "private", "trigger_mode": "once"}
    gr.on([publish.click, repo.submit], send, repo, said, **pushed)
    page.leaves.append(end)


def _message(words: str, css_class: str = "") -> str:
    return f'<div class="sae {css_class}"><p>{escape(words)}</p></div>'


def _name(method: type, values: dict[str, float]) -> str:
    """What one of the bundled values of a method is called."""
    return " ".join(f"{value:g}" for name, value in values.items() if name == method.hyperparameter) or method.title


def _strengths(kind: str) -> dict[str, object]:
    """Label, choices and value of the dropdown over a method's hyperparameter."""
    method = METHODS[kind]
    names = [_name(method, values) for values in method.bundled]
    return {"choices": names, "value": names[len(names) // 2], "label": method.label}


def _said(training: LiveTraining) -> str:
    words = "Running."
    if training.finished:
        words = "Done. Keep it, and it stands beside the others in every tab; or start another one."
    elif training.paused:
        words = "Paused. Start goes on from here; Stop discards it."
    return _message(words)


def _frame(page: Page, training: LiveTraining, bench: Bench) -> str:
    """One moment of a training as HTML."""
    name = name_of(page.lab, bench)
    _, noisy = page.lab.images_of(bench.specimen)
    activations, carried = training.watched()
    loss = training.history[-1][1] if training.history else float("nan")
    rows = [
        ("Step", f"{training.step} of {training.steps}"),
        (f"Loss ({training.recipe.loss})", f"{loss:.4f}" if training.history else "–"),
        (term("mean activation", "Mean activation"), f"{activations.mean():.3f}"),
        (term("effective L0", "Effective L0"), f"{carried:.0f} of {training.recipe.latent_dim}"),
    ]
    table = "".join(f'<tr><th scope="row">{what}</th><td>{value}</td></tr>' for what, value in rows)
    with training.lock:
        atoms = training.model.dictionary[: COLUMNS * ROWS].clone()
    now = page.lab.picture(training.reconstruct(noisy))
    pair = card(image_of(now, f"The {name} as reconstructed now"), "Reconstruction", "now")
    given = page.lab.picture(noisy[0])
    pair += card(image_of(given, f"The {name} that it is given"), "Given", f"noise {bench.sigma:g}")
    charts = "".join(
        chart.svg() for chart in activation_charts(histogram_of(activations), histogram_of(activations.mean(0)))
    )
    return (
        '<div class="sae train"><div><h2>Atoms '
        f'<span class="muted">the first {len(atoms)} of {training.recipe.latent_dim}</span></h2>'
        f"{wall(atoms, COLUMNS, f'{len(atoms)} atoms as they are now')}</div>"
        f'<div><div class="pair">{pair}</div><table><tbody>{table}</tbody></table></div>'
        f"<div>{_curve(training)}{charts}</div></div>"
    )


def _curve(training: LiveTraining) -> str:
    first = training.history[0][1] if training.history else 0.5
    low, high = first / 25, 1.1 * first
    losses = tuple(tick for tick in LOSSES if low <= tick <= high)
    chart = Chart(
        Axis("step", 0, training.steps, tuple(range(0, training.steps + 1, 100 * (1 + training.steps // 600)))),
        Axis(f"loss ({training.recipe.loss})", low, high, losses, log=True),
        CURVE,
    )
    spoken = f"Reconstruction loss of {len(training.history)} batches"
    if training.history:
        spoken += f", from {training.history[0][1]:.3f} to {training.history[-1][1]:.3f}"
    return chart.drawing(chart.curve(training.history, 0), spoken).svg()
