"""Compiled double sums of a Gaussian kernel over all pairs of bars.

Numbers are float64 throughout: terms of size 100 cancel to values below 1. `fastmath` is restricted to fused
products and to the order of sums, which vectors of several columns need.
"""

from __future__ import annotations

import math

import numpy as np
from numba import njit, types
from numba.extending import intrinsic

TILE = 512
"""Columns whose bars and sums stay in the fastest cache."""


@njit(cache=True, nogil=True, error_model="numpy", fastmath={"contract", "reassoc", "nsz"})
def add_pairs(birth, lifetime, a, width, first, last, sums):  # type: ignore[no-untyped-def]
    """Add to sums[:, i] and sums[:, j], for rows first <= i < last and all j > i, their pair's share of

        sum_j a_j e_ij,    sum_j a_j e_ij (b_i - b_j),    sum_j a_j e_ij (l_i - l_j).

    Args:
        birth, lifetime, a: float64 (s,), contiguous.
        sums: float64 (3, s).
    """
    s = len(a)
    rate = -1.0 / width
    for i0 in range(first, last, TILE):
        i1 = min(i0 + TILE, last)
        for j0 in range(i0, s, TILE):
            j1 = min(j0 + TILE, s)
            for i in range(i0, i1):
                # slices, whose indices start at 0, let the compiler use vectors
                start = max(j0, i + 1)
                b, l, c = birth[start:j1], lifetime[start:j1], a[start:j1]  # noqa: E741  the paper's letters
                out0, out1, out2 = sums[0, start:j1], sums[1, start:j1], sums[2, start:j1]
                b_i, l_i, a_i = birth[i], lifetime[i], a[i]
                sum0 = sum1 = sum2 = 0.0
                for j in range(len(c)):
                    db, dl = b_i - b[j], l_i - l[j]
                    e = _exp((db * db + dl * dl) * rate)
                    to_i, to_j = c[j] * e, a_i * e
                    sum0 += to_i
                    sum1 += to_i * db
                    sum2 += to_i * dl
                    out0[j] += to_j
                    out1[j] -= to_j * db
                    out2[j] -= to_j * dl
                sums[0, i] += sum0
                sums[1, i] += sum1
                sums[2, i] += sum2


@njit(cache=True, nogil=True, error_model="numpy", fastmath={"contract", "reassoc", "nsz"})
def sum_at(birth, lifetime, columns, width, first, last, sums):  # type: ignore[no-untyped-def]
    """Overwrite sums[i], first <= i < last, with sum_j a_j e_ij over columns, float64 (3, k): b, l and a."""
    b, l, a = columns[0], columns[1], columns[2]  # noqa: E741
    rate = -1.0 / width
    for i in range(first, last):
        b_i, l_i = birth[i], lifetime[i]
        total = 0.0
        for j in range(len(a)):
            db, dl = b_i - b[j], l_i - l[j]
            total += a[j] * _exp((db * db + dl * dl) * rate)
        sums[i] = total


@njit(cache=True, nogil=True, error_model="numpy")
def sums_on_a_line(lifetime, a, start, width, boxes, table, sums):  # type: ignore[no-untyped-def]
    """`add_pairs` where all births are equal, i = j included, without visiting pairs: a fast Gauss transform.

    The line is cut into boxes as long as the square root of the width. Seen from another box, the bars of a
    box are their moments in Chebyshev polynomials T_m; what arrives in a box is a series in T_m again.

    Args:
        start: the smallest lifetime; boxes: as many as reach the largest.
        table: (2, offsets, DEGREES, DEGREES), the two kernels from the moment of a source to a coefficient
            of its target, by target box - source box.
        sums: float64 (3, s), overwritten; sums[1] with 0.
    """
    length = math.sqrt(width)
    degrees = table.shape[2]
    reach = table.shape[1] // 2
    moments = np.zeros((boxes, degrees))
    for j in range(len(a)):
        x = (lifetime[j] - start) / length
        box = min(int(x), boxes - 1)
        u = 2 * (x - box) - 1
        before, now = u, 1.0  # T_-1 = T_1
        for m in range(degrees):
            moments[box, m] += a[j] * now
            before, now = now, 2 * u * now - before
    series = np.zeros((2, boxes, degrees))
    for target in range(boxes):
        for source in range(max(0, target - reach), min(boxes, target + reach + 1)):
            for kernel in range(2):
                arrived = series[kernel, target]
                for k in range(degrees):
                    weight = moments[source, k]
                    row = table[kernel, target - source + reach, k]
                    for m in range(degrees):
                        arrived[m] += weight * row[m]
    for i in range(len(a)):
        x = (lifetime[i] - start) / length
        box = min(int(x), boxes - 1)
        u = 2 * (x - box) - 1
        before, now = u, 1.0
        sum0 = sum2 = 0.0
        for m in range(degrees):
            sum0 += series[0, box, m] * now
            sum2 += series[1, box, m] * now
            before, now = now, 2 * u * now - before
        sums[0, i], sums[1, i], sums[2, i] = sum0, 0.0, length * sum2


@intrinsic
def _bits_of(typing_context, value):  # type: ignore[no-untyped-def]
    def generate(context, builder, signature, arguments):  # type: ignore[no-untyped-def]
        return builder.bitcast(arguments[0], context.get_value_type(types.int64))

    return types.int64(types.float64), generate


@intrinsic
def _float_of(typing_context, bits):  # type: ignore[no-untyped-def]
    def generate(context, builder, signature, arguments):  # type: ignore[no-untyped-def]
        return builder.bitcast(arguments[0], context.get_value_type(types.float64))

    return types.float64(types.int64), generate


PER_LN2 = 1 / math.log(2)
# ln 2 in two parts, of which the first has zeros at its end: its products with small integers are exact
LN2_HIGH = float.fromhex("0x1.62e42feep-1")
LN2_LOW = float.fromhex("0x1.a39ef35793c76p-33")
ROUNDING = 1.5 * 2.0**52
"""Added to a small float64, leaves its nearest integer in the last bits."""
SMALLEST = -708.0
"""Below, exp leaves the normal numbers; it is held at 3e-308 there."""
F2, F3, F4, F5, F6, F7, F8, F9, F10, F11, F12 = (1 / math.factorial(k) for k in range(2, 13))


@njit(forceinline=True, nogil=True, error_model="numpy", fastmath={"contract"})
def _exp(x):  # type: ignore[no-untyped-def]
    """exp(x) for x <= 0, without branches or calls, which would keep the compiler from using vectors.

    exp(x) = 2^m exp(r), |r| <= ln(2) / 2, by Taylor's polynomial of degree 12: relative error below 4e-16.
    Compiled by itself: in the reordered arithmetic of its callers, adding and taking away ROUNDING would
    cancel. They get it as `forceinline`, not as numba's `inline`, which would compile it as theirs.
    """
    x = max(x, SMALLEST)
    shifted = x * PER_LN2 + ROUNDING
    m = shifted - ROUNDING
    r = (x - m * LN2_HIGH) - m * LN2_LOW
    p = F12
    p = p * r + F11
    p = p * r + F10
    p = p * r + F9
    p = p * r + F8
    p = p * r + F7
    p = p * r + F6
    p = p * r + F5
    p = p * r + F4
    p = p * r + F3
    p = p * r + F2
    p = p * r + 1.0
    p = p * r + 1.0
    return _float_of(_bits_of(p) + (_bits_of(shifted) << 52))  # type: ignore[call-arg]
