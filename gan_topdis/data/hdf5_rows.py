"""Rows of an HDF5 array of images, read when they are asked for."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
from jaxtyping import Int, UInt8

from gan_topdis.data.lazy_images import LazyImages


class Hdf5Rows(LazyImages):
    """Images stored as (n, H, W) or (n, H, W, channels).

    The file is opened for each access and closed again, so that workers of a DataLoader can share this
    object.

    Args:
        path: the file.
        key: of the array in it.
        shape: as stored.
    """

    def __init__(self, path: Path, key: str, shape: tuple[int, ...]) -> None:
        n, height, width = shape[:3]
        super().__init__((n, shape[3] if len(shape) == 4 else 1, height, width))
        self._path = path
        self._key = key

    def _rows(self, rows: Int[np.ndarray, " m"]) -> UInt8[np.ndarray, "m c h w"]:
        if not len(rows):
            return np.zeros((0, *self.shape[1:]), dtype=np.uint8)
        ascending, places = np.unique(rows, return_inverse=True)  # the order that h5py asks for
        with _opened(self._path) as file:
            array = file[self._key]
            # one stretch is read many times faster than as many single rows
            if ascending[-1] - ascending[0] + 1 == len(ascending):
                stored = array[int(ascending[0]) : int(ascending[-1]) + 1]
            else:
                stored = array[ascending]
        stored = stored[places]
        return stored[:, None] if stored.ndim == 3 else stored.transpose(0, 3, 1, 2)


def read_hdf5(path: Path, key: str) -> np.ndarray:
    """A whole array, such as the labels."""
    with _opened(path) as file:
        return file[key][:]


def hdf5_header(path: Path, key: str) -> tuple[tuple[int, ...], np.dtype[Any]] | None:
    """Shape and type of an array; None: the file has no array of this name.

    Raises:
        ValueError: no HDF5 file.
        ModuleNotFoundError: h5py is not installed.
    """
    with _opened(path) as file:
        if not hasattr(file.get(key), "shape"):
            return None
        return file[key].shape, file[key].dtype


def _opened(path: Path) -> Any:
    try:
        import h5py
    except ModuleNotFoundError as error:
        raise ModuleNotFoundError(
            f"{path} needs h5py: pip install 'gan_topdis[data]', or convert it to .npy"
        ) from error
    try:
        return h5py.File(path, "r")
    except OSError as error:
        if not path.is_file():
            raise
        raise ValueError(f"no HDF5 file ({error})") from error
