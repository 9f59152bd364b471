"""RTD: closed forms, laws, bounds, an independent engine, gradient (topdis.md, section 10, items 1 to 7)."""

from __future__ import annotations

import itertools

import numpy as np
import pytest
import torch
from pairs_of_matrices import distances, integer_tied, lattice, sorted_bars, symmetric
from scipy.sparse.csgraph import minimum_spanning_tree

from gan_topdis.persistence import cross_barcode, pairwise_distances, rtd
from gan_topdis.persistence.gudhi_reference import cross_barcode_bars
from gan_topdis.persistence.pairing import MINIMUM, A, B, pair_cross_barcodes

# Sums of up to some hundred float64 lengths of order 1, in another order
SUMS = {"rtol": 1e-12, "atol": 1e-12}


def normal(*shape: int, generator: torch.Generator) -> torch.Tensor:
    return torch.randn(*shape, generator=generator, dtype=torch.float64)


def two_clouds(n: int, generator: torch.Generator) -> tuple[torch.Tensor, torch.Tensor]:
    return distances(normal(n, 3, generator=generator)), distances(normal(n, 2, generator=generator))


def two_generic(n: int, generator: torch.Generator) -> tuple[torch.Tensor, torch.Tensor]:
    edges = torch.rand(2, n * (n - 1) // 2, generator=generator, dtype=torch.float64)
    return symmetric(edges[0], n), symmetric(edges[1], n)


def two_tied(n: int, generator: torch.Generator) -> tuple[torch.Tensor, torch.Tensor]:
    """Equal entries within and between the matrices."""
    return lattice(n, generator)[0], lattice(n, generator)[1]


INPUTS = (two_clouds, two_generic, two_tied)


def reference_sum(upper: torch.Tensor, lower: torch.Tensor, power: float = 1) -> float:
    bars = cross_barcode_bars(lower.detach().numpy(), upper.detach().numpy())
    return float(((bars[:, 1] - bars[:, 0]) ** power).sum())


def reference_rtd(
    a: torch.Tensor, b: torch.Tensor, sides: str = "minmax", symmetric: bool = True, power: float = 1
) -> float:
    """The definition, term by term, with GUDHI on the doubled matrices."""
    low, high = torch.minimum(a, b), torch.maximum(a, b)
    terms = {
        "min": [reference_sum(a, low, power), reference_sum(b, low, power)],
        "max": [reference_sum(high, b, power), reference_sum(high, a, power)],
    }
    chosen = [terms[side] for side in ("min", "max") if side in sides]
    return sum(sum(pair) / 2 if symmetric else pair[0] for pair in chosen)


# --- closed forms (items 1 and 2) ---


@pytest.mark.parametrize("make", INPUTS)
def test_a_cloud_with_itself(make, generator):
    """Zero with no bar kept, and a gradient of zero."""
    a = make(20, generator)[0].requires_grad_()
    assert cross_barcode(a, a).birth.numel() == 0
    value = rtd(a, a.detach().clone())
    value.backward()
    assert value == 0
    assert not a.grad.any()


@pytest.mark.parametrize("sides", ["min", "max", "minmax"])
def test_two_points(sides):
    """|a - b| for the four-term sum, half of it from each form."""
    a, b = (torch.tensor([[0.0, d], [d, 0.0]], dtype=torch.float64) for d in (0.7, 2.5))
    expected = 1.8 if sides == "minmax" else 0.9
    assert rtd(a, b, sides=sides).item() == pytest.approx(expected, abs=1e-15)
    assert rtd(b, a, sides=sides).item() == pytest.approx(expected, abs=1e-15)


@pytest.mark.parametrize("n", [1, 2, 3, 9, 70])
def test_equidistant_points(n):
    ones = 1 - torch.eye(n, dtype=torch.float64)
    assert rtd(ones, 2 * ones) == n - 1


@pytest.mark.parametrize("factor", [0.1, 0.5, 0.9])
def test_a_shrunken_copy(factor, generator):
    """L(B, cB) = R(B; cB), twice RTD, and at least (1 - c) times the spanning tree of B."""
    b = two_clouds(25, generator)[0]
    value = rtd(b, factor * b).item()
    assert value == pytest.approx(reference_sum(b, factor * b), **_approx())
    assert value == pytest.approx(2 * rtd(b, factor * b, sides="min").item(), **_approx())
    assert value >= (1 - factor) * tree_weight(b) - 1e-12


def test_by_hand():
    """Three points; the death of every bar is entry (1, 2), which is 3 in both matrices.

    R(a; min) = R(b; min) = R(max; b) = R(max; a) = 3 - 1. The births are a[0, 1] or b[0, 2]. The
    death is read from `lower`: from a, from b, and twice from min, where a tie gives half to each.
    """
    a = symmetric(torch.tensor([1.0, 3.0, 3.0]), 3).requires_grad_()
    b = symmetric(torch.tensor([3.0, 1.0, 3.0]), 3).requires_grad_()
    value = rtd(a, b)
    value.backward()
    assert value == 4
    assert a.grad.tolist() == [[0, -1, 0], [0, 0, 1], [0, 0, 0]]
    assert b.grad.tolist() == [[0, 0, -1], [0, 0, 1], [0, 0, 0]]


def test_homology_of_the_doubled_matrix(generator):
    """H0 deaths are all 0, and every H1 birth edge lies within the second copy of the points."""
    import gudhi

    n = 12
    a, b = two_clouds(n, generator)
    low = torch.minimum(a, b)
    doubled = np.block([[np.zeros((n, n)), a.numpy()], [a.numpy(), low.numpy()]])
    tree = gudhi.RipsComplex(distance_matrix=doubled).create_simplex_tree(max_dimension=2)
    tree.compute_persistence(homology_coeff_field=2)
    h0 = tree.persistence_intervals_in_dimension(0)
    assert not h0[np.isfinite(h0[:, 1]), 1].any()
    births = [
        birth
        for birth, death in tree.persistence_pairs()
        if len(birth) == 2 and tree.filtration(death) > tree.filtration(birth)
    ]
    assert len(births) == cross_barcode(low, a).birth.numel()
    assert min(min(birth) for birth in births) >= n


# --- an independent engine (item 3) ---


@pytest.mark.parametrize("make", INPUTS)
@pytest.mark.parametrize("n", [5, 12, 23, 40])
def test_value_is_that_of_gudhi(make, n, generator):
    a, b = make(n, generator)
    assert rtd(a, b).item() == pytest.approx(reference_rtd(a, b), **_approx())


@pytest.mark.parametrize("sides", ["min", "max", "minmax"])
@pytest.mark.parametrize("symmetric", [True, False])
@pytest.mark.parametrize("power", [0.5, 1, 2])
def test_options_are_those_of_gudhi(sides, symmetric, power, generator):
    a, b = two_clouds(11, generator)
    expected = reference_rtd(a, b, sides, symmetric, power)
    found = rtd(a, b, sides=sides, symmetric=symmetric, power=power)
    assert found.item() == pytest.approx(expected, **_approx())


def immovable_rtd(a: torch.Tensor, b: torch.Tensor) -> torch.Tensor:
    """The reading of the published code's `immovable` switch (topdis.md 1.3), which is wrong here.

    In both minimum terms a death in the bottom block is read from the second cloud, not from min(a, b).
    """
    low, high = torch.minimum(a, b), torch.maximum(a, b)
    total = cross_barcode(a, high).lengths.sum() + cross_barcode(b, high).lengths.sum()
    found = pair_cross_barcodes(a[None], b[None], [(MINIMUM, A), (MINIMUM, B)], names=("a", "b"))
    for t, upper in enumerate((a, b)):
        birth, death, in_upper = found.birth[0, t], found.death[0, t], found.death_in_upper[0, t]
        deaths = torch.where(in_upper, upper.flatten()[death], b.flatten()[death])
        total = total + (deaths - low.flatten()[birth]).sum()
    return total / 2


def disagreement_with_gudhi(value, a: torch.Tensor, b: torch.Tensor) -> tuple[float, float]:
    """Relative error of the value, and largest error of its gradient against finite differences."""
    low, up = a.clone().requires_grad_(), b.clone().requires_grad_()
    found = value(low, up)
    found.backward()
    expected = reference_rtd(a, b)
    step, errors = 1e-6, []
    for i, j in itertools.combinations(range(len(a)), 2):
        for matrix, gradient in ((a, low.grad), (b, up.grad)):
            kept = matrix[i, j].item()
            ends = []
            for moved in (kept + step, kept - step):
                matrix[i, j] = matrix[j, i] = moved
                ends.append(reference_rtd(a, b))
            matrix[i, j] = matrix[j, i] = kept
            slope = (ends[0] - ends[1]) / (2 * step)
            errors.append(abs(slope - (gradient[i, j] + gradient[j, i]).item()))
    return abs(found.item() - expected) / expected, max(errors)


def test_the_immovable_reading_is_rejected():
    """Value and gradient against GUDHI alone, on clouds with deaths in the bottom block."""
    a, b = two_clouds(10, torch.Generator().manual_seed(3))
    value_error, gradient_error = disagreement_with_gudhi(rtd, a, b)
    assert value_error < 1e-12
    assert gradient_error < 1e-8  # slopes are multiples of 1/2; differences round at 1e-16 / 1e-6
    value_error, gradient_error = disagreement_with_gudhi(immovable_rtd, a, b)
    assert value_error > 1e-2
    assert gradient_error >= 0.5


# --- bounds (item 5) ---


def tree_weight(matrix: torch.Tensor) -> float:
    return float(minimum_spanning_tree(matrix.numpy()).sum())


def loops(matrix: torch.Tensor) -> float:
    """Sum of the H1 lifetimes of the Rips filtration of one matrix, by GUDHI."""
    import gudhi

    tree = gudhi.RipsComplex(distance_matrix=matrix.numpy()).create_simplex_tree(max_dimension=2)
    tree.compute_persistence(homology_coeff_field=2)
    bars = tree.persistence_intervals_in_dimension(1).reshape(-1, 2)
    return float((bars[:, 1] - bars[:, 0]).sum())


@pytest.mark.parametrize("n", [6, 15, 30])
def test_bounds_by_spanning_trees(n, generator):
    """MST(U) - MST(V) <= |R(U; V)| <= MST(U) - MST(V) + Pers1(V); hence L >= MST(max) - MST(min)."""
    for _ in range(4):
        a, b = two_clouds(n, generator)
        low, high = torch.minimum(a, b), torch.maximum(a, b)
        for lower, upper in ((low, a), (low, b), (a, high), (b, high)):
            value = cross_barcode(lower, upper).lengths.sum().item()
            bound = tree_weight(upper) - tree_weight(lower)
            assert bound - 1e-12 <= value <= bound + loops(lower) + 1e-12
        assert rtd(a, b).item() >= tree_weight(high) - tree_weight(low) - 1e-12


def test_bounds_meet_where_there_is_no_loop(generator):
    """Points on a line have no loop, so R(U; V) is a difference of spanning trees."""
    line = distances(normal(20, 1, generator=generator))
    assert loops(line) == 0
    upper = line + distances(normal(20, 3, generator=generator))
    value = cross_barcode(line, upper).lengths.sum().item()
    assert value == pytest.approx(tree_weight(upper) - tree_weight(line), **_approx())


# --- laws (item 6) ---


@pytest.mark.parametrize("make", INPUTS)
def test_symmetric_in_its_arguments(make, generator):
    a, b = make(16, generator)
    torch.testing.assert_close(rtd(a, b), rtd(b, a), **SUMS)
    low, high = (rtd(a, b, sides=side, symmetric=False) for side in ("min", "max"))
    swapped = [rtd(b, a, sides=side, symmetric=False) for side in ("min", "max")]
    torch.testing.assert_close((low + swapped[0]) / 2, rtd(a, b, sides="min"), **SUMS)
    torch.testing.assert_close((high + swapped[1]) / 2, rtd(a, b, sides="max"), **SUMS)


@pytest.mark.parametrize("make", INPUTS)
def test_relabelling_both(make, generator):
    a, b = make(16, generator)
    order = torch.randperm(16, generator=generator)
    torch.testing.assert_close(rtd(a[order][:, order], b[order][:, order]), rtd(a, b), **SUMS)


def test_relabelling_one_is_another_question(generator):
    a, b = two_clouds(16, generator)
    order = torch.randperm(16, generator=generator)
    assert abs(rtd(a[order][:, order], b) - rtd(a, b)) > 1e-2


def test_isometry_of_either_cloud(generator):
    x, y = normal(20, 3, generator=generator), normal(20, 3, generator=generator)
    rotation = torch.linalg.qr(normal(3, 3, generator=generator)).Q
    moved = rtd(pairwise_distances(x @ rotation + 5), pairwise_distances(-y))
    # rotations round each coordinate of size 10 once or twice
    torch.testing.assert_close(moved, rtd(pairwise_distances(x), pairwise_distances(y)), rtol=1e-11, atol=0)


@pytest.mark.parametrize("power", [1, 2, 3])
def test_scaling(power, generator):
    a, b = two_clouds(15, generator)
    scaled = rtd(4 * a, 4 * b, power=power)
    torch.testing.assert_close(scaled, 4.0**power * rtd(a, b, power=power), rtol=1e-14, atol=0)


# --- gradient (item 7) ---


@pytest.mark.parametrize("sides", ["min", "max", "minmax"])
@pytest.mark.parametrize(("symmetric", "power"), [(True, 1), (False, 1), (True, 2)])
def test_gradcheck_from_points(sides, symmetric, power, generator):
    x, y = (normal(8, 3, generator=generator).requires_grad_() for _ in range(2))

    def loss(x: torch.Tensor, y: torch.Tensor) -> torch.Tensor:
        a, b = pairwise_distances(x), pairwise_distances(y)
        return rtd(a / 2.0, b / 3.0, sides=sides, symmetric=symmetric, power=power)

    assert torch.autograd.gradcheck(loss, (x, y))


def test_gradcheck_of_a_batch(generator):
    x, y = (normal(3, 6, 2, generator=generator).requires_grad_() for _ in range(2))
    assert torch.autograd.gradcheck(lambda x, y: rtd(pairwise_distances(x), pairwise_distances(y)), (x, y))


@pytest.mark.parametrize("power", [1, 2])
def test_gradient_is_the_formula(power, generator):
    """power * length^(power - 1) at deaths and births; min and max hand it on, half each in a tie."""
    for make in INPUTS:
        a, b = make(12, generator)
        a, b = a.requires_grad_(), b.requires_grad_()
        rtd(a, b, power=power).backward()
        low, high = torch.minimum(a, b).detach(), torch.maximum(a, b).detach()
        expected = {id(a): torch.zeros_like(a), id(b): torch.zeros_like(b)}
        into = {
            "a": ((a, 1.0),),
            "b": ((b, 1.0),),
            "low": ((a, (a < b) + 0.5 * (a == b)), (b, (b < a) + 0.5 * (a == b))),
            "high": ((a, (a > b) + 0.5 * (a == b)), (b, (b > a) + 0.5 * (a == b))),
        }
        matrices = {"a": a.detach(), "b": b.detach(), "low": low, "high": high}
        for lower, upper in (("low", "a"), ("low", "b"), ("b", "high"), ("a", "high")):
            u, v = matrices[upper].requires_grad_(), matrices[lower].requires_grad_()
            (cross_barcode(v, u).lengths ** power).sum().backward()
            for name, matrix in ((lower, v), (upper, u)):
                for target, share in into[name]:
                    expected[id(target)] += 0.5 * share * matrix.grad
                matrix.grad = None
        # sums of at most eight terms
        torch.testing.assert_close(a.grad, expected[id(a)], **SUMS)
        torch.testing.assert_close(b.grad, expected[id(b)], **SUMS)


@pytest.mark.parametrize("power", [1, 2])
def test_coincident_points_have_a_finite_gradient(power, generator):
    x = normal(10, 3, generator=generator)
    x[4:8] = x[3]
    y = x.flip(0).clone()
    x, y = x.requires_grad_(), y.requires_grad_()
    rtd(pairwise_distances(x), pairwise_distances(y), power=power).backward()
    assert x.grad.isfinite().all()
    assert y.grad.isfinite().all()
    assert x.grad.any()


def test_power_below_one_has_a_finite_gradient(generator):
    pairs = [two_clouds(8, generator) for _ in range(3)]
    a, b = (torch.stack(side).requires_grad_() for side in zip(*pairs, strict=True))
    rtd(a, b, power=0.5).sum().backward()
    assert a.grad.isfinite().all()
    assert b.grad.isfinite().all()


def test_the_gradient_moves_clouds_together(generator):
    """Descent from a disturbed copy brings the value below a tenth: it is a loss."""
    x = normal(12, 2, generator=generator)
    y = (x + 0.2 * normal(12, 2, generator=generator)).requires_grad_()
    fixed = pairwise_distances(x)
    start = rtd(fixed, pairwise_distances(y)).item()
    optimiser = torch.optim.Adam([y], lr=0.01)
    for _ in range(150):
        optimiser.zero_grad()
        loss = rtd(fixed, pairwise_distances(y))
        loss.backward()
        optimiser.step()
    assert loss.item() < start / 10


# --- batches and types ---


@pytest.mark.parametrize("dtype", [torch.float32, torch.float64])
@pytest.mark.parametrize("sides", ["min", "minmax"])
def test_items_do_not_depend_on_their_batch(dtype, sides, generator):
    pairs = [make(n=18, generator=generator) for make in INPUTS * 3]
    a, b = (torch.stack(side).to(dtype) for side in zip(*pairs, strict=True))
    together = rtd(a, b, sides=sides)
    alone = torch.stack([rtd(first, second, sides=sides) for first, second in zip(a, b, strict=True)])
    assert together.dtype == dtype
    # padding changes the order of a sum of some 20 positive lengths: roundings, no more
    torch.testing.assert_close(together, alone, rtol=20 * torch.finfo(dtype).eps, atol=0)


def test_gradients_of_items_do_not_depend_on_their_batch(generator):
    pairs = [make(n=14, generator=generator) for make in INPUTS]
    a, b = (torch.stack(side).requires_grad_() for side in zip(*pairs, strict=True))
    rtd(a, b).sum().backward()
    for item, (first, second) in enumerate(pairs):
        one = first.clone().requires_grad_()
        rtd(one, second).backward()
        assert torch.equal(a.grad[item], one.grad)


@pytest.mark.parametrize("batch", [(0,), (2, 0), (0, 3), (1,), (2, 3)])
def test_batch_axes(batch, generator):
    a = torch.zeros(*batch, 4, 4, requires_grad=True)
    b = symmetric(torch.rand(*batch, 6, generator=generator), 4)
    value = rtd(a, b)
    assert value.shape == batch
    if value.numel():
        value.sum().backward()
        assert a.grad.shape == a.shape


@pytest.mark.parametrize("batch", [(0,), (2, 0)])
def test_an_empty_batch_can_be_differentiated(batch):
    a = torch.zeros(*batch, 4, 4, requires_grad=True)
    rtd(a, torch.zeros(*batch, 4, 4)).sum().backward()
    assert a.grad.shape == a.shape


@pytest.mark.parametrize("n", [1, 2])
def test_points_without_shape(n):
    """One point, or two in one place: 0, and backward works."""
    a = torch.zeros(n, n, requires_grad=True)
    value = rtd(a, torch.zeros(n, n))
    value.backward()
    assert value == 0
    assert not a.grad.any()


def test_one_cloud_against_many(generator):
    """An expanded matrix need not be copied by the caller."""
    a, _ = two_clouds(9, generator)
    b = torch.stack([two_clouds(9, generator)[1] for _ in range(4)])
    a = a.requires_grad_()
    values = rtd(a.expand(4, 9, 9), b)
    values.sum().backward()
    assert values.tolist() == pytest.approx([reference_rtd(a, one) for one in b], **_approx())
    gradients = []
    for one in b:
        alone = a.detach().clone().requires_grad_()
        rtd(alone, one).backward()
        gradients.append(alone.grad)
    torch.testing.assert_close(a.grad, torch.stack(gradients).sum(0), **SUMS)


def test_float32_is_float64_rounded(generator):
    """The same pairs; only the sum of about 40 lengths is rounded to float32."""
    a, b = (matrix.float() for matrix in two_clouds(20, generator))
    torch.testing.assert_close(rtd(a, b).double(), rtd(a.double(), b.double()), rtol=1e-6, atol=0)


# --- refusals ---

GOOD = torch.tensor([[0.0, 1, 2], [1, 0, 2], [2, 2, 0]])


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"sides": "both"}, "^sides should be one of min, max, minmax, got 'both'"),
        ({"sides": ""}, "^sides should be one of min, max, minmax, got ''"),
        ({"power": 0}, "^power should be greater than 0, got 0"),
        ({"power": -1.0}, "^power should be greater than 0, got -1.0"),
        ({"power": float("nan")}, "^power should be greater than 0, got nan"),
    ],
)
def test_options_are_refused(options, message):
    with pytest.raises(ValueError, match=message):
        rtd(GOOD, 2 * GOOD, **options)


