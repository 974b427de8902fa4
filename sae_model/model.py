"""The sparse autoencoder: more latents than pixels, most of them off.

Shapes, in the order in which an image meets them:

    images          x      (batch, 1, 28, 28) in [0, 1]; noisy ones may leave that range
    latents         z      (batch, latent_dim), any sign, many of them exactly 0
    activations     a      (batch, latent_dim) in [0, 1), tanh(|z| / 2)
    reconstruction  x-hat  (batch, 1, 28, 28) in [0, 1]
"""

from __future__ import annotations

import dataclasses
from pathlib import Path
from typing import Any, NamedTuple

import torch
import torch.nn.functional as F
from huggingface_hub import HfApi, ModelCard, PyTorchModelHubMixin
from torch import Tensor, nn

from sae_model.sparsity import Dense, Sparsity, keep_top_k, sparsity_from_config, unit_activation
from sae_model.storage import (
    CARD_NAME,
    CONFIG_NAME,
    VERSION,
    WEIGHTS_NAME,
    ModelLoadError,
    find_files,
    read_config,
    read_weights,
    staged_folder,
    write_model,
)

IMAGE_SIDE = 28
PIXELS = IMAGE_SIDE * IMAGE_SIDE

# Length of the vector of pixel logits that one hidden unit of the decoder writes at activation 1. A digit needs logit
# vectors of length 100 and more. With less gain latents grow until their activations saturate, and a penalty on those
# no longer tells a large latent from a huge one.
PIXEL_GAIN = 10.0
INITIAL_THRESHOLD = 0.05


class Output(NamedTuple):
    """What the model says about a batch of images."""

    reconstruction: Tensor
    latents: Tensor
    activations: Tensor


class FixedLengthLinear(nn.Linear):
    """A linear layer whose every input unit writes a vector of one fixed length, `gain`; only directions are learned.

    It closes the scale game. With free weights a decoder can grow while the encoder shrinks its latents by the same
    factor: the picture stays, every penalty on the latents goes to zero, and beta means nothing.
    """

    def __init__(self, in_features: int, out_features: int, gain: float) -> None:
        super().__init__(in_features, out_features)
        self.gain = gain

    def forward(self, inputs: Tensor) -> Tensor:
        # Scaling the inputs instead of the weights is the same product, and far cheaper to differentiate.
        scale = self.gain * torch.rsqrt(self.weight.square().sum(0) + torch.finfo(self.weight.dtype).tiny)
        return F.linear(inputs * scale, self.weight, self.bias)


class Encoder(nn.Module):
    """Images (batch, 1, 28, 28) -> latents (batch, latent_dim).

    One hidden layer, then a soft threshold: magnitudes below a learned threshold become exactly 0, the rest moves
    towards 0 by it. (The shrinkage of ISTA, learned as in LISTA, Gregor and LeCun 2010. It keeps the sign.)
    """

    def __init__(self, latent_dim: int, hidden_dim: int) -> None:
        super().__init__()
        self.to_hidden = nn.Linear(PIXELS, hidden_dim)
        self.to_latents = nn.Linear(hidden_dim, latent_dim)
        self.threshold = nn.Parameter(torch.full((latent_dim,), INITIAL_THRESHOLD))

    def forward(self, images: Tensor) -> Tensor:
        raw = self.to_latents(F.silu(self.to_hidden(images.flatten(1))))
        return raw.sign() * F.relu(raw.abs() - F.relu(self.threshold))


class Decoder(nn.Module):
    """Latents (batch, latent_dim) -> images (batch, 1, 28, 28) in [0, 1], through one hidden layer.

    Both layers are of fixed length, so no parameter can trade the size of latents for the size of weights.
    """

    def __init__(self, latent_dim: int, hidden_dim: int) -> None:
        super().__init__()
        self.to_hidden = FixedLengthLinear(latent_dim, hidden_dim, gain=1.0)
        self.to_pixels = FixedLengthLinear(hidden_dim, PIXELS, gain=PIXEL_GAIN)

    def logits(self, latents: Tensor) -> Tensor:
        """Latents (batch, latent_dim) -> the pixels before the sigmoid, (batch, 1, 28, 28), for a stable loss."""
        return self.to_pixels(F.silu(self.to_hidden(latents))).unflatten(1, (1, IMAGE_SIDE, IMAGE_SIDE))

    def forward(self, latents: Tensor) -> Tensor:
        return torch.sigmoid(self.logits(latents))


