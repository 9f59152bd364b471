"""Runs the compiled kernels over a batch of matrices on CPU threads."""

from __future__ import annotations

import logging
from collections.abc import Sequence
from dataclasses import dataclass
from types import ModuleType

import numpy as np
import torch
from jaxtyping import Float, Int64
from torch import Tensor

from gan_topdis.persistence.compiled import load_kernels
from gan_topdis.persistence.threads import for_each, thread_count

logger = logging.getLogger(__name__)


@dataclass(frozen=True)
class Pairing:
    """Where the births and deaths of a batch of barcodes are to be read.

    Attributes:
        birth, death: positions in the flattened stack of matrices, (b, r). Rows with fewer than r
            bars of positive length end in pairs of one and the same diagonal entry, of length 0.
    """

    birth: Int64[Tensor, "b r"]
    death: Int64[Tensor, "b r"]


def pair_cross_barcodes(
    matrices: Float[Tensor, "m n n"],
    lower_of: list[int],
    upper_of: list[int],
    *,
    names: Sequence[str | None],
) -> Pairing:
    """Pair the cross-barcodes R(matrices[upper]; matrices[lower]) of chosen pairs of matrices.

    Every matrix is sorted once, however many barcodes read it. Numbers are compared as float64, which
    holds float32 exactly.

    Args:
        matrices: distance matrices; gradients are not tracked here.
        lower_of, upper_of: b indices of matrices each, `matrices[lower] <= matrices[upper]`.
        names: what to call each matrix in an error; None for one that needs no check because it is
            made of checked ones.

    Raises:
        ValueError: a named matrix is no distance matrix, or a lower entry exceeds the upper one.
    """
    if matrices.device.type != "cpu":
        _log_fallback(str(matrices.device))
    values = matrices.detach().cpu().double().contiguous().numpy()
    kernel = _kernels()
    count, n, _ = values.shape
    edges = n * (n - 1) // 2
    orders = np.empty((count, edges), np.int32)
    reasons = [0] * count

    def prepare(m: int) -> None:
        if names[m] is not None:
            reasons[m] = kernel.inspect_matrix(values[m])
        if reasons[m] == kernel.ACCEPTED:
            kernel.sort_edges(values[m], orders[m])

    for_each(count, prepare, threads=thread_count(1 + count * edges // _SMALLEST_SHARE))
    for name, reason in zip(names, reasons, strict=True):
        if reason != kernel.ACCEPTED:
            raise ValueError(_refusal(str(name), reason, kernel))

    found: list[np.ndarray] = [np.empty((0, 3), np.int32)] * len(lower_of)
    in_order = [True] * len(lower_of)

    def pair(b: int) -> None:
        low, high = lower_of[b], upper_of[b]
        room = 4 * n  # clouds have 0.5 n to 2.7 n bars, more in higher dimensions
        while True:
            pairs = np.empty((room, 3), np.int32)
            bars = kernel.sweep(values[low], values[high], orders[low], orders[high], pairs)
            if bars <= room:
                break
            room = bars
        in_order[b] = bars >= 0
        found[b] = pairs[: max(bars, 0)]

    for_each(len(lower_of), pair, threads=thread_count(1 + len(lower_of) * edges // _SMALLEST_SHARE))
    if not all(in_order):
        raise ValueError("lower should not exceed upper anywhere; the cross-barcode needs lower <= upper")

    bars = max((len(pairs) for pairs in found), default=0)
    birth = np.empty((len(found), bars), np.int64)
    death = np.empty((len(found), bars), np.int64)
    for b, pairs in enumerate(found):
        low, high = lower_of[b] * n * n, upper_of[b] * n * n
        r = len(pairs)
        birth[b, :r] = low + pairs[:, 0]
        death[b, :r] = np.where(pairs[:, 2] == 1, high, low) + pairs[:, 1]
        birth[b, r:] = death[b, r:] = low  # entry (0, 0)
    device = matrices.device
    return Pairing(torch.from_numpy(birth).to(device), torch.from_numpy(death).to(device))


def _refusal(name: str, reason: int, kernel) -> str:  # type: ignore[no-untyped-def]
    return {
        kernel.NOT_FINITE: f"{name} should be finite, got NaN or infinity",
        kernel.NEGATIVE: f"{name} should hold no negative distance",
        kernel.DIAGONAL: f"{name} should have a diagonal of zeros; use pairwise_distances, "
        "or torch.cdist with compute_mode='donot_use_mm_for_euclid_dist'",
        kernel.ASYMMETRIC: f"{name} should be exactly symmetric; use pairwise_distances, "
        "or torch.maximum(d, d.mT)",
    }[reason]


_logged_fallbacks: set[str] = set()


def _log_fallback(device: str) -> None:
    """Say once per device that the pairing leaves it."""
    if device not in _logged_fallbacks:
        _logged_fallbacks.add(device)
        logger.warning("cross-barcodes of tensors on %s are paired by the CPU kernel", device)


_SMALLEST_SHARE = 2000
"""Edges below which waking another thread costs more than it saves."""


def _kernels() -> ModuleType:
    def first_calls(kernel: ModuleType) -> None:
        two_points = np.zeros((2, 2))
        order = np.empty(1, np.int32)
        kernel.inspect_matrix(two_points)
        kernel.sort_edges(two_points, order)
        kernel.sweep(two_points, two_points, order, order, np.empty((2, 3), np.int32))

    return load_kernels("gan_topdis.persistence.cross_barcode_kernel", first_calls)
