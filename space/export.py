"""The page without a server: `python -m space.export FOLDER` writes it as files that any web server can serve."""

from __future__ import annotations

import sys
from pathlib import Path
from string import Template
from typing import Annotated

import typer

from sae_model.errors import UserError
from sae_model.storage import staged_folder
from space.collection import open_collection
from space.files import Files
from space.head import WEB, head
from space.lab import Lab
from space.languages import say
from training.data import DATA_DIR


def export(lab: Lab, folder: Path) -> None:
    """Write index.html and all that it fetches into a folder, all of it or nothing.

    All addresses are relative, so the folder may lie anywhere below a site. What needs a server says so.

    Raises:
        OSError: the folder cannot be written. What was in it before is untouched.
    """
    files = Files(lab, server=None)
    content = {"title": say("page.title"), "head": "".join(head(lab, "static.js"))}
    with staged_folder(folder) as stage:
        page = Template((WEB / "static.html").read_text(encoding="utf-8")).substitute(content)
        (stage / "index.html").write_text(page, encoding="utf-8")
        for name, file in files.table.items():
            path = stage / "files" / name
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_bytes(file.body)


def main(
    folder: Annotated[Path, typer.Argument(help="Where to write it: new, or empty.")],
    models: Annotated[str | None, typer.Option(help="Show these, as in `space/app.py`.")] = None,
    dataset: Annotated[str | None, typer.Option(help="With --models: the images.")] = None,
    data_dir: Annotated[Path, typer.Option(help="As that of `fit`.", show_default="bundled")] = DATA_DIR,
) -> None:
    """Write the page as a folder of files."""
    try:
        if folder.exists() and (not folder.is_dir() or any(folder.iterdir())):
            raise UserError(f"{folder} is not empty, and nothing is overwritten: name another folder, or remove it.")
        export(Lab(open_collection(models, dataset, data_dir)), folder)
    except UserError as error:
        sys.exit(f"Error: {error}")
    except OSError as error:
        sys.exit(f"Error: {folder} cannot be written ({error.strerror}).")
    print(folder / "index.html")


if __name__ == "__main__":
    typer.run(main)
