"""IDX files, the format of MNIST, for data sets that tests make up."""

from __future__ import annotations

import gzip
from pathlib import Path

import numpy as np


def write_idx(raw: Path, half: str, images: np.ndarray, labels: np.ndarray) -> None:
    """Write images (n, height, width) and labels (n,) to `raw`; half is "train" or "t10k"."""
    raw.mkdir(parents=True, exist_ok=True)
    for what, values in ((f"images-idx{images.ndim}", images), ("labels-idx1", labels)):
        header = bytes((0, 0, 8, values.ndim)) + b"".join(size.to_bytes(4, "big") for size in values.shape)
        (raw / f"{half}-{what}-ubyte.gz").write_bytes(gzip.compress(header + values.astype(np.uint8).tobytes()))
