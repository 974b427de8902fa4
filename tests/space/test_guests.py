"""Networks that visitors bring, without the page."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
import torch
from huggingface_hub import HfApi
from huggingface_hub.constants import HF_HUB_CACHE

from sae_model import L1, AdaptiveTopK, Dense, KLPerImage, SparseAutoencoder, TopK
from space import guests as guests_module
from space.errors import InputError, in_sentences
from space.guests import MOST_GUESTS, Address, Guests, title
from space.lab import GUEST, Lab
from space.view import view
from tests.loopback_hub import LoopbackHub
from training.atlas import make_atlas
from training.data import Split, as_floats
from training.evaluation import evaluate

WEIGHTS, CONFIG = "model.safetensors", "config.json"


@pytest.fixture
def few(digits: Split) -> Split:
    return Split(digits.images[:200], digits.labels[:200])


@pytest.fixture
def guests(few: Split) -> Guests:
    return Guests(few)


@pytest.fixture
def hosted(few: Split, monkeypatch: pytest.MonkeyPatch) -> Guests:
    monkeypatch.setenv("SPACE_ID", "ada/touch")
    return Guests(few)


@pytest.fixture
def folder(tiny_model: SparseAutoencoder, tmp_path: Path) -> Path:
    tiny_model.save_pretrained(tmp_path / "mine")
    return tmp_path / "mine"


@pytest.fixture(scope="module")
def whole_lab() -> Lab:
    return Lab()


@pytest.fixture
def lab(whole_lab: Lab, guests: Guests) -> Lab:
    whole_lab.guests = guests
    return whole_lab


def admit(guests: Guests, text: object) -> list[str]:
    return list(guests.admit(guests.address(str(text))))


def push(folder: Path, repo: str, **options: object) -> None:
    HfApi().create_repo(repo, exist_ok=True, **options)
    HfApi().upload_folder(repo_id=repo, folder_path=folder)


def test_a_guest_is_measured_here_and_stands_last_beside_the_bundled_networks_of_its_kind(
    lab: Lab, folder: Path, few: Split
) -> None:
    steps = admit(lab.guests, folder)
    assert [step.split()[0] for step in steps] == ["Fetching", "Measuring"]
    way = f"{GUEST}{folder}"
    *bundled, guest = lab.stops(way)
    assert bundled == lab.ways["l1"]
    loaded = SparseAutoencoder.from_pretrained(folder)
    measured, expected = lab.evaluation(guest), evaluate(loaded, *few)
    assert measured.fvu == pytest.approx(expected.fvu, rel=1e-4)
    assert measured.effective_l0 == pytest.approx(expected.effective_l0, rel=1e-4)
    torch.testing.assert_close(lab.atlas(guest).class_means, make_atlas(loaded, *few).class_means)
    (look,) = lab.look(3, 0.0, 0, [guest])
    torch.testing.assert_close(look.reconstruction, loaded(as_floats(lab.images[3:4])).reconstruction[0, 0])
    assert look.activations.shape == (30,)


@pytest.mark.parametrize(
    ("sparsity", "kind"),
    [
        (Dense(), "l1"),
        (KLPerImage(0.1), "kl-image"),
        (TopK(3), "topk"),
        (AdaptiveTopK(5), "adaptive-topk"),
    ],
)
def test_each_kind_of_guest_can_be_shown(lab: Lab, tmp_path: Path, sparsity: object, kind: str) -> None:
    SparseAutoencoder(latent_dim=50, hidden_dim=8, sparsity=sparsity).save_pretrained(tmp_path / "it")
    admit(lab.guests, tmp_path / "it")
    way = f"{GUEST}{tmp_path / 'it'}"
    assert lab.stops(way)[:-1] == lab.ways[kind]
    last = len(lab.stops(way)) - 1
    _, told, pictures, figures = view(lab, 0, 0, 0.3, way, last)
    assert "of its 50 latents" in told
    assert pictures.count("<img") == 4 + len(lab.stops(way))
    assert f"{lab.evaluation(lab.stop_at(way, last)).fvu:.1%}" in figures


def test_a_name_like_a_bundled_one_changes_nothing_for_that(lab: Lab, folder: Path) -> None:
    before = lab.look(0, 0.3, 0, lab.ways["l1"])
    namesake = folder.rename(folder.with_name("l1-0.3"))
    admit(lab.guests, namesake)
    after = lab.look(0, 0.3, 0, lab.ways["l1"])
    assert all(torch.equal(a.reconstruction, b.reconstruction) for a, b in zip(before, after, strict=True))


def test_names_are_told_by_their_last_two_parts_and_escaped(lab: Lab, folder: Path) -> None:
    assert title("ada/mine") == "ada/mine"
    assert title("ada/mine@refs/pr/1") == "ada/mine@refs/pr/1"
    assert title("/home/ada/runs/mine/") == "runs/mine"
    strange = folder.rename(folder.with_name("<b>&"))
    admit(lab.guests, strange)
    way = f"{GUEST}{strange}"
    for html in view(lab, 0, 0, 0.3, way, len(lab.stops(way)) - 1):
        assert "<b>&<" not in html
        assert "/<b>" not in html


def spoil(folder: Path, how: str) -> None:
    config = json.loads((folder / CONFIG).read_text())
    weights = (folder / WEIGHTS).read_bytes()
    match how:
        case "no config":
            (folder / CONFIG).unlink()
        case "another kind":
            (folder / CONFIG).write_text('{"model_type": "bert"}')
        case "no weights":
            (folder / WEIGHTS).unlink()
        case "truncated":
            (folder / WEIGHTS).write_bytes(weights[:500])
        case "too many latents":
            (folder / CONFIG).write_text(json.dumps(config | {"latent_dim": 4097}))
        case "too wide":
            (folder / CONFIG).write_text(json.dumps(config | {"hidden_dim": 10**9}))


@pytest.mark.parametrize(
    ("how", "words"),
    [
        ("no config", "has no config.json"),
        ("another kind", "its model_type is 'bert'"),
        ("no weights", "has no model.safetensors"),
        ("truncated", "no whole safetensors file"),
        ("too many latents", "its latent_dim is 4,097, and this page takes up to 4,096"),
        ("too wide", "its hidden_dim is 1,000,000,000, and this page takes up to 4,096"),
    ],
)
def test_what_is_no_guest_is_refused_in_a_sentence(guests: Guests, folder: Path, how: str, words: str) -> None:
    spoil(folder, how)
    with pytest.raises(InputError, match=words):
        admit(guests, folder)
    assert str(folder) not in guests


def test_a_file_that_is_too_large_is_refused_unread(
    guests: Guests, folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(guests_module.LARGEST_FILE, WEIGHTS, 1000)
    monkeypatch.setattr(SparseAutoencoder, "from_pretrained", lambda *_, **__: pytest.fail("it was read"))
    with pytest.raises(InputError, match=r"model.safetensors of .* is too large for this page"):
        admit(guests, folder)


def test_a_network_that_makes_no_numbers_is_refused_in_a_sentence(
    guests: Guests, tiny_model: SparseAutoencoder, tmp_path: Path
) -> None:
    with torch.no_grad():
        tiny_model.encoder.to_hidden.weight.mul_(1e4)
        tiny_model.encoder.to_latents.weight.sign_().mul_(3e38)
    tiny_model.save_pretrained(tmp_path / "wild")
    with pytest.raises(InputError, match="wild makes pictures that are no numbers: its training went wrong"):
        admit(guests, tmp_path / "wild")


@pytest.mark.parametrize(
    "text", ["", "  ", "/etc/nothing", "a/../b", "no-owner", "x" * 5000, "~nobody/x", "ada/mine@../x", "a b/c"]
)
def test_what_is_no_address_is_refused_in_a_sentence(guests: Guests, hosted: Guests, text: str) -> None:
    for each in (guests, hosted):
        with pytest.raises(InputError, match=r"owner/name|longer than any address"):
            each.address(text)


def test_a_hosted_page_reads_no_folders_and_tells_nothing_about_them(
    hosted: Guests, folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(folder.parent.parent)
    relative = f"{folder.parent.name}/{folder.name}"
    for text in (str(folder), relative, "../..", str(folder.with_name("absent"))):
        with pytest.raises(InputError) as refusal:
            hosted.address(text)
        assert str(refusal.value) == f"{text} is not a repo id of the form owner/name or owner/name@revision."


def test_addresses_are_read(guests: Guests, folder: Path) -> None:
    assert guests.address(f" {folder} ") == Address(str(folder))
    assert guests.address("ada/mine") == Address("ada/mine")
    assert guests.address("ada/mine@refs/pr/1") == Address("ada/mine", "refs/pr/1")
    assert guests.address("ada/mine@v1").name == "ada/mine@v1"


def test_the_guests_used_last_are_kept_and_others_told_to_come_again(lab: Lab, folder: Path) -> None:
    places = [folder.with_name(f"mine-{i}") for i in range(MOST_GUESTS + 1)]
    for place in places:
        SparseAutoencoder.from_pretrained(folder).save_pretrained(place)
    for place in places[:MOST_GUESTS]:
        admit(lab.guests, place)
    lab.stops(f"{GUEST}{places[0]}")  # used again, so the second one is the next to go
    admit(lab.guests, places[MOST_GUESTS])
    assert str(places[0]) in lab.guests
    assert str(places[1]) not in lab.guests
    with pytest.raises(Exception, match=r"mine-1 is not here any more: .* Load it again\."):
        in_sentences(view)(lab, 0, 0, 0.3, f"{GUEST}{places[1]}", 0)


def test_an_unchanged_guest_is_not_measured_again_and_a_changed_one_is(guests: Guests, folder: Path) -> None:
    assert len(admit(guests, folder)) == 2
    before = guests.find(str(folder))
    assert len(admit(guests, folder)) == 1
    assert guests.find(str(folder)) is before
    SparseAutoencoder(latent_dim=31, hidden_dim=16, sparsity=L1(0.1)).save_pretrained(folder)
    assert len(admit(guests, folder)) == 2
    assert guests.find(str(folder)).model.latent_dim == 31


@pytest.mark.usefixtures("hub")
def test_a_guest_comes_from_the_hub_at_a_revision(guests: Guests, folder: Path) -> None:
    push(folder, "ada/mine")
    HfApi().create_tag("ada/mine", tag="v1")
    SparseAutoencoder(latent_dim=31, hidden_dim=16).save_pretrained(folder)
    push(folder, "ada/mine")
    for text, latents in (("ada/mine", 31), ("ada/mine@v1", 30)):
        admit(guests, text)
        assert guests.find(text).model.latent_dim == latents
    with pytest.raises(InputError, match="no revision 'v9'"):
        admit(guests, "ada/mine@v9")
    with pytest.raises(InputError, match="ada/nothing is neither"):
        admit(guests, "ada/nothing")


@pytest.mark.usefixtures("hub")
def test_a_hosted_page_keeps_no_files_shows_no_paths_and_no_private_repos(
    guests: Guests, hosted: Guests, folder: Path
) -> None:
    push(folder, "ada/mine")
    push(folder, "ada/secret", private=True)
    admit(hosted, "ada/mine")
    with pytest.raises(InputError, match="ada/secret"):
        admit(hosted, "ada/secret")
    assert not list(Path(HF_HUB_CACHE).rglob("*.safetensors"))
    admit(guests, "ada/secret")  # one's own page shows what one may see
    (folder / WEIGHTS).write_bytes(b"x" * 50)
    push(folder, "ada/broken")
    with pytest.raises(InputError, match=r"^ada/broken/model\.safetensors is no whole safetensors file"):
        admit(hosted, "ada/broken")


def test_a_hub_that_is_down_is_told_at_once_and_what_the_cache_has_will_do(
    guests: Guests, folder: Path, hub: LoopbackHub, waits: list[float]
) -> None:
    push(folder, "ada/mine")
    admit(guests, "ada/mine")
    hub.stop()
    assert len(admit(guests, "ada/mine")) == 1
    with pytest.raises(InputError, match="the Hub could not be asked"):
        admit(guests, "ada/other")
    assert waits == []
