"""torchph's lists: its meaning of every argument, and what it crashes on."""

from __future__ import annotations

import math
from itertools import combinations

import numpy as np
import pytest
import torch

from gan_topdis.persistence import (
    h0_deaths,
    pairwise_distances,
    vietoris_rips,
    vr_persistence,
    vr_persistence_l1,
)

FOUR = torch.tensor([[0, 0], [1, 0], [0, 0.5], [1, 1.5]], dtype=torch.float64)
"""l1 distances 01: 1, 02: .5, 03: 2.5, 12: 1.5, 13: 1.5, 23: 2 (corel.md, acceptance test 4)."""


def as_lists(barcodes: list[list[torch.Tensor]]) -> list[list[list]]:
    return [[tensor.tolist() for tensor in part] for part in barcodes]


def textbook(distances: torch.Tensor, max_dimension: int, limit: float) -> list[list[list]]:
    """Reduction of the boundary matrix, column by column, simplices by (last edge, dimension, vertices).

    The same two lists, with values; bars of one degree in the order of the killing simplices.
    """
    n = len(distances)
    edges = sorted((float(distances[j, i]), i, j) for i, j in combinations(range(n), 2))
    rank = {(i, j): place + 1 for place, (length, i, j) in enumerate(edges) if length <= limit}
    lengths = [0.0, *(length for length, _, _ in edges)]
    simplices = []
    for size in range(1, max(2, max_dimension + 1) + 1):
        for vertices in combinations(range(n), size):
            faces = list(combinations(vertices, 2))
            if all(face in rank for face in faces):
                simplices.append((max([rank[face] for face in faces], default=0), size, vertices))
    simplices.sort()
    place = {vertices: at for at, (_, _, vertices) in enumerate(simplices)}
    value = [lengths[last] for last, _, _ in simplices]
    columns, killer, alive = {}, {}, set()
    for at, (_, size, vertices) in enumerate(simplices):
        column = {place[face] for face in combinations(vertices, size - 1)} if size > 1 else set()
        while column and max(column) in killer:
            column ^= columns[killer[max(column)]]
        columns[at] = column
        if column:
            killer[max(column)] = at
            alive.discard(max(column))
        else:
            alive.add(at)
    degrees = range(max_dimension + 1)
    bars = [
        [
            [value[birth], value[death]]
            for birth, death in sorted(killer.items(), key=lambda pair: (simplices[pair[1]][0], pair[0]))
            if simplices[birth][1] == degree + 1 and value[birth] != value[death]
        ]
        for degree in degrees
    ]
    births = [[value[at] for at in sorted(alive) if simplices[at][1] == degree + 1] for degree in degrees]
    return [bars, births]


def random_matrix(n: int, generator: torch.Generator, values: int | None = None) -> torch.Tensor:
    """Symmetric, without a triangle inequality; with few values, ties and zeros."""
    if values is None:
        upper = torch.rand(n, n, generator=generator, dtype=torch.float64)
    else:
        upper = torch.randint(0, values, (n, n), generator=generator).double()
    return upper.triu(1) + upper.triu(1).mT


# --- the example ---


def test_four_points():
    h0 = [[0, 0.5], [0, 1], [0, 1.5]]
    assert as_lists(vr_persistence_l1(FOUR, 0)) == [[h0], [[0]]]
    assert as_lists(vr_persistence_l1(FOUR, 1)) == [[h0, []], [[0], [1.5, 2, 2.5]]]
    # triangles 012 at 1.5, 123 at 2, 013 and 023 at 2.5: the last closes the tetrahedron
    assert as_lists(vr_persistence_l1(FOUR, 2)) == [[h0, [], []], [[0], [], [2.5]]]
    assert as_lists(vr_persistence_l1(FOUR, 3)) == [[h0, [], [], []], [[0], [], [], []]]


