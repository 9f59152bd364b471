"""Kernel density with few samples: Scott's rule against the fixed bandwidth eta, before and after training.

The slides that show such a toy could not be found: this one is ours. Network, optimiser and learning rates
are those of the authors' ToyDiffVR notebook (corel.md 5.2), which trains the loss without a decoder.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import torch
from jaxtyping import Float, Int64
from torch import Tensor, nn

from gan_topdis.connectivity.area_under_roc import auc
from gan_topdis.connectivity.kernel_density import gaussian_log_density, scott_bandwidth
from gan_topdis.losses import ConnectivityLoss
from gan_topdis.seeding import seeded_generator

STAGES = ("before", "after")
RULES = ("scott", "eta")
_POINTS, _WEIGHTS, _BATCHES, _SAMPLES = range(4)
"""Purposes of the random numbers behind one seed."""


@dataclass(frozen=True, eq=False)
class DensityToy:
    """Scores of kernel density estimates of single classes, averaged over classes.

    Axes: stage (before and after connectivity training), rule (Scott's, fixed eta), sample size, repeat.

    Attributes:
        sizes: (s,) samples of the class behind an estimate.
        log_likelihood: (2, 2, s, repeats), mean log density of the rest of the class, nats; comparable
            between rules and sizes, not between stages, whose units differ.
        areas: (2, 2, s, repeats), area under the ROC curve of the density, rest of the class against the
            other classes; comparable throughout.
        scott: (2, s), Scott's bandwidth, mean over classes, coordinates and repeats.
        mean_death: (2,), mean tree edge of batches at either stage; training drives it to eta.
        codes: (2, n, d), the points at either stage; labels: (n,).
        settings: the arguments.
    """

    sizes: tuple[int, ...]
    log_likelihood: Float[np.ndarray, "2 2 s repeats"]
    areas: Float[np.ndarray, "2 2 s repeats"]
    scott: Float[np.ndarray, "2 s"]
    mean_death: tuple[float, float]
    codes: Float[Tensor, "2 n d"]
    labels: Int64[Tensor, " n"]
    settings: Mapping[str, Any]


def density_toy(
    dimension: int = 2,
    *,
    sizes: Sequence[int] = (5, 10, 20, 50),
    eta: float = 2.0,
    batch_size: int = 50,
    steps: int = 1500,
    points: int = 500,
    repeats: int = 10,
    seed: int = 0,
) -> DensityToy:
    """Three classes of two clusters each, encoded by a small network and estimated from few samples.

    Inputs lie in the plane, around the corners of the unit hexagon; a class has two opposite corners, so that
    its standard deviation says nothing about its clusters.

    Args:
        dimension: of the codes, 1 or 2.
        sizes: samples of a class behind an estimate, each from 2 to points - 1; tested on the rest.
        eta: of the loss, and the fixed bandwidth at both stages.
        batch_size: of training, from 2 to 3 * points.
        steps: of training, >= 0; with 0 both stages are alike.
        points: of a class.
        repeats: draws of samples.
        seed: of points, batches and samples.

    Raises:
        ValueError: an argument is out of range.
    """
    if dimension not in (1, 2):
        raise ValueError(f"dimension should be 1 or 2, got {dimension}")
    if points < 3:
        raise ValueError(f"points should be at least 3, got {points}")
    if not sizes or min(sizes) < 2 or max(sizes) >= points:
        raise ValueError(f"sizes should be from 2 to points - 1 = {points - 1}, got {tuple(sizes)}")
    if not 2 <= batch_size <= 3 * points:
        raise ValueError(f"batch_size should be from 2 to {3 * points}, got {batch_size}")
    if steps < 0 or repeats < 1:
        raise ValueError(f"steps should be at least 0 and repeats at least 1, got {steps} and {repeats}")
    loss = ConnectivityLoss(eta=eta)
    labels = torch.arange(3).repeat_interleave(points)
    random = seeded_generator(seed, _POINTS)
    inputs = _clusters(points, random)
    encoder = _encoder(dimension, seed)
    before = encoder(inputs).detach()
    _train(encoder, inputs, loss, batch_size, steps, seeded_generator(seed, _BATCHES))
    codes = torch.stack((before, encoder(inputs).detach())).double()  # (2, n, d)
    shape = (2, 2, len(sizes), repeats)
    likelihood, areas = np.zeros(shape), np.zeros(shape)
    scott = np.zeros((2, len(sizes)))
    for repeat in range(repeats):
        for label in range(3):
            order = torch.randperm(points, generator=seeded_generator(seed, _SAMPLES, label, repeat))
            for s, size in enumerate(sizes):
                for stage, places in enumerate(codes):
                    members = places[labels == label]
                    sample, rest = members[order[:size]], members[order[size:]]
                    others = places[labels != label]
                    rule = scott_bandwidth(sample)
                    scott[stage, s] += rule.mean().item() / (3 * repeats)
                    inlier = torch.arange(len(rest) + len(others)) < len(rest)
                    for r, bandwidth in enumerate((rule, torch.full_like(rule, eta))):
                        logs = gaussian_log_density(sample, torch.cat((rest, others)), bandwidth)
                        likelihood[stage, r, s, repeat] += logs[inlier].mean().item() / 3
                        areas[stage, r, s, repeat] += auc(logs, inlier) / 3
    shuffled = codes[:, torch.randperm(3 * points, generator=random)]
    deaths = [
        torch.cat([loss.deaths(b) for b in stage.split(batch_size) if len(b) == batch_size]).mean().item()
        for stage in shuffled
    ]
    settings = {
        "dimension": dimension,
        "eta": eta,
        "batch_size": batch_size,
        "steps": steps,
        "points": points,
        "repeats": repeats,
        "seed": seed,
    }
    return DensityToy(tuple(sizes), likelihood, areas, scott, (deaths[0], deaths[1]), codes, labels, settings)


def _clusters(points: int, random: torch.Generator) -> Float[Tensor, "n 2"]:
    """`points` of each class in turn, in two Gaussians of standard deviation 0.1 at opposite corners of the
    unit hexagon."""
    corners = torch.arange(3).repeat_interleave(points) + 3 * torch.randint(
        2, (3 * points,), generator=random
    )
    angles = corners * (math.pi / 3)
    return torch.stack((angles.cos(), angles.sin()), dim=1) + 0.1 * torch.randn(
        3 * points, 2, generator=random
    )


def _encoder(dimension: int, seed: int) -> nn.Module:
    """A perceptron 2-10-10-dimension with weights of the seed."""
    with torch.random.fork_rng(devices=[]):
        torch.default_generator.manual_seed(seeded_generator(seed, _WEIGHTS).initial_seed())
        return nn.Sequential(
            nn.Linear(2, 10),
            nn.LeakyReLU(0.01),
            nn.Linear(10, 10),
            nn.LeakyReLU(0.01),
            nn.Linear(10, dimension),
        )


def _train(
    encoder: nn.Module,
    points: Float[Tensor, "n 2"],
    loss: ConnectivityLoss,
    batch_size: int,
    steps: int,
    random: torch.Generator,
) -> None:
    """Adam on random batches, rate 0.01, 0.001 from 40 % of the steps on, 0.0001 from 80 %."""
    adam = torch.optim.Adam(encoder.parameters())
    for step in range(steps):
        adam.param_groups[0]["lr"] = 0.01 if step < 0.4 * steps else 0.001 if step < 0.8 * steps else 0.0001
        batch = torch.randperm(len(points), generator=random)[:batch_size]
        adam.zero_grad()
        loss(encoder(points[batch])).backward()
        adam.step()
