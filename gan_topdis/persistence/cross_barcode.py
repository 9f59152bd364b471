"""The cross-barcode of two distance matrices on the same points: exact, batched, differentiable."""

from __future__ import annotations

from dataclasses import dataclass

import torch
from jaxtyping import Float
from torch import Tensor

from gan_topdis.persistence.pairing import A, B, pair_cross_barcodes
from gan_topdis.tensors import require_same_shape, require_square


@dataclass(frozen=True)
class Bars:
    """Bars of a batch of barcodes, in order of death, in the unit of the distances.

    Barcodes with fewer than r bars are padded with bars of birth = death = 0.
    """

    birth: Float[Tensor, "*batch r"]
    death: Float[Tensor, "*batch r"]

    @property
    def lengths(self) -> Float[Tensor, "*batch r"]:
        """death - birth; 0 for padding."""
        return self.death - self.birth


def cross_barcode(lower: Float[Tensor, "*batch n n"], upper: Float[Tensor, "*batch n n"]) -> Bars:
    """H1 bars of positive length of the cross-barcode R(upper; lower).

    It says what the Vietoris-Rips filtration of `lower` joins or closes before that of `upper` does:
    the H1 barcode of the 2n points with matrix [[0, upper], [upper, lower]]. The first n points are
    at distance 0 from each other and are collapsed to one cone vertex here, which leaves n + 1
    vertices: points and cone edges enter at 0, the edge (i, j) at lower[i, j], a triangle with its
    longest edge, and the cone triangle over (i, j) at upper[i, j].

    Args:
        lower, upper: symmetric, zero diagonal, finite, non-negative, lower <= upper everywhere.

    Returns:
        `Bars` with r = the largest number of bars in the batch. The sum of lengths does not depend on
        the batch; the padding does.

    Raises:
        TypeError: not floating point.
        ValueError: shapes differ, or a matrix is not as above.

    Gradient: 1 at one critical entry of `lower` or `upper` per death, -1 at one entry of `lower` per
        birth; entries above the diagonal are read. Ties are broken by length, then by index.
    Exactness: a triangle is taken for closed by mistake with probability 2**-63 (see the kernel).
    Source: Barannikov et al., Representation Topology Divergence, ICML 2022, arXiv:2201.00058,
        definition of R-Cross-Barcode; the collapse and the sweep are ours.
    """
    require_square(lower, "lower")
    require_square(upper, "upper")
    require_same_shape(lower, upper, ("lower", "upper"))
    batch, n = lower.shape[:-2], lower.shape[-1]
    low, high = lower.reshape(-1, n, n), upper.reshape(-1, n, n)
    pairing = pair_cross_barcodes(low, high, [(A, B)], names=("lower", "upper"))
    birth, death, in_upper = (part[:, 0] for part in (pairing.birth, pairing.death, pairing.death_in_upper))
    low, high = low.flatten(1), high.flatten(1)
    deaths = torch.where(in_upper, high.gather(1, death), low.gather(1, death))  # (items, r)
    r = birth.shape[-1]
    return Bars(birth=low.gather(1, birth).reshape(*batch, r), death=deaths.reshape(*batch, r))
