"""Promises to a sample and room for a batch: numbers of corel.md 1.1, packings known exactly."""

from __future__ import annotations

from itertools import combinations, product

import numpy as np
import pytest
import torch

from gan_topdis.connectivity import (
    cross_polytope,
    guaranteed_neighbours,
    measured_densification,
    room_for_batches,
    samples_needed,
    smallest_support_radius,
)
from gan_topdis.losses import ConnectivityLoss
from gan_topdis.persistence import pairwise_distances


def test_numbers():
    """m - b + 1, and nothing below one batch."""
    assert [guaranteed_neighbours(m, 100) for m in (10, 99, 100, 120, 500)] == [0, 0, 1, 21, 401]
    assert samples_needed(1, 100) == 100
    for m in range(100, 130):
        assert samples_needed(guaranteed_neighbours(m, 100), 100) == m


@pytest.mark.parametrize(("m", "b"), [(6, 2), (7, 4), (7, 7)])
def test_promise_holds_and_is_sharp(m, b):
    """Random points keep it. On a line, whose b-subsets leave gaps of up to m - b + 1, the ends attain it."""
    loss = ConnectivityLoss()

    def beta_and_neighbours(points):
        beta = max(loss.describe(points[list(s)]).largest.item() for s in combinations(range(m), b))
        within = (pairwise_distances(points, p=1.0) <= beta * (1 + 1e-12)).sum(dim=1) - 1
        return beta, within.min().item()

    random = torch.Generator().manual_seed(0)
    for _ in range(3):
        points = torch.randn(m, 2, generator=random, dtype=torch.float64)
        assert beta_and_neighbours(points)[1] >= guaranteed_neighbours(m, b)
    line = torch.arange(m, dtype=torch.float64)[:, None]
    assert beta_and_neighbours(line) == (m - b + 1, guaranteed_neighbours(m, b))


def test_measured_neighbours():
    """A batch of all codes: beta is that of the whole, and every code has a neighbour. Counts by hand."""
    codes = torch.randn(40, 6, generator=torch.Generator().manual_seed(0), dtype=torch.float64)
    found = measured_densification(codes, (1, 40), branches=3, batch_size=40, batches=1)
    parts = codes.unflatten(1, (3, -1)).unbind(1)
    assert found.beta == pytest.approx(ConnectivityLoss(branches=3).describe(codes).largest.max().item())
    counts = [(pairwise_distances(part, p=1.0) <= found.beta + 1e-9).sum(dim=1) - 1 for part in parts]
    assert found.fewest == (0, int(torch.cat(counts).min()))
    assert found.median == (0, torch.cat(counts).double().median())
    assert found.guaranteed == (0, 1) and found.fewest[1] >= 1
    less = measured_densification(codes, (40,), branches=3, batch_size=39, batches=300)
    assert less.fewest[0] >= less.guaranteed[0] == 2  # 300 of the 40 subsets of 39: all of them
    assert less == measured_densification(codes, (40,), branches=3, batch_size=39, batches=300)


@pytest.mark.parametrize(("dimension", "eta"), [(1, 2.0), (3, 0.5), (10, 2.0)])
def test_cross_polytope(dimension, eta):
    """In R^10, 20 points that are 2 apart."""
    points = cross_polytope(dimension, eta)
    assert points.shape == (2 * dimension, dimension)
    distances = pairwise_distances(points, p=1.0)
    assert (distances[~torch.eye(2 * dimension, dtype=torch.bool)] == eta).all()
    assert ConnectivityLoss(eta=eta)(points) == 0
    assert smallest_support_radius(2 * dimension, dimension, eta) <= eta / 2


def test_room_that_a_batch_needs():
    assert smallest_support_radius(1, 3) == 0
    assert smallest_support_radius(50, 2) == pytest.approx(50**0.5 - 1)  # 6.07: far from a unit of the plane
    assert smallest_support_radius(100, 10) == pytest.approx(10**0.2 - 1)
    assert smallest_support_radius(100, 10, eta=4.0) == 2 * smallest_support_radius(100, 10)


