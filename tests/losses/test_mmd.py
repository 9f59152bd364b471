"""MMD of bars: closed forms, the plain double sums and their automatic gradient, threads, refusals."""

from __future__ import annotations

import math

import numpy as np
import pytest
import torch

from gan_topdis.losses import mmd, mmd_squared
from gan_topdis.losses.mmd import float64_mmd_squared, value_and_gradient

Sample = tuple[torch.Tensor, torch.Tensor]


def sample(n: int, generator: torch.Generator, *, absent: float = 0.3) -> Sample:
    """n births and lifetimes, a share of the lifetimes 0."""
    birth, lifetime, drawn = torch.rand(3, n, generator=generator, dtype=torch.float64)
    return birth, torch.where(drawn < absent, 0.0, lifetime)


def tensors(*rows: list[float]) -> Sample:
    birth, lifetime = torch.tensor(rows, dtype=torch.float64)
    return birth, lifetime


def plain(x: Sample, y: Sample, width: float) -> torch.Tensor:
    """The definition, with three kernel matrices; gradients by autograd."""

    def kernel(first: Sample, second: Sample) -> torch.Tensor:
        (b, l), (c, m) = first, second  # noqa: E741
        squares = (b[:, None] - c) ** 2 + (l[:, None] - m) ** 2
        return (l[:, None] * m * (-squares / width).exp()).sum()

    n, m = len(x[0]), len(y[0])
    return kernel(x, x) / n**2 - 2 * kernel(x, y) / (n * m) + kernel(y, y) / m**2


def leaves(x: Sample, y: Sample) -> list[torch.Tensor]:
    return [part.clone().requires_grad_() for part in (*x, *y)]


# --- values ---


@pytest.mark.parametrize("width", [0.01, 0.3, 50.0])
@pytest.mark.parametrize(("n", "m"), [(1, 1), (4, 4), (2, 7)])
def test_one_bar_each(n, m, width):
    """l1^2 / n^2 + l2^2 / m^2 - 2 l1 l2 exp(-d^2 / width) / (n m); the other tuples have no bar."""
    x = tensors([0.5] + [9.0] * (n - 1), [0.7] + [0.0] * (n - 1))
    y = tensors([0.2] + [5.0] * (m - 1), [1.1] + [0.0] * (m - 1))
    e = math.exp(-(0.3**2 + 0.4**2) / width)
    expected = (0.7 / n) ** 2 + (1.1 / m) ** 2 - 2 * (0.7 / n) * (1.1 / m) * e
    assert mmd_squared(x, y, width=width).item() == pytest.approx(expected, rel=1e-13)
    assert mmd_squared(y, x, width=width).item() == pytest.approx(expected, rel=1e-13)


def test_empty_measures(generator):
    empty = tensors([1.0, 2.0], [0.0, 0.0])
    x = sample(30, generator)
    assert mmd_squared(empty, empty, width=0.1) == 0
    norm = plain(x, empty, 0.1)
    assert mmd_squared(x, empty, width=0.1).item() == pytest.approx(norm.item(), rel=1e-13)
    assert mmd_squared(empty, x, width=0.1).item() == pytest.approx(norm.item(), rel=1e-13)
    assert norm > 0.01


@pytest.mark.parametrize(("n", "m"), [(1, 5), (30, 20), (300, 299), (700, 600)])
@pytest.mark.parametrize("width", [0.001, 0.1, 10.0])
def test_equal_to_plain_sums_and_autograd(n, m, width, generator):
    """Sizes on both sides of the block and tile sizes; the gradient at lifetime 0 too."""
    x, y = sample(n, generator), sample(m, generator)
    ours, theirs = leaves(x, y), leaves(x, y)
    value = mmd_squared(tuple(ours[:2]), tuple(ours[2:]), width=width)
    expected = plain(tuple(theirs[:2]), tuple(theirs[2:]), width)
    # float64: terms of at most 1 / (n m), some hundred thousand of them, in another order
    torch.testing.assert_close(value, expected, rtol=1e-12, atol=1e-15)
    value.backward()
    expected.backward()
    for own, other in zip(ours, theirs, strict=True):
        torch.testing.assert_close(own.grad, other.grad, rtol=1e-10, atol=1e-14)


@pytest.mark.parametrize("width", [1e-6, 1e-3, 0.01, 0.3, 50.0])
@pytest.mark.parametrize(("n", "m"), [(30, 20), (130, 140), (700, 600)])
def test_equal_births(n, m, width, generator):
    """Dimension 0: the fast Gauss transform where it pays, which all but the narrowest widths do above."""
    x, y = sample(n, generator), sample(m, generator)
    x, y = (torch.full_like(x[0], 0.7), x[1]), (torch.full_like(y[0], 0.7), 2 * y[1])
    ours, theirs = leaves(x, y), leaves(x, y)
    value = mmd_squared(tuple(ours[:2]), tuple(ours[2:]), width=width)
    expected = plain(tuple(theirs[:2]), tuple(theirs[2:]), width)
    torch.testing.assert_close(value, expected, rtol=1e-12, atol=1e-15)
    value.backward()
    expected.backward()
    assert not ours[0].grad.any()
    for own, other in zip(ours, theirs, strict=True):
        # the slope has terms of a^2 / sqrt(width)
        torch.testing.assert_close(own.grad, other.grad, rtol=1e-10, atol=1e-15 / width**0.5 + 1e-14)


