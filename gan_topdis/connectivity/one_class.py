"""One-class evaluation: each class in turn is the inliers, known from a few reference images."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
import torch
from jaxtyping import Float, Int

from gan_topdis.connectivity.area_under_roc import auc
from gan_topdis.connectivity.ball_counting import drawn_scores
from gan_topdis.connectivity.matched_radius import matched_radius
from gan_topdis.seeding import seeded_generator

SIZES = (10, 50, 120, 500)
MATCHED = "matched"
_DRAWS, _SHUFFLE = 0, 1
"""Purposes of the random numbers behind one seed."""


@dataclass(frozen=True, eq=False)
class OneClassReport:
    """Areas under the ROC curve by reference size, class and draw.

    Attributes:
        classes: (c,) labels, ascending.
        sizes: (s,) reference images asked for.
        references: (s, c), reference images drawn: fewer where a class has no more.
        areas: (s, c, repeats), area of each draw for "this class" against all others.
        radius: of the balls, in the unit of the codes; one for all classes.
        settings: branches, metric, over_branches, repeats, seed, and what `radius` was asked for.
    """

    classes: Int[np.ndarray, " c"]
    sizes: tuple[int, ...]
    references: Int[np.ndarray, "s c"]
    areas: Float[np.ndarray, "s c repeats"]
    radius: float
    settings: Mapping[str, Any]

    @property
    def per_class(self) -> Float[np.ndarray, "s c"]:
        """Mean area over the draws."""
        return self.areas.mean(axis=2)

    @property
    def per_class_spread(self) -> Float[np.ndarray, "s c"]:
        """Standard deviation over the draws, divisor `repeats`; 0 where a class is drawn whole."""
        return self.areas.std(axis=2)

    @property
    def mean(self) -> Float[np.ndarray, " s"]:
        """`per_class`, averaged over classes: the published number."""
        return self.per_class.mean(axis=1)

    @property
    def spread(self) -> Float[np.ndarray, " s"]:
        """`per_class_spread`, averaged over classes."""
        return self.per_class_spread.mean(axis=1)

    def of_size(self, place: int) -> OneClassReport:
        """The report of one reference size alone, named by its place in `sizes`."""
        rows = slice(place, place + 1)
        return replace(self, sizes=self.sizes[rows], references=self.references[rows], areas=self.areas[rows])


def one_class_report(
    encode: Callable[[Any], Any] | None,
    reference_images: Any,
    reference_labels: Any,
    images: Any,
    labels: Any,
    *,
    branches: int,
    radius: float | str = 2.0,
    sizes: Sequence[int] = SIZES,
    repeats: int = 5,
    seed: int = 0,
    metric: str = "l1",
    over_branches: str = "sum",
    batch_size: int = 100,
) -> OneClassReport:
    """How well a few images of a class tell the rest of it from all other classes, without training on them.

    Every image is encoded once. For each class, size and draw the score of a test image is the number of
    reference codes around it, `one_class_scores`.

    Args:
        encode: images (n, ...) to codes (n, branches * d), numpy or torch, called without gradient on
            `batch_size` images; in evaluation mode, if it has one, which is the caller's to set. None when
            the images are codes already.
        reference_images, reference_labels: (m, ...) and (m,) whole numbers: the training split, from which
            references are drawn. Images of classes that the test lacks are not used, but for the radius.
        images, labels: (n, ...) and (n,): the test split, all of which is scored.
        branches: of the codes.
        radius: of the balls, eta = 2 as published; or `matched` for `matched_radius` of the reference codes,
            shuffled, in batches of `batch_size` (one batch, if there are fewer), which judges codes fairly
            that the loss never saw.
        sizes: reference images of a class, each >= 1; a class that has fewer gives all it has.
        repeats: draws, >= 1. Draw r of a class takes the first n of one random order for every size n, so
            that sizes are compared on nested references, and the result of one size does not depend on the
            others.
        seed: of the draws.
        metric, over_branches: of `one_class_scores`.
        batch_size: images encoded at a time and codes in a batch of `matched`; the training batch is 100.

    Raises:
        TypeError, ValueError: those of `one_class_scores`; labels that do not fit the images, fewer than two
            classes to tell apart, or a class without a reference image.

    Source: Hofer, Kwitt, Dixit, Niethammer, Connectivity-Optimized Representation Learning via
        Persistent Homology, ICML 2019, one-class experiments. Nested draws and `matched` are ours.
    """
    (report,) = one_class_reports(
        encode,
        reference_images,
        reference_labels,
        images,
        labels,
        branches=branches,
        radii=(radius,),
        sizes=sizes,
        repeats=repeats,
        seed=seed,
        metric=metric,
        over_branches=over_branches,
        batch_size=batch_size,
    )
    return report


def one_class_reports(
    encode: Callable[[Any], Any] | None,
    reference_images: Any,
    reference_labels: Any,
    images: Any,
    labels: Any,
    *,
    branches: int,
    radii: Sequence[float | str],
    sizes: Sequence[int] = SIZES,
    repeats: int = 5,
    seed: int = 0,
    metric: str = "l1",
    over_branches: str = "sum",
    batch_size: int = 100,
) -> list[OneClassReport]:
    """`one_class_report` at several radii, on the same draws: codes and distances are computed once.

    Args:
        radii: each a number or `matched`; the rest, the errors and the source are those of
            `one_class_report`.

    Returns:
        One report a radius, each what `one_class_report` returns for it.
    """
    if not sizes or min(sizes) < 1:
        raise ValueError(f"sizes should be at least 1 each, got {tuple(sizes)}")
    if repeats < 1:
        raise ValueError(f"repeats should be at least 1, got {repeats}")
    for radius in radii:
        if isinstance(radius, str) and radius != MATCHED:
            raise ValueError(f"radius should be a number or {MATCHED!r}, got {radius!r}")
        if radius == MATCHED and metric != "l1":
            raise ValueError(f"radius {MATCHED!r} is a length in l1, got metric {metric!r}; give a number")
    if batch_size < 1:
        raise ValueError(f"batch_size should be at least 1, got {batch_size}")
    known = _labels(reference_labels, len(reference_images), "reference_")
    asked = _labels(labels, len(images), "")
    classes = np.unique(asked)
    if len(classes) < 2:
        raise ValueError(f"labels should hold at least two classes, got {classes.tolist()}")
    missing = np.setdiff1d(classes, known)
    if len(missing):
        raise ValueError(f"reference_labels should hold every class of labels, but lack {missing.tolist()}")
    reference = _encoded(encode, reference_images, batch_size, "reference_images")
    queries = _encoded(encode, images, batch_size, "images")
    chosen = [
        shuffled_matched_radius(reference, branches, batch_size, seed)
        if isinstance(radius, str)
        else float(radius)
        for radius in radii
    ]
    references = np.empty((len(sizes), len(classes)), dtype=np.int64)
    areas = np.empty((len(radii), len(sizes), len(classes), repeats))
    for c, label in enumerate(classes):
        members = np.flatnonzero(known == label)
        references[:, c] = np.minimum(sizes, len(members))
        draws = []
        for draw in range(repeats):
            order = torch.randperm(len(members), generator=seeded_generator(seed, _DRAWS, c, draw))
            draws += [order[: int(count)] for count in references[:, c]]
        scores = drawn_scores(
            reference[_rows(torch.from_numpy(members), reference)],
            queries,
            draws,
            branches=branches,
            radii=chosen,
            metric=metric,
            over_branches=over_branches,
        )
        for r, of_radius in enumerate(scores):
            found = [auc(of_draw, asked == label) for of_draw in of_radius]
            areas[r, :, c] = np.reshape(found, (repeats, len(sizes))).T
    return [
        OneClassReport(
            classes,
            tuple(sizes),
            references,
            of_radius,
            length,
            {
                "branches": branches,
                "radius": radius,
                "metric": metric,
                "over_branches": over_branches,
                "repeats": repeats,
                "seed": seed,
                "batch_size": batch_size,
            },
        )
        for radius, length, of_radius in zip(radii, chosen, areas, strict=True)
    ]


def shuffled_matched_radius(reference: Any, branches: int, batch_size: int, seed: int) -> float:
    """`matched_radius` of shuffled codes in batches of at most `batch_size`."""
    order = torch.randperm(len(reference), generator=seeded_generator(seed, _SHUFFLE))
    return matched_radius(
        reference[_rows(order, reference)], branches, batch_size=min(batch_size, len(reference))
    )


def _labels(labels: Any, count: int, prefix: str) -> Int[np.ndarray, " n"]:
    array = np.asarray(labels.detach().cpu() if isinstance(labels, torch.Tensor) else labels)
    if array.ndim != 1 or array.dtype.kind not in "iu":
        raise ValueError(
            f"{prefix}labels should be whole numbers of shape (n,), got {array.dtype} {array.shape}"
        )
    if len(array) != count:
        raise ValueError(f"{prefix}labels should be one per image, got {len(array)} for {count} images")
    return array.astype(np.int64)


@torch.no_grad()
def _encoded(encode: Callable[[Any], Any] | None, images: Any, batch_size: int, name: str) -> Any:
    """Codes (n, width), numpy or torch, whichever `encode` returns."""
    if encode is None:
        return images
    parts = [encode(images[first : first + batch_size]) for first in range(0, len(images), batch_size)]
    codes = torch.cat(parts) if isinstance(parts[0], torch.Tensor) else np.concatenate(parts)
    if len(codes) != len(images):
        raise ValueError(
            f"encode should return one code per image, got {len(codes)} for {len(images)} {name}"
        )
    return codes


def _rows(rows: torch.Tensor, codes: Any) -> Any:
    """An index of the kind and device of the codes."""
    return rows.to(codes.device) if isinstance(codes, torch.Tensor) else rows.numpy()
