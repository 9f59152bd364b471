"""How much each direction moves each factor, when all directions move the picture equally far."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import torch
from torch import Tensor

from gan_topdis.directions.ground_truth_factors import FactorMeter
from gan_topdis.directions.result import Directions
from gan_topdis.directions.traversal import require_compatible, shifted_latents
from gan_topdis.generators import Generator
from gan_topdis.seeding import seeded_generator
from gan_topdis.tensors import as_float64

DISPLACEMENT = 0.5
"""Mean distance between a picture and the moved one, as a share of the median distance of two pictures."""
LARGEST_STRENGTH = 3.0
"""Standard deviations of the latent: small factors never move the picture that far, and beyond what the
latents are drawn from nothing is promised."""
SAMPLES, SEARCH_SAMPLES = 256, 64
"""Pictures that are moved, and those of them by which the strength is found."""
_HALVINGS = 8
_PURPOSE = 40  # of the random generator, apart from those of the searches


@dataclass(frozen=True)
class FactorResponse:
    """Responses of factors to directions.

    Attributes:
        matrix: float64 (k, f): mean over pictures and both signs of |change of factor f| when moved along
            direction k, in standard deviations of the factor.
        strengths: (k,), of the moves, in standard deviations of the latent along the direction.
        displacements: (k,), reached: `DISPLACEMENT` to within a few percent, less where the strength is
            `LARGEST_STRENGTH`.
        factors: names of the columns.
        unexplained: where factors are read off pictures, mean distance between a picture and the one drawn
            from what was read, as a share of the median distance of two pictures; else None. Near 0 the
            pictures are what the reader knows; near 1 its numbers say nothing about them.
    """

    matrix: np.ndarray
    strengths: np.ndarray
    displacements: np.ndarray
    factors: tuple[str, ...]
    unexplained: float | None


def factor_response(
    generator: Generator,
    directions: Directions,
    meter: FactorMeter,
    *,
    seed: int = 0,
    samples: int = SAMPLES,
    displacement: float = DISPLACEMENT,
) -> FactorResponse:
    """Response of every factor to every direction at one displacement of the picture.

    Every direction gets one strength, the same for all pictures and both signs, found by bisection on the
    first `SEARCH_SAMPLES` pictures. Distances are Euclidean over pixels.

    Args:
        generator: unconditional.
        directions: of its latent space.
        meter: from `factor_meter`.
        seed: draws the pictures; the same for all methods that are compared.
        samples: pictures, at least 16.
        displacement: see `DISPLACEMENT`, above 0.

    Raises:
        ValueError: the directions do not fit, or an argument is out of range.
    """
    if samples < 16:
        raise ValueError(f"samples should be at least 16, got {samples}")
    if not displacement > 0:
        raise ValueError(f"displacement should be greater than 0, got {displacement}")
    require_compatible(generator, directions)
    with torch.no_grad():
        rng = seeded_generator(seed, _PURPOSE)
        seeds = torch.randint(2**32, (samples,), generator=rng, dtype=torch.int64).tolist()
        ws = generator.map(generator.latents(seeds), generator.label(None, samples))
        images = _pictures(generator, ws)  # (n, C, H, W)
        factors = as_float64(meter.measure(ws, images))  # (n, f)
        units = factors.std(dim=0).clamp_min(1e-6)  # (f,)
        flat = images.flatten(1)
        median = float(torch.pdist(flat).median())

        unexplained = None
        if meter.redraw is not None:
            redrawn = meter.redraw(factors.float().to(images.device), generator.resolution[0])
            unexplained = float((redrawn - images).flatten(1).norm(dim=1).mean()) / median

        def reached(index: int, strength: float, count: int) -> tuple[float, Tensor]:
            """Displacement, and mean |change| of each factor (f,), over both signs."""
            lengths, changes = [], []
            for sign in (1, -1):
                moved = shifted_latents(ws[:count], directions, index, sign * strength)
                pictures = _pictures(generator, moved)
                lengths.append((pictures.flatten(1) - flat[:count]).norm(dim=1))
                changes.append((as_float64(meter.measure(moved, pictures)) - factors[:count]).abs())
            return float(torch.cat(lengths).mean()) / median, torch.cat(changes).mean(dim=0)

        rows, strengths, displacements = [], [], []
        few = min(SEARCH_SAMPLES, samples)
        for index in range(len(directions)):
            low, high = 0.0, LARGEST_STRENGTH
            if reached(index, high, few)[0] > displacement:
                for _ in range(_HALVINGS):
                    middle = (low + high) / 2
                    enough = reached(index, middle, few)[0] > displacement
                    low, high = (low, middle) if enough else (middle, high)
            length, change = reached(index, high, samples)
            rows.append((change / units).cpu().numpy())
            strengths.append(high)
            displacements.append(length)
    return FactorResponse(
        np.stack(rows), np.asarray(strengths), np.asarray(displacements), meter.names, unexplained
    )


def _pictures(generator: Generator, ws: Tensor) -> Tensor:
    return torch.cat([generator.synthesize(part) for part in ws.split(generator.images_at_once)])
