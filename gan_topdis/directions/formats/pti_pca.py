"""Principal components of PTI and e4e, `ganspace_pca/*.pt`: `mean (1, d)`, `comp (K, 1, d)`, `std (K,)`.

An edit (index, start, end, strength) moves layers [start, end) to a target coordinate: by
(strength - coordinate) * comp * std, where the coordinate is that of layer 0, in `std`; after truncation.
The edits themselves stand in programs, not in the file. Source: omertov/encoder4editing, MIT (layout).
"""

from __future__ import annotations

from pathlib import Path

import numpy as np

from gan_topdis.directions.formats.contents import FileContents
from gan_topdis.directions.formats.torch_file import as_tensor, entries, numbers, read_torch, write_torch
from gan_topdis.directions.result import Directions


def read(path: Path) -> FileContents:
    """Components with their mean and standard deviations."""
    saved = entries(read_torch(path), ("mean", "comp", "std"), path)
    mean, rows, deviation = (numbers(saved[key], f"{key} of {path}") for key in ("mean", "comp", "std"))
    count, size = len(rows), rows.shape[-1]
    if rows.shape != (count, 1, size) or mean.shape != (1, size) or deviation.shape != (count,):
        raise ValueError(
            f"{path} should hold mean (1, d), comp (K, 1, d) and std (K,), got {mean.shape}, {rows.shape} "
            f"and {deviation.shape}"
        )
    return FileContents(
        vectors=rows[:, 0], unit="absolute", space="w", order="after", deviation=deviation, mean=mean[0]
    )


def write(path: Path, directions: Directions) -> list[Path]:
    """The same three tensors.

    Raises:
        ValueError: the directions' mean is unknown.
    """
    if not np.isfinite(directions.w_mean).all():
        raise ValueError(
            "pti_pca needs the mean latent, which these directions lack: import them with --network"
        )
    write_torch(
        path,
        {
            "mean": as_tensor(directions.w_mean[None]),
            "comp": as_tensor(directions.vectors[:, None]),
            "std": as_tensor(directions.scale),
        },
    )
    return [path]
