"""MPI3D in its four versions, from the user's copy of a file.

Source: Gondal et al., On the Transfer of Inductive Bias from Simulation to the Real World: a New
    Disentanglement Dataset, arXiv:1906.03292.
"""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

from gan_topdis.data.data_file import FileLayout, StrPath, locate_file, open_images
from gan_topdis.data.labelled_images import LabelledImages, on_grid

FACTOR_NAMES = ("colour", "shape", "size", "camera height", "background", "axis 1", "axis 2")
FACTOR_SIZES = (6, 6, 2, 3, 3, 40, 40)
"""Of toy, realistic and real, 1,036,800 images."""
COMPLEX_SIZES = (4, 4, 2, 3, 3, 40, 40)
"""Of the complex shapes (the MPI3D of TopDis), and of toy without held-out factors; 460,800 images."""
LAYOUT = FileLayout(
    name="MPI3D",
    files=(
        "mpi3d_toy.npz",
        "mpi3d_realistic.npz",
        "mpi3d_real.npz",
        "real3d_complicated_shapes_ordered.npz",
        "sim_toy_64x_ordered_without_heldout_factors.npz",
    ),
    key="images",
    image_shape=(64, 64, 3),
    sizes=(FACTOR_SIZES, COMPLEX_SIZES),
    folders=("mpi3d_toy", "mpi3d_realistic", "mpi3d_real"),
    instead="room_scenes() needs no file",
)


def read_mpi3d(path: StrPath, *, factor_sizes: tuple[int, ...] | None = None) -> LabelledImages:
    """Images 3 x 64 x 64 with seven factors; the number of images tells which sizes they have.

    The versions differ in difficulty, so that scores compare within one only: the name of the file is part
    of the data set's name. An `.npz` takes 12.7 GB of memory (complex: 5.7 GB);
    `extract_npy(path, "images", "mpi3d.npy")` once makes a file that is mapped instead.

    Args:
        path: the file (`.npz`, or `.npy` of `images`), or a folder that holds exactly one of the published
            names.
        factor_sizes: of another copy with the same layout, e.g. a thinned one.

    Raises:
        FileNotFoundError: it is not there.
        ValueError: key, shape or type are not those of MPI3D, or a folder holds several versions.
    """
    layout = LAYOUT if factor_sizes is None else replace(LAYOUT, sizes=(factor_sizes,))
    file = locate_file(layout, path)
    versions = [name for name in LAYOUT.files if (Path(path) / name).is_file()]  # none where path is a file
    if len(versions) > 1:
        raise ValueError(f"{path} should hold one version of MPI3D, got {', '.join(versions)}; name the file")
    images, sizes = open_images(layout, file)
    return on_grid(images, FACTOR_NAMES, sizes, f"{LAYOUT.name} ({file.stem})")