@pytest.mark.parametrize("k", [1, 2, 5])
def test_room_is_attained_on_the_line_and_in_the_plane(k):
    """2 k + 1 points in a row, and their square, which turned by 45 degrees is a ball of l1."""
    line = torch.arange(-k, k + 1, dtype=torch.float64)[:, None] * 2
    assert smallest_support_radius(len(line), 1) == line.abs().max()
    square = torch.tensor(list(product(range(-k, k + 1), repeat=2)), dtype=torch.float64)
    turned = torch.stack((square.sum(dim=1), square[:, 0] - square[:, 1]), dim=1)  # l1 is 2 l-infinity
    assert ConnectivityLoss()(turned) == 0
    assert smallest_support_radius(len(turned), 2) == pytest.approx(turned.abs().sum(dim=1).max().item())


def exact_packing(points, eta):
    """Largest subset with l1 distances >= eta, by trying all."""
    distances = np.abs(points[:, None] - points).sum(axis=2)
    for size in range(len(points), 1, -1):
        for subset in combinations(range(len(points)), size):
            if all(distances[i, j] >= eta for i, j in combinations(subset, 2)):
                return size
    return 1


def test_room_for_batches_brackets_the_packing_number():
    codes = torch.rand(10, 6, generator=torch.Generator().manual_seed(0), dtype=torch.float64)
    strict = False
    for eta in (0.2, 0.5, 0.8, 1.2, 3.0):
        room = room_for_batches(codes, branches=3, eta=eta)
        for k in range(3):
            exact = exact_packing(codes[:, 2 * k : 2 * k + 2].numpy(), eta)
            assert room.fewest[k] <= exact <= room.most[k]
            strict |= bool(room.fewest[k] < exact or exact < room.most[k])
    assert strict


def test_room_of_known_sets():
    """A 6 x 6 grid of spacing 1 holds one colour of a chess board at distance 2."""
    grid = torch.cartesian_prod(torch.arange(6.0), torch.arange(6.0))
    room = room_for_batches(grid, eta=2.0)
    assert (room.fewest.item(), room.most.item(), room.eta) == (18, 36, 2.0)
    assert room_for_batches(cross_polytope(10)).fewest.tolist() == [20]
    assert room_for_batches(0.4 * cross_polytope(10)).most.tolist() == [1]


@pytest.mark.parametrize(
    ("call", "message"),
    [
        (lambda: guaranteed_neighbours(0, 5), "samples should be at least 1"),
        (lambda: guaranteed_neighbours(5, 1), "batch_size should be at least 2"),
        (lambda: samples_needed(0, 5), "neighbours should be at least 1"),
        (lambda: samples_needed(1, 1), "batch_size should be at least 2"),
        (lambda: measured_densification(torch.zeros(3, 4), (4,), batch_size=2), "from 1 to 3"),
        (lambda: measured_densification(torch.zeros(3, 4), (), batch_size=2), "from 1 to 3"),
        (lambda: measured_densification(torch.zeros(3, 4), (2,)), "batch_size should be from 2 to 3"),
        (lambda: cross_polytope(0), "dimension should be at least 1"),
        (lambda: cross_polytope(2, 0.0), "eta should be finite"),
        (lambda: smallest_support_radius(0, 1), "batch_size and dimension"),
        (lambda: smallest_support_radius(1, 1, -1.0), "eta should be finite"),
        (lambda: room_for_batches(torch.zeros(3, 4), 3), r"shape \(n, 3 \* d\)"),
        (lambda: room_for_batches(torch.zeros(3, 4), 0), "branches should be at least 1"),
        (lambda: room_for_batches(torch.zeros(3, 4), eta=0.0), "eta should be finite"),
        (lambda: room_for_batches(torch.full((3, 4), torch.nan)), "codes should be finite"),
    ],
)
def test_refusals(call, message):
    with pytest.raises(ValueError, match=message):
        call()
