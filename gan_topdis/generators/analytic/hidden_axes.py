"""The same generator with its axes hidden elsewhere, to repeat a measurement independently."""

from __future__ import annotations

from gan_topdis.generators.analytic.catalogue import analytic_generator
from gan_topdis.generators.analytic.generator import AnalyticGenerator
from gan_topdis.generators.protocol import Generator
from gan_topdis.generators.scenes import ScenesGenerator

_OFFSET = 1000
"""Keeps seeds of hidden rotations apart from those of searches."""


def with_hidden_axes(generator: Generator, seed: int) -> Generator:
    """The generator behind a rotation drawn from `seed`; one that cannot be rotated comes back as it is.

    Args:
        generator: `scenes`, an analytic generator, or any other.
        seed: at least 0.
    """
    if isinstance(generator, AnalyticGenerator):
        return analytic_generator(generator.name, device=generator.device, seed=_OFFSET + seed)
    if isinstance(generator, ScenesGenerator):
        return ScenesGenerator(
            device=generator.device,
            resolution=generator.resolution[0],
            rotation_seed=seed,
            z_dim=generator.z_dim,
        )
    return generator
