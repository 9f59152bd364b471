"""RTD between picture clouds, with its error over pictures."""

from __future__ import annotations

import math

import numpy as np
import torch
from jaxtyping import Float
from torch import Tensor

from gan_topdis.directions.scores.estimate import Estimate, from_parts, not_available
from gan_topdis.losses.rtd_loss import COLLAPSED, distance_quantile
from gan_topdis.persistence import rtd

GROUPS = 16
"""Groups of pictures that the jackknife leaves out in turn; every picture once would cost n RTDs."""


def topological_change(before: Float[Tensor, "n n"], after: Float[Tensor, "n n"]) -> Estimate:
    """RTD of two clouds in correspondence, each in units of its own 0.9 quantile of distances.

    Four-term symmetric sum of `persistence.rtd`, dimensionless; it grows with n, so that only clouds of
    equal size compare. The error is that of a jackknife over `GROUPS` groups of pictures: without each
    group, clouds are normalised and compared anew; since RTD is a sum over pictures rather than a mean,
    the results enter relative to their own mean.

    Args:
        before, after: distance matrices.

    Returns:
        Not available when a cloud has collapsed to a point and so has no scale.
    """
    n = len(before)
    groups = min(GROUPS, n // 2)
    left_out = torch.arange(n, device=before.device) % groups
    value = _normalised_rtd(before[None], after[None])
    if math.isnan(float(value)):
        return not_available()
    without = torch.zeros(groups, dtype=torch.float64)
    for size in {int((left_out != group).sum()) for group in range(groups)}:  # one batch per cloud size
        chosen = [group for group in range(groups) if int((left_out != group).sum()) == size]
        kept = torch.stack([(left_out != group).nonzero()[:, 0] for group in chosen])  # (g, size)
        rows, columns = kept[:, :, None], kept[:, None, :]
        share = size / n  # RTD is about proportional to the number of pictures
        without[chosen] = (
            (_normalised_rtd(before[rows, columns], after[rows, columns]) / share).cpu().double()
        )
    total = float(value)
    mean = float(without.nanmean())
    relative = (without / mean if mean > 0 else torch.ones(groups, dtype=torch.float64)).nan_to_num(1.0)
    parts = total * (1 + (groups - 1) * (1 - relative.numpy()))
    return from_parts(total, parts, n)


def topology_matrix(clouds: Float[Tensor, "k n n"]) -> np.ndarray:
    """RTD between every two clouds of distances, float64 (k, k): symmetric, 0 on the diagonal.

    NaN where a cloud is NaN (no such cloud) or has collapsed.
    """
    k = len(clouds)
    matrix = np.full((k, k), np.nan)
    usable = [index for index in range(k) if bool(torch.isfinite(clouds[index]).all())]
    for place, first in enumerate(usable):
        others = usable[place:]
        values = _normalised_rtd(clouds[[first] * len(others)], clouds[others]).cpu().double().numpy()
        matrix[first, others] = matrix[others, first] = values
    return matrix


def _normalised_rtd(a: Float[Tensor, "g n n"], b: Float[Tensor, "g n n"]) -> Float[Tensor, " g"]:
    """NaN where a cloud has collapsed."""
    scale_a, scale_b = _scale(a), _scale(b)  # (g,)
    values = rtd(a * scale_a.nan_to_num()[:, None, None], b * scale_b.nan_to_num()[:, None, None])
    return torch.where(scale_a.isnan() | scale_b.isnan(), torch.nan, values)


def _scale(distances: Float[Tensor, "g n n"]) -> Float[Tensor, " g"]:
    quantile = distance_quantile(distances)
    collapsed = quantile <= COLLAPSED * distances.flatten(1).amax(dim=1)
    return torch.where(collapsed, torch.nan, 1 / quantile)
