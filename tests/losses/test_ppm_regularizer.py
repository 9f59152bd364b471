"""PPM-Reg: conventions by hand, the plain formula on the same tuples, drawing, gradient, refusals."""

from __future__ import annotations

import math

import pytest
import torch
from torch.utils._python_dispatch import TorchDispatchMode

from gan_topdis.losses import CramerDistance, PPMRegularizer
from gan_topdis.losses.ppm_regularizer import ROOT_EPSILON
from gan_topdis.persistence import principal_persistence
from gan_topdis.persistence.subsamples import derived_key, draw_key, random_tuples


def cloud(*shape: int, generator: torch.Generator) -> torch.Tensor:
    return torch.randn(*shape, generator=generator, dtype=torch.float64)


def seeded(seed: int) -> torch.Generator:
    return torch.Generator().manual_seed(seed)


def segment(length: float) -> torch.Tensor:
    return torch.tensor([[0.0, 0], [length, 0]], dtype=torch.float64)


def square(side: float) -> torch.Tensor:
    return side * torch.tensor([[0.0, 0], [1, 0], [1, 1], [0, 1]], dtype=torch.float64)


# --- values by hand ---


def two_bars(l: float, m: float, squared_distance: float, width: float) -> float:  # noqa: E741
    return l * l + m * m - 2 * l * m * math.exp(-squared_distance / width)


@pytest.mark.parametrize(("convention", "width", "root"), [("paper", 0.4, True), ("reference", 0.2, False)])
def test_two_bars_of_dimension_0(convention, width, root):
    """Lengths 1 and 1.5; bandwidth 0.2."""
    squared = two_bars(1, 1.5, 0.25, width)
    found = PPMRegularizer((2.0,), 0.2, convention=convention, all_pairs=True)(segment(1), segment(1.5))
    expected = 2 * (math.sqrt(squared) if root else squared)
    # the epsilon under the root takes 1e-8 off
    assert found.item() == pytest.approx(expected, abs=3e-8)


@pytest.mark.parametrize(("convention", "width", "root"), [("paper", 0.4, True), ("reference", 0.2, False)])
def test_two_bars_of_dimension_1(convention, width, root):
    """Without replacement every tuple is the whole square: (a, a (sqrt 2 - 1))."""
    ratio = math.sqrt(2) - 1
    squared = two_bars(ratio, 1.5 * ratio, 0.25 + (0.5 * ratio) ** 2, width)
    regularizer = PPMRegularizer((0.0, 3.0), 0.2, 50, convention, replacement=False)
    found = regularizer(square(1), square(1.5))
    assert found.item() == pytest.approx(3 * (math.sqrt(squared) if root else squared), abs=4e-8)


def test_sigma_is_half_the_width(generator):
    x, y = cloud(20, 2, generator=generator), cloud(15, 2, generator=generator) + 1
    for weights in ((1.0,), (0.0, 1.0)):
        paper = PPMRegularizer(weights, 0.05, 300, "paper")(x, y, generator=seeded(1))
        reference = PPMRegularizer(weights, 0.1, 300, "reference")(x, y, generator=seeded(1))
        assert reference > 1e-6
        assert (paper**2).item() == pytest.approx(reference.item(), rel=1e-4)


def plain(x: torch.Tensor, y: torch.Tensor, q: int, s: int, width: float, seed: int) -> torch.Tensor:
    """MMD^2 by the published formulation, on the same tuples: bars by `topk`, compaction, three matrices."""
    key = draw_key(seeded(seed))
    bars = []
    for number, points in enumerate((x, y)):
        tuples = random_tuples(derived_key(key, q, number), torch.arange(s), 2 * q + 2, len(points))
        corners = points[tuples]  # (s, 2 q + 2, d)
        squares = (corners[:, :, None] - corners[:, None]).square().sum(dim=3)
        distances = torch.where(squares > 0, squares, 1.0).sqrt() * (squares > 0)
        far, near = distances.topk(2, dim=2).values.unbind(dim=2)
        birth = near.max(dim=1).values if q else 0 * near[:, 0]
        death = far.min(dim=1).values
        has_bar = death > birth
        bars.append((birth[has_bar], (death - birth)[has_bar]))

    def kernel(first: tuple, second: tuple) -> torch.Tensor:
        squared = sum((a[:, None] - b) ** 2 for a, b in zip(first, second, strict=True))
        return (first[1][:, None] * second[1] * (-squared / width).exp()).sum()

    return (kernel(bars[0], bars[0]) - 2 * kernel(*bars) + kernel(bars[1], bars[1])) / s**2


