"""What a browser may fetch, all of it below `files/`: a table of names, so that no path of the machine can be reached.

    lab.json, words/LANGUAGE.json              see index.py and languages.py
    models/NAME/model.safetensors              weights, as they lie in the folder of the model
    statistics/NAME.safetensors, .../NAME/k-25.safetensors   latent statistics of a stop: class_means (classes x
                                               latents), peak (latents) and top_images (latents x 8)
    images, labels                             the test split: numbers after a header, compressed with gzip
    users/CHECKSUM/model.safetensors, .../statistics.safetensors   the same of users' models
    kept/SECRET/NAME.zip                       a model that was kept in Learn, for the one who kept it

Addresses with `?v=` and the hash of their content are cached for ever; all else is asked for again each time. Gradio
compresses what is JSON; of weights and statistics little can be saved.
"""

from __future__ import annotations

import gzip
import hashlib
import json
from collections.abc import Callable
from dataclasses import dataclass
from functools import cached_property, partial
from pathlib import Path
from typing import Any
from urllib.parse import quote

import torch
from starlette.requests import Request
from starlette.responses import FileResponse, PlainTextResponse, Response
from starlette.routing import Route
from torch import Tensor

from space import index
from space.lab import Lab, Stop
from space.languages import CATALOGS, catalog
from training.data import DATA_DIR
from training.measure.latent_statistics import SAMPLE, latent_statistics, read_statistics, to_bytes

FOR_EVER = "public, max-age=31536000, immutable"
JSON, GZIP = "application/json", "application/gzip"
BINARY = "application/octet-stream"
MNIST = DATA_DIR / "MNIST" / "raw"


@dataclass
class File:
    """One file, as a browser gets it."""

    content: Path | Callable[[], bytes]
    """Where it lies, or what makes it when it is first asked for."""
    media_type: str = BINARY
    version: str | None = None
    """What changes with its content; None takes a hash of it."""

    @cached_property
    def body(self) -> bytes:
        """Its bytes."""
        return self.content.read_bytes() if isinstance(self.content, Path) else self.content()

    @cached_property
    def tag(self) -> str:
        """Its version, or the hash of its content."""
        return self.version or _hash(self.body)

    def answer(self, request: Request, for_ever: bool) -> Response:
        """What a request for it gets."""
        headers = {"ETag": f'"{self.tag}"', "Cache-Control": FOR_EVER if for_ever else "no-cache"}
        if request.headers.get("if-none-match") == headers["ETag"]:
            return Response(status_code=304, headers=headers)
        if isinstance(self.content, Path):
            return FileResponse(self.content, headers=headers, media_type=self.media_type)
        return Response(self.body, headers=headers, media_type=self.media_type)


