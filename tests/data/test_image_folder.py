"""Folders of images and CelebA's lists: order, sizes, modes, labels and broken files."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from gan_topdis.data import read_celeba, read_image_folder


def paint(path: Path, colour, size=(8, 8), mode="RGB") -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    Image.new(mode, size, colour).save(path)


def test_flat_folder_in_the_order_of_names(tmp_path):
    paint(tmp_path / "b.png", (255, 0, 0))
    paint(tmp_path / "a.PNG", (0, 255, 0), size=(20, 10))
    (tmp_path / "notes.txt").write_text("no image")
    data = read_image_folder(tmp_path, size=4, name="two")
    assert data.name == "two 4 px, no crop"
    assert data.factors.shape == (2, 0)
    assert data.images.shape == (2, 3, 4, 4)
    assert np.array_equal(data.images[:][:, :, 0, 0], [[0, 255, 0], [255, 0, 0]])
    assert [path.name for path in data.images.files] == ["a.PNG", "b.png"]
    image, factors = data[1]
    assert image[0].min() == 1
    assert factors.shape == (0,)


def test_folders_are_a_factor(tmp_path):
    for name, colour in (("cat/1.png", "red"), ("dog/1.png", "blue"), ("dog/0.png", "blue")):
        paint(tmp_path / name, colour)
    data = read_image_folder(tmp_path, size=2)
    assert data.factor_names == ("folder",)
    assert data.factors.tolist() == [[0], [1], [1]]
    assert data.class_names == data.take([0]).class_names == ("cat", "dog")
    assert read_image_folder(tmp_path / "dog").factor_names == ()


def test_modes(tmp_path):
    """Grey and palette become colour, transparent lies on white, and colour becomes grey on request."""
    paint(tmp_path / "0.png", 100, mode="L")
    paint(tmp_path / "1.png", (0, 0, 255, 0), mode="RGBA")
    paint(tmp_path / "2.png", (0, 0, 255, 255), mode="RGBA")
    Image.new("RGB", (8, 8), (9, 8, 7)).convert("P", palette=Image.Palette.ADAPTIVE).save(tmp_path / "3.png")
    colours = read_image_folder(tmp_path, size=2).images[:][:, :, 0, 0]
    assert colours.tolist() == [[100, 100, 100], [255, 255, 255], [0, 0, 255], [9, 8, 7]]
    grey = read_image_folder(tmp_path, size=2, grey=True).images
    assert grey.shape == (4, 1, 2, 2)
    assert grey[0].max() == 100


def test_crop_is_the_middle_and_no_crop_changes_the_aspect(tmp_path):
    """A white square in a black frame, 20 x 10: its middle 10 x 10 is white."""
    values = np.zeros((10, 20), np.uint8)
    values[:, 5:15] = 255
    Image.fromarray(values).save(tmp_path / "a.png")
    assert read_image_folder(tmp_path, size=10, crop=10).images[0].min() == 255
    whole = read_image_folder(tmp_path, size=20).images[0][0, 0]
    assert whole[:5].max() == 0
    assert whole[6:14].min() == 255
    assert read_image_folder(tmp_path, size=10, crop=10).name.endswith("10 px, crop 10")
    with pytest.raises(ValueError, match=r"a\.png should have at least crop = 11 pixels a side, got 20 x 10"):
        read_image_folder(tmp_path, crop=11).images[0]


def test_shrinking_averages(tmp_path):
    values = (np.indices((64, 64)).sum(axis=0) % 2 * 255).astype(np.uint8)
    Image.fromarray(values).save(tmp_path / "a.png")
    assert np.abs(read_image_folder(tmp_path, size=16).images[0].astype(int) - 127)[:, 2:-2, 2:-2].max() <= 2


def test_broken_files(tmp_path):
    paint(tmp_path / "a.png", "red")
    content = (tmp_path / "a.png").read_bytes()
    (tmp_path / "b.png").write_bytes(content[: len(content) // 2])
    (tmp_path / "c.jpg").write_bytes(b"")
    images = read_image_folder(tmp_path).images
    assert [path.name for path in images.broken()] == ["b.png", "c.jpg"]
    with pytest.raises(ValueError, match=r"b\.png is no readable image"):
        images[0:2]


def test_nothing_there(tmp_path):
    for folder in (tmp_path, tmp_path / "missing"):
        with pytest.raises(FileNotFoundError, match=r"images not found: expected \.jpg.* in "):
            read_image_folder(folder)
    paint(tmp_path / "a.png", "red")
    with pytest.raises(ValueError, match="size and crop should be at least 1 pixel, got 0 and None"):
        read_image_folder(tmp_path, size=0)


# --- CelebA ---


@pytest.fixture
def celeba(tmp_path) -> Path:
    for number, grey in ((1, 10), (2, 20), (3, 30)):
        paint(tmp_path / f"celeba/img_align_celeba/00000{number}.jpg", (grey,) * 3, size=(178, 218))
    (tmp_path / "celeba/list_attr_celeba.txt").write_text(
        "3\nBald Smiling \n000003.jpg -1  1\n000001.jpg -1 -1\n000002.jpg  1 -1\n"
    )
    (tmp_path / "celeba/list_eval_partition.txt").write_text("000001.jpg 0\n000002.jpg 2\n000003.jpg 0\n")
    return tmp_path


def test_celeba(celeba):
    for root in (celeba, celeba / "celeba"):
        data = read_celeba(root, size=16)
        assert data.factor_names == ("Bald", "Smiling")
        assert data.factors.tolist() == [[0, 0], [1, 0], [0, 1]]
        assert data.images.shape == (3, 3, 16, 16)
        assert data.name == "CelebA 16 px, no crop"
    assert data.images[:][:, 0, 8, 8].tolist() == [10, 20, 30]


def test_celeba_splits_and_crop(celeba):
    train = read_celeba(celeba, size=16, crop=178, split="train")
    assert train.factors.tolist() == [[0, 0], [0, 1]]
    assert train.images[:][:, 0, 8, 8].tolist() == [10, 30]
    assert train.name == "CelebA 16 px, crop 178, train"
    assert len(read_celeba(celeba, split="valid")) == 0
    with pytest.raises(ValueError, match="split should be one of train, valid, test, got 'val'"):
        read_celeba(celeba, split="val")


def test_celeba_without_or_with_wrong_lists(celeba):
    attributes = celeba / "celeba/list_attr_celeba.txt"
    for text, message in (
        ("3\nBald\n000001.jpg 1\n", "should name every image, got none for 000002.jpg"),
        ("3\nBald\n000001.jpg 1\n000002.jpg 2\n000003.jpg 1\n", "-1 or 1 for each attribute"),
        ("3\nBald\n000001.jpg 1\n000002.jpg x\n000003.jpg 1\n", "whole numbers per image"),
        ("3\nBald\n000001.jpg 1 1\n000002.jpg 1 1\n000003.jpg 1 1\n", "1 whole numbers per image, got 2"),
    ):
        attributes.write_text(text)
        with pytest.raises(ValueError, match=message):
            read_celeba(celeba)
    attributes.unlink()
    assert read_celeba(celeba).factor_names == ()
    (celeba / "celeba/list_eval_partition.txt").unlink()
    with pytest.raises(FileNotFoundError, match=r"list_eval_partition\.txt not found"):
        read_celeba(celeba, split="train")
    with pytest.raises(FileNotFoundError, match="CelebA not found: expected img_align_celeba"):
        read_celeba(celeba / "celeba/img_align_celeba")
