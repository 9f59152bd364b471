"""Room scenes: geometry against ray marching, colours against the palette, and that every factor shows."""

from __future__ import annotations

import numpy as np
import pytest

from gan_topdis.data import room_scenes
from gan_topdis.data.room_geometry import LIGHT, SHAPES, coefficient_maps
from gan_topdis.data.room_scenes import AZIMUTHS, FACTOR_NAMES, FACTOR_SIZES, PALETTE, SIZES

SIDE = 32


def signed_distance(points: np.ndarray, shape: str, s: float) -> np.ndarray:
    """To the surface of an object: negative inside; a second description of the four shapes."""
    x, y, z = np.moveaxis(points, -1, 0)
    if shape == "cube":
        return np.maximum.reduce([np.abs(x), np.abs(y), np.abs(z - s / 2)]) - s / 2
    if shape == "cylinder":
        return np.maximum(np.hypot(x, y) - 0.5 * s, np.abs(z - s / 2) - s / 2)
    if shape == "sphere":
        return np.sqrt(x**2 + y**2 + (z - 0.6 * s) ** 2) - 0.6 * s
    r = 0.38 * s
    return np.sqrt(x**2 + y**2 + (z - z.clip(r, 1.3 * s - r)) ** 2) - r


def rays(azimuth: float) -> tuple[np.ndarray, np.ndarray]:
    """Camera at distance 3.5 and height 1.8 looking at (0, 0, .5), 40 degrees; by a rotation matrix."""
    az, pitch = np.radians(azimuth), np.arctan2(1.3, 3.5)
    steps = ((np.arange(SIDE) + 0.5) / SIDE * 2 - 1) * np.tan(np.radians(20))
    across, down = np.meshgrid(steps, steps)
    # camera axes: x right, y forward, z up; then tilt down and turn around z
    forward = np.cos(pitch) - down * np.sin(pitch)
    upward = -np.sin(pitch) - down * np.cos(pitch)
    direction = np.stack([across, forward, upward], axis=-1)
    turn = np.array([[np.cos(az), -np.sin(az), 0], [np.sin(az), np.cos(az), 0], [0, 0, 1]])
    direction = direction @ turn.T
    origin = np.array([3.5 * np.sin(az), -3.5 * np.cos(az), 1.8])
    return origin, direction / np.linalg.norm(direction, axis=-1, keepdims=True)


@pytest.mark.parametrize("shape", range(4))
@pytest.mark.parametrize(("size", "azimuth"), [(0.75, -30.0), (1.25, 17.0)])
def test_objects_agree_with_ray_marching(shape, size, azimuth):
    """Same silhouette, and the same shade where the surface is smooth: normals from finite differences."""
    f, w, o, s = coefficient_maps(size, shape, azimuth, SIDE, 1)
    origin, direction = rays(azimuth)
    reach = np.full((SIDE, SIDE), 1.0)
    for _ in range(150):  # sphere tracing: no step passes the surface
        reach += signed_distance(origin + reach[..., None] * direction, SHAPES[shape], size)
    points = origin + reach[..., None] * direction
    hit = np.abs(signed_distance(points, SHAPES[shape], size)) < 1e-3
    assert (hit != (o > 0)).mean() < 0.01  # rays that graze the outline
    assert 0.05 < hit.mean() < 0.38  # published: 7 to 37 %, outlines included
    moves = 1e-4 * np.eye(3)
    gradient = np.stack(
        [
            signed_distance(points + move, SHAPES[shape], size)
            - signed_distance(points - move, SHAPES[shape], size)
            for move in moves
        ],
        axis=-1,
    )
    normal = gradient / np.linalg.norm(gradient, axis=-1, keepdims=True).clip(1e-9)
    halfway = LIGHT - direction
    halfway /= np.linalg.norm(halfway, axis=-1, keepdims=True)
    both = hit & (o > 0)
    shade = 0.55 + 0.45 * (normal @ LIGHT).clip(0)
    highlight = 0.35 * (normal * halfway).sum(axis=-1).clip(0) ** 24
    for expected, found in ((shade, o), (highlight, s)):
        # a few pixels lie on an edge, where the finite difference mixes two faces
        assert (np.abs(expected - found)[both] < 1e-2).mean() > 0.97
    assert np.array_equal((f > 0).astype(int) + (w > 0) + (o > 0), np.ones((SIDE, SIDE)))


def test_a_corner_is_always_in_view():
    """Two walls of different shade at every azimuth, so that it shows with any shape."""
    for azimuth in AZIMUTHS:
        wall = coefficient_maps(0.75, 2, float(azimuth), SIDE, 1)[1]
        assert len(np.unique(wall[wall > 0].round(6))) == 2


