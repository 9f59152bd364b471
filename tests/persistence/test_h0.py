"""H0 deaths are minimum-spanning-tree edges: other implementations, ties, gradients, batches, refusals."""

from __future__ import annotations

import math
import sys
from itertools import combinations
from types import ModuleType

import gudhi
import numpy as np
import pytest
import ripser
import torch
from scipy.sparse.csgraph import minimum_spanning_tree

import gan_topdis.persistence
from gan_topdis.persistence import h0, h0_deaths, pairwise_distances
from gan_topdis.persistence.h0 import l1_tree_edges, tree_edges

NORMS = (1.0, 2.0, math.inf)


def cloud(*shape: int, generator: torch.Generator) -> torch.Tensor:
    return torch.randn(*shape, generator=generator, dtype=torch.float64)


def whole_numbers(n: int, generator: torch.Generator, values: int = 4) -> torch.Tensor:
    """A symmetric matrix of few values, 0 among them: ties everywhere."""
    upper = torch.randint(0, values, (n, n), generator=generator).double().triu(1)
    return upper + upper.mT


def kruskal(distances: torch.Tensor) -> list[int]:
    """Tree edges i * n + j by the definition: shortest first, ties by (i, j), unless it closes a loop."""
    n = len(distances)
    component = list(range(n))
    tree = []
    for _, i, j in sorted((float(distances[i, j]), i, j) for i, j in combinations(range(n), 2)):
        if component[i] != component[j]:
            component = [component[i] if c == component[j] else c for c in component]
            tree.append(i * n + j)
    return tree


# --- values ---


def test_four_points():
    """The example of corel.md: (0, 0), (1, 0), (0, .5), (1, 1.5) in the l1 distance."""
    points = torch.tensor([[0, 0], [1, 0], [0, 0.5], [1, 1.5]], dtype=torch.float64)
    distances = pairwise_distances(points, p=1.0)
    assert h0_deaths(distances).tolist() == [0.5, 1, 1.5]
    assert tree_edges(distances).tolist() == [2, 1, 4 + 3]  # (1, 3) before (2, 3), which is 2 long


def test_points_on_a_line():
    points = torch.tensor([5.0, 0, 1, 3, 3, 10])[:, None]
    assert h0_deaths(pairwise_distances(points)).tolist() == [0, 1, 2, 2, 5]


@pytest.mark.parametrize("p", NORMS)
@pytest.mark.parametrize("n", [2, 3, 17, 60])
def test_equal_to_scipy_gudhi_and_ripser(n, p, generator):
    distances = pairwise_distances(cloud(n, 5, generator=generator), p)
    deaths = h0_deaths(distances).numpy()
    matrix = distances.numpy()
    tree = np.sort(minimum_spanning_tree(matrix).data)
    np.testing.assert_array_equal(deaths, tree)  # both copy entries
    complex_ = gudhi.RipsComplex(distance_matrix=matrix).create_simplex_tree(max_dimension=1)
    complex_.compute_persistence()
    intervals = complex_.persistence_intervals_in_dimension(0)
    np.testing.assert_allclose(deaths, np.sort(intervals[:, 1])[:-1], rtol=1e-15)
    bars = ripser.ripser(matrix, maxdim=0, distance_matrix=True)["dgms"][0]
    # ripser computes in float32
    np.testing.assert_allclose(deaths, np.sort(bars[:, 1])[:-1], rtol=1e-6)


def test_200_points_in_ten_dimensions_against_ripser(generator):
    """The size and tolerance of corel.md, acceptance test 5."""
    distances = pairwise_distances(cloud(200, 10, generator=generator).float(), p=1.0)
    bars = ripser.ripser(distances.numpy(), maxdim=0, distance_matrix=True)["dgms"][0]
    difference = np.sort(bars[:, 1])[:-1] - h0_deaths(distances).numpy()
    assert np.abs(difference).sum() < 1e-4


@pytest.mark.parametrize("n", [2, 3, 5, 9, 24])
@pytest.mark.parametrize("values", [1, 2, 4, 1000])
def test_edges_are_those_of_the_one_order(n, values, generator):
    """Kruskal by (length, i, j), on ties most of all; values = 1: all points coincide."""
    for _ in range(5):
        distances = whole_numbers(n, generator, values)
        assert tree_edges(distances).tolist() == kruskal(distances)


def test_another_order_gives_other_edges():
    """The same tree reads backwards on relabelled points: the check above can fail."""
    equal = 1 - torch.eye(4)
    assert tree_edges(equal).tolist() == kruskal(equal) == [1, 2, 3]
    assert tree_edges(equal).tolist() != [3, 7, 11]  # the star of the last point is a minimum tree too


def test_negative_zero_is_zero():
    distances = torch.zeros(3, 3)
    distances[1, 2] = distances[2, 1] = -0.0
    assert tree_edges(distances).tolist() == [1, 2]


