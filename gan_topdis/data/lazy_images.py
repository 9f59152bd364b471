"""Images that are made or read when they are asked for: what renderers, folders and HDF5 files share."""

from __future__ import annotations

from abc import ABC, abstractmethod
from typing import Any

import numpy as np
from jaxtyping import Int, UInt8


def row_numbers(indices: Any, n: int) -> Int[np.ndarray, " m"]:
    """Row numbers in 0 .. n - 1 of whatever names rows.

    Args:
        indices: a slice, or whole numbers as a list, numpy array or torch tensor; negative ones count from
            the end.
        n: how many rows there are.

    Raises:
        TypeError: no whole numbers (masks included: use `numpy.flatnonzero`).
        IndexError: a row that does not exist.
    """
    if isinstance(indices, slice):
        return np.arange(n)[indices]
    rows = np.asarray(indices)
    if rows.size == 0:
        return np.zeros(0, dtype=np.int64)
    if rows.ndim != 1 or rows.dtype.kind not in "iu":
        raise TypeError(f"indices should be whole numbers (m,), got {rows.dtype} of shape {rows.shape}")
    rows = rows.astype(np.int64)
    if rows.min() < -n or rows.max() >= n:
        raise IndexError(f"indices should be below {n}, got {int(rows.min())} to {int(rows.max())}")
    return np.where(rows < 0, rows + n, rows)


class LazyImages(ABC):
    """An array (n, C, H, W) of uint8 of which rows are computed on access.

    Attributes:
        shape: (n, C, H, W).
        dtype: uint8.
    """

    dtype = np.dtype(np.uint8)

    def __init__(self, shape: tuple[int, int, int, int]) -> None:
        self.shape = shape

    def __len__(self) -> int:
        return self.shape[0]

    def __getitem__(self, indices: Any) -> UInt8[np.ndarray, "..."]:
        """Images (m, C, H, W) of a slice or of row numbers (m,); one image (C, H, W) of one number."""
        if isinstance(indices, int | np.integer):
            return self._rows(row_numbers([indices], len(self)))[0]
        return self._rows(row_numbers(indices, len(self)))

    @abstractmethod
    def _rows(self, rows: Int[np.ndarray, " m"]) -> UInt8[np.ndarray, "m c h w"]:
        """Images of row numbers that exist."""


class ChosenRows(LazyImages):
    """Some rows of an array of images or of `LazyImages`, in a given order.

    Args:
        images: (n, C, H, W) uint8, array-like.
        chosen: (m,) row numbers.
    """

    def __init__(self, images: Any, chosen: Int[np.ndarray, " m"]) -> None:
        super().__init__((len(chosen), *images.shape[1:]))
        self._images = images
        self._chosen = chosen

    def _rows(self, rows: Int[np.ndarray, " m"]) -> UInt8[np.ndarray, "m c h w"]:
        return self._images[self._chosen[rows]]
