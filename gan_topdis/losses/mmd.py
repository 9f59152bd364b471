"""Maximum mean discrepancy of two measures on bars, with its gradient in closed form."""

from __future__ import annotations

import math
from collections.abc import Callable
from functools import cache, lru_cache
from types import ModuleType

import numpy as np
import torch
from jaxtyping import Float
from torch import Tensor

from gan_topdis.persistence.compiled import load_kernels
from gan_topdis.persistence.devices import kernels_for
from gan_topdis.persistence.threads import for_each, thread_count
from gan_topdis.tensors import as_float64, first_derivative_only, widest_float

Bars = tuple[Float[Tensor, "_"], Float[Tensor, "_"]]
"""(birth, lifetime) of N tuples, lifetime 0 where a tuple has no bar."""


def mmd_squared(x: Bars, y: Bars, *, width: float) -> Float[Tensor, ""]:
    """Squared maximum mean discrepancy of two samples of bars (b, l), tuples without bar included.

        k((b, l), (b', l')) = l l' exp(-((b - b')^2 + (l - l')^2) / width)
        MMD^2 = sum_ij k(x_i, x_j) / N^2 - 2 sum_ij k(x_i, y_j) / (N M) + sum_ij k(y_i, y_j) / M^2

    A tuple without bar, l = 0, adds nothing to the sums, but counts in N or M: the biased estimate.

    Args:
        x, y: (birth, lifetime) of N and M tuples, as `principal_persistence` returns them; finite,
            lifetime >= 0; N, M >= 1.
        width: of the Gaussian, in the square of the unit of length, > 0; 2 sigma in the paper's formula.

    Returns:
        A scalar in the square of the unit of length, >= 0 up to rounding; sums are float64, the result has
        the type of x.

    Raises:
        TypeError: not floating point.
        ValueError: shapes, types or devices are not as above or differ; a value is not finite, a lifetime
            negative (not looked for on a GPU, which would mean waiting for it); width is not as above.

    Gradient: that of the formula by births and lifetimes, also where l = 0, computed with the value. The
        same for any number of threads. Not twice differentiable.
    Cost: one exponential per pair of bars; on the CPU, for equal births (dimension 0) and widths that are
        not much narrower than the lifetimes are spread, time in proportion to N + M. Memory always.
    Exactness: rounding in float64; about 3e-15 of the sum of absolute terms.
    Source: Wong, Lee, Yan, Towards Scalable Topological Regularizers, ICLR 2025; the one pass is ours.
    """
    require_width(width, "width")
    _require_bars(x, "x")
    _require_bars(y, "y")
    if x[0].dtype != y[0].dtype or x[0].device != y[0].device:
        raise ValueError(
            "x and y should have the same type and device, "
            f"got {x[0].dtype} on {x[0].device} and {y[0].dtype} on {y[0].device}"
        )
    birth, lifetime = (torch.cat(parts) for parts in zip(x, y, strict=True))
    return float64_mmd_squared((birth, lifetime), len(x[0]), width).to(x[0].dtype)


def float64_mmd_squared(
    bars: Bars, of_x: int, width: float, *, move_absent: bool = True
) -> Float[Tensor, ""]:
    """`mmd_squared` of samples that are known to be as they should, in float64.

    Args:
        bars: those of x, then those of y; of_x: how many the former are.
        move_absent: whether lifetimes of 0 need their gradient. Those of tuples without bar do not: their
            lifetime does not change with the points.
    """
    value: Tensor = _SquaredMMD.apply(*bars, of_x, width, move_absent)
    return value


class _SquaredMMD(torch.autograd.Function):
    @staticmethod
    def forward(ctx, birth: Tensor, lifetime: Tensor, of_x, width, move_absent) -> Tensor:  # type: ignore[no-untyped-def]
        weight = signed_weights(of_x, len(birth) - of_x, birth.device)
        value, *derivatives = value_and_gradient(birth, lifetime, weight, width, move_absent=move_absent)
        ctx.save_for_backward(*derivatives)
        return value

    @staticmethod
    @first_derivative_only
    def backward(ctx, gradient: Tensor):  # type: ignore[no-untyped-def]
        by_birth, by_lifetime = ((gradient * part).to(part.dtype) for part in ctx.saved_tensors)
        return by_birth, by_lifetime, None, None, None