@pytest.mark.parametrize(("boxes", "s"), [(1, 3), (2, 50), (30, 400), (500, 3000)])
def test_fast_gauss_transform_and_pairs(boxes, s, generator):
    """Both ways on the same numbers: errors relative to the sum of |a|."""
    lifetime = (torch.rand(s, generator=generator, dtype=torch.float64) * boxes).numpy()
    a = torch.randn(s, generator=generator, dtype=torch.float64).numpy()
    kernel = mmd._kernels()
    pairs = mmd._sums_over_pairs(kernel, np.zeros(s), lifetime, a, 1.0)
    found = np.empty((3, s))
    kernel.sums_on_a_line(lifetime, a, lifetime.min(), 1.0, boxes, mmd.chebyshev_table(), found)
    assert np.abs(found - pairs).max() < 3e-15 * np.abs(a).sum()
    worse = mmd.chebyshev_table().copy()
    worse[:, :, 14:] = 0  # four polynomials fewer are seen
    kernel.sums_on_a_line(lifetime, a, lifetime.min(), 1.0, boxes, worse, found)
    if boxes <= 2:  # elsewhere errors of random sign are far below the sum of |a|
        assert np.abs(found - pairs).max() > 3e-15 * np.abs(a).sum()


def test_equal_samples_and_their_order(generator):
    x = sample(500, generator)
    order = torch.randperm(500, generator=generator)
    shuffled = x[0][order], x[1][order]
    for y in (x, shuffled):
        ours = leaves(x, y)
        value = mmd_squared(tuple(ours[:2]), tuple(ours[2:]), width=0.1)
        assert abs(value) < 1e-15
        value.backward()
        assert all(part.grad.abs().max() < 1e-15 for part in ours)
    twice = torch.cat((x[0], x[0])), torch.cat((x[1], x[1]))
    assert abs(mmd_squared(x, twice, width=0.1)) < 1e-15  # the same measure, of another number of tuples


def test_not_negative_and_symmetric(generator):
    for scale in (1e-3, 1.0, 1e3):
        x, y = sample(100, generator), sample(80, generator)
        x, y = (x[0] * scale, x[1] * scale), (x[0][:80] * scale, x[1][:80] * scale + 1e-9 * y[1])
        there, back = mmd_squared(x, y, width=0.1), mmd_squared(y, x, width=0.1)
        assert there >= -1e-12 * scale**2
        torch.testing.assert_close(there, back, rtol=1e-9, atol=1e-15 * scale**2)


def test_large_terms_cancel(generator):
    """Lifetimes near 16 as in 128 dimensions: terms of 250, a value near 1, sums in float64."""
    x = torch.zeros(1024), 16 + torch.randn(1024, generator=generator)
    y = torch.zeros(1024), 16 + torch.randn(1024, generator=generator)
    exact = plain(tuple(part.double() for part in x), tuple(part.double() for part in y), 0.1)
    value = mmd_squared(x, y, width=0.1)
    assert value.dtype == torch.float32
    torch.testing.assert_close(value.double(), exact, rtol=1e-6, atol=0)


def test_the_exponential_is_exact_to_rounding():
    """One column of weight 1 at distance sqrt(-x width): the sum is exp(x)."""
    x = -np.concatenate([np.linspace(0, 50, 2001), np.geomspace(1e-18, 700, 2000)])
    kernel = mmd._kernels()
    found = np.empty_like(x)
    columns = np.array([[0.0], [0.0], [1.0]])
    kernel.sum_at(np.sqrt(-x), np.zeros_like(x), columns, 1.0, 0, len(x), found)
    # the square of the root has a relative error of 2 eps, which counts x times
    assert (np.abs(found / np.exp(x) - 1) < 2**-52 * (3 + 2 * np.abs(x))).all()
    kernel.sum_at(np.full(2, 1e3), np.zeros(2), columns, 1e-9, 0, 2, found)
    assert (found[:2] < 1e-300).all()


# --- gradient ---


def test_gradcheck(generator):
    x, y = sample(12, generator), sample(9, generator)

    def value(*parts: torch.Tensor) -> torch.Tensor:
        return mmd_squared(parts[:2], parts[2:], width=0.3)

    inside = [part + 0.1 for part in (*x, *y)]  # lifetimes may not become negative
    assert torch.autograd.gradcheck(value, [part.requires_grad_() for part in inside])


