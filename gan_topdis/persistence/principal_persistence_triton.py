"""Bars of pairs and of quadruples of points on a GPU, and the scatter of their gradients, by Triton.

The twin of `principal_persistence_kernel`: the same definition, the same rule for ties (of equals the first
of the tuple) and the same order of additions, so that births, lifetimes and edges are equal to the last bit.
A program computes the one or six distances of a block of tuples from exact differences, a few coordinates at
a time, and keeps them in registers. Gradients are collected by the points: one program per point walks over
the edges that end there in a fixed order, without atomics. No program reads what a program of the same
kernel has written.

Tested in Triton's interpreter; the tests have not run on a GPU. PPM-Reg was timed on an H200 on 2026-11-26
(docs/gan.md).
"""

from __future__ import annotations

import torch
import triton
import triton.language as tl
from jaxtyping import Float, Int64
from torch import Tensor

LANES = tl.constexpr(8)
"""Running sums per distance, as in the CPU kernel."""

TUPLES = 16
EDGES = 16


@triton.jit
def _distance(points, i, j, present, d, T: tl.constexpr):  # type: ignore[no-untyped-def]
    """float64 distances of points i (T,) and j (T,); 0 where not present.

    Functions called by a kernel cost a millisecond each in the interpreter: hence one long one.
    """
    lane = tl.arange(0, LANES)[None, :]
    x, y = points + i[:, None] * d + lane, points + j[:, None] * d + lane
    squares = tl.zeros((T, LANES), tl.float64)
    whole = d // LANES * LANES
    for c in range(0, whole, LANES):
        at_x = tl.load(x + c, mask=present[:, None], other=0.0).to(tl.float64)
        at_y = tl.load(y + c, mask=present[:, None], other=0.0).to(tl.float64)
        squares += (at_x - at_y) * (at_x - at_y)
    # ((s0 + s4) + (s1 + s5)) + ((s2 + s6) + (s3 + s7)), in the order of the CPU kernel
    fours = tl.sum(tl.reshape(squares, (T, 2, 4)), axis=1)
    total = tl.sum(tl.sum(tl.reshape(fours, (T, 2, 2)), axis=2), axis=1)
    for c in range(whole, d):
        one_x = tl.load(points + i * d + c, mask=present, other=0.0).to(tl.float64)
        one_y = tl.load(points + j * d + c, mask=present, other=0.0).to(tl.float64)
        total += (one_x - one_y) * (one_x - one_y)
    return tl.sqrt(total)


@triton.jit
def _two_farthest(x, y, z, edge_x: tl.constexpr, edge_y: tl.constexpr, edge_z: tl.constexpr):  # type: ignore[no-untyped-def]
    """Largest and second largest of three distances and their edges; of equals the first."""
    first = y > x
    far, near = tl.where(first, y, x), tl.where(first, x, y)
    far_edge, near_edge = tl.where(first, edge_y, edge_x), tl.where(first, edge_x, edge_y)
    beyond, between = z > far, z > near
    near = tl.where(beyond, far, tl.where(between, z, near))
    near_edge = tl.where(beyond, far_edge, tl.where(between, edge_z, near_edge))
    return tl.where(beyond, z, far), tl.where(beyond, edge_z, far_edge), near, near_edge


@triton.jit
def _later(far, far_edge, near, near_edge, born, birth_edge, dies, death_edge):  # type: ignore[no-untyped-def]
    """Birth and death so far, and with one more point of the tuple."""
    birth_edge = tl.where(near > born, near_edge, birth_edge)
    death_edge = tl.where(far < dies, far_edge, death_edge)
    return tl.where(near > born, near, born), birth_edge, tl.where(far < dies, far, dies), death_edge


