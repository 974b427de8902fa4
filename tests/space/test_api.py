"""The Space's API, as a program calls it."""

from __future__ import annotations

import numpy as np
import pytest
from gradio_client import Client
from gradio_client.exceptions import AppError

from sae_model import load_variant
from space.noise import noise
from training.data import as_floats, load_split


@pytest.fixture(scope="module")
def client(server: str) -> Client:
    return Client(server, verbose=False)


def test_reconstruct_returns_what_the_model_says(client: Client) -> None:
    import torch

    clean, noisy, reconstruction, metrics = client.predict(12, 0.3, "l1-0.3", 5, api_name="/reconstruct")
    images = as_floats(load_split("mnist", "test").images[12:13])
    seen = (images + 0.3 * noise(5, (1, 28, 28))).float()
    with torch.no_grad():
        expected, _, activations = load_variant("l1-0.3")(seen)
    np.testing.assert_allclose(clean, images[0, 0], atol=1e-6)
    np.testing.assert_allclose(noisy, seen[0, 0].clamp(0, 1), atol=1e-6)
    np.testing.assert_allclose(reconstruction, expected[0, 0], atol=1e-5)
    mse = ((np.array(reconstruction) - np.array(clean)) ** 2).mean()
    assert metrics == {
        "psnr": pytest.approx(-10 * np.log10(mse), rel=1e-4),
        "mse": pytest.approx(mse, rel=1e-4),
        "mean_activation": pytest.approx(activations.mean().item(), rel=1e-4),
    }


def test_wrong_arguments_are_answered_with_an_error_message(client: Client) -> None:
    with pytest.raises(AppError, match="sigma must be a number from 0 to 1"):
        client.predict(0, None, "dense", 0, api_name="/reconstruct")


def test_it_is_the_only_public_endpoint(client: Client) -> None:
    assert list(client.view_api(return_format="dict")["named_endpoints"]) == ["/reconstruct"]
