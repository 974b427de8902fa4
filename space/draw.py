"""The canvas on which a visitor draws a digit, or onto which an image file is put; what it does stands in draw.js."""

from __future__ import annotations

import base64
import io
from pathlib import Path

import gradio as gr
import torch
from PIL import Image
from torch import Tensor

from space.errors import InputError
from space.own_digit import CANVAS
from space.parts import BARE, script_with
from training.words import say

SCRIPT = Path(__file__).with_name("draw.js")
STYLE = Path(__file__).with_name("draw.css")
DRAWN = "ink:"
"""What the value starts with where a visitor drew; base64 follows."""
# The file chooser is hidden, also from the keyboard: the button opens it.
TEMPLATE = """
<div class="draw">
<div class="frame empty">
  <canvas width="112" height="112" role="img" tabindex="-1" aria-label="{aria}"></canvas>
  <span aria-hidden="true">{what}</span>
</div>
<div class="side">
  <button type="button" class="choose">{choose}</button>
  <button type="button" class="clear">{clear}</button>
  <p class="hint">{hint}</p>
  <input type="file" accept="image/*" hidden>
</div>
<p class="message" role="status" aria-live="polite"></p>
</div>
"""


def build(noun: str, visible: bool = True) -> gr.HTML:
    """The canvas. It triggers `input` and `clear`; its value, which `drawn` reads, is what the visitor drew.

    `noun` is what to draw, as `Lab.noun` says it.
    """
    words = {name: say(f"draw.{name}") for name in ("choose", "clear", "hint")}
    template = TEMPLATE.format(what=say(f"draw.{noun}"), aria=say(f"draw.{noun}_aria"), **words)
    script = script_with(SCRIPT, one_shade=say("draw.one_shade"), unreadable=say("draw.unreadable"))
    return gr.HTML("", html_template=template, js_on_load=script, elem_id="draw", visible=visible, **BARE)


def drawn(value: str) -> Tensor | None:
    """What the visitor drew, (112, 112) in [0, 1], by the value of the canvas; None where it is empty.

    Raises:
        InputError: any other value; the address of an image is one, which no visitor drew.
    """
    if value == "":
        return None
    try:
        if not isinstance(value, str) or not value.startswith(DRAWN):
            raise ValueError(value)
        pixels = base64.b64decode(value.removeprefix(DRAWN), validate=True)
        return torch.frombuffer(bytearray(pixels), dtype=torch.uint8).reshape(CANVAS, CANVAS) / 255
    except (ValueError, RuntimeError):  # the latter of another number of pixels
        raise InputError(say("draw.strokes", side=CANVAS)) from None


def address(image: Tensor) -> str:
    """An image (height, width) in [0, 1] as a "data:" address, which the canvas shows."""
    buffer = io.BytesIO()
    Image.fromarray((image.clamp(0, 1) * 255).round().byte().numpy()).save(buffer, "PNG")
    return "data:image/png;base64," + base64.b64encode(buffer.getvalue()).decode()