class Files:
    """All files of a page."""

    def __init__(self, lab: Lab, server: dict[str, Any] | None) -> None:
        """`server` is what the browser needs to know of the server; None for files that are served without one."""
        self.lab = lab
        self.table: dict[str, File] = {}
        for code in CATALOGS:
            self._add_json(f"words/{code}.json", partial(catalog, code))
        shown = {name: str(shown.config["weights_sha256"]) for name, shown in lab.models.items()}
        for name, checksum in shown.items():
            self.table[f"models/{name}/model.safetensors"] = File(lab.models[name].weights, version=checksum)
        for stop in index.labelled(lab):
            # Their version follows from what they are computed from: the weights, the stop, the images.
            version = None if lab.is_bundled else _hash(f"{shown[stop.model]} {stop.key} {self._images_hash}".encode())
            self.table[_statistics_name(stop)] = File(partial(_statistics, lab, stop), version=version)
        packed = self._packed_images()
        urls: dict[str, dict[str, Any]] = {
            "weights": {name: self.url(f"models/{name}/model.safetensors") for name in lab.models},
            "statistics": {stop.key: self.url(_statistics_name(stop)) for stop in index.labelled(lab)},
            **packed,
        }
        self._add_json("lab.json", lambda: index.index_of(lab, urls, server))

    def url(self, name: str) -> str:
        """Where a file of the table is, relative to `files/`."""
        return f"{quote(name)}?v={self.table[name].tag[:16]}"

    def routes(self) -> list[Route]:
        """For the app."""
        return [Route("/files/{name:path}", self._answer)]

    def _answer(self, request: Request) -> Response:
        name, version = request.path_params["name"], request.query_params.get("v", "")
        if file := self.table.get(name):
            return file.answer(request, len(version) == 16 and file.tag.startswith(version))
        folder, _, rest = name.partition("/")
        if folder == "users" and (file := self._of_user(*rest.partition("/")[::2])):
            return file.answer(request, True)
        if folder == "kept" and (path := self.lab.trainings.archive(rest)):
            return FileResponse(path, filename=path.name, headers={"Cache-Control": "no-store"})
        return PlainTextResponse("There is no such file.", 404)

    def _of_user(self, checksum: str, name: str) -> File | None:
        model = self.lab.user_models.of_checksum(checksum)
        if model is None or name not in ("model.safetensors", "statistics.safetensors"):
            return None
        content = model.weights if name == "model.safetensors" else model.statistics
        return File(lambda: content, version=f"{checksum[:16]}-{name[0]}")

    def _add_json(self, name: str, content: Callable[[], Any]) -> None:
        def written() -> bytes:
            return json.dumps(content(), ensure_ascii=False, separators=(",", ":"), allow_nan=False).encode()

        self.table[name] = File(written, JSON)

    @cached_property
    def _images_hash(self) -> str:
        return _hash(*map(_raw, self.lab.test))

    def _packed_images(self) -> dict[str, dict[str, Any]]:
        """Put the test split into the table; returns where it is, and how it is packed."""
        images, labels = self.lab.test
        if self.lab.is_bundled:
            names = {"images": ("t10k-images-idx3-ubyte.gz", 16), "labels": ("t10k-labels-idx1-ubyte.gz", 8)}
            found = {name: (File(MNIST / path, GZIP), "uint8", skip) for name, (path, skip) in names.items()}
        else:
            kind, version = "float32" if images.is_floating_point() else "uint8", self._images_hash
            found = {
                "images": (File(lambda: _gzipped(images), GZIP, version), kind, 0),
                "labels": (File(lambda: _gzipped(labels.to(torch.uint16)), GZIP, version), "uint16", 0),
            }
        self.table |= {name: file for name, (file, *_) in found.items()}
        return {
            name: {"url": self.url(name), "type": kind, "skip": skip, "count": len(images)}
            for name, (_, kind, skip) in found.items()
        }


def _hash(*contents: bytes) -> str:
    return hashlib.sha256(b"".join(contents)).hexdigest()[:32]


def _raw(numbers: Tensor) -> bytes:
    return numbers.contiguous().numpy().tobytes()


def _gzipped(numbers: Tensor) -> bytes:
    return gzip.compress(_raw(numbers.float() if numbers.is_floating_point() else numbers), 6, mtime=0)


def _statistics_name(stop: Stop) -> str:
    at = "".join(f"/{argument}-{value:g}" for argument, value in stop.arguments.items())
    return f"statistics/{stop.model}{at}.safetensors"


def _statistics(lab: Lab, stop: Stop) -> bytes:
    """Those of a stop: the committed ones, or computed now, which takes about a second."""
    folder, prefix = lab.models[stop.model].folder, "".join(f"{value:g}/" for value in stop.arguments.values())
    committed = read_statistics(folder, prefix) if lab.is_bundled else None
    if committed is not None:
        return committed
    sample = lab.images[:SAMPLE], lab.labels[:SAMPLE]
    return to_bytes({"": latent_statistics(lab.model(stop.model), *sample, len(lab.classes), **stop.arguments)})