@pytest.mark.parametrize("max_dimension", [0, 1, 2, 3])
def test_limits_of_the_four_points(max_dimension):
    """Distances, not radii: 1 keeps edges 01 and 02, whose death of 1 equals the limit; .4 keeps none."""
    nothing = [[]] * max_dimension
    limited = as_lists(vr_persistence_l1(FOUR, max_dimension, 1.0))
    assert limited == [[[[0, 0.5], [0, 1]], *nothing], [[0, 0], *nothing]]
    assert as_lists(vr_persistence_l1(FOUR, max_dimension, 0.4)) == [[[], *nothing], [[0] * 4, *nothing]]
    # all edges are within 2.5, and 0 is no limit
    for limit in (2.5, math.inf):
        whole = as_lists(vr_persistence_l1(FOUR, max_dimension, limit))
        assert whole == as_lists(vr_persistence_l1(FOUR, max_dimension, 0.0))


def test_a_square_has_a_loop_with_triangles_only():
    """Sides 1, diagonals 2 in l1: the loop is killed by triangles, and without them there are three."""
    square = torch.tensor([[0.0, 0], [1, 0], [1, 1], [0, 1]])
    assert as_lists(vr_persistence_l1(square, 2))[0][1] == [[1, 2]]
    assert as_lists(vr_persistence_l1(square, 1)) == [[[[0, 1]] * 3, []], [[0], [1, 2, 2]]]
    assert as_lists(vr_persistence_l1(square, 2, 1.5)) == [[[[0, 1]] * 3, [], []], [[0], [1], []]]


# --- a second implementation ---


@pytest.mark.parametrize("max_dimension", [0, 1, 2, 3])
@pytest.mark.parametrize("values", [None, 2, 4, 9])
def test_equal_to_the_textbook_reduction(max_dimension, values, generator):
    """Deaths with multiplicity in their order, ties and limits included."""
    for n in (1, 2, 3, 4, 7):
        distances = random_matrix(n, generator, values)
        for limit in (0.0, 0.5, 1.0, 2.0):
            found = as_lists(vr_persistence(distances, max_dimension, limit))
            assert found == textbook(distances, max_dimension, limit or math.inf)


def test_the_textbook_reduction_can_disagree(generator):
    distances = random_matrix(7, generator)
    assert as_lists(vr_persistence(distances, 2, 0.5)) != textbook(distances, 2, 0.6)
    assert as_lists(vr_persistence(distances, 2))[1] != textbook(distances, 3, math.inf)[1][:3]


def test_two_dimensional_complexes_of_30_points(generator):
    """GUDHI on three-dimensional complexes agrees on H1; voids are counted by Euler's formula."""
    points = torch.randn(30, 3, generator=generator, dtype=torch.float64)
    bars, essential = vr_persistence_l1(points, 2)
    by_gudhi = vr_persistence_l1(points, 3)[0][1]
    assert len(bars[1]) > 5
    assert torch.equal(bars[1], by_gudhi)
    assert torch.equal(bars[1], vietoris_rips(pairwise_distances(points, p=1.0)).bars(1))
    # points - edges + triangles = components - loops + voids
    assert len(essential[2]) == 30 - math.comb(30, 2) + math.comb(30, 3) - 1
    assert essential[2].diff().min() >= 0


@pytest.mark.parametrize("limit", [0.0, 0.3, 0.7])
def test_number_of_loops_of_a_graph(limit, generator):
    """max_dimension 1: edges - points + components essential H1 births."""
    distances = random_matrix(20, generator)
    bars, essential = vr_persistence(distances, 1, limit)
    edges = int((distances.triu(1) > 0).logical_and(distances <= (limit or math.inf)).sum())
    assert bars[1].shape == (0, 2)
    assert len(essential[0]) == 20 - len(bars[0])
    assert len(essential[1]) == edges - 20 + len(essential[0])


def test_h0_is_that_of_h0_deaths(generator):
    """Deaths of 0 are dropped here and kept there."""
    points = torch.randn(20, 3, generator=generator).repeat(2, 1)
    deaths = h0_deaths(pairwise_distances(points, p=1.0))
    bars = vr_persistence_l1(points, 0)[0][0]
    assert bars.shape == (19, 2)
    assert torch.equal(bars[:, 1], deaths[20:])


