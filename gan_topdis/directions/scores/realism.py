"""Whether edited pictures still look like pictures of this generator."""

from __future__ import annotations

import torch
from jaxtyping import Float
from torch import Tensor

from gan_topdis.directions.scores.estimate import Estimate, from_parts

NEIGHBOURS = 3
"""k of the k-NN balls."""
_EXACT = "donot_use_mm_for_euclid_dist"


class Realism:
    """Share of pictures inside a k-NN ball of unedited ones: improved precision.

    The balls are centred at `reference`, pictures of other seeds than those that are edited: a ball
    around an edited picture's own original would hold every small edit. Unedited pictures therefore do
    not score 1 either; what counts is the fall from their score.

    Args:
        reference: features (m, p) of unedited pictures, m > neighbours.
        neighbours: each ball reaches to the k-th nearest other reference picture.

    Source: Kynkaanniemi et al., Improved Precision and Recall Metric for Assessing Generative Models,
        arXiv:1904.06991, eq. 1 and 2; there with features of a classifier, here with those of the
        caller.
    """

    def __init__(self, reference: Float[Tensor, "m p"], neighbours: int = NEIGHBOURS) -> None:
        if not 1 <= neighbours < len(reference):
            raise ValueError(f"neighbours should be in 1 .. {len(reference) - 1}, got {neighbours}")
        self.reference = reference
        distances = torch.cdist(reference, reference, compute_mode=_EXACT)
        # the smallest distance of each is that to itself
        self.radius = distances.kthvalue(neighbours + 1, dim=1).values  # (m,)

    def __call__(self, features: Float[Tensor, "n p"]) -> Estimate:
        """Share of these pictures, with its standard error over them."""
        inside = torch.cdist(features, self.reference, compute_mode=_EXACT) <= self.radius  # (n, m)
        share = inside.any(dim=1).cpu().double().numpy()
        return from_parts(float(share.mean()), share)