def test_isometry_scaling_and_relabelling(generator):
    points = cloud(30, 3, generator=generator)
    deaths = h0_deaths(pairwise_distances(points))
    order = torch.randperm(30, generator=generator)
    assert torch.equal(h0_deaths(pairwise_distances(points[order])), deaths)
    assert torch.equal(h0_deaths(pairwise_distances(-4 * points)), 4 * deaths)


# --- few points, batches, layouts, types ---


@pytest.mark.parametrize(
    ("shape", "result"),
    [
        ((1, 1), (0,)),
        ((3, 1, 1), (3, 0)),
        ((2, 2), (1,)),
        ((0, 4, 4), (0, 3)),
        ((2, 0, 5, 5), (2, 0, 4)),
        ((0, 1, 1), (0, 0)),
    ],
)
def test_small_and_empty(shape, result):
    distances = torch.zeros(shape, requires_grad=True)
    deaths = h0_deaths(distances)
    assert deaths.shape == result
    assert not deaths.any()
    deaths.sum().backward()
    assert distances.grad.sum() == math.prod(result)


def test_coincident_points_keep_their_deaths(generator):
    points = cloud(6, 2, generator=generator)
    doubled = h0_deaths(pairwise_distances(points.repeat(2, 1)))
    assert doubled.shape == (11,)
    assert not doubled[:6].any()
    assert torch.equal(doubled[6:], h0_deaths(pairwise_distances(points)))


def test_a_batch_is_its_items(generator):
    distances = pairwise_distances(cloud(2, 3, 12, 4, generator=generator))
    deaths = h0_deaths(distances)
    assert deaths.shape == (2, 3, 11)
    for a in range(2):
        for b in range(3):
            assert torch.equal(deaths[a, b], h0_deaths(distances[a, b]))


@pytest.mark.parametrize("dtype", [torch.float16, torch.bfloat16, torch.float32, torch.float64])
def test_type_is_kept_and_compared_exactly(dtype, generator):
    distances = pairwise_distances(cloud(20, 3, generator=generator)).to(dtype)
    deaths = h0_deaths(distances)
    assert deaths.dtype == dtype
    assert tree_edges(distances).tolist() == kruskal(distances)
    assert torch.equal(deaths, distances.flatten()[kruskal(distances)])


def test_memory_layout_does_not_matter(generator):
    distances = pairwise_distances(cloud(3, 15, 2, generator=generator))
    expected = h0_deaths(distances)
    assert torch.equal(h0_deaths(distances.mT), expected)
    wide = torch.zeros(3, 30, 30, dtype=torch.float64)
    wide[:, ::2, ::2] = distances
    assert torch.equal(h0_deaths(wide[:, ::2, ::2]), expected)
    assert torch.equal(h0_deaths(distances[:1].expand(4, 15, 15)), expected[:1].expand(4, 14))


@pytest.mark.usefixtures("two_threads")
@pytest.mark.parametrize("items", [1, 2, 7])
def test_threads_do_not_matter(items, generator, monkeypatch):
    distances = pairwise_distances(cloud(items, 20, 3, generator=generator))
    points = cloud(20, items, 3, generator=generator)
    alone = tree_edges(distances), l1_tree_edges(points)
    monkeypatch.setattr(h0, "SMALLEST_SHARE", 1)
    assert torch.equal(tree_edges(distances), alone[0])
    assert torch.equal(l1_tree_edges(points), alone[1])


@pytest.mark.parametrize("dtype", [torch.float32, torch.float64])
@pytest.mark.parametrize(("n", "b", "d"), [(1, 3, 2), (2, 1, 1), (40, 5, 10), (9, 0, 3)])
def test_trees_straight_from_points(n, b, d, dtype, generator):
    """On whole numbers, where no distance is rounded, ties are the same too."""
    points = torch.randint(-3, 4, (n, b, d), generator=generator).to(dtype)
    distances = pairwise_distances(points.transpose(0, 1), p=1.0)
    assert torch.equal(l1_tree_edges(points), tree_edges(distances))
    strided = torch.randint(-3, 4, (b, d, n), generator=generator).to(dtype).permute(2, 0, 1)
    assert torch.equal(l1_tree_edges(strided), l1_tree_edges(strided.contiguous()))


# --- devices ---


@pytest.fixture
def as_on_a_gpu(monkeypatch):
    """Triton is chosen, and stands in by Kruskal; the list holds the shapes it was called with."""
    calls = []

    def tree_edges_by_kruskal(distances):
        calls.append(tuple(distances.shape))
        b, n, _ = distances.shape
        return torch.tensor([kruskal(matrix) for matrix in distances], dtype=torch.int64).reshape(b, n - 1)

    twin = ModuleType("gan_topdis.persistence.h0_triton")
    twin.tree_edges = tree_edges_by_kruskal
    monkeypatch.setitem(sys.modules, twin.__name__, twin)
    monkeypatch.setattr(gan_topdis.persistence, "h0_triton", twin, raising=False)
    monkeypatch.setattr(h0, "kernels_for", lambda tensor: "triton")
    return calls


