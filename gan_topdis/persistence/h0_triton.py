"""Minimum spanning trees on a GPU: Prim's algorithm, one Triton program per matrix.

The twin of `h0_kernel.trees_of_matrices`, with the same edges, ties included. A program keeps the shortest
edge of every vertex into the tree in registers and reads one row of its matrix per step; it writes nothing
that it reads again, so nothing has to be synchronised. The n steps of a matrix follow each other: a GPU is
busy only with a large batch.

Tested in Triton's interpreter; the tests have not run on a GPU. The connectivity loss was timed on an H200 on
2026-11-26: a step of the autoencoder with it takes 1.20 of one without (docs/connectivity.md).
"""

from __future__ import annotations

import torch
import triton
import triton.language as tl
from jaxtyping import Float, Int64
from torch import Tensor

NEVER = tl.constexpr(2**62)
"""Greater than the code of any edge."""


@triton.jit
def _grow_trees(distances, lengths, codes, n, BLOCK: tl.constexpr):  # type: ignore[no-untyped-def]
    """Write the n - 1 edges of the tree of matrix `program_id(0)`, in the order in which Prim finds them."""
    item = tl.program_id(0).to(tl.int64)
    matrix = distances + item * n * n
    vertex = tl.arange(0, BLOCK).to(tl.int64)
    outside = (vertex > 0) & (vertex < n)
    best = tl.full((BLOCK,), float("inf"), distances.dtype.element_ty)  # shortest known edge into the tree
    edge = tl.full((BLOCK,), NEVER, tl.int64)  # its code
    newest = item * 0
    for step in range(n - 1):
        row = tl.load(matrix + newest * n + vertex, mask=outside, other=float("inf"))
        code = tl.minimum(newest, vertex) * n + tl.maximum(newest, vertex)
        closer = outside & ((row < best) | ((row == best) & (code < edge)))
        best = tl.where(closer, row, best)
        edge = tl.where(closer, code, edge)
        shortest = tl.min(best, axis=0)
        first = tl.min(tl.where(best == shortest, edge, NEVER), axis=0)
        # an edge has one end outside the tree, so that no other vertex holds the same code
        newest = tl.min(tl.where(outside & (edge == first), vertex, n - 1), axis=0)
        place = item * (n - 1) + step
        tl.store(lengths + place, shortest)
        tl.store(codes + place, tl.where(first == NEVER, 0, first))
        joins = vertex == newest
        outside = outside & (vertex != newest)
        best = tl.where(joins, float("inf"), best)
        edge = tl.where(joins, NEVER, edge)


def tree_edges(distances: Float[Tensor, "b n n"]) -> Int64[Tensor, "b n-1"]:
    """Edges of minimum spanning trees as i * n + j, i < j, ascending by (length, i * n + j).

    Args:
        distances: symmetric, finite, on one device. Not checked, which would wait for the device: where an
            entry is NaN or infinite, edges of the result are meaningless, though in range.

    Returns:
        The edges of `h0.tree_edges`, on the device of `distances`, without waiting for it. Gradients are not
        tracked.

    Source: Prim, Bell System Technical Journal 36, 1957.
    """
    b, n, _ = distances.shape
    values = distances.detach()
    if values.dtype not in (torch.float32, torch.float64):
        values = values.float()  # exact from half precision
    codes = torch.zeros(b, n - 1, dtype=torch.int64, device=values.device)
    lengths = torch.zeros(b, n - 1, dtype=values.dtype, device=values.device)
    if codes.numel() == 0:
        return codes
    block = triton.next_power_of_2(n)
    with torch.cuda.device_of(values):
        _grow_trees[(b,)](
            values.contiguous(),
            lengths,
            codes,
            n,
            BLOCK=block,
            num_warps=max(1, min(16, block // 128)),
            enable_fp_fusion=False,
        )
    codes, order = codes.sort(dim=1)
    lengths = lengths.gather(1, order) + 0.0  # -0.0 becomes 0.0: equal lengths have equal bits
    return codes.gather(1, lengths.sort(dim=1, stable=True).indices)
