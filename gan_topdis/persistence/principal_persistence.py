"""Principal persistence measures: bars of random tuples of 2 q + 2 points, of which each has at most one."""

from __future__ import annotations

import logging
from functools import cache, partial
from types import ModuleType

import numpy as np
import torch
from jaxtyping import Float, Int64
from torch import Tensor

from gan_topdis.persistence.compiled import load_kernels
from gan_topdis.persistence.devices import kernels_for
from gan_topdis.persistence.pairing import comparable
from gan_topdis.persistence.subsamples import draw_key, random_tuples
from gan_topdis.persistence.threads import for_each, thread_count
from gan_topdis.tensors import first_derivative_only

_log = logging.getLogger(__name__)


def principal_persistence(
    points: Float[Tensor, "n d"],
    dimension: int,
    subsamples: int | Int64[Tensor, "s corners"],
    *,
    replacement: bool = True,
    generator: torch.Generator | None = None,
) -> tuple[Float[Tensor, " s"], Float[Tensor, " s"]]:
    """Bars of H_q in the Vietoris-Rips filtrations of tuples of 2 q + 2 points, Euclidean distance.

    A tuple has one bar or none. With the distances from each of its points to the others,

        birth = max over points of the second farthest    (q = 0: of two points, 0)
        death = min over points of the farthest

    is its bar if birth < death. As a sample, the bars of independent tuples estimate the principal
    persistence measure of the law of the points.

    Args:
        points: finite, any unit of length.
        dimension: q >= 0.
        subsamples: a number s >= 1 of tuples to draw, or an index tensor (s, 2 q + 2) of points.
        replacement: whether a point may be drawn twice inside a tuple, which then has no bar for q >= 1
            and one of length 0 for q = 0. Of no meaning for an index tensor.
        generator: decides the tuples, by default torch's global one of the CPU. Tuple 17 is the same for
            any number of tuples and on any device.

    Returns:
        (birth, lifetime) of all s tuples in their order, in the unit and type of `points` (half precision:
        float32). lifetime = death - birth; 0 where a tuple has no bar, and birth then still is what the
        formula says, which belongs to no bar.

    Raises:
        TypeError: `points` is not floating point, or `subsamples` neither a number nor an integer tensor.
        ValueError: `points` is not (n, d) with n >= 1 or not finite, or distances overflow; q is negative;
            s < 1; without replacement n < 2 q + 2; an index tensor is not (s, 2 q + 2) in 0 .. n - 1.
            On a GPU, where looking would mean waiting, points that are not finite give NaN instead.

    Gradient: through two edges per bar, one whose length is the birth and one for the death: the unit
        difference vector at their ends, 0 at tuples without bar. Of equal lengths the one that comes
        first in the tuple counts. The same for any number of threads; not twice differentiable.
    Source: Gomez and Memoli, Curvature Sets Over Persistence Diagrams, arXiv:2103.04470 (2 q + 2 points);
        Wong, Lee, Yan, Towards Scalable Topological Regularizers, ICLR 2025.
    """
    require_points(points, "points")
    if not isinstance(dimension, int):
        raise TypeError(f"dimension should be a whole number, got {type(dimension).__name__}")
    if dimension < 0:
        raise ValueError(f"dimension should be at least 0, got {dimension}")
    size, n = 2 * dimension + 2, points.shape[0]
    if isinstance(subsamples, Tensor):
        tuples = _accepted(subsamples, size, n).to(points.device)
    elif isinstance(subsamples, int | np.integer) and not isinstance(subsamples, bool):
        if subsamples < 1:
            raise ValueError(f"subsamples should be at least 1, got {subsamples}")
        numbers = torch.arange(int(subsamples), device=points.device)
        tuples = random_tuples(draw_key(generator), numbers, size, n, replacement=replacement)
    else:
        raise TypeError(
            f"subsamples should be a number or an integer tensor (s, {size}), got {type(subsamples).__name__}"
        )
    return bars_of_tuples(points, tuples)


def bars_of_tuples(
    points: Float[Tensor, "n d"], tuples: Int64[Tensor, "s corners"]
) -> tuple[Float[Tensor, " s"], Float[Tensor, " s"]]:
    """`principal_persistence` of tuples known to be in range, on the device of the points."""
    if points.dtype not in (torch.float32, torch.float64):
        points = points.float()
    birth, lifetime = _Bars.apply(points, tuples)
    return birth, lifetime


class _Bars(torch.autograd.Function):
    @staticmethod
    def forward(ctx, points: Tensor, tuples: Tensor) -> tuple[Tensor, Tensor]:  # type: ignore[no-untyped-def]
        birth, lifetime, edges = bars_and_edges(points, tuples)
        ctx.save_for_backward(points, edges)
        return birth, lifetime

    @staticmethod
    @first_derivative_only
    def backward(ctx, grad_birth: Tensor, grad_lifetime: Tensor) -> tuple[Tensor, None]:  # type: ignore[no-untyped-def]
        points, edges = ctx.saved_tensors
        return scatter(points, edges, grad_birth, grad_lifetime), None


def bars_and_edges(
    points: Float[Tensor, "n d"], tuples: Int64[Tensor, "s corners"]
) -> tuple[Float[Tensor, " s"], Float[Tensor, " s"], Int64[Tensor, "s 4"]]:
    """Births, lifetimes and critical edges: points i, j of the birth, i, j of the death; all the same
    point where there is no bar. Gradients are not tracked.

    By Triton on a GPU, where NaN and infinity among the points make all results NaN; more than four
    points a tuple go through the CPU, which is logged.
    """
    if kernels_for(points) == "triton":
        if tuples.shape[1] <= 4:
            from gan_topdis.persistence import principal_persistence_triton

            birth, lifetime, edges = principal_persistence_triton.bars_and_edges(points, tuples)
            zero = (points.detach() - points.detach()).sum()
            return birth + zero, lifetime + zero, edges
        _say_once(tuples.shape[1], str(points.device))
    return _bars_and_edges_by_cpu(points, tuples)


