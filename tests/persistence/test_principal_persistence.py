"""Bars of tuples of 2 q + 2 points: known shapes, GUDHI, laws, gradient, threads, refusals."""

from __future__ import annotations

import math
from functools import partial
from importlib import import_module

import numpy as np
import pytest
import torch

from gan_topdis.persistence import principal_persistence as package_function
from gan_topdis.persistence import vietoris_rips
from gan_topdis.persistence.principal_persistence import bars_and_edges, principal_persistence, scatter
from gan_topdis.persistence.subsamples import draw_key, random_tuples

module = import_module("gan_topdis.persistence.principal_persistence")


def cloud(*shape: int, generator: torch.Generator) -> torch.Tensor:
    return torch.randn(*shape, generator=generator, dtype=torch.float64)


def everything(points: torch.Tensor) -> torch.Tensor:
    """The one tuple of all points."""
    return torch.arange(len(points))[None]


def by_loops(points: torch.Tensor, tuples: torch.Tensor) -> tuple[list, list, list]:
    """Births, lifetimes and critical edges by the definition; of equals the first in the tuple."""
    births, lifetimes, edges = [], [], []
    for corners in tuples.tolist():
        far, near = [], []  # (distance, i, j) for every point i
        for a, i in enumerate(corners):
            others = [(math.dist(points[i].tolist(), points[j].tolist()), b) for b, j in enumerate(corners)]
            others.pop(a)
            others.sort(key=lambda pair: -pair[0])  # a stable sort
            far.append((others[0][0], a, others[0][1]))
            near.append((others[1][0], a, others[1][1]) if len(others) > 1 else (0.0, a, a))
        birth = max(near, key=lambda entry: entry[0])  # the first of equals
        death = min(far, key=lambda entry: entry[0])
        births.append(birth[0])
        lifetimes.append(max(death[0] - birth[0], 0.0))
        places = [*sorted(birth[1:]), *sorted(death[1:])] if death[0] > birth[0] else [0] * 4
        edges.append([corners[place] for place in places])
    return births, lifetimes, edges


def rough_cross_polytopes(q: int, d: int, generator: torch.Generator) -> tuple[torch.Tensor, torch.Tensor]:
    """60 tuples of points near +-e_1 .. +-e_(q+1), ten near each; the first 30 take one of each."""
    size = 2 * q + 2
    corners = torch.eye(q + 1, d, dtype=torch.float64)
    points = torch.cat([corners, -corners]).repeat(10, 1)
    points += 0.1 * cloud(10 * size, d, generator=generator)
    one_of_each = torch.randint(10, (30, size), generator=generator) * size + torch.arange(size)
    any_ones = random_tuples(5, torch.arange(30), size, 10 * size, replacement=False)
    return points, torch.cat([one_of_each, any_ones])


# --- bars ---


def rectangle(a: float, b: float) -> torch.Tensor:
    return torch.tensor([[0, 0], [a, 0], [a, b], [0, b]], dtype=torch.float64)


@pytest.mark.parametrize(("a", "b"), [(1.0, 1.0), (3.0, 4.0), (0.5, 7.0)])
def test_rectangle(a, b):
    """a <= b: (b, sqrt(a^2 + b^2) - b); of a square (a, a (sqrt 2 - 1))."""
    birth, lifetime = principal_persistence(rectangle(a, b), 1, torch.tensor([[0, 1, 2, 3], [2, 0, 3, 1]]))
    assert birth.tolist() == [b, b]
    assert lifetime.tolist() == pytest.approx([math.hypot(a, b) - b] * 2, rel=1e-14)


@pytest.mark.parametrize(
    "points",
    [
        [[0.0, 0], [1, 1], [2, 2], [3, 3]],  # on a line
        [[0.0, 0], [1, 0], [1, 1], [1, 1]],  # repeated
        [[1.0, 1, 1], [1, -1, -1], [-1, 1, -1], [-1, -1, 1]],  # equidistant
        [[5.0, 5]] * 4,
    ],
)
def test_no_bar(points):
    points = torch.tensor(points, dtype=torch.float64, requires_grad=True)
    birth, lifetime = principal_persistence(points, 1, everything(points))
    assert lifetime.tolist() == [0]
    assert birth.item() == pytest.approx(by_loops(points, everything(points))[0][0])
    (birth + lifetime).sum().backward()
    assert not points.grad.any()


