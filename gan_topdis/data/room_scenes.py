"""Room scenes: one coloured object in a room, six factors with the sizes and the order of 3D Shapes.

A set of our own design that needs no file; not 3D Shapes (Burgess and Kim, 2018), whose factors it borrows.
"""

from __future__ import annotations

import colorsys
from collections.abc import Sequence

import numpy as np
from jaxtyping import Float, Int, UInt8

from gan_topdis.data.factor_grid import grid_factors, grid_size, thinned_values
from gan_topdis.data.labelled_images import LabelledImages, on_grid
from gan_topdis.data.lazy_images import LazyImages
from gan_topdis.data.room_geometry import coefficient_maps

FACTOR_NAMES = ("floor hue", "wall hue", "object hue", "scale", "shape", "azimuth")
FACTOR_SIZES = (10, 10, 10, 8, 4, 15)
SUPERSAMPLING = {32: 4, 64: 3}
"""Rays along each side of a pixel, by resolution."""
SATURATION, VALUE = 0.8, 0.95
PALETTE: Float[np.ndarray, "10 3"] = np.array(
    [colorsys.hsv_to_rgb(hue / 10, SATURATION, VALUE) for hue in range(10)], dtype=np.float32
)
"""RGB of the hues 0, .1 .. .9, which floor, wall and object share."""
SIZES = np.linspace(0.75, 1.25, 8)
AZIMUTHS = np.linspace(-30.0, 30.0, 15)
"""Degrees."""


def room_scenes(*, resolution: int = 64, every: Sequence[int] = (1, 1, 1, 1, 1, 1)) -> LabelledImages:
    """Colour images 3 x resolution x resolution, antialiased, made on access.

    The first image of each geometry (size, shape and camera; 480 of them) takes some 10 ms; it is kept
    (4 float32 maps, 31 MB in all at 64 pixels), and others of it are weighted sums.

    Args:
        resolution: 32 or 64 pixels.
        every: step through the values of each factor: (2, 2, 2, 2, 1, 3) keeps 10,000 images of 480,000.

    Returns:
        Hues of floor, wall and object (10 each), size of the object (.75 to 1.25 in 8), shape (cube,
        cylinder, sphere, capsule) and azimuth of the camera (-30 to 30 degrees in 15).

    Raises:
        ValueError: another resolution, or steps out of range.
    """
    if resolution not in SUPERSAMPLING:
        raise ValueError(f"resolution should be 32 or 64 pixels, got {resolution}")
    values = thinned_values(FACTOR_SIZES, every)
    name = f"room scenes {resolution} px"
    if max(every) > 1:
        name += f", every {', '.join(map(str, every))}"
    return on_grid(_Rooms(values, resolution), FACTOR_NAMES, tuple(map(len, values)), name)


class _Rooms(LazyImages):
    """Images of a thinned grid, with the geometries that were traced so far."""

    def __init__(self, values: tuple[Int[np.ndarray, " _"], ...], resolution: int) -> None:
        self._values = values
        self._sizes = tuple(map(len, values))
        self._maps: dict[tuple[int, int, int], Float[np.ndarray, "4 h w"]] = {}
        super().__init__((grid_size(self._sizes), 3, resolution, resolution))

    def _rows(self, rows: Int[np.ndarray, " m"]) -> UInt8[np.ndarray, "m 3 h w"]:
        numbers = grid_factors(self._sizes, rows)  # (m, 6) into the kept values
        factors = np.stack(
            [kept[column] for kept, column in zip(self._values, numbers.T, strict=True)], axis=1
        )
        maps = [self._geometry(*geometry) for geometry in factors[:, 3:].tolist()]
        images = np.empty((len(rows), *self.shape[1:]), dtype=np.uint8)
        for image, parts, hues in zip(images, maps, factors[:, :3], strict=True):
            colours = np.vstack(
                [PALETTE[hues], np.ones((1, 3), np.float32)]
            )  # (4, 3) the last is white light
            light = np.tensordot(colours, parts, axes=(0, 0))  # (3, h, w)
            image[:] = np.rint(255 * light.clip(0, 1))
        return images

    def _geometry(self, scale: int, shape: int, azimuth: int) -> Float[np.ndarray, "4 h w"]:
        key = (scale, shape, azimuth)
        if key not in self._maps:
            resolution = self.shape[-1]
            traced = coefficient_maps(
                float(SIZES[scale]), shape, float(AZIMUTHS[azimuth]), resolution, SUPERSAMPLING[resolution]
            )
            self._maps[key] = traced.astype(np.float32)
        return self._maps[key]