@lru_cache(maxsize=16)
def signed_weights(n: int, m: int, device: torch.device) -> Float[Tensor, " tuples"]:
    """1 / n for each of n tuples of x, -1 / m for each of m of y."""
    return torch.tensor([1 / n] * n + [-1 / m] * m, dtype=widest_float(device), device=device)


def value_and_gradient(
    birth: Float[Tensor, " s"],
    lifetime: Float[Tensor, " s"],
    weight: Float[Tensor, " s"],
    width: float,
    *,
    move_absent: bool = True,
) -> tuple[Float[Tensor, ""], Float[Tensor, " s"], Float[Tensor, " s"]]:
    """sum_ij w_i w_j k(z_i, z_j), float64, and its derivatives by births and lifetimes, in their type.

    With a = w l and e_ij = exp(-|z_i - z_j|^2 / width),

        value    = sum_ij a_i a_j e_ij
        d / db_i = -(4 / width) a_i sum_j a_j e_ij (b_i - b_j)
        d / dl_i = 2 w_i sum_j a_j e_ij - (4 / width) a_i sum_j a_j e_ij (l_i - l_j)

    Args:
        weight: 1 / N for tuples of the one measure, -1 / M for those of the other.
        move_absent: see `float64_mmd_squared`; if not, the CPU leaves derivatives by a lifetime of 0 at 0.

    By Triton on a GPU.
    """
    if kernels_for(birth) == "triton":
        from gan_topdis.losses import mmd_triton

        return mmd_triton.value_and_gradient(birth, lifetime, weight, width)
    z = np.stack([as_float64(part.detach()).cpu().numpy() for part in (birth, lifetime, weight)])
    kernel = _kernels()
    is_bar = z[1] != 0
    b, l, w = np.ascontiguousarray(z[:, is_bar])  # noqa: E741  the paper's letters
    a = w * l
    sums = _sums(kernel, b, l, a, width)
    slope = -4 / width * a
    derivatives = np.zeros((2, len(is_bar)))
    derivatives[0, is_bar] = slope * sums[1]
    derivatives[1, is_bar] = 2 * w * sums[0] + slope * sums[2]
    if move_absent and not is_bar.all():
        absent = np.ascontiguousarray(z[:, ~is_bar])
        sums_there = np.empty(absent.shape[1])
        columns = np.stack([b, l, a])
        _share_rows(
            len(sums_there),
            len(b),
            lambda first, last: kernel.sum_at(absent[0], absent[1], columns, width, first, last, sums_there),
        )
        derivatives[1, ~is_bar] = 2 * absent[2] * sums_there
    by_birth, by_lifetime = torch.from_numpy(derivatives).to(birth.dtype).to(birth.device)
    value = torch.tensor(a @ sums[0], dtype=widest_float(birth.device), device=birth.device)
    return value, by_birth, by_lifetime


def _sums(
    kernel: ModuleType, birth: np.ndarray, lifetime: np.ndarray, a: np.ndarray, width: float
) -> np.ndarray:
    """The three sums over j of `mmd_kernel.add_pairs` for every i, i itself included, float64 (3, s).

    For bars of equal births, as in dimension 0, by a fast Gauss transform where that is less work.
    """
    s = len(a)
    if s and birth.min() == birth.max():
        start = lifetime.min()
        boxes = (lifetime.max() - start) / math.sqrt(width) + 1
        if boxes <= s and boxes * PAIRS_PER_BOX < s * s:  # memory stays in proportion to s
            sums = np.empty((3, s))
            kernel.sums_on_a_line(lifetime, a, start, width, int(boxes), chebyshev_table(), sums)
            return sums
    return _sums_over_pairs(kernel, birth, lifetime, a, width)


PAIRS_PER_BOX = 2500
"""One box of the fast Gauss transform takes 2.3 us, 2500 of the s * s pairs about 3 us (EPYC, one thread)."""
DEGREES = 18
"""Chebyshev polynomials on a box of the length of the square root of the width: an interpolation error of
2 (sqrt(2) / 4)^p / sqrt(p!) < 2e-16 of the sum of |a|, p = 18."""
REACH = 7
"""Boxes farther apart than so many are at least 7 lengths apart, and exp(-49) < 1e-21."""


