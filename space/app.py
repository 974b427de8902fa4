"""The Space: `python space/app.py`. It honours GRADIO_SERVER_NAME and GRADIO_SERVER_PORT."""

from __future__ import annotations

import os
import sys
import threading
from pathlib import Path

# `python space/app.py` puts space/ on the path, not the repo.
sys.path.insert(0, str(Path(__file__).resolve().parent.parent))
os.environ.setdefault("GRADIO_ANALYTICS_ENABLED", "False")
os.environ.setdefault("HF_HUB_DISABLE_TELEMETRY", "1")
# Gradio keeps a table of its last 10,000 answers and sums it up anew after each, for a page that is switched off here.
os.environ.setdefault("GRADIO_ANALYTICS_MAX_EVENTS", "1")
os.environ.setdefault("GRADIO_ANALYTICS_CACHE_FREQUENCY", str(2**62))

import gradio as gr
import torch

from space import by_class, figures, frontier, learn, lessons, see, strokes, theory
from space.bench import opening
from space.controls import Controls
from space.draw import STYLE
from space.errors import InputError
from space.lab import Lab, Specimen, Stop
from space.parts import Page

INTRO = """
# Sparse autoencoders, by touch
784 pixels become 900 numbers, the *latents*, and an image again. With so many a model may just copy, noise included.
"""
CSS = Path(__file__).parent / "style.css"
FONT = ["ui-sans-serif", "system-ui", "sans-serif"]
THEME = gr.themes.Base(primary_hue="blue", neutral_hue="zinc", font=FONT, font_mono=["ui-monospace", "monospace"]).set(
    block_info_text_color="*neutral_600",
    block_info_text_color_dark="*neutral_300",
    block_label_text_color="*neutral_700",
    block_title_text_color="*neutral_800",
    block_title_text_color_dark="*neutral_100",
)


TABS = (see, strokes, by_class, learn, theory, frontier, figures)
"""The modules of the tabs, in their order: each has KEY, TITLE and build(page)."""


def build_app(lab: Lab) -> gr.Blocks:
    """The whole page and its API."""
    with gr.Blocks(title="Sparse autoencoders, by touch", analytics_enabled=False, delete_cache=(3600, 3600)) as app:
        page = Page(lab, opening(lab))
        with gr.Row(elem_id="head"):
            gr.Markdown(INTRO, elem_id="intro")
            gr.Button("Copy link", elem_id="copy-link", size="sm", scale=0)
            lessons.build(page)
        with gr.Row(elem_id="page"):
            with gr.Column(scale=0, min_width=300, elem_id="controls"):
                controls = Controls(page)
            with gr.Column(scale=1, min_width=320, elem_id="main"), gr.Tabs(elem_id="tabs") as tabs:
                for module in TABS:
                    with gr.Tab(module.TITLE, id=module.KEY):
                        module.build(page)
        controls.wire(app, tabs, [module.KEY for module in TABS])

        def leave(request: gr.Request) -> None:
            for what in page.leaves:
                what(request)

        app.unload(leave)

        def reconstruct(
            digit_index: int, sigma: float, variant: str, seed: int
        ) -> tuple[list[list[float]], list[list[float]], list[list[float]], dict[str, float]]:
            """One test image with noise through one variant.

            Returns the clean and the noisy image and the reconstruction, 28 x 28 each in [0, 1] (the model gets the
            noise unclipped), and the metrics psnr (dB) and mse against the clean image, and mean_activation.
            """
            try:
                look = lab.look(Specimen(digit_index, sigma, seed), Stop(variant, variant))
            except InputError as error:
                raise gr.Error(str(error), print_exception=False) from error
            metrics = {"psnr": look.psnr, "mse": look.mse, "mean_activation": look.mean_activation}
            images = (look.clean, look.noisy.clamp(0, 1), look.reconstruction)
            return *(image.tolist() for image in images), metrics

        gr.api(reconstruct, api_name="reconstruct", concurrency_limit=4)
    return app


def main() -> None:
    """Load everything and serve until stopped."""
    torch.set_num_threads(1)  # one small image at a time: threads would wait for each other
    lab = Lab()
    app = build_app(lab)
    app.queue(max_size=200)
    threading.Thread(target=lab.load_all, daemon=True).start()
    app.launch(
        theme=THEME,
        css_paths=[CSS, STYLE],
        run_history=False,
        enable_monitoring=False,
        show_error=False,  # error messages of our own are shown anyway; others are for the log
        max_file_size="1mb",
    )


if __name__ == "__main__":
    main()
