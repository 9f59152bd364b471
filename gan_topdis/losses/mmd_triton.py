"""Squared maximum mean discrepancy of weighted bars on a GPU: value and gradient in one pass, by Triton.

With signed weights w and a = w l, and e_ij = exp(-((b_i - b_j)^2 + (l_i - l_j)^2) / width),

    value    = sum_ij a_i a_j e_ij
    d / db_i = -(4 / width) a_i sum_j a_j e_ij (b_i - b_j)
    d / dl_i = 2 w_i sum_j a_j e_ij - (4 / width) a_i sum_j a_j e_ij (l_i - l_j)

One program writes the columns with l_j > 0, one of ten for H1, without gaps; their number stays on the
device, which the host never waits for. Then a program owns a block of rows i and runs over these columns j in
tiles: memory O(s), no atomics, sums in float64 and in a fixed order.

Tested in Triton's interpreter; the tests have not run on a GPU. PPM-Reg was timed on an H200 on 2026-11-26,
before columns were collected in a kernel (docs/gan.md). Cards whose float64 is slow (1/64 of float32)
will feel s^2 exponentials in float64.
"""

from __future__ import annotations

from functools import lru_cache

import torch
import triton
import triton.language as tl
from jaxtyping import Float
from torch import Tensor

from gan_topdis.persistence.principal_persistence_triton import float_values

ROWS, COLUMNS = 32, 32
"""Tile of pairs that a program holds in registers."""
COLLECTED = 1024
"""Bars that the collecting program reads at once."""


@triton.jit
def _collect_columns(birth, lifetime, weight, columns, present, s, B: tl.constexpr):  # type: ignore[no-untyped-def]
    """Write b, l and a of the bars with l > 0, in their order; one program.

    Args:
        birth, lifetime: (s,); weight: float64 (s,).
        columns: float64 (3, s), its first `present` columns overwritten; present: int64 (1,), overwritten.
    """
    size = tl.cast(s, tl.int64)
    found = tl.zeros((), tl.int64)
    for start in range(0, s, B):
        j = start + tl.arange(0, B)
        l = tl.load(lifetime + j, mask=j < s, other=0.0).to(tl.float64)  # noqa: E741  the paper's letters
        b = tl.load(birth + j, mask=j < s, other=0.0).to(tl.float64)
        w = tl.load(weight + j, mask=j < s, other=0.0)
        # != and not >: NaN has to stay
        there = l != 0
        place = found + tl.cumsum(there.to(tl.int64), axis=0) - 1
        tl.store(columns + place, b, mask=there)
        tl.store(columns + size + place, l, mask=there)
        tl.store(columns + 2 * size + place, w * l, mask=there)
        found += tl.sum(there.to(tl.int64), axis=0)
    tl.store(present, found)


@triton.jit
def _sum_columns(  # type: ignore[no-untyped-def]
    birth,
    lifetime,
    weight,
    columns,
    present,
    rates,
    s,
    shares,
    derivatives,
    ROWS: tl.constexpr,
    COLUMNS: tl.constexpr,
):
    """Shares in the value, and derivatives by birth and lifetime, of ROWS rows i.

    Args:
        birth, lifetime, weight, columns, present: see `_collect_columns`.
        rates: float64 (2,), -1 / width and -4 / width.
        shares: float64 (s,), overwritten with a_i sum_j a_j e_ij; derivatives: (2, s), overwritten.
    """
    size = tl.cast(s, tl.int64)
    i = tl.program_id(0).to(tl.int64) * ROWS + tl.arange(0, ROWS)
    b_i = tl.load(birth + i, mask=i < size, other=0.0).to(tl.float64)
    l_i = tl.load(lifetime + i, mask=i < size, other=0.0).to(tl.float64)
    w_i = tl.load(weight + i, mask=i < size, other=0.0)
    last = tl.load(present)
    factor = tl.load(rates)
    total = tl.zeros((ROWS, COLUMNS), tl.float64)
    by_birth = tl.zeros((ROWS, COLUMNS), tl.float64)
    by_lifetime = tl.zeros((ROWS, COLUMNS), tl.float64)
    for start in range(0, last, COLUMNS):
        j = start + tl.arange(0, COLUMNS)
        other_birth = tl.load(columns + j, mask=j < last, other=0.0)[None, :]
        other_lifetime = tl.load(columns + size + j, mask=j < last, other=0.0)[None, :]
        a = tl.load(columns + 2 * size + j, mask=j < last, other=0.0)[None, :]
        db = b_i[:, None] - other_birth
        dl = l_i[:, None] - other_lifetime
        term = a * tl.exp((db * db + dl * dl) * factor)
        total += term
        by_birth += term * db
        by_lifetime += term * dl
    a_i = w_i * l_i
    sums = tl.sum(total, axis=1)
    slope = tl.load(rates + 1) * a_i
    tl.store(shares + i, a_i * sums, mask=i < size)
    to_birth = slope * tl.sum(by_birth, axis=1)
    to_lifetime = 2.0 * w_i * sums + slope * tl.sum(by_lifetime, axis=1)
    tl.store(derivatives + i, to_birth.to(derivatives.dtype.element_ty), mask=i < size)
    tl.store(derivatives + size + i, to_lifetime.to(derivatives.dtype.element_ty), mask=i < size)


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
    value, derivatives = value_and_derivatives(birth, lifetime, weight, width)
    by_birth, by_lifetime = derivatives.to(birth.dtype)
    return value, by_birth, by_lifetime


def value_and_derivatives(
    birth: Float[Tensor, " s"], lifetime: Float[Tensor, " s"], weight: Float[Tensor, " s"], width: float
) -> tuple[Float[Tensor, ""], Float[Tensor, "2 s"]]:
    """`value_and_gradient` with both derivatives in one tensor, float32 where bars have half precision."""
    b, l = float_values(birth), float_values(lifetime)  # noqa: E741  the paper's letters
    w = weight.detach().double().contiguous()
    s, device = len(b), b.device
    derivatives = torch.empty(2, s, dtype=b.dtype, device=device)
    shares, columns = (torch.empty(shape, dtype=torch.float64, device=device) for shape in (s, (3, s)))
    present = torch.empty(1, dtype=torch.int64, device=device)
    if s:
        with torch.cuda.device_of(b):
            _collect_columns[(1,)](b, l, w, columns, present, s, B=COLLECTED)
            _sum_columns[(triton.cdiv(s, ROWS),)](
                b,
                l,
                w,
                columns,
                present,
                _rates(width, device),
                s,
                shares,
                derivatives,
                ROWS=ROWS,
                COLUMNS=COLUMNS,
                enable_fp_fusion=False,
            )
    return shares.sum(), derivatives


@lru_cache(maxsize=16)
def _rates(width: float, device: torch.device) -> Float[Tensor, " 2"]:
    """-1 / width and -4 / width; Triton would take numbers of Python as float32."""
    return torch.tensor([-1 / width, -4 / width], dtype=torch.float64, device=device)
