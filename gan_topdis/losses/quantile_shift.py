"""The TopDis shift: move a Gaussian coordinate by a fixed amount of probability."""

from __future__ import annotations

import torch
from jaxtyping import Bool, Float
from torch import Tensor

from gan_topdis.tensors import as_float64

AMOUNT = 1 / 8
"""Probability by which TopDis shifts; it moves the median by 0.3186 standard deviations."""
MARGIN = 1e-3
"""Probability kept free at both ends, where the quantile function is too steep for float32."""


def quantile_shift(
    standard: Float[Tensor, "*shape"],
    amount: float | Float[Tensor, "..."],
    *,
    margin: float = MARGIN,
) -> tuple[Float[Tensor, "*shape"], Bool[Tensor, "*shape"]]:
    """PhiInv(Phi(t) + amount), the shift that keeps a standard Gaussian's marginal.

    Args:
        standard: t, in standard deviations from the mean.
        amount: signed probability; broadcasts with `standard`.
        margin: Phi(t) + amount is clamped to [margin, 1 - margin].

    Returns:
        The shifted coordinate in standard deviations, and where it was not clamped: a clamped point
        has no image under the shift and is left out of comparisons.

    Gradient: phi(t) / phi(shifted); 0 where clamped. Computed in float64, returned in the input type.
    Source: Balabin et al., Disentanglement Learning via Topology, arXiv:2308.12696, Prop. 1 and the
        shift of the TopDis loss (C = 1/8); the margin is ours.
    """
    probability = torch.special.ndtr(as_float64(standard)) + amount
    valid = (probability > margin) & (probability < 1 - margin)
    shifted = torch.special.ndtri(probability.clamp(margin, 1 - margin))
    return shifted.to(standard.dtype).to(standard.device), valid.to(standard.device)