@triton.jit
def _bars(points, tuples, birth, lifetime, edges, s, d, SIZE: tl.constexpr, T: tl.constexpr):  # type: ignore[no-untyped-def]
    """Births, lifetimes and edges of T tuples of SIZE points; edge (a, b) of a tuple is written 4 a + b."""
    t = tl.program_id(0).to(tl.int64) * T + tl.arange(0, T)
    here = t < s
    corners = tuples + t * SIZE
    p0 = tl.load(corners, mask=here, other=0)
    p1 = tl.load(corners + 1, mask=here, other=0)
    d01 = _distance(points, p0, p1, here, d, T)
    if SIZE == 2:
        born, dies = d01 * 0.0, d01
        birth_edge = tl.zeros((T,), tl.int32)
        death_edge = tl.full((T,), 1, tl.int32)
    else:
        p2 = tl.load(corners + 2, mask=here, other=0)
        p3 = tl.load(corners + 3, mask=here, other=0)
        d02 = _distance(points, p0, p2, here, d, T)
        d03 = _distance(points, p0, p3, here, d, T)
        d12 = _distance(points, p1, p2, here, d, T)
        d13 = _distance(points, p1, p3, here, d, T)
        d23 = _distance(points, p2, p3, here, d, T)
        dies, death_edge, born, birth_edge = _two_farthest(d01, d02, d03, 1, 2, 3)
        far, far_edge, near, near_edge = _two_farthest(d01, d12, d13, 1, 6, 7)
        born, birth_edge, dies, death_edge = _later(
            far, far_edge, near, near_edge, born, birth_edge, dies, death_edge
        )
        far, far_edge, near, near_edge = _two_farthest(d02, d12, d23, 2, 6, 11)
        born, birth_edge, dies, death_edge = _later(
            far, far_edge, near, near_edge, born, birth_edge, dies, death_edge
        )
        far, far_edge, near, near_edge = _two_farthest(d03, d13, d23, 3, 7, 11)
        born, birth_edge, dies, death_edge = _later(
            far, far_edge, near, near_edge, born, birth_edge, dies, death_edge
        )
    length = tl.maximum(dies - born, 0.0).to(lifetime.dtype.element_ty)
    tl.store(birth + t, born.to(birth.dtype.element_ty), mask=here)
    tl.store(lifetime + t, length, mask=here)
    birth_edge = tl.where(length > 0, birth_edge, 0)
    death_edge = tl.where(length > 0, death_edge, 0)
    tl.store(edges + t * 4, tl.load(corners + birth_edge // 4, mask=here), mask=here)
    tl.store(edges + t * 4 + 1, tl.load(corners + birth_edge % 4, mask=here), mask=here)
    tl.store(edges + t * 4 + 2, tl.load(corners + death_edge // 4, mask=here), mask=here)
    tl.store(edges + t * 4 + 3, tl.load(corners + death_edge % 4, mask=here), mask=here)


def bars_and_edges(
    points: Float[Tensor, "n d"], tuples: Int64[Tensor, "s size"]
) -> tuple[Float[Tensor, " s"], Float[Tensor, " s"], Int64[Tensor, "s 4"]]:
    """Birth, lifetime and critical edges of the one bar that 2 (H0) or 4 points (H1) can have.

    Args:
        points: finite; not checked here.
        tuples: rows of 2 or 4 indices in 0 .. n - 1; not checked here: a wrong one reads foreign memory.

    Returns:
        birth, also of a tuple without a bar, and lifetime, 0 there, in the unit and of the type of `points`;
        points i, j of the birth edge and i, j of the death edge, or four times the first point of a tuple
        without a bar. Nothing waits for the device.

    Raises:
        ValueError: tuples of another size.

    Gradient: not tracked; see `scatter`.
    Source: Gomez and Memoli, Curvature Sets Over Persistence Diagrams, arXiv:2103.04470.
    """
    s, size = tuples.shape
    if size not in (2, 4):
        raise ValueError(
            f"tuples should have 2 or 4 points here, got {size}; the CPU kernels take any number"
        )
    values, corners = float_values(points), tuples.contiguous()
    birth, lifetime = values.new_empty(s), values.new_empty(s)
    edges = torch.empty(s, 4, dtype=torch.int64, device=points.device)
    if s:
        with torch.cuda.device_of(values):
            _bars[(triton.cdiv(s, TUPLES),)](
                values,
                corners,
                birth,
                lifetime,
                edges,
                s,
                values.shape[1],
                SIZE=size,
                T=TUPLES,
                enable_fp_fusion=False,
            )
    return birth.to(points.dtype), lifetime.to(points.dtype), edges


@triton.jit
def _scales(points, edges, by_birth, by_lifetime, scales, count, d, T: tl.constexpr):  # type: ignore[no-untyped-def]
    """Weight of an edge divided by its length; 0 where the length is 0.

    Edges 2 t and 2 t + 1 are those of birth and death of tuple t: lifetime = death - birth.
    """
    e = tl.program_id(0).to(tl.int64) * T + tl.arange(0, T)
    weight = tl.load(by_lifetime + e // 2, mask=e < count, other=0.0).to(tl.float64)
    of_birth = tl.load(by_birth + e // 2, mask=e < count, other=0.0).to(tl.float64)
    weight = tl.where(e % 2 == 0, of_birth - weight, weight)
    needed = weight != 0
    i = tl.load(edges + 2 * e, mask=needed, other=0)
    j = tl.load(edges + 2 * e + 1, mask=needed, other=0)
    length = _distance(points, i, j, needed & (i != j), d, T)
    scale = tl.where(length > 0, weight / tl.where(length > 0, length, 1.0), 0.0)
    tl.store(scales + e, scale, mask=e < count)


@triton.jit
def _collect(  # type: ignore[no-untyped-def]
    points, edges, ends, starts, scales, result, d, E: tl.constexpr, D: tl.constexpr
):
    """Sum of scale * (point - other end) over the edges at point `program_id(0)`, for D coordinates."""
    point = tl.program_id(0).to(tl.int64)
    c = tl.program_id(1).to(tl.int64) * D + tl.arange(0, D)
    here = tl.load(points + point * d + c, mask=c < d, other=0.0).to(tl.float64)
    last = tl.load(starts + point + 1)
    total = tl.zeros((E, D), tl.float64)
    for first in range(tl.load(starts + point), last, E):
        k = first + tl.arange(0, E)
        end = tl.load(ends + k, mask=k < last, other=0)
        scale = tl.load(scales + end // 2, mask=k < last, other=0.0)
        # the two ends of edge e stand at 2 e and 2 e + 1
        other = tl.load(edges + (end ^ 1), mask=k < last, other=0)
        used = (scale != 0)[:, None] & (c < d)[None, :]
        there = tl.load(points + other[:, None] * d + c[None, :], mask=used, other=0.0).to(tl.float64)
        total += tl.where(used, scale[:, None] * (here[None, :] - there), 0.0)
    share = tl.sum(total, axis=0).to(result.dtype.element_ty)
    tl.store(result + point * d + c, share, mask=c < d)


def scatter(
    points: Float[Tensor, "n d"],
    edges: Int64[Tensor, "s 4"],
    grad_birth: Float[Tensor, " s"],
    grad_lifetime: Float[Tensor, " s"],
) -> Float[Tensor, "n d"]:
    """Gradient at the points: unit difference vectors of birth and death edges; nothing at coincident points.

    Args:
        points, edges: as given to and returned by `bars_and_edges`.
        grad_birth, grad_lifetime: derivatives by birth and by lifetime = death - birth.

    Returns:
        The sum at each point, added in float64 in an order that the edges alone determine; of the type of
        `points`. Nothing waits for the device.
    """
    values = float_values(points)
    n, d = values.shape
    if values.numel() == 0 or edges.numel() == 0:
        return torch.zeros_like(points)
    by_birth, by_lifetime = (float_values(part) for part in (grad_birth, grad_lifetime))
    count = 2 * len(edges)
    scales = torch.empty(count, dtype=torch.float64, device=values.device)
    result = torch.empty_like(values)
    edges = edges.contiguous()
    at, ends = edges.flatten().sort(stable=True)
    starts = torch.searchsorted(at, torch.arange(n + 1, device=points.device))
    block = min(128, triton.next_power_of_2(d))
    with torch.cuda.device_of(values):
        _scales[(triton.cdiv(count, TUPLES),)](
            values, edges, by_birth, by_lifetime, scales, count, d, T=TUPLES, enable_fp_fusion=False
        )
        _collect[(n, triton.cdiv(d, block))](
            values, edges, ends, starts, scales, result, d, E=EDGES, D=block, enable_fp_fusion=False
        )
    return result.to(points.dtype)


def float_values(numbers: Tensor) -> Tensor:
    """Contiguous float32 or float64 for a kernel; half precision becomes float32, which is exact."""
    values = numbers.detach()
    return (values if values.dtype in (torch.float32, torch.float64) else values.float()).contiguous()
