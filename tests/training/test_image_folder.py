"""Folders of image files: read as PIL reads them, or an error message that names the file."""

from __future__ import annotations

import io
import os
import shutil
import struct
import zlib
from pathlib import Path

import numpy as np
import pytest
import torch
from huggingface_hub import HfApi, constants
from PIL import Image

from tests.loopback_hub import LoopbackHub
from training.data import DataError, Dataset, open_dataset
from training.data.images import LUMA, resized

CLASSES = ("disc", "square", "star")


@pytest.fixture(autouse=True)
def cache(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A cache of its own."""
    monkeypatch.setattr("huggingface_hub.utils._cache_assets.HF_ASSETS_CACHE", str(tmp_path / "cache"))
    return tmp_path / "cache"


def write(folder: Path, count: int, size: tuple[int, int] = (8, 6), mode: str = "RGB", ending: str = "png") -> None:
    """Image files whose first pixel is their number, and whose name is that number too."""
    generator = np.random.default_rng(len(str(folder)))
    folder.mkdir(parents=True, exist_ok=True)
    for number in range(count):
        shape = (size[1], size[0], 3) if mode == "RGB" else (size[1], size[0])
        values = generator.integers(0, 256, shape).astype(np.uint8)
        values[0, 0] = number
        Image.fromarray(values).save(
            folder / f"{number:03d}.{ending}", **({"lossless": True} if ending == "webp" else {})
        )


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """Three classes of 50 colour images to train on and 8 to measure on."""
    for name in CLASSES:
        write(tmp_path / "shapes" / "train" / name, 50)
        write(tmp_path / "shapes" / "test" / name, 8)
    return tmp_path / "shapes"


def pixels(path: Path) -> torch.Tensor:
    return torch.from_numpy(np.array(Image.open(path))).permute(2, 0, 1)


def refused(words: str, name: Path, **options: object) -> str:
    with pytest.raises(DataError, match=words) as caught:
        open_dataset(str(name), **options)
    message = str(caught.value)
    assert "\n" not in message
    return message


def halves(dataset: Dataset) -> dict[str, torch.Tensor]:
    return {half: dataset.half(half).images for half in ("train", "test")}


def test_every_image_is_there_once_with_its_class(folder: Path) -> None:
    dataset = open_dataset(str(folder))
    assert dataset.classes == CLASSES
    assert (dataset.about.title, dataset.about.licence) == ("shapes", "unknown")
    for half, count in (("train", 50), ("test", 8)):
        images, labels = dataset.half(half)
        assert images.shape == (3 * count, 3, 6, 8)
        assert images.dtype == torch.uint8
        for label, name in enumerate(CLASSES):
            of_class = images[labels == label]
            assert sorted(of_class[:, 0, 0, 0].tolist()) == list(range(count))
            for image in of_class:
                assert torch.equal(image, pixels(folder / half / name / f"{int(image[0, 0, 0]):03d}.png"))


def test_parts_are_mixed_and_the_same_again(folder: Path, cache: Path) -> None:
    dataset = open_dataset(str(folder))
    train, validation = dataset.split("train"), dataset.split("validation")
    assert (len(train.images), len(validation.images)) == (138, 12)
    assert set(validation.labels.tolist()) == set(train.labels[:20].tolist()) == {0, 1, 2}
    before, kept = halves(dataset), halves(open_dataset(str(folder)))
    shutil.rmtree(cache)
    anew = halves(open_dataset(str(folder)))
    for half, images in before.items():
        assert all(torch.equal(images, again[half]) for again in (kept, anew))


def test_images_are_decoded_once_and_stay_on_disk(
    folder: Path, cache: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    open_dataset(str(folder))
    (stored,) = cache.rglob("images.bin")
    assert stored.stat().st_size == 174 * 3 * 6 * 8
    with monkeypatch.context() as patch:
        patch.setattr(Image, "open", None)
        images = open_dataset(str(folder)).half("train").images
    images[:] = 0  # of the process's own copy
    assert open_dataset(str(folder)).half("train").images.any()
    write(folder / "train" / "disc", 51)  # a file more: another version, and the old one is removed
    assert len(open_dataset(str(folder)).half("train").images) == 151
    assert len(list(cache.rglob("images.bin"))) == 1
    for colour in ((200, 0, 0), (0, 200, 0)):  # a file of the same size: its time tells
        Image.new("RGB", (8, 6), colour).save(folder / "train" / "disc" / "plain.bmp")
        images = open_dataset(str(folder)).half("train").images
        assert (images == torch.tensor(colour)[:, None, None]).flatten(1).all(1).any()
    assert capsys.readouterr().err == ""


def test_a_damaged_cache_is_made_anew(folder: Path, cache: Path) -> None:
    before = halves(open_dataset(str(folder)))
    for name, content in (("contents.json", b""), ("images.bin", b"short")):
        (kept,) = cache.rglob(name)
        kept.write_bytes(content)
        after = halves(open_dataset(str(folder)))
        assert all(torch.equal(after[half], images) for half, images in before.items())


def test_a_folder_of_validation_images_is_the_validation_split(
    folder: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    before = open_dataset(str(folder)).half("train")
    for name in CLASSES:
        write(folder / "Valid" / name, 7)
    dataset = open_dataset(str(folder))
    assert f"{folder} has a validation split of its own, 21 images." in capsys.readouterr().err
    train, (images, labels) = dataset.split("train"), dataset.split("validation")
    assert torch.equal(train.images, before.images)
    assert torch.equal(train.labels, before.labels)
    assert labels.bincount().tolist() == [7, 7, 7]
    for image, label in zip(images, labels, strict=True):
        path = folder / "Valid" / CLASSES[label] / f"{int(image[0, 0, 0]):03d}.png"
        assert torch.equal(image, pixels(path))
    dataset.check("train")
    dataset.check("test")  # in which validation images do not count
    shutil.rmtree(folder / "test")
    assert len(open_dataset(str(folder)).split("validation").images) == 21
    assert open_dataset(str(folder)).split("test").labels.bincount().tolist() == [5, 5, 5]  # a tenth of each class


def test_test_images_that_are_training_images_too_are_counted(folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    for number in (3, 4, 5):
        shutil.copy(folder / "train" / "disc" / f"{number:03d}.png", folder / "test" / "star" / f"copy-{number}.png")
    for _ in ("decoded", "out of the cache"):
        open_dataset(str(folder))
        assert (
            "3 of the 27 test images have the same pixels as an image of the training half" in capsys.readouterr().err
        )


def test_files_without_classes_are_one_class(tmp_path: Path) -> None:
    write(tmp_path / "photos", 130, ending="webp")
    dataset = open_dataset(str(tmp_path / "photos"))
    assert dataset.classes == ("photos",)
    assert (len(dataset.half("train").images), len(dataset.half("test").images)) == (117, 13)
    assert sorted(torch.cat(list(halves(dataset).values()))[:, 0, 0, 0].tolist()) == list(range(130))


def test_images_that_are_all_grey_stay_grey_and_others_come_in_colour(folder: Path, tmp_path: Path) -> None:
    write(tmp_path / "grey", 130, mode="L", ending="bmp")
    assert open_dataset(str(tmp_path / "grey")).half("train").images.shape == (117, 1, 6, 8)
    Image.fromarray(np.full((6, 8, 3), (10, 200, 30), np.uint8)).save(tmp_path / "grey" / "colour.png")
    assert open_dataset(str(tmp_path / "grey")).half("train").images.shape == (118, 3, 6, 8)
    images = open_dataset(str(folder), grey=True).half("test").images
    assert images.shape == (24, 1, 6, 8)
    colour = open_dataset(str(folder)).half("test").images.float()
    luma = sum(weight * colour[:, channel] for channel, weight in enumerate(LUMA))
    assert (images[:, 0].float() - luma).abs().max() <= 1


def test_images_that_were_held_on_their_side_stand_upright_among_others(tmp_path: Path) -> None:
    folder = tmp_path / "odd"
    write(folder, 130, size=(6, 8))
    sixteen = np.linspace(0, 65535, 48).reshape(8, 6).astype(np.uint16)
    Image.fromarray(sixteen).save(folder / "a.PNG")
    exif = Image.Exif()
    exif[0x0112] = 6
    Image.fromarray(np.zeros((6, 8, 3), np.uint8)).save(folder / "d.jpg", exif=exif)
    images = torch.cat(list(halves(open_dataset(str(folder))).values()))
    assert images.shape == (132, 3, 8, 6)
    assert (images[:, 0].flatten(1) == torch.from_numpy((sixteen >> 8).astype(np.uint8)).flatten()).all(1).any()


@pytest.mark.parametrize("mode", ["RGBA", "LA", "P", "L", "RGB"])
def test_transparent_places_are_white(tmp_path: Path, mode: str) -> None:
    """In part, by an alpha channel; wholly, by the value or colour that stands for nothing."""
    alpha = np.random.default_rng(1).integers(0, 256, (8, 6)).astype(np.uint8)
    hidden: int | tuple[int, ...] | None = None
    if mode not in ("RGBA", "LA"):
        alpha, hidden = np.where(alpha > 127, 255, 0).astype(np.uint8), (77, 77, 77) if mode == "RGB" else 77
    ink = np.where(alpha > 0, 30, 77).astype(np.uint8)
    image = Image.fromarray(np.stack([ink, alpha], -1)).convert(mode) if hidden is None else Image.fromarray(ink)
    (tmp_path / "drawings").mkdir()
    for number in range(20):
        image.convert(mode).save(tmp_path / "drawings" / f"{number}.png", transparency=hidden)
    images = open_dataset(str(tmp_path / "drawings")).half("train").images
    assert images.shape[1] == (3 if "RGB" in mode else 1)
    assert np.abs(images[0, 0].numpy() - (255 + (ink - 255.0) * alpha / 255)).max() <= 1


@pytest.mark.parametrize(("highest", "bits"), [(255, 8), (300, 10), (4_095, 12), (65_535, 16)])
def test_sixteen_bits_are_read_by_as_many_as_all_images_use(
    tmp_path: Path, highest: int, bits: int, capsys: pytest.CaptureFixture[str]
) -> None:
    values = np.random.default_rng(0).integers(0, highest + 1, (20, 8, 6)).astype(np.uint16)
    values[:19] //= 2  # one image alone has the highest value
    values[19, 0, 0] = highest
    (tmp_path / "deep").mkdir()
    for number, image in enumerate(values):
        hidden = int(image[1, 1])
        Image.fromarray(image).save(tmp_path / "deep" / f"{number}.png", transparency=hidden)
    images = torch.cat(list(halves(open_dataset(str(tmp_path / "deep"))).values()))
    assert images.shape == (20, 1, 8, 6)
    expected = np.where(values == values[:, 1:2, 1:2], 255, values >> (bits - 8)).astype(np.uint8)
    assert {image.numpy().tobytes() for image in images} == {image.tobytes() for image in expected}
    told = f"The grey images with 16 bits have values up to {highest:,}: {bits} bits are used."
    assert (told in capsys.readouterr().err) == (bits < 16)


@pytest.mark.parametrize(("kind", "channels"), {"colour": (2, 3), "grey with alpha": (4, 2)}.values())
def test_of_other_images_with_sixteen_bits_the_upper_eight_are_read(tmp_path: Path, kind: int, channels: int) -> None:
    """By the specification of PNG, since PIL writes only grey ones."""
    values = np.random.default_rng(0).integers(0, 65_536, (8, 6, channels)).astype(np.uint16)
    if channels == 2:
        values[..., 1] = 65_535  # opaque
    rows = b"".join(b"\0" + row.astype(">u2").tobytes() for row in values)
    chunks = {b"IHDR": struct.pack(">IIBBBBB", 6, 8, 16, kind, 0, 0, 0), b"IDAT": zlib.compress(rows), b"IEND": b""}
    packed = [
        struct.pack(">I", len(data)) + name + data + struct.pack(">I", zlib.crc32(name + data))
        for name, data in chunks.items()
    ]
    (tmp_path / "deep").mkdir()
    for number in range(20):
        (tmp_path / "deep" / f"{number}.png").write_bytes(b"\x89PNG\r\n\x1a\n" + b"".join(packed))
    image = open_dataset(str(tmp_path / "deep")).half("train").images[0].permute(1, 2, 0).numpy()
    assert np.array_equal(image, values[..., : 1 if channels == 2 else 3] >> 8)


def test_a_palette_is_grey_where_all_that_is_seen_is_grey(tmp_path: Path) -> None:
    folder = tmp_path / "palettes"
    write(folder, 130, mode="L")
    image = Image.fromarray(np.arange(48, dtype=np.uint8).reshape(6, 8) % 3).convert("P")
    image.putpalette([255, 0, 0, 40, 40, 40, 90, 90, 90, 0, 255, 0])  # the fourth colour is not used
    image.save(folder / "grey.png", transparency=0)  # and the first one is transparent
    images = torch.cat(list(halves(open_dataset(str(folder))).values()))
    assert images.shape == (131, 1, 6, 8)
    assert (images.flatten(1) == torch.tensor([255, 40, 90] * 16)).all(1).any()
    image.save(folder / "colour.png")
    assert open_dataset(str(folder)).half("train").images.shape[1] == 3


def test_the_middle_square_is_scaled_as_pil_does_it() -> None:
    values = np.random.default_rng(0).integers(0, 256, (33, 45, 3)).astype(np.uint8)
    ours = resized(torch.from_numpy(values).permute(2, 0, 1).unsqueeze(0), 7, grey=False)[0].permute(1, 2, 0)
    theirs = np.array(Image.fromarray(values[:, 6:39]).resize((7, 7), Image.Resampling.BILINEAR))
    assert np.abs(ours.numpy().astype(int) - theirs).max() <= 1


def test_sizes_that_differ_are_named(folder: Path) -> None:
    write(folder / "train" / "wider", 2, size=(9, 6))
    write(folder / "test" / "wider", 1, size=(9, 6))
    refused(r"Images have different sizes: .*\.png has . x 6 pixels, .*\.png has . x 6.*--image-size N", folder)
    assert open_dataset(str(folder), image_size=4).half("test").images.shape == (25, 3, 4, 4)


def damaged(kind: str) -> bytes:
    file = io.BytesIO()
    Image.fromarray(np.random.default_rng(0).integers(0, 256, (6, 8, 3)).astype(np.uint8)).save(file, "PNG")
    whole = file.getvalue()
    pointer = b"version https://git-lfs.github.com/spec/v1\noid sha256:4d7a\n"
    contents = {"empty": b"", "cut": whole[: len(whole) // 2], "text": b"<html>404</html>", "pointer": pointer}
    return contents[kind]


@pytest.mark.parametrize("kind", ["empty", "cut", "text", "pointer"])
def test_an_unreadable_image_is_named_or_skipped(
    folder: Path, kind: str, cache: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    path = folder / "train" / "star" / "007.png"
    path.write_bytes(damaged(kind))
    what = "a pointer of Git LFS.*`git lfs pull`" if kind == "pointer" else r"not a complete image\. .*--skip-broken"
    assert str(path) in refused(rf"007\.png cannot be read: it is {what}", folder)
    assert not list(cache.rglob("images.bin"))
    images, labels = open_dataset(str(folder), skip_broken=True).half("train")
    assert len(images) == len(labels) == 149
    assert 7 not in images[labels == 2][:, 0, 0, 0].tolist()
    told = capsys.readouterr().err
    assert "Left out 1 files that cannot be read" in told
    assert str(path) in told


def test_an_image_that_would_fill_the_memory_is_not_opened(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(Image, "MAX_IMAGE_PIXELS", 49)
    Image.fromarray(np.zeros((10, 10, 3), np.uint8)).save(folder / "train" / "disc" / "bomb.png")
    assert "bomb.png" in refused("cannot be read: Image size .* exceeds limit", folder)


def test_a_class_of_which_nothing_can_be_read_is_named(folder: Path) -> None:
    for path in (folder / "test" / "star").iterdir():
        path.write_bytes(b"")
    refused("No file of the class 'star' in the test part", folder, skip_broken=True)
    for path in folder.rglob("*.png"):
        path.write_bytes(b"")
    refused("None of the images can be read", folder, skip_broken=True)


def test_what_is_no_data_set_is_refused(tmp_path: Path, folder: Path) -> None:
    refused("Unknown data set .*Known ones: mnist, .* a folder of images", tmp_path / "typo")
    refused("at least 1 pixel a side; got --image-size 0", folder, image_size=0)


@pytest.mark.skipif(os.geteuid() == 0, reason="root reads everything")
def test_a_folder_that_may_not_be_read_ends_in_the_systems_word(folder: Path) -> None:
    (folder / "train").chmod(0)
    with pytest.raises(PermissionError):
        open_dataset(str(folder))


@pytest.fixture
def on_hub(hub: LoopbackHub, folder: Path, monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> LoopbackHub:
    """A Hub that has the folder as the data set ada/shapes, and an empty cache of the client."""
    monkeypatch.setattr(constants, "HF_HUB_CACHE", str(tmp_path / "hub-cache"))
    HfApi().create_repo("ada/shapes", repo_type="dataset")
    HfApi().upload_folder(repo_id="ada/shapes", repo_type="dataset", folder_path=folder)
    return hub


@pytest.mark.usefixtures("on_hub")
def test_a_repo_on_the_hub_is_the_folder_that_it_holds(folder: Path) -> None:
    dataset, local = open_dataset("hub:ada/shapes"), open_dataset(str(folder))
    assert (dataset.about.title, dataset.about.hub, dataset.classes) == ("shapes", "ada/shapes", CLASSES)
    for half, images in halves(local).items():
        assert torch.equal(dataset.half(half).images, images)
    HfApi().create_tag("ada/shapes", repo_type="dataset", tag="v1")
    for half in ("train", "test"):
        write(folder / half / "wave", 2)
    HfApi().upload_folder(repo_id="ada/shapes", repo_type="dataset", folder_path=folder)
    assert open_dataset("hub:ada/shapes").classes == (*CLASSES, "wave")
    assert open_dataset("hub:ada/shapes@v1").classes == CLASSES


@pytest.mark.usefixtures("on_hub")
def test_repos_that_cannot_be_had_end_in_one_line() -> None:
    HfApi().create_repo("ada/texts", repo_type="dataset")
    HfApi().upload_file(path_or_fileobj=b"a,b", path_in_repo="a.csv", repo_id="ada/texts", repo_type="dataset")
    refused("The data set ada/nothing on the Hub is not there", "hub:ada/nothing")
    refused("ada/shapes on the Hub has no revision 'v9'", "hub:ada/shapes@v9")
    refused("on the Hub cannot be: an id has the form owner/name", "hub:")
    refused("ada/texts on the Hub holds no image files", "hub:ada/texts")


def test_a_link_to_nowhere_is_a_file_that_cannot_be_read(folder: Path) -> None:
    (folder / "train" / CLASSES[0] / "lost.png").symlink_to("nowhere.png")
    refused("lost.png cannot be read: No such file", folder)
    open_dataset(str(folder), skip_broken=True)  # or an error


def test_names_that_are_no_unicode_are_read(folder: Path) -> None:
    odd = os.fsencode(folder / "train" / CLASSES[0] / "000.png").replace(b"000", b"caf\xe9")
    (folder / "train" / CLASSES[0] / "000.png").rename(os.fsdecode(odd))
    renamed = folder.rename(os.fsdecode(os.fsencode(folder) + b"\xe9.2"))
    opened = open_dataset(str(renamed))
    assert opened.about.title.endswith(".2")
    assert len(opened.half("train").images) == 150
    opened.about.title.encode()  # or an error
