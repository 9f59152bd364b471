"""Plain Vietoris-Rips diagrams: closed forms, laws, GUDHI and ripser, gradient, limits, refusals."""

from __future__ import annotations

import itertools
import math
from math import ceil, pi, sin

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from pairs_of_matrices import FAMILIES, bipartite, distances, duplicated, generic, integer_tied, symmetric

from gan_topdis.persistence import (
    PersistenceDiagram,
    pairwise_distances,
    rips_pairing,
    vietoris_rips,
    vietoris_rips_batch,
)
from gan_topdis.persistence.rips_pairing import RipsPairing, rips_pairing_by_gudhi, rips_pairings


def regular_polygon(m: int) -> torch.Tensor:
    angles = 2 * pi * torch.arange(m, dtype=torch.float64) / m
    return torch.stack([angles.cos(), angles.sin()], dim=1)


def normal(*shape: int, generator: torch.Generator) -> torch.Tensor:
    return torch.randn(*shape, generator=generator, dtype=torch.float64)


def rows(bars: torch.Tensor) -> list[list[float]]:
    return sorted(bars.tolist())


def by_gudhi(matrix: torch.Tensor, max_dimension: int, limit: float = math.inf) -> list[np.ndarray]:
    """Intervals of positive length of the matrix itself (not of ranks), infinite deaths included, sorted."""
    import gudhi

    complex_ = gudhi.RipsComplex(distance_matrix=matrix.double().numpy(), max_edge_length=limit)
    tree = complex_.create_simplex_tree(max_dimension=max_dimension + 1)
    tree.compute_persistence(homology_coeff_field=2, min_persistence=0.0, persistence_dim_max=True)
    found = []
    for dimension in range(max_dimension + 1):
        bars = tree.persistence_intervals_in_dimension(dimension).reshape(-1, 2)
        bars = bars[bars[:, 1] > bars[:, 0]]
        found.append(bars[np.lexsort((bars[:, 1], bars[:, 0]))])
    return found


def with_essential(diagram: PersistenceDiagram, dimension: int) -> np.ndarray:
    births = diagram.essential(dimension).detach()
    lasting = torch.stack([births, torch.full_like(births, math.inf)], dim=1)
    bars = torch.cat([diagram.bars(dimension).detach(), lasting]).double().numpy()
    return bars[np.lexsort((bars[:, 1], bars[:, 0]))]


# --- closed forms ---


@pytest.mark.parametrize("engine", ["native", "gudhi"])
@pytest.mark.parametrize("m", [4, 5, 6, 7, 8, 9, 12])
def test_regular_polygon_has_one_loop(m, engine):
    """Unit circle: born at the side, dies when ceil(m / 3) steps span the circle."""
    diagram = vietoris_rips(pairwise_distances(regular_polygon(m)), engine=engine)
    # float64 chords; 1e-12 is some thousand roundings of a length near 1
    expected = [2 * sin(pi / m), 2 * sin(pi * ceil(m / 3) / m)]
    loop = diagram.bars(1)[(diagram.bars(1)[:, 1] - diagram.bars(1)[:, 0]) > 1e-12]
    torch.testing.assert_close(loop, torch.tensor([expected], dtype=torch.float64), rtol=0, atol=1e-12)
    assert diagram.essential(0).tolist() == [0.0]
    assert len(diagram.bars(0)) == m - 1


def test_four_points_have_the_loop_of_the_formula(generator):
    """Born when every point reaches its second farthest, dies when some point reaches its farthest.

    Source: Gomez and Memoli, Curvature Sets Over Persistence Diagrams, arXiv:2103.04470 (k = 1).
    """
    loops = 0
    for _ in range(200):
        matrix = distances(normal(4, 2, generator=generator))
        farthest, second = matrix.topk(2, dim=1).values.unbind(1)
        birth, death = second.max().item(), farthest.min().item()
        loops += birth < death
        assert rows(vietoris_rips(matrix).bars(1)) == ([[birth, death]] if birth < death else [])
    assert 3 < loops < 40  # 2.8 % of Gaussian quadruples in the plane are expected to have one


def test_a_square_and_its_diagonals():
    points = torch.tensor([[0.0, 0], [1, 0], [1, 1], [0, 1]], dtype=torch.float64)
    assert rows(vietoris_rips(pairwise_distances(points)).bars(1)) == [[1.0, math.sqrt(2)]]


def test_an_octahedron_has_a_void():
    """Six points, opposite ones at 2 and the rest at 1: H2 needs the other engine."""
    matrix = torch.ones(6, 6, dtype=torch.float64) - torch.eye(6)
    for i in range(3):
        matrix[i, i + 3] = matrix[i + 3, i] = 2
    diagram = vietoris_rips(matrix, max_dimension=2, engine="gudhi")
    assert diagram.bars(2).tolist() == [[1.0, 2.0]]
    assert len(diagram.bars(1)) == 0


