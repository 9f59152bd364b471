"""Schedules by hand: ControlVAE's controller and DAVA's capacity."""

from __future__ import annotations

import math

import pytest
import torch
from small_vaes import rng, small_objective, small_vae, squares

from gan_topdis.vae import Terms
from gan_topdis.vae.objectives.control import ControlVAE, controller_step
from gan_topdis.vae.objectives.dava import DAVA, next_k


def terms_of_kl(kl):
    zero = torch.zeros(())
    return Terms(zero, zero, torch.zeros(1, 1), torch.zeros(1, 1), torch.zeros(1, 1, 16, 16), {"kl": kl})


# ControlVAE

# From I = 0, W = 1, by e = set point - KL, P = .01 / (1 + exp(e)) + 1,
# I -= .001 e unless the previous W was below 1, W = P + I:
TRACE = [
    # kl, set point, I, W
    (0.5, 0.5, 0.0, 1.005),  # e = 0: P = 1 + .01 / 2
    (20.5, 0.5, 0.02, 1.03),  # e = -20: P = 1.01, I rises by .02
    (0.5, 40.5, -0.02, 0.98),  # e = 40: W falls below 1 ...
    (0.5, 40.5, -0.02, 0.98),  # ... so I is held for one step, and W stays below
    (30.5, 0.5, -0.02, 0.99),  # held although KL is far above; P = 1.01
]


def test_five_steps_of_the_controller():
    integral, weight = 0.0, 1.0
    for kl, set_point, expected_integral, expected_weight in TRACE:
        done = controller_step(kl, set_point, integral, weight)
        # .01 exp(-20) = 2e-11 is left out in the table
        assert done.integral == pytest.approx(expected_integral, abs=1e-10)
        assert done.weight == pytest.approx(expected_weight, abs=1e-10)
        assert done.applied == max(done.weight, 1.0)
        integral, weight = done.integral, done.weight


def test_the_proportional_part_is_the_paper_s():
    for error in (-3.0, -0.2, 0.0, 1.7):
        done = controller_step(10.0 - error, 10.0, 0.0, 0.5)
        assert done.weight == pytest.approx(0.01 / (1 + math.exp(error)) + 1, abs=1e-12)


def test_no_overflow_at_a_large_error():
    """exp(1e4) overflows; the limits are 0 and .01."""
    assert controller_step(0.0, 1e4, 0.0, 0.5).weight == 1.0
    assert controller_step(1e4, 0.0, 0.0, 0.5).weight == 1.01


def test_control_vae_follows_the_trace_and_applies_the_weight():
    objective = ControlVAE()
    expected = (0.0, 1.0)
    for kl in (0.5, 20.5, 0.1, 7.0, 3.0):
        done = controller_step(kl, 0.5, *expected)
        objective.advance(terms_of_kl(kl))
        expected = (done.integral, done.weight)
        # state is float32
        assert float(objective.integral) == pytest.approx(done.integral, abs=1e-7)
        assert float(objective.weight) == pytest.approx(done.weight, abs=1e-6)
    # by hand: errors 0, -20, .4, -6.5, -2.5 sum to -28.6, and W was never below 1
    assert float(objective.integral) == pytest.approx(0.0286, abs=1e-7)
    vae = small_vae()
    terms = objective.terms(vae, squares(), None, rng())
    applied = controller_step(terms.logs["kl"], 0.5, *expected).applied
    assert applied > 1.01
    assert terms.logs["kl_weight"] == pytest.approx(applied, abs=1e-6)
    assert terms.logs["rest"] == pytest.approx(applied * terms.logs["kl"], rel=1e-6)


@pytest.mark.parametrize(
    ("steps", "set_point"),
    [(0, 0.5), (4999, 0.5), (5000, 0.65), (12_000, 0.8), (580_000, 17.9), (585_000, 18.0), (10**6, 18.0)],
)
def test_set_point(steps, set_point):
    objective = ControlVAE()
    objective.step.fill_(steps)
    assert objective.set_point == pytest.approx(set_point, abs=1e-12)


def test_each_step_counts():
    objective = ControlVAE(start=1.0, increment=1.0, every=2, cap=2.5)
    seen = []
    for _ in range(6):
        seen.append(objective.set_point)
        objective.advance(terms_of_kl(1.0))
    assert seen == [1, 1, 2, 2, 2.5, 2.5]


# DAVA


@pytest.mark.parametrize(
    ("k", "accuracy", "after"),
    [
        (640, 0.4, 704),
        (640, 0.501, 704),
        (640, 0.502, 640),
        (640, 0.51, 640),
        (640, 0.511, 576),
        (640, 1.0, 576),
        (0, 1.0, 0),
        (32, 1.0, 0),
    ],
)
def test_k_rises_at_chance_and_falls_above(k, accuracy, after):
    assert next_k(k, accuracy) == after


@pytest.mark.parametrize("accuracy", [0.501, 0.51])
def test_boundaries_survive_single_precision(accuracy):
    objective = DAVA(1, 16, hidden=4)
    objective.k.fill_(640)
    objective.accuracy.fill_(accuracy)
    objective.advance(terms_of_kl(0.0))
    assert int(objective.k) == (704 if accuracy == 0.501 else 640)


@pytest.mark.parametrize(
    ("k", "capacity"), [(0, 0.0), (64, 4e-5), (6_400_000, 4.0), (12_800_000, 8.0), (20_000_000, 8.0)]
)
def test_capacity(k, capacity):
    objective = DAVA(1, 16, hidden=4)
    objective.k.fill_(k)
    assert objective.capacity == pytest.approx(capacity, abs=1e-12)


@pytest.mark.parametrize(
    ("accuracy", "encoder", "decoder"),
    [(0.3, 0.0, 0.0), (0.5, 0.0, 0.0), (0.505, 0.15, 0.0005), (0.51, 0.3, 0.001), (0.75, 7.5, 0.001)],
)
def test_adversarial_weights(accuracy, encoder, decoder):
    objective = DAVA(1, 16, hidden=4)
    objective.accuracy.fill_(accuracy)
    # 100 (acc - 1/2) of an accuracy in float32: 100 * 3e-8
    assert objective.adversarial_weights() == pytest.approx((encoder, decoder), abs=1e-5)


def test_capacity_term_by_hand():
    """500 (KL / d - C)^4 and nothing else at chance."""
    vae = small_vae()
    objective = small_objective("dava", vae)
    objective.k.fill_(1_600_000)  # C = 1
    terms = objective.terms(vae, squares(), None, rng())
    assert terms.logs["rest"] == pytest.approx(500 * (terms.logs["kl"] / 3 - 1) ** 4, rel=1e-5)
