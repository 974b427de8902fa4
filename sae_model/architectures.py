"""The architectures: what lies between an image and its latents, and between latents and the image.

An architecture is one class with `encode` and `logits` and one entry in `ARCHITECTURES`; config.json names it. What is
the same for all (the k that is kept, the sigmoid, the checks of shapes) stands in `sae_model.model`.

Symbols, as in Gregor and LeCun 2010 ("Learning fast approximations of sparse coding"):

    x     image                   (batch, pixels), in [0, 1]; noisy ones may leave that range
    z     latents, the code       (batch, latent_dim), at least 0
    D     dictionary              (latent_dim, pixels), every row an atom of the same length
    b     bias                    (pixels,)
    eta   step size, t threshold  of each step
"""

from __future__ import annotations

import itertools
import math
from typing import Any, ClassVar

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from sae_model.outputs import OUTPUTS
from sae_model.refinement import Decoder
from sae_model.sparsity import keep_top_k

INITIAL_STEP = 0.15
INITIAL_THRESHOLD = 0.05


class Dictionary(nn.Module):
    """A linear dictionary, and an encoder that infers the code of an image with that same dictionary.

        logits(z) = b + z D
        z_0 = relu(W x + c)
        y_i = the k largest of z_(i-1), or z_(i-1) itself where k is None
        z_i = relu(y_i + eta_i D (x - p_i) - t_i)        p_i = sigmoid(b + y_i D)        i = 1 ... steps

    The steps are proximal gradient on the binary cross-entropy plus an L1 penalty: the gradient of the cross-entropy
    in the logits is the residual. (With a linear output there is no sigmoid, and it is the gradient of the squared
    error.) (LISTA with a tied dictionary; eta and t are learned for each step.) With no steps it is the classical
    sparse autoencoder; otherwise `sae_model.refinement` goes on from there at inference.

    With `step_loss` "mse" the steps descend on the squared error: the residual times 4 p_i (1 - p_i).

    With `betas`, in increasing order and equal ratios, there is a table of c, eta and t for each, and those of an image
    are interpolated between the two on both sides of its beta: one encoder for a whole range of beta.
    """

    STEPS: ClassVar[int] = 3  # where no other number is asked for
    # Length of every atom, in logits. It is fixed: with atoms of free length the decoder could grow while latents
    # shrink, which satisfies every penalty without being any sparser. A digit needs logits of length 100 and more; with
    # a linear output images lie about 1 from their mean.
    ATOM_LENGTH: ClassVar = {"sigmoid": 10.0, "linear": 1.0}
    USUAL_PIXELS: ClassVar[int] = 28 * 28  # for images of this size
    # The sparsity method where none is named.
    sparsity: ClassVar[dict[str, Any]] = {"kind": "l1", "beta": 1.0}

    def __init__(
        self,
        latent_dim: int,
        image_shape: tuple[int, ...],
        output: str = "sigmoid",
        step_loss: str = "bce",
        betas: tuple[float, ...] = (),
        steps: int = STEPS,
    ) -> None:
        super().__init__()
        pixels = math.prod(image_shape)
        self.output = output
        self.step_loss = step_loss
        # A picture of four times the pixels has the same latents if the atoms are twice as long and the steps a quarter
        # as large.
        self.relative_size = pixels / self.USUAL_PIXELS if output == "sigmoid" else 1.0
        self.atom_length: float = self.ATOM_LENGTH[output] * math.sqrt(self.relative_size)
        self.image_shape = image_shape
        atoms = first = torch.empty(latent_dim, pixels)
        if not atoms.is_meta:  # those have no values, and to ask for their norm makes torch import for two seconds
            atoms = F.normalize(atoms.normal_(), dim=1)
            first = atoms / math.sqrt(self.relative_size)
        self.atoms = nn.Parameter(atoms)
        self.bias = nn.Parameter(torch.zeros(pixels))
        self.first = nn.Linear(pixels, latent_dim)
        self.betas, tables = betas, (len(betas),) if betas else ()
        log_step = torch.full((steps, *tables), math.log(INITIAL_STEP))
        threshold = torch.full((steps, *tables, latent_dim), INITIAL_THRESHOLD)
        self.log_step = nn.Parameter(log_step, requires_grad=steps > 0)  # without steps there is nothing to learn
        self.threshold = nn.Parameter(threshold, requires_grad=steps > 0)
        if betas:
            self.first_bias = nn.Parameter(torch.zeros(len(betas), latent_dim))
        with torch.no_grad():
            self.first.weight.copy_(first)
            self.first.bias.fill_(-INITIAL_THRESHOLD)

    @torch.no_grad()
    def start_from(self, images: Tensor, generator: torch.Generator) -> None:
        """Take the first weights from images: each atom is half a random image minus the mean, half noise.

        Args:
            images: (n, channels, height, width), floats in [0, 1].
            generator: on the CPU; which images, and the noise.
        """
        flat = images.flatten(1)
        mean = flat.mean(0)
        chosen = flat[torch.randint(len(flat), (len(self.atoms),), generator=generator)] - mean
        noise = torch.randn(self.atoms.shape, generator=generator)
        self.atoms.copy_(F.normalize(F.normalize(chosen, dim=1) + F.normalize(noise, dim=1), dim=1))
        self.first.weight.copy_(self.atoms / math.sqrt(self.relative_size))
        if self.output == "sigmoid":
            self.bias.copy_(mean.clamp(0.01, 0.99).logit())

    @torch.no_grad()
    def set_step(self, size: float) -> None:
        """Give all steps one size, above 0, to be learned from there."""
        self.log_step.fill_(math.log(size))

    @property
    def dictionary(self) -> Tensor:
        """D, (latent_dim, pixels)."""
        squares = self.atoms.square().sum(1, keepdim=True)
        dictionary = self.atom_length * self.atoms * torch.rsqrt(squares + 1e-12)  # finite for zeros too
        device = dictionary.device.type
        # Under autocast it is cast once here, instead of in each product.
        return dictionary.to(torch.get_autocast_dtype(device)) if torch.is_autocast_enabled(device) else dictionary

    def encode(self, images: Tensor, k: int | Tensor | None = None, beta: Tensor | None = None) -> Tensor:
        """Images (batch, channels, height, width) -> latents (batch, latent_dim), at least 0.

        Args:
            k: how many latents the steps work with, one number or one for each image; the result may have more.
            beta: that of each image, (batch,), for an encoder with `betas`.
        """
        mix = None if beta is None else self._mix(beta).to(images.dtype)
        x, dictionary, reconstruction = images.flatten(1), self.dictionary, OUTPUTS[self.output].reconstruction
        z = F.relu(self.first(x) if mix is None else self.first(x) + _mixed(mix, self.first_bias))
        for log_step, threshold in zip(self.log_step, self.threshold, strict=True):
            if mix is not None:
                log_step, threshold = _mixed(mix, log_step.unsqueeze(1)), _mixed(mix, threshold)
            z = z if k is None else keep_top_k(z, k)
            p = reconstruction(F.linear(z, dictionary.T, self.bias).to(x.dtype))
            residual = x - p if self.step_loss == "bce" else 4 * (x - p) * OUTPUTS[self.output].slope(p)
            z = F.relu(z + log_step.exp() / self.relative_size * F.linear(residual, dictionary) - threshold)
        return z

    def _mix(self, beta: Tensor) -> Tensor:
        """How much of each table an image of a beta gets, (batch, len(betas)): linear in log beta, with the sum 1."""
        most = len(self.betas) - 1
        position = (beta / self.betas[0]).log() / math.log(self.betas[-1] / self.betas[0]) * most
        tables = torch.arange(most + 1, device=beta.device)
        return (1 - (position.clamp(0, most).unsqueeze(1) - tables).abs()).clamp_min(0)

    def decoder(self) -> Decoder:
        """The decoder, as `sae_model.refinement` uses it."""
        return Decoder(self.dictionary, self.bias, OUTPUTS[self.output], self.atom_length)

    def logits(self, latents: Tensor) -> Tensor:
        """Latents (batch, latent_dim) -> images before the sigmoid, (batch, channels, height, width)."""
        return F.linear(latents, self.dictionary.T, self.bias).unflatten(1, self.image_shape)


