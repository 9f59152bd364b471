"""Rounding and modes of pictures."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from PIL import Image

from gan_topdis.report import require_picture_channels, thumbnails, to_picture, to_pixels
from gan_topdis.report.picture import fitted


@pytest.mark.parametrize(
    ("value", "pixel"),
    # 127.5 x + 128, fractions cut off, as NVIDIA's generate.py; its projector would give 127 for 0
    [(-1.0, 0), (-0.999, 0), (-0.99, 1), (0.0, 128), (0.003, 128), (0.004, 128), (0.008, 129), (1.0, 255)],
)
def test_values_become_grey_levels(value, pixel):
    assert to_pixels(np.full((1, 2, 2), value, dtype=np.float32)).tolist() == [[[pixel]] * 2] * 2


def test_values_beyond_the_range_are_clamped():
    pixels = to_pixels(np.array([-7.0, 1.1, np.inf, -np.inf], dtype=np.float32).reshape(1, 2, 2))
    assert pixels.ravel().tolist() == [0, 255, 255, 0]


def test_agrees_with_the_tensor_formula_on_many_values():
    images = torch.linspace(-1.2, 1.2, 3 * 40 * 50).reshape(1, 3, 40, 50)
    expected = (images * 127.5 + 128).clamp(0, 255).to(torch.uint8).permute(0, 2, 3, 1)
    assert np.array_equal(to_pixels(images), expected.numpy())


@pytest.mark.parametrize(("channels", "mode"), [(1, "L"), (3, "RGB"), (4, "RGBA")])
def test_mode_by_channels(channels, mode):
    image = np.zeros((channels, 2, 5), dtype=np.float32)
    image[-1, 1, 4] = 1.0
    picture = to_picture(to_pixels(image))
    assert (picture.mode, picture.size) == (mode, (5, 2))
    corner = picture.getpixel((4, 1))
    assert corner == (255 if channels == 1 else (*[128] * (channels - 1), 255))


@pytest.mark.parametrize("channels", [0, 2, 5])
def test_other_channels_are_refused(channels):
    with pytest.raises(ValueError) as error:
        require_picture_channels(channels)
    assert str(error.value) == f"pictures should have 1 (grey), 3 (RGB) or 4 (RGBA) channels, got {channels}"


def test_nan_is_refused():
    with pytest.raises(ValueError, match="images should be numbers, got NaN: the generator diverges"):
        to_pixels(np.full((3, 2, 2), np.nan))


def test_small_pictures_grow_by_a_whole_factor():
    picture = Image.fromarray(np.array([[0, 255], [255, 0]], dtype=np.uint8))
    grown = fitted(picture, smallest=7, largest=100)
    assert grown.size == (8, 8)
    assert np.array_equal(np.asarray(grown), np.kron([[0, 255], [255, 0]], np.ones((4, 4))))


def test_growth_stays_below_the_largest_size():
    assert fitted(Image.new("L", (90, 60)), smallest=100, largest=120).size == (90, 60)


def test_large_pictures_are_averaged():
    pixels = np.zeros((2, 8, 16, 1), dtype=np.uint8)
    pixels[:, :, ::2] = 200
    small = thumbnails(pixels, 8)
    assert small.shape == (2, 4, 8, 1) and np.unique(small).tolist() == [100]


def test_thumbnails_of_small_pictures_are_the_pictures():
    pixels = np.zeros((2, 8, 8, 3), dtype=np.uint8)
    assert thumbnails(pixels, 8) is pixels


def test_a_tensor_with_a_graph_is_pixels_too():
    """As on a GPU, numpy refuses such a tensor by itself."""
    images = torch.zeros(1, 2, 2).requires_grad_()
    with pytest.raises(RuntimeError):
        np.asarray(images)
    assert (to_pixels(images) == 128).all()
