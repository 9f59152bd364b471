"""Dimension 0 of the Vietoris-Rips filtration: minimum spanning trees, in batches."""

from __future__ import annotations

from types import ModuleType

import numpy as np
import torch
from jaxtyping import Float, Int64
from torch import Tensor

from gan_topdis.persistence.compiled import load_kernels
from gan_topdis.persistence.devices import kernels_for
from gan_topdis.persistence.distances import pairwise_distances
from gan_topdis.persistence.pairing import are_accepted, comparable, refuse
from gan_topdis.persistence.threads import for_each, thread_count
from gan_topdis.tensors import require_square


def h0_deaths(distances: Float[Tensor, "*batch n n"]) -> Float[Tensor, "*batch n-1"]:
    """Lengths at which the components of a Vietoris-Rips filtration merge, all n - 1 of them.

    They are the lengths of the edges of the minimum spanning tree: of n points born at 0, one never
    dies. Points that coincide merge at 0, and these deaths are kept.

    Args:
        distances: symmetric, zero diagonal, finite, non-negative; n >= 1; any unit of length.

    Returns:
        Deaths in ascending order, in the unit of `distances`; full distances, not radii.

    Raises:
        TypeError: not floating point.
        ValueError: not (..., n, n) with n >= 1, or a matrix is not as above.

    Gradient: 1 at one entry (i, j), i < j, per death: its tree edge. Among edges of equal length the
        tree takes the smaller (i, j) first.
    Source: Robins, Computing Topology at Multiple Resolutions, PhD thesis 2000 (deaths are tree edges);
        Prim, Bell System Technical Journal 36, 1957.
    """
    require_square(distances, "distances")
    return distances.flatten(-2).gather(-1, tree_edges(distances))


def tree_edges(
    distances: Float[Tensor, "*batch n n"], name: str = "distances"
) -> Int64[Tensor, "*batch n-1"]:
    """Edges of minimum spanning trees as i * n + j, i < j, ascending by (length, i * n + j).

    Computed on the CPU or by Triton, see `devices`; the edges are the same. Gradients are not tracked.

    Args and errors: those of `h0_deaths`, which call the matrix `name`.
    """
    batch, n = distances.shape[:-2], distances.shape[-1]
    if kernels_for(distances) == "triton" and are_accepted(distances):
        from gan_topdis.persistence import h0_triton

        return h0_triton.tree_edges(distances.reshape(batch.numel(), n, n)).reshape(*batch, n - 1)
    values = comparable(distances).reshape(batch.numel(), n, n)
    codes = _run("trees_of_matrices", values, len(values), n, name)
    return codes.reshape(*batch, n - 1).to(distances.device)


def l1_tree_edges(points: Float[Tensor, "n b d"]) -> Int64[Tensor, "b n-1"]:
    """`tree_edges` of b clouds under the l1 distance: point v of cloud k is points[v, k].

    The kernel of the CPU reads the points, which saves the matrices. Devices add coordinates in another
    order, which decides between edges that are equal up to rounding.

    Raises:
        ValueError: a coordinate, or the distance of two points joined by the tree, is not finite.
    """
    if kernels_for(points) == "triton":
        return tree_edges(pairwise_distances(points.detach().transpose(0, 1), p=1.0), "codes")
    n, b, _ = points.shape
    return _run("trees_of_points", comparable(points), b, n, "codes").to(points.device)


def _run(kernel: str, values: np.ndarray, items: int, n: int, name: str) -> Int64[Tensor, "items edges"]:
    """Call a kernel on equal shares of a batch, one a thread."""
    trees = getattr(_kernels(values.dtype), kernel)
    codes = np.empty((items, n - 1), np.int64)
    reasons = np.empty(items, np.int64)
    shares = max(1, min(items, thread_count(1 + values.size // SMALLEST_SHARE)))

    def share(s: int) -> None:
        trees(values, items * s // shares, items * (s + 1) // shares, codes, reasons)

    for_each(shares, share, threads=shares)
    refuse(reasons, [name] * items)
    return torch.from_numpy(codes)


SMALLEST_SHARE = 200_000
"""Numbers to read below which waking another thread costs more than it saves."""


def _kernels(dtype: np.dtype) -> ModuleType:
    def first_calls(kernel: ModuleType) -> None:
        codes, reasons = np.empty((1, 1), np.int64), np.empty(1, np.int64)
        kernel.trees_of_matrices(np.zeros((1, 2, 2), dtype), 0, 1, codes, reasons)
        kernel.trees_of_points(np.zeros((2, 1, 1), dtype), 0, 1, codes, reasons)

    return load_kernels("gan_topdis.persistence.h0_kernel", first_calls, variant=dtype.name)