# --- which entries are read, gradient ---


@pytest.mark.parametrize("max_dimension", [0, 1, 2, 3])
@pytest.mark.parametrize("limit", [0.0, 0.5, 1e-9])
def test_only_the_lower_triangle_is_read(max_dimension, limit, generator):
    distances = random_matrix(7, generator)
    poisoned = distances + torch.full((7, 7), math.nan, dtype=torch.float64).triu()
    poisoned.requires_grad_()
    found = vr_persistence(poisoned, max_dimension, limit)
    assert as_lists(found) == as_lists(vr_persistence(distances, max_dimension, limit))
    sum(tensor.sum() for part in found for tensor in part).backward()
    assert not poisoned.grad.triu().any()
    assert poisoned.grad.isfinite().all()
    assert poisoned.grad.sum() == sum(bars.numel() for bars in found[0]) - len(found[0][0]) + sum(
        len(births) for births in found[1][1:]
    )


def test_gradient_is_at_the_last_edge():
    matrix = torch.zeros(4, 4, dtype=torch.float64, requires_grad=True)
    with torch.no_grad():
        for (i, j), d in {(1, 0): 1, (2, 0): 0.5, (3, 0): 2.5, (2, 1): 1.5, (3, 1): 1.5, (3, 2): 2}.items():
            matrix[i, j] = d
    bars, essential = vr_persistence(matrix, 1)
    (
        10 * bars[0][:, 1] @ torch.tensor([1.0, 2, 3]).double()
        + essential[1] @ torch.tensor([1.0, 2, 3]).double()
    ).backward()
    # tree 20, 10, 31 (1.5; edge 21 of the same length comes first, but closes the loop 012)
    expected = {(2, 0): 10, (1, 0): 20, (3, 1): 30, (2, 1): 1, (3, 2): 2, (3, 0): 3}
    assert {(i, j): matrix.grad[i, j].item() for i, j in expected} == expected
    assert matrix.grad.count_nonzero() == 6


@pytest.mark.parametrize("max_dimension", [1, 2, 3])
def test_gradcheck(max_dimension, generator):
    points = torch.randn(8, 2, generator=generator, dtype=torch.float64).requires_grad_()

    def values(x: torch.Tensor) -> torch.Tensor:
        bars, essential = vr_persistence_l1(x, max_dimension, 2.5)
        return torch.cat([part.flatten().sort().values for part in (*bars, *essential)])

    assert torch.autograd.gradcheck(values, (points,))


# --- where torchph crashes ---


@pytest.mark.parametrize("n", [1, 2, 3])
@pytest.mark.parametrize("max_dimension", [0, 1, 2, 3, 4])
def test_few_points(n, max_dimension):
    points = torch.arange(n, dtype=torch.float32)[:, None].requires_grad_()
    bars, essential = vr_persistence_l1(points, max_dimension)
    assert len(bars) == len(essential) == max_dimension + 1
    assert bars[0].tolist() == [[0, 1]] * (n - 1)
    assert essential[0].tolist() == [0]
    for degree in range(1, max_dimension + 1):
        assert bars[degree].shape == (0, 2)
        assert bars[degree].dtype == essential[degree].dtype == torch.float32
        # three points without triangles: the longest edge makes a loop
        assert essential[degree].tolist() == ([2] if (n, max_dimension, degree) == (3, 1, 1) else [])


@pytest.mark.parametrize("max_dimension", [0, 1, 2, 3])
def test_edges_without_a_triangle_and_no_edges(max_dimension):
    line = torch.tensor([[0.0], [1], [2]], requires_grad=True)
    bars, essential = vr_persistence_l1(line, max_dimension, 1.5)
    assert as_lists([bars, essential])[0][0] == [[0, 1], [0, 1]]
    assert all(part.numel() == 0 for part in (*bars[1:], *essential[1:]))
    bars, essential = vr_persistence_l1(line, max_dimension, 0.5)
    assert essential[0].tolist() == [0, 0, 0]
    assert all(part.numel() == 0 for part in (*bars, *essential[1:]))
    essential[0].sum().backward()
    assert line.grad.tolist() == [[0], [0], [0]]


