"""Publishing and loading, with the real client against a Hub on loopback."""

from __future__ import annotations

import hashlib
import json
import os
import shutil
from dataclasses import replace
from pathlib import Path

import pytest
import torch
from huggingface_hub import HfApi, ModelCard

from sae_model import L1, ModelLoadError, SparseAutoencoder
from tests.command_line import run, succeeded
from tests.loopback_hub import READ_TOKEN, STRANGER_TOKEN, TOKEN, LoopbackHub
from tests.sae_model.test_storage import assert_same
from training.data import DATASETS, Split
from training.fit.recipe import Recipe
from training.publish.card import BEGIN, END, merge_cards, render_card
from training.publish.hub import HubError, push, push_all
from training.publish.record import Record, RecordError
from training.publish.run_folder import FILES
from training.runs import Data, measure_and_save

ID = "ada/first"
PUSHED = {*FILES, "README.md"} - {"evaluation_by_k.json", "evaluation_by_beta.json", "history.json"}


@pytest.fixture(scope="session")
def trained(
    tmp_path_factory: pytest.TempPathFactory, brief_model: SparseAutoencoder, training_digits: Split, digits: Split
) -> Path:
    """A folder as `fit` writes it; tests must not change it."""
    folder = tmp_path_factory.mktemp("trained") / "l1-0.3"
    train, test = (Split(*(values[:500] for values in split)) for split in (training_digits, digits))
    recipe = Recipe(sparsity=brief_model.sparsity, limit=6_000, latent_dim=200, epochs=3, batch_size=64)
    measure_and_save(recipe, brief_model, Data(train, test, train, about=DATASETS["mnist"].about), folder)
    return folder


@pytest.fixture
def copied(trained: Path, tmp_path: Path) -> Path:
    """A folder as `fit` writes it, free to be changed."""
    return Path(shutil.copytree(trained, tmp_path / "l1-0.3"))


def with_other_weights(folder: Path) -> None:
    model = SparseAutoencoder.from_pretrained(folder)
    with torch.no_grad():
        model.network.threshold += 0.5
    model.save_pretrained(folder)


def test_a_pushed_model_comes_back_bit_for_bit(hub: LoopbackHub, trained: Path) -> None:
    address = push(trained, ID)
    (commit, _) = hub.commits(ID)
    assert address == f"{hub.url}/{ID}/commit/{commit.sha}"
    assert set(hub.files(ID)) == PUSHED
    for name in PUSHED - {"README.md"}:
        assert hub.files(ID)[name] == (trained / name).read_bytes()
    assert_same(SparseAutoencoder.from_pretrained(trained), SparseAutoencoder.from_pretrained(ID))


def test_the_card_tells_all_and_its_lines_run(hub: LoopbackHub, trained: Path) -> None:
    push(trained, ID)
    card = ModelCard(hub.files(ID)["README.md"].decode())
    evaluation = json.loads((trained / "evaluation.json").read_text())
    results = {result.metric_type: result.metric_value for result in card.data.eval_results}
    assert results["bce"] == evaluation["bce"]
    for name in ("denoise_mse", "fvu_top_k", "probe_error"):
        assert {key: results[f"{name}_{key}"] for key in evaluation[name]} == evaluation[name]
    for name in ("mse", "fvu", "mean_activation", "effective_l0", "l0", "dead_fraction"):
        assert results[name] == evaluation[name]
        assert f"| `{name}` |" in card.text
    assert f"{evaluation['bce']:.4f}" in card.text
    assert f"{evaluation['probe_error']['all']:.1%}" in card.text
    assert card.data.datasets == ["ylecun/mnist"]
    for words in (
        "reconstructions.webp",
        "Seed: 0",
        "3 epochs over the first 6,000 training images of MNIST",
        "images of 1 x 28 x 28 pixels: 200 latents, a linear dictionary",
        "Sparsity method: L1 penalty (beta = 0.3). It asks for a low mean activation",
        "`model.dictionary` holds its atoms",
        "MNIST: Y. LeCun",
        f"torch {torch.__version__}",
        "What it is not for",
        "MIT",
    ):
        assert words in card.text
    snippet = card.text.partition("```python")[2].partition("```")[0]
    assert f'from_pretrained("{ID}")' in snippet
    scope: dict[str, torch.Tensor] = {}
    exec(snippet, scope)
    assert scope["reconstruction"].shape == (8, 1, 28, 28)


