"""Where births and deaths of a batch of cross-barcodes are to be read: the sweep, on CPU threads or a GPU."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from types import ModuleType

import numpy as np
import torch
from jaxtyping import Bool, Float, Int64
from torch import Tensor

from gan_topdis.persistence.compiled import load_kernels
from gan_topdis.persistence.devices import kernels_for
from gan_topdis.persistence.threads import for_each, thread_count

A, B, MINIMUM, MAXIMUM = range(4)
"""Kinds of matrix: one of the two that are given, or their entrywise minimum or maximum."""

LARGEST = 32767
"""Points that an edge code i << 16 | j has room for; the matrix of so many has a billion entries."""


@dataclass(frozen=True)
class Pairing:
    """Bars of `items` pairs of matrices times `terms` cross-barcodes each.

    Attributes:
        birth, death: positions i * n + j (i < j) in a matrix, in order of death. Barcodes with fewer than r
            bars of positive length end in pairs of the first diagonal entry, of length 0.
        death_in_upper: whether the death is read from the upper matrix of its term, else from the lower.
    """

    birth: Int64[Tensor, "items terms r"]
    death: Int64[Tensor, "items terms r"]
    death_in_upper: Bool[Tensor, "items terms r"]


def pair_cross_barcodes(
    a: Float[Tensor, "items n n"],
    b: Float[Tensor, "items n n"],
    terms: Sequence[tuple[int, int]],
    *,
    names: tuple[str, str],
) -> Pairing:
    """Pair the cross-barcodes R(upper; lower) of each item, (lower, upper) being kinds of matrix.

    Each matrix is sorted once per item, as far as the bars reach. No result depends on the size of the
    batch or on the number of threads; gradients are not tracked here.

    Args:
        terms: pairs of kinds, such as (MINIMUM, A).
        names: what to call a and b in an error.

    Raises:
        ValueError: a matrix is no distance matrix, is too large, or a term (A, B) has a above b somewhere.
    """
    items, n, _ = a.shape
    require_room(n, names[0])
    if kernels_for(a) == "triton" and items and n > 1 and are_accepted(torch.stack([a, b])):
        if (A, B) in terms and bool((a > b).any()):
            raise ValueError(_NOT_BELOW)
        from gan_topdis.persistence import device_pairing

        return device_pairing.pair_cross_barcodes(a.detach(), b.detach(), terms)
    values, others = comparable(a), comparable(b)
    kernel = _kernels(values.dtype)
    edges = n * (n - 1) // 2
    kinds = np.asarray(terms, np.int64)
    threads = thread_count(1 + items * len(terms) * edges // SMALLEST_SHARE)
    # one task is a run of items, or some terms of one item where there are more threads than items
    runs = np.array_split(np.arange(items), 4 * threads if items >= threads else max(items, 1))
    parts = np.array_split(np.arange(len(terms)), 1 if items >= threads else min(len(terms), threads))
    tasks = [(run[0], run[-1] + 1, part[0], part[-1] + 1) for run in runs if len(run) for part in parts]
    refusals = np.zeros((items, 2), np.int64)
    bars = np.zeros((items, len(terms)), np.int64)
    room = 4 * n  # clouds have 0.5 n to 2.7 n bars, more in higher dimensions
    while True:
        pairs = np.empty((items, len(terms), room, 3), np.int32)

        def pair(task: int, pairs: np.ndarray = pairs) -> None:
            scratch = np.empty((4, n, n), values.dtype)
            kernel.pair_cross_barcodes(
                values, others, kinds, *tasks[task], scratch, unsigned(scratch), pairs, bars, refusals
            )

        for_each(len(tasks), pair, threads=threads)
        refuse(refusals[:, 1], [names[kind] for kind in refusals[:, 0]])
        longest = int(bars.max(initial=0))
        if longest <= room:
            break
        room = longest
    pairs = pairs[:, :, :longest]
    present = np.arange(longest) < bars[:, :, None]
    codes = np.where(present[..., None], pairs[..., :2], 0)
    positions = torch.from_numpy((codes >> 16).astype(np.int64) * n + (codes & 0xFFFF)).to(a.device)
    in_upper = torch.from_numpy(present & (pairs[..., 2] == 1)).to(a.device)
    return Pairing(birth=positions[..., 0], death=positions[..., 1], death_in_upper=in_upper)


_NOT_BELOW = "lower should not exceed upper anywhere; the cross-barcode needs lower <= upper"

SMALLEST_SHARE = 50_000
"""Edges below which waking another thread costs more than it saves."""


def comparable(matrices: Tensor) -> np.ndarray:
    """Contiguous float32 or float64 values on the CPU; half precision becomes float32, which is exact."""
    values = matrices.detach()
    if values.dtype not in (torch.float32, torch.float64):
        values = values.float()
    array: np.ndarray = values.cpu().contiguous().numpy()
    return array


def unsigned(values: np.ndarray) -> np.ndarray:
    """The same memory as unsigned integers of the same width."""
    return values.view(np.uint32 if values.dtype == np.float32 else np.uint64)


def require_room(n: int, name: str) -> None:
    if n > LARGEST:
        raise ValueError(f"{name} should hold at most {LARGEST} points, got {n}; draw a subsample")


def refuse(reasons: np.ndarray, names: Sequence[str]) -> None:
    """Raise for the first matrix that a kernel did not accept."""
    if not reasons.any():
        return
    from gan_topdis.persistence import edge_order_kernel as kernel

    first = int(reasons.nonzero()[0][0])
    name = names[first]
    raise ValueError(
        {
            kernel.NOT_FINITE: f"{name} should be finite, got NaN or infinity",
            kernel.NEGATIVE: f"{name} should hold no negative distance",
            kernel.DIAGONAL: f"{name} should have a diagonal of zeros; use pairwise_distances, "
            "or torch.cdist with compute_mode='donot_use_mm_for_euclid_dist'",
            kernel.ASYMMETRIC: f"{name} should be exactly symmetric; use pairwise_distances, "
            "or torch.maximum(d, d.mT)",
            kernel.NOT_BELOW: _NOT_BELOW,
        }[reasons[first]]
    )


def are_accepted(distances: Float[Tensor, "*batch n n"]) -> bool:
    """Whether all are distance matrices; waits for the device once."""
    good = distances.isfinite() & (distances >= 0) & (distances == distances.mT)
    return bool(good.all() & (distances.diagonal(dim1=-2, dim2=-1) == 0).all())


def refuse_wrong_matrix(distances: np.ndarray, name: str) -> None:
    """Raise where one float32 or float64 (n, n) matrix is no distance matrix."""
    from gan_topdis.persistence.edge_order_kernel import inspect_matrix

    refuse(np.array([inspect_matrix(distances)]), [name])


def _kernels(dtype: np.dtype) -> ModuleType:
    def first_calls(kernel: ModuleType) -> None:
        two_points = np.zeros((1, 2, 2), dtype)
        scratch = np.empty((4, 2, 2), dtype)
        kernel.pair_cross_barcodes(
            two_points,
            two_points,
            np.zeros((1, 2), np.int64),
            *(0, 1, 0, 1),
            scratch,
            unsigned(scratch),
            np.empty((1, 1, 2, 3), np.int32),
            np.zeros((1, 1), np.int64),
            np.zeros((1, 2), np.int64),
        )

    return load_kernels("gan_topdis.persistence.cross_barcode_kernel", first_calls, variant=dtype.name)
