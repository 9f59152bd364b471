"""The shift by an amount of probability (topdis.md, section 10, items 8 to 10)."""

from __future__ import annotations

import math

import pytest
import scipy.stats
import torch

from gan_topdis.losses import RTDLoss
from gan_topdis.losses.quantile_shift import AMOUNT, MARGIN, quantile_shift

GRID = torch.linspace(-4, 4, 401, dtype=torch.float64)


def density(t: torch.Tensor) -> torch.Tensor:
    return torch.exp(-t.square() / 2) / math.sqrt(2 * math.pi)


def test_amount_and_margin_are_those_of_the_paper_and_ours():
    assert (AMOUNT, MARGIN) == (0.125, 1e-3)


@pytest.mark.parametrize(("sign", "expected"), [(1, 0.31864), (-1, -0.31864)])
def test_median_moves_by_0_31864(sign, expected):
    shifted, valid = quantile_shift(torch.zeros(1, dtype=torch.float64), sign * AMOUNT)
    assert shifted.item() == pytest.approx(expected, abs=5e-6)
    assert valid.item()


@pytest.mark.parametrize("amount", [AMOUNT, -AMOUNT, 0.3, -0.45])
def test_equal_to_scipy(amount):
    shifted, valid = quantile_shift(GRID, amount)
    probability = scipy.stats.norm.cdf(GRID.numpy()) + amount
    assert valid.tolist() == ((probability > MARGIN) & (probability < 1 - MARGIN)).tolist()
    expected = scipy.stats.norm.ppf(probability.clip(MARGIN, 1 - MARGIN))
    # two implementations of the normal quantile; the last digits of u are lost near 1
    assert shifted.tolist() == pytest.approx(expected.tolist(), abs=1e-10)


def test_clamped_points_lie_at_the_margin():
    """Phi(t) + 1/8 above 0.999: no image under the shift, and the quantile of 0.999 instead."""
    shifted, valid = quantile_shift(GRID, AMOUNT)
    assert 0 < valid.sum() < len(GRID)
    edge = scipy.stats.norm.ppf(1 - MARGIN)
    assert shifted[~valid].tolist() == pytest.approx([edge] * int((~valid).sum()), abs=1e-12)
    assert GRID[~valid].min() > scipy.stats.norm.ppf(1 - MARGIN - AMOUNT) - 1e-12


def test_no_amount_changes_nothing():
    inside = GRID[GRID.abs() < 3]
    shifted, valid = quantile_shift(inside, 0.0)
    assert valid.all()
    # 3 deviations: the density is 0.0044 and u is rounded at 1e-16
    torch.testing.assert_close(shifted, inside, rtol=0, atol=1e-12)


def test_there_and_back():
    shifted, valid = quantile_shift(GRID, AMOUNT)
    back, still_valid = quantile_shift(shifted[valid], -AMOUNT)
    kept = GRID[valid][still_valid]
    torch.testing.assert_close(back[still_valid], kept, rtol=0, atol=1e-10)
    assert kept.min() < -3  # only what started below the margin has no way back
    assert still_valid.sum() >= valid.sum() - (scipy.stats.norm.cdf(GRID.numpy()) < MARGIN).sum()


def test_two_small_shifts_are_one():
    """A one-parameter group where it is defined."""
    half, valid = quantile_shift(GRID, AMOUNT / 2)
    twice, still_valid = quantile_shift(half[valid], AMOUNT / 2)
    once, _ = quantile_shift(GRID, AMOUNT)
    torch.testing.assert_close(twice[still_valid], once[valid][still_valid], rtol=0, atol=1e-10)


def test_sign_minus_mirrors_sign_plus():
    up, valid_up = quantile_shift(GRID, AMOUNT)
    down, valid_down = quantile_shift(-GRID, -AMOUNT)
    assert torch.equal(valid_up, valid_down)
    torch.testing.assert_close(down, -up, rtol=0, atol=1e-10)


@pytest.mark.parametrize("sign", [1, -1])
def test_share_of_a_gaussian_batch_that_is_masked(sign, generator):
    """1/8 plus the margin."""
    t = torch.randn(200_000, generator=generator, dtype=torch.float64)
    _, valid = quantile_shift(t, sign * AMOUNT)
    # five standard deviations of a share of 200,000
    assert 1 - valid.double().mean().item() == pytest.approx(AMOUNT + MARGIN, abs=5 * 0.00074)


def test_marginal_is_kept(generator):
    """The valid part of a Gaussian becomes the part of a Gaussian above the 1/8 quantile."""
    t = torch.randn(20_000, generator=generator, dtype=torch.float64)
    shifted, valid = quantile_shift(t, AMOUNT)
    uniform = (scipy.stats.norm.cdf(shifted[valid].numpy()) - AMOUNT) / (1 - AMOUNT - MARGIN)
    assert scipy.stats.kstest(uniform, "uniform").pvalue > 0.01
    assert scipy.stats.kstest(scipy.stats.norm.cdf(t[valid].numpy()), "uniform").pvalue < 1e-6


# --- gradient (item 9) ---


@pytest.mark.parametrize("sign", [1, -1])
def test_gradient_is_a_ratio_of_densities(sign):
    t = GRID.clone().requires_grad_()
    shifted, valid = quantile_shift(t, sign * AMOUNT)
    shifted.sum().backward()
    expected = torch.where(valid, density(GRID) / density(shifted.detach()), 0.0)
    torch.testing.assert_close(t.grad, expected, rtol=1e-9, atol=1e-12)
    assert not t.grad[~valid].any()


