"""The analytic generators by name, each with what makes it different."""

from __future__ import annotations

from dataclasses import dataclass
from functools import partial

import torch

from gan_topdis.generators.analytic.blobs import BLOBS
from gan_topdis.generators.analytic.drawing import Scene
from gan_topdis.generators.analytic.drawn_faces import DRAWN_FACES
from gan_topdis.generators.analytic.generator import AnalyticGenerator
from gan_topdis.generators.analytic.mixing import CorrelatedMixing, CurvedMixing, Mixing, RotatedMixing
from gan_topdis.generators.analytic.sprites import SPRITES
from gan_topdis.generators.analytic.street import STREET
from gan_topdis.generators.analytic.waves import WAVES

ROTATION_SEED = 2308
"""Draws the hidden rotation of the built-in names; a constant, so that a name is one network."""


@dataclass(frozen=True)
class Entry:
    """Attributes: what is drawn; how its factors are mixed; latent size; one line for lists and tables."""

    scene: Scene
    mixing: type[Mixing]
    size: int
    about: str


ANALYTIC: dict[str, Entry] = {
    "sprites": Entry(
        SPRITES, RotatedMixing, 8, "one rounded rectangle, 6 factors of 8 rotated dimensions of z"
    ),
    "blobs": Entry(BLOBS, RotatedMixing, 8, "two soft lights that overlap, 6 factors of 8, rotated"),
    "drawn-faces": Entry(
        DRAWN_FACES, RotatedMixing, 8, "a drawn face, 7 factors of 8, rotated, large and small ones"
    ),
    "street": Entry(
        STREET,
        RotatedMixing,
        12,
        "a house by a street, 10 factors of 12, rotated, of very different visual size",
    ),
    "waves": Entry(
        WAVES,
        CurvedMixing,
        12,
        "bent stripes, 8 factors of 12; curved mapping, axes in w, where factors are skewed",
    ),
    "correlated-sprites": Entry(
        SPRITES, CorrelatedMixing, 8, "sprites with factors drawn in correlated pairs (0.6), axes in w"
    ),
}


def analytic_generator(
    name: str, *, device: str | torch.device = "cpu", seed: int = ROTATION_SEED
) -> AnalyticGenerator:
    """The analytic generator of a name.

    Args:
        name: a key of `ANALYTIC`.
        device: where latents and pictures live.
        seed: draws the hidden rotation; another one is the same pictures behind other axes.

    Raises:
        ValueError: an unknown name; the message lists the known ones.
    """
    if name not in ANALYTIC:
        raise ValueError(f"name should be one of {', '.join(ANALYTIC)}, got {name!r}")
    entry = ANALYTIC[name]
    place = torch.device(device)
    mixing = entry.mixing(entry.size, len(entry.scene.factors), seed, place)
    return AnalyticGenerator(entry.scene, mixing, name=name, device=place)


# what `load_generator` calls
sprites = partial(analytic_generator, "sprites")
blobs = partial(analytic_generator, "blobs")
drawn_faces = partial(analytic_generator, "drawn-faces")
street = partial(analytic_generator, "street")
waves = partial(analytic_generator, "waves")
correlated_sprites = partial(analytic_generator, "correlated-sprites")
