"""Loading a user's model: what web/user_models.js asks for, and what it is answered."""

from __future__ import annotations

from collections.abc import Callable, Iterator

import gradio as gr

from space.edge import is_owner
from space.files import Files
from space.given_files import address_of_files
from space.index import news_of
from space.lab import Lab
from space.learn import answer, failure
from space.state import State
from space.user_models import title


def loader(lab: Lab, files: Files) -> Callable[[State, gr.EventData, gr.Request], Iterator[str]]:
    """The handler of the page's event `load`, which Gradio knows as `load_model`."""

    def load(_: State, event: gr.EventData, request: gr.Request) -> Iterator[str]:
        try:
            data = event._data if isinstance(event._data, dict) else {}
            address, given = data.get("address"), data.get("files")
            if isinstance(address, str) and address.strip() in lab.models:
                name = address.strip()
                yield answer("load", key="box.bundled", values={"name": name}, choose=name)
                return
            found = lab.user_models.address(address, is_owner(request)) if given is None else address_of_files(given)
            for step in lab.user_models.load(found):
                yield answer("load", **step)
            model = lab.user_models.find(found.name)
            values = {
                "title": title(model.name),
                "latents": model.config["latent_dim"],
                "sparsity": model.sparsity.name,
            }
            link = model.name if lab.user_models.is_repo(model.name) else None
            news = news_of(lab, model, files.urls_of_user(model.checksum))
            yield answer("load", key="box.loaded", values=values, news=news, link=link)
        except Exception as error:
            yield failure("load", error)

    return load
