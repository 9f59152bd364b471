"""Steps of both objectives: losses recomputed by hand, the schedule, the average of weights."""

from __future__ import annotations

import copy

import pytest
import torch
from small_gans import BATCH, CPU, copies, cramer_task, logistic_task, some_images, tiny_stylegan2

from gan_topdis.gan import CramerGAN, fresh_scenes
from gan_topdis.gan.draws import INTERPOLATES, LATENTS, MIXING, NOISE_MAPS, PPM_TUPLES, global_noise
from gan_topdis.gan.logistic_losses import critic_logistic_loss, generator_logistic_loss, r1_penalty
from gan_topdis.gan.real_images import real_images
from gan_topdis.gan.weight_average import average_decay, update_average
from gan_topdis.generators.scenes import render
from gan_topdis.seeding import seeded_generator


def changed(before, parameters):
    return [not torch.equal(a, b) for a, b in zip(before, parameters, strict=True)]


PPM_WEIGHT = 1e4
"""Untrained, T is 1e-5: a published weight would not show in the sign of any gradient."""


@pytest.fixture
def task():
    torch.manual_seed(0)
    return cramer_task(CramerGAN(1, 28), some_images(24, 1, 28), ppm_weight=PPM_WEIGHT, critic_steps=2)


def test_two_steps_of_the_critic_then_one_of_the_generator(task):
    for number in range(6):
        generator, critic = (copies(m.parameters()) for m in (task.generator, task.critic))
        task.step(number, log_due=False)
        turn = number % 3 == 2
        assert all(changed(generator, task.generator.parameters())) is turn
        assert any(changed(generator, task.generator.parameters())) is turn
        assert all(changed(critic, task.critic.parameters())) is not turn


def by_hand(task, number, *, real_constant=False):
    """The losses of the specification, written out.

    Args:
        real_constant: of PPM-Reg alone: whether latents of real images get no gradient.
    """
    real = task.images(number)
    z = torch.randn(BATCH, 64, generator=seeded_generator(0, LATENTS, number, 0))
    generated = task.generator(z)
    x, y = task.critic(real), task.critic(generated)
    x0, x1, y0, y1 = x[:4], x[4:], y[:4], y[4:]
    norm = lambda a: (a**2).sum(1).sqrt()  # noqa: E731
    gain = (norm(x0 - y1) - norm(x0 - x1) - norm(y0 - y1) + norm(y0 - x1)).mean()
    loss = (norm(x0 - y0) - norm(y0 - y1) + norm(x0 - y1)).mean()
    share = torch.rand(4, generator=seeded_generator(0, INTERPOLATES, number, 0))[:, None, None, None]
    between = (share * real[:4] + (1 - share) * generated[:4]).detach().requires_grad_()
    d = task.critic(between)
    (slope,) = torch.autograd.grad((norm(d - y1) - norm(d - x1)).sum(), between, create_graph=True)
    penalty = ((slope.flatten(1).norm(dim=1) - 1) ** 2).mean()
    compared = x.detach() if real_constant else x
    ppm = task.ppm(compared, y, generator=seeded_generator(0, PPM_TUPLES, number, 0))
    return gain, loss, penalty, ppm


def share_that_followed(before, after, gradients):
    """Share of weights that made the first step of Adam down these gradients: -rate g / (|g| + 1e-8).

    Of entries that rounding of the gradient does not reach.
    """
    followed = []
    for old, new, gradient in zip(before, after, gradients, strict=True):
        clear = gradient.abs() > 1e-2 * gradient.abs().max()
        expected = -1e-4 * gradient / (gradient.abs() + 1e-8)
        # weights near 0.1 are rounded to 1e-8
        followed.append(torch.isclose(new.detach() - old, expected, rtol=0.01, atol=2e-7)[clear])
    return torch.cat(followed).double().mean().item()


