"""What the bar of a training says."""

from __future__ import annotations

from typing import Any

from tqdm import tqdm

from .loop import Progress


def show(bar: tqdm[Any], progress: Progress, loss: str) -> None:
    """Let a bar say how a training does; `loss` is what its loss is called."""
    bar.total = progress.steps
    bar.set_postfix_str(
        f"{loss} {progress.reconstruction_loss:.4f}, penalty {progress.penalty:.4f}, L0 {progress.l0:.1f}, "
        f"dead {progress.dead_fraction:.1%}, mean activation {progress.mean_activation:.4f}, "
        f"{progress.images_per_second:,.0f} rows/s",
        refresh=False,
    )
    bar.update(progress.step - bar.n)
