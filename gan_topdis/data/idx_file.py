"""MNIST, Fashion-MNIST and Kuzushiji-MNIST in the IDX files that they share.

Source: LeCun, Cortes and Burges, The MNIST Database, section "File formats"; Xiao et al., Fashion-MNIST,
    arXiv:1708.07747. Debian's package dataset-fashion-mnist has them in /usr/share/datasets/fashion-mnist.
"""

from __future__ import annotations

import gzip
import zlib
from math import prod
from pathlib import Path
from typing import IO

import numpy as np
from jaxtyping import UInt8

from gan_topdis.data.data_file import StrPath
from gan_topdis.data.labelled_images import LabelledImages

PREFIXES = {"train": "train", "test": "t10k"}
_UNSIGNED_BYTES = 8
"""Third byte of the magic number."""
_CHUNK = 2**24


def read_idx_images(folder: StrPath, *, split: str = "train", name: str = "IDX") -> LabelledImages:
    """Grey images 1 x H x W with one factor, the class.

    Args:
        folder: holds train-images-idx3-ubyte, train-labels-idx1-ubyte and the same with t10k, as they are
            or with `.gz`.
        split: train or test.
        name: which of the sets it is: they share their file names, and nothing inside tells.

    Raises:
        FileNotFoundError: a file is not there.
        ValueError: an unknown split, a damaged file, or as many labels as images are not there.
    """
    if split not in PREFIXES:
        raise ValueError(f"split should be train or test, got {split!r}")
    prefix = PREFIXES[split]
    images = read_idx(_present(folder, f"{prefix}-images-idx3-ubyte", "(n, H, W)"), rank=3)
    labels = read_idx(_present(folder, f"{prefix}-labels-idx1-ubyte", "(n,)"), rank=1)
    if len(images) != len(labels):
        raise ValueError(
            f"{folder}: images and labels of {split} should be as many, got {len(images)} and {len(labels)}"
        )
    return LabelledImages(
        images[:, None], labels[:, None].astype(np.int64), ("class",), None, f"{name} {split}"
    )


def read_idx(path: StrPath, *, rank: int) -> UInt8[np.ndarray, "..."]:
    """The array of one IDX file of bytes, `.gz` or not; no more is read than its header states.

    Raises:
        ValueError: another magic number, type or rank, or too few bytes.
    """
    opener = gzip.open if Path(path).suffix == ".gz" else open
    try:
        with opener(path, "rb") as file:
            magic = file.read(4)
            if len(magic) < 4 or magic[:2] != b"\0\0" or magic[2] != _UNSIGNED_BYTES or magic[3] != rank:
                raise ValueError(
                    f"{path} should start with 0, 0, {_UNSIGNED_BYTES}, {rank} (IDX, uint8, {rank} axes), "
                    f"got {', '.join(map(str, magic)) or 'nothing'}"
                )
            sizes = file.read(4 * rank)
            if len(sizes) < 4 * rank:
                raise EOFError("it ends in its header")
            shape = tuple(int(size) for size in np.frombuffer(sizes, dtype=">u4"))
            values = _read_up_to(file, prod(shape))
    except (EOFError, gzip.BadGzipFile, zlib.error) as error:
        raise ValueError(f"{path} is damaged ({error}); copy it again") from error
    if len(values) != prod(shape):
        raise ValueError(f"{path} should hold {shape} bytes by its header, got {len(values)}; copy it again")
    return np.frombuffer(values, dtype=np.uint8).reshape(shape)


def _read_up_to(file: IO[bytes] | gzip.GzipFile, size: int) -> bytes:
    """As many bytes, or all there are: what a header promises is not set aside beforehand."""
    parts = []
    while size > 0 and (part := file.read(min(size, _CHUNK))):
        parts.append(part)
        size -= len(part)
    return b"".join(parts)


def _present(folder: StrPath, file: str, shape: str) -> Path:
    for name in (file, f"{file}.gz"):
        if (Path(folder) / name).is_file():
            return Path(folder) / name
    raise FileNotFoundError(
        f"images not found: expected {file} or {file}.gz with {shape} uint8 in {folder}; "
        "procedural_dsprites() needs no file"
    )