def test_the_card_installs_from_the_owners_space_once_there_is_one(hub: LoopbackHub, trained: Path) -> None:
    push(trained, ID)
    assert "pip install" not in hub.files(ID)["README.md"].decode()
    owner = ID.partition("/")[0]
    HfApi().create_repo(f"{owner}/by-touch", repo_type="space", space_sdk="gradio")
    push(trained, ID)
    assert f"\npip install git+{hub.url}/spaces/{owner}/by-touch\n" in hub.files(ID)["README.md"].decode()


def test_an_unchanged_push_commits_nothing_and_a_changed_one_only_what_changed(hub: LoopbackHub, copied: Path) -> None:
    push(copied, ID)
    before = hub.commits(ID)
    push(copied, ID)
    assert hub.commits(ID) == before
    with_other_weights(copied)
    push(copied, ID)
    assert len(hub.commits(ID)) == len(before) + 1
    assert set(hub.commits(ID)[0].sent) == {"config.json", "model.safetensors"}


def test_what_a_person_wrote_into_the_card_stays(hub: LoopbackHub, copied: Path) -> None:
    push(copied, ID)
    card = ModelCard(hub.files(ID)["README.md"].decode())
    text = card.text.replace(BEGIN, f"Above, by hand.\n\n{BEGIN}").replace(END, f"{END}\n\n## Notes\n\nBelow, by hand.")
    card.data.tags.append("by-hand")
    card.data.license = ["mit", "cc0-1.0"]
    card.data.doi = "10.1/2"
    edited = f"---\n{card.data.to_yaml()}\n---\n\n{text.replace('What it does', 'edited inside')}"
    HfApi().upload_file(path_or_fileobj=edited.encode(), path_in_repo="README.md", repo_id=ID)
    push(copied, ID)
    after = ModelCard(hub.files(ID)["README.md"].decode())
    assert after.text.strip().startswith("Above, by hand.")
    assert after.text.strip().endswith("Below, by hand.")
    assert after.text.count(BEGIN) == after.text.count(END) == 1
    assert "## What it does" in after.text
    assert "edited inside" not in after.text
    assert after.data.tags[-1] == "by-hand"
    assert after.data.tags.count("mnist") == 1
    assert after.data.to_dict()["doi"] == "10.1/2"
    assert after.data.license == "mit"
    commits = hub.commits(ID)
    push(copied, ID)
    assert hub.commits(ID) == commits  # and merging again changes nothing


def test_metrics_of_before_do_not_stay_beside_the_new_ones(trained: Path) -> None:
    model, record = SparseAutoencoder.from_pretrained(trained), Record.read(trained)
    before = replace(record, evaluation=replace(record.evaluation, mse=0.5))
    new, old = (render_card(model, of, ID) for of in (record, before))
    merged, expected = (ModelCard(card).data.to_dict() for card in (merge_cards(new, old), new))
    assert merged["model-index"] == expected["model-index"]


def test_a_card_that_was_all_written_by_hand_stays_whole(hub: LoopbackHub, trained: Path) -> None:
    HfApi().create_repo(ID)
    HfApi().upload_file(path_or_fileobj=b"# Mine\n\nAll of it.\n", path_in_repo="README.md", repo_id=ID)
    push(trained, ID)
    assert "# Mine\n\nAll of it." in hub.files(ID)["README.md"].decode()
    assert_same(SparseAutoencoder.from_pretrained(trained), SparseAutoencoder.from_pretrained(ID))


