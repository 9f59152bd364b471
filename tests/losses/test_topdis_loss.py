"""The TopDis step: exact equivariance, what it draws, degenerate batches, gradients."""

from __future__ import annotations

import math

import pytest
import torch

from gan_topdis.losses import RTDLoss, TopDisLoss
from gan_topdis.losses.quantile_shift import AMOUNT, MARGIN


def batch(n=64, d=3, seed=0, dtype=torch.float64):
    return torch.randn(n, d, generator=torch.Generator().manual_seed(seed), dtype=dtype)


def rng(seed):
    return torch.Generator().manual_seed(seed)


def only(coordinate, d=3):
    return [float(j == coordinate) for j in range(d)]


def turning(codes, j, phase=lambda p: p):
    """Decoder that turns a circle by the quantile of coordinate j in `codes`, beside two others."""
    mean, spread = codes[:, j].mean().detach(), codes[:, j].std().detach()

    def decode(z):
        angle = 2 * math.pi * phase(torch.special.ndtr((z[:, j] - mean) / spread))
        rest = z[:, [k for k in range(z.shape[1]) if k != j]]
        return torch.stack([angle.cos(), angle.sin(), 0.3 * rest[:, 0], 0.2 * rest[:, 1]], dim=1)

    return decode


def test_an_equivariant_decoder_costs_nothing_and_another_does():
    """A shift by quantiles turns the circle as a whole: an isometry. Of the squared quantile it is none."""
    codes = batch()
    loss = TopDisLoss(weights=only(1))
    for seed in range(4):
        assert float(loss(codes, turning(codes, 1), generator=rng(seed))) < 1e-9
        assert float(loss(codes, turning(codes, 1, lambda p: p**2), generator=rng(seed))) > 0.1


def test_a_decoder_that_ignores_the_coordinate_costs_nothing():
    codes = batch()
    step = TopDisLoss(weights=only(0)).step(codes, lambda z: z[:, 1:], generator=rng(0))
    assert step.coordinate == 0 and float(step.loss) == 0


def test_the_step_is_what_the_paper_says():
    """Second implementation of steps 3 to 8, in float64, of a decoder that returns the codes."""
    codes = batch(seed=3)
    seen = []
    step = TopDisLoss(margin=0.0).step(codes, lambda z: seen.append(z) or z, generator=rng(5))
    j, sign = step.coordinate, step.sign
    m, s = codes[:, j].mean(), codes[:, j].std()
    u = torch.special.ndtr((codes[:, j] - m) / s)
    valid = u + AMOUNT < 1 if sign > 0 else u - AMOUNT > 0
    (both,) = seen
    kept, moved = both.split(int(valid.sum()))
    assert step.valid == len(kept) and 50 <= len(kept) < 64
    assert torch.equal(kept, codes[valid])
    expected = m + s * torch.special.ndtri(u[valid] + sign * AMOUNT)
    torch.testing.assert_close(moved[:, j], expected)
    others = [k for k in range(3) if k != j]
    assert torch.equal(moved[:, others], kept[:, others]), "bit for bit"
    torch.testing.assert_close(step.loss, RTDLoss()(kept, moved))


def test_the_median_moves_by_the_published_amount():
    codes = batch(2_000, 1)
    seen = []
    loss = TopDisLoss(feature_map=torch.zeros_like)  # collapsed: nothing is paired
    loss(codes, lambda z: seen.append(z) or z, generator=rng(0))
    kept, moved = seen[0].chunk(2)
    assert len(kept) / len(codes) == pytest.approx(1 - AMOUNT - MARGIN, abs=0.03)  # 4 standard deviations
    spread = codes.std()
    middle = (kept - codes.mean()).abs().argmin()
    assert abs(float((moved - kept)[middle] / spread)) == pytest.approx(0.3186, abs=0.001)


