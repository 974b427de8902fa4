"""Runs that are killed at any moment go on where they were, and end with the bits of the run that was not killed."""

from __future__ import annotations

import random
import resource
import shutil
import signal
import subprocess
import sys
import tempfile
import time
from dataclasses import replace
from pathlib import Path
from pkgutil import resolve_name

import numpy as np
import pytest
import torch

from sae_model import AdaptiveTopK, KLPerNeuron
from tests.command_line import assert_refused, run, succeeded
from training.data import Rows, Split
from training.fit.bundled_recipes import LECTURE
from training.fit.checkpoint import Checkpoint, CheckpointError, remove_checkpoint
from training.fit.loop import fit
from training.fit.output import OutputError, locked
from training.fit.recipe import Recipe

ROOT = Path(__file__).resolve().parents[2]
SHORT = Recipe(latent_dim=40, epochs=3, batch_size=20)
COMMAND = (
    "fit", "--limit", "64", "--batch-size", "4", "--epochs", "20", "--latent-dim", "40", "--beta", "0.2",
    "--measure", "quick", "--data-dir",
)  # fmt: skip
ONE_EPOCH = ("fit", "--limit", "100", "--epochs", "1", "--latent-dim", "20", "--measure", "quick", "--data-dir")


@pytest.mark.parametrize(
    ("recipe", "count"),
    [
        (replace(SHORT, sparsity=KLPerNeuron(0.1)), 400),
        (replace(SHORT, sparsity=AdaptiveTopK(8)), 400),
        (replace(LECTURE, latent_dim=30, epochs=10, batch_size=10), 40),
    ],
    ids=lambda value: getattr(value, "name", None),
)
def test_a_run_taken_up_from_any_report_ends_with_the_same_bits(
    training_digits: Split, tmp_path: Path, recipe: Recipe, count: int
) -> None:
    images = training_digits.images[:count]
    whole = recipe.new_model(images)
    steps = [progress.step for progress in fit(whole, images, recipe)]
    for stopped_after in steps:
        checkpoint = Checkpoint(tmp_path / "model", recipe, images)
        for progress in fit(recipe.new_model(images), images, recipe):
            if progress.step == stopped_after:
                checkpoint.write(progress.snapshot())
                break
        again = replace(recipe, seed=5).new_model(images)  # other first weights: all must come from the checkpoint
        left = [progress.step for progress in fit(again, images, recipe, checkpoint.read())]
        assert left == [step for step in steps if step > stopped_after]
        for name, tensor in whole.state_dict().items():
            assert torch.equal(tensor, again.state_dict()[name]), (stopped_after, name)


@pytest.fixture
def checkpoint(training_digits: Split, tmp_path: Path) -> Checkpoint:
    """One that was written."""
    images = training_digits.images[:100]
    written = Checkpoint(tmp_path / "model", SHORT, images)
    written.write(next(fit(SHORT.new_model(images), images, replace(SHORT, epochs=8))).snapshot())
    return written


def test_a_checkpoint_of_another_run_is_refused(checkpoint: Checkpoint, training_digits: Split) -> None:
    images = training_digits.images[:100]
    output = checkpoint.path.with_name("model")
    for recipe, other in ((replace(SHORT, seed=1), images), (SHORT, images.flip(0))):
        with pytest.raises(CheckpointError, match="no complete checkpoint of this recipe and these images"):
            Checkpoint(output, recipe, other).read()
    many = torch.zeros(5_000, 3)
    known = Checkpoint(output, SHORT, many).run
    many[1234] = 1
    assert Checkpoint(output, SHORT, many).run != known
    assert Checkpoint(output, SHORT, images).read()["step"] == 20


def test_rows_that_differ_from_somewhere_on_are_other_data(tmp_path: Path) -> None:
    """A sample is looked at, from the first to the last."""
    rows = np.zeros((5_000, 3), dtype=np.float32)
    others = [np.where(np.arange(5_000)[:, None] < first, rows, 1) for first in (0, 2_500, 4_999)]
    assert len({Checkpoint(tmp_path / "model", SHORT, Rows(data)).run for data in (rows, *others)}) == 4


@pytest.mark.parametrize("content", [b"", b".", b"nothing", None])
def test_a_damaged_checkpoint_is_refused(checkpoint: Checkpoint, content: bytes | None) -> None:
    whole = checkpoint.path.read_bytes()
    checkpoint.path.write_bytes(whole[: len(whole) // 2] if content is None else content)
    with pytest.raises(CheckpointError, match="no complete checkpoint of this recipe"):
        checkpoint.read()


def test_a_checkpoint_that_cannot_be_written_leaves_the_one_before(checkpoint: Checkpoint) -> None:
    before = checkpoint.path.read_bytes()
    limits = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (1000, limits[1]))
    try:
        with pytest.raises(OSError, match="File too large"):
            checkpoint.write({"step": 7, "more": torch.ones(10_000)})
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, limits)
    assert checkpoint.path.read_bytes() == before
    assert [path.name for path in checkpoint.path.parent.iterdir()] == [checkpoint.path.name]


OFTEN = """
import training.fit.checkpoint
from training.cli import main

training.fit.checkpoint.STEPS_PER_CHECKPOINT = 20
main()
"""


