"""How the Space starts: without the Hub, and on machines that lend a GPU."""

from __future__ import annotations

import os
import socket
import subprocess
import sys
from pathlib import Path

import pytest

from sae_model import SparseAutoencoder
from tests.space.server import ROOT, running_space

# As on ZeroGPU: a function decorated with GPU runs in a forked process; arguments and answer are pickled.
FAKE_SPACES = """
import multiprocessing, pickle

decorated = []

def GPU(function):
    decorated.append(function.__name__)

    def elsewhere(*args):
        sent = pickle.dumps(args)
        here, there = multiprocessing.Pipe()
        def work():
            there.send_bytes(pickle.dumps(function(*pickle.loads(sent))))
        process = multiprocessing.get_context("fork").Process(target=work)
        process.start()
        answer = pickle.loads(here.recv_bytes())
        process.join()
        return answer

    return elsewhere
"""
LOAD = """
import sys
import torch
torch.set_num_threads(1)  # as the app does: threads do not survive a fork
import spaces
import space.app
from space.user_models import UserModels
from training.data import Split, load_split
from training.measure.evaluation import evaluate
from sae_model import SparseAutoencoder

few = Split(*(tensor[:100] for tensor in load_split("mnist", "test")))
models = UserModels(few, 10)
list(models.load(models.address(sys.argv[1], is_owner=True)))
measured = models.find(sys.argv[1]).evaluation
expected = evaluate(SparseAutoencoder.from_pretrained(sys.argv[1]), few)
print(spaces.decorated, abs(measured.fvu / expected.fvu - 1) < 1e-4)
"""


def test_the_page_starts_without_asking_the_hub() -> None:
    with socket.create_server(("127.0.0.1", 0)) as silent_hub:
        port = silent_hub.getsockname()[1]
        environment = {name: value for name, value in os.environ.items() if name != "HF_HUB_OFFLINE"}
        with running_space(environment=environment | {"HF_ENDPOINT": f"http://127.0.0.1:{port}"}):
            silent_hub.setblocking(False)
            with pytest.raises(BlockingIOError):  # nobody has connected
                silent_hub.accept()


def test_measuring_a_users_model_may_run_on_a_lent_gpu(tiny_model: SparseAutoencoder, tmp_path: Path) -> None:
    tiny_model.save_pretrained(tmp_path / "mine")
    (tmp_path / "spaces.py").write_text(FAKE_SPACES)
    path = os.pathsep.join([str(tmp_path), str(ROOT)])
    done = subprocess.run(
        [sys.executable, "-c", LOAD, str(tmp_path / "mine")],
        env=os.environ | {"PYTHONPATH": path},
        capture_output=True,
        text=True,
        check=False,
        timeout=120,
    )
    assert done.stdout == "['measured'] True\n", done.stderr
