"""Whether a direction changes every picture alike."""

from __future__ import annotations

import torch
from jaxtyping import Float
from torch import Tensor

from gan_topdis.directions.scores.estimate import Estimate, from_parts


def consistency(change: Float[Tensor, "n p"]) -> Estimate:
    """Mean over pairs i < j of the cosine between the changes of pictures i and j.

    1: the same change in every picture; 0: unrelated changes. A picture that does not change has cosine
    0 with all others. The error is the jackknife's over pictures.

    Args:
        change: features of edited minus unedited pictures, n >= 3.

    Source: gan_ecosystem.md, section 6; for directions of GANs the idea is pain 11 of its section 1.
    """
    unit = torch.nn.functional.normalize(change.double(), dim=1)  # (n, p)
    n = len(unit)
    own = unit.square().sum(dim=1)  # (n,) 1, or 0 where nothing changed
    total = unit.sum(dim=0)  # (p,)
    pairs = total.square().sum() - own.sum()  # twice the sum over i < j
    value = pairs / (n * (n - 1))
    without = (pairs - 2 * (unit @ total - own)) / ((n - 1) * (n - 2))  # (n,) picture i left out
    return from_parts(float(value), (n * value - (n - 1) * without).cpu().numpy())
