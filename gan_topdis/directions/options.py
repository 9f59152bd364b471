"""Settings of a search: `TopDisOptions`."""

from __future__ import annotations

import math
from dataclasses import dataclass

PIXELS = "pixels"
"""The feature layer that every generator has: its pictures."""
STARTING_METHODS = ("ganspace", "ganspace-features", "sefa", "jacobian", "random")
"""Methods without a search of their own, from whose directions a search can start."""


@dataclass(frozen=True)
class TopDisOptions:
    """Settings of the search.

    Attributes:
        points: latents per cloud and step; time grows a little faster than linearly.
        steps: gradient steps per direction.
        second_steps: gradient steps per direction in the second pass; 0 leaves out that pass.
        restarts: starts per direction, half of them (rounded up) a baseline's directions and half random; at
            half the steps the worse half is given up.
        feature_size: pictures are area-averaged to this many pixels a side before comparison.
        subspace: largest dimension of the informative subspace. Larger ones hold directions that move
            the picture less, which the scale-free objective does not mind but users do.
        evaluation_points: latents in the fixed cloud that compares starts and scores directions.
        max_batch: images synthesized at a time, which bounds memory and changes no result; by the
            generator's resolution when None.
        warm_start: the baseline, a method of `STARTING_METHODS`, whose directions `topdis` and
            `topdis-joint` start from, and over which results report the gain.
        feature_layer: where pictures are compared: `pixels`, or a name of the generator's
            `feature_layers()`.
        ppm_weight: weight, beside the logarithm of the distortion, of the regulariser that keeps the
            topology of the moved cloud near that of the unmoved one (`losses.PPMRegularizer`); 0 leaves
            it out.
        temperature: latents of the search are drawn with truncation_psi = temperature, or z times it where
            there is no mapping network; 1 is the distribution the generator was trained for.
        patience: a descent ends when its running cost has not fallen for this many steps; never when None.
        probes: gradients behind the informative subspace; by the latent dimension when None.
    """

    points: int = 48
    steps: int = 40
    second_steps: int = 20
    restarts: int = 4
    feature_size: int = 32
    subspace: int = 16
    evaluation_points: int = 128
    max_batch: int | None = None
    warm_start: str = "jacobian"
    feature_layer: str = PIXELS
    ppm_weight: float = 0.0
    temperature: float = 1.0
    patience: int | None = None
    probes: int | None = None

    def __post_init__(self) -> None:
        for name, least in (
            ("points", 8),
            ("steps", 1),
            ("second_steps", 0),
            ("restarts", 1),
            ("feature_size", 1),
            ("subspace", 1),
            ("evaluation_points", 8),
            ("max_batch", 1),
            ("patience", 1),
            ("probes", 1),
        ):
            value = getattr(self, name)
            if value is not None and value < least:
                raise ValueError(f"{name} should be at least {least}, got {value}")
        if self.warm_start not in STARTING_METHODS:
            raise ValueError(
                f"warm_start should be one of {', '.join(STARTING_METHODS)}, got {self.warm_start!r}"
            )
        if not (math.isfinite(self.ppm_weight) and self.ppm_weight >= 0):
            raise ValueError(f"ppm_weight should be at least 0, got {self.ppm_weight}")
        if not (math.isfinite(self.temperature) and self.temperature > 0):
            raise ValueError(f"temperature should be greater than 0, got {self.temperature}")