def test_draws_are_fair_follow_the_weights_and_repeat():
    codes = batch(16, 4, dtype=torch.float32)
    plain = TopDisLoss()
    drawn = [plain._drawn(codes, None, rng(seed)) for seed in range(2_000)]
    counts = torch.bincount(torch.tensor([j for j, _ in drawn]), minlength=4)
    assert counts.min() > 400  # 500 +- 19
    assert sum(sign for _, sign in drawn) == pytest.approx(0, abs=180)  # 4 standard deviations
    weighted = TopDisLoss(weights=[3.0, 0, 1, 0])
    counts = torch.bincount(
        torch.tensor([weighted._drawn(codes, weighted.weights, rng(s))[0] for s in range(2_000)]), minlength=4
    )
    assert counts[1] == counts[3] == 0 and counts[0] == pytest.approx(1_500, abs=80)
    assert plain(codes, torch.sigmoid, generator=rng(7)) == plain(codes, torch.sigmoid, generator=rng(7))


def test_weights_of_a_step_take_the_place_of_those_of_the_loss():
    codes, loss = batch(16, 3), TopDisLoss(weights=only(0))
    for weights, coordinate in ((None, 0), (only(2), 2), (torch.tensor([0.0, 0.1, 0.0]), 1)):
        steps = [loss.step(codes, torch.sigmoid, weights=weights, generator=rng(s)) for s in range(5)]
        assert {step.coordinate for step in steps} == {coordinate}
    with pytest.raises(ValueError, match="weights should be d finite numbers >= 0"):
        loss.step(codes, torch.sigmoid, weights=[-1.0, 0.0, 0.0])


def test_dead_coordinates_are_not_drawn():
    codes = batch(32, 3)
    codes[:, [0, 2]] = 5.0
    loss = TopDisLoss()
    assert {loss.step(codes, lambda z: z, generator=rng(s)).coordinate for s in range(20)} == {1}


@pytest.mark.parametrize("codes", [torch.full((16, 2), 3.0), torch.randn(1, 2), torch.zeros(2, 2)])
def test_nothing_to_compare_is_zero_with_a_gradient(codes):
    codes = codes.clone().requires_grad_()
    step = TopDisLoss().step(codes, lambda z: z, generator=rng(0))
    step.loss.backward()
    assert float(step.loss.detach()) == 0 and torch.equal(codes.grad, torch.zeros_like(codes))


def test_collapsed_images_are_zero_with_a_gradient():
    codes = batch(32, 2).requires_grad_()
    loss = TopDisLoss()(codes, lambda z: 0 * z[:, :1] + 4, generator=rng(0))
    loss.backward()
    assert float(loss.detach()) == 0 and torch.isfinite(codes.grad).all()


def test_extreme_codes_have_finite_gradients():
    codes = batch(64, 2)
    codes[0, 0], codes[1, 0] = 40.0, -40.0
    codes = codes.float().requires_grad_()
    for seed in range(6):
        TopDisLoss(weights=[1.0, 0])(codes, torch.sigmoid, generator=rng(seed)).backward()
    assert torch.isfinite(codes.grad).all()


@pytest.mark.parametrize("detached", [False, True])
def test_points_without_an_image_leave_the_gradient_alone_at_margin_0(detached):
    """Their shift is infinite; the rest by finite differences, unless the statistics are held fixed."""
    codes, mix = batch(64, 2), batch(2, 5, seed=9)
    loss = TopDisLoss(margin=0.0, weights=[1.0, 0], detach_batch_statistics=detached)
    loss.divergence = RTDLoss(normalize="none")
    z = codes.clone().requires_grad_()
    step = loss.step(z, lambda y: torch.sigmoid(y @ mix), generator=rng(1))
    assert step.valid < len(codes)
    (gradient,) = torch.autograd.grad(step.loss, z)
    assert torch.isfinite(gradient).all() and gradient.abs().max() > 1e-3
    if not detached:
        direction, h = batch(64, 2, seed=4), 1e-6
        ahead, behind = (
            float(loss(codes + s * h * direction, lambda y: torch.sigmoid(y @ mix), generator=rng(1)))
            for s in (1, -1)
        )
        assert (ahead - behind) / (2 * h) == pytest.approx(float((gradient * direction).sum()), rel=1e-5)