def test_push_to_hub_of_a_model_keeps_the_card_and_makes_repo_and_branch(hub: LoopbackHub, trained: Path) -> None:
    push(trained, ID)
    card = hub.files(ID)["README.md"]
    model = SparseAutoencoder.from_pretrained(trained)
    with torch.no_grad():
        model.network.threshold += 0.5
    model.push_to_hub(ID)
    assert hub.files(ID)["README.md"] == card
    assert_same(model, SparseAutoencoder.from_pretrained(ID))
    model.push_to_hub("ada/new")
    assert b"200 latents for 784 pixels" in hub.files("ada/new")["README.md"]
    for _ in ("made", "there"):
        model.push_to_hub("ada/hidden", branch="next", private=True)
    assert_same(model, SparseAutoencoder.from_pretrained("ada/hidden", revision="next"))
    assert hub.repo("ada/hidden").private


def test_branches_tags_shas_and_pull_requests_load_what_they_hold(hub: LoopbackHub, copied: Path) -> None:
    first = SparseAutoencoder.from_pretrained(copied)
    push(copied, ID)
    sha = hub.commits(ID)[0].sha
    HfApi().create_tag(ID, tag="v1")
    with_other_weights(copied)
    second = SparseAutoencoder.from_pretrained(copied)
    push(copied, ID, branch="sparser")
    address = push(copied, ID, create_pr=True)
    assert address == f"{hub.url}/{ID}/discussions/1"
    for revision in (None, "main", "v1", sha):
        assert_same(SparseAutoencoder.from_pretrained(ID, revision=revision), first)
    for revision in ("sparser", "refs/pr/1"):
        assert_same(SparseAutoencoder.from_pretrained(ID, revision=revision), second)
    hub.stop()
    for revision in (None, "main", "v1", sha):  # from the cache, and at once
        assert_same(SparseAutoencoder.from_pretrained(ID, revision=revision), first)
    assert_same(SparseAutoencoder.from_pretrained(ID, revision="sparser", local_files_only=True), second)
    with pytest.raises(ModelLoadError, match="could not be asked for: it is not in the local cache"):
        SparseAutoencoder.from_pretrained(ID, revision="v2")
    with pytest.raises(ModelLoadError, match=r"could not be fetched \(Force download failed"):
        SparseAutoencoder.from_pretrained(ID, force_download=True)