@pytest.mark.parametrize("engine", ["native", "gudhi"])
def test_degenerate_inputs(engine):
    one = vietoris_rips(torch.zeros(1, 1), engine=engine)
    assert (one.bars(0).shape, one.bars(1).shape, one.essential(0).tolist()) == ((0, 2), (0, 2), [0.0])
    two = vietoris_rips(torch.tensor([[0.0, 3], [3, 0]]), engine=engine)
    assert (two.bars(0).tolist(), two.essential(1).shape) == ([[0.0, 3.0]], (0,))
    equal = vietoris_rips(torch.ones(5, 5) - torch.eye(5), engine=engine)
    assert equal.bars(0).tolist() == [[0.0, 1.0]] * 4
    assert equal.bars(1).shape == (0, 2)
    coincident = vietoris_rips(torch.zeros(5, 5), engine=engine)
    assert (coincident.bars(0).shape, coincident.essential(0).tolist()) == ((0, 2), [0.0])


# --- independent solvers ---


def assert_same_pairing(found: RipsPairing, expected: RipsPairing) -> None:
    """The same critical edges, ties and pairs of length 0 included."""
    assert found.components == expected.components
    for dimension in (0, 1):
        assert sorted(found.death[dimension]) == sorted(expected.death[dimension])
        assert found.essential[dimension].tolist() == expected.essential[dimension].tolist()
    pairs = [set(zip(p.birth[1].tolist(), p.death[1].tolist(), strict=True)) for p in (found, expected)]
    assert pairs[0] == pairs[1]


@pytest.mark.parametrize("family", FAMILIES)
@pytest.mark.parametrize("n", [2, 3, 5, 8, 17, 33])
def test_critical_edges_are_those_of_gudhi(family, n, generator):
    """GUDHI with one edge entering after the other; all of 13 families, with and without a limit."""
    for matrix in family(n, generator):
        lengths = matrix[torch.triu_indices(n, n, 1).unbind()]
        for limit in (math.inf, lengths.median().item()):
            found = rips_pairings(matrix[None], limit)[0]
            assert_same_pairing(found, rips_pairing_by_gudhi(matrix, limit, 1))


def test_the_comparison_can_fail(generator):
    matrix = generic(12, generator)[0]
    right = rips_pairing_by_gudhi(matrix, math.inf, 1)
    with pytest.raises(AssertionError):
        assert_same_pairing(rips_pairings(matrix.flip(0, 1)[None], math.inf)[0], right)


@pytest.mark.parametrize("family", FAMILIES)
def test_bars_are_those_of_gudhi_on_lengths(family, generator):
    """Neither ranks nor critical edges of ours: births and deaths, compared without tolerance."""
    for matrix, limited in itertools.product(family(24, generator), (False, True)):
        lengths = matrix[torch.triu_indices(24, 24, 1).unbind()]
        limit = lengths.quantile(0.3).item() if limited else math.inf
        diagram = vietoris_rips(matrix, max_edge_length=limit)
        for dimension, expected in enumerate(by_gudhi(matrix, 1, limit)):
            found = with_essential(diagram, dimension)
            assert found.shape == expected.shape
            assert (found == expected).all()


@pytest.mark.parametrize("family", [bipartite, duplicated, integer_tied])
def test_more_than_one_word_of_neighbours(family, generator):
    matrix = family(70, generator)[0]
    assert_same_pairing(rips_pairings(matrix[None], math.inf)[0], rips_pairing_by_gudhi(matrix, math.inf, 1))


@pytest.mark.parametrize(("n", "d"), [(60, 2), (130, 3), (130, 64), (65, 200)])
def test_bars_are_those_of_ripser(n, d, generator):
    ripser = pytest.importorskip("ripser", reason="the test extra has ripser").ripser
    matrix = distances(torch.randn(n, d, generator=generator))
    diagram = vietoris_rips(matrix)
    expected = ripser(matrix.numpy(), distance_matrix=True, maxdim=1)["dgms"]
    for dimension in (0, 1):
        found = with_essential(diagram, dimension).astype(np.float32)
        other = expected[dimension].astype(np.float32)
        assert (found == other[np.lexsort((other[:, 1], other[:, 0]))]).all()


def test_more_loops_than_first_room(generator):
    """n^2 / 4 edges across two halves and no triangle: all but n - 1 start a loop."""
    matrix = bipartite(40, generator)[0]
    diagram = vietoris_rips(matrix)
    assert len(diagram.bars(1)) == 400 - 39
    assert (with_essential(diagram, 1) == by_gudhi(matrix, 1)[1]).all()