@pytest.mark.parametrize("max_dimension", [0, 1, 2, 3])
def test_coincident_points(max_dimension):
    points = torch.ones(5, 2, requires_grad=True)
    bars, essential = vr_persistence_l1(points, max_dimension)
    assert all(part.shape == (0, 2) for part in bars)
    expected = [[0.0]] + [[]] * max_dimension
    if max_dimension:  # a skeleton of the 4-simplex has comb(4, q + 1) holes of its own dimension q
        expected[max_dimension] = [0.0] * math.comb(4, max_dimension + 1)
    assert [births.tolist() for births in essential] == expected
    sum(births.sum() for births in essential).backward()
    assert not points.grad.any()


def test_no_bars_of_one_rounding_near_1000(generator):
    """torchph's offset in float32 leaves H1 bars of one rounding; equal lengths make none here."""
    equal = 1000 * (1 - torch.eye(12))
    bars, essential = vr_persistence(equal, 2)
    assert bars[1].shape == (0, 2)
    assert essential[2].tolist() == [1000] * math.comb(11, 3)


@pytest.mark.parametrize("max_dimension", [1, 2, 3])
def test_limit_is_compared_in_the_type_of_the_distances(max_dimension):
    """float32 0.1 is larger than 0.1, but torch takes them for equal."""
    matrix = torch.tensor([[0.0, 0], [0.1, 0]])
    assert len(vr_persistence(matrix, max_dimension, 0.1)[0][0]) == 1
    assert (
        len(vr_persistence(matrix, max_dimension, float(np.nextafter(np.float32(0.1), np.float32(0))))[0][0])
        == 0
    )


# --- refusals ---


@pytest.mark.parametrize(
    ("matrix", "options", "text"),
    [
        (torch.zeros(3, 4), (1,), r"distance_matrix should have shape \(\.\.\., n, n\), got \(3, 4\)"),
        (torch.zeros(2, 3, 3), (1,), r"distance_matrix should have shape \(n, n\), got \(2, 3, 3\)"),
        (torch.zeros(0, 0), (1,), r"distance_matrix should hold at least one point, got shape \(0, 0\)"),
        (torch.zeros(3, 3), (-1,), r"max_dimension should be at least 0, got -1"),
        (torch.zeros(3, 3), (1, -0.5), r"max_ball_diameter should be at least 0 \(0: no limit\), got -0\.5"),
        (
            torch.zeros(3, 3),
            (1, math.nan),
            r"max_ball_diameter should be at least 0 \(0: no limit\), got nan",
        ),
        (torch.full((2, 2), math.nan), (0,), r"distance_matrix should be finite below its diagonal, got NaN"),
        (torch.full((2, 2), -1.0), (0,), r"distance_matrix should hold no negative distance below its diag"),
    ],
)
@pytest.mark.usefixtures("as_users_run")
def test_refused(matrix, options, text):
    with pytest.raises(ValueError, match=f"^{text}"):
        vr_persistence(matrix, *options)


@pytest.mark.parametrize(
    ("points", "text"),
    [
        (torch.zeros(0, 2), r"points should have shape \(n, d\) with n >= 1, got \(0, 2\)"),
        (torch.zeros(3), r"points should have shape \(n, d\) with n >= 1, got \(3,\)"),
        (torch.tensor([[0.0], [math.nan]]), r"points should be finite, got NaN or infinity"),
    ],
)
@pytest.mark.usefixtures("as_users_run")
def test_refused_points(points, text):
    with pytest.raises(ValueError, match=f"^{text}"):
        vr_persistence_l1(points, 1)


@pytest.mark.usefixtures("as_users_run")
def test_not_floating_point():
    with pytest.raises(TypeError, match=r"^distance_matrix should be floating point, got torch\.int64"):
        vr_persistence(torch.zeros(3, 3, dtype=torch.int64), 1)
    with pytest.raises(TypeError, match=r"^points should be a floating-point torch\.Tensor"):
        vr_persistence_l1([[0.0]], 1)
