"""SeFa directions as passed around: `sefa_*.npy` of shape (K, 1, d), unit rows, raw units, after truncation.

SeFa itself writes HTML only. Source: Shen and Zhou, arXiv:2007.06600; the layout is the community's.
"""

from __future__ import annotations

from pathlib import Path

import numpy as np

from gan_topdis.directions.formats.arrays_file import read_npy, replace_file
from gan_topdis.directions.formats.contents import FileContents
from gan_topdis.directions.result import Directions


def read(path: Path) -> FileContents:
    """Rows (K, 1, d)."""
    rows = read_npy(path)
    if rows.ndim != 3 or rows.shape[1] != 1:
        raise ValueError(f"{path} should have shape (K, 1, d), got {rows.shape}")
    return FileContents(vectors=rows[:, 0], unit="raw", order="after")


def write(path: Path, directions: Directions) -> list[Path]:
    """Rows (K, 1, d), float32."""
    rows = directions.vectors[:, None].astype(np.float32)
    replace_file(path, lambda file: np.save(file, rows))
    return [path]
