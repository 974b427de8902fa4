"""Encode and decode can be exported, compiled, and written as ONNX, for batches of any size."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import torch
from torch import Tensor, nn

from sae_model import SparseAutoencoder, Sparsity, TopK, load_variant

BATCH = {0: torch.export.Dim("batch")}


class Method(nn.Module):
    """`model.encode` or `model.decode` as a module, which is what torch exports."""

    def __init__(self, model: SparseAutoencoder, name: str) -> None:
        super().__init__()
        self.model, self.name = model, name

    def forward(self, given: Tensor) -> Tensor:
        return getattr(self.model, self.name)(given)


@pytest.fixture
def images(digits: object) -> Tensor:
    return digits.images[:9].float() / 255


@pytest.mark.slow
@pytest.mark.parametrize("name", ["topk-25", "adaptive-l1"])
def test_a_variant_is_exported_for_any_batch(name: str, images: Tensor) -> None:
    model = load_variant(name)
    latents = model.encode(images).detach()
    for module, given in ((Method(model, "encode"), images), (Method(model, "decode"), latents)):
        program = torch.export.export(module, (given[:4],), dynamic_shapes=(BATCH,))
        torch.testing.assert_close(program.module()(given), module(given), rtol=1e-3, atol=1e-3)


def test_a_variant_is_compiled_as_one_graph(images: Tensor) -> None:
    """Without the code that it generates, for which a compiler has to be installed."""
    model = load_variant("l1-1")
    compiled = torch.compile(model.encode, fullgraph=True, backend="eager")
    torch.testing.assert_close(compiled(images), model.encode(images), rtol=1e-3, atol=1e-3)


@pytest.mark.slow
@pytest.mark.parametrize(("sparsity", "steps"), [(TopK(4), 0), (TopK(4), 3)])
def test_a_model_is_written_as_onnx(sparsity: Sparsity, steps: int, tmp_path: Path) -> None:
    pytest.importorskip("onnx")
    pytest.importorskip("onnxscript")
    runtime = pytest.importorskip("onnxruntime")
    torch.manual_seed(0)
    model = SparseAutoencoder(30, sparsity, image_shape=(12,), output="linear", steps=steps).eval()
    vectors = torch.randn(9, 12)
    encode = Method(model, "encode").eval()
    torch.onnx.export(encode, (vectors[:4],), tmp_path / "encode.onnx", dynamic_shapes=(BATCH,), dynamo=True)
    session = runtime.InferenceSession(str(tmp_path / "encode.onnx"))
    (latents,) = session.run(None, {session.get_inputs()[0].name: vectors.numpy()})
    np.testing.assert_allclose(latents, model.encode(vectors).detach().numpy(), atol=1e-4)
