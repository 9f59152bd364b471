"""Representation Topology Divergence of two clouds in one-to-one correspondence."""

from __future__ import annotations

import torch
from jaxtyping import Float
from torch import Tensor

from gan_topdis.persistence.pairing import pair_cross_barcodes
from gan_topdis.tensors import require_same_shape, require_square

SIDES = ("min", "max", "minmax")


def rtd(
    a: Float[Tensor, "*batch n n"],
    b: Float[Tensor, "*batch n n"],
    *,
    sides: str = "minmax",
    symmetric: bool = True,
    power: float = 1,
) -> Float[Tensor, "*batch"]:
    """Sum of the bars of the cross-barcodes between two distance matrices.

    Writing R(U; V) for the sum of (death - birth)^power over the cross-barcode with V <= U:

        min:     R(a; min)               symmetric: 1/2 [R(a; min) + R(b; min)]
        max:     R(max; b)               symmetric: 1/2 [R(max; a) + R(max; b)]
        minmax:  R(a; min) + R(max; b)   symmetric: 1/2 [R(a; min) + R(b; min) + R(max; a) + R(max; b)]

    The literature's RTD is the symmetric `min`; TopDis trains with the symmetric `minmax`, about
    twice as large.

    Args:
        a, b: distance matrices, point i of one corresponding to point i of the other.
        sides: `min`, `max` or `minmax`.
        symmetric: average over both directions.
        power: exponent of each length, > 0.

    Returns:
        One number per pair of matrices, >= 0, in the unit of distance to the `power`.

    Raises:
        TypeError: not floating point.
        ValueError: shapes differ, an option is unknown, or a matrix is not symmetric, finite,
            non-negative with a zero diagonal.

    Gradient: through the critical entries of `cross_barcode`; where a = b, min and max pass half of
        it to each.
    Source: Barannikov et al., arXiv:2201.00058; Balabin et al., arXiv:2308.12696 (TopDis).
    """
    require_square(a, "a")
    require_square(b, "b")
    require_same_shape(a, b, ("a", "b"))
    if sides not in SIDES:
        raise ValueError(f"sides should be one of {', '.join(SIDES)}, got {sides!r}")
    if not power > 0:
        raise ValueError(f"power should be greater than 0, got {power}")
    batch, n = a.shape[:-2], a.shape[-1]
    count = batch.numel()
    if count == 0:
        return 0.0 * (a.sum(dim=(-2, -1)) + b.sum(dim=(-2, -1)))
    first, second = a.reshape(-1, n, n), b.reshape(-1, n, n)
    blocks = [first, second]
    names: list[str | None] = [*["a"] * count, *["b"] * count]
    terms: list[tuple[int, int]] = []  # (lower, upper) as indices of blocks
    if sides != "max":
        blocks.append(torch.minimum(first, second))
        low = len(blocks) - 1
        terms += [(low, 0), (low, 1)] if symmetric else [(low, 0)]
    if sides != "min":
        blocks.append(torch.maximum(first, second))
        high = len(blocks) - 1
        terms += [(0, high), (1, high)] if symmetric else [(1, high)]
    names += [None] * (count * (len(blocks) - 2))
    stack = torch.cat(blocks)  # (blocks * count, n, n)
    pairing = pair_cross_barcodes(
        stack,
        [lower * count + i for lower, _ in terms for i in range(count)],
        [upper * count + i for _, upper in terms for i in range(count)],
        names=names,
    )
    entries = stack.reshape(-1)
    lengths = entries[pairing.death] - entries[pairing.birth]  # (terms * count, bars)
    if power != 1:  # padding has length 0, where a power below 1 has no derivative
        present = lengths > 0
        lengths = torch.where(present, torch.where(present, lengths, 1.0) ** power, 0.0)
    total = lengths.sum(dim=-1).reshape(len(terms), *batch).sum(dim=0)
    return total / 2 if symmetric else total
