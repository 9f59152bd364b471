"""Codes with factors in an `.npz` file, as any framework can write it."""

from __future__ import annotations

import os
import zipfile
from dataclasses import dataclass
from typing import Any

import numpy as np

from gan_topdis.metrics.arrays import code_array, factor_array
from gan_topdis.metrics.samplers import FactorGrid


@dataclass(frozen=True)
class CodesFile:
    """Attributes: codes (n, d); factors (n, k); names of the factors; the grid whose rows the codes are in
    order, when the file has `factor_sizes`."""

    codes: np.ndarray
    factors: np.ndarray
    factor_names: tuple[str, ...]
    grid: FactorGrid | None


def read_codes(path: str | os.PathLike[str]) -> CodesFile:
    """Read `codes`, `factors` and, where there are any, `factor_names` and `factor_sizes`.

    With `factor_sizes` the rows are those of the complete grid, last factor fastest, and `factors` may be
    left out. Nothing in the file is executed.

    Raises:
        ValueError: no `.npz`, a missing key, or arrays that do not fit.
        OSError: the file cannot be read.
    """
    arrays = _arrays(path)
    found = ", ".join(f"{name} {value.shape}" for name, value in arrays.items()) or "nothing"
    if "codes" not in arrays or not {"factors", "factor_sizes"} & set(arrays):
        raise ValueError(f"{path} should hold codes (n, d) and factors (n, k), found {found}")
    codes = code_array(arrays["codes"])
    grid = None
    if "factor_sizes" in arrays:
        sizes = arrays["factor_sizes"]
        if sizes.ndim != 1 or sizes.dtype.kind not in "iu":
            raise ValueError(
                f"factor_sizes in {path} should be (k,) whole numbers, got {sizes.shape} {sizes.dtype}"
            )
        if int(np.prod(sizes.astype(object))) != len(codes):
            raise ValueError(
                f"codes in {path} should have one row per combination of factor_sizes "
                f"({' x '.join(map(str, sizes))}), got {len(codes)}"
            )
        grid = FactorGrid(tuple(int(size) for size in sizes))
    factors = arrays.get("factors")
    if factors is None:
        assert grid is not None
        factors = grid.factors
    factor_array(factors, len(codes))  # refuses what metrics would refuse
    if grid is not None and (factors.shape != grid.factors.shape or (factors != grid.factors).any()):
        raise ValueError(
            f"factors in {path} should be those of the complete grid, last one fastest, or be left out"
        )
    names = arrays.get("factor_names", np.array([f"factor {j}" for j in range(factors.shape[1])]))
    if names.shape != (factors.shape[1],) or names.dtype.kind != "U":
        raise ValueError(
            f"factor_names in {path} should be {factors.shape[1]} strings, got {names.shape} {names.dtype}"
        )
    return CodesFile(codes, factors, tuple(str(name) for name in names), grid)


def _arrays(path: str | os.PathLike[str]) -> dict[str, Any]:
    try:
        content = np.load(path, allow_pickle=False)
    except (ValueError, zipfile.BadZipFile, EOFError) as error:
        raise ValueError(f"{path} cannot be read as an .npz file of plain arrays: {error}") from None
    if isinstance(content, np.ndarray):
        raise ValueError(f"{path} should be an .npz file with codes and factors, got a single array")
    with content:
        try:
            return {name: content[name] for name in content.files}
        except (ValueError, zipfile.BadZipFile, EOFError) as error:
            raise ValueError(f"{path} cannot be read as an .npz file of plain arrays: {error}") from None
