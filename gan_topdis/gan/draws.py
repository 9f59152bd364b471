"""Random numbers of a step: functions of seed, purpose, step and process, whatever was drawn before."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

import torch
from jaxtyping import Float
from torch import Tensor

from gan_topdis.seeding import seeded_generator

# What random generators are for: numbers that seed them beside the user's seed
INITIAL_WEIGHTS = 0
LATENTS, PPM_TUPLES, INTERPOLATES, FRESH_IMAGES, NOISE_MAPS, MIXING, PATHS, SAMPLES = range(1, 9)


def draw_latents(law: str, count: int, size: int, generator: torch.Generator) -> Float[Tensor, "n d"]:
    """z on the CPU: `normal` is N(0, I), `uniform` on [-1, 1]."""
    if law == "normal":
        return torch.randn(count, size, generator=generator)
    assert law == "uniform", law
    return 2 * torch.rand(count, size, generator=generator) - 1


def to_device(tensor: Tensor, device: torch.device) -> Tensor:
    """The tensor on a device, without waiting for what is still computed there."""
    if device.type != "cuda" or tensor.device.type != "cpu":
        return tensor.to(device)
    return tensor.pin_memory().to(device, non_blocking=True)


@contextmanager
def global_noise(seed: int, *purpose: int, device: torch.device) -> Iterator[None]:
    """Inside, torch's global generators start from a seed; outside they are as they were.

    StyleGAN2 draws the noise of its layers from them.
    """
    with torch.random.fork_rng(devices=[device] if device.type == "cuda" else []):
        torch.manual_seed(seeded_generator(seed, *purpose).initial_seed() % 2**63)
        yield
