"""What `--data` names for connectivity autoencoders: sets with splits, and all that other verbs know."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

from gan_topdis.cli.data_set import open_data_set
from gan_topdis.config.train_connectivity import SPLITS

if TYPE_CHECKING:  # importing it would import torch
    from gan_topdis.data import LabelledImages

MULTIPLE = 8
"""Of which pixels the autoencoder takes a multiple, since it halves pictures three times."""
# where each set is looked for below a data folder: unpacked, or as it was downloaded
_PLACES = {
    "cifar10": ("cifar-10-batches-py", "cifar-10-python.tar.gz"),
    "cifar20": ("cifar-100-python", "cifar-100-python.tar.gz"),
    "cifar100": ("cifar-100-python", "cifar-100-python.tar.gz"),
    "tiny-imagenet": ("tiny-imagenet-200",),
    "fashion-mnist": ("train-images-idx3-ubyte.gz", "fashion-mnist"),
}


def open_images(name: str, *, resolution: int, grey: bool) -> LabelledImages:
    """The data set, with a black frame up to a multiple of 8 pixels where it needs one.

    Args:
        name: of `SPLITS`, with `:SPLIT` behind it or not; else what `open_data_set` takes.
        resolution, grey: of folders, of Tiny-ImageNet, and (pixels only) of data sets that are made.

    Raises:
        ValueError: no such data set or split.
        OSError: it cannot be read.
    """
    from gan_topdis.data import framed

    base, colon, split = name.partition(":")
    if base in SPLITS:
        found = _with_splits(base, split or SPLITS[base][0], resolution, grey, asked=bool(colon))
    else:
        found = open_data_set(name, resolution=resolution, every=None, grey=grey)
    return framed(found, multiple=MULTIPLE)


def _with_splits(name: str, split: str, resolution: int, grey: bool, *, asked: bool) -> LabelledImages:
    from gan_topdis import data

    if split not in SPLITS[name]:
        raise ValueError(
            f"data should be {' or '.join(f'{name}:{each}' for each in SPLITS[name])}, got {name}:{split}"
        )
    place = _place(name)
    if name == "fashion-mnist":
        return data.read_idx_images(place, split=split, name="Fashion-MNIST")
    if name == "tiny-imagenet":
        return data.read_tiny_imagenet(place, split=split, size=resolution, grey=grey)
    return data.read_cifar(place, name=name, split=split)


def _place(name: str) -> Path:
    """Folder or archive of a set. Raises: FileNotFoundError: says where it was looked for."""
    from gan_topdis.data.data_file import DATA_VARIABLE
    from gan_topdis.data.packaged import data_folders

    folders = data_folders(name)
    for folder in folders:
        for file in _PLACES[name]:
            if (folder / file).exists():
                return folder if file.endswith("ubyte.gz") else folder / file
    get = "; get it with apt-get install dataset-fashion-mnist" if name == "fashion-mnist" else ""
    raise FileNotFoundError(
        f"{name} not found: expected {' or '.join(_PLACES[name])} in {', '.join(map(str, folders))}{get}; "
        f"set {DATA_VARIABLE} to its folder"
    )