@cache
def _say_once(size: int, device: str) -> None:
    _log.warning(
        "tuples of %d points on %s are computed on the CPU: Triton kernels take 2 or 4", size, device
    )


def _bars_and_edges_by_cpu(
    points: Float[Tensor, "n d"], tuples: Int64[Tensor, "s corners"]
) -> tuple[Float[Tensor, " s"], Float[Tensor, " s"], Int64[Tensor, "s 4"]]:
    # float64 once for each point is less work than once for each tuple that it is in
    values, corners = _doubles(points), tuples.cpu().contiguous().numpy()
    dtype = comparable(points[:0]).dtype
    (s, size), n = corners.shape, len(values)
    pairs, all_pairs = s * size * (size - 1) // 2, n * (n - 1) // 2
    kernel = _kernels(dtype)
    threads = thread_count(1 + min(pairs, all_pairs) * values.shape[1] // SMALLEST_SHARE)
    blocks = 4 * threads if threads > 1 else 1
    distances = np.empty((0, 0))
    if all_pairs < pairs:  # then all distances are less work than those of each tuple, and O(s) memory
        distances = np.empty((n, n))
        rows = [n * k // blocks for k in range(blocks + 1)]
        for_each(
            blocks,
            lambda k: kernel.fill_distances(values, rows[k], rows[k + 1], distances),
            threads=threads,
        )
    birth, lifetime, edges = np.empty(s, dtype), np.empty(s, dtype), np.empty((s, 4), np.int64)
    cuts = [s * k // blocks for k in range(blocks + 1)]
    overflows: list[int] = []  # lambdas, since tests decorate inner functions anew on every call
    for_each(
        blocks,
        lambda k: overflows.append(
            kernel.bars_of_tuples(values, corners, cuts[k], cuts[k + 1], distances, birth, lifetime, edges)
        ),
        threads=threads,
    )
    if any(overflows):
        raise ValueError(f"distances between points should fit in {dtype}; rescale the points")
    device = points.device
    return (
        torch.from_numpy(birth).to(device),
        torch.from_numpy(lifetime).to(device),
        torch.from_numpy(edges).to(device),
    )


SMALLEST_SHARE = 200_000
"""Coordinate differences below which waking another thread costs more than it saves."""


def scatter(
    points: Float[Tensor, "n d"],
    edges: Int64[Tensor, "s 4"],
    grad_birth: Float[Tensor, " s"],
    grad_lifetime: Float[Tensor, " s"],
) -> Float[Tensor, "n d"]:
    """Gradient at the points, given those of births and lifetimes; summed in float64, in a fixed order."""
    if kernels_for(points) == "triton":
        from gan_topdis.persistence import principal_persistence_triton

        return principal_persistence_triton.scatter(points, edges, grad_birth, grad_lifetime)
    values = _doubles(points)
    result = np.zeros(values.shape)
    _kernels(np.dtype(np.float64)).scatter(
        values, edges.cpu().numpy(), _doubles(grad_birth), _doubles(grad_lifetime), result
    )
    return torch.from_numpy(result).to(points.dtype).to(points.device)


def _doubles(values: Tensor) -> np.ndarray:
    array: np.ndarray = values.detach().cpu().double().contiguous().numpy()
    return array


def require_points(points: Tensor, name: str) -> None:
    """Refuse what is not (n, d), n >= 1, floating point and, where looking costs no waiting, finite."""
    if not isinstance(points, Tensor) or not points.is_floating_point():
        raise TypeError(f"{name} should be a floating-point torch.Tensor")
    if points.ndim != 2 or points.shape[0] == 0:
        raise ValueError(f"{name} should have shape (n, d) with n >= 1, got {tuple(points.shape)}")
    if points.device.type == "cpu" and not torch.isfinite(points).all():
        raise ValueError(f"{name} should be finite, got NaN or infinity")


def _accepted(tuples: Tensor, size: int, n: int) -> Int64[Tensor, "s corners"]:
    """The index tensor, if it is one."""
    if tuples.is_floating_point() or tuples.is_complex() or tuples.dtype == torch.bool:
        raise TypeError(f"subsamples should be an integer tensor (s, {size}), got {tuples.dtype}")
    if tuples.ndim != 2 or tuples.shape[1] != size:
        raise ValueError(f"subsamples should have shape (s, {size}), got {tuple(tuples.shape)}")
    tuples = tuples.long()
    if tuples.numel() and not 0 <= int(tuples.min()) <= int(tuples.max()) < n:
        raise ValueError(
            f"subsamples should hold indices 0 to {n - 1}, got {int(tuples.min())} to {int(tuples.max())}"
        )
    return tuples


def _kernels(dtype: np.dtype) -> ModuleType:
    return load_kernels(
        "gan_topdis.persistence.principal_persistence_kernel",
        partial(_first_calls, dtype=dtype),
        variant=dtype.name,
    )


def _first_calls(kernel: ModuleType, dtype: np.dtype) -> None:
    one, edges = np.zeros(1, dtype), np.zeros((1, 4), np.int64)
    points, distances, gradient = np.zeros((1, 1)), np.zeros((1, 1)), np.zeros(1)
    kernel.fill_distances(points, 0, 1, distances)
    kernel.bars_of_tuples(points, edges, 0, 1, distances, one, one.copy(), edges.copy())
    kernel.scatter(points, edges, gradient, gradient, distances)
