"""`factor.pt` of rosinality's closed-form factorization: `{"ckpt": str, "eigvec": (d, d)}`, columns.

Raw units; its `apply_factor.py` adds a column to w of all layers, before truncation. (The program of the
same name in dvschultz's fork adds it to z, whatever it is told.) Source: rosinality/stylegan2-pytorch, MIT
(file layout); arXiv:2007.06600 (method).
"""

from __future__ import annotations

from pathlib import Path

import numpy as np

from gan_topdis.directions.formats.contents import FileContents
from gan_topdis.directions.formats.ganspace import without_padding
from gan_topdis.directions.formats.torch_file import as_tensor, entries, numbers, read_torch, write_torch
from gan_topdis.directions.result import Directions


def read(path: Path) -> FileContents:
    """Columns of `eigvec`; those of zeros at the end are padding."""
    saved = entries(read_torch(path), ("eigvec",), path)
    matrix = numbers(saved["eigvec"], f"eigvec of {path}")
    if matrix.ndim != 2:
        raise ValueError(f"eigvec of {path} should have shape (d, d), columns, got {matrix.shape}")
    return FileContents(
        vectors=without_padding(matrix.T), unit="raw", space="w", order="before", layers="all"
    )


def write(path: Path, directions: Directions, *, ckpt: str = "") -> list[Path]:
    """A square matrix; columns beyond the directions are zero.

    Args:
        ckpt: file name of the network, which readers may show.

    Raises:
        ValueError: there are more directions than dimensions.
    """
    count, size = directions.vectors.shape
    if count > size:
        raise ValueError(f"factor.pt holds at most w_dim = {size} directions, got {count}")
    matrix = np.zeros((size, size), dtype=np.float32)
    matrix[:, :count] = directions.vectors.T
    write_torch(path, {"ckpt": ckpt, "eigvec": as_tensor(matrix)})
    return [path]