@pytest.mark.parametrize("q", [0, 1, 2])
def test_equal_to_the_published_formulation(q, generator):
    """Value and gradient at both clouds; n != m."""
    clouds = [cloud(40, 4, generator=generator), 0.7 * cloud(30, 4, generator=generator)]
    ours, theirs = ([points.clone().requires_grad_() for points in clouds] for _ in range(2))
    weights = (0.0,) * q + (2.0,)
    value = PPMRegularizer(weights, 0.3, 400, "reference")(*ours, generator=seeded(5))
    expected = 2 * plain(*theirs, q, 400, 0.3, seed=5)
    torch.testing.assert_close(value, expected, rtol=1e-11, atol=1e-15)
    value.backward()
    expected.backward()
    for own, other in zip(ours, theirs, strict=True):
        assert other.grad.any() or q == 2
        torch.testing.assert_close(own.grad, other.grad, rtol=1e-9, atol=1e-13)


def test_weights_add_up(generator):
    """And a skipped dimension leaves the tuples of the others as they are."""
    x, y = cloud(20, 3, generator=generator), cloud(20, 3, generator=generator)

    def value(*weights: float) -> float:
        return PPMRegularizer(weights, 1.0, 200)(x, y, generator=seeded(2)).item()

    assert value(2.0, 5.0) == pytest.approx(2 * value(1.0) + 5 * value(0.0, 1.0), rel=1e-12)
    assert value(0.0, 0.0) == 0
    assert value(1.0) != value(0.0, 1.0) != 0


def test_all_pairs_is_the_mean_over_draws(generator):
    """MMD^2 of the same clouds by many draws without replacement; they are biased upwards by O(1 / s)."""
    x, y = cloud(12, 2, generator=generator), 2 * cloud(9, 2, generator=generator)
    exact = PPMRegularizer((1.0,), convention="reference", all_pairs=True)(x, y)
    drawn = PPMRegularizer((1.0,), 0.1, 2000, "reference", replacement=False)
    values = torch.stack([drawn(x, y, generator=seeded(k)) for k in range(10)])
    error = values.std() / 10**0.5
    assert 0 < error < 0.02 * exact
    assert abs(values.mean() - exact) < 4 * error + 0.01 * exact


def test_equal_clouds(generator):
    """All pairs of a cloud against itself: 0, and a gradient of 0, also under the root."""
    for dtype in (torch.float32, torch.float64):
        x = cloud(12, 3, generator=generator).to(dtype).requires_grad_()
        y = x.detach().flip(0).requires_grad_()
        value = PPMRegularizer((1.0,), all_pairs=True)(x, y)
        assert value < 1e-7
        value.backward()
        # rounding of 1e-16 in the gradient of MMD^2 times the largest slope of the root
        assert x.grad.abs().max() < 1e-15 * 0.5 / math.sqrt(ROOT_EPSILON)
        assert y.grad.isfinite().all()


def test_collapsed_clouds_have_no_bars(generator):
    x, y = torch.ones(7, 3, requires_grad=True), torch.zeros(1, 3, requires_grad=True)
    value = PPMRegularizer()(x, y)
    value.backward()
    assert value == 0
    assert not x.grad.any()
    assert not y.grad.any()
    z = cloud(10, 3, generator=generator).float().requires_grad_()
    value = PPMRegularizer()(x, z)
    value.backward()
    assert value > 0.1
    assert z.grad.isfinite().all()


# --- drawing ---


def test_the_generator_decides(generator):
    x, y = cloud(20, 2, generator=generator), cloud(20, 2, generator=generator)
    regularizer = PPMRegularizer(subsamples=50)
    given = seeded(1)
    first, second = regularizer(x, y, generator=given), regularizer(x, y, generator=given)
    assert first != second
    assert regularizer(x, y, generator=seeded(1)) == first
    torch.manual_seed(1)
    assert regularizer(x, y) == first
    # the two clouds have tuples of their own
    assert PPMRegularizer((1.0,), subsamples=50)(x, x, generator=given) > 0


def test_pool(generator):
    """A pool of one tuple is that tuple s times; the pool stays, what is drawn from it does not."""
    x, y = cloud(20, 2, generator=generator), cloud(15, 2, generator=generator)

    def bar(points: torch.Tensor, number: int, pool_seed: int) -> torch.Tensor:
        key = derived_key(pool_seed, 0, number)
        return principal_persistence(points, 0, random_tuples(key, torch.arange(1), 2, len(points)))[1]

    for pool_seed in (0, 3):
        one = PPMRegularizer((1.0,), 0.2, 30, "reference", pool=1, pool_seed=pool_seed)
        (l,), (m,) = bar(x, 0, pool_seed).tolist(), bar(y, 1, pool_seed).tolist()  # noqa: E741
        for seed in (0, 1):
            value = one(x, y, generator=seeded(seed)).item()
            assert value == pytest.approx(two_bars(l, m, (l - m) ** 2, 0.2), rel=1e-12)
    many = PPMRegularizer((1.0,), 0.2, 30, "reference", pool=240)
    assert many(x, y, generator=seeded(0)) == many(x, y, generator=seeded(0))
    assert many(x, y, generator=seeded(0)) != many(x, y, generator=seeded(1))
    other = PPMRegularizer((1.0,), 0.2, 30, "reference", pool=240, pool_seed=1)
    assert many(x, y, generator=seeded(0)) != other(x, y, generator=seeded(0))


