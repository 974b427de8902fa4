"""The Space: `python space/app.py [--models FOLDER_OR_OWNER]`. It honours GRADIO_SERVER_NAME and GRADIO_SERVER_PORT."""

from __future__ import annotations

import os
import sys
from contextlib import suppress
from pathlib import Path
from typing import Annotated, Any

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
from gradio.events import api
from starlette.middleware import Middleware

from sae_model.errors import UserError
from space import learn, load
from space.bench import Bench, answers
from space.collection import open_collection
from space.edge import HAS_LOGIN, EarlyHead, NoDeepLinks, is_hosted, old_addresses
from space.errors import InputError
from space.files import Files
from space.head import head
from space.lab import Lab, Specimen
from space.languages import say
from space.lines import Lines
from space.user_model_process import LARGEST_FILE
from training.data import DATA_DIR

MOST_SESSIONS = 200
"""Gradio keeps half a megabyte for each. A page whose session is forgotten goes on, since its browser holds what is on
it; only its lessons start again, and a model of its own has to be loaded again, as a reload does."""
FONT = ["ui-sans-serif", "system-ui", "sans-serif"]
THEME = gr.themes.Base(primary_hue="blue", neutral_hue="zinc", font=FONT, font_mono=["ui-monospace", "monospace"])

with suppress(ImportError):
    from spaces import GPU  # type: ignore[import-not-found]  # installed on a Space alone

    @GPU  # type: ignore[untyped-decorator]
    def needs_no_gpu() -> None:
        """Never called: the page needs no GPU, but ZeroGPU stops an app that asks for none."""


def build_app(lab: Lab) -> gr.Blocks:
    """The page, and its API."""
    with gr.Blocks(title=say("page.title"), analytics_enabled=False, delete_cache=(3600, 3600)) as app:
        bench, output = Bench(lab), answers()
        if HAS_LOGIN:
            gr.LoginButton(size="sm", elem_id="login")
        learn.Learn(lab).wire(bench, output)
        # Fetching and measuring take seconds, and are done one at a time.
        one = {"concurrency_id": "user-models", "concurrency_limit": 1, "trigger_mode": "multiple"}
        bench.on("load_model", load.loader(lab), outputs=output, **one)

        def leave(request: gr.Request) -> None:
            lab.trainings.leave_page(str(request.session_hash))
            sessions = app.state_holder.session_data
            if request.session_hash in sessions:
                sessions.move_to_end(request.session_hash, last=False)  # the next one to be forgotten

        app.unload(leave)

        def reconstruct(
            digit_index: int, sigma: float, variant: str, seed: int
        ) -> tuple[list[list[float]], list[list[float]], list[list[float]], dict[str, float]]:
            """One test image with noise through one variant.

            Returns the clean and the noisy image and the reconstruction, 28 x 28 each in [0, 1] (the model gets the
            noise unclipped; images in colour have three channels first), and the metrics psnr (dB) and mse against the
            clean image, and mean_activation.
            """
            try:
                look = lab.look(Specimen(digit_index, sigma, seed), variant)
            except InputError as error:
                raise gr.Error(str(error), print_exception=False) from error
            metrics = {"psnr": look.psnr, "mse": look.mse, "mean_activation": look.mean_activation}
            images = (look.clean, look.noisy.clamp(*lab.range), look.reconstruction)
            clean, noisy, reconstruction = (image.squeeze(0).tolist() for image in images)
            return clean, noisy, reconstruction, metrics

        api(reconstruct, api_name="reconstruct", concurrency_limit=4)
    return app


def options_of(files: Files) -> dict[str, Any]:
    """What a page is launched with."""
    first, last = head(files.lab, "gradio.js")
    return {
        "theme": THEME,
        "run_history": False,
        "enable_monitoring": False,
        "state_session_capacity": MOST_SESSIONS,
        "show_error": False,  # error messages of our own are shown anyway; others are for the log
        "max_file_size": "1mb",
        "app_kwargs": {
            "routes": [*files.routes(), *old_addresses()],
            "middleware": [Middleware(NoDeepLinks), Middleware(EarlyHead, first=first, last=last)],
        },
        "ssr_mode": False,  # Node would answer in place of the routes
    }


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
            help="With --models: the images, as `fit --dataset` names them; by default those of the training.",
        ),
    ] = None,
    data_dir: Annotated[
        Path, typer.Option(envvar="SAE_DATA_DIR", help="As that of `fit`.", show_default="bundled")
    ] = DATA_DIR,
) -> None:
    """Load everything and serve until stopped."""
    torch.set_num_threads(1)  # one small image at a time: threads would wait for each other
    try:
        lab = Lab(open_collection(models, dataset, data_dir))
    except UserError as error:
        sys.exit(f"Error: {error}")
    server = {"space": os.environ.get("SPACE_ID"), "hosted": is_hosted()}
    files = Files(lab, server | {"largest_file": LARGEST_FILE})
    app = build_app(lab)
    app._queue = Lines(app)
    app.launch(**options_of(files))


if __name__ == "__main__":
    command = typer.Typer(add_completion=False, pretty_exceptions_enable=False)
    command.command()(main)
    command()
