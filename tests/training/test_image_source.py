"""Images from whatever holds them: what is read, what is refused, and how a source is told from another."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import torch
from PIL import Image

from gan_topdis.training import image_source


@pytest.mark.parametrize("kind", ["uint8", "tensor", "grey", "dataset", "tuples", "batch"])
def test_images_are_read_from_anything(kind):
    pixels = np.random.default_rng(0).integers(256, size=(5, 3, 16, 16), dtype=np.uint8)
    expected = torch.from_numpy(pixels).float() / 255

    class Listed:
        def __len__(self):
            return 5

        def __getitem__(self, index):
            return (expected[index], 7) if kind == "tuples" else expected[index]

    class Batched(Listed):
        def batch(self, rows):
            return expected[torch.from_numpy(rows)]

    source = {
        "uint8": lambda: image_source(pixels),
        "tensor": lambda: image_source(expected),
        "grey": lambda: image_source(expected[:, 0]),
        "dataset": lambda: image_source(Listed()),
        "tuples": lambda: image_source(Listed()),
        "batch": lambda: image_source(Batched()),
    }[kind]()
    assert (source.size, source.channels, source.resolution) == (5, 1 if kind == "grey" else 3, 16)
    got = source.batch(np.array([4, 1]))
    assert torch.equal(got, expected[[4, 1]][:, :1] if kind == "grey" else expected[[4, 1]])


@pytest.mark.parametrize(
    ("images", "message"),
    [
        (np.zeros((5, 4)), r"should have shape \(n, C, H, W\)"),
        (np.zeros((0, 1, 16, 16)), "at least one image"),
        (np.full((2, 1, 16, 16), np.nan), "should be finite"),
        (np.full((2, 1, 16, 16), 200.0), r"in \[0, 1\], got 200 to 200"),
        (np.zeros((2, 1, 16, 16), dtype=np.int64), "uint8, or floating point"),
        (np.zeros((2, 1, 16, 20)), "should be square, got 16 x 20"),
        (
            np.zeros((5, 64, 64, 3)),
            r"\(n, 64, 64, 3\): channels come last; .* images.transpose\(0, 3, 1, 2\)",
        ),
        ([torch.zeros(16, 16, 1)], r"\(n, 16, 16, 1\): channels come last"),
        (
            "pictures",
            "the path pictures; a folder of pictures is opened by gan_topdis.data.read_image_folder",
        ),
        (Path("a", "b"), "the path a/b; a folder of pictures is opened by"),
        ([Image.new("RGB", (16, 16))], r"got Image; pictures of PIL become tensors .*PILToTensor\(\)"),
        ([{"image": 1}], r"arrays or tensors \(C, H, W\), got dict"),
    ],
)
def test_images_that_do_not_fit(images, message):
    with pytest.raises((ValueError, TypeError), match=message) as caught:
        image_source(images)
    assert "\n" not in str(caught.value)


def test_images_of_unequal_shapes():
    source = image_source([np.zeros((3, 16, 16)), np.zeros((3, 16, 16)), np.zeros((3, 8, 8))])
    assert source.batch(np.arange(2)).shape == (2, 3, 16, 16)
    with pytest.raises(
        ValueError, match=r"the same shape, got \(3, 16, 16\) and \(3, 8, 8\); crop or resize"
    ):
        source.batch(np.arange(3))


def test_fingerprints_tell_images_apart_whatever_holds_them():
    pixels = np.random.default_rng(0).integers(256, size=(40, 1, 16, 16), dtype=np.uint8)
    floats = pixels / 255
    known = image_source(pixels).fingerprint()
    for same in (floats, floats.astype(np.float32), torch.from_numpy(pixels), pixels[:, 0], list(floats)):
        assert image_source(same).fingerprint() == known
    # as a GPU divides: by the product with 1 / 255, which may be another last bit
    assert image_source(torch.from_numpy(pixels).float() * (1 / 255)).fingerprint() == known
    changed = pixels.copy()
    changed[-1, 0, 5, 5] ^= 1
    for other in (changed, pixels[:39], pixels.reshape(10, 4, 16, 16), pixels[::-1].copy()):
        assert image_source(other).fingerprint() != known
    assert len(image_source(pixels[:3]).fingerprint()) == 64


def test_fingerprints_of_images_that_are_random():
    """Those of two data sets with random flips are alike, and resume: number and size are known."""

    class Noise:
        def __init__(self, size):
            self.size = size

        def __len__(self):
            return self.size

        def __getitem__(self, index):
            return torch.rand(1, 16, 16)

    assert image_source(Noise(20)).fingerprint() == image_source(Noise(20)).fingerprint()
    assert image_source(Noise(20)).fingerprint() != image_source(Noise(21)).fingerprint()
