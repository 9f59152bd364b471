"""A trained GAN in a file, and its generator in another."""

from __future__ import annotations

import os

import torch

from gan_topdis.gan.cramer_gan import CramerGAN
from gan_topdis.generators.cramer_gan_file import SETTINGS_KEY, generator_settings
from gan_topdis.generators.cramer_networks import Generator28, Generator32
from gan_topdis.generators.stylegan2_file import save_stylegan2
from gan_topdis.training import load_model, save_model

KIND = "GAN"


def save(gan: CramerGAN, path: str | os.PathLike[str]) -> None:
    """What `CramerGAN.save` does; errors of `training.save_model`."""
    save_model(path, gan, KIND, gan.settings)


def load(path: str | os.PathLike[str], *, device: str | torch.device = "cpu") -> CramerGAN:
    """The model that `CramerGAN.save` wrote, in evaluation mode; errors of `training.load_model`."""
    return load_model(path, KIND, CramerGAN, device=device)


def save_generator(gan: CramerGAN, path: str | os.PathLike[str]) -> None:
    """What `CramerGAN.save_generator` does."""
    network = gan.generator
    if isinstance(network, Generator28 | Generator32):
        save_model(path, network, SETTINGS_KEY, generator_settings(network))
    else:
        save_stylegan2(network, path, notes={"objective": gan.objective})  # type: ignore[arg-type]