def test_gradcheck():
    t = torch.linspace(-2.5, 0.9, 9, dtype=torch.float64, requires_grad=True)
    amount = torch.tensor(AMOUNT, dtype=torch.float64, requires_grad=True)
    assert torch.autograd.gradcheck(lambda t, amount: quantile_shift(t, amount)[0], (t, amount))


@pytest.mark.parametrize(
    ("margin", "largest", "factor"), [(1e-2, 2.33, 8.1), (1e-3, 3.09, 61), (1e-4, 3.72, 520)]
)
def test_margin_bounds_value_and_gradient(margin, largest, factor):
    """topdis.md, section 3: the bounds that decided on 1e-3, reached by the last valid point."""
    last = torch.special.ndtri(torch.tensor([1 - margin - AMOUNT], dtype=torch.float64)) - 1e-9
    t = torch.cat([GRID, last]).requires_grad_()
    shifted, valid = quantile_shift(t, AMOUNT, margin=margin)
    shifted.sum().backward()
    assert valid[-1]
    assert shifted.max().item() == pytest.approx(largest, abs=5e-3)
    assert t.grad.max() == t.grad[-1]
    assert t.grad[-1].item() == pytest.approx(factor, rel=0.01)  # the table gives two or three digits


def test_margin_zero_is_the_mask_of_the_reference():
    """Points whose image would lie beyond 1 are masked; the others have a finite value and gradient."""
    t = GRID.clone().requires_grad_()
    shifted, valid = quantile_shift(t, AMOUNT, margin=0.0)
    assert valid.tolist() == (scipy.stats.norm.cdf(GRID.numpy()) + AMOUNT < 1).tolist()
    shifted[valid].sum().backward()
    assert t.grad.isfinite().all()
    assert not t.grad[~valid].any()


# --- types, shapes, odd input ---


@pytest.mark.parametrize("dtype", [torch.float16, torch.float32, torch.float64])
def test_type_is_kept_and_the_work_is_done_in_float64(dtype):
    t = GRID.to(dtype)
    shifted, valid = quantile_shift(t, AMOUNT)
    exact, exact_valid = quantile_shift(t.double(), AMOUNT)
    assert shifted.dtype == dtype
    assert torch.equal(shifted, exact.to(dtype))
    assert torch.equal(valid, exact_valid)


def test_amount_broadcasts(generator):
    t = torch.randn(5, 3, generator=generator)
    amounts = torch.tensor([0.125, -0.125, 0.0])
    shifted, valid = quantile_shift(t, amounts)
    for column, amount in enumerate(amounts.tolist()):
        one, one_valid = quantile_shift(t[:, column], amount)
        assert torch.equal(shifted[:, column], one)
        assert torch.equal(valid[:, column], one_valid)


def test_infinite_and_undefined_coordinates_are_not_valid():
    t = torch.tensor([math.inf, -math.inf, math.nan, 0.0])
    shifted, valid = quantile_shift(t, AMOUNT)
    assert valid.tolist() == [False, True, False, True]  # Phi(-inf) + 1/8 is a probability
    assert shifted[1].item() == pytest.approx(scipy.stats.norm.ppf(AMOUNT), abs=1e-6)
    assert shifted[0].isfinite()
    assert shifted[2].isnan()


def test_empty_batch():
    shifted, valid = quantile_shift(torch.zeros(0, 4), AMOUNT)
    assert shifted.shape == valid.shape == (0, 4)


# --- with RTD (items 8 and 10) ---


def shifted_batch(n: int, amount: float, generator: torch.Generator) -> tuple[torch.Tensor, torch.Tensor]:
    """Codes (n, 3) and their copy with coordinate 0 shifted, valid rows only."""
    codes = torch.randn(n, 3, generator=generator, dtype=torch.float64)
    moved, valid = quantile_shift(codes[:, 0], amount)
    copy = torch.cat([moved[:, None], codes[:, 1:]], dim=1)
    return codes[valid], copy[valid]


def test_a_small_shift_has_a_small_loss(generator):
    values = []
    for amount in (1e-2, 1e-4, 1e-6):
        z, moved = shifted_batch(40, amount, torch.Generator().manual_seed(1))
        values.append(RTDLoss()(z, moved).item())
    assert values[0] > 10 * values[1] > 100 * values[2] > 0


def test_a_decoder_that_ignores_the_coordinate(generator):
    z, moved = shifted_batch(40, AMOUNT, generator)
    assert RTDLoss()(z[:, 1:], moved[:, 1:]) == 0


def test_an_equivariant_decoder(generator):
    """Angle 2 pi Phi(z): the shift is a rotation by an eighth; with Phi squared it is none."""
    z, moved = shifted_batch(40, AMOUNT, generator)

    def decode(codes: torch.Tensor, power: int) -> torch.Tensor:
        angle = 2 * math.pi * torch.special.ndtr(codes[:, 0]) ** power
        return torch.stack([angle.cos(), angle.sin()], dim=1)

    assert RTDLoss()(decode(z, 1), decode(moved, 1)).item() < 1e-10
    assert RTDLoss()(decode(z, 2), decode(moved, 2)).item() > 0.1
