"""A process of its own for one user's model: it fetches, checks and measures it, and then ends.

Whatever the files hold, only this process can fail: it has a limit on time, memory and the size of files, and works at
a low priority. `user_models` starts it with a folder in which job.json and test.safetensors lie; it says
what it does on stdout, a line of JSON each, and leaves the model, evaluation.json and statistics.safetensors in `model`
of that folder. Starting it costs two seconds; the measuring that follows costs ten for a model of 900 latents.
"""

from __future__ import annotations

import contextlib
import json
import math
import os
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import torch
from huggingface_hub import get_hf_file_metadata, hf_hub_url
from huggingface_hub.errors import HFValidationError, HTTPError  # type: ignore[attr-defined]  # as in sae_model/hub.py
from safetensors.torch import load_file

from sae_model import SparseAutoencoder
from sae_model.errors import UserError, first_line
from sae_model.hub import as_folder, find_files
from sae_model.storage import CONFIG_NAME, WEIGHTS_NAME, read_config
from space.errors import InputError, told
from training.data import Split
from training.measure.evaluation import SIGMA, Evaluation, evaluate
from training.measure.latent_statistics import SAMPLE, STATISTICS_NAME, latent_statistics, to_bytes
from training.publish.record import EVALUATION_NAME

LARGEST_SIZE = 2048
"""The most latents of a user's model. The method for every k takes longest to measure: up to 180 CPU seconds."""
LARGEST_FILE = 50_000_000
"""Bytes; the largest model that fits has 30 MB."""
MEMORY = 3_000_000_000
"""Bytes; the largest model takes 700 MB."""
CPU_SECONDS = 240


def work(folder: Path) -> Iterator[dict[str, Any]]:
    """Do the job of a folder.

    Yields:
        {"measuring": True} when the model is here and whole; at the end {"config": ...}, its config.json; or an
        {"error": {"key": that of a template, "values": its values}}. Where the config is the job's "known" one, nothing
        is measured.
    """
    job = json.loads((folder / "job.json").read_text(encoding="utf-8"))
    name, test = job["name"], Split(**load_file(folder / "test.safetensors"))
    try:
        _check_files(job, name)
        paths = find_files(job["source"], (CONFIG_NAME, WEIGHTS_NAME), revision=job["revision"], **job["hub"])
        config = read_config(paths[0])
        if config != job["known"]:
            _check_sizes(name, config, list(test.images.shape[1:]))
            model = SparseAutoencoder.from_pretrained(paths[0].parent)
            yield {"measuring": True}
            model.save_pretrained(folder / "model")
            evaluation = _measured(name, model, test)
            (folder / "model" / EVALUATION_NAME).write_text(evaluation.to_json(), encoding="utf-8")
            sample = test.images[:SAMPLE], test.labels[:SAMPLE]
            statistics = latent_statistics(model, *sample, classes=job["classes"])
            (folder / "model" / STATISTICS_NAME).write_bytes(to_bytes({"": statistics}))
        yield {"config": config}
    except UserError as error:
        yield {"error": told(error)}
    except OSError as error:  # the disk is full
        yield {"error": told(InputError("box.disk", name=name, reason=error.strerror or first_line(error)))}
    except (MemoryError, RuntimeError) as error:
        print(first_line(error), file=sys.stderr)
        yield {"error": told(InputError("box.memory", name=name, gigabytes=MEMORY / 1e9))}


def _measured(name: str, model: SparseAutoencoder, test: Split) -> Evaluation:
    """All metrics of a model.

    Raises:
        InputError: its latents or reconstructions are not numbers.
    """
    try:
        evaluation = evaluate(model, test, sigmas=(SIGMA,))  # all that the page shows
    except (RuntimeError, ValueError) as error:  # reconstructions that are not numbers, or images out of range
        if "memory" in str(error):
            raise
        raise InputError("box.unmeasured", name=name, reason=first_line(error)) from error
    if not math.isfinite(evaluation.mse + evaluation.mean_activation + evaluation.effective_l0):
        raise InputError("box.no_numbers", name=name)
    return evaluation


def _check_files(job: dict[str, Any], name: str) -> None:
    """Reject files that are too large before they are fetched; for all else, loading has better error messages."""
    for filename in () if as_folder(job["source"]) else (CONFIG_NAME, WEIGHTS_NAME):
        try:
            url = hf_hub_url(job["source"], filename, revision=job["revision"])
            size = get_hf_file_metadata(url, token=job["hub"]["token"]).size or 0
        except (HTTPError, HFValidationError, OSError):
            return
        if size > LARGEST_FILE:
            raise InputError("box.file_too_large", file=filename, name=name, megabytes=size / 1e6)


def _check_sizes(name: str, config: dict[str, Any], ours: list[int]) -> None:
    size, shape = config.get("latent_dim"), config.get("image_shape")
    if isinstance(size, int) and size > LARGEST_SIZE:
        raise InputError("box.too_large", name=name, size=size, most=LARGEST_SIZE)
    if shape is not None and shape != ours:
        raise InputError("box.other_shape", name=name, shape=shape, ours=ours)


def _limit() -> None:
    with contextlib.suppress(ImportError):  # Windows has no such limits
        import resource

        os.nice(5)
        for limit, most in (
            (resource.RLIMIT_CPU, CPU_SECONDS),
            (resource.RLIMIT_DATA, MEMORY),
            (resource.RLIMIT_FSIZE, LARGEST_FILE),
            (resource.RLIMIT_CORE, 0),
        ):
            resource.setrlimit(limit, (most, most))


if __name__ == "__main__":
    _limit()
    torch.set_num_threads(1)
    for message in work(Path(sys.argv[1])):
        print(json.dumps(message), flush=True)
