"""Exact distance matrices of point clouds."""

from __future__ import annotations

import math
from collections.abc import Callable
from types import ModuleType

import numpy as np
import torch
from jaxtyping import Float
from torch import Tensor

from gan_topdis.persistence.compiled import load_kernels
from gan_topdis.persistence.threads import for_each, thread_count


def pairwise_distances(points: Float[Tensor, "*batch n d"], p: float = 2.0) -> Float[Tensor, "*batch n n"]:
    """Distances between all points of each cloud, from exact differences.

    `torch.cdist` by default uses a matrix product above 25 points, which gives self-distances up to
    1e-2 and asymmetric entries: a different barcode. This function never does.

    Args:
        points: clouds of n points in d dimensions, any unit of length; half precision is computed in float32.
        p: 1, 2 or inf, the norm of a difference.

    Returns:
        Symmetric matrices with zero diagonal, in the unit of `points`.

    Raises:
        TypeError: `points` is no floating-point tensor.
        ValueError: `points` has fewer than two axes, or p is another number.

    Gradient: the unit difference vector (p = 2), signs (p = 1), the sign in every coordinate of largest
        difference (p = inf); 0 at coincident points. For p = 2 and points further apart than a hundredth of
        the cloud's size it is a difference of products: about 2000 eps of relative error at worst.
        Twice differentiable for p = 2; for p = 1 and infinity the second derivative is 0.
    """
    if not isinstance(points, Tensor) or not points.is_floating_point():
        raise TypeError("points should be a floating-point torch.Tensor")
    if points.ndim < 2:
        raise ValueError(f"points should have shape (..., n, d), got {tuple(points.shape)}")
    if points.dtype in (torch.float16, torch.bfloat16):
        return pairwise_distances(points.float(), p).to(points.dtype)
    if p == 2.0:
        distances: Tensor = _EuclideanDistances.apply(points)
        return distances
    if p in (1.0, math.inf):
        if points.device.type == "cpu" and points.dtype in (torch.float32, torch.float64):
            distances = _CompiledDistances.apply(points, p == math.inf)
            return distances
        return torch.cdist(points, points, p=p, compute_mode="donot_use_mm_for_euclid_dist")
    raise ValueError(f"p should be 1, 2 or inf, got {p}")


class _EuclideanDistances(torch.autograd.Function):
    """Forward by differences; backward by one matrix product, and by differences where points are close.

    With h_ij = (g_ij + g_ji) / d_ij, the gradient at point i is sum_j h_ij (x_i - x_j), a graph
    Laplacian applied to the points. torch's own backward of cdist visits all n^2 d differences. Under
    `create_graph` the same formula is tracked.
    """

    @staticmethod
    def forward(ctx, points: Tensor) -> Tensor:  # type: ignore[no-untyped-def]
        scale = _power_of_two(points)
        scaled = points if scale is None else points / scale
        distances = _euclidean(scaled.detach())
        if scale is not None:
            distances = distances * scale
        ctx.save_for_backward(points, distances)
        return distances

    @staticmethod
    def backward(ctx, gradient: Tensor) -> Tensor:  # type: ignore[no-untyped-def]
        points, distances = ctx.saved_tensors
        if points.numel() == 0:
            return torch.zeros_like(points)
        if torch.is_grad_enabled():
            distances = pairwise_distances(points)
        both = gradient + gradient.transpose(-1, -2)
        apart = distances > 0
        weights = torch.where(apart, both / torch.where(apart, distances, 1.0), 0.0)  # (..., n, n)
        # differences are what counts: centring keeps digits when the cloud is far from the origin
        centred = points - points.mean(dim=-2, keepdim=True)
        if torch.is_grad_enabled():
            return weights.sum(dim=-1, keepdim=True) * centred - weights @ centred
        # products of coordinates lose the digits of small differences, and 1 / d makes that visible
        size = centred.abs().amax(dim=(-2, -1), keepdim=True)
        close = (weights != 0) & (distances < _CLOSE * size)
        rows = close.flatten(0, -3).nonzero() if close.ndim > 2 else close[None].nonzero()
        if len(rows):
            near, weights = torch.where(close, weights, 0.0), torch.where(close, 0.0, weights)
        result: Tensor = weights.sum(dim=-1, keepdim=True) * centred - weights @ centred
        if len(rows):
            _add_differences(points, near, rows, result)
        return result


_CLOSE = 1e-2
"""Distance, as a share of the size of the cloud, below which differences are taken one by one."""
_DIFFERENCES_AT_ONCE = 2**22


