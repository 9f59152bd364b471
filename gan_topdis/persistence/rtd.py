"""Representation Topology Divergence of two clouds in one-to-one correspondence."""

from __future__ import annotations

import torch
from jaxtyping import Float, Int64
from torch import Tensor

from gan_topdis.persistence.pairing import MAXIMUM, MINIMUM, A, B, pair_cross_barcodes
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
    if batch.numel() == 0:
        return 0.0 * (a.sum(dim=(-2, -1)) + b.sum(dim=(-2, -1)))
    terms: list[tuple[int, int]] = []  # (lower, upper)
    if sides != "max":
        terms += [(MINIMUM, A), (MINIMUM, B)] if symmetric else [(MINIMUM, A)]
    if sides != "min":
        terms += [(A, MAXIMUM), (B, MAXIMUM)] if symmetric else [(B, MAXIMUM)]
    first, second = a.reshape(-1, n, n), b.reshape(-1, n, n)
    pairing = pair_cross_barcodes(first, second, terms, names=("a", "b"))

    lower, upper = torch.tensor(terms, device=a.device).mT[:, :, None]  # (terms, 1) each
    kind = torch.cat(
        [lower.expand_as(pairing.birth), torch.where(pairing.death_in_upper, upper, lower)], dim=-1
    )
    position = torch.cat([pairing.birth, pairing.death], dim=-1)  # (items, terms, 2 r)
    birth, death = _entries(first, second, kind, position).chunk(2, dim=-1)
    lengths = death - birth  # (items, terms, r)
    if power != 1:  # padding has length 0, where a power below 1 has no derivative
        present = lengths > 0
        lengths = torch.where(present, torch.where(present, lengths, 1.0) ** power, 0.0)
    total = lengths.sum(dim=(1, 2)).reshape(batch)
    return total / 2 if symmetric else total


def _entries(
    a: Float[Tensor, "items n n"],
    b: Float[Tensor, "items n n"],
    kind: Int64[Tensor, "items terms r"],
    position: Int64[Tensor, "items terms r"],
) -> Float[Tensor, "items terms r"]:
    """Entries of a, b, min(a, b) or max(a, b), as `kind` says: a mean of the two entries with fixed weights.

    Gradient: where a = b, min and max pass half of it to each.
    """
    at_a = a.flatten(1).gather(1, position.flatten(1)).reshape(position.shape)
    at_b = b.flatten(1).gather(1, position.flatten(1)).reshape(position.shape)
    with torch.no_grad():
        # weight of a: 1 where a is the smaller one, 1/2 at ties
        a_is_less = ((at_b - at_a).sign() + 1) / 2
        weight = torch.where(kind == MAXIMUM, 1 - a_is_less, a_is_less)
        weight = torch.where(kind == A, 1.0, torch.where(kind == B, 0.0, weight)).to(a.dtype)
    return weight * at_a + (1 - weight) * at_b