def test_replacement(generator):
    """Of two points, half of the pairs with replacement are repeats and have no length."""
    x, y = segment(1), segment(3)
    distinct = PPMRegularizer((1.0,), 0.1, 4000, "reference", replacement=False)(x, y)
    repeated = PPMRegularizer((1.0,), 0.1, 4000, "reference")(x, y)
    assert distinct.item() == pytest.approx(1 + 9, rel=1e-12)
    assert repeated.item() == pytest.approx((1 + 9) / 4, rel=0.1)  # 4 standard errors of the two shares


# --- gradient ---


@pytest.mark.parametrize("convention", ["paper", "reference"])
@pytest.mark.parametrize("weights", [(1.0,), (0.0, 20.0), (0.5, 3.0)])
def test_gradcheck(convention, weights, generator):
    x, y = cloud(9, 2, generator=generator), 1.5 * cloud(8, 2, generator=generator) + 1
    regularizer = PPMRegularizer(weights, 0.5, 40, convention, replacement=False)

    def value(x: torch.Tensor, y: torch.Tensor) -> torch.Tensor:
        return regularizer(x, y, generator=seeded(3))

    assert value(x, y) > 1e-3
    assert torch.autograd.gradcheck(value, (x.requires_grad_(), y.requires_grad_()), atol=1e-6)


def test_one_side_without_gradient(generator):
    x, y = cloud(20, 3, generator=generator), cloud(20, 3, generator=generator).requires_grad_()
    regularizer = PPMRegularizer(subsamples=100)
    regularizer(x, y, generator=seeded(0)).backward()
    both = x.clone().requires_grad_(), y.detach().clone().requires_grad_()
    regularizer(*both, generator=seeded(0)).backward()
    assert x.grad is None
    assert torch.equal(both[1].grad, y.grad)
    with torch.no_grad():
        assert not regularizer(x, y).requires_grad


def test_training_decreases_the_objective(generator):
    """A blob, 100 steps of the Cramer distance to a circle with PPM-Reg."""
    angle = torch.linspace(0, 2 * math.pi, 65)[:-1]
    circle = torch.stack([angle.cos(), angle.sin()], dim=1)
    points = (0.3 * torch.randn(64, 2, generator=generator)).requires_grad_()
    optimizer = torch.optim.SGD([points], lr=0.05, momentum=0.9)
    cramer, regularizer = CramerDistance(), PPMRegularizer((1.0, 100.0), 0.1, 200, "reference")
    objectives = []
    for _ in range(100):
        objective = 1.6 * cramer(circle, points) + regularizer(circle, points, generator=generator)
        objectives.append(objective.item())
        optimizer.zero_grad()
        objective.backward()
        optimizer.step()
    assert objectives[0] > 1
    assert sum(objectives[-10:]) / 10 < 0.15 * objectives[0]


# --- threads, layouts, types ---


def test_threads_do_not_matter(generator, monkeypatch):
    clouds = [cloud(60, 40, generator=generator).float() for _ in range(2)]
    results = []
    for threads in (1, 2, 3):
        monkeypatch.setattr(torch, "get_num_threads", lambda threads=threads: threads)
        x, y = (points.clone().requires_grad_() for points in clouds)
        value = PPMRegularizer(subsamples=1500)(x, y, generator=seeded(0))
        value.backward()
        results.append((value, x.grad, y.grad))
    for result in results[1:]:
        assert all(torch.equal(part, first) for part, first in zip(result, results[0], strict=True))


@pytest.mark.parametrize("dtype", [torch.bfloat16, torch.float32])
def test_type_is_kept(dtype, generator):
    x, y = (cloud(30, 5, generator=generator).to(dtype).requires_grad_() for _ in range(2))
    value = PPMRegularizer(subsamples=100)(x, y, generator=seeded(0))
    exact = PPMRegularizer(subsamples=100)(x.double(), y.double(), generator=seeded(0))
    value.backward()
    assert value.dtype == x.grad.dtype == dtype
    assert value.item() == pytest.approx(exact.item(), rel=1e-2 if dtype == torch.bfloat16 else 1e-5)


