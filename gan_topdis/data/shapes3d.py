"""3D Shapes from the user's copy of the file.

Source: Burgess and Kim, 3D Shapes Dataset, 2018 (github.com/google-deepmind/3d-shapes).
"""

from __future__ import annotations

from dataclasses import replace

import numpy as np

from gan_topdis.data.data_file import FileLayout, StrPath, locate_file, open_images, read_small_array
from gan_topdis.data.factor_grid import grid_factors
from gan_topdis.data.labelled_images import LabelledImages, on_grid

FACTOR_NAMES = ("floor hue", "wall hue", "object hue", "scale", "shape", "azimuth")
FACTOR_SIZES = (10, 10, 10, 8, 4, 15)
LAYOUT = FileLayout(
    name="3D Shapes",
    files=(
        "3dshapes.h5",
        "3dshapes_imgs.npy",
        "look-at-object-room_floor-hueXwall-hueXobj-hueXobj-sizeXobj-shapeXview-azi.npz",
    ),
    key="images",
    image_shape=(64, 64, 3),
    sizes=(FACTOR_SIZES,),
    folders=("3dshapes",),
    instead="room_scenes() has the same factors and needs no file",
)


def read_shapes3d(
    path: StrPath | None = None, *, factor_sizes: tuple[int, ...] = FACTOR_SIZES
) -> LabelledImages:
    """Images 3 x 64 x 64 with hues of floor, wall and object, scale, shape and azimuth.

    Args:
        path: the file (`.h5`, read row by row; `.npy` of the images, mapped; disentanglement_lib's `.npz`,
            5.9 GB in memory) or its folder; see `locate_file`.
        factor_sizes: of another copy with the same layout, e.g. a thinned one.

    Raises:
        FileNotFoundError: it is not there.
        ModuleNotFoundError: an `.h5` without h5py, which the extra `data` brings.
        ValueError: keys, shapes, types or labels are not those of 3D Shapes.
    """
    layout = replace(LAYOUT, sizes=(factor_sizes,))
    file = locate_file(layout, path)
    images, _ = open_images(layout, file)
    labels = read_small_array(file, "labels", (len(images), len(factor_sizes)))
    if labels is not None:
        ranks = np.stack([np.unique(column, return_inverse=True)[1] for column in labels.T], axis=1)
        if not np.array_equal(ranks, grid_factors(factor_sizes)):
            raise ValueError(f"{file}: labels should be the grid of {factor_sizes}, last factor fastest")
    return on_grid(images, FACTOR_NAMES, factor_sizes, LAYOUT.name)
