"""Bars against GUDHI, ripser and a textbook reduction; gradient; shapes and types."""

from __future__ import annotations

import itertools

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from pairs_of_matrices import (
    FAMILIES,
    all_equal,
    assert_same_bars,
    bipartite,
    circular,
    critical_edges,
    distances,
    euclidean,
    generic,
    integer_tied,
    lattice,
    one_sided,
    sorted_bars,
    symmetric,
)

from gan_topdis.persistence import Bars, cross_barcode
from gan_topdis.persistence.gudhi_reference import cross_barcode_bars


def reference(lower: torch.Tensor, upper: torch.Tensor) -> np.ndarray:
    return cross_barcode_bars(lower.detach().double().numpy(), upper.detach().double().numpy())


# --- closed forms ---


def test_two_points():
    """One edge: born in `lower`, dies in `upper`."""
    bars = cross_barcode(torch.tensor([[0.0, 1], [1, 0]]), torch.tensor([[0.0, 3], [3, 0]]))
    assert (bars.birth.tolist(), bars.death.tolist(), bars.lengths.tolist()) == ([1.0], [3.0], [2.0])


@pytest.mark.parametrize("n", [2, 3, 4, 7, 65, 130])
def test_equidistant_points(n):
    """All at 1 below all at 2: a spanning tree's worth of components to join, no loop."""
    lower, upper = all_equal(n, torch.Generator())
    assert sorted_bars(cross_barcode(lower, upper)).tolist() == [[1, 2]] * (n - 1)


@pytest.mark.parametrize("family", FAMILIES)
def test_zero_below_gives_the_spanning_tree(family, generator):
    """lower = 0: everything is joined at once, so the bars are those of H0 of `upper`."""
    from scipy.sparse.csgraph import minimum_spanning_tree

    upper = family(12, generator)[1]
    bars = sorted_bars(cross_barcode(torch.zeros_like(upper), upper))
    # scipy takes 0 for "no edge"; shifting by 1 keeps the tree and its order
    shifted = np.where(np.eye(12, dtype=bool), 0, upper.numpy() + 1)
    tree = np.sort(minimum_spanning_tree(shifted).data - 1)
    assert not bars[:, 0].any()
    # one rounding from the shift
    np.testing.assert_allclose(bars[:, 1], tree[tree > 1e-12], rtol=0, atol=1e-12)


@pytest.mark.parametrize("family", FAMILIES)
def test_a_matrix_below_itself_has_no_bar(family, generator):
    lower, upper = family(15, generator)
    for matrix in (lower, upper):
        assert cross_barcode(matrix, matrix).birth.shape == (0,)


