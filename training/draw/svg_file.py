"""Drawings as an SVG file that needs no other."""

from __future__ import annotations

from collections.abc import Sequence
from html import escape
from textwrap import wrap

from .charts import Drawing, Key, svg_text

# The light colours of space/style.css. Not every program knows variables, or a border that is painted below letters.
STYLE = """
text { font-family: Arial, Helvetica, sans-serif; font-size: 12px; fill: #18181b; }
.heading { font-size: 16px; font-weight: bold; }
.title { font-size: 12px; font-weight: bold; }
.histogram text { font-size: 10px; }
.histogram .title { font-size: 12px; }
.histogram .number { font-size: 12px; font-weight: bold; }
.grid { stroke: #e4e4e7; }
.bar { fill: #1d4ed8; }
.track { fill: #e4e4e7; }
.zero { fill: #52525b; }
.mean { fill: none; stroke: #b45309; stroke-width: 2; stroke-dasharray: 5 4; }
.mean-label { fill: #b45309; font-weight: bold; }
.target { stroke: #18181b; stroke-width: 1.5; }
.curve { fill: none; stroke-width: 2.2; }
.ringed { fill: none; stroke: #18181b; stroke-width: 3; }
.target-area { fill: none; }
.named { font-weight: bold; }
"""
COLOURS = ("#1d4ed8", "#b45309", "#047857", "#86198f", "#be123c", "#52525b", "#0e7490", "#4d7c0f")
DASHES = ("none", "7 4", "2 3", "10 3 2 3", "4 2", "1 4", "6 3 1 3", "3 6")
STYLE += "".join(
    f".curve.style{i} {{ stroke: {colour}; stroke-dasharray: {dashes}; }}\n"
    f".point.style{i}, .point.style{i} text {{ fill: {colour}; }}\n"
    for i, (colour, dashes) in enumerate(zip(COLOURS, DASHES, strict=True))
)


def standalone(title: str, drawings: Sequence[Drawing], keys: Sequence[Key] = (), note: str = "") -> str:
    """An SVG file that needs no other: drawings side by side, a title above them, a legend and a note below."""
    gap, margin, line = 24, 16, 22
    width = sum(drawing.width for drawing in drawings) + gap * (len(drawings) - 1)
    parts, x, top = [], 0, 34
    for drawing in drawings:
        parts.append(f'<g class="{drawing.css_class}" transform="translate({x} {top})">{drawing.inside}</g>')
        x += drawing.width + gap
    x, y = 0, top + max(drawing.height for drawing in drawings) + 18
    for mark, word in keys:
        room = 40 + 7 * len(word)
        if x and x + room > width:
            x, y = 0, y + line
        parts.append(f'<g transform="translate({x + 16} {y})">{mark}</g>' + svg_text(word, "key", x + 38, y + 4))
        x += room + 10
    y += line if keys else -14
    for words in wrap(note, width // 6):
        parts.append(svg_text(words, "note", 0, y + 4))
        y += 17
    spoken = escape(" ".join([f"{title}.", *(drawing.spoken for drawing in drawings)]))
    box = f"{-margin} {-margin} {width + 2 * margin} {y + 2 * margin}"
    return (
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="{box}" width="{width + 2 * margin}" '
        f'height="{y + 2 * margin}" role="img" aria-label="{spoken}"><title>{escape(title)}</title>'
        f'<style>{STYLE}</style><rect x="{-margin}" y="{-margin}" width="100%" height="100%" fill="#ffffff"/>'
        f"{svg_text(title, 'heading', 0, 12)}{''.join(parts)}</svg>\n"
    )