def test_octahedron_has_a_hollow():
    """H2 of the six points +-e_i: the edges are sqrt 2 long, the diagonals 2."""
    points = torch.cat([torch.eye(3), -torch.eye(3)]).double()
    birth, lifetime = principal_persistence(points, 2, everything(points))
    assert birth.item() == pytest.approx(math.sqrt(2))
    assert lifetime.item() == pytest.approx(2 - math.sqrt(2))


@pytest.mark.parametrize(("q", "d"), [(0, 1), (0, 5), (1, 2), (1, 20), (2, 3), (3, 4)])
def test_equal_to_gudhi(q, d, generator):
    """The one bar of H_q of each tuple; half of the tuples are rough cross-polytopes, which have one."""
    points, tuples = rough_cross_polytopes(q, d, generator)
    birth, lifetime = principal_persistence(points, q, tuples)
    count = 0
    for t, corners in enumerate(tuples):
        distances = torch.cdist(points[corners], points[corners], compute_mode="donot_use_mm_for_euclid_dist")
        bars = vietoris_rips(distances, max_dimension=q, engine="gudhi").bars(q)
        assert len(bars) == int(lifetime[t] > 0)
        count += len(bars)
        if len(bars):
            # sums of squares in another order: a few roundings
            expected = [birth[t].item(), (birth[t] + lifetime[t]).item()]
            assert bars[0].tolist() == pytest.approx(expected, rel=1e-13)
    assert count > 20
    assert count < 60 or q == 0


@pytest.mark.parametrize("dtype", [torch.float32, torch.float64])
@pytest.mark.parametrize(
    ("n", "d", "q"), [(9, 1, 0), (9, 17, 0), (9, 2, 1), (60, 128, 1), (12, 3, 2), (3, 0, 1)]
)
def test_equal_to_plain_loops(n, d, q, dtype, generator):
    points = cloud(n, d, generator=generator).to(dtype)
    tuples = torch.randint(n, (80, 2 * q + 2), generator=generator)
    birth, lifetime, edges = bars_and_edges(points, tuples)
    births, lifetimes, by_hand = by_loops(points, tuples)
    assert birth.dtype == lifetime.dtype == dtype
    tolerance = {"rel": 1e-13, "abs": 1e-14} if dtype == torch.float64 else {"rel": 1e-6, "abs": 1e-7}
    assert birth.tolist() == pytest.approx(births, **tolerance)
    assert lifetime.tolist() == pytest.approx(lifetimes, **tolerance)
    assert edges.tolist() == by_hand


def test_lifetimes_in_float32_are_differences_in_float64(generator):
    """A lifetime of 1 % of the death keeps its digits: the subtraction comes before the rounding."""
    points = cloud(192, 128, generator=generator).float()
    tuples = torch.randint(192, (500, 4), generator=generator)
    _, lifetime = principal_persistence(points, 1, tuples)
    _, exact = principal_persistence(points.double(), 1, tuples)
    assert 20 < (lifetime > 0).sum() < 100
    torch.testing.assert_close(lifetime.double(), exact, rtol=1e-7, atol=0)


def test_edges_on_ties_are_the_first(generator):
    """Points of a grid: equal distances everywhere; squares of whole numbers are not rounded."""
    points = torch.cartesian_prod(torch.arange(4.0), torch.arange(4.0)).double()
    for q in (0, 1, 2):
        tuples = torch.randint(16, (300, 2 * q + 2), generator=generator)
        assert bars_and_edges(points, tuples)[2].tolist() == by_loops(points, tuples)[2]


# --- laws ---


