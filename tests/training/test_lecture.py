"""The lecture's recipe is what it is said to be."""

from __future__ import annotations

from pathlib import Path

import pytest
import torch
from torch import nn

from training import lecture
from training.data import Split


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("unpacked")
    lecture.unpack_mnist(folder)
    return folder


def test_the_network_goes_down_to_one_place_and_up_again() -> None:
    model, shapes = lecture.LectureAutoencoder(), []
    for module in model.modules():
        if isinstance(module, nn.Conv2d | nn.ConvTranspose2d):
            module.register_forward_hook(lambda _module, _inputs, output: shapes.append(tuple(output.shape[1:])))
    reconstruction, latents = model(torch.rand(2, 1, 28, 28))
    down = [(32, 14, 14), (64, 7, 7), (128, 4, 4), (256, 2, 2), (512, 1, 1)]
    assert shapes == [*down, *reversed(down[:-1]), (32, 28, 28), (1, 28, 28)]
    assert latents.shape == (2, 900)
    assert reconstruction.shape == (2, 1, 28, 28)
    assert 0 < reconstruction.min() < reconstruction.max() < 1


def test_batches_are_those_of_the_lecture(folder: Path, training_digits: Split) -> None:
    loader = lecture.make_loader(folder)
    assert len(loader) == 938
    image, label = loader.dataset[5]
    assert torch.equal((image * 255).round().byte(), training_digits.images[5])
    assert label == training_digits.labels[5]
    images, _ = next(iter(loader))
    assert images.shape == (64, 1, 28, 28)
    assert not torch.equal(images, torch.stack([loader.dataset[i][0] for i in range(64)]))


def test_the_loss_of_a_step_is_that_of_a_plain_computation_and_adam_then_moves_every_weight(folder: Path) -> None:
    images, _ = next(iter(lecture.make_loader(folder)))  # the same seed, so the batch that training meets first
    model, fresh = lecture.LectureAutoencoder(), lecture.LectureAutoencoder()
    steps = lecture.train_epoch(model, lecture.make_loader(folder), lecture.make_optimizer(model))
    loss = next(steps)
    with torch.no_grad():
        reconstruction, latents = fresh.train()(images)
    pixels = -(images * reconstruction.log() + (1 - images) * (1 - reconstruction).log()).mean()
    assert loss == pytest.approx((pixels + 0.01 * torch.tanh(latents.abs() / 2).mean()).item(), rel=1e-5)
    # Adam's first step is the learning rate, whatever the size of the gradient.
    moved = (model.encoder[-1].weight - fresh.encoder[-1].weight).abs()
    assert moved.max().item() == pytest.approx(1e-4, rel=1e-2)
    assert moved.median().item() == pytest.approx(1e-4, rel=1e-2)
