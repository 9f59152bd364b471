"""The strength at which a direction changes pictures by a given amount on average.

Directions are compared at equal mean displacement: at equal strength, a direction that changes nothing would
have the lowest RTD of all.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

from jaxtyping import Float
from torch import Tensor

from gan_topdis.directions.scores.estimate import Estimate, from_parts

TOLERANCE = 0.005
"""Relative: the mean displacement attained differs by no more from the one asked for."""
_MOST_TRIALS = 40


@dataclass(frozen=True)
class EqualDisplacement:
    """Attributes: the strength (standard deviations of the latent), and the features (n, p) there."""

    strength: Estimate
    features: Tensor


def equal_displacement(
    edited: Callable[[float], Float[Tensor, "n p"]],
    unedited: Float[Tensor, "n p"],
    target: float,
    curve: Sequence[tuple[float, float]],
) -> EqualDisplacement | None:
    """The smallest strength with mean displacement `target`, by bisection.

    The interval is the first of the curve in which `target` is passed; trial strengths come from regula
    falsi (Illinois variant), which keeps the root enclosed and needs two or three trials where bisection
    in the middle needs ten. The error of the strength is that of the mean displacement over its slope.

    Args:
        edited: features at a strength.
        unedited: features at strength 0.
        target: mean Euclidean displacement, > 0, in the unit of the features.
        curve: (strength, mean displacement), strengths ascending above 0, at least one.

    Returns:
        None when no point of the curve reaches `target`.
    """
    points = [(0.0, 0.0), *curve]
    place = next((i for i, (_, reached) in enumerate(points) if reached >= target), None)
    if place is None:
        return None
    (low, below), (high, above) = points[place - 1], points[place]
    low_weight, high_weight = below - target, above - target  # <= 0 < = of these signs throughout
    slope = (above - below) / (high - low)
    last_side = 0
    for _ in range(_MOST_TRIALS):
        strength = (low * high_weight - high * low_weight) / (high_weight - low_weight)
        features = edited(strength)
        moved = displacements(features, unedited)
        mean = float(moved.mean())
        if abs(mean - target) <= TOLERANCE * target:
            break
        side = -1 if mean < target else 1
        if side < 0:
            low, below, low_weight = strength, mean, mean - target
            high_weight *= 0.5 if last_side == side else 1.0
        else:
            high, above, high_weight = strength, mean, mean - target
            low_weight *= 0.5 if last_side == side else 1.0
        last_side = side
        slope = (above - below) / (high - low)
    parts = strength - (moved.cpu().double().numpy() - mean) / slope
    return EqualDisplacement(from_parts(strength, parts), features)


def displacements(features: Float[Tensor, "n p"], unedited: Float[Tensor, "n p"]) -> Float[Tensor, " n"]:
    """Euclidean distance of each picture from its unedited self, in feature space."""
    return (features - unedited).norm(dim=1)