def test_engines_agree_on_values_gradients_and_order(generator):
    for make in (generic, integer_tied, duplicated):
        matrix = make(14, generator)[0]
        results = []
        for engine in ("native", "gudhi"):
            tracked = matrix.clone().requires_grad_()
            diagram = vietoris_rips(tracked, max_edge_length=matrix.median().item(), engine=engine)
            parts = [diagram.bars(0), diagram.bars(1), diagram.essential(0), diagram.essential(1)]
            weights = [1 + torch.arange(part.numel()).reshape(part.shape) for part in parts]
            sum((part * weight).sum() for part, weight in zip(parts, weights, strict=True)).backward()
            results.append((parts, tracked.grad))
        for one, two in zip(*(parts for parts, _ in results), strict=True):
            assert torch.equal(one, two)
        # deaths in order: equal ones of different bars may come in either order, with other weights
        if make is generic:
            assert torch.equal(results[0][1], results[1][1])


# --- laws ---


def test_deaths_of_components_are_the_spanning_tree(generator):
    from scipy.sparse.csgraph import minimum_spanning_tree

    matrix = distances(normal(50, 3, generator=generator))
    tree = np.sort(minimum_spanning_tree(matrix.numpy()).data)
    assert vietoris_rips(matrix).bars(0)[:, 1].tolist() == tree.tolist()