def test_scaling_isometry_and_relabelling(generator):
    points = cloud(30, 3, generator=generator)
    tuples = random_tuples(1, torch.arange(200), 4, 30)
    birth, lifetime = principal_persistence(points, 1, tuples)
    scaled = principal_persistence(-4 * points, 1, tuples)
    assert torch.equal(scaled[0], 4 * birth)
    assert torch.equal(scaled[1], 4 * lifetime)
    rotation = torch.linalg.qr(cloud(3, 3, generator=generator)).Q
    moved = principal_persistence(points @ rotation + 1, 1, tuples)
    torch.testing.assert_close(moved[0], birth, rtol=1e-13, atol=0)
    torch.testing.assert_close(moved[1], lifetime, rtol=0, atol=1e-13)
    order = torch.randperm(30, generator=generator)
    renamed = principal_persistence(points[order], 1, order.argsort()[tuples])
    assert torch.equal(renamed[0], birth)
    assert torch.equal(renamed[1], lifetime)
    turned = principal_persistence(points, 1, tuples[:, [2, 0, 3, 1]])
    assert torch.equal(turned[1], lifetime)


def test_share_of_bars_on_the_circle_and_in_a_gaussian(generator):
    """1/9 on the uniform circle; 2.80 % in the plane (spec, section 1); 4 standard errors."""
    s = 40_000
    angle = torch.rand(20_000, generator=generator, dtype=torch.float64) * 2 * math.pi
    circle = torch.stack([angle.cos(), angle.sin()], dim=1)
    for points, expected in ((circle, 1 / 9), (cloud(20_000, 2, generator=generator), 0.0280)):
        _, lifetime = principal_persistence(points, 1, s, generator=generator)
        share = (lifetime > 0).double().mean().item()
        assert abs(share - expected) < 4 * math.sqrt(expected * (1 - expected) / s)


def test_dimension_0_is_the_law_of_distances(generator):
    points = cloud(100, 3, generator=generator)
    birth, lifetime = principal_persistence(points, 0, 40_000, replacement=False, generator=generator)
    assert not birth.any()
    assert (lifetime > 0).all()
    levels = torch.linspace(0.05, 0.95, 10, dtype=torch.float64)
    quantiles = torch.pdist(points).quantile(levels)
    below = (lifetime[:, None] <= quantiles).double().mean(dim=0)
    assert (below - levels).abs().max() < 4 * 0.5 / math.sqrt(40_000)


# --- drawing ---


def test_the_generator_decides_the_tuples(generator):
    points = cloud(20, 2, generator=generator)
    draw = partial(principal_persistence, points, 1)
    first = draw(50, generator=torch.Generator().manual_seed(7))
    again = draw(80, generator=torch.Generator().manual_seed(7))
    assert torch.equal(first[0], again[0][:50])
    other = draw(50, generator=torch.Generator().manual_seed(8))
    assert not torch.equal(first[0], other[0])
    torch.manual_seed(3)
    first = draw(50)
    torch.manual_seed(3)
    assert torch.equal(first[0], draw(50)[0])
    assert not torch.equal(first[0], draw(50)[0])
    tuples = random_tuples(
        draw_key(torch.Generator().manual_seed(7)), torch.arange(50), 4, 20, replacement=False
    )
    distinct = draw(50, replacement=False, generator=torch.Generator().manual_seed(7))
    assert torch.equal(distinct[0], draw(tuples)[0])


@pytest.mark.parametrize(("n", "q"), [(1, 0), (1, 1), (2, 1), (3, 2)])
def test_few_points_have_no_bars_of_repeats(n, q, generator):
    points = cloud(n, 3, generator=generator).requires_grad_()
    birth, lifetime = principal_persistence(points, q, 20)
    assert not lifetime.any()
    (birth + lifetime).sum().backward()
    assert not points.grad.any()


# --- threads, layouts, types ---


@pytest.mark.usefixtures("two_threads")
@pytest.mark.parametrize("s", [1, 7, 500])  # 500 quadruples have more distances than 40 points
def test_threads_and_batches_do_not_matter(s, generator, monkeypatch):
    points = cloud(40, 9, generator=generator)
    tuples = torch.randint(40, (s, 4), generator=generator)
    alone = bars_and_edges(points, tuples)
    monkeypatch.setattr(module, "SMALLEST_SHARE", 1)
    for part, expected in zip(bars_and_edges(points, tuples), alone, strict=True):
        assert torch.equal(part, expected)
    for t in range(0, s, 50):
        for part, expected in zip(bars_and_edges(points, tuples[t : t + 1]), alone, strict=True):
            assert torch.equal(part, expected[t : t + 1])


