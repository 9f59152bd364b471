"""A trained VAE in one safetensors file: weights, and the arguments that make the model they fit."""

from __future__ import annotations

import json
import os
from pathlib import Path

import torch
from safetensors import SafetensorError, safe_open
from safetensors.torch import save as as_bytes

from gan_topdis.vae.architectures import VAE

SETTINGS_KEY = "gan_topdis_vae"


def save(vae: VAE, path: str | os.PathLike[str]) -> None:
    """Write a model. An earlier file of the name is replaced once the new one is complete.

    Raises:
        OSError: it cannot be written.
    """
    path = Path(path)
    state = {name: tensor.detach().cpu().contiguous() for name, tensor in vae.state_dict().items()}
    content = as_bytes(state, {SETTINGS_KEY: json.dumps(vae.settings)})
    part = path.with_name(f"{path.name}.{os.getpid()}.part")
    try:
        part.write_bytes(content)
        os.replace(part, path)
    finally:
        part.unlink(missing_ok=True)


def load(path: str | os.PathLike[str], *, device: str | torch.device = "cpu") -> VAE:
    """The model that `VAE.save` wrote, in evaluation mode. Nothing in the file is executed.

    Raises:
        ValueError: no such file, a damaged one, or one whose weights do not fit its settings.
        OSError: it cannot be read.
    """
    with open(path, "rb"):
        pass  # safetensors' own errors do not tell a missing file from a damaged one
    try:
        with safe_open(path, framework="pt", device="cpu") as file:
            metadata = file.metadata() or {}
            state = {name: file.get_tensor(name) for name in file.keys()}  # noqa: SIM118  no mapping
    except SafetensorError as error:
        raise ValueError(f"{path} is no safetensors file, or a damaged one: {error}") from None
    if SETTINGS_KEY not in metadata:
        raise ValueError(f"{path} holds no VAE of gan_topdis")
    try:
        with torch.random.fork_rng(devices=[]):
            vae = VAE(**json.loads(metadata[SETTINGS_KEY]))
        vae.load_state_dict(state)
    except (TypeError, RuntimeError, ValueError) as error:
        raise ValueError(f"{path} does not fit its own settings: {str(error).splitlines()[0]}") from None
    return vae.eval().to(device)
