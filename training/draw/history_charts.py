"""How the metrics on the validation split went from epoch to epoch, as SVG."""

from __future__ import annotations

import math
from collections.abc import Sequence

from ..measure.history import Epoch
from .charts import Axis, Chart, Drawing, Frame

FRAME = Frame("history", 300, 240, 1, (1, 2, 5), left=64, top=14)
METRICS = {
    "bce": "bce (nats per pixel)",
    "fvu": "variance lost (FVU)",
    "effective_l0": "effective L0",
    "dead_fraction": "share of dead latents",
}


def history_charts(history: Sequence[Epoch]) -> list[Drawing]:
    """A chart for each metric that was measured, over epochs."""
    found = {name: [(e.epoch, getattr(e, name)) for e in history] for name in METRICS}
    return [
        _chart(METRICS[name], points) for name, points in found.items() if all(value is not None for _, value in points)
    ]


def _chart(label: str, points: list[tuple[int, float]]) -> Drawing:
    last, highest = points[-1][0], max(value for _, value in points)
    step = _round_step(highest / 4)
    high = step * max(math.ceil(highest / step - 1e-9), 1)
    ticks = tuple(i * step for i in range(round(high / step) + 1))
    by = max(1, math.ceil(last / 6))
    epochs = tuple(epoch for epoch in range(1, last + 1) if epoch % by == 0 or epoch == 1)
    chart = Chart(Axis("epoch", 0.5, last + 0.5, epochs), Axis(label, 0, high, ticks), FRAME)
    marks = "".join(
        f'<circle class="point style0" cx="{x:.1f}" cy="{y:.1f}" r="3"/>' for x, y in (chart.place(*p) for p in points)
    )
    spoken = f"{label} by epoch: {', '.join(f'{epoch}: {value:.3g}' for epoch, value in points)}."
    return chart.drawing(chart.curve(points, 0) + marks, spoken)


def _round_step(least: float) -> float:
    """The least of 1, 2, 5, 10, 20 ... 0.1, 0.2 ... that is not below a number."""
    if least <= 0:
        return 0.25
    power = 10.0 ** math.floor(math.log10(least))
    return next(factor * power for factor in (1, 2, 5, 10) if factor * power >= least * (1 - 1e-9))
