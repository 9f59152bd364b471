"""InterFaceGAN boundaries, `boundary.npy`: one unit normal a file, shape (1, d), often float64.

Strength is a distance. Its editor first moves 2-D codes (z or w) onto the boundary, so that there equal
numbers mean the distance to the boundary; 3-D codes are moved from where they are. W edits come before
truncation, W+ edits after. Source: genforce/interfacegan, MIT-style (file layout); arXiv:1907.10786.
"""

from __future__ import annotations

from pathlib import Path

import numpy as np

from gan_topdis.directions.formats.arrays_file import read_npy, replace_file
from gan_topdis.directions.formats.contents import FileContents
from gan_topdis.directions.formats.one_per_file import read_file_or_folder, write_file_or_folder
from gan_topdis.directions.result import Directions


def read(path: Path) -> FileContents:
    """One boundary, or those of a folder, named by file."""
    return read_file_or_folder(path, ".npy", _read_one)


def write(path: Path, directions: Directions) -> list[Path]:
    """(1, d) float32 of unit length, one file per direction."""

    def write_one(file: Path, index: int) -> None:
        row = directions.vectors[index : index + 1].astype(np.float32)
        replace_file(file, lambda stream: np.save(stream, row))

    return write_file_or_folder(path, ".npy", directions.names, write_one)


def _read_one(path: Path) -> FileContents:
    row = read_npy(path)
    if row.ndim != 2 or len(row) != 1:
        raise ValueError(f"{path} should be a boundary of shape (1, d), got {row.shape}")
    return FileContents(vectors=row, unit="raw")
