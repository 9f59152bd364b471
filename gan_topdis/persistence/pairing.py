"""Runs the compiled kernels over a batch of matrices on CPU threads."""

from __future__ import annotations

import itertools
import logging
import os
import sys
import threading
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass

import numpy as np
import torch
from jaxtyping import Float, Int64
from torch import Tensor

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

    _for_each(count, prepare, work=count * edges)
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

    _for_each(len(lower_of), pair, work=len(lower_of) * edges)
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


# Threads: kernels release the GIL, so plain Python threads run them in parallel. numba's own prange
# would need one of its threading layers, of which the one that is always there must not be entered
# from two threads at once.
_pool: ThreadPoolExecutor | None = None
_pool_lock = threading.Lock()
_SMALLEST_SHARE = 2000
"""Edges below which waking another thread costs more than it saves."""


def _for_each(count: int, task: Callable[[int], None], *, work: int) -> None:
    """Run task(0) .. task(count - 1) on as many threads as torch uses."""
    threads = min(count, torch.get_num_threads(), 1 + work // _SMALLEST_SHARE)
    if threads <= 1:
        for index in range(count):
            task(index)
        return
    ticket = itertools.count()

    def drain() -> None:
        while (index := next(ticket)) < count:
            task(index)

    helpers = [_executor().submit(drain) for _ in range(threads - 1)]
    drain()
    for helper in helpers:
        helper.result()


def _executor() -> ThreadPoolExecutor:
    global _pool
    with _pool_lock:
        if _pool is None:
            _pool = ThreadPoolExecutor(os.cpu_count() or 1, thread_name_prefix="gan_topdis-persistence")
        return _pool


def _forget_pool() -> None:
    """Threads do not survive a fork (data loaders fork), nor do locks that one of them held: the child
    makes its own."""
    global _pool, _pool_lock, _kernel_lock
    _pool = None
    _pool_lock = threading.Lock()
    _kernel_lock = threading.Lock()


os.register_at_fork(after_in_child=_forget_pool)


_kernel_lock = threading.Lock()
_kernel_module = None


def _kernels():  # type: ignore[no-untyped-def]
    """The kernel module, compiled on first use or loaded from numba's cache; said when it takes a while."""
    global _kernel_module
    with _kernel_lock:
        if _kernel_module is None:
            announcement = threading.Timer(
                3.0,
                lambda: print(
                    "gan_topdis: preparing the persistence kernels "
                    "(compiled once per machine, about ten seconds)",
                    file=sys.stderr,
                    flush=True,
                ),
            )
            announcement.daemon = True
            announcement.start()
            try:
                from gan_topdis.persistence import cross_barcode_kernel

                two_points = np.zeros((2, 2))
                order = np.empty(1, np.int32)
                cross_barcode_kernel.inspect_matrix(two_points)
                cross_barcode_kernel.sort_edges(two_points, order)
                cross_barcode_kernel.sweep(two_points, two_points, order, order, np.empty((2, 3), np.int32))
            finally:
                announcement.cancel()
            _kernel_module = cross_barcode_kernel
        return _kernel_module
