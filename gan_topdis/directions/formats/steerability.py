"""Directions with a row per layer (W+), as GAN steerability saves them: `.npy` of shape (L, d), one a file.

Raw units. A row of zeros leaves its layer alone. Source: Jahanian et al., arXiv:1907.07171.
"""

from __future__ import annotations

from pathlib import Path

import numpy as np

from gan_topdis.directions.formats.arrays_file import read_npy, replace_file
from gan_topdis.directions.formats.contents import FileContents
from gan_topdis.directions.formats.one_per_file import read_file_or_folder, write_file_or_folder
from gan_topdis.directions.result import Directions


def read(path: Path) -> FileContents:
    """One direction, or those of a folder, named by file."""
    return read_file_or_folder(path, ".npy", _read_one)


def write(path: Path, directions: Directions) -> list[Path]:
    """(L, d) float32, one file per direction; W directions are repeated on the layers they move."""
    rows = layer_rows(directions).astype(np.float32)  # (K, L, d)

    def write_one(file: Path, index: int) -> None:
        replace_file(file, lambda stream: np.save(stream, rows[index]))

    return write_file_or_folder(path, ".npy", directions.names, write_one)


def layer_rows(directions: Directions) -> np.ndarray:
    """What strength 1 in raw units adds to ws, (K, L, d): 0 on layers that do not move."""
    vectors = directions.vectors if directions.vectors.ndim == 3 else directions.vectors[:, None]
    return np.where(directions.layers[:, :, None], vectors, 0.0)


def _read_one(path: Path) -> FileContents:
    rows = read_npy(path)
    if rows.ndim != 2:
        raise ValueError(f"{path} should have shape (L, d), one row per layer, got {rows.shape}")
    moved = np.abs(rows).max(axis=1) > 0
    return FileContents(vectors=rows[None], unit="raw", space="w+", layers=moved[None])
