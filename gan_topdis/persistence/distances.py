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
        points: clouds of n points in d dimensions, any unit of length.
        p: 1, 2 or inf, the norm of a difference.

    Returns:
        Symmetric matrices with zero diagonal, in the unit of `points`.

    Raises:
        TypeError: `points` is no floating-point tensor.
        ValueError: `points` has fewer than two axes, or p is another number.

    Gradient: the unit difference vector (p = 2), signs (p = 1), the sign in every coordinate of largest
        difference (p = inf); 0 at coincident points. For p = 2 it is a difference of products, with a
        relative rounding error of about 20 eps / separation for points of a cloud of size 1.
    """
    if not isinstance(points, Tensor) or not points.is_floating_point():
        raise TypeError("points should be a floating-point torch.Tensor")
    if points.ndim < 2:
        raise ValueError(f"points should have shape (..., n, d), got {tuple(points.shape)}")
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
    """Forward by differences; backward by one matrix product.

    With h_ij = (g_ij + g_ji) / d_ij, the gradient at point i is sum_j h_ij (x_i - x_j), a graph
    Laplacian applied to the points. torch's own backward of cdist visits all n^2 d differences.
    """

    @staticmethod
    def forward(ctx, points: Tensor) -> Tensor:  # type: ignore[no-untyped-def]
        distances = torch.cdist(points, points, compute_mode="donot_use_mm_for_euclid_dist")
        ctx.save_for_backward(points, distances)
        return distances

    @staticmethod
    @torch.autograd.function.once_differentiable
    def backward(ctx, gradient: Tensor) -> Tensor:  # type: ignore[no-untyped-def]
        points, distances = ctx.saved_tensors
        both = gradient + gradient.transpose(-1, -2)
        weights = torch.where(distances > 0, both / distances, 0.0)  # (..., n, n)
        # differences are what counts: centring keeps digits when the cloud is far from the origin
        centred = points - points.mean(dim=-2, keepdim=True)
        result: Tensor = weights.sum(dim=-1, keepdim=True) * centred - weights @ centred
        return result


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
        kernel.fill_gradients(one, one, one, False, 0, 1, one.copy())

    return load_kernels("gan_topdis.persistence.distances_kernel", first_calls, variant=dtype.name)
