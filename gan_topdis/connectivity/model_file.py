"""A trained connectivity autoencoder in a file."""

from __future__ import annotations

import os

import torch

from gan_topdis.connectivity.connectivity_autoencoder import ConnectivityAutoencoder
from gan_topdis.training import load_model, save_model

KIND = "connectivity autoencoder"


def save(autoencoder: ConnectivityAutoencoder, path: str | os.PathLike[str]) -> None:
    """What `ConnectivityAutoencoder.save` does; errors of `training.save_model`."""
    save_model(path, autoencoder, KIND, autoencoder.settings)


def load(path: str | os.PathLike[str], *, device: str | torch.device = "cpu") -> ConnectivityAutoencoder:
    """The model that `ConnectivityAutoencoder.save` wrote, in evaluation mode; errors of
    `training.load_model`."""
    return load_model(path, KIND, ConnectivityAutoencoder, device=device)