@cache
def chebyshev_table() -> np.ndarray:
    """Coefficients of exp(-d^2) and of d exp(-d^2) in T_k(source) T_m(target), d = target - source.

    Returns:
        (2, 2 REACH + 1, DEGREES, DEGREES), [kernel, target box - source box + REACH, k, m], both points
        running through boxes of length 1.

    Source: Greengard and Strain, The Fast Gauss Transform, SIAM J. Sci. Stat. Comput. 12, 1991, with
        Chebyshev interpolation in place of Hermite series.
    """
    angles = np.pi * (np.arange(DEGREES) + 0.5) / DEGREES
    points = (np.cos(angles) + 1) / 2
    transform = 2 / DEGREES * np.cos(np.arange(DEGREES)[:, None] * angles)  # values at points to coefficients
    transform[0] /= 2
    offsets = np.arange(-REACH, REACH + 1)[:, None, None]
    d = offsets + points[None, None, :] - points[None, :, None]  # (offsets, source, target)
    table = np.stack([np.exp(-(d**2)), d * np.exp(-(d**2))])
    return np.ascontiguousarray(transform @ table @ transform.T)


def _sums_over_pairs(
    kernel: ModuleType, birth: np.ndarray, lifetime: np.ndarray, a: np.ndarray, width: float
) -> np.ndarray:
    """`_sums` pair by pair.

    Rows are cut into blocks of about equally many pairs, whose number depends on s alone, and each block
    has sums of its own: adding these in their order gives the same bits for any number of threads.
    """
    s = len(a)
    blocks = 1 if s < SMALL else BLOCKS
    # rows above row i hold s^2 / 2 - (s - i)^2 / 2 pairs
    cuts = [round(s * (1 - math.sqrt(1 - block / blocks))) for block in range(blocks + 1)]
    sums = np.zeros((blocks, 3, s))
    for_each(
        blocks,
        lambda k: kernel.add_pairs(birth, lifetime, a, width, cuts[k], cuts[k + 1], sums[k]),
        threads=thread_count(blocks),
    )
    total: np.ndarray = sums.sum(axis=0)
    total[0] += a  # e_ii = 1
    return total


BLOCKS = 16
SMALL = 256
"""Bars below which one thread does all."""


def _share_rows(rows: int, cost: int, task: Callable[[int, int], None]) -> None:
    """Run task(first, last) on equal shares of rows, one a thread; no row depends on the shares."""
    shares = max(1, min(rows, thread_count(1 + rows * cost // (SMALL * SMALL))))
    for_each(shares, lambda k: task(rows * k // shares, rows * (k + 1) // shares), threads=shares)


def require_width(width: float, name: str) -> None:
    if not (width > 0 and math.isfinite(width) and math.isfinite(4 / width)):
        raise ValueError(f"{name} should be finite and greater than 0, got {width}")


def _require_bars(bars: Bars, name: str) -> None:
    birth, lifetime = bars
    for part in bars:
        if not isinstance(part, Tensor) or not part.is_floating_point():
            raise TypeError(f"{name} should be two floating-point tensors, birth and lifetime")
    if birth.ndim != 1 or birth.shape != lifetime.shape or len(birth) == 0:
        raise ValueError(
            f"{name} should be birth and lifetime of one shape (N,), N >= 1, "
            f"got {tuple(birth.shape)} and {tuple(lifetime.shape)}"
        )
    if birth.dtype != lifetime.dtype or birth.device != lifetime.device:
        raise ValueError(f"birth and lifetime of {name} should have the same type and device")
    if birth.device.type != "cpu":
        return
    if not (torch.isfinite(birth).all() and torch.isfinite(lifetime).all()):
        raise ValueError(f"{name} should be finite, got NaN or infinity")
    if (lifetime < 0).any():
        raise ValueError(
            f"lifetimes of {name} should not be negative; give death - birth where it is positive, else 0"
        )


def _kernels() -> ModuleType:
    return load_kernels("gan_topdis.losses.mmd_kernel", _first_calls)


def _first_calls(kernel: ModuleType) -> None:
    one = np.zeros(1)
    kernel.add_pairs(one, one, one, 1.0, 0, 1, np.zeros((3, 1)))
    kernel.sums_on_a_line(one, one, 0.0, 1.0, 1, chebyshev_table(), np.zeros((3, 1)))
    kernel.sum_at(one, one, np.zeros((3, 1)), 1.0, 0, 1, one.copy())