@pytest.mark.parametrize("m", [4, 5, 6, 7, 9, 12])
def test_loop_of_a_regular_polygon(m):
    """m sides of 1 below a simplex of side 3: m - 1 joins, and the loop until the cone fills it."""
    i, j = torch.triu_indices(m, m, offset=1)
    steps = torch.minimum(j - i, m - (j - i)).double()
    lower = symmetric(steps, m)
    upper = symmetric(torch.full_like(steps, 9), m)
    loop_dies = -(-m // 3)  # ceil(m / 3) steps span the circle
    expected = [[1.0, loop_dies]] * (loop_dies > 1) + [[1.0, 9.0]] * (m - 1)
    assert sorted_bars(cross_barcode(lower, upper)).tolist() == expected


@pytest.mark.parametrize("n", [0, 1])
def test_no_edge_no_bar(n):
    shape = (1, 1) if n else (0, 3, 3)
    bars = cross_barcode(torch.zeros(shape), torch.zeros(shape))
    assert bars.birth.shape == bars.death.shape == bars.lengths.shape == (*shape[:-2], 0)


# --- independent solvers ---


@pytest.mark.parametrize("family", FAMILIES)
@pytest.mark.parametrize("n", [2, 3, 4, 5, 6, 8, 11, 17, 24])
def test_bars_equal_gudhi(family, n, generator):
    """13 families, 9 sizes, 5 pairs each; entries are compared without tolerance."""
    pairs = [family(n, generator) for _ in range(5)]
    bars = cross_barcode(torch.stack([low for low, _ in pairs]), torch.stack([up for _, up in pairs]))
    for item, (lower, upper) in enumerate(pairs):
        assert_same_bars(sorted_bars(bars, item), reference(lower, upper))


@pytest.mark.parametrize("family", [euclidean, bipartite, lattice])
def test_bars_equal_gudhi_at_larger_n(family, generator):
    """More than one word of 64 neighbours, and of 64 living classes."""
    lower, upper = family(72, generator)
    assert_same_bars(sorted_bars(cross_barcode(lower, upper)), reference(lower, upper))


@pytest.mark.parametrize("family", FAMILIES)
def test_bars_equal_ripser(family, generator):
    """A second solver, which works in float32: so the entries are float32 numbers."""
    ripser = pytest.importorskip("ripser", reason="the benchmark extra has ripser").ripser
    for n in (5, 12, 30):
        lower, upper = (matrix.float() for matrix in family(n, generator))
        zero = torch.zeros_like(lower)
        doubled = torch.cat([torch.cat([zero, upper], 1), torch.cat([upper, lower], 1)])
        found = ripser(doubled.numpy(), distance_matrix=True, maxdim=1)["dgms"][1].astype(np.float64)
        found = found[found[:, 1] > found[:, 0]]
        expected = found[np.lexsort((found[:, 1], found[:, 0]))]
        assert_same_bars(sorted_bars(cross_barcode(lower, upper)), expected)


@pytest.mark.parametrize(("n", "values"), [(2, range(4)), (3, range(3)), (4, range(1, 3))])
def test_every_small_pair(n, values):
    """All pairs lower <= upper with entries from a few values: 10, 216, 729 of them, in one batch."""
    entries = [pair for pair in itertools.product(values, repeat=2) if pair[0] <= pair[1]]
    chosen = torch.tensor(list(itertools.product(entries, repeat=n * (n - 1) // 2))).double()
    lower, upper = symmetric(chosen[..., 0], n), symmetric(chosen[..., 1], n)
    bars = cross_barcode(lower, upper)
    for item in range(len(chosen)):
        assert_same_bars(sorted_bars(bars, item), reference(lower[item], upper[item]))


@settings(max_examples=150)
@given(data=st.data(), n=st.integers(1, 7))
def test_bars_equal_gudhi_for_any_small_integers(data, n):
    numbers = st.lists(st.integers(0, 4), min_size=n * (n - 1) // 2, max_size=n * (n - 1) // 2)
    low, extra = (torch.tensor(data.draw(numbers), dtype=torch.float64) for _ in range(2))
    lower, upper = symmetric(low, n), symmetric(low + extra, n)
    assert_same_bars(sorted_bars(cross_barcode(lower, upper)), reference(lower, upper))


def test_half_of_upper_may_be_infinite(generator):
    """GUDHI on the smaller complex of topdis.md 1.4 finds the same finite bars."""
    for n in (4, 9, 15):
        lower, upper = euclidean(n, generator)
        half = np.where(np.tril(np.ones((n, n), bool), -1), np.inf, upper.numpy())
        low = lower.numpy()
        import gudhi

        doubled = np.block([[np.zeros((n, n)), half], [half.T, low]])
        tree = gudhi.RipsComplex(distance_matrix=doubled).create_simplex_tree(max_dimension=2)
        tree.compute_persistence(homology_coeff_field=2)
        finite = tree.persistence_intervals_in_dimension(1)
        finite = finite[np.isfinite(finite[:, 1]) & (finite[:, 1] > finite[:, 0])]
        finite = finite[np.lexsort((finite[:, 1], finite[:, 0]))]
        assert_same_bars(sorted_bars(cross_barcode(lower, upper)), finite)


def test_the_comparison_rejects_wrong_bars(generator):
    lower, upper = euclidean(10, generator)
    right = reference(lower, upper)
    assert_same_bars(right, right)
    moved = right.copy()
    moved[2, 1] = np.nextafter(moved[2, 1], np.inf)
    for wrong in (moved, right[1:], np.concatenate([right, right[-1:]]), right[:0]):
        with pytest.raises(AssertionError, match="expected"):
            assert_same_bars(wrong, right)
    with pytest.raises(AssertionError, match="expected"):
        assert_same_bars(sorted_bars(cross_barcode(0.5 * lower, upper)), right)


# --- critical edges and gradient ---


def gradients_of_total(lower: torch.Tensor, upper: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor]:
    low, up = lower.clone().requires_grad_(), upper.clone().requires_grad_()
    cross_barcode(low, up).lengths.sum().backward()
    assert low.grad is not None
    assert up.grad is not None
    return low.grad, up.grad


@pytest.mark.parametrize("family", FAMILIES)
@pytest.mark.parametrize("n", [3, 4, 6, 9])
def test_gradient_is_that_of_the_one_order_of_cells(family, n, generator):
    """+1 at each critical death entry, -1 at each birth entry, ties included, above the diagonal."""
    for _ in range(4):
        lower, upper = family(n, generator)
        expected_lower, expected_upper = torch.zeros_like(lower), torch.zeros_like(upper)
        for birth, death, is_cone in critical_edges(lower.numpy(), upper.numpy()):
            expected_lower.view(-1)[birth] -= 1
            (expected_upper if is_cone else expected_lower).view(-1)[death] += 1
        found_lower, found_upper = gradients_of_total(lower, upper)
        assert torch.equal(found_lower, expected_lower)
        assert torch.equal(found_upper, expected_upper)


@settings(max_examples=100)
@given(data=st.data(), n=st.integers(2, 6))
def test_value_is_gradient_times_matrices(data, n):
    """Euler: the total is homogeneous of degree 1, under any ties."""
    numbers = st.lists(st.integers(0, 2), min_size=n * (n - 1) // 2, max_size=n * (n - 1) // 2)
    low, extra = (torch.tensor(data.draw(numbers), dtype=torch.float64) for _ in range(2))
    lower, upper = symmetric(low, n), symmetric(low + extra, n)
    grad_lower, grad_upper = gradients_of_total(lower, upper)
    total = cross_barcode(lower, upper).lengths.sum()
    assert (grad_lower * lower).sum() + (grad_upper * upper).sum() == total  # small integers
    assert grad_upper.min() >= 0


@pytest.mark.parametrize("family", [generic, bipartite])
def test_gradcheck_off_ties(family, generator):
    n = 6
    lower, upper = family(n, generator)
    i, j = torch.triu_indices(n, n, offset=1)

    def births_and_deaths(low: torch.Tensor, up: torch.Tensor) -> torch.Tensor:
        bars = cross_barcode(symmetric(low, n), symmetric(up, n))
        # weights that tell the bars apart, so that a permutation of gradients would show
        weights = torch.arange(1.0, bars.birth.shape[-1] + 1, dtype=torch.float64)
        return torch.stack([(bars.birth.square() * weights).sum(), (bars.death.sin() * weights).sum()])

    low, up = lower[i, j].requires_grad_(), upper[i, j].requires_grad_()
    assert torch.autograd.gradcheck(births_and_deaths, (low, up))


def test_equal_batch_items_get_equal_gradients(generator):
    """An expanded batch shares storage; its gradients add up."""
    lower, upper = integer_tied(8, generator)
    once = gradients_of_total(lower, upper)
    low, up = lower.clone().requires_grad_(), upper.clone().requires_grad_()
    cross_barcode(low.expand(3, 2, 8, 8), up.expand(3, 2, 8, 8)).lengths.sum().backward()
    assert torch.equal(low.grad, 6 * once[0])
    assert torch.equal(up.grad, 6 * once[1])


def test_no_gradient_where_none_is_asked_for(generator):
    lower, upper = euclidean(8, generator)
    assert not cross_barcode(lower, upper).lengths.requires_grad
    assert cross_barcode(lower.clone().requires_grad_(), upper).death.requires_grad
    with torch.no_grad():
        assert not cross_barcode(lower.clone().requires_grad_(), upper).death.requires_grad
    with torch.inference_mode():
        inside = cross_barcode(lower.clone(), upper.clone())
    assert_same_bars(sorted_bars(inside), sorted_bars(cross_barcode(lower, upper)))


def test_inputs_are_left_alone(generator):
    lower, upper = euclidean(9, generator)
    copies = lower.clone(), upper.clone()
    low = lower.requires_grad_()
    cross_barcode(low, upper).lengths.sum().backward()
    assert torch.equal(lower.detach(), copies[0])
    assert torch.equal(upper, copies[1])


# --- laws ---


@pytest.mark.parametrize("family", FAMILIES)
def test_relabelling_keeps_the_bars(family, generator):
    lower, upper = family(13, generator)
    order = torch.randperm(13, generator=generator)
    relabelled = cross_barcode(lower[order][:, order], upper[order][:, order])
    assert_same_bars(sorted_bars(relabelled), sorted_bars(cross_barcode(lower, upper)))


@pytest.mark.parametrize("factor", [0.25, 2.0, 2.0**40, 2.0**-40])
def test_scaling_scales_the_bars(factor, generator):
    """Powers of two, which round nothing."""
    lower, upper = circular(16, generator)
    scaled = sorted_bars(cross_barcode(factor * lower, factor * upper))
    assert_same_bars(scaled, factor * sorted_bars(cross_barcode(lower, upper)))


def test_increasing_functions_move_births_and_deaths(generator):
    """Bars depend on the order of the entries alone."""
    lower, upper = euclidean(14, generator)
    bars = sorted_bars(cross_barcode(lower, upper))
    cubes = sorted_bars(cross_barcode(lower**3, upper**3))
    entries = np.unique(np.concatenate([lower.numpy().ravel(), upper.numpy().ravel()]))
    positions = np.searchsorted(entries, bars)
    entries_cubed = np.unique(np.concatenate([(lower**3).numpy().ravel(), (upper**3).numpy().ravel()]))
    assert_same_bars(entries_cubed[positions], cubes)


def test_deaths_come_in_order(generator):
    lower, upper = euclidean(30, generator)
    bars = cross_barcode(lower, upper)
    assert torch.equal(bars.death, bars.death.sort().values)


# --- batches, shapes, types ---


def test_items_do_not_depend_on_their_batch(generator):
    """Barcodes of 0 to 64 bars side by side: same bars alone, rows padded with zeros."""
    pairs = [family(16, generator) for family in FAMILIES]
    pairs.append((pairs[0][0], pairs[0][0]))  # no bar at all
    lower, upper = (torch.stack(side) for side in zip(*pairs, strict=True))
    bars = cross_barcode(lower, upper)
    counts = []
    for item, (low, up) in enumerate(pairs):
        alone = cross_barcode(low, up)
        r = alone.birth.shape[-1]
        counts.append(r)
        assert torch.equal(bars.birth[item, :r], alone.birth)
        assert torch.equal(bars.death[item, :r], alone.death)
        assert not bars.birth[item, r:].any()
        assert not bars.death[item, r:].any()
        assert not bars.lengths[item, r:].any()
    assert bars.birth.shape == (len(pairs), max(counts))
    assert min(counts) == 0


def test_gradient_of_padding_is_nothing(generator):
    """An item without bars beside one with many gets a gradient of 0, also of its diagonal."""
    lower, upper = euclidean(10, generator)
    low = torch.stack([lower, lower]).requires_grad_()
    up = torch.stack([upper, lower]).requires_grad_()
    cross_barcode(low, up).lengths.sum().backward()
    assert not low.grad[1].any()
    assert not up.grad[1].any()
    assert torch.equal(low.grad[0], gradients_of_total(lower, upper)[0])


def test_batch_axes_are_kept(generator):
    pairs = [one_sided(7, generator) for _ in range(6)]
    lower, upper = (torch.stack(side).reshape(2, 1, 3, 7, 7) for side in zip(*pairs, strict=True))
    bars = cross_barcode(lower, upper)
    assert bars.birth.shape[:-1] == (2, 1, 3)
    assert_same_bars(sorted_bars(Bars(bars.birth[1, 0, 2], bars.death[1, 0, 2])), reference(*pairs[5]))


def test_storage_order_does_not_matter(generator):
    lower, upper = euclidean(10, generator)
    expected = sorted_bars(cross_barcode(lower, upper))
    wide = torch.full((20, 30), 7.0, dtype=torch.float64)
    wide[::2, ::3] = lower
    assert not wide[::2, ::3].is_contiguous()
    assert_same_bars(sorted_bars(cross_barcode(wide[::2, ::3], upper.mT)), expected)


@pytest.mark.parametrize("dtype", [torch.float16, torch.bfloat16, torch.float32, torch.float64])
def test_type_is_kept_and_entries_are_exact(dtype, generator):
    """Every type is compared as float64, which holds it exactly."""
    lower, upper = (matrix.to(dtype) for matrix in euclidean(12, generator))
    bars = cross_barcode(lower, upper)
    assert bars.birth.dtype == bars.death.dtype == dtype
    assert_same_bars(sorted_bars(bars), reference(lower, upper))


def test_float32_and_float64_give_the_same_critical_edges(generator):
    lower, upper = (matrix.float() for matrix in integer_tied(12, generator))
    narrow = gradients_of_total(lower, upper)
    broad = gradients_of_total(lower.double(), upper.double())
    assert torch.equal(narrow[0].double(), broad[0])
    assert torch.equal(narrow[1].double(), broad[1])


def test_negative_zero_is_zero(generator):
    lower, upper = (torch.full((3, 3), value, dtype=torch.float64) for value in (-0.0, 1.0))
    upper.fill_diagonal_(0)
    assert sorted_bars(cross_barcode(lower, upper)).tolist() == [[0, 1], [0, 1]]


def test_extreme_lengths():
    """Denormal and almost overflowing numbers are numbers."""
    tiny, huge = 5e-324, 1.7e308
    lower = symmetric(torch.tensor([tiny, 1.0, 1.0], dtype=torch.float64), 3)
    upper = symmetric(torch.tensor([huge, 1.0, huge], dtype=torch.float64), 3)
    assert_same_bars(sorted_bars(cross_barcode(lower, upper)), reference(lower, upper))


def test_distances_of_coincident_clouds():
    """All points in one place: nothing to join."""
    assert cross_barcode(distances(torch.zeros(5, 2)), distances(torch.zeros(5, 2))).birth.shape == (0,)


# --- refusals ---

GOOD = torch.tensor([[0.0, 1, 2], [1, 0, 2], [2, 2, 0]])


def changed(i: int, j: int, value: float, *, both: bool = True) -> torch.Tensor:
    matrix = GOOD.clone()
    matrix[i, j] = value
    if both:
        matrix[j, i] = value
    return matrix


@pytest.mark.parametrize(
    ("wrong", "message"),
    [
        (changed(0, 1, float("nan")), "should be finite, got NaN or infinity"),
        (changed(0, 1, float("nan"), both=False), "should be finite, got NaN or infinity"),
        (changed(2, 1, float("nan"), both=False), "should be finite, got NaN or infinity"),
        (changed(1, 1, float("nan")), "should be finite, got NaN or infinity"),
        (changed(1, 2, float("inf")), "should be finite, got NaN or infinity"),
        (changed(0, 2, -float("inf")), "should be finite, got NaN or infinity"),
        (changed(0, 1, -1e-30), "should hold no negative distance"),
        (changed(0, 0, 1e-3), "should have a diagonal of zeros; use pairwise_distances"),
        (changed(2, 2, -1.0), "should have a diagonal of zeros; use pairwise_distances"),
        (changed(0, 1, 1.0000001, both=False), "should be exactly symmetric; use pairwise_distances"),
    ],
)
@pytest.mark.parametrize("name", ["lower", "upper"])
def test_what_is_no_distance_matrix_is_refused(wrong, message, name):
    other = torch.zeros(3, 3) if name == "upper" else 10 * GOOD
    pair = (wrong, other) if name == "lower" else (other, wrong)
    with pytest.raises(ValueError, match=f"^{name} {message}"):
        cross_barcode(*pair)
    # also when it is the last of a batch
    batch = [torch.stack([matrix if matrix is not wrong else 0 * GOOD, matrix]) for matrix in pair]
    with pytest.raises(ValueError, match=f"^{name} {message}"):
        cross_barcode(*batch)


@pytest.mark.parametrize("size", [3, 30])
def test_lower_above_upper_is_refused(size, generator):
    lower, upper = generic(size, generator)
    for i, j in ((0, 1), (0, size - 1), (size - 2, size - 1)):
        for above in (1.000001, 10.0):
            wrong = lower.clone()
            wrong[i, j] = wrong[j, i] = above * upper[i, j]
            with pytest.raises(ValueError, match=r"^lower should not exceed upper anywhere"):
                cross_barcode(wrong, upper)
    with pytest.raises(ValueError, match=r"^lower should not exceed upper anywhere"):
        cross_barcode(upper, lower)


@pytest.mark.usefixtures("as_users_run")
@pytest.mark.parametrize(
    ("lower", "upper", "error", "message"),
    [
        (GOOD.numpy(), GOOD, TypeError, "lower should be a torch.Tensor, got ndarray"),
        (GOOD, [[0.0]], TypeError, "upper should be a torch.Tensor, got list"),
        (GOOD.long(), GOOD, TypeError, "lower should be floating point, got torch.int64; use .float()"),
        (GOOD, GOOD.bool(), TypeError, "upper should be floating point, got torch.bool; use .float()"),
        (GOOD, GOOD + 0j, TypeError, "upper should be floating point, got torch.complex64"),
        (GOOD[:2], GOOD, ValueError, r"lower should have shape \(..., n, n\), got \(2, 3\)"),
        (GOOD[0], GOOD, ValueError, r"lower should have shape \(..., n, n\), got \(3,\)"),
        (torch.zeros(4, 0, 0), GOOD, ValueError, r"lower should hold at least one point, .* \(4, 0, 0\)"),
        (GOOD, GOOD[None], ValueError, r"same shape, got \(3, 3\) and \(1, 3, 3\)"),
        (GOOD, GOOD[:2, :2], ValueError, r"same shape, got \(3, 3\) and \(2, 2\)"),
        (GOOD, GOOD.double(), ValueError, "same type and device, got torch.float32 on cpu and torch.float64"),
        (GOOD, GOOD.to("meta"), ValueError, "same type and device, got torch.float32 on cpu and .* on meta"),
    ],
)
def test_other_arguments_are_refused(lower, upper, error, message):
    with pytest.raises(error, match=message):
        cross_barcode(lower, upper)


def test_annotations_are_checked_in_tests():
    """The import hook of conftest.py is at work: it refuses before the library does."""
    import jaxtyping

    with pytest.raises(jaxtyping.TypeCheckError, match="upper"):
        cross_barcode(GOOD, GOOD[:2, :2])
