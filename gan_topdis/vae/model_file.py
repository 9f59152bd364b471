"""A trained VAE in a file."""

from __future__ import annotations

import os

import torch

from gan_topdis.training import load_model, save_model
from gan_topdis.vae.architectures import VAE

KIND = "VAE"


def save(vae: VAE, path: str | os.PathLike[str]) -> None:
    """What `VAE.save` does; errors of `training.save_model`."""
    save_model(path, vae, KIND, vae.settings)


def load(path: str | os.PathLike[str], *, device: str | torch.device = "cpu") -> VAE:
    """The model that `VAE.save` wrote, in evaluation mode; errors of `training.load_model`."""
    return load_model(path, KIND, VAE, device=device)