def test_static_and_compacted_samples(generator):
    """Leaving out tuples without bar changes nothing if the counts N and M stay."""
    x, y = sample(300, generator, absent=0.9), sample(200, generator, absent=0.9)
    weight = torch.cat([torch.full((300,), 1 / 300), torch.full((200,), -1 / 200)]).double()
    birth, lifetime = torch.cat((x[0], y[0])), torch.cat((x[1], y[1]))
    is_bar = lifetime > 0
    assert 10 < is_bar.sum() < 100
    value, by_birth, by_lifetime = value_and_gradient(birth, lifetime, weight, 0.1)
    few = value_and_gradient(birth[is_bar], lifetime[is_bar], weight[is_bar], 0.1)
    still = value_and_gradient(birth, lifetime, weight, 0.1, move_absent=False)
    assert value == few[0] == still[0]
    assert torch.equal(by_birth[is_bar], few[1])
    assert torch.equal(by_lifetime[is_bar], few[2])
    assert torch.equal(still[2][is_bar], few[2])
    assert not by_birth[~is_bar].any()
    assert by_lifetime[~is_bar].all()
    assert not still[2][~is_bar].any()


def test_gradient_is_scaled_and_partial(generator):
    x, y = sample(20, generator), sample(20, generator)
    ours = leaves(x, y)
    (3 * mmd_squared((ours[0].detach(), ours[1]), y, width=0.1)).backward()
    full = leaves(x, y)
    mmd_squared(tuple(full[:2]), tuple(full[2:]), width=0.1).backward()
    assert ours[0].grad is None
    torch.testing.assert_close(ours[1].grad, 3 * full[1].grad, rtol=1e-14, atol=0)


# --- threads, layouts, types ---


@pytest.mark.parametrize("s", [1, 200, 900])
def test_threads_do_not_matter(s, generator, monkeypatch):
    x, y = sample(s, generator), sample(s + 3, generator)
    results = []
    for threads in (1, 2, 5):
        monkeypatch.setattr(torch, "get_num_threads", lambda threads=threads: threads)
        ours = leaves(x, y)
        value = mmd_squared(tuple(ours[:2]), tuple(ours[2:]), width=0.1)
        value.backward()
        results.append([value, *(part.grad for part in ours)])
    for result in results[1:]:
        assert all(torch.equal(part, first) for part, first in zip(result, results[0], strict=True))


def test_memory_layout_and_types(generator):
    x, y = sample(40, generator), sample(30, generator)
    expected = mmd_squared(x, y, width=0.1)
    wide = torch.stack(x, dim=1)
    assert mmd_squared(wide.unbind(1), y, width=0.1) == expected
    assert mmd_squared((x[0][:1].expand(40), x[1]), y, width=0.1) > 0
    for dtype, tolerance in ((torch.float32, 1e-5), (torch.bfloat16, 0.2)):
        value = mmd_squared(tuple(p.to(dtype) for p in x), tuple(p.to(dtype) for p in y), width=0.1)
        assert value.dtype == dtype
        assert value.item() == pytest.approx(expected.item(), rel=tolerance)
    assert float64_mmd_squared(tuple(p.float() for p in x), 20, 0.1).dtype == torch.float64


# --- refusals ---

ONE = tensors([0.0], [1.0])


@pytest.mark.parametrize(
    ("x", "y", "width", "text"),
    [
        (ONE, ONE, 0.0, "width should be finite and greater than 0, got 0.0"),
        (ONE, ONE, math.nan, "width should be finite and greater than 0, got nan"),
        (
            tensors([], []),
            ONE,
            0.1,
            r"x should be birth and lifetime of one shape \(N,\), N >= 1, got \(0,\)",
        ),
        (ONE, (torch.zeros(2), torch.zeros(3)), 0.1, r"y should be birth and lifetime of one shape \(N,\)"),
        (ONE, (torch.zeros(2, 1), torch.zeros(2, 1)), 0.1, r"y should be birth and lifetime of one shape"),
        (tensors([math.nan], [1.0]), ONE, 0.1, "x should be finite, got NaN or infinity"),
        (ONE, tensors([0.0], [math.inf]), 0.1, "y should be finite, got NaN or infinity"),
        (ONE, tensors([0.0], [-1.0]), 0.1, "lifetimes of y should not be negative"),
        (ONE, (torch.zeros(1), torch.zeros(1)), 0.1, "x and y should have the same type and device"),
        ((ONE[0], ONE[1].float()), ONE, 0.1, "birth and lifetime of x should have the same type and device"),
    ],
)
@pytest.mark.usefixtures("as_users_run")
def test_refused(x, y, width, text):
    with pytest.raises(ValueError, match=f"^{text}"):
        mmd_squared(x, y, width=width)


@pytest.mark.usefixtures("as_users_run")
def test_not_floating_point():
    with pytest.raises(TypeError, match=r"^y should be two floating-point tensors, birth and lifetime"):
        mmd_squared(ONE, (torch.zeros(1).long(), torch.zeros(1)), width=0.1)
