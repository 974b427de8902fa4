"""Libraries are measured alike, and only those that are installed take part."""

from __future__ import annotations

import re

import pytest
import torch

from tests.command_line import succeeded
from training.benchmarks import peers
from training.benchmarks.peers import LATENTS, K, Trained, measure


def test_what_is_measured_is_the_variance_that_is_left_and_the_latents_that_are_used() -> None:
    test = torch.randn(1_500, 784, generator=torch.Generator().manual_seed(0))

    def encode(images: torch.Tensor) -> torch.Tensor:
        return torch.nn.functional.pad(images[:, :K], (0, LATENTS - K))

    def decode(latents: torch.Tensor) -> torch.Tensor:
        return torch.nn.functional.pad(latents[:, :K], (0, 784 - K))

    fvu, dead_fraction = measure("some", Trained(encode, decode), test)
    expected = test[:, K:].square().sum() / (test - test.mean(0)).square().sum()
    assert fvu == pytest.approx(expected.item(), rel=1e-5)
    assert dead_fraction == pytest.approx(1 - K / LATENTS)
    with pytest.raises(ValueError, match="some has more than 25 latents on"):
        measure("some", Trained(lambda x: torch.ones(len(x), LATENTS), decode), test)


def test_what_is_not_installed_is_left_out(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(peers, "find_spec", lambda _: None)
    done = succeeded("peers", "--epochs", "1", "--limit", "600")
    rows = [line.split(" | ") for line in done.stdout.splitlines() if line.startswith("| `") or "same" in line]
    assert [row[0] for row in rows] == ["| `fit --sparsity topk --k 25`", "| the same with `--loss mse`"]
    for row in rows:
        assert re.fullmatch(r"0\.\d{4} [\d.]+% \d+ \|", " ".join(row[2:]))