def test_a_critic_step_minimises_penalty_minus_distance_minus_ppm(task):
    gain, _, penalty, ppm = by_hand(task, 0)
    half_moving = by_hand(task, 0, real_constant=True)[3]
    parameters = list(task.critic.parameters())
    right, *wrong = (
        torch.autograd.grad(10 * penalty - gain - PPM_WEIGHT * term, parameters, retain_graph=True)
        for term in (ppm, -ppm, 0 * ppm, half_moving)
    )
    before = copies(parameters)
    logs = task.step(0, log_due=True)
    assert logs["cramer"] == pytest.approx(gain.item(), rel=1e-4)
    assert logs["gradient_penalty"] == pytest.approx(penalty.item(), rel=1e-4)
    assert logs["ppm_critic"] == pytest.approx(ppm.item(), rel=1e-3) and ppm.item() > 0
    assert logs["generator_loss"] != logs["generator_loss"]  # not trained yet
    assert share_that_followed(before, parameters, right) == 1
    # of the other sign, left out, constant in the real latents
    assert [share_that_followed(before, parameters, gradients) < 0.8 for gradients in wrong] == [True] * 3


def test_a_generator_step_minimises_distance_plus_ppm(task):
    _, loss, _, ppm = by_hand(task, 2)
    parameters = list(task.generator.parameters())
    right, *wrong = (
        torch.autograd.grad(loss + factor * ppm, parameters, retain_graph=True)
        for factor in (PPM_WEIGHT, -PPM_WEIGHT, 0)
    )
    before = copies(parameters)
    logs = task.step(2, log_due=True)
    assert logs["generator_loss"] == pytest.approx(loss.item(), rel=1e-4)
    assert logs["ppm_generator"] == pytest.approx(ppm.item(), rel=1e-3)
    assert share_that_followed(before, parameters, right) == 1
    assert [share_that_followed(before, parameters, gradients) < 0.8 for gradients in wrong] == [True] * 2


def test_adam_has_the_published_settings(task):
    (generator,) = task._generator_optimizer.param_groups
    (critic,) = task._critic_optimizer.param_groups
    assert (generator["lr"], generator["betas"]) == (1e-4, (0.0, 0.99))
    assert (critic["lr"], critic["betas"]) == (1e-4, (0.5, 0.99))


def test_between_logs_nothing_is_told_and_without_weight_nothing_of_ppm():
    task = cramer_task(CramerGAN(1, 28), some_images(8, 1, 28))
    assert task.step(0, log_due=False) == {}
    assert set(task.step(1, log_due=True)) == {"cramer", "gradient_penalty", "generator_loss"}


def test_batch_norm_stays_in_training_mode_and_the_average_out_of_it():
    task = cramer_task(CramerGAN(3, 32), some_images(8, 3, 32), critic_steps=0)
    assert task.generator.training and not task.average.training
    task.step(0, log_due=False)
    assert task.generator.dense.weight.requires_grad and not task.average.dense.weight.requires_grad
    norm = task.generator.to_image[0]
    assert norm.num_batches_tracked == 1 and torch.equal(
        norm.running_mean, task.average.to_image[0].running_mean
    )


def test_average_of_weights_by_hand():
    """One weight 0, 1, 2 with decay 1/2 and 1/4: 0.5, then 0.25 x 0.5 + 0.75 x 2 = 1.625."""
    average, network = torch.nn.Linear(1, 1, bias=False), torch.nn.Linear(1, 1, bias=False)
    average.register_buffer("seen", torch.zeros(()))
    network.register_buffer("seen", torch.ones(()))
    torch.nn.init.zeros_(average.weight)
    for value, decay, expected in ((1.0, 0.5, 0.5), (2.0, 0.25, 1.625)):
        torch.nn.init.constant_(network.weight, value)
        update_average(average, network, decay)
        assert average.weight.item() == expected
    assert float(average.seen) == 1


def test_half_life_of_the_average():
    assert average_decay(100, 1_000_000, 100.0) == 0.5  # an update of a half-life of images
    assert average_decay(50, 1_000_000, 100.0) == pytest.approx(0.5**0.5)
    assert average_decay(10, 400, 1000.0) == pytest.approx(0.5 ** (10 / 20))  # 5 % of what was shown
    assert average_decay(10, 0, 1000.0) == 0  # the first update is taken as it is
    assert average_decay(10, 1000, 0.0) == 0