@pytest.mark.usefixtures("hub")
def test_config_and_weights_come_from_one_commit(copied: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Somebody pushes between the two downloads."""
    import sae_model.hub

    first = SparseAutoencoder.from_pretrained(copied)
    push(copied, ID)
    with_other_weights(copied)
    real, asked = sae_model.hub.hf_hub_download, []

    def download(repo_id: str, filename: str, **options: object) -> str:
        asked.append(filename)
        path = real(repo_id, filename, **options)
        if len(asked) == 1:
            push(copied, ID)
        return path

    monkeypatch.setattr("sae_model.hub.hf_hub_download", download)
    assert_same(SparseAutoencoder.from_pretrained(ID), first)
    assert asked == ["config.json", "model.safetensors"]


def test_a_private_repo_is_its_owners(hub: LoopbackHub, trained: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    push(trained, ID, private=True)
    assert hub.repo(ID).private
    assert_same(SparseAutoencoder.from_pretrained(trained), SparseAutoencoder.from_pretrained(ID))
    push(trained, "ada/open")
    with pytest.raises(HubError, match="ada/open is public: make it private in its settings"):
        push(trained, "ada/open", private=True)
    monkeypatch.setenv("HF_TOKEN", STRANGER_TOKEN)
    with pytest.raises(ModelLoadError, match="log in with `hf auth login` if it is private"):
        SparseAutoencoder.from_pretrained(ID, force_download=True)


REFUSALS = {
    "no login": ("hf_nobody", ID, "does not accept this login: run `hf auth login`"),
    "a token that only reads": (READ_TOKEN, ID, "may not write there: take a token with write access"),
    "another's name": (TOKEN, "bob/first", "may not write there"),
}


@pytest.mark.parametrize("refusal", REFUSALS)
def test_a_refused_push_is_one_line_without_the_token(
    hub: LoopbackHub, trained: Path, monkeypatch: pytest.MonkeyPatch, refusal: str
) -> None:
    token, repo_id, words = REFUSALS[refusal]
    monkeypatch.setenv("HF_TOKEN", token)
    with pytest.raises(HubError, match=words) as caught:
        push(trained, repo_id)
    assert token not in str(caught.value)
    assert "\n" not in str(caught.value)
    assert hub.repos == {}


FAULTS = {
    "a commit that fails": ("/commit/", 500, "the Hub failed with status 500"),
    "a commit against another": ("/commit/", 409, "somebody else changed it meanwhile"),
    "a commit cut off": ("/commit/", None, "the Hub cannot be reached"),
    "storage that fails": ("/storage/.*{weights}", 500, "the Hub failed with status 500"),
    "weights cut off": ("/storage/.*{weights}", None, "the Hub cannot be reached"),
}
"""Where a push fails, with which status (None: it is cut off), and what is said."""


@pytest.mark.usefixtures("waits")
@pytest.mark.parametrize("fault", FAULTS)
def test_a_failing_push_leaves_what_was_there_and_succeeds_again(hub: LoopbackHub, copied: Path, fault: str) -> None:
    where, status, words = FAULTS[fault]
    times = 1 if where == "/commit/" else 6  # all else the client tries again
    HfApi().create_repo(ID)
    for _ in ("into an empty repo", "over another model"):
        before, commits = hub.files(ID), hub.commits(ID)
        path = where.format(weights=hashlib.sha256((copied / "model.safetensors").read_bytes()).hexdigest())
        if status is None:
            hub.cut(path, after_bytes=100, times=times)
        else:
            hub.fail(None, path, status, times)
        with pytest.raises(HubError, match=f"{words}.*run the same command again"):
            push(copied, ID)
        assert (hub.files(ID), hub.commits(ID)) == (before, commits)
        push(copied, ID)
        assert_same(SparseAutoencoder.from_pretrained(copied), SparseAutoencoder.from_pretrained(ID))
        with_other_weights(copied)


def test_what_somebody_else_pushed_meanwhile_is_not_overwritten(
    hub: LoopbackHub, trained: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    commit = HfApi.create_commit

    def commit_second(api: HfApi, *arguments: object, **options: object) -> object:
        monkeypatch.undo()
        api.upload_file(path_or_fileobj=b"theirs", path_in_repo="README.md", repo_id=ID)
        return commit(api, *arguments, **options)

    monkeypatch.setattr(HfApi, "create_commit", commit_second)
    with pytest.raises(HubError, match="somebody else changed it meanwhile"):
        push(trained, ID)
    assert hub.files(ID)["README.md"] == b"theirs"
    assert "model.safetensors" not in hub.files(ID)


@pytest.mark.usefixtures("waits")
def test_a_download_that_is_cut_for_good_is_an_error_message_and_leaves_nothing_half(
    hub: LoopbackHub, trained: Path
) -> None:
    push(trained, ID)
    hub.cut("/resolve/.*safetensors", after_bytes=5000, times=6)  # the client tries again
    with pytest.raises(ModelLoadError, match=r"could not be fetched .* try again") as caught:
        SparseAutoencoder.from_pretrained(ID)
    assert "\n" not in str(caught.value)
    assert not list(Path(os.environ["HF_HOME"]).rglob("*.incomplete"))
    assert_same(SparseAutoencoder.from_pretrained(trained), SparseAutoencoder.from_pretrained(ID))


def test_a_failing_hub_does_not_keep_a_cached_model_from_loading(hub: LoopbackHub, trained: Path) -> None:
    push(trained, ID)
    expected = SparseAutoencoder.from_pretrained(ID)
    hub.fail(None, ".*", 503, times=None)
    for _ in ("it fails", "it is down"):
        assert_same(SparseAutoencoder.from_pretrained(ID), expected)
        with pytest.raises(ModelLoadError, match="could not be asked for: it is not in the local cache"):
            SparseAutoencoder.from_pretrained("ada/other")
        hub.stop()
    with pytest.raises(HubError, match=r"the Hub cannot be reached .* run the same command again"):
        push(trained, ID)


@pytest.mark.usefixtures("hub")
def test_a_repo_of_another_kind_is_refused(trained: Path) -> None:
    HfApi().create_repo("ada/empty")
    with pytest.raises(ModelLoadError, match=r"on the Hub it has no config\.json"):
        SparseAutoencoder.from_pretrained("ada/empty")
    push(trained, ID)
    with pytest.raises(ModelLoadError, match="has no revision 'v9'"):
        SparseAutoencoder.from_pretrained(ID, revision="v9")


def test_a_folder_that_is_no_trained_model_is_not_pushed(hub: LoopbackHub, copied: Path) -> None:
    (copied / "recipe.json").unlink()
    with pytest.raises(RecordError, match=r"has no recipe\.json.*`python -m training fit` writes it"):
        push(copied, ID)
    weights = bytearray((copied / "model.safetensors").read_bytes())
    weights[-1] ^= 1
    (copied / "model.safetensors").write_bytes(weights)
    with pytest.raises(ModelLoadError, match="SHA-256 differs"):
        push(copied, ID)
    for wrong in ("first", "ada/", "a b/c", "ada/first/more"):
        with pytest.raises(HubError, match="is not a Hub id of the form owner/name"):
            push(copied, wrong)
    assert hub.repos == {}


def test_the_bundle_goes_to_one_repo_each_and_a_collection(hub: LoopbackHub, trained: Path, tmp_path: Path) -> None:
    folders = [Path(shutil.copytree(trained, tmp_path / name)) for name in ("one", "two")]
    addresses: list[str] = []
    page = push_all(folders, "lab", addresses.append)
    assert [repo_id for _, repo_id in hub.repos] == ["lab/sae-mnist-one", "lab/sae-mnist-two"]
    ((slug, collection),) = hub.collections.items()
    assert page.endswith(slug)
    assert [item["id"] for item in collection["items"]] == ["lab/sae-mnist-one", "lab/sae-mnist-two"]
    commits = {repo_id: hub.commits(repo_id) for _, repo_id in hub.repos}
    with_other_weights(folders[1])
    folders.append(Path(shutil.copytree(trained, tmp_path / "three")))
    push_all(folders, "lab", addresses.append)
    assert hub.commits("lab/sae-mnist-one") == commits["lab/sae-mnist-one"]
    assert len(hub.commits("lab/sae-mnist-two")) == len(commits["lab/sae-mnist-two"]) + 1
    assert [item["id"] for item in collection["items"]][2:] == ["lab/sae-mnist-three"]
    assert len(hub.collections) == 1


@pytest.mark.slow
def test_the_command_line_fits_pushes_and_fine_tunes_what_was_pushed(
    hub: LoopbackHub, tmp_path: Path, few_digits: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    quick = ("--limit", "500", "--epochs", "1", "--data-dir", few_digits)
    new = ("fit", "--latent-dim", "40", *quick)
    done = succeeded(*new, "--output", tmp_path / "first", "--push-to-hub", ID)
    assert f"{hub.url}/{ID}/commit/" in done.stderr
    assert json.loads(done.stdout) == json.loads(hub.files(ID)["evaluation.json"])
    assert run("push", tmp_path / "first", ID, "--branch", "b").stdout.startswith(f"{hub.url}/{ID}/commit/")
    succeeded("fit", *quick, "--init", ID, "--beta", "0.5", "--output", tmp_path / "next")
    recipe = Record.read(tmp_path / "next").recipe
    assert (recipe.init, recipe.latent_dim, recipe.sparsity) == (ID, 40, L1(0.5))
    assert f"Fine-tuned from {ID}." in (tmp_path / "next" / "README.md").read_text()
    monkeypatch.setenv("HF_TOKEN", "hf_wrong")
    wrong = run(*new, "--output", tmp_path / "wrong", "--push-to-hub", ID)
    assert wrong.returncode == 1
    assert wrong.stderr.strip().splitlines() == [
        f"Error: {ID} cannot be pushed to: the Hub does not accept this login: run `hf auth login`, "
        "or set HF_TOKEN to a token that may write."
    ]
    assert not (tmp_path / "wrong").exists()
