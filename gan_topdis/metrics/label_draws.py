"""Few labels out of many: stratified draws, and the training rows that are held out to choose settings."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from jaxtyping import Int


@dataclass(frozen=True, eq=False)
class LabelDraws:
    """Row numbers of a training set.

    Attributes:
        labelled: (draws, labels), the rows whose labels a classifier may learn from, classes in turn.
        held_out: (rows,), the same for all draws, in no draw.
    """

    labelled: Int[np.ndarray, "draws labels"]
    held_out: Int[np.ndarray, " rows"]


def stratified_draws(
    classes: Int[np.ndarray, " n"], labels: int, draws: int, *, held_out: int = 0, seed: int = 0
) -> LabelDraws:
    """Draws of as many labelled rows of every class, without replacement.

    Draw i is the same whatever the number of draws; held-out rows depend on the seed alone.

    Args:
        classes: of the training rows.
        labels: rows in a draw, a multiple of the number of classes.
        draws: how many, independent of each other.
        held_out: rows set aside before all draws, a multiple of the number of classes; 0 for none.

    Raises:
        ValueError: numbers that are no such multiples, or a class with too few rows.
    """
    values, counts = np.unique(classes, return_counts=True)
    for name, number, least in (("labels", labels, 1), ("held_out", held_out, 0)):
        if number < least or number % len(values):
            raise ValueError(f"{name} should be a multiple of the {len(values)} classes, got {number}")
    if draws < 1:
        raise ValueError(f"draws should be at least 1, got {draws}")
    needed = (labels + held_out) // len(values)
    if counts.min() < needed:
        scarce = int(counts.argmin())
        raise ValueError(
            f"every class should have at least {needed} training rows, {labels // len(values)} with labels "
            f"and {held_out // len(values)} held out, got {counts[scarce]} of class {values[scarce]}"
        )
    aside = _of_every_class(classes, values, held_out, np.arange(len(classes)), _rng(seed, 0))
    rest = np.setdiff1d(np.arange(len(classes)), aside)
    rows = [_of_every_class(classes, values, labels, rest, _rng(seed, 1, draw)) for draw in range(draws)]
    return LabelDraws(np.stack(rows), aside)


def _of_every_class(
    classes: np.ndarray, values: np.ndarray, count: int, among: np.ndarray, rng: np.random.Generator
) -> np.ndarray:
    """(count,) of the rows `among`, as many of each class; classes in turn, so that any stretch of whole
    rounds is stratified too."""
    each = count // len(values)
    return np.stack(
        [rng.permutation(among[classes[among] == value])[:each] for value in values], axis=1
    ).ravel()


def _rng(seed: int, *purpose: int) -> np.random.Generator:
    return np.random.default_rng(np.random.SeedSequence(seed, spawn_key=purpose))