@pytest.mark.parametrize("name", ["a", "b"])
@pytest.mark.parametrize("sides", ["min", "max", "minmax"])
@pytest.mark.parametrize(
    ("entry", "value", "message"),
    [
        ((0, 1), float("nan"), "should be finite"),
        ((0, 1), float("inf"), "should be finite"),
        ((0, 1), -1.0, "should hold no negative distance"),
        ((1, 1), 0.5, "should have a diagonal of zeros"),
        ((0, 1), None, "should be exactly symmetric"),
    ],
)
def test_what_is_no_distance_matrix_is_refused(name, sides, entry, value, message):
    """Both matrices are checked, whichever the chosen terms read, anywhere in a batch."""
    i, j = entry
    wrong = torch.stack([GOOD, GOOD])
    wrong[1, i, j] = 1.5 if value is None else value
    if value is not None:
        wrong[1, j, i] = value
    good = torch.stack([3 * GOOD, 3 * GOOD])
    pair = (wrong, good) if name == "a" else (good, wrong)
    with pytest.raises(ValueError, match=f"^{name} {message}"):
        rtd(*pair, sides=sides, symmetric=False)


@pytest.mark.usefixtures("as_users_run")
@pytest.mark.parametrize(
    ("a", "b", "error", "message"),
    [
        (GOOD.numpy(), GOOD, TypeError, "^a should be a torch.Tensor, got ndarray"),
        (GOOD.int(), GOOD.int(), TypeError, "^a should be floating point, got torch.int32; use .float()"),
        (GOOD, GOOD[0], ValueError, r"^b should have shape \(..., n, n\), got \(3,\)"),
        (GOOD, GOOD[:2, :2], ValueError, r"^a and b should have the same shape, got \(3, 3\) and \(2, 2\)"),
        (GOOD, GOOD.double(), ValueError, "^a and b should have the same type and device"),
        (torch.zeros(0, 0), torch.zeros(0, 0), ValueError, "^a should hold at least one point"),
    ],
)
def test_other_arguments_are_refused(a, b, error, message):
    with pytest.raises(error, match=message):
        rtd(a, b)


def test_bars_of_both_forms_are_those_of_gudhi(generator):
    """The four barcodes behind one value, tied entries included."""
    a, b = integer_tied(14, generator)
    low, high = torch.minimum(a, b), torch.maximum(a, b)
    for lower, upper in ((low, a), (low, b), (a, high), (b, high)):
        expected = cross_barcode_bars(lower.numpy(), upper.numpy())
        assert sorted_bars(cross_barcode(lower, upper)).tolist() == expected.tolist()


def _approx() -> dict[str, float]:
    return {"rel": SUMS["rtol"], "abs": SUMS["atol"]}
