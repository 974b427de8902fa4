"""Trainings before a visitor's eyes: what web/learn.js asks for, and what it is answered.

Every answer is JSON: {"about": event, ...} with {"key", "values"}: words of the catalog, and `"error": true` where
something went wrong; or with a moment of a training, as `_moment` has it.
"""

from __future__ import annotations

import base64
import binascii
import ctypes
import itertools
import json
import re
import tempfile
import time
import uuid
import zlib
from collections.abc import Iterator
from contextlib import suppress
from dataclasses import asdict, replace
from pathlib import Path
from typing import Annotated, Any

import gradio as gr
import numpy as np
import torch
from pydantic import ConfigDict, Field
from pydantic.dataclasses import dataclass
from torch import Tensor

from sae_model.methods import METHODS, sparsity_from_config
from space.bench import Bench
from space.edge import HAS_LOGIN, address_of, is_owner
from space.errors import InputError, told
from space.head import to_base64
from space.index import news_of, strength
from space.lab import LARGEST_SEED, Lab
from space.lines import unread
from space.live_training import LONGEST, MOST_NOISE, MOST_WAITING, LiveTraining, Size
from space.state import State
from space.user_models import TRAINED_HERE, Address
from training.fit.recipe import Recipe, for_any_range, tuned
from training.measure.histogram import histogram_of
from training.publish.hub import push
from training.publish.record import Record, versions
from training.publish.run_folder import save_run

MOMENT = 0.3
"""Seconds of training between two answers."""
MOST_UNREAD_MOMENTS = 3
"""Moments that the visitor has not read; the training waits before it sends one more."""
EPOCHS, FEWEST_STEPS = 2, 300
"""Passes over the images; more of them where that makes too few steps."""
NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9_.-]{0,39}", re.ASCII)
"""What a visitor may call a model."""
MOST_ATOMS, MOST_PIXELS = 144, 150_000
"""So many atoms a moment has, or fewer where they are large."""
LEVELS = 15
"""Of an atom's values on either side of 0."""
LARGEST_PIXEL = 1e6
_numbers = itertools.count()


@dataclass(frozen=True, config=ConfigDict(strict=True, allow_inf_nan=False))
class Settings:
    """What a training is started with; web/settings.js offers the values."""

    kind: str
    strength: str
    size: Size
    noise: Annotated[float, Field(ge=0, le=MOST_NOISE)]
    seed: Annotated[int, Field(ge=0, le=LARGEST_SEED)]


def answer(about: str, **content: object) -> str:
    """An answer to an event; no two are equal, so that a browser sees each."""
    return json.dumps({"about": about, "number": next(_numbers), **content})


def failure(about: str, error: Exception) -> str:
    """What went wrong, as an answer."""
    return answer(about, error=True, **told(error))


