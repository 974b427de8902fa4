"""The lecture's recipe, rebuilt as it stands there, so that the benchmark can race it. Nothing else uses it.

Strided convolutions with batch norm, torchvision's MNIST decoded picture by picture, a shuffled DataLoader, plain Adam
in single precision.
"""

from __future__ import annotations

import gzip
import itertools
import shutil
from collections.abc import Iterator
from pathlib import Path

import torch
import torch.nn.functional as F
from torch import Tensor, nn
from torch.utils.data import DataLoader

from sae_model import L1
from training.data import BUNDLED
from training.torchvision_import import datasets, transforms

CHANNELS = (1, 32, 64, 128, 256, 512)
SIDES = (28, 14, 7, 4, 2, 1)
LATENT_DIM = 900
BETA = 0.01
BATCH_SIZE = 64
LEARNING_RATE = 1e-4
EPOCHS = 5
SEED = 42


class LectureAutoencoder(nn.Module):
    """Images (batch, 1, 28, 28) -> latents (batch, 900) -> images, by five strided convolutions and their mirror image.

    It has what `training.evaluation.evaluate` asks of a model. Its first weights follow from the seed alone.
    """

    def __init__(self) -> None:
        super().__init__()
        self.latent_dim = LATENT_DIM
        self.sparsity = L1(BETA)
        with torch.random.fork_rng(devices=[]):
            torch.manual_seed(SEED)
            self.encoder = _encoder()
            self.decoder = _decoder()

    def encode(self, images: Tensor, k: int | None = None) -> Tensor:
        """Images (batch, 1, 28, 28) -> latents (batch, 900), any sign. There is no choice of k."""
        return self.encoder(images)

    def decode(self, latents: Tensor) -> Tensor:
        """Latents (batch, 900) -> reconstruction (batch, 1, 28, 28) in [0, 1]."""
        return self.decoder(latents)

    def forward(self, images: Tensor) -> tuple[Tensor, Tensor]:
        """Images (batch, 1, 28, 28) -> (reconstruction, latents)."""
        latents = self.encode(images)
        return self.decode(latents), latents


def _encoder() -> nn.Sequential:
    layers = []
    for inputs, outputs in itertools.pairwise(CHANNELS):
        layers += [
            nn.Conv2d(inputs, outputs, kernel_size=3, stride=2, padding=1),
            nn.BatchNorm2d(outputs),
            nn.LeakyReLU(),
        ]
    return nn.Sequential(*layers, nn.Flatten(), nn.Linear(CHANNELS[-1], LATENT_DIM))


def _decoder() -> nn.Sequential:
    layers = [nn.Linear(LATENT_DIM, CHANNELS[-1]), nn.Unflatten(1, (CHANNELS[-1], 1, 1))]
    sides = itertools.pairwise(reversed(SIDES))
    for (inputs, outputs), (small, large) in zip(itertools.pairwise(reversed(CHANNELS)), sides, strict=True):
        more = large - (2 * small - 1)  # 1 where the side doubles, 0 from 4 to 7
        features = max(outputs, CHANNELS[1])  # at full size too: the pixels come from a convolution of their own
        layers += [
            nn.ConvTranspose2d(inputs, features, kernel_size=3, stride=2, padding=1, output_padding=more),
            nn.BatchNorm2d(features),
            nn.LeakyReLU(),
        ]
    return nn.Sequential(*layers, nn.Conv2d(CHANNELS[1], 1, kernel_size=3, padding=1), nn.Sigmoid())


def lecture_loss(images: Tensor, reconstruction: Tensor, latents: Tensor) -> Tensor:
    """Mean binary cross-entropy of the pixels plus beta times the mean activation: a scalar, in nats per pixel."""
    activations = 2 * (torch.sigmoid(latents.abs()) - 0.5)
    return F.binary_cross_entropy(reconstruction, images) + BETA * F.l1_loss(activations, torch.zeros_like(activations))


def unpack_mnist(folder: Path) -> None:
    """Unpack the bundled training images to `folder`, where torchvision's data set class looks for plain files."""
    raw = folder / "MNIST" / "raw"
    raw.mkdir(parents=True)
    for packed in (BUNDLED / "MNIST" / "raw").glob("*.gz"):
        with gzip.open(packed) as source, (raw / packed.stem).open("wb") as target:
            shutil.copyfileobj(source, target)


def make_loader(folder: Path) -> DataLoader:
    """Shuffled batches of 64 training images, each image made a PIL picture and then a tensor, as the lecture does.

    Args:
        folder: where `unpack_mnist` unpacked.
    """
    images = datasets.MNIST(str(folder), train=True, transform=transforms.ToTensor())
    return DataLoader(images, BATCH_SIZE, shuffle=True, generator=torch.Generator().manual_seed(SEED))


def make_optimizer(model: LectureAutoencoder) -> torch.optim.Adam:
    """The lecture's Adam."""
    return torch.optim.Adam(model.parameters(), lr=LEARNING_RATE)


def train_epoch(model: LectureAutoencoder, loader: DataLoader, optimizer: torch.optim.Optimizer) -> Iterator[float]:
    """One pass over the images; yields the loss after each step. The model is left in training mode."""
    model.train()
    for images, _labels in loader:
        reconstruction, latents = model(images)
        loss = lecture_loss(images, reconstruction, latents)
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
        yield loss.item()