def test_the_average_in_a_run_follows_the_decays():
    torch.manual_seed(0)
    task = cramer_task(CramerGAN(1, 28), some_images(24, 1, 28), critic_steps=0, average_images=10.0)
    expected = None
    for number in range(3):
        task.step(number, log_due=False)
        weight = task.generator.dense[0].weight.detach().clone()
        decay = average_decay(BATCH, number * BATCH, 10.0)
        expected = weight if expected is None else decay * expected + (1 - decay) * weight
    torch.testing.assert_close(task.average.dense[0].weight, expected)
    assert torch.equal(task.gan.generator.dense[0].weight, task.average.dense[0].weight)


# --- logistic ---


def stylegan2_images(task, number, part):
    """The latents of one of the three batches of a step, mixed by hand."""
    rng = seeded_generator(0, LATENTS, number, 0, part)
    z, other = (torch.randn(BATCH, 4, generator=rng) for _ in range(2))
    rng = seeded_generator(0, MIXING, number, 0, part)
    cut = torch.randint(1, 4, (BATCH, 1), generator=rng)
    cut[~(torch.rand(BATCH, 1, generator=rng) < 0.9)] = 4
    network = copy.deepcopy(task.generator)
    first, second = network.mapping(z), network.mapping(other)
    ws = torch.stack(
        [first[i] if c == 4 else torch.cat([first[i, :c], second[i, c:]]) for i, c in enumerate(cut)]
    )
    with global_noise(0, NOISE_MAPS, number, 0, part, device=torch.device("cpu")):
        return network.synthesis(ws)


def test_a_logistic_step_by_hand():
    """Losses of both networks at step 1 (no regulariser) and R1 at step 0."""
    task = logistic_task(tiny_stylegan2("logistic"), some_images(16, 3, 8))
    loss = generator_logistic_loss(task.critic(stylegan2_images(task, 1, 0)))
    logs = task.step(1, log_due=True)
    assert logs["generator_loss"] == pytest.approx(loss.item(), rel=1e-5)
    assert logs["path_mean"] == 0 and logs["r1"] != logs["r1"]

    task = logistic_task(tiny_stylegan2("logistic"), some_images(16, 3, 8), path_interval=100)
    critic = copy.deepcopy(task.critic)
    logs = task.step(0, log_due=True)  # the generator first, then the critic on its new images
    real = (2 * task.images(0) - 1).requires_grad_()
    on_real, on_generated = critic(real), critic(stylegan2_images(task, 0, 1))
    loss, penalty = critic_logistic_loss(on_real, on_generated), r1_penalty(on_real, real)
    assert logs["critic_loss"] == pytest.approx(loss.item(), rel=1e-5)
    assert logs["r1"] == pytest.approx(penalty.item(), rel=1e-4)
    assert logs["real_sign"] == pytest.approx(on_real.sign().mean().item())


def test_regularisers_come_at_their_intervals():
    task = logistic_task(tiny_stylegan2("logistic"), some_images(16, 3, 8), path_interval=2, r1_interval=3)
    paths, r1 = [], []
    for number in range(6):
        logs = task.step(number, log_due=True)
        paths.append(logs["path_mean"])
        r1.append(logs["r1"])
    assert [a != b for a, b in zip([0.0, *paths], paths, strict=False)] == [True, False] * 3
    assert r1[0] == r1[1] == r1[2] != r1[3] == r1[5]


def test_lazy_regularisation_scales_rates_and_betas():
    """Interval k: rate c = k / (k + 1) of it, betas 0 and 0.99^c (arXiv:1912.04958, appendix B)."""
    task = logistic_task(tiny_stylegan2("logistic"), some_images(16, 3, 8))
    for optimizer, c in ((task._generator_optimizer, 8 / 9), (task._critic_optimizer, 16 / 17)):
        (group,) = optimizer.param_groups
        assert group["lr"] == pytest.approx(0.0025 * c)
        assert group["betas"] == pytest.approx((0.0, 0.99**c))


def test_fresh_scenes_are_functions_of_the_step():
    source = fresh_scenes(16)
    images = real_images(source, 6, 5, CPU)
    first = images(3)
    assert first.shape == (6, 3, 16, 16) and first.min() >= 0 and first.max() <= 1
    assert torch.equal(images(3), first) and not torch.equal(images(4), first)
    factors = torch.rand(6, 6, generator=torch.Generator().manual_seed(1))
    drawn = source.draw(6, torch.Generator().manual_seed(1))
    torch.testing.assert_close(2 * drawn - 1, render(factors, 16), atol=1e-6, rtol=0)