@pytest.mark.parametrize("detached", [False, True])
def test_gradient_by_finite_differences(detached):
    """The quantiles of normalisation are detached, so the check holds them fixed: a decoder of bounded images
    whose distances are compared raw."""
    codes = batch(12, 2, seed=2)
    loss = TopDisLoss(margin=0.01, detach_batch_statistics=detached)
    loss.divergence = RTDLoss(normalize="none")
    mix = batch(2, 5, seed=9)
    function = lambda z: loss(z, lambda y: torch.sigmoid(y @ mix), generator=rng(1))  # noqa: E731
    z = codes.clone().requires_grad_()
    (gradient,) = torch.autograd.grad(function(z), z)
    assert gradient.abs().max() > 0.01
    if not detached:
        assert torch.autograd.gradcheck(function, (z,), atol=1e-6)
        return
    with pytest.raises(RuntimeError, match="Jacobian"):
        torch.autograd.gradcheck(function, (z,), atol=1e-6)


def test_training_reduces_it():
    """A linear decoder of two mixed factors on a torus of pixels: the loss falls when it may turn."""
    torch.manual_seed(0)
    layer = torch.nn.Linear(3, 16)
    loss, codes, generator = TopDisLoss(), batch(64, 3, dtype=torch.float32), rng(0)
    optimizer = torch.optim.Adam(layer.parameters(), lr=0.05)
    values = []
    for _ in range(60):
        optimizer.zero_grad()
        value = loss(codes, lambda z: torch.sigmoid(3 * layer(z)), generator=generator)
        value.backward()
        optimizer.step()
        values.append(float(value.detach()))
    assert sum(values[-10:]) < 0.7 * sum(values[:10])


@pytest.mark.parametrize(
    ("codes", "message"),
    [
        (torch.zeros(3), r"codes should be floating point \(n, d\), got \(3,\)"),
        (torch.zeros(3, 2, dtype=torch.int64), "floating point"),
        (torch.full((3, 2), math.nan), "codes should be finite"),
        (torch.randn(8, 4), "should have 2 coordinates, one per weight, got 4"),
    ],
)
def test_refusals(codes, message, as_users_run):
    with pytest.raises(ValueError, match=message):
        TopDisLoss(weights=[1.0, 2.0])(codes, lambda z: z)


def test_options_out_of_range_are_refused(as_users_run):
    for options, message in (
        ({"amount": 0}, r"amount should be in \(0, 1/2\], got 0"),
        ({"margin": 0.5}, r"margin should be in \[0, 1/2\), got 0.5"),
        ({"weights": [0.0, 0.0]}, "weights should not all be 0"),
        ({"weights": [-1.0]}, "weights should be d finite numbers >= 0"),
        ({"sides": "both"}, "sides should be one of"),
    ):
        with pytest.raises(ValueError, match=message):
            TopDisLoss(**options)
    with pytest.raises(ValueError, match="decode should return one image per code"):
        TopDisLoss()(batch(), lambda z: z[:3])
    with pytest.raises(ValueError, match="feature_map should return one row per image"):
        TopDisLoss(feature_map=lambda x: x[:3])(batch(), lambda z: z)


def test_images_at_hand_are_not_decoded_again():
    """Same value and gradients, to rounding of sums in another order, and fewer codes decoded."""
    codes = torch.randn(20, 3, generator=rng(0), dtype=torch.float64).requires_grad_()
    weights = torch.randn(3, 6, generator=rng(1), dtype=torch.float64).requires_grad_()
    seen = []

    def decode(z):
        seen.append(len(z))
        return torch.tanh(z @ weights)

    results = []
    for images in (None, torch.tanh(codes @ weights)):
        step = TopDisLoss().step(codes, decode, images=images, generator=rng(5))
        results.append((step.loss, *torch.autograd.grad(step.loss, [codes, weights])))
    for first, second in zip(*results, strict=True):
        torch.testing.assert_close(first, second, rtol=1e-10, atol=1e-12)
    assert results[0][0] > 0 and results[0][2].abs().max() > 0
    assert seen == [2 * step.valid, step.valid]
    with pytest.raises(ValueError, match=r"images should be what decode makes of the codes, \(20, 6\), got"):
        TopDisLoss().step(codes, decode, images=torch.zeros(20, 5, dtype=torch.float64), generator=rng(5))
