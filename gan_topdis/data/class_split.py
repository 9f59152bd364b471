"""Labelled images for one-class learning: distinct ones, and a split into references and tests."""

from __future__ import annotations

import numpy as np
import torch
from jaxtyping import Int

from gan_topdis.data.labelled_images import LabelledImages
from gan_topdis.seeding import seeded_generator

CLASS_FACTORS = ("class", "folder")
"""Names of factors that are classes."""


def class_labels(dataset: LabelledImages, *, like: LabelledImages | None = None) -> Int[np.ndarray, " n"]:
    """The class of each image.

    Args:
        like: another data set whose numbers are wanted: where both name their classes, as folders do, a
            class has the number of its name there.

    Raises:
        ValueError: the data set has no factor named `class` or `folder`, or a class that `like` has not.
    """
    for name in CLASS_FACTORS:
        if name in dataset.factor_names:
            labels = dataset.factors[:, dataset.factor_names.index(name)].astype(np.int64)
            return labels if like is None else _renumbered(labels, dataset, like)
    raise ValueError(
        f"{dataset.name} should have classes, a factor named {' or '.join(CLASS_FACTORS)}, "
        f"got {', '.join(dataset.factor_names) or 'none'}"
    )


def _renumbered(labels: np.ndarray, dataset: LabelledImages, like: LabelledImages) -> np.ndarray:
    names, wanted = dataset.class_names, like.class_names
    if names is None or wanted is None:
        return labels
    unknown = [name for name in names if name not in wanted]
    if unknown:
        raise ValueError(f"{dataset.name} has classes that {like.name} has not: {', '.join(unknown)}")
    return np.array([wanted.index(name) for name in names], dtype=np.int64)[labels]


def distinct_images(dataset: LabelledImages, *, at_once: int = 1024) -> LabelledImages:
    """The first image of each kind, in their order: copies in references and tests would find each other."""
    seen: set[bytes] = set()
    rows = []
    for first in range(0, len(dataset), at_once):
        for place, image in enumerate(dataset.images[first : first + at_once]):
            content = image.tobytes()
            if content not in seen:
                seen.add(content)
                rows.append(first + place)
    return dataset if len(rows) == len(dataset) else dataset.take(rows)


def split_classes(
    dataset: LabelledImages, *, of_a_class: int, seed: int = 0
) -> tuple[LabelledImages, LabelledImages]:
    """References and tests: of each class, in a random order, the first images and as many of the next.

    Args:
        dataset: with a factor `class` or `folder`.
        of_a_class: references of a class at most, and tests at most; a class of fewer than twice as many
            gives half of its images to each.
        seed: of the orders.

    Raises:
        ValueError: no classes, `of_a_class` below 1, or a class of a single image.
    """
    if of_a_class < 1:
        raise ValueError(f"of_a_class should be at least 1, got {of_a_class}")
    labels = class_labels(dataset)
    references, tests = [], []
    for c, label in enumerate(np.unique(labels)):
        members = np.flatnonzero(labels == label)
        if len(members) < 2:
            raise ValueError(f"every class should have at least two images to be split, {label} has one")
        order = torch.randperm(len(members), generator=seeded_generator(seed, c)).numpy()
        count = min(of_a_class, len(members) // 2)
        references.append(members[order[:count]])
        tests.append(members[order[count : count + of_a_class]])
    return dataset.take(np.concatenate(references)), dataset.take(np.concatenate(tests))
