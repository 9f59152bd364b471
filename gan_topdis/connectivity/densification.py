"""What the connectivity loss promises of a sample, and how large a batch a latent space has room for.

Source: Hofer, Kwitt, Dixit, Niethammer, Connectivity-Optimized Representation Learning via Persistent
    Homology, ICML 2019 (densification; choice of the batch size). Proofs are in the docstrings; the bounds
    on packings are textbook arguments on volumes and coverings.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

import torch
from jaxtyping import Float, Int64
from torch import Tensor

from gan_topdis.losses import ConnectivityLoss
from gan_topdis.persistence import pairwise_distances
from gan_topdis.seeding import seeded_generator


def guaranteed_neighbours(samples: int, batch_size: int) -> int:
    """Other points that every point has within beta, when every batch of the sample is beta-connected.

    With fewer than samples - batch_size + 1, batch_size - 1 points would be farther than beta; with the point
    itself they make a batch that its tree can only reach by an edge longer than beta.

    Args:
        samples: m, points of the sample, >= 1.
        batch_size: b, >= 2; beta is the longest tree edge over all b-subsets, eta after perfect training.

    Returns:
        max(0, m - b + 1): nothing is promised below one batch.
    """
    if samples < 1:
        raise ValueError(f"samples should be at least 1, got {samples}")
    if batch_size < 2:
        raise ValueError(f"batch_size should be at least 2, since one point has no edge, got {batch_size}")
    return max(0, samples - batch_size + 1)


def samples_needed(neighbours: int, batch_size: int) -> int:
    """The smallest sample whose points are promised this many neighbours: neighbours + batch_size - 1."""
    if neighbours < 1:
        raise ValueError(f"neighbours should be at least 1, got {neighbours}")
    if batch_size < 2:
        raise ValueError(f"batch_size should be at least 2, since one point has no edge, got {batch_size}")
    return neighbours + batch_size - 1


@dataclass(frozen=True)
class MeasuredDensification:
    """Neighbours that codes have within their longest tree edge, beside the number that is promised.

    Attributes:
        samples: sizes m of the samples.
        batch_size: b, whose tree edges beta is the longest of.
        beta: in the unit of the codes.
        guaranteed: `guaranteed_neighbours` of each size.
        fewest, median: over codes and branches, the number of other codes of the sample within beta.
    """

    samples: tuple[int, ...]
    batch_size: int
    beta: float
    guaranteed: tuple[int, ...]
    fewest: tuple[int, ...]
    median: tuple[float, ...]


@torch.no_grad()
def measured_densification(
    codes: Float[Tensor, "n width"],
    samples: Sequence[int],
    *,
    branches: int = 1,
    batch_size: int = 100,
    batches: int = 100,
    seed: int = 0,
) -> MeasuredDensification:
    """Count neighbours within the longest tree edge of random batches.

    The promise is about the longest edge of all b-subsets. That of some random ones is shorter, so that a
    code may have fewer neighbours than promised: by how many, is what is measured.

    Args:
        codes: (n, branches * d), floating point and finite; distances are n x n.
        samples: sizes m, each from 1 to n; the first m codes of one random order.
        branches: number of branches; a neighbour in one is none in another.
        batch_size: b, from 2 to n.
        batches: random batches whose edges are taken.
        seed: of order and batches.

    Raises:
        ValueError: a size is out of range, or the codes are refused by `ConnectivityLoss`.
    """
    if not samples or min(samples) < 1 or max(samples) > len(codes):
        raise ValueError(f"samples should be from 1 to {len(codes)}, the number of codes, got {samples}")
    if not 2 <= batch_size <= len(codes) or batches < 1:
        raise ValueError(
            f"batch_size should be from 2 to {len(codes)} and batches at least 1, got {batch_size}, {batches}"
        )
    random = seeded_generator(seed)
    order = torch.randperm(len(codes), generator=random).to(codes.device)
    loss = ConnectivityLoss(branches=branches)
    beta = max(
        float(loss.describe(codes[torch.randperm(len(codes), generator=random)[:batch_size]]).largest.max())
        for _ in range(batches)
    )
    parts = codes[order].unflatten(1, (branches, -1)).transpose(0, 1).contiguous()  # (branches, n, d)
    # the edge itself joins two neighbours, also where it was rounded in another order
    near = torch.stack([pairwise_distances(part, p=1.0) for part in parts]) <= beta * (1 + 1e-6)
    counts = [near[:, :m, :m].sum(dim=2) - 1 for m in samples]  # (branches, m) each
    return MeasuredDensification(
        tuple(samples),
        batch_size,
        beta,
        tuple(guaranteed_neighbours(m, batch_size) for m in samples),
        tuple(int(count.min()) for count in counts),
        tuple(float(count.cpu().double().median()) for count in counts),
    )


def cross_polytope(dimension: int, eta: float = 2.0) -> Float[Tensor, "points dimension"]:
    """The 2 * dimension points +-(eta / 2) e_i, float64: all l1 distances are eta, the loss is 0.

    A batch of up to this size needs no more room than an l1 ball of radius eta / 2.
    """
    if dimension < 1:
        raise ValueError(f"dimension should be at least 1, got {dimension}")
    if not (eta > 0 and math.isfinite(eta)):
        raise ValueError(f"eta should be finite and greater than 0, got {eta}")
    half = torch.eye(dimension, dtype=torch.float64) * (eta / 2)
    return torch.cat([half, -half])


def smallest_support_radius(batch_size: int, dimension: int, eta: float = 2.0) -> float:
    """Radius below which no ball of the latent space holds a batch of points eta apart.

    Balls of radius eta / 2 around the points are disjoint and lie in one of radius R + eta / 2; their volumes
    give b <= (1 + 2 R / eta)^d, in any norm. Attained in l1 for d = 1 (points on a line) and for square
    numbers in d = 2; a lower bound elsewhere.

    Args:
        batch_size: b, >= 1.
        dimension: d of one branch, >= 1.
        eta: > 0.

    Returns:
        eta / 2 * (b^(1/d) - 1), in the unit of eta.
    """
    if batch_size < 1 or dimension < 1:
        raise ValueError(f"batch_size and dimension should be at least 1, got {batch_size} and {dimension}")
    if not (eta > 0 and math.isfinite(eta)):
        raise ValueError(f"eta should be finite and greater than 0, got {eta}")
    return eta / 2 * (batch_size ** (1 / dimension) - 1)


@dataclass(frozen=True, eq=False)
class Room:
    """Bounds on the packing number at scale eta: how many of the codes can lie eta apart.

    A batch larger than `most` cannot have a loss of 0 on these codes: training makes their support grow. One
    of at most `fewest` has room. Between them nothing is said.

    Attributes:
        fewest, most: (branches,).
        eta: the scale, in the unit of the codes.
    """

    fewest: Int64[Tensor, " branches"]
    most: Int64[Tensor, " branches"]
    eta: float


@torch.no_grad()
def room_for_batches(codes: Float[Tensor, "n width"], branches: int = 1, eta: float = 2.0) -> Room:
    """Bounds on the batch size that the support of the codes has room for, branch by branch, l1.

    Codes taken greedily, each at least t from all taken before, are t apart, and none is t or more from all
    of them. Taken at t = eta they are a packing: `fewest`. At t = eta / 2 their balls cover the codes, and
    points eta apart lie in different balls: `most`.

    Args:
        codes: (n, branches * d), floating point and finite; n <= a few thousand, distances are n x n.
        branches: number of branches.
        eta: > 0.

    Raises:
        ValueError: shape or eta not as above, or a code is not finite.
    """
    if not (eta > 0 and math.isfinite(eta)):
        raise ValueError(f"eta should be finite and greater than 0, got {eta}")
    if branches < 1:
        raise ValueError(f"branches should be at least 1, got {branches}")
    if codes.ndim != 2 or codes.numel() == 0 or codes.shape[1] % branches:
        raise ValueError(
            f"codes should have shape (n, {branches} * d) with n, d >= 1, got {tuple(codes.shape)}"
        )
    if not torch.isfinite(codes).all():
        raise ValueError("codes should be finite, got NaN or infinity")
    fewest, most = [], []
    for part in codes.unflatten(1, (branches, -1)).unbind(1):
        distances = pairwise_distances(part, p=1.0)
        fewest.append(_greedy_packing(distances, eta))
        most.append(_greedy_packing(distances, eta / 2))
    return Room(torch.tensor(fewest), torch.tensor(most), eta)


def _greedy_packing(distances: Float[Tensor, "n n"], separation: float) -> int:
    free = torch.ones(len(distances), dtype=torch.bool, device=distances.device)
    count = 0
    while free.any():
        first = int(free.int().argmax())  # the first free point
        free &= distances[first] >= separation
        count += 1
    return count