class SparseAutoencoder(
    nn.Module,
    PyTorchModelHubMixin,
    library_name="sae-model",
    license="mit",
    pipeline_tag="image-feature-extraction",
    tags=["sparse-autoencoder", "mnist", "interpretability"],
):
    """An autoencoder with more latents than pixels, and the way in which it was kept sparse.

    Args:
        latent_dim: number of latents; 900 for 784 pixels.
        hidden_dim: width of the one hidden layer of the encoder and of the decoder.
        sparsity: a way of being sparse such as `L1(beta=0.1)`, or the same as config.json writes it,
            {"kind": "l1", "beta": 0.1}. `Dense()` where none is given.

    Raises:
        ValueError: a size that is no positive whole number, or a sparsity that is none.
    """

    def __init__(
        self, latent_dim: int = 900, hidden_dim: int = 224, sparsity: Sparsity | dict[str, Any] | None = None
    ) -> None:
        super().__init__()
        for name, size in {"latent_dim": latent_dim, "hidden_dim": hidden_dim}.items():
            if not isinstance(size, int) or isinstance(size, bool) or size < 1:
                raise ValueError(f"{name} is a whole number of at least 1; got {size!r}.")
        self.latent_dim = latent_dim
        self.hidden_dim = hidden_dim
        self.sparsity = sparsity_from_config(sparsity) if isinstance(sparsity, dict) else sparsity or Dense()
        if (self.sparsity.default_k or 1) > latent_dim:
            raise ValueError(f"k is at most the number of latents, {latent_dim}; got {self.sparsity.default_k}.")
        self.encoder = Encoder(latent_dim, hidden_dim)
        self.decoder = Decoder(latent_dim, hidden_dim)

    def encode(self, images: Tensor, k: int | None = None) -> Tensor:
        """Images (batch, 1, 28, 28), floats in [0, 1] or noisy -> latents (batch, latent_dim), any sign.

        Args:
            images: what to encode.
            k: keep only the k largest latents of each image, from 1 to latent_dim. By default a top-k model keeps as
                many as it was trained for, and every other model keeps all.

        Raises:
            ValueError: another shape, images that are not floats, or a k that is not there.
        """
        if images.ndim != 4 or images.shape[1:] != (1, IMAGE_SIDE, IMAGE_SIDE):
            raise ValueError(f"Images come as (batch, 1, {IMAGE_SIDE}, {IMAGE_SIDE}); got {tuple(images.shape)}.")
        if not images.is_floating_point():
            raise ValueError(f"Images are floats in [0, 1]; got {images.dtype}: convert, and divide bytes by 255.")
        k = self.sparsity.default_k if k is None else k
        latents = self.encoder(images)
        return latents if k is None else keep_top_k(latents, k)

    def decode(self, latents: Tensor) -> Tensor:
        """Latents (batch, latent_dim) -> reconstruction (batch, 1, 28, 28) in [0, 1].

        Raises:
            ValueError: another shape.
        """
        if latents.ndim != 2 or latents.shape[1] != self.latent_dim:
            raise ValueError(f"Latents come as (batch, {self.latent_dim}); got {tuple(latents.shape)}.")
        return self.decoder(latents)

    def forward(self, images: Tensor) -> Output:
        """Images (batch, 1, 28, 28) -> (reconstruction, latents, activations), see the top of this file for shapes."""
        latents = self.encode(images)
        return Output(self.decode(latents), latents, unit_activation(latents))

    def config(self) -> dict[str, Any]:
        """The arguments that rebuild this model, as JSON-able values."""
        return {
            "latent_dim": self.latent_dim,
            "hidden_dim": self.hidden_dim,
            "sparsity": dataclasses.asdict(self.sparsity),
        }

    def save_pretrained(self, save_directory: str | Path, **kwargs: Any) -> str | None:
        """Save config.json, model.safetensors and, where there is none yet, a README.md to a folder.

        The files appear all together or not at all. `kwargs` go to `PyTorchModelHubMixin.save_pretrained`.

        Raises:
            OSError: the folder cannot be written (or is a file). What was there before is untouched.
        """
        target = Path(save_directory)
        kwargs.setdefault("repo_id", target.name)
        with staged_folder(target) as stage:
            card = target / CARD_NAME
            if card.exists():  # the mixin writes a card only where there is none
                (stage / card.name).write_bytes(card.read_bytes())
            return super().save_pretrained(stage, **kwargs)

    def push_to_hub(self, repo_id: str, **kwargs: Any) -> str:
        """Push config and weights to a Hub repo, made if it is not there; see `PyTorchModelHubMixin.push_to_hub`.

        A card that the repo has is left as it is. (`python -m training push` writes one with all figures.)

        Returns:
            Address of the commit.
        """
        if HfApi(token=kwargs.get("token")).file_exists(repo_id, CARD_NAME, revision=kwargs.get("branch")):
            ignored = kwargs.get("ignore_patterns") or []
            kwargs["ignore_patterns"] = [CARD_NAME, *([ignored] if isinstance(ignored, str) else ignored)]
        return super().push_to_hub(repo_id, **kwargs)

    def generate_model_card(self, *_: Any, **__: Any) -> ModelCard:
        """The plain card of a model of which no more is known than what it is."""
        sizes = f"{self.latent_dim} latents for {PIXELS} pixels, sparsity `{self.sparsity.name}`"
        return ModelCard(
            f"---\n{self._hub_mixin_info.model_card_data.to_yaml()}\n---\n\n"
            f"# A sparse autoencoder for 28 x 28 grey images\n\n{sizes[0].upper()}{sizes[1:]}.\n\n"
            "Load it with `SparseAutoencoder.from_pretrained` of the package `sae_model`.\n"
        )

    def _save_pretrained(self, save_directory: Path) -> None:
        write_model(Path(save_directory), self.state_dict(), self.config())

    @classmethod
    def from_pretrained(
        cls,
        pretrained_model_name_or_path: str | Path,
        *,
        revision: str | None = None,
        token: str | bool | None = None,
        cache_dir: str | Path | None = None,
        force_download: bool = False,
        local_files_only: bool = False,
        map_location: str = "cpu",
    ) -> SparseAutoencoder:
        """Load a model, strictly: it is exactly what was saved, or an error.

        Args:
            pretrained_model_name_or_path: a folder, or the id of a Hub repo (`owner/name`).
            revision: branch, tag or commit of the Hub repo.
            token, cache_dir, force_download, local_files_only: as in `huggingface_hub.hf_hub_download`.
            map_location: device on which the model is wanted.

        Returns:
            The model in eval mode, in single precision.

        Raises:
            ModelLoadError: missing or foreign config.json; missing, extra, misshapen, non-finite or altered weights;
                a folder or repo that is not there or cannot be reached.
        """
        source = str(pretrained_model_name_or_path)
        hub = {
            "revision": revision,
            "token": token,
            "cache_dir": cache_dir,
            "force_download": force_download,
            "local_files_only": local_files_only,
        }
        config_path, weights_path = find_files(source, (CONFIG_NAME, WEIGHTS_NAME), **hub)
        config = read_config(config_path)
        del config["model_type"]
        sha256 = config.pop("weights_sha256", None)
        written_by = config.pop("sae_model_version", "an unknown version")
        try:
            with torch.device("meta"):  # sizes only: nothing is allocated before the file is known to fit
                model = cls(**config)
        except (TypeError, ValueError) as error:
            raise ModelLoadError(
                f"{config_path} does not describe a model of this version of sae_model, {VERSION}: {error} "
                f"It was written by {written_by}, which could load it."
            ) from error
        weights = read_weights(weights_path, model.state_dict(), sha256)
        model.load_state_dict(weights, assign=True)
        return model.to(map_location).eval()
