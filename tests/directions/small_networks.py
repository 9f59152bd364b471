"""Generators with random weights, as small as their families allow."""

from __future__ import annotations

from math import pi

import torch
from torch import nn

from gan_topdis.generators import Generator, from_callable
from gan_topdis.generators.dcgan import Chain, SequentialGenerator
from gan_topdis.generators.stylegan2_ada import StyleGAN2ADAGenerator
from gan_topdis.seeding import seeded_generator
from third_party import stylegan2_ada_pytorch as stylegan2


def stylegan2_network(
    *,
    resolution: int = 16,
    w_dim: int = 6,
    channels: tuple[int, ...] = (6, 5, 4),
    mapping_layers: int = 2,
    seed: int = 0,
) -> StyleGAN2ADAGenerator:
    """Random weights; the mean latent is off centre, as in trained networks."""
    with torch.random.fork_rng():
        torch.manual_seed(seed)
        network = stylegan2.Generator(
            stylegan2.GeneratorConfiguration(
                z_dim=w_dim,
                c_dim=0,
                w_dim=w_dim,
                img_resolution=resolution,
                img_channels=3,
                mapping=stylegan2.MappingConfiguration(num_layers=mapping_layers),
                synthesis=stylegan2.SynthesisConfiguration(channels=channels),
            )
        )
        network.mapping.w_avg.normal_(std=0.3)
    return StyleGAN2ADAGenerator(network, name="random weights", device=torch.device("cpu"))


def dcgan_network() -> SequentialGenerator:
    """z of 6 to 8 x 8 pixels in two layers."""
    with torch.random.fork_rng():
        torch.manual_seed(0)
        network = nn.Sequential()
        network.add_module("image", nn.Unflatten(1, (-1, 1, 1)))
        network.add_module("layer0", nn.ConvTranspose2d(6, 5, 4, 1, 0))
        network.add_module("norm0", nn.BatchNorm2d(5))
        network.add_module("relu0", nn.ReLU())
        network.add_module("layer1", nn.ConvTranspose2d(5, 3, 4, 2, 1))
        network.add_module("tanh", nn.Tanh())
    chain = Chain("dcgan", ({}, {}), ({},), (8, 8), 3)
    return SequentialGenerator(network, chain, name="dcgan", device=torch.device("cpu"))


def planes(scale: float = 1.0) -> Generator:
    """Test 15 of the TopDis notes: z0 turns six planes by whole multiples of 2 pi Phi(z0), so that its
    quantile shift is a rotation; z1 and z2 change the radii; z3 does nothing."""
    turns = torch.tensor([1.0, 1, 2, 2, 3, 1])
    mix = torch.randn(2, 6, generator=seeded_generator(4))

    def synthesize(z):
        radius = 1.5 + torch.tanh(z[:, 1:3] @ mix)  # (n, 6)
        angle = 2 * pi * turns * torch.special.ndtr(z[:, :1].double())
        pair = torch.stack([radius * torch.cos(angle), radius * torch.sin(angle)], dim=1)  # (n, 2, 6)
        return scale * pair.float()[:, None]

    return from_callable(synthesize, 4, name="planes")


def separate_pixels(gains: list[float]) -> Generator:
    """Coordinate i moves pixel i alone, over a range of gains[i]: the axes are the factors, and also the
    principal axes of the effect."""
    range_of = torch.tensor(gains)
    return from_callable(
        lambda z: (range_of * (torch.special.ndtr(z) - 0.5))[:, None, None, :], len(gains), name="pixels"
    )
