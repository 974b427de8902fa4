"""The sparse autoencoder: more latents than pixels, most of them off.

Shapes, in the order in which an image meets them:

    images          x      (batch, channels, height, width) in [0, 1]; noisy ones may leave that range
                           (of any range where the output is linear; a model of vectors takes (batch, length))
    latents         z      (batch, latent_dim), many of them exactly 0; at least 0 (of the lecture's network: any sign)
    activations     a      (batch, latent_dim) in [0, 1), tanh(|z| / 2)
    reconstruction  x-hat  (batch, channels, height, width) in [0, 1]; of any range where the output is linear
"""

from __future__ import annotations

import math
from pathlib import Path
from typing import Any, NamedTuple

import torch
from huggingface_hub import HfApi, ModelCard, PyTorchModelHubMixin
from torch import Tensor, nn

from sae_model.architectures import ARCHITECTURES, Dictionary
from sae_model.errors import is_integer, is_number, one_line, plain
from sae_model.hub import find_files
from sae_model.methods import Dense, Sparsity, sparsity_from_config
from sae_model.outputs import OUTPUTS
from sae_model.refinement import atoms_to_collect, fit_values, refine
from sae_model.sparsity import keep_top_k, unit_activation
from sae_model.storage import (
    ADVICE,
    CARD_NAME,
    CONFIG_NAME,
    VERSION,
    WEIGHTS_NAME,
    as_device,
    load_errors,
    read_config,
    read_weights,
    staged_folder,
    write_model,
)

STEP_LOSSES = ("bce", "mse")
MOST_STEPS = 100
INITIAL_JUMP = 0.1
"""Threshold of each latent before training, where the method has thresholds."""


class Output(NamedTuple):
    """What the model says about a batch of images."""

    reconstruction: Tensor
    latents: Tensor
    activations: Tensor