def _mixed(mix: Tensor, table: Tensor) -> Tensor:
    """(batch, betas) and (betas, n) -> (batch, n). Not a matrix product, which autocast would round."""
    return (mix.unsqueeze(2) * table).sum(1)


class Lecture(nn.Module):
    """The lecture's own network: strided convolutions with batch norm, for images of 1 x 28 x 28.

    Its latents have any sign. After `latent_dim` it takes what `Dictionary` takes, but the usual values alone.

    The maps have 28, 14, 7, 4 and 2 pixels a side on the way down and 1, 2, 4, 8, 16, 32 on the way up; a 7 x 7
    convolution cuts the last one to 28.
    """

    sparsity: ClassVar[dict[str, Any]] = {"kind": "l1", "beta": 0.01}

    def __init__(self, latent_dim: int, *others: Any) -> None:
        super().__init__()
        if others != ((1, 28, 28), "sigmoid", "bce", (), Dictionary.STEPS):
            raise ValueError(
                "The lecture's network takes images of (1, 28, 28), has a sigmoid output and no steps, and is trained "
                f"for one sparsity; got {others!s:.80}."
            )
        down = []
        for inputs, outputs in itertools.pairwise((1, 32, 64, 128, 256)):
            down += _block(nn.Conv2d(inputs, outputs, 3, stride=2, padding=1), outputs)
        down += _block(nn.Conv2d(256, 512, 1), 512)
        self.encoder = nn.Sequential(*down, nn.Flatten(), nn.Linear(4 * 512, latent_dim))
        up = [nn.Linear(latent_dim, 512), nn.Unflatten(1, (512, 1, 1))]
        for inputs, outputs in itertools.pairwise((512, 256, 128, 64, 32, 32)):
            up += _block(nn.ConvTranspose2d(inputs, outputs, 3, stride=2, padding=1, output_padding=1), outputs)
        self.decoder = nn.Sequential(*up, nn.Conv2d(32, 1, 7, padding=1))

    def encode(self, images: Tensor, k: int | Tensor | None = None, beta: Tensor | None = None) -> Tensor:
        """Images (batch, 1, 28, 28) -> latents (batch, latent_dim), any sign, whatever k is."""
        return self.encoder(images)

    def logits(self, latents: Tensor) -> Tensor:
        """Latents (batch, latent_dim) -> images before the sigmoid, (batch, 1, 28, 28)."""
        return self.decoder(latents)


def _block(convolution: nn.Module, channels: int) -> list[nn.Module]:
    return [convolution, nn.BatchNorm2d(channels), nn.LeakyReLU()]


ARCHITECTURES: dict[str, type[Dictionary | Lecture]] = {"dictionary": Dictionary, "lecture": Lecture}
"""What config.json calls them."""