def test_triton_takes_whole_batches(as_on_a_gpu, generator):
    distances = pairwise_distances(cloud(2, 3, 6, 2, generator=generator))
    assert tree_edges(distances)[1, 2].tolist() == kruskal(distances[1, 2])
    assert torch.equal(h0_deaths(distances), distances.flatten(-2).gather(-1, tree_edges(distances)))
    points = cloud(6, 5, 2, generator=generator)
    assert l1_tree_edges(points)[4].tolist() == kruskal(pairwise_distances(points[:, 4], p=1.0))
    assert as_on_a_gpu == [(6, 6, 6)] * 3 + [(5, 6, 6)]


def test_refusals_are_the_same_for_triton(as_on_a_gpu):
    for i, j, value, text in (
        (1, 2, math.nan, "distances should be finite"),
        (2, 1, 0.5, "distances should be exactly symmetric"),
        (2, 2, 0.5, "distances should have a diagonal of zeros"),
    ):
        with pytest.raises(ValueError, match=f"^{text}"):
            h0_deaths(spoiled(i, j, value))
    with pytest.raises(ValueError, match=r"^distances should hold no negative distance"):
        h0_deaths(-spoiled(0, 0, 0))
    with pytest.raises(ValueError, match=r"^codes should be finite"):
        l1_tree_edges(torch.full((3, 1, 2), math.nan))
    assert as_on_a_gpu == []


# --- gradient ---


def test_gradient_is_one_at_the_tree_edges(generator):
    distances = pairwise_distances(cloud(3, 12, 4, generator=generator)).requires_grad_()
    weights = torch.arange(1.0, 12, dtype=torch.float64).expand(3, 11)
    (h0_deaths(distances) * weights).sum().backward()
    expected = torch.zeros(3, 144, dtype=torch.float64).scatter(1, tree_edges(distances), weights)
    assert torch.equal(distances.grad.flatten(1), expected)
    assert not distances.grad.tril().any()  # entries (i, j), i < j


def test_gradient_on_ties_is_that_of_the_first_edges():
    """All six edges are 1 long: (0, 1), (0, 2), (0, 3) come first."""
    distances = (1 - torch.eye(4)).requires_grad_()
    h0_deaths(distances).sum().backward()
    expected = torch.zeros(4, 4)
    expected[0, 1:] = 1
    assert torch.equal(distances.grad, expected)


@pytest.mark.parametrize("p", NORMS)
def test_gradcheck_of_points(p, generator):
    points = cloud(2, 7, 3, generator=generator).requires_grad_()
    assert torch.autograd.gradcheck(lambda x: h0_deaths(pairwise_distances(x, p)), (points,))


def test_coincident_points_have_a_finite_gradient():
    points = torch.tensor([[0.0, 0], [0, 0], [3, 4]], requires_grad=True)
    h0_deaths(pairwise_distances(points)).sum().backward()
    # the death of 5 belongs to edge (0, 2); edge (0, 1) of length 0 has no direction
    torch.testing.assert_close(points.grad, torch.tensor([[-0.6, -0.8], [0, 0], [0.6, 0.8]]))


# --- refusals ---


def spoiled(i: int, j: int, value: float) -> torch.Tensor:
    distances = 1 - torch.eye(4).expand(3, 4, 4).clone()
    distances[1, i, j] = value
    return distances


@pytest.mark.parametrize(
    ("distances", "text"),
    [
        (spoiled(1, 2, math.nan), r"distances should be finite, got NaN or infinity"),
        (spoiled(2, 1, math.inf), r"distances should be finite, got NaN or infinity"),
        (spoiled(3, 3, math.nan), r"distances should be finite, got NaN or infinity"),
        (spoiled(2, 1, 0.5), r"distances should be exactly symmetric; use pairwise_distances"),
        (spoiled(2, 2, 0.5), r"distances should have a diagonal of zeros; use pairwise_distances"),
        (-spoiled(0, 0, 0), r"distances should hold no negative distance"),
        (torch.zeros(3, 4), r"distances should have shape \(\.\.\., n, n\), got \(3, 4\)"),
        (torch.zeros(2, 0, 0), r"distances should hold at least one point, got shape \(2, 0, 0\)"),
    ],
)
@pytest.mark.usefixtures("as_users_run")
def test_refused(distances, text):
    with pytest.raises(ValueError, match=f"^{text}"):
        h0_deaths(distances)


@pytest.mark.usefixtures("as_users_run")
def test_not_floating_point():
    with pytest.raises(TypeError, match=r"^distances should be floating point, got torch\.int64"):
        h0_deaths(torch.zeros(3, 3, dtype=torch.int64))
    with pytest.raises(TypeError, match=r"^distances should be a torch\.Tensor, got list"):
        h0_deaths([[0.0]])
