"""CIFAR-10 and CIFAR-100, the latter by its 100 classes or by its 20 super-classes.

Its files are pickles of Python 2, read by `pickled_arrays`: nothing in them is executed.

Source: Krizhevsky, Learning Multiple Layers of Features from Tiny Images, 2009; layout of the "python
    version" on the author's page.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
from jaxtyping import Int, UInt8

from gan_topdis.data.data_file import StrPath
from gan_topdis.data.labelled_images import LabelledImages
from gan_topdis.data.package_member import read_member
from gan_topdis.data.pickled_arrays import ArrayRecord, read_pickled

SIDE = 32


@dataclass(frozen=True)
class _Layout:
    """Attributes: title; folder of the files; files by split; key of the labels; how many classes."""

    title: str
    folder: str
    files: Mapping[str, tuple[str, ...]]
    key: str
    classes: int


_CIFAR100_FILES = {"train": ("train",), "test": ("test",)}
LAYOUTS: Mapping[str, _Layout] = {
    "cifar10": _Layout(
        "CIFAR-10",
        "cifar-10-batches-py",
        {"train": tuple(f"data_batch_{k}" for k in range(1, 6)), "test": ("test_batch",)},
        "labels",
        10,
    ),
    "cifar100": _Layout("CIFAR-100", "cifar-100-python", _CIFAR100_FILES, "fine_labels", 100),
    # not the fine labels: evaluations elsewhere that call themselves CIFAR-20 have used all 100 classes
    "cifar20": _Layout("CIFAR-20", "cifar-100-python", _CIFAR100_FILES, "coarse_labels", 20),
}


def read_cifar(source: StrPath, *, name: str = "cifar10", split: str = "train") -> LabelledImages:
    """Colour images 3 x 32 x 32 with one factor, the class.

    Args:
        source: the folder of the batches, the folder above, or the archive cifar-10-python.tar.gz or
            cifar-100-python.tar.gz as it was downloaded.
        name: cifar10, cifar100, or cifar20 for the super-classes of CIFAR-100.
        split: train or test.

    Raises:
        FileNotFoundError: a file is not there; says which.
        ValueError: an unknown name or split, a damaged file, one that names anything but arrays, another
            shape, or a label beyond the classes.
    """
    if name not in LAYOUTS:
        raise ValueError(f"name should be one of {', '.join(LAYOUTS)}, got {name!r}")
    layout = LAYOUTS[name]
    if split not in layout.files:
        raise ValueError(f"split should be train or test, got {split!r}")
    parts = [_batch(source, layout, file) for file in layout.files[split]]
    images = np.concatenate([images for images, _ in parts])
    labels = np.concatenate([labels for _, labels in parts])
    return LabelledImages(images, labels[:, None], ("class",), None, f"{layout.title} {split}")


def _batch(
    source: StrPath, layout: _Layout, file: str
) -> tuple[UInt8[np.ndarray, "n 3 h w"], Int[np.ndarray, " n"]]:
    member = f"{layout.folder}/{file}"
    expected = f"data (n, {3 * SIDE**2}) uint8 and {layout.key} (n,) of {layout.title}"
    content = read_pickled(read_member(source, member, expected), member, expected)
    if not isinstance(content, dict):
        raise ValueError(f"{member} should hold {expected}, got a {type(content).__name__}")
    values = {
        key.decode("latin-1") if isinstance(key, bytes) else key: value for key, value in content.items()
    }
    for key in ("data", layout.key):
        if key not in values:
            raise ValueError(
                f"{member} should hold {expected}, got {', '.join(map(str, values)) or 'nothing'}"
            )
    try:
        rows = values["data"].bytes_array() if isinstance(values["data"], ArrayRecord) else np.empty(0)
    except ValueError as error:
        raise ValueError(f"{member} should hold {expected}, but {error}") from error
    labels = _labels(values[layout.key], layout, member)
    if rows.shape != (len(labels), 3 * SIDE**2):
        raise ValueError(f"{member} should hold {expected}, got {rows.shape} and {len(labels)} labels")
    return rows.reshape(-1, 3, SIDE, SIDE), labels  # channel-first in the file


def _labels(values: Any, layout: _Layout, member: str) -> Int[np.ndarray, " n"]:
    """Checked labels; refuses those of more classes than the set has."""
    whole = isinstance(values, list) and all(isinstance(v, int) and not isinstance(v, bool) for v in values)
    if not whole or any(not 0 <= label < layout.classes for label in values):
        raise ValueError(
            f"{member} should hold {layout.key}, a list of whole numbers 0 .. {layout.classes - 1}, "
            "got something else"
        )
    return np.array(values, dtype=np.int64)