def test_memory_layout_does_not_matter(generator):
    points = cloud(12, 24, generator=generator)
    tuples = torch.randint(12, (30, 4), generator=generator)
    expected = principal_persistence(points, 1, tuples)[1]
    wide = torch.zeros(24, 24, dtype=torch.float64)
    wide[::2] = points
    tuples_wide = torch.zeros(60, 4, dtype=torch.int32)
    tuples_wide[::2] = tuples.int()
    for variant in (
        points.T.contiguous().T,
        wide[::2],
        points.requires_grad_(),
        points[None].expand(2, -1, -1)[1],
    ):
        assert torch.equal(principal_persistence(variant, 1, tuples_wide[::2].long())[1], expected)
    same = cloud(1, 24, generator=generator).expand(12, 24)
    assert not principal_persistence(same, 1, tuples)[1].any()


@pytest.mark.parametrize("dtype", [torch.float16, torch.bfloat16])
def test_half_precision_is_computed_in_float32(dtype, generator):
    points = cloud(12, 24, generator=generator).to(dtype).requires_grad_()
    birth, lifetime = principal_persistence(points, 1, 30, generator=torch.Generator().manual_seed(0))
    expected = principal_persistence(points.float(), 1, 30, generator=torch.Generator().manual_seed(0))
    assert birth.dtype == torch.float32
    assert torch.equal(lifetime, expected[1])
    lifetime.sum().backward()
    assert points.grad.dtype == dtype


def test_no_tuples(generator):
    points = cloud(5, 2, generator=generator).requires_grad_()
    birth, lifetime = principal_persistence(points, 1, torch.zeros(0, 4, dtype=torch.int64))
    assert birth.shape == lifetime.shape == (0,)
    (birth.sum() + lifetime.sum()).backward()
    assert not points.grad.any()


# --- gradient ---


@pytest.mark.parametrize("q", [0, 1, 2])
def test_gradcheck(q, generator):
    points, tuples = rough_cross_polytopes(q, 3, generator)
    points.requires_grad_()
    weights = cloud(2, 60, generator=generator)
    bars = principal_persistence(points, q, tuples)[1] > 0
    assert bars.sum() > 20

    def total(x: torch.Tensor) -> torch.Tensor:
        birth, lifetime = principal_persistence(x, q, tuples)
        return (weights[0] * torch.where(bars, birth, 0) + weights[1] * lifetime).sum()

    assert torch.autograd.gradcheck(total, (points,))


def test_gradient_by_formula_on_ties(generator):
    """Unit difference vectors at the edges found by loops, on a grid with repeated points."""
    points = torch.cartesian_prod(torch.arange(3.0), torch.arange(3.0)).double().repeat(2, 1).requires_grad_()
    for q in (0, 1):
        tuples = torch.randint(18, (200, 2 * q + 2), generator=generator)
        by_birth, by_lifetime = cloud(2, 200, generator=generator)
        birth, lifetime = principal_persistence(points, q, tuples)
        points.grad = None
        (by_birth * birth + by_lifetime * lifetime).sum().backward()
        expected = torch.zeros(18, 2, dtype=torch.float64)
        for (i, j, k, l), b, c in zip(  # noqa: E741
            by_loops(points.detach(), tuples)[2], by_birth, by_lifetime, strict=True
        ):
            for u, v, weight in ((i, j, b - c), (k, l, c)):
                difference = points.detach()[u] - points.detach()[v]
                if difference.any():
                    expected[u] += weight * difference / difference.norm()
                    expected[v] -= weight * difference / difference.norm()
        # 200 unit vectors added in another order
        torch.testing.assert_close(points.grad, expected, rtol=0, atol=1e-12)
        assert points.grad.isfinite().all()


def test_gradient_of_coincident_points_is_zero():
    points = torch.tensor([[0.0, 0], [0, 0], [3, 4]], requires_grad=True)
    _, lifetime = principal_persistence(points, 0, torch.tensor([[0, 1], [2, 0]]))
    assert lifetime.tolist() == [0, 5]
    lifetime.sum().backward()
    torch.testing.assert_close(points.grad, torch.tensor([[-0.6, -0.8], [0, 0], [0.6, 0.8]]))
    edges = torch.tensor([[0, 1, 0, 1]])  # a gradient at an edge without length is dropped, not NaN
    assert not scatter(points, edges, torch.ones(1), torch.ones(1)).any()


