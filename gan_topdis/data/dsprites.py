"""dSprites from the user's copy of the file.

Source: Matthey et al., dSprites: Disentanglement testing Sprites dataset, 2017
    (github.com/google-deepmind/dsprites-dataset).
"""

from __future__ import annotations

from dataclasses import replace

import numpy as np

from gan_topdis.data.data_file import FileLayout, StrPath, locate_file, open_images, read_small_array
from gan_topdis.data.factor_grid import grid_factors
from gan_topdis.data.labelled_images import LabelledImages, on_grid

FACTOR_NAMES = ("shape", "scale", "orientation", "x", "y")
FACTOR_SIZES = (3, 6, 40, 32, 32)
LAYOUT = FileLayout(
    name="dSprites",
    files=(
        "dsprites_ndarray_co1sh3sc6or40x32y32_64x64.npz",
        "dsprites_ndarray_co1sh3sc6or40x32y32_64x64.hdf5",
        "dsprite_train.npz",
    ),
    key="imgs",
    image_shape=(64, 64),
    sizes=(FACTOR_SIZES,),
    folders=("dsprites",),
    instead="procedural_dsprites() needs no file",
)
_LOOKED_AT = 512


def read_dsprites(
    path: StrPath | None = None, *, factor_sizes: tuple[int, ...] = FACTOR_SIZES
) -> LabelledImages:
    """Binary images 1 x 64 x 64 of {0, 1} with shape, scale, orientation, x and y.

    Colour, a factor of one value, is left out. The published `.npz` takes 3.0 GB of memory;
    `extract_npy(path, "imgs", "dsprites.npy")` once makes a file that is mapped instead. The key `metadata`,
    a pickle, is never touched.

    Args:
        path: the file (`.npz`, `.hdf5`, or `.npy` of `imgs`) or its folder; see `locate_file`.
        factor_sizes: of another copy with the same layout, e.g. a thinned one.

    Raises:
        FileNotFoundError: it is not there.
        ValueError: keys, shapes, types, values or labels are not those of dSprites.
    """
    layout = replace(LAYOUT, sizes=(factor_sizes,))
    file = locate_file(layout, path)
    images, _ = open_images(layout, file)
    largest = int(images[:: max(1, len(images) // _LOOKED_AT)].max())
    if largest != 1:
        raise ValueError(f"{file}: {LAYOUT.key} should be 0 and 1, got values up to {largest}")
    classes = read_small_array(file, "latents_classes", (len(images), 1 + len(factor_sizes)))
    if classes is not None and not np.array_equal(classes[:, 1:], grid_factors(factor_sizes)):
        raise ValueError(f"{file}: latents_classes should be the grid of {factor_sizes}, last factor fastest")
    return on_grid(images, FACTOR_NAMES, factor_sizes, LAYOUT.name, white=1)
