"""What the file of another program says about its directions, before a network completes it."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np

LayerRange = tuple[int, int]
"""First position of ws that moves, and the one behind the last."""


@dataclass(frozen=True)
class FileContents:
    """Directions as they stand in a file; None is what the file does not say.

    Attributes:
        vectors: float64 (K, d), or (K, L, d) in space `w+`; any length but 0, signs as in the file.
        unit: `raw` (strength 1 moves by a vector of length 1), `sigma` (by `deviation` times the vector)
            or `absolute` (strength is the coordinate to move to, in `deviation`).
        space: `z`, `w` or `w+`.
        order: `before` or `after` truncation, as the program that owns the format applies it.
        layers: `all`, one range per direction, or bool (K, L).
        deviation: (K,) > 0, standard deviation of the coordinate along each vector; with units `sigma`
            and `absolute`.
        mean: (d,), mean latent.
        names: one per direction.
        table: columns of numbers, name -> (K,).
        facts: whatever else is worth keeping, plain JSON.
    """

    vectors: np.ndarray
    unit: str
    space: str | None = None
    order: str | None = None
    layers: str | Sequence[LayerRange] | np.ndarray | None = None
    deviation: np.ndarray | None = None
    mean: np.ndarray | None = None
    names: Sequence[str] | None = None
    table: dict[str, np.ndarray] = field(default_factory=dict)
    facts: dict[str, Any] = field(default_factory=dict)


def stacked(parts: Sequence[FileContents], names: Sequence[str]) -> FileContents:
    """One set of directions from files of one direction each, which share format and sizes.

    Raises:
        ValueError: there is none, or sizes, spaces or kinds of layers differ.
    """
    if not parts:
        raise ValueError("there is no direction to read")
    first = parts[0]
    for part, name in zip(parts, names, strict=True):
        if part.vectors.shape[1:] != first.vectors.shape[1:]:
            raise ValueError(
                f"files of one folder should have directions of one size, got {first.vectors.shape[1:]} in "
                f"{names[0]} and {part.vectors.shape[1:]} in {name}"
            )
        if part.space != first.space:
            raise ValueError(
                f"files of one folder should be of one space, got {first.space} in {names[0]} and "
                f"{part.space} in {name}"
            )
    ranges = [part.layers for part in parts]
    return FileContents(
        vectors=np.concatenate([part.vectors for part in parts]),
        unit=first.unit,
        space=first.space,
        order=first.order,
        layers=first.layers if first.layers is None or isinstance(first.layers, str) else _joined(ranges),
        deviation=None
        if first.deviation is None
        else np.concatenate([part.deviation for part in parts if part.deviation is not None]),
        names=[part.names[0] if part.names else name for part, name in zip(parts, names, strict=True)],
        facts={name: part.facts for part, name in zip(parts, names, strict=True) if part.facts},
    )


def _joined(layers: Sequence[Any]) -> Any:
    if isinstance(layers[0], np.ndarray):
        return np.concatenate(layers)
    return [item for ranges in layers for item in ranges]
