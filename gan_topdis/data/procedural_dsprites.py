"""Procedural dSprites: white squares, ellipses and hearts on black, drawn from five factors.

A stand-in for dSprites (Matthey et al., 2017) that needs no file, fitted to 100 of its images: mean
intersection over union .983. It is not dSprites: zero angle, sense of rotation and sign of y are our
convention. Orientation is only partly visible (squares and ellipses repeat, value 39 is value 0), so no
encoder reaches a full MIG on it.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from jaxtyping import Bool, Float, Int, UInt8

from gan_topdis.data.factor_grid import grid_factors, grid_size, thinned_values
from gan_topdis.data.labelled_images import LabelledImages, on_grid
from gan_topdis.data.lazy_images import LazyImages

FACTOR_NAMES = ("shape", "scale", "orientation", "x", "y")
FACTOR_SIZES = (3, 6, 40, 32, 32)
SHAPES = ("square", "ellipse", "heart")
FRAME = 64
"""Side of the frame, in which all lengths below are given; pixel centres at 0 .. 63."""

# Fitted to images of the real set; lengths at scale 1
HALF_SIDE = 9.6
HALF_AXES = (7.2, 12.8)
LOBE_CENTRE = (4.68, -4.10)
LOBE_RADIUS = 5.01
TIP = 8.94
"""Where the two sides of the heart meet, on its axis."""
SIDE_NORMAL = (0.7554, 0.6553)
"""Of the right side: the half angle at the tip is 40.9 degrees."""
LOBE_END = -0.817
"""Where lobe and side touch."""
# Images drawn together: 64 MB of float64 in each of a few arrays at 64 pixels
_AT_ONCE = 512


def procedural_dsprites(*, resolution: int = FRAME, every: Sequence[int] = (1, 1, 1, 1, 1)) -> LabelledImages:
    """Binary images 1 x resolution x resolution of {0, 1}, drawn on access.

    Args:
        resolution: pixels, 1 to 64; below 64 the same frame is sampled at the centres of fewer pixels,
            without antialiasing.
        every: step through the values of each factor: (1, 1, 4, 2, 2) keeps every 4th orientation and every
            2nd position, 46,080 images of 737,280.

    Returns:
        Shape (square, ellipse, heart), scale (.5 to 1 in 6), orientation (40 over the full turn, both ends
        included), x and y (32 each, a quarter to three quarters of the frame). `white` is 1.

    Raises:
        ValueError: resolution or steps out of range.
    """
    if not 1 <= resolution <= FRAME:
        raise ValueError(f"resolution should be in 1 .. {FRAME} pixels, got {resolution}")
    values = thinned_values(FACTOR_SIZES, every)
    sizes = tuple(map(len, values))
    name = f"procedural dSprites {resolution} px"
    if max(every) > 1:
        name += f", every {', '.join(map(str, every))}"
    return on_grid(_Sprites(values, resolution), FACTOR_NAMES, sizes, name, white=1)


def draw_sprites(
    factors: Int[np.ndarray, "m 5"], resolution: int = FRAME
) -> UInt8[np.ndarray, "m 1 resolution resolution"]:
    """Images of {0, 1}: 1 where the centre of a pixel lies inside the sprite.

    Args:
        factors: shape, scale, orientation, x and y as numbers of their values in the full grid.
        resolution: pixels.
    """
    images = np.zeros((len(factors), 1, resolution, resolution), dtype=np.uint8)
    for kind, inside in enumerate((_in_square, _in_ellipse, _in_heart)):
        (places,) = np.nonzero(factors[:, 0] == kind)
        for first in range(0, len(places), _AT_ONCE):
            some = places[first : first + _AT_ONCE]
            images[some, 0] = inside(*_local_coordinates(factors[some], resolution))
    return images


def _local_coordinates(
    factors: Int[np.ndarray, "m 5"], resolution: int
) -> tuple[Float[np.ndarray, "m h w"], Float[np.ndarray, "m h w"]]:
    """Pixel centres in the coordinates of each sprite: (a, b), turned and scaled back."""
    centres = (np.arange(resolution) + 0.5) * (FRAME / resolution) - 0.5  # 0 .. 63 at 64 pixels
    _, scale, orientation, x, y = factors.T
    size = 0.5 + 0.1 * scale
    angle = 2 * np.pi * (orientation % 39) / 39  # value 39 is the full turn
    cosine, sine = np.cos(angle) / size, np.sin(angle) / size
    right = centres - (15.5 + 32 * x / 31)[:, None]  # (m, w)
    down = centres - (15.5 + 32 * y / 31)[:, None]  # (m, h)
    a = (cosine[:, None] * right)[:, None, :] + (sine[:, None] * down)[:, :, None]
    b = -(sine[:, None] * right)[:, None, :] + (cosine[:, None] * down)[:, :, None]
    return a, b


def _in_square(a: Float[np.ndarray, "m h w"], b: Float[np.ndarray, "m h w"]) -> Bool[np.ndarray, "m h w"]:
    return (np.abs(a) < HALF_SIDE) & (np.abs(b) < HALF_SIDE)


def _in_ellipse(a: Float[np.ndarray, "m h w"], b: Float[np.ndarray, "m h w"]) -> Bool[np.ndarray, "m h w"]:
    return (a / HALF_AXES[0]) ** 2 + (b / HALF_AXES[1]) ** 2 < 1


def _in_heart(a: Float[np.ndarray, "m h w"], b: Float[np.ndarray, "m h w"]) -> Bool[np.ndarray, "m h w"]:
    u = np.abs(a)
    lobes = (u - LOBE_CENTRE[0]) ** 2 + (b - LOBE_CENTRE[1]) ** 2 < LOBE_RADIUS**2
    wedge = (b > LOBE_END) & (SIDE_NORMAL[0] * u + SIDE_NORMAL[1] * (b - TIP) < 0)
    between = (LOBE_CENTRE[1] < b) & (b <= LOBE_END) & (u < LOBE_CENTRE[0])
    return lobes | wedge | between


class _Sprites(LazyImages):
    """Images of a thinned grid."""

    def __init__(self, values: tuple[Int[np.ndarray, " _"], ...], resolution: int) -> None:
        self._values = values
        self._sizes = tuple(map(len, values))
        super().__init__((grid_size(self._sizes), 1, resolution, resolution))

    def _rows(self, rows: Int[np.ndarray, " m"]) -> UInt8[np.ndarray, "m 1 h w"]:
        numbers = grid_factors(self._sizes, rows)  # (m, 5) into the kept values
        factors = np.stack(
            [kept[column] for kept, column in zip(self._values, numbers.T, strict=True)], axis=1
        )
        return draw_sprites(factors, self.shape[-1])
