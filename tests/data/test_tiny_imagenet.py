"""Tiny-ImageNet in a small copy of its layout."""

from __future__ import annotations

import numpy as np
import pytest
from PIL import Image

from gan_topdis.data import read_tiny_imagenet

SHADES = {"n02": (10, 60), "n01": (110, 160)}


def grey_of(data) -> list[int]:
    """Shade of each picture: they are of one colour, which JPEG keeps to a level or two."""
    return [int(image.mean()) for image in data.images[:]]


@pytest.fixture
def root(tmp_path):
    for name, shades in SHADES.items():
        folder = tmp_path / "train" / name / "images"
        folder.mkdir(parents=True)
        (folder.parent / f"{name}_boxes.txt").write_text("not a picture")
        for k, shade in enumerate(shades):
            Image.new("RGB", (64, 64), (shade,) * 3).save(folder / f"{name}_{k}.JPEG")
    folder = tmp_path / "val" / "images"
    folder.mkdir(parents=True)
    for k, shade in enumerate((200, 30, 90)):
        Image.new("L" if k else "RGB", (64, 64), shade if k else (shade,) * 3).save(folder / f"val_{k}.JPEG")
    lines = [
        "val_2.JPEG\tn01\t0\t32\t44\t62",
        "val_0.JPEG\tn02\t52\t55\t57\t59",
        "val_1.JPEG\tn02\t1\t2\t3\t4",
    ]
    (tmp_path / "val" / "val_annotations.txt").write_text("\n".join(lines) + "\n")
    return tmp_path


def test_train(root):
    data = read_tiny_imagenet(root)
    assert data.images.shape == (4, 3, 64, 64) and data.factor_names == ("class",)
    assert data.factors[:, 0].tolist() == [0, 0, 1, 1]  # n01 is class 0
    assert grey_of(data) == pytest.approx([110, 160, 10, 60], abs=2)


def test_labels_of_val_are_those_of_the_text_file(root):
    data = read_tiny_imagenet(root, split="val", size=32)
    assert data.images.shape == (3, 3, 32, 32) and data.name == "Tiny-ImageNet val 32 px"
    assert data.factors[:, 0].tolist() == [0, 1, 1]
    assert grey_of(data) == pytest.approx([90, 200, 30], abs=2)
    grey = read_tiny_imagenet(root, split="val", grey=True)
    assert grey.images.shape == (3, 1, 64, 64)


@pytest.mark.parametrize(
    ("content", "error", "message"),
    [
        (b"val_0.JPEG\tn03\t0\t0\t1\t1\n", ValueError, "line 1, should be a picture and one of 2 classes"),
        (b"val_0.JPEG\tn01\nval_0.JPEG\n", ValueError, "line 2, should be a picture .* got ''"),
        (b"val_9.JPEG\tn01\n", FileNotFoundError, "line 1: there is no picture 'val_9.JPEG'"),
        (b"../../train/n01/images/n01_0.JPEG\tn01\n", FileNotFoundError, "there is no picture"),
        (b"\xff\xfe\x00", ValueError, "should be text"),
        (b"", FileNotFoundError, "found none"),
        (None, FileNotFoundError, "expected the labels of val in .*val_annotations.txt"),
    ],
)
def test_other_annotations(root, content, error, message):
    file = root / "val" / "val_annotations.txt"
    file.unlink() if content is None else file.write_bytes(content)
    with pytest.raises(error, match=message):
        read_tiny_imagenet(root, split="val")


def test_broken_pictures_are_named_when_they_are_read(root):
    (root / "train" / "n01" / "images" / "n01_1.JPEG").write_bytes(b"\xff\xd8\xff")
    data = read_tiny_imagenet(root)
    assert np.isfinite(data.images[0]).all()
    with pytest.raises(ValueError, match=r"n01_1\.JPEG is no readable image"):
        data.images[1]


def test_missing_and_unknown(root, tmp_path):
    with pytest.raises(
        FileNotFoundError, match=r"expected train/n\*/images/ and val/val_annotations\.txt in"
    ):
        read_tiny_imagenet(tmp_path / "nothing")
    with pytest.raises(ValueError, match="split should be train or val, got 'test'"):
        read_tiny_imagenet(root, split="test")
    with pytest.raises(ValueError, match="size should be at least 1"):
        read_tiny_imagenet(root, size=0)
