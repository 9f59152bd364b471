"""Whether more strength is more change."""

from __future__ import annotations

import torch
from jaxtyping import Float
from torch import Tensor

from gan_topdis.directions.scores.estimate import Estimate, from_parts


def monotone(below: Float[Tensor, "n steps"], above: Float[Tensor, "n steps"]) -> Estimate:
    """Spearman correlation of |strength| with the displacement, each sign apart; mean over pictures.

    1: strength orders the effect on every picture and side; -1: the effect shrinks with strength. A
    picture that no strength changes counts as 0.

    Args:
        below: displacements at strengths of growing magnitude, negative side; at least two.
        above: the same on the positive side.

    Source: gan_ecosystem.md, section 6.
    """
    sides = torch.stack((below, above)).double()  # (2, n, steps)
    steps = sides.shape[2]
    ranks = average_ranks(sides)
    ranks = ranks - ranks.mean(dim=2, keepdim=True)
    order = torch.arange(steps, dtype=torch.float64, device=sides.device) - (steps - 1) / 2
    norm = ranks.square().sum(dim=2).sqrt() * order.norm()  # (2, n), 0 where all are equal
    correlation = (ranks @ order) / torch.where(norm > 0, norm, 1.0)
    per_picture = correlation.mean(dim=0).cpu().numpy()
    return from_parts(float(per_picture.mean()), per_picture)


def average_ranks(values: Float[Tensor, "*batch s"]) -> Float[Tensor, "*batch s"]:
    """Ranks from 0 along the last axis; equal values share the mean of their ranks."""
    less = (values[..., None, :] < values[..., :, None]).sum(dim=-1)
    equal = (values[..., None, :] == values[..., :, None]).sum(dim=-1)
    return less.to(values) + (equal.to(values) - 1) / 2
