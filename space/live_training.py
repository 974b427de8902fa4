"""Trainings that visitors watch: each takes steps only while its next moment is asked for."""

from __future__ import annotations

import copy
import secrets
import shutil
import time
from collections import OrderedDict
from collections.abc import Callable
from pathlib import Path
from tempfile import TemporaryDirectory
from threading import Lock
from typing import Literal, get_args

import torch
from torch import Tensor

from sae_model import SparseAutoencoder, effective_l0, unit_activation
from space.errors import InputError
from training.data import Dataset
from training.fit.loop import TrainingError, fit, round_to_half
from training.fit.recipe import Recipe

Size = Literal[100, 225, 400, 900]
SIZES: tuple[Size, ...] = get_args(Size)
"""Numbers of latents that a model may be trained with here."""
MOST_NOISE = 0.6
MOST_TRAININGS = 8
MOST_WAITING, MOST_OF_AN_ADDRESS = 12, 4
"""The most that wait to train, in all and from one address; each waits up to `LONGEST` for everyone ahead."""
STEPS_PER_MOMENT = 4
"""Steps between two moments, each of 256 images: a quarter of a second on one core for 900 latents."""
LONGEST = 90.0
"""Seconds of training in one go; then others have their turn."""


class LiveTraining:
    """One visitor's training.

    Args:
        recipe: what to do.
        images: (n, channels, height, width), those to learn from.
        watched: (m, channels, height, width), floats: the images on which the visitor watches the latents.
    """

    def __init__(self, recipe: Recipe, images: Tensor, watched: Tensor) -> None:
        self.recipe = recipe
        self.model = recipe.new_model(images)
        self.paused, self.finished = False, False
        self.step, self.steps = 0, recipe.epochs * max(1, len(images) // recipe.batch_size)
        self.history: list[tuple[int, float]] = []
        """(step, reconstruction loss)."""
        self._watched = watched
        self._run = fit(self.model, images, recipe, steps_per_report=STEPS_PER_MOMENT)
        self.lock = Lock()
        """Held while a step is taken, or the weights are read."""

    def advance(self, seconds: float) -> None:
        """Train for at least this long, but not beyond the end.

        Raises:
            InputError: the loss is not a number any more.
        """
        until = time.monotonic() + seconds
        try:
            with self.lock:
                for progress in self._run:
                    self.step = progress.step
                    self.history.append((progress.step, progress.reconstruction_loss))
                    if time.monotonic() >= until:
                        break
                self.finished |= self.step >= self.steps
        except TrainingError as error:
            self.finished = True
            raise InputError("learn.broke", error=str(error)) from error

    @torch.inference_mode()
    def watched(self) -> tuple[Tensor, float]:
        """Activations (m, latent_dim) of the watched images, and their mean effective L0."""
        with self.lock:
            latents = self.model.encode(self._watched)
        return unit_activation(latents), effective_l0(latents).mean().item()

    @torch.inference_mode()
    def reconstruct(self, image: Tensor) -> Tensor:
        """An image (1, channels, height, width) -> what the model makes of it now, (channels, height, width)."""
        with self.lock:
            return self.model.decode(self.model.encode(image))[0]

    def trained(self) -> SparseAutoencoder:
        """The model as it is now, as `fit` leaves it: rounded to half precision, and in eval mode."""
        with self.lock:
            model = copy.deepcopy(self.model)
        round_to_half(model)
        return model.eval()


class LiveTrainings:
    """The trainings of all visitors, by their sessions; of too many, those that rested longest are dropped."""

    def __init__(self, dataset: Dataset, watched: Tensor) -> None:
        self._dataset, self._watched = dataset, watched
        self._trainings: OrderedDict[str, LiveTraining] = OrderedDict()
        self._kept: OrderedDict[str, tuple[TemporaryDirectory[str], Path, str]] = OrderedDict()
        """Session -> of the model that was kept last: what removes its folder; the folder, as `fit` writes it, with a
        zip beside it; and the address of the zip."""
        self._line: dict[object, tuple[str, str]] = {}
        """Ticket -> session and address of all who want to train, in their order; the first one trains."""
        self._lock = Lock()

    def begin(self, session: str, recipe: Recipe) -> LiveTraining:
        """Start a new training.

        Raises:
            DataError: there are no training images.
        """
        training = LiveTraining(recipe, self._dataset.split("train", recipe.limit).images, self._watched)
        with self._lock:
            self._trainings[session] = training
            while len(self._trainings) > MOST_TRAININGS:
                self._trainings.popitem(last=False)[1].paused = True
        return training

    def find(self, session: str) -> LiveTraining | None:
        """The training of a session, if it has one."""
        with self._lock:
            if session in self._trainings:
                self._trainings.move_to_end(session)
            return self._trainings.get(session)

    def keep(self, session: str, name: str, save: Callable[[Path], None]) -> str:
        """Write a folder of this name, in place of the one that the session kept before.

        Returns:
            Its address for `archive`, which nobody can guess.
        """
        home = TemporaryDirectory(prefix="kept-")
        save(Path(home.name) / name)
        shutil.make_archive(str(Path(home.name) / name), "zip", home.name, name)
        address = f"{secrets.token_urlsafe(24)}/{name}.zip"
        with self._lock:
            self._kept[session] = home, Path(home.name) / name, address
            self._kept.move_to_end(session)
            while len(self._kept) > MOST_TRAININGS:
                self._kept.popitem(last=False)
        return address

    def archive(self, address: str) -> Path | None:
        """The zip of a model that was kept, where it is still here."""
        with self._lock:
            folders = [folder for _, folder, of in self._kept.values() if of == address]
        return folders[0].with_name(f"{folders[0].name}.zip") if folders else None

    def kept(self, session: str) -> Path | None:
        """The folder of the model that a session kept last."""
        with self._lock:
            return self._kept[session][1] if session in self._kept else None

    def wait(self, session: str, address: str) -> object:
        """Go to the end of the line; returns a ticket.

        Raises:
            InputError: the line is full, or too many in it are from the same address.
        """
        ticket = object()
        with self._lock:
            addresses = [other for _, other in self._line.values()]
            if len(addresses) >= MOST_WAITING or addresses.count(address) >= MOST_OF_AN_ADDRESS:
                raise InputError("learn.full")
            self._line[ticket] = session, address
        return ticket

    def ahead(self, ticket: object) -> list[str] | None:
        """The sessions ahead of a ticket in the line; None if the ticket was dropped."""
        with self._lock:
            if ticket not in self._line:
                return None
            return [session for session, _ in self._line.values()][: list(self._line).index(ticket)]

    def leave(self, ticket: object) -> None:
        """Let the others in the line move up."""
        with self._lock:
            self._line.pop(ticket, None)

    def drop(self, session: str) -> None:
        """End the training of a session, if it has one: it takes no further step, and waits for none."""
        with self._lock:
            self._line = {ticket: other for ticket, other in self._line.items() if other[0] != session}
            training = self._trainings.pop(session, None)
        if training is not None:
            training.paused = True

    def leave_page(self, session: str) -> None:
        """Forget a session."""
        self.drop(session)
        with self._lock:
            self._kept.pop(session, None)
