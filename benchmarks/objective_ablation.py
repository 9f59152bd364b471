"""Which objective tells factors from mixtures? Variants of the distortion on four renderers and one network.

For every pair of true axes a, b of a renderer (scaled to equal effect) the cost of the mixtures (a + b) and
(a - b) is compared with the cost of the axes. A search that takes the cheapest direction first goes wrong
where a mixture is cheaper than the cheaper of its two axes: `worst` is the smallest such ratio over all
pairs (below 1: wrong), `wrong` counts pairs below 1. The axes of `demo`, the trained StyleGAN2, are those of
`supervised_directions`: the nearest that fixed directions come to factors.

    python benchmarks/objective_ablation.py            # prints the table
    python benchmarks/objective_ablation.py --write    # and writes docs/objective_ablation.md
"""

from __future__ import annotations

import argparse
import itertools
import math
import sys
from collections.abc import Callable
from dataclasses import dataclass
from functools import cache
from pathlib import Path

import numpy as np
import torch
from torch import Tensor

ROOT = Path(__file__).resolve().parents[1]
sys.path.insert(0, str(ROOT / "tests" / "directions"))

from analytic_renderers import RENDERERS, hidden  # noqa: E402

from gan_topdis.directions.features import image_features  # noqa: E402
from gan_topdis.directions.ground_truth_ceiling import supervised_directions  # noqa: E402
from gan_topdis.directions.ground_truth_factors import factor_meter  # noqa: E402
from gan_topdis.generators import Generator, load_generator  # noqa: E402
from gan_topdis.generators.scenes import ScenesGenerator  # noqa: E402
from gan_topdis.losses import PPMRegularizer  # noqa: E402
from gan_topdis.losses.quantile_shift import quantile_shift  # noqa: E402
from gan_topdis.losses.rtd_loss import distance_quantile  # noqa: E402
from gan_topdis.persistence import pairwise_distances, rtd  # noqa: E402
from gan_topdis.seeding import seeded_generator  # noqa: E402

POINTS = 128


@dataclass(frozen=True)
class Variant:
    name: str
    shift: str = "quantile"
    power: float = 2
    sides: str = "minmax"
    size: int = 32
    amount: float = 1 / 8
    temperature: float = 1.0
    ppm_weight: float = 0.0


VARIANTS = (
    Variant("as shipped"),
    Variant("constant shift (plain sequential method)", shift="constant", power=1),
    Variant("constant shift, power 2", shift="constant"),
    Variant("power 1", power=1),
    Variant("amount 1/4", amount=1 / 4),
    Variant("amount 1/20", amount=1 / 20),
    Variant("features of 16 pixels", size=16),
    Variant("features of 8 pixels", size=8),
    Variant("minimum form only", sides="min"),
    Variant("maximum form only", sides="max"),
    Variant("temperature 0.7", temperature=0.7),
    Variant("temperature 1.4", temperature=1.4),
    Variant("PPM weight 0.3", ppm_weight=0.3),
    Variant("PPM weight 1", ppm_weight=1.0),
    Variant("PPM weight 3", ppm_weight=3.0),
)


def costs(generator: Generator, vectors: Tensor, variant: Variant) -> Tensor:
    """Distortion of unit vectors, mean over both signs of the shift."""
    count = round(POINTS / (1 - variant.amount) * 1.4)
    z, mean, covariance = latents_of(generator, count, seed=5)
    z = mean + (z - mean) * variant.temperature

    def features(latents: Tensor) -> Tensor:
        return image_features(pictures(generator, latents), variant.size)

    before = features(z)
    distances = pairwise_distances(before)
    median = distances[torch.ones_like(distances).triu(1) > 0].median()
    results = []
    for v, sign in itertools.product(vectors, (1.0, -1.0)):
        spread = float((v @ covariance @ v).sqrt()) * variant.temperature
        t = (z - mean) @ v / spread
        if variant.shift == "quantile":
            moved, valid = quantile_shift(t, sign * variant.amount)
        else:  # by as many standard deviations as the quantile shift moves the median
            step = float(torch.special.ndtri(torch.tensor(0.5 + variant.amount)))
            moved, valid = t + sign * step, torch.ones_like(t, dtype=torch.bool)
        rows = valid.nonzero()[:POINTS, 0]
        after = features(z[rows] + spread * (moved - t)[rows, None] * v)
        a, b = distances[rows][:, rows], pairwise_distances(after)
        value = rtd(
            a / distance_quantile(a), b / distance_quantile(b), power=variant.power, sides=variant.sides
        )
        change = (after - before[rows]).square().sum(dim=1).mean().sqrt() / median
        penalty = 0.0
        if variant.ppm_weight:
            x, y = after / distance_quantile(b), before[rows] / distance_quantile(a)
            penalty = variant.ppm_weight * float(PPMRegularizer()(x, y, generator=seeded_generator(7)))
        results.append((value / POINTS) ** (1 / variant.power) / change * math.exp(penalty))
    return torch.stack(results).reshape(-1, 2).mean(dim=1)


