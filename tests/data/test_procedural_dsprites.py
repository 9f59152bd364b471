"""Procedural dSprites: the calibration of the real set's stand-in, against formulas and published counts."""

from __future__ import annotations

from math import cos, pi, sin

import golden_sprites
import numpy as np
import pytest
import torch

from gan_topdis.data import procedural_dsprites
from gan_topdis.data.factor_grid import grid_factors
from gan_topdis.data.procedural_dsprites import FACTOR_SIZES, draw_sprites

# Some positions, all orientations, full size
POSES = np.array([(5, o, x, y) for o in range(0, 39, 3) for x in range(0, 32, 6) for y in range(0, 32, 6)])


def of_shape(shape: int, poses: np.ndarray = POSES) -> np.ndarray:
    return np.insert(poses, 0, shape, axis=1)


def pixel(shape: int, scale: int, orientation: int, x: int, y: int, column: int, line: int) -> bool:
    """One pixel, written out a second time from the calibration."""
    s, t = 0.5 + 0.1 * scale, 2 * pi * (orientation % 39) / 39
    right, down = column - (15.5 + 32 * x / 31), line - (15.5 + 32 * y / 31)
    a, b = (cos(t) * right + sin(t) * down) / s, (-sin(t) * right + cos(t) * down) / s
    if shape == 0:
        return max(abs(a), abs(b)) < 9.6
    if shape == 1:
        return (a / 7.2) ** 2 + (b / 12.8) ** 2 < 1
    u = abs(a)
    if (u - 4.68) ** 2 + (b + 4.10) ** 2 < 5.01**2:
        return True
    if b > -0.817:
        return 0.7554 * u + 0.6553 * (b - 8.94) < 0
    return b > -4.10 and u < 4.68


@pytest.mark.parametrize("factors", [(0, 2, 7, 3, 30), (1, 5, 11, 31, 0), (2, 5, 3, 16, 9), (2, 0, 30, 1, 1)])
def test_every_pixel_is_the_formula(factors):
    image = draw_sprites(np.array([factors]))[0, 0]
    expected = [[pixel(*factors, column, line) for column in range(64)] for line in range(64)]
    assert np.array_equal(image, np.array(expected, dtype=np.uint8))


@pytest.mark.parametrize(("shape", "area"), [(0, 369), (1, 290), (2, 222)])
def test_areas(shape, area):
    """Calibrated to a pixel; the mean over poses is the area itself up to some hundredths."""
    assert draw_sprites(of_shape(shape)).sum(axis=(1, 2, 3)).mean() == pytest.approx(area, abs=0.5)


@pytest.mark.parametrize(("shape", "smallest", "all_scales"), [(0, 32, 213), (1, 36, 231), (2, 39, 234)])
def test_distinct_orientations(shape, smallest, all_scales):
    """As counted in the calibration: 40 orientations at scale .5, and 240 with all scales, in the middle."""
    images = draw_sprites(np.array([(shape, s, o, 16, 16) for s in range(6) for o in range(40)]))
    images = images.reshape(6, 40, -1)
    assert len(np.unique(images[0], axis=0)) == smallest
    assert len(np.unique(images.reshape(240, -1), axis=0)) == all_scales


def test_the_last_orientation_is_the_first():
    first, last = draw_sprites(np.array([(2, 5, 0, 16, 16), (2, 5, 39, 16, 16)]))
    assert np.array_equal(first, last)
    assert not np.array_equal(first, draw_sprites(np.array([(2, 5, 38, 16, 16)]))[0])


@pytest.mark.parametrize(
    ("factors", "box"),
    [
        # centre 15.5: a square of half side 9.6 covers the centres 6 .. 25
        ((0, 5, 0, 0, 0), (6, 25, 6, 25)),
        # half axes 7.2 and 12.8 around 47.5 (no pixel centre lies on an axis: 12.8 reaches 12.5 nearly)
        ((1, 5, 0, 31, 31), (41, 54, 35, 60)),
        # half of the square: 4.8
        ((0, 0, 0, 31, 0), (43, 52, 11, 20)),
    ],
)
def test_bounding_boxes(factors, box):
    lines, columns = np.nonzero(draw_sprites(np.array([factors]))[0, 0])
    assert (columns.min(), columns.max(), lines.min(), lines.max()) == box


def test_no_sprite_touches_the_border():
    corners = [(s, 5, o, x, y) for s in range(3) for o in range(40) for x in (0, 31) for y in (0, 31)]
    images = draw_sprites(np.array(corners))[:, 0]
    assert not images[:, [0, -1]].any()
    assert not images[:, :, [0, -1]].any()


def test_heart_points_down_and_lies_off_its_centre():
    """Centroid 2.0 s from the centre, away from the tip."""
    image = draw_sprites(np.array([(2, 5, 0, 16, 16)]))[0, 0]
    lines, columns = np.nonzero(image)
    centre = 15.5 + 32 * 16 / 31
    assert lines.mean() == pytest.approx(centre - 2.0, abs=0.25)  # half a pixel of sampling, averaged
    assert columns.mean() == pytest.approx(centre, abs=0.25)
    assert lines.max() == int(centre + 8.94)


def test_golden_strip():
    assert golden_sprites.as_text() == golden_sprites.FILE.read_text()


def test_data_set():
    full = procedural_dsprites()
    assert full.images.shape == (737_280, 1, 64, 64)
    assert full.factor_sizes == FACTOR_SIZES
    assert full.name == "procedural dSprites 64 px"
    rows = np.array([0, 737_279, 400_000])
    images = full.images[rows]
    assert images.dtype == np.uint8
    assert set(np.unique(images)) == {0, 1}
    assert np.array_equal(images, draw_sprites(grid_factors(FACTOR_SIZES, rows)))
    assert set(np.unique(full.batch(rows))) == {0.0, 1.0}


def test_thinned_grid_keeps_the_images_of_the_full_one():
    thin = procedural_dsprites(every=(1, 2, 8, 16, 31))
    assert thin.factor_sizes == (3, 3, 5, 2, 2)
    assert "every 1, 2, 8, 16, 31" in thin.name
    row = int(np.ravel_multi_index((2, 1, 3, 1, 0), thin.factor_sizes))
    assert np.array_equal(thin.images[row], draw_sprites(np.array([(2, 2, 24, 16, 0)]))[0])
    assert torch.equal(thin.in_memory().batch([row]), thin.batch([row]))


def test_a_smaller_frame_shows_the_same():
    """Every second centre lies between two of the full frame: areas agree up to the pixels of the outline."""
    full, half = draw_sprites(of_shape(0)), draw_sprites(of_shape(0), 32)
    assert half.shape[1:] == (1, 32, 32)
    assert 4 * half.sum(axis=(1, 2, 3)).mean() == pytest.approx(full.sum(axis=(1, 2, 3)).mean(), rel=0.01)
    overlap = full.reshape(-1, 32, 2, 32, 2).mean(axis=(2, 4)) > 0.5
    assert (overlap == half[:, 0]).mean() > 0.99


@pytest.mark.parametrize("resolution", [0, 65])
def test_resolution_out_of_range(resolution):
    with pytest.raises(ValueError, match=f"resolution should be in 1 .. 64 pixels, got {resolution}"):
        procedural_dsprites(resolution=resolution)
