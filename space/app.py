"""The Space: `python space/app.py [--models FOLDER_OR_OWNER]`. It honours GRADIO_SERVER_NAME and GRADIO_SERVER_PORT."""

from __future__ import annotations

import math
import os
import sys
import threading
from pathlib import Path
from typing import Annotated

# `python space/app.py` puts space/ on the path, not the repo.
sys.path.insert(0, str(Path(__file__).resolve().parent.parent))
os.environ.setdefault("GRADIO_ANALYTICS_ENABLED", "False")
os.environ.setdefault("HF_HUB_DISABLE_TELEMETRY", "1")
# Gradio keeps a table of its last 10,000 answers and sums it up anew after each, for a page that is switched off here.
os.environ.setdefault("GRADIO_ANALYTICS_MAX_EVENTS", "1")
os.environ.setdefault("GRADIO_ANALYTICS_CACHE_FREQUENCY", str(2**62))

import gradio as gr
import torch
import typer
from starlette.middleware import Middleware

from sae_model.errors import UserError
from space import by_class, figures, frontier, learn, lessons, see, strokes, theory
from space.bench import opening
from space.collection import bundled, open_collection
from space.controls import Controls
from space.draw import STYLE
from space.edge import NoDeepLinks
from space.errors import InputError
from space.lab import Lab, Specimen, Stop
from space.languages import OTHERS, ByLanguage, switch
from space.lines import Lines
from space.parts import Page
from training.data import BUNDLED
from training.words import say, speaking

MOST_SESSIONS = 200
"""Gradio keeps half a megabyte for each. A page whose session is forgotten goes on, since its browser holds what is on
it; only its lessons start anew, and a model of its own has to be loaded again, as a reload does."""
CSS = Path(__file__).parent / "style.css"
FONT = ["ui-sans-serif", "system-ui", "sans-serif"]
THEME = gr.themes.Base(primary_hue="blue", neutral_hue="zinc", font=FONT, font_mono=["ui-monospace", "monospace"]).set(
    block_info_text_color="*neutral_600",
    block_info_text_color_dark="*neutral_300",
    block_label_text_color="*neutral_700",
    block_title_text_color="*neutral_800",
    block_title_text_color_dark="*neutral_100",
    button_primary_background_fill="*primary_600",
    button_primary_background_fill_hover="*primary_700",
    button_primary_background_fill_dark="*primary_600",
    button_primary_background_fill_hover_dark="*primary_700",
)


TABS = (see, strokes, by_class, learn, theory, frontier, figures)
"""The modules of the tabs, in their order: each has KEY, which the language files give a title, and build(page)."""


def build_app(lab: Lab) -> gr.Blocks:
    """The page in all languages, and its API."""
    title = say("page.title")
    with gr.Blocks(title=title, analytics_enabled=False, delete_cache=(3600, 3600)) as app:
        _build_page(lab, app)

        def reconstruct(
            digit_index: int, sigma: float, variant: str, seed: int
        ) -> tuple[list[list[float]], list[list[float]], list[list[float]], dict[str, float]]:
            """One test image with noise through one variant.

            Returns the clean and the noisy image and the reconstruction, 28 x 28 each in [0, 1] (the model gets the
            noise unclipped; images in colour have three channels first), and the metrics psnr (dB) and mse against the
            clean image, and mean_activation.
            """
            try:
                look = lab.look(Specimen(digit_index, sigma, seed), Stop(variant, variant))
            except InputError as error:
                raise gr.Error(str(error), print_exception=False) from error
            metrics = {"psnr": look.psnr, "mse": look.mse, "mean_activation": look.mean_activation}
            images = (look.clean, look.noisy.clamp(*lab.range), look.reconstruction)
            return *(image.squeeze(0).tolist() for image in images), metrics

        gr.api(reconstruct, api_name="reconstruct", concurrency_limit=4)
    for code in OTHERS:
        with speaking(code), app.route(say("language"), code, show_in_navbar=False):
            _build_page(lab, app)
    return app


def _build_page(lab: Lab, app: gr.Blocks) -> None:
    """The page in the language of the moment."""
    page = Page(lab, opening(lab))
    with gr.Row(elem_id="head"):
        gr.Markdown(f"# {say('page.title')}\n{_intro(lab)}", elem_id="intro")
        with gr.Column(scale=0, min_width=90, elem_id="aside"):
            gr.Button(say("page.copy_link"), elem_id="copy-link", size="sm", scale=0)
            page.html("languages", switch())
        lessons.build(page, app)
    with gr.Row(elem_id="page"):
        with gr.Column(scale=0, min_width=300, elem_id="controls"):
            controls = Controls(page)
        with gr.Column(scale=1, min_width=320, elem_id="main"), gr.Tabs(elem_id="tabs") as tabs:
            for module in TABS:
                with gr.Tab(say(f"{module.KEY}.title"), id=module.KEY):
                    module.build(page)
    controls.wire(app, tabs, [module.KEY for module in TABS])

    def leave(request: gr.Request) -> None:
        lab.trainings.leave_page(request.session_hash)
        sessions = app.state_holder.session_data
        if request.session_hash in sessions:
            sessions.move_to_end(request.session_hash, last=False)  # the next one to be forgotten

    app.unload(leave)


def _intro(lab: Lab) -> str:
    """What the models turn into what, for the data at hand."""
    channels, height, width = lab.image_shape
    key = "page.intro_vectors" if lab.draws_vectors else "page.intro_colour" if channels > 1 else "page.intro"
    return say(
        key,
        channels=channels,
        pixels=height * width,
        latents=", ".join(map(str, lab.sizes)),
        warning=say("page.warning") if lab.sizes[0] >= math.prod(lab.image_shape) else "",
    )


def main(
    models: Annotated[
        str | None,
        typer.Option(
            envvar="SAE_MODELS",
            help="Show these, not the bundled ones: a folder of folders that `fit` wrote, or an owner on the Hub.",
        ),
    ] = None,
    dataset: Annotated[
        str | None,
        typer.Option(
            envvar="SAE_DATASET",
            help="With --models: the images, as `fit --dataset` names them; those of the training otherwise.",
        ),
    ] = None,
    data_dir: Annotated[
        Path, typer.Option(envvar="SAE_DATA_DIR", help="As that of `fit`.", show_default="bundled")
    ] = BUNDLED,
) -> None:
    """Load everything and serve until stopped."""
    torch.set_num_threads(1)  # one small image at a time: threads would wait for each other
    try:
        if dataset and not models:
            raise UserError("--dataset names the images of one's own models: give --models too.")
        lab = Lab(open_collection(models, dataset, data_dir) if models else bundled())
    except UserError as error:
        sys.exit(f"Error: {error}")
    app = build_app(lab)
    app._queue = Lines(app)
    threading.Thread(target=lab.load_all, daemon=True).start()
    app.launch(
        theme=THEME,
        css_paths=[CSS, STYLE],
        run_history=False,
        enable_monitoring=False,
        state_session_capacity=MOST_SESSIONS,
        show_error=False,  # error messages of our own are shown anyway; others are for the log
        max_file_size="1mb",
        app_kwargs={"middleware": [Middleware(NoDeepLinks), Middleware(ByLanguage)]},
        ssr_mode=False,  # Node would answer in the place of the middleware
    )


if __name__ == "__main__":
    command = typer.Typer(add_completion=False, pretty_exceptions_enable=False)
    command.command()(main)
    command()