def test_objects_keep_clear_of_the_frame():
    for shape in range(4):
        for azimuth in (-30.0, 0.0, 30.0):
            o = coefficient_maps(1.25, shape, azimuth, SIDE, 1)[2]
            assert not (o[0].any() or o[-1].any() or o[:, 0].any() or o[:, -1].any())


def test_floor_is_darker_below_the_object():
    f = coefficient_maps(1.0, 2, 0.0, SIDE, 4)[0]
    assert f[-1].min() > 0.9  # .55 + .45 * .8 / |light| = .92 in the open
    assert f[24, SIDE // 2] < 0.7 * f[-1, 0]


@pytest.fixture(scope="module")
def full():
    return room_scenes(resolution=32)


def rows(factors) -> np.ndarray:
    return np.ravel_multi_index(np.asarray(factors).T, FACTOR_SIZES)


def test_an_image_is_the_weighted_sum_of_its_colours(full):
    image = full.images[int(rows([(1, 4, 7, 2, 3, 9)])[0])]
    f, w, o, s = coefficient_maps(float(SIZES[2]), 3, float(AZIMUTHS[9]), 32, 4)
    for channel in range(3):
        light = PALETTE[1, channel] * f + PALETTE[4, channel] * w + PALETTE[7, channel] * o + s
        assert np.abs(image[channel] - 255 * light.clip(0, 1)).max() <= 0.5 + 1e-3  # rounding to bytes


def test_palette():
    """HSV(h, .8, .95): the largest channel is .95, the smallest a fifth of it."""
    assert np.allclose(PALETTE.max(axis=1), 0.95)
    assert np.allclose(PALETTE.min(axis=1), 0.19)
    assert np.allclose(PALETTE[0], (0.95, 0.19, 0.19))
    assert len(np.unique(PALETTE.round(3), axis=0)) == 10


def test_edges_are_antialiased(full):
    """Colours between object and wall occur, which one ray per pixel cannot make."""
    o = coefficient_maps(1.0, 2, 0.0, 32, 4)[2]
    aliased = coefficient_maps(1.0, 2, 0.0, 32, 1)[2]
    assert ((o > 0) & (o < 0.5)).sum() > 20
    assert ((aliased > 0) & (aliased < 0.5)).sum() == 0


# Smallest and median differences of neighbouring values in grey levels, published with the design
@pytest.mark.parametrize(
    ("factor", "smallest", "median"),
    [(0, 13, 18), (1, 4.8, 7), (2, 1.6, 4.4), (3, 0.9, 3.1), (4, 1.2, 5.6), (5, 0.6, 1.3)],
)
def test_every_factor_shows(full, factor, smallest, median):
    rng = np.random.default_rng(factor)
    values = rng.integers(FACTOR_SIZES, size=(40, 6))
    values[:, factor] = rng.integers(FACTOR_SIZES[factor] - 1, size=40)
    neighbours = values + (np.arange(6) == factor)
    one, other = full.images[rows(values)], full.images[rows(neighbours)]
    change = np.abs(one.astype(float) - other).mean(axis=(1, 2, 3))
    # 40 pairs of many: the median moves by a quarter; some minima were taken at 64 pixels
    assert np.median(change) == pytest.approx(median, rel=0.25)
    assert change.min() > 0.6 * smallest


def test_data_set(full):
    assert full.images.shape == (480_000, 3, 32, 32)
    assert full.factor_names == FACTOR_NAMES
    assert full.factor_sizes == FACTOR_SIZES
    batch = full.batch([0, 479_999])
    assert 0 <= batch.min() < 0.2
    assert 0.9 < batch.max() <= 1
    assert room_scenes().images.shape == (480_000, 3, 64, 64)


def test_thinned_grid_keeps_the_images_of_the_full_one(full):
    thin = room_scenes(resolution=32, every=(5, 5, 5, 4, 2, 7))
    assert thin.factor_sizes == (2, 2, 2, 2, 2, 3)
    row = int(np.ravel_multi_index((1, 0, 1, 1, 1, 2), thin.factor_sizes))
    assert np.array_equal(thin.images[row], full.images[int(rows([(5, 0, 5, 4, 2, 14)])[0])])
    everything = thin.in_memory().images.reshape(len(thin), -1)
    assert len(np.unique(everything, axis=0)) == len(thin)


def test_other_resolutions_are_refused():
    with pytest.raises(ValueError, match="resolution should be 32 or 64 pixels, got 48"):
        room_scenes(resolution=48)
