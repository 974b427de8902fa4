"""What a browser may fetch: all that the page needs, and nothing else of the machine."""

from __future__ import annotations

import gzip
import hashlib
import json
from http.client import HTTPConnection
from pathlib import Path
from urllib.parse import quote

import pytest
import torch
from safetensors.torch import load, save_file
from starlette.applications import Starlette
from starlette.responses import HTMLResponse
from starlette.testclient import TestClient
from starlette.types import Receive, Scope, Send

from sae_model import SparseAutoencoder, load_variant
from sae_model.bundle import BUNDLE
from space.edge import EarlyHead
from space.files import Files
from space.lab import Lab
from training.data import load_split
from training.measure.latent_statistics import latent_statistics, read_statistics, to_bytes, write_statistics

FOR_EVER = "public, max-age=31536000, immutable"


@pytest.fixture(scope="module")
def client(files: Files) -> TestClient:
    return TestClient(Starlette(routes=files.routes()))


def test_all_that_lab_json_names_is_there_by_its_hash_and_cached_for_ever(client: TestClient, index: dict) -> None:
    urls = [index["images"]["url"], index["labels"]["url"]]
    urls += [model["url"] for model in index["models"].values()]
    urls += [stop["statistics"] for stop in index["stops"].values()]
    assert len(urls) == 66
    for url in urls:
        answer = client.get(f"/files/{url}")
        assert answer.status_code == 200, url
        assert answer.headers["cache-control"] == FOR_EVER
        old = client.get(f"/files/{url.partition('?')[0]}?v={'0' * 16}")  # of an earlier page
        assert (old.status_code, old.headers["cache-control"]) == (200, "no-cache")
    for model in index["models"].values():
        content = client.get(f"/files/{model['url']}").content
        assert len(content) == model["bytes"]
        assert hashlib.sha256(content).hexdigest().startswith(model["url"].partition("?v=")[2])
    versions = [stop["statistics"].partition("?v=")[2] for stop in index["stops"].values()]
    assert len(set(versions)) == len(versions)


def test_images_and_labels_are_those_of_the_test_split(client: TestClient, index: dict, lab: Lab) -> None:
    for name, tensor in (("images", lab.images), ("labels", lab.labels)):
        of = index[name]
        answer = client.get(f"/files/{of['url']}")
        assert answer.headers["content-type"] == "application/gzip"
        assert "content-encoding" not in answer.headers
        numbers = torch.frombuffer(bytearray(gzip.decompress(answer.content)[of["skip"] :]), dtype=torch.uint8)
        assert torch.equal(numbers, tensor.flatten().byte())
        assert of["count"] == len(tensor)


def test_what_changes_is_asked_for_each_time_and_sent_only_if_it_did(client: TestClient) -> None:
    for name in ("lab.json", "words/en.json", "words/ru.json"):
        first = client.get(f"/files/{name}")
        assert first.headers["cache-control"] == "no-cache"
        assert first.headers["content-type"] == "application/json"
        again = client.get(f"/files/{name}", headers={"If-None-Match": first.headers["etag"]})
        assert (again.status_code, again.content) == (304, b"")
        assert client.head(f"/files/{name}").status_code == 200


def test_all_else_is_not_there(client: TestClient) -> None:
    for path in (
        "", "app.py", "../app.py", "%2e%2e/app.py", "..%2fapp.py", "%2e%2e%2f%2e%2e%2fetc/passwd", "/etc/passwd",
        "//etc/passwd", "models/l1-1/config.json", "models/l1-1/../dense/config.json", "models/l1-1", "models", "web",
        "words/en.toml", "lab.json/", "users/", "users//model.safetensors", "users/x/y",
        "kept/", "kept/x/y.zip", "statistics/", "\x00", "%00", "lab.json%00", "C:\\windows", "%ff",
    ):  # fmt: skip
        assert client.get(f"/files/{quote(path, safe='/%.:')}").status_code == 404, path


def test_paths_as_they_are_reach_nothing_else(server: str) -> None:
    paths = ("/files/../app.py", "/files/words/../../app.py", "/files//etc/passwd", "/files/%2e%2e/")
    for path in (*paths, "/gradio_api/file=../../etc/passwd"):
        connection = HTTPConnection(server.removeprefix("http://"), timeout=60)
        connection.request("GET", path)  # which, unlike other clients, leaves a path as it is
        assert connection.getresponse().status in (403, 404), path
        connection.close()


def test_statistics_are_those_of_the_model_at_its_k_or_beta(client: TestClient, index: dict, lab: Lab) -> None:
    for key in ("dense", "adaptive-topk, k = 2", "adaptive-l1, beta = 10"):
        found = load(client.get(f"/files/{index['stops'][key]['statistics']}").content)
        stop = lab.stop(key)
        sample = lab.images[:2500], lab.labels[:2500]
        expected = latent_statistics(load_variant(stop.model), *sample, **stop.arguments)
        torch.testing.assert_close(found["class_means"].float(), expected.class_means.float(), atol=2e-3, rtol=1e-2)
        torch.testing.assert_close(found["peak"].float(), expected.peak, atol=2e-2, rtol=1e-2)
        same = found["top_images"].long() == expected.top_images[:, :8]
        assert same.float().mean() > 0.95  # rounding may order two images otherwise
    for stop in (stop for stop in lab.stops.values() if stop.label):  # they lie beside the weights
        prefix = "".join(f"{value:g}/" for value in stop.arguments.values())
        assert read_statistics(BUNDLE / stop.model, prefix) is not None, stop.key


def test_statistics_are_written_and_read(tiny_model: SparseAutoencoder, tmp_path: Path) -> None:
    assert read_statistics(tmp_path) is None
    test = load_split("mnist", "test", limit=100)
    write_statistics(tmp_path, tiny_model, test)
    assert read_statistics(tmp_path) == to_bytes({"": latent_statistics(tiny_model, *test)})
    assert read_statistics(tmp_path, "25/") is None


def test_images_of_any_range_and_many_classes_are_packed(lab: Lab, tmp_path: Path) -> None:
    generator = torch.Generator().manual_seed(0)
    images = torch.randn(400, 10, 1, 1, generator=generator)
    labels = torch.randint(0, 300, (400,), generator=generator)
    save_file({"images": images, "labels": labels}, tmp_path / "it.safetensors")
    other = Lab(lab.collection)
    other.test = other.images, other.labels = images, labels
    other.is_bundled = False
    files = Files(other, None)
    index = json.loads(files.table["lab.json"].body)
    assert (index["images"]["type"], index["images"]["skip"]) == ("float32", 0)
    assert (index["labels"]["type"], index["labels"]["skip"]) == ("uint16", 0)
    assert gzip.decompress(files.table["images"].body) == images.numpy().tobytes()
    assert gzip.decompress(files.table["labels"].body) == labels.numpy().astype("<u2").tobytes()


@pytest.mark.parametrize("body", ["<gradio-app></gradio-app>", "<p>another page</p>"])
def test_only_gradios_page_starts_ours(body: str) -> None:
    async def app(scope: Scope, receive: Receive, send: Send) -> None:
        await HTMLResponse(f"<head></head>{body}")(scope, receive, send)

    first, last = ("1", "2") if "gradio" in body else ("", "")
    client = TestClient(EarlyHead(app, first="1", last="2"))
    assert client.get("/").text == f"<head>{first}{last}</head>{body}"
