"""The scenes of `generators.analytic` behind a rotation that a test chooses, with any squashing function."""

from __future__ import annotations

from collections.abc import Callable

import torch
from torch import Tensor

from gan_topdis.directions.ground_truth import axis_recovery
from gan_topdis.generators import Generator, KnownFactors, from_callable
from gan_topdis.generators.analytic.blobs import BLOBS
from gan_topdis.generators.analytic.drawing import Scene
from gan_topdis.generators.analytic.drawn_faces import DRAWN_FACES
from gan_topdis.generators.analytic.mixing import orthogonal
from gan_topdis.generators.analytic.sprites import SPRITES

__all__ = ["RENDERERS", "axis_recovery", "hidden"]

RENDERERS: dict[str, Scene] = {"sprites": SPRITES, "blobs": BLOBS, "faces": DRAWN_FACES}
"""Those of docs/objective_ablation.md, by which the objective was chosen."""


def hidden(
    name: str, *, seed: int, z_dim: int = 8, squash: Callable[[Tensor], Tensor] = torch.special.ndtr
) -> Generator:
    """The renderer behind a rotation drawn from `seed`; `squash` turns normal coordinates into factors."""
    scene = RENDERERS[name]
    axes = orthogonal(z_dim, 1000 + seed)[: len(scene.factors)]
    columns = axes.T.float()
    return from_callable(
        lambda z: scene.render(squash(z @ columns)),
        z_dim,
        name=name,
        known_factors=KnownFactors(scene.factors, axes.numpy()),
    )