class Learn:
    """The handlers of Learn; `wire` lets them answer the bench."""

    def __init__(self, lab: Lab) -> None:
        self.lab, self.trainings = lab, lab.trainings

    def wire(self, bench: Bench, answers: gr.HTML) -> None:
        """Register the handlers of the page's events."""
        # One training at a time; others wait here and see their place in the line, or are told that it is full.
        line = {"concurrency_id": "training", "concurrency_limit": MOST_WAITING + 4, "trigger_mode": "once"}
        bench.on("start", self.run, outputs=answers, **line)
        bench.on("step", self.one_step, outputs=answers, **line)
        quick = {"concurrency_id": "quick", "concurrency_limit": 4, "trigger_mode": "multiple"}
        bench.on("pause", self.pause, **quick)
        bench.on("stop", self.stop, outputs=answers, **quick)
        bench.on("discard", self.discard, outputs=answers, **quick)
        measures = {"concurrency_id": "user-models", "concurrency_limit": 1, "trigger_mode": "once"}
        bench.on("keep", self.keep, outputs=answers, **measures)
        bench.on("send", self.send, outputs=answers, concurrency_limit=2, trigger_mode="once")

    def run(self, _: State, event: gr.EventData, request: gr.Request) -> Iterator[str]:
        """Start, or go on."""
        yield from self._train("start", event._data, request, single=False)

    def one_step(self, _: State, event: gr.EventData, request: gr.Request) -> Iterator[str]:
        """The same for one moment."""
        yield from self._train("step", event._data, request, single=True)

    def _train(self, about: str, data: object, request: gr.Request, single: bool) -> Iterator[str]:
        session, ticket = str(request.session_hash), None
        try:
            noisy, recipe = self._image(data), self._recipe(data)
            self._hold(session)  # a step may be asked for while the same training runs
            ticket = self.trainings.wait(session, address_of(request))
            while ahead := self.trainings.ahead(ticket):
                others = len(set(ahead) - {session})
                if others:
                    yield answer(about, status="waiting", key="learn.waiting", values={"ahead": others})
                time.sleep(MOMENT)
            if ahead is None:  # stopped, or gone
                yield answer(about, status="idle")
                return
            training = self.trainings.find(session)
            if training is None or training.finished:
                training = self.trainings.begin(session, recipe)
            training.paused = single
            began = time.monotonic()
            while not training.finished:
                training.advance(0.0 if single else MOMENT)
                moment = _moment(training, noisy)
                if self.trainings.find(session) is not training:  # it was stopped meanwhile
                    yield answer(about, status="idle")
                    return
                is_last = training.paused or training.finished or time.monotonic() - began > LONGEST
                status = "done" if training.finished else "paused" if is_last else "running"
                yield answer(about, status=status, moment=moment)
                while unread(request) > MOST_UNREAD_MOMENTS and time.monotonic() - began < LONGEST:
                    time.sleep(MOMENT)
                if is_last or training.paused:
                    break
            if not training.finished and not is_last:  # paused while its last moment was read
                yield answer(about, status="paused")
            training.paused = True
        except Exception as error:
            yield failure(about, error)
        finally:
            self.trainings.leave(ticket)
            trim()

    def pause(self, _: State, request: gr.Request) -> None:
        """Let the training rest after this moment."""
        self._hold(str(request.session_hash))

    def stop(self, _: State, request: gr.Request) -> str:
        """End the training as it is: it may be kept, and the next start begins a new one."""
        training = self.trainings.find(str(request.session_hash))
        if training is None:
            return self.discard(_, request)
        training.paused = training.finished = True
        return answer("stop", status="done", key="learn.stopped")

    def discard(self, _: State, request: gr.Request) -> str:
        """The training is gone."""
        self.trainings.drop(str(request.session_hash))
        return answer("discard", status="idle")

    def keep(self, _: State, event: gr.EventData, request: gr.Request) -> Iterator[str]:
        """Measure the model as it is now, set it beside the others, and make the folder that `fit` writes."""
        lab, session = self.lab, str(request.session_hash)
        training = self.trainings.find(session)
        try:
            if training is None or not training.history:
                raise InputError("learn.nothing")
            training.paused = True
            name = _field(event._data, "name") or training.recipe.name
            if not isinstance(name, str) or not NAME.fullmatch(name):
                raise InputError("errors.name", value=name)
            model, name = training.trained(), f"{name}-{uuid.uuid4().hex[:6]}"  # no two visitors' are called alike
            with tempfile.TemporaryDirectory() as scratch:
                folder, shown = Path(scratch) / name, TRAINED_HERE + name
                model.save_pretrained(folder)
                for step in lab.user_models.load(Address(str(folder), called=shown)):
                    yield answer("keep", **step)
                kept = lab.user_models.find(shown)
                record = Record(training.recipe, versions(), len(lab.images), kept.evaluation, lab.dataset.about)
                archive = self.trainings.keep(
                    session, name, lambda into: save_run(into, model, record, lab.test, {}, [])
                )
            values = {
                "title": shown,
                "fvu": kept.evaluation.fvu,
                "effective_l0": kept.evaluation.effective_l0,
                "images": len(lab.images),
                "step": training.step,
                "steps": training.steps,
            }
            key = "learn.kept" if training.step >= training.steps else "learn.kept_early"
            yield answer("keep", key=key, values=values, news=news_of(lab, kept), file=f"kept/{archive}")
        except Exception as error:
            yield failure("keep", error)

    def send(self, _: State, event: gr.EventData, token: gr.OAuthToken | None, request: gr.Request) -> Iterator[str]:
        """Push the model that was kept last: with the visitor's login, or the machine's if this is its owner."""
        kept = self.trainings.kept(str(request.session_hash))
        try:
            repo = _field(event._data, "repo")
            if not isinstance(repo, str):
                raise InputError("errors.state", name="repo")
            if kept is None:
                raise InputError("learn.not_kept")
            if token is None and not is_owner(request):
                raise InputError("learn.sign_in" if HAS_LOGIN else "learn.no_login")
            yield answer("send", key="learn.pushing", values={"repo": repo.strip()[:100]})
            address = push(kept, repo.strip(), token=token.token if token else None)
            yield answer("send", key="learn.pushed", values={"repo": repo.strip()}, link=address)
        except Exception as error:
            failed = told(error)
            values = {name: _without(kept, value) for name, value in failed["values"].items()}
            yield answer("send", error=True, key=failed["key"], values=values)

    def _hold(self, session: str) -> None:
        if training := self.trainings.find(session):
            training.paused = True

    def _image(self, data: object) -> Tensor:
        """The noisy image of the bench, (1, channels, height, width)."""
        try:
            content = base64.b64decode(_field(data, "image"), validate=True)
            numbers = np.frombuffer(content, "<f4").reshape(1, *self.lab.image_shape)
        except (TypeError, ValueError, binascii.Error):
            raise InputError("errors.state", name="image") from None
        if not np.isfinite(numbers).all() or np.abs(numbers).max() > LARGEST_PIXEL:
            raise InputError("errors.state", name="image")
        return torch.from_numpy(numbers.copy())

    def _recipe(self, data: object) -> Recipe:
        try:
            chosen = Settings(**data)  # type: ignore[arg-type]  # which checks what it gets
            method = METHODS[chosen.kind]
            values = {strength(method, values): values for values in method.bundled}[chosen.strength]
        except (TypeError, ValueError, KeyError):
            raise InputError("errors.state", name="settings") from None
        lab, recipe = self.lab, tuned(sparsity_from_config({"kind": chosen.kind, **values}))
        recipe = recipe if lab.loss == "bce" else for_any_range(recipe)
        a_pass = max(1, len(lab.dataset.split("train").images) // recipe.batch_size)
        epochs = max(EPOCHS, -(-FEWEST_STEPS // a_pass))
        size, noise, seed = chosen.size, float(chosen.noise), chosen.seed
        return replace(recipe, latent_dim=size, noise=noise, seed=seed, epochs=epochs, **lab.data_fields)


def _field(data: object, name: str) -> Any:
    """A field of what an event carries; None where there is none."""
    return data.get(name) if isinstance(data, dict) else None


def _without(folder: Path | None, words: object) -> object:
    """Words in which the folder of a kept model is "the model"."""
    return words.replace(str(folder), folder.name) if folder and isinstance(words, str) else words


def _moment(training: LiveTraining, noisy: Tensor) -> dict[str, Any]:
    """One moment of a training.

    `atoms` and `reconstruction` are base64 of bytes: signed ones, compressed by zlib, each atom's largest value being
    15; and the values of an image as float16.
    """
    activations, carried = training.watched()
    pixels = noisy[0].numel()
    with training.lock:
        atoms = training.model.dictionary[: min(MOST_ATOMS, max(1, MOST_PIXELS // pixels))].flatten(1)
    levels = LEVELS * atoms / atoms.abs().amax(1, keepdim=True).clamp_min(1e-6)
    return {
        "step": training.step,
        "steps": training.steps,
        "loss": training.recipe.loss,
        "history": [[step, float(f"{loss:.4g}")] for step, loss in training.history],
        "latents": training.recipe.latent_dim,
        "count": len(atoms),
        "atoms": base64.b64encode(zlib.compress(levels.round().to(torch.int8).numpy().tobytes())).decode(),
        "reconstruction": to_base64(training.reconstruct(noisy)),
        "mean_activation": activations.mean().item(),
        "effective_l0": carried,
        "activations": asdict(histogram_of(activations)),
        "means": asdict(histogram_of(activations.mean(0))),
    }


def trim() -> None:
    """Give back what was freed by work on many images.

    The C library keeps freed memory for the thread that freed it, about 100 MB after a report on all test images; and
    the page has forty threads. Other C libraries than GNU's have no such function, and are left alone.
    """
    with suppress(OSError, AttributeError, TypeError):  # TypeError: Windows has no CDLL(None)
        ctypes.CDLL(None).malloc_trim(0)
