"""Put the page on the Hub: `python -m space.deploy OWNER/NAME`, from the root of the repository."""

from __future__ import annotations

import re
import sys
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, Literal

import typer
from huggingface_hub import CommitOperationAdd, CommitOperationDelete, HfApi, SpaceCard, SpaceHardware
from huggingface_hub.errors import HfHubHTTPError, RepositoryNotFoundError

from sae_model import list_variants
from sae_model.bundle import OWNER, repo_name
from sae_model.hub import SECONDS_TO_ANSWER
from sae_model.storage import CARD_NAME
from training.publish.hub import HubError, check_repo_id, hub_errors

ROOT = Path(__file__).resolve().parents[1]
REQUIREMENTS = "requirements.txt"
# What the page runs on: code, the models with their metrics, the images that it shows and trains on. No tests.
# pyproject.toml lets `pip install git+https://huggingface.co/spaces/OWNER/NAME` install `sae_model` from it.
NEEDED = (
    "pyproject.toml",
    "LICENSE",
    "sae_model/**/*.py",
    "sae_model/bundled/*/*.json",
    "sae_model/bundled/*/*.safetensors",
    "training/**/*.py",
    "training/languages/*.toml",
    "training/data/*.toml",
    "training/draw/*.html",
    "training/data/MNIST/raw/*.gz",
    "training/*.md",
    "training/*.ipynb",
    "space/**/*.py",
    "space/web/*.*",
    "space/words/*.toml",
    "space/*.png",  # README shows these
    "space/*.webp",
)
FOLDERS = ("sae_model/", "training/", "space/")


@dataclass(frozen=True)
class Hardware:
    """What a Space runs on, and the versions that are available there."""

    flavor: SpaceHardware
    title: str
    python: str
    pins: dict[str, str]
    """Those that differ from requirements.txt."""


HARDWARE = {
    "zero": Hardware(SpaceHardware.ZERO_A10G, "ZeroGPU", "3.12", {"torch": "2.11.0", "torchvision": "0.26.0"}),
    "cpu": Hardware(SpaceHardware.CPU_BASIC, "CPU Basic", "3.11", {}),
}
"""The page needs no GPU. A free account may host a Gradio Space on ZeroGPU only (the Hub's rules of August 2026)."""


def needed_files() -> dict[str, Path]:
    """Path in the Space -> file here, of all that the page needs, and that is uploaded as it is."""
    return {path.relative_to(ROOT).as_posix(): path for pattern in NEEDED for path in sorted(ROOT.glob(pattern))}


def deploy(repo_id: str, private: bool = False, hardware: str = "zero") -> tuple[str, bool]:
    """Upload the page to a Space, in one commit; files of an earlier upload that it needs no more are deleted.

    Args:
        repo_id: `owner/name`; made if it is not there.
        private: make a Space that only its owner sees.
        hardware: a key of `HARDWARE`.

    Returns:
        Address of the Space, and whether it has the hardware; a Space that was there may have to be set by hand.

    Raises:
        HubError: the Hub rejected it, failed or did not answer.
    """
    check_repo_id(repo_id)
    owner, wanted = repo_id.partition("/")[0], HARDWARE[hardware]
    with hub_errors(f"The page was not uploaded to {repo_id}"):
        api = HfApi()
        try:
            there = api.space_info(repo_id, timeout=SECONDS_TO_ANSWER)
            if private and not there.private:
                raise HubError(f"{repo_id} is public: make it private in its settings, or leave out --private.")
            parent = there.sha
        except RepositoryNotFoundError:
            api.create_repo(
                repo_id, repo_type="space", space_sdk="gradio", space_hardware=wanted.flavor, private=private or None,
                exist_ok=True,
            )  # fmt: skip
            parent = api.space_info(repo_id, timeout=SECONDS_TO_ANSWER).sha
        files: dict[str, Path | bytes] = {
            **needed_files(),
            CARD_NAME: _front_page(api, owner, wanted).encode(),
            REQUIREMENTS: _requirements(wanted).encode(),
            OWNER.resolve().relative_to(ROOT).as_posix(): f"{owner}\n".encode(),
        }
        uploaded = api.list_repo_files(repo_id, repo_type="space", revision=parent)
        left = [name for name in uploaded if name.startswith(FOLDERS) and name not in files]
        # upload_folder would upload what is on the disk, and may make several commits of it.
        api.create_commit(
            repo_id,
            [
                *(CommitOperationAdd(name, content) for name, content in files.items()),
                *(CommitOperationDelete(name) for name in left),
            ],
            commit_message="The page, its models and its images",
            repo_type="space",
            parent_commit=parent,
        )
        return f"{api.endpoint}/spaces/{repo_id}", _has_hardware(api, repo_id, wanted)


def _has_hardware(api: HfApi, repo_id: str, wanted: Hardware) -> bool:
    """Whether a Space runs on some hardware, or will after it was asked for."""
    try:
        runtime = api.get_space_runtime(repo_id)
        if (runtime.requested_hardware or runtime.hardware) != wanted.flavor:
            api.request_space_hardware(repo_id, wanted.flavor)
    except HfHubHTTPError:
        return False
    return True


def _front_page(api: HfApi, owner: str, hardware: Hardware) -> str:
    """README.md; its front matter names the owner's repos that hold our models."""
    card = SpaceCard.load(ROOT / CARD_NAME)
    repos = [f"{owner}/{repo_name(variant)}" for variant in list_variants()]
    card.data.models = [repo for repo in repos if api.repo_exists(repo)]
    card.data.python_version = hardware.python
    card.data.suggested_hardware = hardware.flavor.value  # of a Space that is duplicated from this one
    return str(card)


def _requirements(hardware: Hardware) -> str:
    """requirements.txt, with the versions that some hardware offers."""
    text = (ROOT / REQUIREMENTS).read_text(encoding="utf-8")
    for package, version in hardware.pins.items():
        text = re.sub(rf"(?m)^{package}==.*$", f"{package}=={version}", text)
    return text


def main(
    repo_id: Annotated[str, typer.Argument(help="The Space; made if it is not there.", metavar="OWNER/NAME")],
    private: Annotated[bool, typer.Option("--private", help="Make a Space that only its owner sees.")] = False,
    hardware: Annotated[
        Literal["zero", "cpu"],
        typer.Option(help="zero: ZeroGPU, which free accounts may host; cpu: CPU Basic, which needs a paid plan."),
    ] = "zero",
) -> None:
    """Put the page on the Hub. The login is the Hub's own: `hf auth login`, or HF_TOKEN."""
    try:
        address, is_set = deploy(repo_id, private, hardware)
    except HubError as error:
        sys.exit(f"Error: {error}")
    print(address)
    if not is_set:
        print(f"Set its hardware by hand to {HARDWARE[hardware].title}: {address}/settings", file=sys.stderr)


if __name__ == "__main__":
    typer.run(main)
