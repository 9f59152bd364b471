"""Which generators have factors that can be measured, and how."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Protocol, runtime_checkable

import torch
from jaxtyping import Float
from torch import Tensor

from gan_topdis.generators import Generator
from gan_topdis.generators.scene_factors import scene_factors
from gan_topdis.generators.scenes import FACTORS, render

TRAINED_ON_SCENES = ("demo",)
"""Built-in networks whose pictures are scenes, so that the scene factor network reads them."""


@runtime_checkable
class KnowsFactors(Protocol):
    """A generator with a formula for its factors."""

    def factors(self, ws: Tensor) -> Tensor:
        """Factors (n, k) of latents (n, num_ws, w_dim), in the order of `known_factors.names`."""
        ...


@dataclass(frozen=True)
class FactorMeter:
    """How factors of a generator are measured.

    Attributes:
        names: one per factor.
        exact: whether by formula; otherwise by a network that looks at the pictures.
        measure: latents (n, num_ws, w_dim) and their pictures to factors (n, k), about [0, 1].
        redraw: factors (n, k) and pixels a side to the pictures that have them, to check a network that looks
            at pictures; None for a formula, which needs no check.
    """

    names: tuple[str, ...]
    exact: bool
    measure: Callable[[Tensor, Tensor], Float[Tensor, "n k"]]
    redraw: Callable[[Tensor, int], Tensor] | None = None


def factor_meter(generator: Generator) -> FactorMeter:
    """The way to measure the factors of a generator.

    Raises:
        ValueError: there is none.
    """
    known = generator.known_factors
    if known is not None and isinstance(generator, KnowsFactors):
        formula = generator.factors
        return FactorMeter(known.names, True, lambda ws, _: formula(ws))
    if generator.name in TRAINED_ON_SCENES:
        return FactorMeter(FACTORS, False, lambda _, images: _by_sight(images), render)
    raise ValueError(
        f"{generator.name} should have factors that can be measured: a formula factors(ws) with "
        f"known_factors, or pictures of scenes ({', '.join(TRAINED_ON_SCENES)})"
    )


def _by_sight(images: Tensor) -> Tensor:
    with torch.no_grad():
        return scene_factors(images.clamp(-1, 1))