def stopped(by: signal.Signals, code: int, *command: object) -> str:
    """What a run wrote to stderr until a signal stopped it, a moment after it wrote a checkpoint."""
    checkpoint = Path(f"{command[command.index('--output') + 1]}.checkpoint")
    before = checkpoint.stat().st_mtime_ns if checkpoint.exists() else 0
    # Tests that a shell runs in the background ignore Ctrl-C, and so would what they start.
    handler = signal.signal(signal.SIGINT, signal.default_int_handler)
    with tempfile.TemporaryFile("w+") as log:
        process = subprocess.Popen([sys.executable, "-c", OFTEN, *map(str, command)], cwd=ROOT, stderr=log)
        signal.signal(signal.SIGINT, handler)
        while not checkpoint.exists() or checkpoint.stat().st_mtime_ns == before:
            assert process.poll() is None
            time.sleep(0.005)
        time.sleep(random.uniform(0, 0.1))
        process.send_signal(by)
        assert process.wait() == code
        log.seek(0)
        return log.read()


@pytest.mark.slow
def test_kill_9_at_random_moments_changes_nothing(tmp_path: Path, few_digits: Path) -> None:
    killed = tmp_path / "killed"
    command = (*COMMAND, few_digits, "--output", killed, "--resume")
    for _ in range(3):
        stopped(signal.SIGKILL, -signal.SIGKILL, *command)
    last, unharmed = succeeded(*command), succeeded(*COMMAND, few_digits, "--output", tmp_path / "unharmed")
    assert (killed / "model.safetensors").read_bytes() == (tmp_path / "unharmed" / "model.safetensors").read_bytes()
    assert last.stdout == unharmed.stdout
    assert sorted(path.name for path in tmp_path.iterdir()) == ["killed", "unharmed"]


@pytest.mark.slow
def test_an_unfinished_run_is_not_overwritten_and_a_finished_one_is_not_repeated(
    tmp_path: Path, few_digits: Path
) -> None:
    output, checkpoint = tmp_path / "model", tmp_path / "model.checkpoint"
    command = (*COMMAND, few_digits, "--output", output)
    last = stopped(signal.SIGINT, 130, *command).splitlines()[-1]
    assert last == (
        "Stopped. Nothing was half-written; `fit --resume` goes on from its last checkpoint, or starts again."
    )
    left = checkpoint.read_bytes()
    assert [path.name for path in tmp_path.iterdir()] == ["model.checkpoint"]
    assert_refused(run(*command), "model.checkpoint is left of an unfinished run: add --resume")
    assert_refused(run(*command, "--resume", "--seed", "3"), "is no complete checkpoint of this recipe")
    assert checkpoint.read_bytes() == left
    done = succeeded(*command, "--resume")
    unharmed = succeeded(*COMMAND, few_digits, "--output", tmp_path / "unharmed")
    assert done.stdout == unharmed.stdout
    shutil.rmtree(tmp_path / "unharmed")
    weights = (output / "model.safetensors").stat().st_mtime_ns
    checkpoint.write_bytes(left)  # as if it was killed after the model was there
    again = run(*command, "--resume")
    assert (again.stdout, again.stderr) == (done.stdout, f"{output} is finished.\n")
    assert (output / "model.safetensors").stat().st_mtime_ns == weights
    assert [path.name for path in tmp_path.iterdir()] == ["model"]
    assert_refused(run(*command, "--resume", "--seed", "3"), "is not empty, and nothing is overwritten")


def test_two_runs_do_not_write_to_one_output(tmp_path: Path, few_digits: Path) -> None:
    output = tmp_path / "model"
    command = (*ONE_EPOCH, few_digits, "--output")
    with locked(output):
        for name in (output, tmp_path / "other" / ".." / "model"):
            assert_refused(run(*command, name), "is being written by another run: wait until it is done")
    assert list(tmp_path.iterdir()) == []
    succeeded(*command, output)
    assert [path.name for path in tmp_path.iterdir()] == ["model"]


def test_the_lock_of_a_killed_run_blocks_nobody(tmp_path: Path) -> None:
    output = tmp_path / "model"
    wait = "import sys, time, pathlib; from training.fit.output import locked\nwith locked(pathlib.Path(sys.argv[1])):"
    process = subprocess.Popen(
        [sys.executable, "-c", f"{wait}\n    print(1, flush=True)\n    time.sleep(600)", output],
        cwd=ROOT,
        stdout=subprocess.PIPE,
    )
    process.stdout.read(1)
    with pytest.raises(OutputError, match="is being written by another run"), locked(output):
        pass
    process.kill()
    process.wait()
    with locked(output):
        pass
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize(
    ("module", "function"), [("data.dataset", "_read"), ("fit.checkpoint", "Checkpoint.write"), ("runs", "save_run")]
)
def test_a_full_disk_is_an_error_message_and_leaves_nothing(
    tmp_path: Path, few_digits: Path, monkeypatch: pytest.MonkeyPatch, module: str, function: str
) -> None:
    """From some moment on no file may grow beyond 20 kB, which is what a full disk looks like to a program."""
    limits = resource.getrlimit(resource.RLIMIT_FSIZE)
    real = resolve_name(f"training.{module}:{function}")

    def write_on_a_full_disk(*arguments: object, **named: object) -> object:
        resource.setrlimit(resource.RLIMIT_FSIZE, (20_000, limits[1]))
        return real(*arguments, **named)

    monkeypatch.setattr(f"training.{module}.{function}", write_on_a_full_disk)
    try:
        done = run(*ONE_EPOCH, few_digits, "--latent-dim", "40", "--output", tmp_path / "model")
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, limits)
    assert done.returncode == 1
    assert "Error: File too large" in done.stderr.splitlines()[-1]
    assert not (tmp_path / "model").exists()
    assert not list(tmp_path.glob(".*"))


def test_checkpoints_are_gone_with_their_run(checkpoint: Checkpoint) -> None:
    shutil.copy(checkpoint.path, checkpoint.path.with_name(".model.checkpoint.partial"))
    remove_checkpoint(checkpoint.path.with_name("model"))
    assert list(checkpoint.path.parent.iterdir()) == []
