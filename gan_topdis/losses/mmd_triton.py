"""Squared maximum mean discrepancy of weighted bars on a GPU: value and gradient in one pass, by Triton.

With signed weights w and a = w l, and e_ij = exp(-((b_i - b_j)^2 + (l_i - l_j)^2) / width),

    value    = sum_ij a_i a_j e_ij
    d / db_i = -(4 / width) a_i sum_j a_j e_ij (b_i - b_j)
    d / dl_i = 2 w_i sum_j a_j e_ij - (4 / width) a_i sum_j a_j e_ij (l_i - l_j)

A program owns a block of rows i and runs over the columns j in tiles: memory O(s), no atomics, sums in
float64 and in a fixed order. Columns with l_j = 0, nine of ten for H1, are moved to the end and left out;
their number stays on the device, which the host never waits for.

Checked in Triton's interpreter only, never yet on a GPU; its speed there is unknown. Graphics cards whose
float64 is slow (1/64 of float32) will feel s^2 exponentials in float64.
"""

from __future__ import annotations

import torch
import triton
import triton.language as tl
from jaxtyping import Float
from torch import Tensor

ROWS, COLUMNS = 32, 32
"""Tile of pairs that a program holds in registers."""


@triton.jit
def _sum_columns(  # type: ignore[no-untyped-def]
    rows, columns, present, scale, s, sums, ROWS: tl.constexpr, COLUMNS: tl.constexpr
):
    """Write sum_j a_j e_ij (1, b_i - b_j, l_i - l_j) of ROWS rows i.

    Args:
        rows: float64 (2, s), b and l; columns: float64 (3, s), b, l and a of columns, present ones first.
        present: int64 (1,), how many these are; scale: float64 (1,), -1 / width.
        sums: float64 (3, s), overwritten.
    """
    size = tl.cast(s, tl.int64)
    i = tl.program_id(0).to(tl.int64) * ROWS + tl.arange(0, ROWS)
    birth = tl.load(rows + i, mask=i < size, other=0.0)[:, None]
    lifetime = tl.load(rows + size + i, mask=i < size, other=0.0)[:, None]
    last = tl.load(present)
    factor = tl.load(scale)
    total = tl.zeros((ROWS, COLUMNS), tl.float64)
    by_birth = tl.zeros((ROWS, COLUMNS), tl.float64)
    by_lifetime = tl.zeros((ROWS, COLUMNS), tl.float64)
    for start in range(0, last, COLUMNS):
        j = start + tl.arange(0, COLUMNS)
        other_birth = tl.load(columns + j, mask=j < last, other=0.0)[None, :]
        other_lifetime = tl.load(columns + size + j, mask=j < last, other=0.0)[None, :]
        a = tl.load(columns + 2 * size + j, mask=j < last, other=0.0)[None, :]
        db = birth - other_birth
        dl = lifetime - other_lifetime
        term = a * tl.exp((db * db + dl * dl) * factor)
        total += term
        by_birth += term * db
        by_lifetime += term * dl
    tl.store(sums + i, tl.sum(total, axis=1), mask=i < size)
    tl.store(sums + size + i, tl.sum(by_birth, axis=1), mask=i < size)
    tl.store(sums + 2 * size + i, tl.sum(by_lifetime, axis=1), mask=i < size)


def value_and_gradient(
    birth: Float[Tensor, " s"], lifetime: Float[Tensor, " s"], weight: Float[Tensor, " s"], width: float
) -> tuple[Float[Tensor, ""], Float[Tensor, " s"], Float[Tensor, " s"]]:
    """The double sum over all pairs of bars, and its derivatives by births and lifetimes.

    Args:
        birth, lifetime: finite, lifetime >= 0, in one unit of length, on one device; of no bar, lifetime 0.
        weight: 1 / N for bars of the one measure, -1 / M for those of the other makes the value their MMD^2.
        width: > 0, in the square of that unit.

    Returns:
        The value, float64, and two derivatives, of the type of `birth`, without waiting for the device.
        The derivative by the lifetime of an absent bar is that of the formula: not 0.

    Gradient: not tracked; what is returned is it.
    Source: Wong et al., Towards Scalable Topological Regularizers, ICLR 2025 (kernel); the one pass is ours.
    """
    b, l, w = (part.detach().double() for part in (birth, lifetime, weight))  # noqa: E741  the paper's letters
    a = w * l
    order = (l == 0).to(torch.uint8).sort(stable=True).indices
    rows = torch.stack([b, l])
    columns = torch.stack([b, l, a])[:, order].contiguous()
    sums = torch.empty_like(columns)
    s = len(b)
    if s:
        with torch.cuda.device_of(b):
            _sum_columns[(triton.cdiv(s, ROWS),)](
                rows,
                columns,
                (l != 0).sum(dim=0, keepdim=True),
                b.new_full((1,), -1.0 / width),
                s,
                sums,
                ROWS=ROWS,
                COLUMNS=COLUMNS,
                enable_fp_fusion=False,
            )
    total, by_birth, by_lifetime = sums
    slope = -4.0 / width * a
    return (
        (a * total).sum(),
        (slope * by_birth).to(birth.dtype),
        (2.0 * w * total + slope * by_lifetime).to(birth.dtype),
    )