@settings(max_examples=40)
@given(st.integers(2, 14), st.integers(0, 2**31), st.booleans())
def test_relabelling_and_scaling(n, seed, tied):
    generator = torch.Generator().manual_seed(seed)
    lengths = torch.rand(n * (n - 1) // 2, generator=generator, dtype=torch.float64)
    matrix = symmetric((4 * lengths).ceil() if tied else lengths, n)
    order = torch.randperm(n, generator=generator)
    base, moved = vietoris_rips(matrix), vietoris_rips(4 * matrix[order][:, order])
    for dimension in (0, 1):  # 4 is a power of 2: no rounding
        assert rows(4 * base.bars(dimension)) == rows(moved.bars(dimension))


def test_isometry(generator):
    points = normal(30, 3, generator=generator)
    rotation = torch.linalg.qr(normal(3, 3, generator=generator)).Q
    base = vietoris_rips(pairwise_distances(points))
    moved = vietoris_rips(pairwise_distances(points @ rotation + 5))
    for dimension in (0, 1):
        # coordinates near 5 round at 1e-15; births and deaths are distances
        torch.testing.assert_close(base.bars(dimension), moved.bars(dimension), rtol=0, atol=1e-13)


# --- gradient ---


def test_gradient_is_one_at_critical_edges(generator):
    matrix = distances(normal(20, 2, generator=generator)).requires_grad_()
    diagram = vietoris_rips(matrix)
    (diagram.bars(1)[:, 1] - diagram.bars(1)[:, 0]).sum().backward()
    pairing = rips_pairings(matrix[None], math.inf)[0]
    expected = torch.zeros(400, dtype=torch.float64)
    for birth, death in zip(pairing.birth[1], pairing.death[1], strict=True):
        expected[birth] -= 1
        expected[death] += 1
    assert torch.equal(matrix.grad.flatten(), expected)
    assert not matrix.grad.tril().any()  # entries above the diagonal are read


def test_gradcheck_from_points(generator):
    points = (regular_polygon(9) + 0.1 * normal(9, 2, generator=generator)).requires_grad_()

    def lengths(points: torch.Tensor) -> torch.Tensor:
        diagram = vietoris_rips(pairwise_distances(points))
        assert len(diagram.bars(1))
        return torch.cat([diagram.bars(0)[:, 1], diagram.bars(1).flatten()])

    assert torch.autograd.gradcheck(lengths, (points,))


def test_essential_births_pass_gradients():
    """Three edges of a square: no loop, no filling; with four, the last edge is the birth."""
    points = torch.tensor([[0.0, 0], [1.1, 0], [1, 1.2], [0, 1]], dtype=torch.float64)
    matrix = distances(points).requires_grad_()
    diagram = vietoris_rips(matrix, max_edge_length=1.3)
    assert diagram.essential(1).shape == (1,)
    (diagram.essential(1).sum() + diagram.essential(0).sum()).backward()
    assert matrix.grad.nonzero().tolist() == [[1, 2]]
    assert matrix.grad[1, 2] == 1


# --- limits, batches, threads, types ---


def test_a_limit_below_every_edge(generator):
    matrix = 1 + distances(normal(5, 2, generator=generator))
    matrix.fill_diagonal_(0)
    diagram = vietoris_rips(matrix.requires_grad_(), max_edge_length=0.5)
    assert diagram.essential(0).tolist() == [0.0] * 5
    assert diagram.bars(0).shape == (0, 2)
    diagram.essential(0).sum().backward()
    assert not matrix.grad.any()


@pytest.mark.parametrize("engine", ["native", "gudhi"])
def test_a_limit_is_compared_in_the_type_of_the_distances(engine):
    """0.1 as float32 is longer than 0.1: the edge stays."""
    matrix = pairwise_distances(torch.tensor([[0.0, 0], [0.1, 0], [0.3, 0]]), p=1.0)
    assert vietoris_rips(matrix, max_edge_length=0.1, engine=engine).bars(0).shape == (1, 2)
    assert vietoris_rips(matrix, max_edge_length=0.099999, engine=engine).bars(0).shape == (0, 2)
    assert vietoris_rips(matrix, max_edge_length=1e300, engine=engine).bars(0).shape == (2, 2)


def test_no_diagram_depends_on_its_batch(generator, monkeypatch):
    matrices = torch.stack([family(40, generator)[0] for family in FAMILIES])
    alone = [vietoris_rips(matrix) for matrix in matrices]
    monkeypatch.setattr(rips_pairing, "SMALLEST_SHARE", 1)
    for threads in (1, 2, 5):
        monkeypatch.setattr(torch, "get_num_threads", lambda threads=threads: threads)
        for one, other in zip(alone, vietoris_rips_batch(matrices), strict=True):
            for dimension in (0, 1):
                assert torch.equal(one.bars(dimension), other.bars(dimension))
    assert vietoris_rips_batch(matrices[:0]) == []


@pytest.mark.parametrize("dtype", [torch.float16, torch.bfloat16, torch.float32, torch.float64])
def test_types_and_layouts(dtype, generator):
    matrix = distances(normal(20, 3, generator=generator)).to(dtype)
    wide = torch.zeros(20, 40, dtype=dtype)
    wide[:, ::2] = matrix
    diagram = vietoris_rips(wide[:, ::2])
    assert diagram.bars(1).dtype == dtype
    expected = vietoris_rips(matrix.double())
    for dimension in (0, 1):
        assert diagram.bars(dimension).double().tolist() == expected.bars(dimension).tolist()


def test_only_wanted_dimensions(generator):
    diagram = vietoris_rips(distances(normal(10, 2, generator=generator)), max_dimension=0)
    assert (diagram.max_dimension, diagram.engine, diagram.max_edge_length) == (0, "native", None)
    assert len(diagram.bars(0)) == 9
    with pytest.raises(ValueError, match=r"^dimension should be 0 to 0 in this diagram, got 1; "):
        diagram.bars(1)


# --- refusals ---


@pytest.mark.parametrize("engine", ["native", "gudhi"])
@pytest.mark.parametrize(
    ("matrix", "message"),
    [
        (torch.zeros(2, 3), r"^distances should have shape \(\.\.\., n, n\), got \(2, 3\)"),
        (
            torch.zeros(2, 2, 2),
            r"^distances should have shape \(n, n\), got \(2, 2, 2\); use vietoris_rips_b",
        ),
        (torch.tensor([[0, math.nan], [math.nan, 0]]), "^distances should be finite"),
        (torch.tensor([[0, math.inf], [math.inf, 0]]), "^distances should be finite"),
        (torch.tensor([[0.0, 1], [2, 0]]), "^distances should be exactly symmetric"),
        (torch.tensor([[0.0, -1], [-1, 0]]), "^distances should hold no negative distance"),
        (torch.tensor([[1.0, 1], [1, 0]]), "^distances should have a diagonal of zeros"),
        (torch.zeros(0, 0), "^distances should hold at least one point"),
    ],
)
def test_what_is_no_distance_matrix_is_refused(matrix, message, engine, as_users_run):
    with pytest.raises(ValueError, match=message):
        vietoris_rips(matrix, engine=engine)


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"max_dimension": 2}, r'^max_dimension should be 0 or 1, got 2; use engine="gudhi" for more$'),
        ({"max_dimension": -1}, "^max_dimension should be at least 0, got -1"),
        ({"engine": "ripser"}, "^engine should be one of native, gudhi, got 'ripser'"),
        ({"max_edge_length": -1.0}, "^max_edge_length should be at least 0 or None, got -1"),
        ({"max_edge_length": math.nan}, "^max_edge_length should be at least 0 or None, got nan"),
    ],
)
def test_options_out_of_range_are_refused(options, message):
    with pytest.raises(ValueError, match=message):
        vietoris_rips(torch.zeros(3, 3), **options)


def test_integers_are_refused(as_users_run):
    with pytest.raises(TypeError, match=r"^distances should be floating point, got torch\.int64"):
        vietoris_rips(torch.zeros(3, 3, dtype=torch.int64))
