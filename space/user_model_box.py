"""The box that loads a user's model: where its address is typed, and the message about it."""

from __future__ import annotations

from collections.abc import Iterator
from html import escape
from urllib.parse import urlencode

import gradio as gr

from space.edge import is_hosted, is_owner
from space.errors import in_words
from space.lab import USER, Lab
from space.parts import SPEAK_CHANGES, Page, choosing, message_of
from space.user_models import title
from training.words import in_language_of_now, say


def build(page: Page) -> gr.Textbox:
    """Place the box into the current layout, and let it load models.

    Returns a hidden textbox: the address that is put there, of a model in a link, is loaded.
    """
    lab = page.lab
    places = say("box.places" if is_hosted() else "box.places_or_folder")
    with gr.Accordion(say("box.title"), open=False, elem_id="user-model"):
        address = gr.Textbox(label=say("box.address"), info=places, placeholder="owner/name", max_lines=1)
        button = gr.Button(say("box.load"), size="sm")
    message = page.html("message", js_on_load=SPEAK_CHANGES)
    linked = gr.Textbox(visible="hidden", label="?model=")
    outputs = [message, page.user_models, *page.choice]
    unchanged = [gr.skip()] * (len(outputs) - 1)

    @in_language_of_now
    def load(text: str, mine: list[str], request: gr.Request) -> Iterator[tuple[object, ...]]:
        try:
            name = (text or "").strip()
            if name in lab.recipes:
                method, position = lab.find(name)
                words = say("box.bundled", name=name)
            else:
                found = lab.user_models.address(name, is_owner(request))
                for step in lab.user_models.load(found):
                    yield message_of(escape(step)), *unchanged
                name, method = found.name, USER + found.name
                position = lab.first_position(method)
                words = _loaded(lab, name)
            yield message_of(words), *choosing(lab, mine, method, position)
        except Exception as error:
            yield message_of(escape(in_words(error)), "error"), *unchanged

    # Fetching and measuring take seconds, and have a queue of their own, one at a time: all else goes on.
    slow = page.live | {"concurrency_id": "user-models", "concurrency_limit": 1}
    typed = [button.click, address.submit]
    page.follow(gr.on(typed, load, [address, page.user_models], outputs, trigger_mode="once", **slow))
    page.follow(linked.change(load, [linked, page.user_models], outputs, **slow))
    return linked


def _loaded(lab: Lab, name: str) -> str:
    model = lab.user_models.find(name).model
    sparsity = escape(model.sparsity.name)
    words = say("box.loaded", title=escape(title(name)), latents=model.latent_dim, sparsity=sparsity)
    if not lab.user_models.is_repo(name):
        return words
    return say("box.loaded_link", loaded=words, link=escape(f"?{urlencode({'model': name})}"))