def test_repeated_runs_are_equal_to_the_bit(generator):
    points = cloud(30, 50, generator=generator).float().requires_grad_()
    gradients = []
    for _ in range(3):
        points.grad = None
        _, lifetime = principal_persistence(points, 0, 3000, generator=torch.Generator().manual_seed(1))
        (lifetime**2).sum().backward()
        gradients.append(points.grad)
    assert torch.equal(gradients[0], gradients[1])
    assert torch.equal(gradients[0], gradients[2])


def test_not_twice_differentiable(generator):
    points = cloud(5, 2, generator=generator).requires_grad_()
    _, lifetime = principal_persistence(points, 0, 5)
    with pytest.raises(RuntimeError, match="first derivatives only"):
        torch.autograd.grad(lifetime.sum(), points, create_graph=True)


# --- refusals ---

PLANE = torch.zeros(5, 2)
FOUR = torch.zeros(2, 4, dtype=torch.int64)


def test_the_package_exports_the_function():
    assert package_function is principal_persistence


@pytest.mark.parametrize(
    ("points", "q", "subsamples", "text"),
    [
        (torch.zeros(4), 1, 3, r"points should have shape \(n, d\) with n >= 1, got \(4,\)"),
        (torch.zeros(0, 4), 1, 3, r"points should have shape \(n, d\) with n >= 1, got \(0, 4\)"),
        (torch.zeros(2, 3, 4), 1, 3, r"points should have shape \(n, d\) with n >= 1, got \(2, 3, 4\)"),
        (torch.tensor([[0.0, math.nan]]), 0, 3, "points should be finite, got NaN or infinity"),
        (torch.tensor([[0.0, math.inf]]), 0, 3, "points should be finite, got NaN or infinity"),
        (torch.tensor([[-3e38], [3e38]]), 0, 30, "distances between points should fit in float32; rescale"),
        (PLANE, -1, 3, "dimension should be at least 0, got -1"),
        (PLANE, 1, 0, "subsamples should be at least 1, got 0"),
        (PLANE, 1, FOUR[:, :3], r"subsamples should have shape \(s, 4\), got \(2, 3\)"),
        (PLANE, 1, FOUR[0], r"subsamples should have shape \(s, 4\), got \(4,\)"),
        (PLANE, 1, FOUR + 5, "subsamples should hold indices 0 to 4, got 5 to 5"),
        (PLANE, 1, FOUR - 1, "subsamples should hold indices 0 to 4, got -1 to -1"),
    ],
)
@pytest.mark.usefixtures("as_users_run")
def test_refused(points, q, subsamples, text):
    with pytest.raises(ValueError, match=f"^{text}"):
        principal_persistence(points, q, subsamples)


@pytest.mark.usefixtures("as_users_run")
def test_too_few_points_without_replacement():
    with pytest.raises(ValueError, match=r"^6 different points cannot be drawn from 5; give more"):
        principal_persistence(PLANE, 2, 10, replacement=False)


@pytest.mark.parametrize(
    ("points", "subsamples", "text"),
    [
        (np.zeros((5, 2)), 3, "points should be a floating-point torch.Tensor"),
        (PLANE.long(), 3, "points should be a floating-point torch.Tensor"),
        (PLANE, 3.0, r"subsamples should be a number or an integer tensor \(s, 4\), got float"),
        (PLANE, True, r"subsamples should be a number or an integer tensor \(s, 4\), got bool"),
        (PLANE, FOUR.float(), r"subsamples should be an integer tensor \(s, 4\), got torch.float32"),
        (PLANE, FOUR.bool(), r"subsamples should be an integer tensor \(s, 4\), got torch.bool"),
    ],
)
@pytest.mark.usefixtures("as_users_run")
def test_wrong_types(points, subsamples, text):
    with pytest.raises(TypeError, match=f"^{text}"):
        principal_persistence(points, 1, subsamples)