def test_memory_layout_does_not_matter(generator):
    x, y = cloud(30, 6, generator=generator), cloud(20, 6, generator=generator)
    regularizer = PPMRegularizer(subsamples=100)
    expected = regularizer(x, y, generator=seeded(0))
    assert regularizer(x.T.contiguous().T, torch.stack((y, y))[:, ::1][1], generator=seeded(0)) == expected


def test_operations_of_a_call():
    """As in a GAN. It was 611 with keys that were tensors and tuples of the pool drawn anew (docs/gan.md)."""

    class Counted(TorchDispatchMode):
        count = 0

        def __torch_dispatch__(self, function, types, args=(), kwargs=None):
            self.count += 1
            return function(*args, **(kwargs or {}))

    x, y = (torch.randn(192, 64, requires_grad=True) for _ in range(2))
    regularizer = PPMRegularizer((1.0, 90.0), 0.5, 1024, "reference", replacement=False, pool=4096)
    regularizer(x, y)
    with Counted() as counted:
        torch.autograd.grad(regularizer(x, y), [x, y])
    assert 100 < counted.count < 160


def test_nothing_of_a_pool_is_kept_in_the_state():
    regularizer = PPMRegularizer(subsamples=10, pool=40)
    regularizer(torch.randn(9, 2), torch.randn(9, 2))
    assert not regularizer.state_dict()


# --- refusals ---


@pytest.mark.parametrize(
    ("options", "text"),
    [
        ({"weights": ()}, r"weights should be one or more finite numbers >= 0, got \(\)"),
        ({"weights": (1.0, -1.0)}, r"weights should be one or more finite numbers >= 0, got \(1.0, -1.0\)"),
        ({"weights": (math.nan,)}, "weights should be one or more finite numbers >= 0"),
        ({"bandwidth": 0.0}, "bandwidth should be finite and greater than 0, got 0.0"),
        ({"bandwidth": math.inf}, "bandwidth should be finite and greater than 0, got inf"),
        ({"subsamples": 0}, "subsamples should be at least 1, got 0"),
        ({"convention": "code"}, "convention should be one of paper, reference, got 'code'"),
        ({"pool": 0}, r"pool should be None or 1 to 2\*\*31 - 1, got 0"),
        ({"pool_seed": -1}, "pool_seed should be at least 0, got -1"),
    ],
)
def test_wrong_options(options, text):
    with pytest.raises(ValueError, match=f"^{text}"):
        PPMRegularizer(**options)


@pytest.mark.parametrize(
    ("x", "y", "options", "text"),
    [
        (torch.zeros(4), torch.zeros(4, 2), {}, r"x should have shape \(n, d\) with n >= 1, got \(4,\)"),
        (torch.zeros(4, 2), torch.zeros(0, 2), {}, r"y should have shape \(n, d\) with n >= 1, got \(0, 2\)"),
        (torch.zeros(4, 2), torch.zeros(4, 3), {}, "x and y should have the same width, type and device"),
        (torch.zeros(4, 2), torch.zeros(4, 2).double(), {}, "x and y should have the same width, type and"),
        (torch.zeros(4, 2), torch.full((4, 2), math.nan), {}, "y should be finite, got NaN or infinity"),
        (torch.zeros(4, 2), torch.zeros(3, 2), {"replacement": False}, "4 different points cannot be drawn"),
        (torch.zeros(1, 2), torch.zeros(3, 2), {"all_pairs": True}, "all_pairs needs clouds of at least 2"),
    ],
)
@pytest.mark.usefixtures("as_users_run")
def test_refused(x, y, options, text):
    with pytest.raises(ValueError, match=f"^{text}"):
        PPMRegularizer(**options)(x, y)


@pytest.mark.usefixtures("as_users_run")
def test_not_floating_point():
    with pytest.raises(TypeError, match=r"^x should be a floating-point torch\.Tensor"):
        PPMRegularizer()(torch.zeros(3, 2).long(), torch.zeros(3, 2))


def test_no_weight_at_all_is_still_a_loss(generator):
    x = torch.randn(5, 2, generator=generator, requires_grad=True)
    loss = PPMRegularizer(weights=(0.0, 0.0))(x, torch.randn(5, 2, generator=generator))
    loss.backward()
    assert (loss.item(), x.grad.abs().max().item()) == (0, 0)


def test_a_graph_of_its_gradient_is_refused(generator):
    """A gradient penalty over it would silently miss a part."""
    x = torch.randn(9, 2, generator=generator, requires_grad=True)
    loss = PPMRegularizer(subsamples=50)(x**2, torch.randn(9, 2, generator=generator))
    with pytest.raises(RuntimeError, match="first derivatives only; call backward or grad without create_g"):
        torch.autograd.grad(loss, x, create_graph=True)
