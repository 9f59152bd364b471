"""Point clouds from files, and their scale."""

from __future__ import annotations

import os
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import torch
from jaxtyping import Float
from torch import Tensor

ENDINGS = (".npy", ".csv")
MOST_POINTS = 20_000
"""Points that a file may hold; the matrix of their distances takes 1.6 GB."""
MOST_BYTES = 200_000_000


def read_points(path: str | os.PathLike[str]) -> Float[Tensor, "n d"]:
    """Points of a `.npy` array (n, d), or of a `.csv` file with one point a line and at most one heading.

    Nothing in the file is executed.

    Returns:
        float32, in the unit of the file.

    Raises:
        ValueError: another kind of file, not numbers, not (n, d) with n >= 4 and d >= 1, not finite, too
            large.
        OSError: it cannot be read.
    """
    file = Path(path)
    if file.suffix.lower() not in ENDINGS:
        raise ValueError(f"{file} should be a point file ending in {' or '.join(ENDINGS)}")
    if file.stat().st_size > MOST_BYTES:
        raise ValueError(f"{file} should have at most {MOST_BYTES} bytes, it has {file.stat().st_size}")
    values = _npy(file) if file.suffix.lower() == ".npy" else _csv(file)
    if values.ndim != 2 or values.shape[0] < 4 or values.shape[1] < 1:
        raise ValueError(f"{file} should hold n >= 4 points, (n, d), got shape {values.shape}")
    if len(values) > MOST_POINTS:
        raise ValueError(f"{file} should hold at most {MOST_POINTS} points, got {len(values)}; take a sample")
    if values.dtype.kind not in "iuf":
        raise ValueError(f"{file} should hold real numbers, got {values.dtype}")
    with np.errstate(over="ignore"):  # what float32 does not reach is infinite, and refused
        points = torch.from_numpy(np.ascontiguousarray(values, dtype=np.float32))
    if not torch.isfinite(points).all():
        raise ValueError(f"{file} should hold finite numbers within float32, got NaN or infinity")
    return points


def _npy(file: Path) -> np.ndarray:
    try:
        values: np.ndarray = np.load(file, allow_pickle=False)
    except (ValueError, EOFError) as error:
        raise ValueError(f"{file} should be a .npy array of numbers: {str(error).splitlines()[0]}") from None
    if not isinstance(values, np.ndarray):
        raise ValueError(f"{file} should be one .npy array, it is an archive of several")
    return values


def _csv(file: Path) -> np.ndarray:
    try:
        lines = [line for line in file.read_text(encoding="utf-8-sig").splitlines() if line.strip()]
    except UnicodeDecodeError:
        raise ValueError(f"{file} should be a text file of comma-separated numbers") from None
    rows: list[list[float]] = []
    for number, line in enumerate(lines, start=1):
        try:
            rows.append([float(cell) for cell in line.split(",")])
        except ValueError:
            if number > 1:
                raise ValueError(
                    f"{file} should hold comma-separated numbers, line {number} is {line[:40]!r}"
                ) from None
        if rows and len(rows[-1]) != len(rows[0]):
            raise ValueError(
                f"{file} should have as many numbers in every line, line {number} has {len(rows[-1])}, "
                f"the first {len(rows[0])}"
            )
    if not rows:
        raise ValueError(f"{file} should hold points, it holds none")
    return np.array(rows)


@dataclass(frozen=True)
class UnitScale:
    """A cloud moved to the origin and scaled to the size of a unit circle.

    Attributes:
        points: root mean square distance from the origin 1, in units of `size`.
        centre: (d,) mean of the cloud before, in its unit.
        size: root mean square distance from the centre before, in its unit.
    """

    points: Float[Tensor, "n d"]
    centre: tuple[float, ...]
    size: float


def unit_scale(points: Float[Tensor, "n d"]) -> UnitScale:
    """The cloud on the scale that the default weights and widths are made for.

    Raises:
        ValueError: all points are one.
    """
    values = points.double()
    centre = values.mean(dim=0)
    size = float((values - centre).square().sum(dim=1).mean().sqrt())
    if not size > 1e-6 * float(values.abs().max()):
        raise ValueError("points should not all be in one place: there is no shape to match")
    return UnitScale(((values - centre) / size).to(points.dtype), tuple(centre.tolist()), size)
