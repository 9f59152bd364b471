"""Networks: shapes, ranges, published numbers of parameters, sizes that are refused."""

from __future__ import annotations

import itertools

import pytest
import torch
from torch.nn import functional as F

from gan_topdis.gan import CramerGAN
from gan_topdis.gan.draws import SAMPLES
from gan_topdis.generators.cramer_networks import UpsampledConvolution
from gan_topdis.seeding import seeded_generator


def count(module):
    return sum(parameter.numel() for parameter in module.parameters())


def test_28_pixels():
    """Parameters by hand, layer by layer, from the specification."""
    gan = CramerGAN(1, 28)
    dense = 64 * 128 + 128 + 128 * 576 + 576
    maps = 64 * 64 * 9 + 64 + 64 * 32 * 9 + 32 + 32 * 32 * 25 + 32 + 32 * 25 + 1
    assert count(gan.generator) == dense + maps == 164_449
    layers = 32 * 25 + 32 + 32 * 32 * 25 + 32 * 64 * 9 + 64 + 64 * 64 * 9 + 576 * 128 + 128 * 64
    assert count(gan.critic) == layers == 163_712
    images = gan.generator(torch.randn(3, 64))
    assert images.shape == (3, 1, 28, 28) and images.min() >= 0 and images.max() <= 1
    assert (gan.law, gan.low, gan.z_dim) == ("normal", 0.0, 64)
    assert gan.features(torch.rand(2, 1, 28, 28)).shape == (2, 64)


def test_32_pixels():
    gan = CramerGAN(3, 32)
    conv = 64 * 64 * 9 + 64
    assert count(gan.generator) == 128 * 1024 + 1024 + 3 * (3 * conv + 256) + 128 + 64 * 27 + 3 == 467_075
    widths = [3, 16, 32, 64, 128, 256]
    halvings = sum(a * b * 16 + b for a, b in itertools.pairwise(widths))
    assert count(gan.critic) == halvings + 256 * 128 + 128 == 730_480
    images = gan.generator(2 * torch.rand(3, 128) - 1)
    assert images.shape == (3, 3, 32, 32) and images.min() < 0 and images.abs().max() <= 1
    assert (gan.law, gan.low, gan.z_dim) == ("uniform", -1.0, 128)
    assert gan.features(torch.rand(2, 3, 32, 32)).shape == (2, 128)


def test_up_convolution_is_the_papers_repetition_and_shuffle(generator):
    layer = UpsampledConvolution(2)
    x = torch.randn(1, 2, 3, 3, generator=generator)
    shuffled = F.pixel_shuffle(x.repeat_interleave(4, dim=1), 2)
    torch.testing.assert_close(layer(x), layer.conv(shuffled))


@pytest.mark.parametrize("resolution", [8, 16, 64])
def test_stylegan2_at_powers_of_two(resolution):
    gan = CramerGAN(1, resolution, network="stylegan2", width=4)
    assert gan.sample(2).shape == (2, 1, resolution, resolution)
    assert gan.features(torch.rand(3, 1, resolution, resolution)).shape == (3, 128)


def test_features_of_the_logistic_critic_do_not_depend_on_the_batch():
    gan = CramerGAN(1, 8, objective="logistic", network="stylegan2", width=6).eval()
    images = torch.rand(5, 1, 8, 8)
    together = gan.features(images)
    assert together.shape == (5, 6)
    torch.testing.assert_close(together[3:4], gan.features(images[3:4]))
    assert gan.critic(2 * images - 1).shape == (5, 1)


def test_features_take_images_from_zero_to_one():
    gan = CramerGAN(3, 32)
    images = torch.rand(2, 3, 32, 32)
    assert torch.equal(gan.features(images), gan.critic(2 * images - 1))
    with pytest.raises(ValueError, match=r"should have shape \(n, 3, 32, 32\), got \(2, 3, 28, 28\)"):
        gan.features(torch.rand(2, 3, 28, 28))
    with pytest.raises(TypeError, match=r"use x.float\(\) / 255"):
        gan.features(torch.zeros(2, 3, 32, 32, dtype=torch.uint8))


def test_samples_are_in_range_and_numbered():
    gan = CramerGAN(3, 32).eval()
    images = gan.sample(5, seed=3)
    assert images.min() >= 0 and images.max() <= 1
    torch.testing.assert_close(gan.sample(2, seed=3), images[:2])
    assert not torch.equal(gan.sample(2, seed=4), images[:2])


@pytest.mark.parametrize("latent", [1, 4, 5, 16, 64])
def test_first_samples_do_not_depend_on_their_number(latent):
    """Also where a latent does not fill torch's blocks of 16 normal numbers."""
    gan = CramerGAN(1, 28, latent=latent).eval()
    shown: list[torch.Tensor] = []
    gan.generator.register_forward_pre_hook(lambda module, arguments: shown.append(arguments[0]))
    for count in (3, 7, 9, 40):
        gan.sample(count, seed=3)
    assert [len(z) for z in shown] == [3, 7, 9, 40]
    assert all(torch.equal(z, shown[-1][: len(z)]) for z in shown)
    if latent == 64:  # as they always were
        assert torch.equal(shown[0], torch.randn(3, 64, generator=seeded_generator(3, SAMPLES)))


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ((1, 20), "published networks take images of 28 or 32 pixels a side, got 20; resize them, or use"),
        ((1, 20, "stylegan2"), "should have a power of two pixels a side, from 8, got 20"),
        ((1, 4, "stylegan2"), "from 8, got 4"),
        ((1, 28, "resnet"), "network should be one of published, stylegan2, got 'resnet'"),
        ((0, 28), "should be at least 1, got 0"),
    ],
)
def test_refused(arguments, message):
    channels, resolution, *network = arguments
    with pytest.raises(ValueError, match=message):
        CramerGAN(channels, resolution, **({"network": network[0]} if network else {}))
    with pytest.raises(ValueError, match="objective should be one of cramer, logistic, got 'hinge'"):
        CramerGAN(1, 28, objective="hinge")
    with pytest.raises(ValueError, match="the logistic objective trains stylegan2"):
        CramerGAN(1, 28, objective="logistic")