def latents_of(generator: Generator, count: int, seed: int) -> tuple[Tensor, Tensor, Tensor]:
    """Latents (count, w_dim), and mean and covariance of the latent."""
    if not generator.has_mapping:
        z = torch.randn(count, generator.z_dim, generator=seeded_generator(seed))
        return z, torch.zeros(generator.z_dim), torch.eye(generator.z_dim)
    many = _many(generator)
    return many[1_000 * seed : 1_000 * seed + count], many.mean(dim=0), torch.cov(many.T)


@cache
def _many(generator: Generator) -> Tensor:
    """Ten thousand latents (n, w_dim)."""
    return generator.map(generator.latents(range(10_000)))[:, 0]


def pictures(generator: Generator, latents: Tensor) -> Tensor:
    ws = latents[:, None].expand(-1, generator.num_ws, -1)
    return torch.cat([generator.synthesize(part) for part in ws.split(generator.images_at_once)])


@cache
def true_axes(generator: Generator) -> Tensor:
    """(f, w_dim), unit rows."""
    if generator.known_factors is not None:
        return torch.from_numpy(generator.known_factors.axes).float()
    return torch.from_numpy(supervised_directions(generator, factor_meter(generator)).vectors)


def pair_ratios(generator: Generator, variant: Variant) -> np.ndarray:
    """For each pair of axes: cost of the cheaper mixture over cost of the cheaper axis."""
    axes = true_axes(generator)
    z, _, _ = latents_of(generator, 128, seed=6)
    effect = torch.stack(
        [
            (pictures(generator, z + 0.05 * a) - pictures(generator, z - 0.05 * a))
            .square()
            .sum(dim=(1, 2, 3))
            .mean()
            .sqrt()
            for a in axes
        ]
    )
    scaled = axes / effect[:, None]
    pairs = list(itertools.combinations(range(len(axes)), 2))
    mixtures = [scaled[i] + s * scaled[j] for i, j in pairs for s in (1, -1)]
    vectors = torch.nn.functional.normalize(torch.cat([axes, torch.stack(mixtures)]), dim=1)
    with torch.no_grad():
        cost = costs(generator, vectors, variant).numpy()
    mixed = cost[len(axes) :].reshape(-1, 2).min(axis=1)
    return mixed / np.array([min(cost[i], cost[j]) for i, j in pairs])


def normal_squash(name: str) -> Callable[[Tensor], Tensor]:
    """How a normal coordinate becomes a factor in [0, 1]."""
    return {
        "normal distribution function": torch.special.ndtr,
        "tanh": lambda t: 0.5 + 0.5 * torch.tanh(0.6 * t),
        "linear": lambda t: 0.5 + t / 6,
    }[name]


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawTextHelpFormatter)
    parser.add_argument("--write", action="store_true", help="write docs/objective_ablation.md")
    write = parser.parse_args().write
    generators: dict[str, Generator] = {"scenes": ScenesGenerator(resolution=32)}
    generators |= {name: hidden(name, seed=0) for name in RENDERERS}
    generators["demo"] = load_generator("demo", device="cpu")
    lines = [
        "# Ablation of the objective",
        "",
        "Made by `python benchmarks/objective_ablation.py --write`, which says what the numbers mean: worst",
        "pair (wrong pairs of all pairs). Below 1, a mixture of two factors is cheaper than both.",
        "",
        f"| objective | {' | '.join(generators)} |",
        f"|---|{'---|' * len(generators)}",
    ]
    for variant in VARIANTS:
        cells = []
        for generator in generators.values():
            ratios = pair_ratios(generator, variant)
            cells.append(f"{ratios.min():.2f} ({(ratios < 1).sum()} of {len(ratios)})")
        lines.append(f"| {variant.name} | {' | '.join(cells)} |")
        print(lines[-1], flush=True)
    squashes = ("tanh", "linear")
    lines += [
        "",
        "As shipped, with another function than the normal distribution function from latent to factor:",
        "",
        f"| function | {' | '.join(RENDERERS)} |",
        f"|---|{'---|' * len(RENDERERS)}",
    ]
    for squash in squashes:
        cells = []
        for name in RENDERERS:
            ratios = pair_ratios(hidden(name, seed=0, squash=normal_squash(squash)), VARIANTS[0])
            cells.append(f"{ratios.min():.2f} ({(ratios < 1).sum()} of {len(ratios)})")
        lines.append(f"| {squash} | {' | '.join(cells)} |")
        print(lines[-1], flush=True)
    if write:
        (ROOT / "docs" / "objective_ablation.md").write_text("\n".join(lines) + "\n")


if __name__ == "__main__":
    main()
