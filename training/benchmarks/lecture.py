"""The lecture's training loop, as it stands there, so that the benchmark can race it. Nothing else uses it.

Torchvision's MNIST decoded image by image, a shuffled DataLoader, plain Adam in single precision. The network is the
architecture `lecture`, the hyperparameters those of `training.fit.bundled_recipes.LECTURE`.
"""

from __future__ import annotations

import shutil
from collections.abc import Iterator
from pathlib import Path

import torch
import torch.nn.functional as F
from torch import Tensor
from torch.utils.data import DataLoader, Subset

from sae_model import SparseAutoencoder

from ..data.dataset import DATA_DIR, VALIDATION_IMAGES
from ..data.torchvision_import import datasets, transforms
from ..fit.bundled_recipes import LECTURE


def unpack_mnist(folder: Path) -> None:
    """Unpack the bundled images to `folder`, where torchvision's data set class looks for plain files."""
    shutil.copytree(DATA_DIR / "MNIST", folder / "MNIST")
    datasets.MNIST(str(folder), download=True)  # it finds whole archives, and only unpacks them


def make_loader(folder: Path) -> DataLoader[tuple[Tensor, Tensor]]:
    """Shuffled batches of the training split that `unpack_mnist` unpacked, each image a PIL image, then a tensor."""
    images = datasets.MNIST(str(folder), train=True, transform=transforms.ToTensor())
    training = Subset(images, range(len(images) - VALIDATION_IMAGES))
    generator = torch.Generator().manual_seed(LECTURE.seed)
    return DataLoader(training, LECTURE.batch_size, shuffle=True, generator=generator)


def train_epoch(
    model: SparseAutoencoder, loader: DataLoader[tuple[Tensor, Tensor]], optimizer: torch.optim.Optimizer
) -> Iterator[float]:
    """One pass over the images; yields the loss after each step. The model is left in training mode."""
    model.train()
    for images, _labels in loader:
        reconstruction, latents, _activations = model(images)
        loss = F.binary_cross_entropy(reconstruction, images) + LECTURE.sparsity.penalty(latents)
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
        yield loss.item()
