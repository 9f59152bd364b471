"""Directions of PTI and e4e, `interfacegan_directions/{age,smile,rotation}.pt`: one (1, d) tensor a file.

Raw units, not of unit length; added to all layers, after truncation. Source: danielroich/PTI,
omertov/encoder4editing, MIT-style (file layout).
"""

from __future__ import annotations

from pathlib import Path

from gan_topdis.directions.formats.contents import FileContents
from gan_topdis.directions.formats.one_per_file import read_file_or_folder, write_file_or_folder
from gan_topdis.directions.formats.torch_file import as_tensor, numbers, read_torch, write_torch
from gan_topdis.directions.result import Directions


def read(path: Path) -> FileContents:
    """One direction, or those of a folder, named by file."""
    return read_file_or_folder(path, ".pt", _read_one)


def write(path: Path, directions: Directions) -> list[Path]:
    """(1, d) float32 of unit length, one file per direction."""
    return write_file_or_folder(
        path,
        ".pt",
        directions.names,
        lambda file, index: write_torch(file, as_tensor(directions.vectors[index : index + 1])),
    )


def _read_one(path: Path) -> FileContents:
    row = numbers(read_torch(path), f"the contents of {path}")
    if row.ndim != 2 or len(row) != 1:
        raise ValueError(f"{path} should be a direction of shape (1, d), got {row.shape}")
    return FileContents(vectors=row, unit="raw", space="w", order="after", layers="all")