def _add_differences(points: Tensor, weights: Tensor, rows: Tensor, result: Tensor) -> None:
    """Add weights[c, i, j] (x_i - x_j) to row i of cloud c of the result, for the listed (c, i, j)."""
    n, d = points.shape[-2:]
    clouds, sums = points.reshape(-1, n, d), result.view(-1, n, d)
    entries = weights.reshape(-1, n, n)
    for c, i, j in (part.unbind(1) for part in rows.split(max(1, _DIFFERENCES_AT_ONCE // max(d, 1)))):
        steps = entries[c, i, j][:, None] * (clouds[c, i] - clouds[c, j])
        sums.index_put_((c, i), steps, accumulate=True)


def _euclidean(points: Tensor) -> Tensor:
    """By the CPU kernel where there is one, else by torch; NaN where a point has one, its own place apart."""
    if points.device.type != "cpu" or points.dtype not in (torch.float32, torch.float64):
        return torch.cdist(points, points, compute_mode="donot_use_mm_for_euclid_dist")
    n, d = points.shape[-2:]
    distances = (points.new_empty if d else points.new_zeros)(*points.shape[:-1], n)
    if distances.numel() and d:
        values = points.contiguous().view(-1, n, d).numpy()
        matrices = distances.view(-1, n, n).numpy()
        fill = _kernels(values.dtype).fill_euclidean
        folds = (n + 1) // 2
        _share_rows(len(values) * folds, n * d, lambda first, last: fill(values, first, last, matrices))
    return distances


def _power_of_two(points: Tensor) -> Tensor | None:
    """A factor that brings coordinates near 1 where their squares could overflow or vanish, else None.

    On the CPU only: on a GPU the question would mean waiting for the answer.
    """
    if points.device.type != "cpu" or points.numel() == 0:
        return None
    largest = points.detach().abs().amax()
    if not torch.isfinite(largest) or largest == 0 or 1e-12 < largest < 1e12:
        return None
    return torch.ldexp(torch.ones_like(largest), torch.frexp(largest).exponent)


class _CompiledDistances(torch.autograd.Function):
    """l1 distances, or maximum distances if `largest`, by the CPU kernels in both directions."""

    @staticmethod
    def forward(ctx, points: Tensor, largest: bool) -> Tensor:  # type: ignore[no-untyped-def]
        clouds = points.detach().contiguous()
        n, d = points.shape[-2:]
        distances = (points.new_empty if d else points.new_zeros)(*points.shape[:-1], n)
        if distances.numel() and d:
            values, rows = clouds.view(-1, n, d).numpy(), distances.view(-1, n, n).numpy()
            fill = _kernels(values.dtype).fill_distances
            _share_rows(len(values) * n, n * d, lambda first, last: fill(values, largest, first, last, rows))
        ctx.largest = largest
        ctx.save_for_backward(clouds, distances)
        return distances

    @staticmethod
    @torch.autograd.function.once_differentiable
    def backward(ctx, gradient: Tensor) -> tuple[Tensor, None]:  # type: ignore[no-untyped-def]
        clouds, distances = ctx.saved_tensors
        result = torch.empty_like(clouds)
        if result.numel():
            n, d = clouds.shape[-2:]
            values, lengths, weights, rows = (
                tensor.contiguous().view(-1, n, width).numpy()
                for tensor, width in ((clouds, d), (distances, n), (gradient, n), (result, d))
            )
            fill = _kernels(values.dtype).fill_gradients
            _share_rows(
                len(values) * n,
                n * d,
                lambda first, last: fill(values, lengths, weights, ctx.largest, first, last, rows),
            )
        return result, None


def _share_rows(rows: int, cost: int, task: Callable[[int, int], None]) -> None:
    """Run task(first, last) on equal shares of rows, one a thread; no row depends on the shares."""
    shares = max(1, min(rows, thread_count(1 + rows * cost // SMALLEST_SHARE)))
    for_each(shares, lambda s: task(rows * s // shares, rows * (s + 1) // shares), threads=shares)


SMALLEST_SHARE = 5_000_000
"""Coordinate differences below which waking another thread costs more than it saves."""


def _kernels(dtype: np.dtype) -> ModuleType:
    def first_calls(kernel: ModuleType) -> None:
        one = np.zeros((1, 1, 1), dtype)
        kernel.fill_distances(one, False, 0, 1, one.copy())
        kernel.fill_euclidean(one, 0, 1, one.copy())
        kernel.fill_gradients(one, one, one, False, 0, 1, one.copy())

    return load_kernels("gan_topdis.persistence.distances_kernel", first_calls, variant=dtype.name)
