"""The Space's API, as a program calls it."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import torch
from gradio_client import Client
from gradio_client.exceptions import AppError

from sae_model import load_variant
from space.collection import open_collection
from space.noise import noise
from training.data import as_floats


def test_reconstruct_returns_what_the_model_says(server: str, few_models: Path, few_digits: Path) -> None:
    client = Client(server, verbose=False)
    clean, noisy, reconstruction, metrics = client.predict(12, 0.3, "l1-3", 5, api_name="/reconstruct")
    images = as_floats(open_collection(str(few_models), data_dir=few_digits).test.images[12:13])
    seen = (images + 0.3 * noise(5, (1, 28, 28))).float()
    with torch.no_grad():
        expected, _, activations = load_variant("l1-3")(seen)
    np.testing.assert_allclose(clean, images[0, 0], atol=1e-6)
    np.testing.assert_allclose(noisy, seen[0, 0].clamp(0, 1), atol=1e-6)
    np.testing.assert_allclose(reconstruction, expected[0, 0], atol=1e-5)
    mse = ((np.array(reconstruction) - np.array(clean)) ** 2).mean()
    assert metrics == {
        "psnr": pytest.approx(-10 * np.log10(mse), rel=1e-4),
        "mse": pytest.approx(mse, rel=1e-4),
        "mean_activation": pytest.approx(activations.mean().item(), rel=1e-4),
    }
    with pytest.raises(AppError, match="sigma must be a number from 0 to 1"):
        client.predict(0, None, "dense", 0, api_name="/reconstruct")
    assert list(client.view_api(return_format="dict")["named_endpoints"]) == ["/reconstruct"]  # the only one
