"""Arrays in `.npy` and `.npz` files of strangers: numbers only, never more memory than the file is worth."""

from __future__ import annotations

import os
import tokenize
import zipfile
import zlib
from collections.abc import Callable
from pathlib import Path
from typing import BinaryIO

import numpy as np

# Saved without compression, as numpy does by default, the ratio is 1; layers or zeros compress well.
MAX_EXPANSION = 200
GRACE_BYTES = 64 * 2**20

_DAMAGED = (
    *(ValueError, OSError, EOFError, KeyError, MemoryError),
    *(zipfile.BadZipFile, zlib.error, NotImplementedError, RuntimeError),  # an archive that is none
    *(SyntaxError, TypeError, tokenize.TokenError),  # a header that is no Python literal
)
"""What numpy and zipfile raise for damaged files; found by changing bits."""


def read_npy(path: Path) -> np.ndarray:
    """The array of a `.npy` file.

    Raises:
        ValueError: it is no such file, is damaged, or holds objects, text or NaN.
    """
    _require_file(path)
    try:
        with path.open("rb") as stream:
            array = np.lib.format.open_memmap(path, mode="r") if _is_npy(stream) else None
    except _DAMAGED as error:
        raise ValueError(
            f"{path} should be a .npy file of numbers, without objects inside: {error}"
        ) from None
    if array is None:
        raise ValueError(f"{path} should be a .npy file of numbers; it does not begin like one")
    return finite_numbers(np.array(array), str(path))


def read_npz(path: Path) -> dict[str, np.ndarray]:
    """The arrays of a `.npz` file by name, as they are; nothing in the file runs.

    Raises:
        ValueError: it is no such file, is damaged, holds objects, or expands to far more than it is.
    """
    _require_file(path)
    try:
        with zipfile.ZipFile(path) as archive:
            total = sum(info.file_size for info in archive.infolist())
        if total > MAX_EXPANSION * path.stat().st_size + GRACE_BYTES:
            raise ValueError(f"it expands to {total} bytes: damaged or a zip bomb")
        with np.load(path, allow_pickle=False) as arrays:
            return {name: arrays[name] for name in arrays.files}
    except _DAMAGED as error:
        raise ValueError(f"{path} should be a .npz file of arrays, without objects inside: {error}") from None


def finite_numbers(array: np.ndarray, what: str) -> np.ndarray:
    """The same numbers as float64.

    Raises:
        ValueError: they are no real numbers, there is none, or one is NaN or infinite.
    """
    if array.dtype.kind not in "fiu":
        raise ValueError(f"{what} should hold real numbers, got {array.dtype}")
    if not array.size:
        raise ValueError(f"{what} should hold numbers, got shape {array.shape}")
    numbers = array.astype(np.float64)
    if not np.isfinite(numbers).all():
        raise ValueError(f"{what} should hold finite numbers, got NaN or infinity")
    return numbers


def replace_file(path: Path, write: Callable[[BinaryIO], object]) -> None:
    """Write a file; an existing one is replaced only when the new one is complete."""
    unfinished = path.with_name(path.name + ".part")
    try:
        with open(unfinished, "wb") as file:
            write(file)
        os.replace(unfinished, path)
    finally:
        unfinished.unlink(missing_ok=True)


def _require_file(path: Path) -> None:
    if not path.is_file():
        raise FileNotFoundError(f"no file at {path}")


def _is_npy(stream: BinaryIO) -> bool:
    return stream.read(6) == b"\x93NUMPY"