class SparseAutoencoder(
    nn.Module,
    PyTorchModelHubMixin,
    library_name="sae-model",
    license="mit",
    pipeline_tag="image-feature-extraction",
    tags=["sparse-autoencoder", "interpretability"],
):
    """An autoencoder with more latents than pixels, and the sparsity method that it was trained with.

    Args:
        latent_dim: number of latents; 900 for 784 pixels.
        sparsity: a sparsity method such as `L1(beta=0.1)`, or the same as config.json writes it,
            {"kind": "l1", "beta": 0.1}. `Dense()` where none is given.
        architecture: a name in `sae_model.architectures.ARCHITECTURES`.
        image_shape: (channels, height, width) of the images; or (length,), for a model of vectors, which takes and
            gives (batch, length) wherever others take and give images.
        output: "sigmoid", for images in [0, 1]; or "linear", for values of any range.
        step_loss: what the steps of the encoder descend on, "bce" or "mse"; see `sae_model.architectures.Dictionary`.
        steps: how many steps the encoder takes, at most 100. With 0 it is the classical autoencoder, relu(W x + c),
            whose codes are not refined either.

    Raises:
        ValueError: a size that is not a positive whole number, an unknown architecture, output or step loss, or a
            sparsity that is not a sparsity method.
    """

    def __init__(
        self,
        latent_dim: int = 900,
        sparsity: Sparsity | dict[str, Any] | None = None,
        architecture: str = "dictionary",
        image_shape: tuple[int, ...] = (1, 28, 28),
        output: str = "sigmoid",
        step_loss: str = "bce",
        steps: int = Dictionary.STEPS,
    ) -> None:
        super().__init__()
        latent_dim, steps = plain(latent_dim), plain(steps)
        if not _is_size(latent_dim):
            raise ValueError(f"latent_dim is a whole number of at least 1; got {latent_dim!r:.80}.")
        shape = tuple(map(plain, image_shape)) if hasattr(image_shape, "__len__") else ()
        if len(shape) not in (1, 3) or not all(map(_is_size, shape)):
            raise ValueError(
                "image_shape is (channels, height, width), each at least 1, or (length,) for vectors; "
                f"got {image_shape!r:.80}."
            )
        if not isinstance(architecture, str) or architecture not in ARCHITECTURES:
            raise ValueError(f"Unknown architecture: {architecture!r:.80}. Known ones: {', '.join(ARCHITECTURES)}.")
        if not isinstance(output, str) or output not in OUTPUTS:
            raise ValueError(f"Unknown output: {output!r:.80}. Known ones: {', '.join(OUTPUTS)}.")
        if step_loss not in STEP_LOSSES:
            raise ValueError(f"Unknown step loss: {step_loss!r:.80}. Known ones: {', '.join(STEP_LOSSES)}.")
        if step_loss == "mse" and output == "linear":
            raise ValueError("With a linear output the steps descend on the squared error anyway: leave step_loss out.")
        if not is_integer(steps) or not 0 <= steps <= MOST_STEPS:
            raise ValueError(f"steps is a whole number from 0 to {MOST_STEPS}; got {steps!r:.80}.")
        sparsity = Dense() if sparsity is None else sparsity
        self.latent_dim, self.image_shape, self.steps = latent_dim, shape, steps
        self.architecture, self.output, self.step_loss = architecture, output, step_loss
        self.sparsity = sparsity if isinstance(sparsity, Sparsity) else sparsity_from_config(sparsity)
        if (self.sparsity.default_k or 1) > latent_dim:
            raise ValueError(f"k is at most the number of latents, {latent_dim}; got {self.sparsity.default_k}.")
        threshold = torch.full((latent_dim,), INITIAL_JUMP) if self.sparsity.has_threshold else None
        self.threshold: Tensor | None
        if threshold is not None and self.sparsity.learns_threshold:
            self.threshold = nn.Parameter(threshold)
        else:
            self.register_buffer("threshold", threshold)
        # Before images enter the network, the offset is subtracted from them and they are divided by the scale; its
        # logits are in the same units. With a linear output the offset is the mean of the training images and the scale
        # their distance from it, so that values of any size are learned alike. Both are kept with the weights.
        if output == "linear":
            self.register_buffer("offset", torch.zeros(self.image_shape))
            self.register_buffer("scale", torch.ones(()))
        else:
            self.offset, self.scale = 0.0, 1.0
        self.network: Any = ARCHITECTURES[architecture](
            latent_dim, shape, output, step_loss, self.sparsity.betas, steps
        )

    @torch.no_grad()
    def centre_on(self, images: Tensor) -> None:
        """Take the offset and the scale of a linear output from images (n, *image_shape), floats.

        The offset is their mean, the scale the root of their mean squared distance from it.

        Raises:
            ValueError: the images are all alike.
        """
        mean = images.mean(0, dtype=torch.float64)
        scale = (images - mean).square().flatten(1).sum(1).mean().sqrt()
        if scale == 0:
            raise ValueError("These images are all alike, so there is nothing to learn.")
        self.get_buffer("offset").copy_(mean)
        self.get_buffer("scale").copy_(scale)

    @property
    def dictionary(self) -> Tensor:
        """The atoms, (latent_dim, channels, height, width); of a model of vectors (latent_dim, length).

        The logits of `decode(z)` are a bias image plus z @ dictionary. With a linear output the reconstruction is.

        Raises:
            ValueError: the decoder is not linear (the lecture's network).
        """
        if not self.is_linear:
            raise ValueError(f"A decoder of the architecture {self.architecture!r} is not linear: it has no atoms.")
        return (self.network.dictionary.detach() * self.scale).unflatten(1, self.image_shape)

    @property
    def is_linear(self) -> bool:
        """Whether the decoder is one linear dictionary."""
        return hasattr(self.network, "dictionary")

    def encode(self, images: Tensor, k: int | Tensor | None = None, beta: float | Tensor | None = None) -> Tensor:
        """Images (batch, *image_shape), floats in [0, 1] or noisy -> latents (batch, latent_dim).

        In eval mode the code is refined, as the sparsity method has it (`sae_model.refinement`). In training it is
        not: that would cost several times as much, and did not train better.

        Args:
            images: what to encode. Those of another precision than the model's are converted to it.
            k: keep only the k largest latents of each image, from 1 to latent_dim; one number, or one for each image,
                (batch,). By default a top-k model keeps as many as it was trained for, and every other keeps all.
                (A top-k model keeps k in the steps of its encoder too.)
            beta: for a model that serves every beta (`adaptive-l1`): one number in its range, or one for each image,
                (batch,). By default that of its sparsity method.

        Raises:
            ValueError: no tensor, another shape, images that are not floats, a k or a beta out of its range, or a beta
                where the model has one of its own.
        """
        is_tensor = isinstance(images, Tensor)
        if not is_tensor or images.shape[1:] != self.image_shape:
            what, shape = "Images" if len(self.image_shape) > 1 else "Vectors", ", ".join(map(str, self.image_shape))
            got = tuple(images.shape) if is_tensor else f"{type(images).__name__}: torch.as_tensor makes a tensor"
            raise ValueError(f"{what} come as (batch, {shape}); got {got}.")
        if not images.is_floating_point():
            raise ValueError(f"Images are floats in [0, 1]; got {images.dtype}: convert, and divide bytes by 255.")
        beta = self._beta_of_each(beta, images)
        x = self._scaled(images)
        if self.sparsity.default_k is not None:
            k = self.sparsity.default_k if k is None else k
            latents = keep_top_k(self.network.encode(x, k), k)
        else:
            latents = self.network.encode(x, beta=beta)
        if self.threshold is not None:
            latents = self.sparsity.gate(latents, self.threshold, k if self.training else None)
            k = None if self.training else k
        as_encoded = self.training or not self.is_linear or self.steps == 0
        refinement = None if as_encoded else self.sparsity.refinement(beta)
        if refinement is not None:
            latents = refine(x.flatten(1), latents, self.network.decoder(), refinement)
        return latents if k is None else keep_top_k(latents, k)

    def fit_values(
        self, images: Tensor, latents: Tensor, steps: int, step: Tensor | None = None
    ) -> tuple[Tensor, Tensor]:
        """Fit the values of latents (batch, latent_dim) to images (batch, *image_shape) by gradient steps.

        Only those that are on change; the squared error of no image rises.

        Args:
            step: what an earlier call returned, to go on from there.

        Returns:
            The latents, and how long the next step of each image would be, (batch, 1).
        """
        x = self._scaled(images).flatten(1)
        each = x.new_ones(len(x), 1)
        fit = fit_values(x, latents, 0 * each, steps * each, self.network.decoder(), step, atoms_to_collect(latents))
        return fit.latents, fit.step

    def _beta_of_each(self, beta: float | Tensor | None, images: Tensor) -> Tensor | None:
        """The beta of each image, (batch,), in single precision; None for a model that has one of its own."""
        betas, count = self.sparsity.betas, images.shape[0]
        if not betas:
            if beta is not None:
                raise ValueError(f"A model of the method {self.sparsity.kind!r} has one beta: leave beta out.")
            return None
        beta = plain(self.sparsity.beta if beta is None else beta)  # type: ignore[attr-defined]
        is_of_each = isinstance(beta, Tensor) and beta.is_floating_point() and beta.shape == (count,)
        if not is_of_each and not is_number(beta):
            raise ValueError(f"beta is one number, or a tensor of one for each of {count} images; got {beta!r:.80}.")
        of_each = torch.as_tensor(beta, dtype=torch.float32, device=images.device).expand(count)
        values_are_known = not torch.compiler.is_compiling() and count > 0
        if values_are_known and not betas[0] * (1 - 1e-6) <= of_each.min() <= of_each.max() <= betas[-1] * (1 + 1e-6):
            raise ValueError(f"beta lies between {betas[0]:g} and {betas[-1]:g}; got {beta!r:.80}.")
        return of_each

    def logits(self, latents: Tensor) -> Tensor:
        """Latents (batch, latent_dim) -> the reconstruction before the sigmoid, if there is one, (batch, *image_shape).

        Raises:
            ValueError: another shape.
        """
        if latents.ndim != 2 or latents.shape[1] != self.latent_dim:
            raise ValueError(f"Latents come as (batch, {self.latent_dim}); got {tuple(latents.shape)}.")
        return self.network.logits(latents.to(self._dtype)) * self.scale + self.offset

    def reconstruction_loss(self, logits: Tensor, images: Tensor) -> Tensor:
        """How far logits are from images, both (batch, *image_shape), as a scalar; see `sae_model.outputs`.

        The mean binary cross-entropy in nats per pixel, or, with a linear output, the squared error over the variance
        of the images that the model was trained on.
        """
        return OUTPUTS[self.output].loss(self._scaled(logits), self._scaled(images))

    def _scaled(self, images: Tensor) -> Tensor:
        """Images or logits, in the model's precision and in the units of its network."""
        return (images.to(self._dtype) - self.offset) / self.scale

    @property
    def _dtype(self) -> torch.dtype:
        return next(self.parameters()).dtype

    def decode(self, latents: Tensor) -> Tensor:
        """Latents (batch, latent_dim) -> reconstruction (batch, *image_shape), in [0, 1] unless the output is linear.

        Raises:
            ValueError: another shape.
        """
        return OUTPUTS[self.output].reconstruction(self.logits(latents))

    def forward(self, images: Tensor) -> Output:
        """Images (batch, *image_shape) -> (reconstruction, latents, activations), as in `Output`."""
        latents = self.encode(images)
        return Output(self.decode(latents), latents, unit_activation(latents))

    def config(self) -> dict[str, Any]:
        """The arguments that rebuild this model, as JSON-able values."""
        steps = {} if self.steps == Dictionary.STEPS else {"steps": self.steps}
        return steps | {
            "architecture": self.architecture,
            "image_shape": list(self.image_shape),
            "latent_dim": self.latent_dim,
            "output": self.output,
            "sparsity": self.sparsity.to_config(),
            "step_loss": self.step_loss,
        }

    def save_pretrained(
        self, save_directory: str | Path, *, push_to_hub: bool = False, repo_id: str | None = None, **kwargs: Any
    ) -> str | None:
        """Save config.json, model.safetensors and, where there is none yet, a README.md to a folder.

        With `push_to_hub` it goes to the Hub too, by default to a repo of the folder's name; `kwargs` are as there.

        Returns:
            Address of the commit, if it is pushed.

        Raises:
            OSError: the folder cannot be written (or is a file). What was there before is untouched.
            ValueError: weights in double precision that single precision, in which a model is loaded, cannot hold.
        """
        folder = Path(save_directory)
        with staged_folder(folder) as stage:
            write_model(stage, self.state_dict(), self.config())
            if not (folder / CARD_NAME).exists():
                (stage / CARD_NAME).write_text(str(self.generate_model_card()), encoding="utf-8")
        return self.push_to_hub(repo_id or folder.resolve().name, **kwargs) if push_to_hub else None

    def push_to_hub(self, repo_id: str, **kwargs: Any) -> str:
        """Push config and weights to a Hub repo, made if it is not there; see `PyTorchModelHubMixin.push_to_hub`.

        A `branch` is made if it is not there. A card that the repo has is left as it is. (`python -m training push`
        writes one with all metrics.)

        Returns:
            Address of the commit.
        """
        api, branch = HfApi(token=kwargs.get("token")), kwargs.get("branch")
        if branch is not None:
            repo_id = api.create_repo(repo_id, private=kwargs.get("private"), exist_ok=True).repo_id
            api.create_branch(repo_id, branch=branch, exist_ok=True)
        if api.file_exists(repo_id, CARD_NAME, revision=branch):
            ignored = kwargs.get("ignore_patterns") or []
            kwargs["ignore_patterns"] = [CARD_NAME, *([ignored] if isinstance(ignored, str) else ignored)]
        return super().push_to_hub(repo_id, **kwargs)

    def generate_model_card(self, *_: Any, **__: Any) -> ModelCard:
        """Write a plain card, for a model whose training is unknown."""
        shape = " x ".join(map(str, self.image_shape))
        of, unit = (f"images of {shape}", "pixels") if len(self.image_shape) > 1 else (f"vectors of {shape}", "values")
        return ModelCard(
            f"---\n{self._hub_mixin_info.model_card_data.to_yaml()}\n---\n\n"
            f"# A sparse autoencoder for {of}\n\n"
            f"{self.latent_dim} latents for {math.prod(self.image_shape)} {unit}, sparsity `{self.sparsity.name}`.\n\n"
            "Load it with `SparseAutoencoder.from_pretrained` of the package `sae_model`.\n"
        )

    @classmethod
    def from_pretrained(  # type: ignore[override]  # no **kwargs: a misspelt argument is an error
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
                a folder or repo that is not there or cannot be reached; a device that is not there.
        """
        device = as_device(map_location)
        config_path, weights_path = find_files(
            str(pretrained_model_name_or_path),
            (CONFIG_NAME, WEIGHTS_NAME),
            revision=revision,
            token=token,
            cache_dir=cache_dir,
            force_download=force_download,
            local_files_only=local_files_only,
        )
        config = read_config(config_path)
        del config["model_type"]
        sha256 = config.pop("weights_sha256", None)
        written_by = one_line(config.pop("sae_model_version", "an unknown version"), 20)
        advice = ADVICE if written_by == VERSION else f"version {written_by} wrote it: load it with that one"
        # On "meta" there are sizes only: nothing is allocated before the file is known to fit.
        what = f"describes no model of sae_model {VERSION}"
        with load_errors(config_path, what, advice), torch.device("meta"):
            model = cls(**config | {"sparsity": sparsity_from_config(config.get("sparsity"))})
        weights = read_weights(weights_path, model.state_dict(), sha256, advice)
        model.load_state_dict(weights, assign=True)
        return model.to(device).eval()


def _is_size(value: Any) -> bool:
    return is_integer(value) and value >= 1
