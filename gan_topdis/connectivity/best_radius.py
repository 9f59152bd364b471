"""The radius that a latent space would choose for itself, on images that are not the test."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import torch
from jaxtyping import Float

from gan_topdis.connectivity.one_class import one_class_reports
from gan_topdis.seeding import seeded_generator


@dataclass(frozen=True, eq=False)
class BestRadius:
    """Attributes: the radius of the greatest mean area, the smallest of several; the radii that were tried;
    (r,) mean area under the ROC curve of each on the held-out images; the reference size; the seed."""

    radius: float
    radii: tuple[float, ...]
    areas: Float[np.ndarray, " r"]
    size: int
    seed: int


def best_radius(
    codes: Any,
    labels: Any,
    *,
    branches: int,
    radii: Sequence[float],
    size: int,
    repeats: int = 5,
    seed: int = 0,
) -> BestRadius:
    """The radius of the best one-class areas when one half of the training codes has to recognise the other.

    The best radius shrinks as references become more: choose it for the size that will be used.

    Args:
        codes, labels: (m, branches * d), numpy or torch, and (m,) whole numbers: of the training split, at
            least two of each class. Half of every class, at random, is held out.
        radii: to try, in the unit of the codes.
        size, repeats, seed: of `one_class_report`; the seed halves the classes too.

    Raises:
        TypeError, ValueError: those of `one_class_report`; no radius; a class of one image.
    """
    (best,) = best_radii(
        codes, labels, branches=branches, radii=radii, sizes=(size,), repeats=repeats, seed=seed
    )
    return best


def best_radii(
    codes: Any,
    labels: Any,
    *,
    branches: int,
    radii: Sequence[float],
    sizes: Sequence[int],
    repeats: int = 5,
    seed: int = 0,
) -> list[BestRadius]:
    """`best_radius` of several reference sizes, whose distances are computed once; the same arguments."""
    if not len(radii):
        raise ValueError("radii should hold at least one radius to try")
    values = np.asarray(labels.detach().cpu() if isinstance(labels, torch.Tensor) else labels)
    kept, held = [], []
    for c, label in enumerate(np.unique(values)):
        members = np.flatnonzero(values == label)
        if len(members) < 2:
            raise ValueError(f"every class should have at least two codes to be halved, {label} has one")
        order = torch.randperm(len(members), generator=seeded_generator(seed, _HALVES, c)).numpy()
        kept.append(members[order[: len(members) // 2]])
        held.append(members[order[len(members) // 2 :]])
    first, second = np.sort(np.concatenate(kept)), np.sort(np.concatenate(held))
    reports = one_class_reports(
        None,
        codes[first],
        values[first],
        codes[second],
        values[second],
        branches=branches,
        radii=[float(radius) for radius in radii],
        sizes=sizes,
        repeats=repeats,
        seed=seed,
    )
    areas = np.stack([report.mean for report in reports], axis=1)  # (sizes, radii)
    return [
        BestRadius(
            min(float(radius) for radius, area in zip(radii, of_size, strict=True) if area == of_size.max()),
            tuple(float(radius) for radius in radii),
            of_size,
            size,
            seed,
        )
        for size, of_size in zip(sizes, areas, strict=True)
    ]


_HALVES = 2
"""Purpose of the random numbers that halve the classes; `one_class` has 0 and 1."""
