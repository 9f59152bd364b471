"""Gradient penalty, logistic losses, R1 and path lengths against hand computations."""

from __future__ import annotations

import math

import pytest
import torch
from small_gans import tiny_stylegan2

from gan_topdis.gan.gradient_penalty import cramer_gradient_penalty
from gan_topdis.gan.logistic_losses import (
    critic_logistic_loss,
    generator_logistic_loss,
    path_lengths,
    r1_penalty,
)
from gan_topdis.generators.stylegan2_training import mixed_latents


def normal(*shape, generator):
    return torch.randn(*shape, generator=generator, dtype=torch.float64)


def test_gradient_penalty_of_a_linear_critic(generator):
    """d(x) = W x: grad f = W^T (u - v), u and v the unit vectors from y1 and x1 to W x."""
    weight = normal(3, 8, generator=generator)
    real, generated = normal(5, 2, 2, 2, generator=generator), normal(5, 2, 2, 2, generator=generator)
    x1, y1 = normal(5, 3, generator=generator), normal(5, 3, generator=generator)
    shares = torch.rand(5, generator=generator, dtype=torch.float64)

    got = cramer_gradient_penalty(lambda x: x.flatten(1) @ weight.T, real, generated, x1, y1, shares).detach()

    total = 0.0
    for i in range(5):
        point = weight @ (shares[i] * real[i] + (1 - shares[i]) * generated[i]).flatten()
        u, v = (point - y1[i]) / (point - y1[i]).norm(), (point - x1[i]) / (point - x1[i]).norm()
        total += float((weight.T @ (u - v)).norm() - 1) ** 2
    # float32: latents are taken in single precision whatever the networks compute in
    assert float(got) == pytest.approx(total / 5, rel=1e-5)
    assert float(got) != pytest.approx(total / 5 + 0.01, rel=1e-5)


def test_gradient_penalty_reaches_the_critic_and_not_the_images(generator):
    weight = torch.randn(3, 4, generator=generator, requires_grad=True)
    images = torch.randn(4, 1, 2, 2, generator=generator, requires_grad=True)
    latents = images.flatten(1) @ weight.T
    penalty = cramer_gradient_penalty(
        lambda x: x.flatten(1) @ weight.T,
        images[:2],
        images[2:],
        latents[:2].detach(),
        latents[2:].detach(),
        torch.rand(2, generator=generator),
    )
    by_weight, by_images = torch.autograd.grad(penalty, [weight, images], allow_unused=True)
    assert by_images is None and by_weight.abs().sum() > 0


def test_gradient_penalty_where_the_slope_is_zero():
    """A constant critic: |0 - 1|^2 = 1, and no NaN in the gradient."""
    weight = torch.zeros(3, 4, requires_grad=True)
    images = torch.ones(2, 1, 2, 2)
    latents = torch.ones(2, 3)
    value = cramer_gradient_penalty(
        lambda x: x.flatten(1) @ weight.T, images, images, latents, latents, torch.full((2,), 0.5)
    )
    assert value.item() == 1
    (gradient,) = torch.autograd.grad(value, weight)
    assert torch.isfinite(gradient).all()


def test_logistic_losses_by_hand():
    real, generated = torch.tensor([[0.0], [2.0]]), torch.tensor([[-1.0], [0.0]])
    soft = lambda x: math.log(1 + math.exp(x))  # noqa: E731
    assert float(generator_logistic_loss(generated)) == pytest.approx((soft(1) + soft(0)) / 2)
    assert float(critic_logistic_loss(real, generated)) == pytest.approx(
        (soft(0) + soft(-2)) / 2 + (soft(-1) + soft(0)) / 2
    )
    zero = torch.zeros(4, 1)
    assert float(critic_logistic_loss(zero, zero)) == pytest.approx(2 * math.log(2))


def test_r1_of_a_linear_critic_is_its_squared_norm():
    weight = torch.tensor([1.0, -2.0, 3.0, 0.5])
    images = torch.randn(3, 1, 2, 2, requires_grad=True)
    penalty = r1_penalty(images.flatten(1) @ weight[:, None], images)
    assert penalty.item() == pytest.approx(14.25)


def test_path_lengths_of_a_linear_generator(generator):
    """image = sum over positions of J_k w_k: |J_k^T y|^2 averaged over k, y = noise / sqrt(4)."""
    jacobians = normal(3, 4, 5, generator=generator)  # (positions, pixels, d)
    ws = normal(2, 3, 5, generator=generator).requires_grad_()
    images = torch.einsum("kpd,nkd->np", jacobians, ws).view(2, 1, 2, 2)
    noise = normal(2, 1, 2, 2, generator=generator)
    got = path_lengths(images, ws, noise)
    for i in range(2):
        y = noise[i].flatten() / 2
        expected = math.sqrt(sum(float((jacobians[k].T @ y).square().sum()) for k in range(3)) / 3)
        assert got[i].item() == pytest.approx(expected, rel=1e-12)


def test_mixing_takes_the_second_latent_from_the_cut_on():
    network = tiny_stylegan2("logistic").generator
    z, other = torch.randn(2, 3, 4)
    network.eval()
    mixed = mixed_latents(network, z, other, torch.tensor([[1], [3], [network.num_ws]]))
    first, second = network.mapping(z), network.mapping(other)
    for row, cut in enumerate((1, 3, network.num_ws)):
        assert torch.equal(mixed[row, :cut], first[row, :cut])
        assert torch.equal(mixed[row, cut:], second[row, cut:])
