"""One-class score of a code: how many reference codes lie near it, branch by branch."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import TypeVar

import numpy as np
import torch
from jaxtyping import Float, Int64
from torch import Tensor

Codes = TypeVar("Codes", np.ndarray, Tensor)
"""numpy or torch: what goes in comes out."""

METRICS = ("l1", "l2", "linf")
OVER_BRANCHES = ("sum", "mean", "max")

PAIRS_ON_CPU = 1 << 18
"""Pairs of codes, over all branches, whose distances are held at a time: 1 MB, near the processor."""
PAIRS_ELSEWHERE = 1 << 24
"""The same on a GPU, which wants large pieces."""


@torch.no_grad()
def one_class_scores(
    reference_codes: Codes,
    codes: Codes,
    *,
    branches: int,
    radius: float,
    metric: str = "l1",
    over_branches: str = "sum",
    pairs_at_once: int | None = None,
) -> Codes:
    """Number of reference codes in the closed ball around each code, summed over branches.

    Columns k d .. (k + 1) d - 1 of the codes are branch k, a space of its own. A code that is itself among
    the references counts itself.

    Args:
        reference_codes: (m, branches * d), codes of the one class; floating point.
        codes: (n, branches * d), to be scored; n may be 0.
        radius: >= 0, in the unit of the codes, rounded to their type; eta for codes of the connectivity loss,
            `matched_radius` for others.
        metric: of a branch, one of `l1`, `l2`, `linf`; the loss and the published numbers use `l1`.
        over_branches: `sum`, `mean` or `max` of the counts.
        pairs_at_once: bounds the memory; the result does not depend on it. A size that suits the device
            when None.

    Returns:
        (n,) scores, greater for codes more like the references: numpy for numpy, torch on the same device
        for torch. int64, and at most m * branches; for `mean` floating point, in the type of the codes or
        float32 if that is shorter.

    Raises:
        TypeError: not both numpy or both torch, not floating point, or of two types or devices.
        ValueError: shapes do not fit `branches` or each other, a code is not finite, an option is unknown.

    Gradient: none; a count has none.
    Source: Hofer, Kwitt, Dixit, Niethammer, Connectivity-Optimized Representation Learning via
        Persistent Homology, ICML 2019, one-class experiments.
    """
    (scores,) = drawn_scores(
        reference_codes,
        codes,
        [torch.arange(len(reference_codes))],
        branches=branches,
        radii=[radius],
        metric=metric,
        over_branches=over_branches,
        pairs_at_once=pairs_at_once,
    )
    return scores[0] if isinstance(codes, Tensor) else scores[0].numpy()


@torch.no_grad()
def drawn_scores(
    reference_codes: Codes,
    codes: Codes,
    draws: Sequence[Int64[Tensor, " drawn"]],
    *,
    branches: int,
    radii: Sequence[float],
    metric: str = "l1",
    over_branches: str = "sum",
    pairs_at_once: int | None = None,
) -> list[Tensor]:
    """`one_class_scores` of several draws out of one class at several radii; distances are computed once.

    Args:
        draws: row numbers of `reference_codes` on the CPU, no row twice in a draw.
        radii: each as the radius of `one_class_scores`, as are the other arguments and the errors.

    Returns:
        For each radius scores (draws, n), torch, on the device of the codes.
    """
    _require_options(radii, metric, over_branches, pairs_at_once)
    reference = _by_branch(reference_codes, "reference_codes", branches)  # (branches, m, d)
    queries = _by_branch(codes, "codes", branches)  # (branches, n, d)
    if isinstance(reference_codes, Tensor) != isinstance(codes, Tensor):
        raise TypeError("reference_codes and codes should both be numpy or both be torch")
    if reference.dtype != queries.dtype or reference.device != queries.device:
        raise TypeError(
            "reference_codes and codes should have one type and device, got "
            f"{reference.dtype} on {reference.device} and {queries.dtype} on {queries.device}"
        )
    if reference.shape[2] != queries.shape[2]:
        raise ValueError(
            "reference_codes and codes should be equally wide, got "
            f"{branches * reference.shape[2]} and {branches * queries.shape[2]} columns"
        )
    if reference.shape[1] == 0:
        raise ValueError("reference_codes should hold at least one code, got none")
    drawn = torch.zeros(reference.shape[1], len(draws))  # (m, draws), 1 where a code is in a draw
    for column, rows in enumerate(draws):
        drawn[rows, column] = 1
    used = drawn.any(dim=1)
    drawn = drawn[used].to(queries.device)
    columns = reference[:, used.to(reference.device)].transpose(1, 2).contiguous()  # coordinates one by one
    pairs = pairs_at_once or (PAIRS_ON_CPU if queries.device.type == "cpu" else PAIRS_ELSEWHERE)
    high = max(1, pairs // (branches * max(1, min(len(drawn), pairs // branches))))
    kept: list[list[Tensor]] = [[] for _ in radii]
    for rows in queries.split(high, dim=1):
        for scores, counts in zip(
            kept, _counts(columns, rows, drawn, radii, metric, max(1, pairs // branches)), strict=True
        ):
            if over_branches == "max":
                scores.append(counts.amax(dim=0))
            elif over_branches == "sum":
                scores.append(counts.sum(dim=0))
            else:
                scores.append(counts.sum(dim=0).to(queries.dtype) / branches)
    return [torch.cat(scores).T for scores in kept]  # (draws, n) each


def _counts(
    columns: Float[Tensor, "branches d m"],
    rows: Float[Tensor, "branches n d"],
    drawn: Float[Tensor, "m draws"],
    radii: Sequence[float],
    metric: str,
    wide: int,
) -> Int64[Tensor, "radii branches n draws"]:
    """Counts over blocks of `wide` references. They are whole numbers far below 2^24, which float32 adds
    exactly in any order."""
    counts = torch.zeros(
        len(radii), len(rows), rows.shape[1], drawn.shape[1], dtype=torch.int64, device=rows.device
    )
    for left in range(0, len(drawn), wide):
        distances = _distances(columns[:, :, left : left + wide], rows, metric)
        for r, radius in enumerate(radii):
            counts[r] += ((distances <= radius).float() @ drawn[left : left + wide]).long()
    return counts


def _distances(
    columns: Float[Tensor, "branches d m"], rows: Float[Tensor, "branches n d"], metric: str
) -> Float[Tensor, "branches n m"]:
    """Coordinates are added in their order, whatever the block, so that a tie at the radius stays one."""
    total = torch.zeros(len(rows), rows.shape[1], columns.shape[2], dtype=rows.dtype, device=rows.device)
    term = torch.empty_like(total)
    for c in range(rows.shape[2]):
        torch.sub(rows[:, :, c, None], columns[:, c, None, :], out=term)
        if metric == "l1":
            total.add_(term.abs_())
        elif metric == "l2":
            total.add_(term.square_())
        else:
            torch.maximum(total, term.abs_(), out=total)
    return total.sqrt_() if metric == "l2" else total


def _by_branch(codes: Codes, name: str, branches: int) -> Float[Tensor, "branches n d"]:
    """Checked codes, branch by branch; half precision widened, which is exact."""
    if isinstance(codes, np.ndarray):
        if codes.dtype.kind != "f":
            raise TypeError(f"{name} should be floating point, got {codes.dtype}")
        values = torch.from_numpy(np.array(codes, dtype=np.promote_types(codes.dtype, np.float32)))
    elif isinstance(codes, Tensor):
        if not codes.is_floating_point():
            raise TypeError(f"{name} should be floating point, got {codes.dtype}; use .float()")
        values = codes.detach().to(torch.promote_types(codes.dtype, torch.float32))
    else:
        raise TypeError(f"{name} should be a numpy array or a torch.Tensor, got {type(codes).__name__}")
    if branches < 1:
        raise ValueError(f"branches should be at least 1, got {branches}")
    if values.ndim != 2 or values.shape[1] == 0 or values.shape[1] % branches:
        raise ValueError(
            f"{name} should have shape (n, {branches} * d) with d >= 1, got {tuple(values.shape)}; "
            "the width is the number of branches times the dimension of one"
        )
    if not torch.isfinite(values).all():
        raise ValueError(f"{name} should be finite, got NaN or infinity")
    return values.unflatten(1, (branches, -1)).transpose(0, 1)


def _require_options(
    radii: Sequence[float], metric: str, over_branches: str, pairs_at_once: int | None
) -> None:
    for radius in radii:
        if not (radius >= 0 and math.isfinite(radius)):
            raise ValueError(f"radius should be finite and at least 0, got {radius}")
    if metric not in METRICS:
        raise ValueError(f"metric should be one of {', '.join(METRICS)}, got {metric!r}")
    if over_branches not in OVER_BRANCHES:
        raise ValueError(f"over_branches should be one of {', '.join(OVER_BRANCHES)}, got {over_branches!r}")
    if pairs_at_once is not None and pairs_at_once < 1:
        raise ValueError(f"pairs_at_once should be at least 1, got {pairs_at_once}")
