"""The latents of one model as one HTML file, which needs no server and no network: `latents.html` filled with data."""

from __future__ import annotations

import base64
import io
import json
import math
from html import escape
from importlib.resources import files
from typing import Any

import torch
import torch.nn.functional as F
from torch import Tensor

from sae_model import SparseAutoencoder

from ..data import About, Images, Places, as_floats
from ..measure.latents import (
    LOWEST_DECADE,
    Latents,
    heat_maps,
    log_histogram,
    look_at_latents,
    nearest_atoms,
    stability,
)
from .card_image import as_pictures, as_sheet, value_range

SHOWN = 8
"""Rows of each latent."""
COLUMNS = 50
"""Pictures in a row of a sprite."""
MOST_PIXELS = 24_000_000
"""Of a sprite: pictures are made smaller where there would be more."""
BARS = 40


def latents_report(
    model: SparseAutoencoder,
    data: Images,
    labels: Tensor | None,
    about: About,
    places: Places | None = None,
    other: SparseAutoencoder | None = None,
) -> str:
    """Every latent with its atom, how often it is on, its largest rows, its nearest atom; sorted and searched.

    Args:
        data: (n, *image_shape), the rows to look at, such as a test split.
        labels: (n,), the classes of `about`, where there are several.
        places: where in which image each row is from, for rows that are patches.
        other: a model of the same shape, such as that of another seed, with which atoms are compared.

    Raises:
        ValueError: a model without atoms, or another shape of data, labels or model.
    """
    found = look_at_latents(model, data, labels if len(about.classes) > 1 else None)
    similarity, nearest = nearest_atoms(model.dictionary.cpu())
    match = None if other is None else stability(model.dictionary.cpu(), other.dictionary.cpu())
    pictures, of_row = _pictures_of_rows(model, data, found)
    atoms = model.dictionary.cpu()
    largest = atoms.abs().amax(tuple(range(1, atoms.ndim)), keepdim=True).clamp_min(1e-12)
    _, counts, never = log_histogram(found.frequency)
    filled: dict[str, Any] = {
        "summary": f"{model.latent_dim:,} latents ({model.sparsity.title}), on {len(data):,} rows of {about.title}. "
        f"A row has {found.frequency.sum().item():.1f} of them on; {never:,} are never on.",
        "lowest": LOWEST_DECADE,
        "frequencies": counts.tolist(),
        "never": never,
        "similarities": _bars(similarity),
        "mean_similarity": similarity.mean().item(),
        "atoms": _sprite(as_pictures(atoms / largest, -1, 1)),  # zero is grey, the largest black or white
        "images": pictures,
        "latents": _lines(found, similarity, nearest, match, of_row, about, places),
    }
    if match is not None:
        filled |= {"matches": _bars(match), "stability": match.mean().item()}
    if places is not None and places.positions is not None:
        first = found.top_rows[:, 0]
        maps = heat_maps(
            model, data, places.groups, places.positions, places.groups[first.clamp_min(0)].where(first >= 0, -1)
        )
        filled |= {"map_height": maps.shape[1], "map_width": maps.shape[2]}
        bytes_of = (255 * maps / maps.amax((1, 2), keepdim=True).clamp_min(1e-9)).round().int().flatten(1).tolist()
        for line in filled["latents"]:
            line["map"] = bytes_of[line["number"]]
    page = files(__package__).joinpath("latents.html").read_text(encoding="utf-8")
    title = escape(f"The latents of {model.sparsity.name}, on {about.title}")
    return page.replace("__TITLE__", title).replace("__DATA__", json.dumps(filled).replace("<", "\\u003c"))


def _lines(
    found: Latents,
    similarity: Tensor,
    nearest: Tensor,
    match: Tensor | None,
    of_row: dict[int, int],
    about: About,
    places: Places | None,
) -> list[dict[str, Any]]:
    """What the page says of each latent."""
    lines = []
    for latent, frequency in enumerate(found.frequency.tolist()):
        line: dict[str, Any] = {
            "number": latent,
            "frequency": frequency,
            "nearest": int(nearest[latent]),
            "similarity": round(similarity[latent].item(), 3),
        }
        if match is not None:
            line["match"] = round(match[latent].item(), 3)
        means = found.class_means[:, latent] if len(found.class_means) else torch.zeros(0)
        if means.sum() > 0:
            line |= {"class": about.classes[int(means.argmax())], "share": (means.max() / means.sum()).item()}
        top = zip(found.top_rows[latent, :SHOWN].tolist(), found.top_values[latent, :SHOWN].tolist(), strict=True)
        line["rows"] = [
            {"row": row, "value": round(value, 3), "picture": of_row.get(row)} for row, value in top if row >= 0
        ]
        if places is not None:
            for shown in line["rows"]:
                at = [] if places.positions is None else places.positions[shown["row"]].tolist()
                shown["place"] = f"image {int(places.groups[shown['row']])}{f' at {at[0]}, {at[1]}' if at else ''}"
        lines.append(line)
    return lines


def _bars(cosines: Tensor) -> list[int]:
    return torch.histc(cosines.clamp(0, 1), BARS, 0, 1).long().tolist()


def _pictures_of_rows(
    model: SparseAutoencoder, data: Images, found: Latents
) -> tuple[dict[str, Any] | None, dict[int, int]]:
    """The rows that are shown as pictures, and which of them each is; none of vectors."""
    rows = found.top_rows[:, :SHOWN].flatten().unique()
    rows = rows[rows >= 0]
    if len(model.image_shape) == 1 or model.image_shape[1:] == (1, 1) or len(rows) == 0:
        return None, {}
    images = as_floats(data[rows]).cpu()
    pictures = as_pictures(images, *value_range(model.output, images))
    return _sprite(pictures), {row: number for number, row in enumerate(rows.tolist())}


def _sprite(pictures: Tensor) -> dict[str, Any]:
    """Pictures (n, 1 or 3, height, width) in [0, 1] as one PNG, side by side."""
    shrink = math.sqrt(max(1.0, pictures[:, 0].numel() / MOST_PIXELS))
    height, width = (max(1, int(side / shrink)) for side in pictures.shape[2:])
    if shrink > 1:
        pictures = F.adaptive_avg_pool2d(pictures, (height, width))
    file = io.BytesIO()
    as_sheet(pictures, COLUMNS).save(file, "PNG", optimize=True)
    source = f"data:image/png;base64,{base64.b64encode(file.getvalue()).decode()}"
    return {"columns": COLUMNS, "height": height, "width": width, "source": source}
