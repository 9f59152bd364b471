"""A trained model in one safetensors file: weights, and the arguments that make the model they fit."""

from __future__ import annotations

import json
import os
from collections.abc import Callable, Mapping
from typing import Any, TypeVar

import torch
from safetensors import SafetensorError, safe_open
from safetensors.torch import save as as_bytes
from torch import nn

from gan_topdis.training.whole_file import whole_file

Model = TypeVar("Model", bound=nn.Module)


def save_model(
    path: str | os.PathLike[str], model: nn.Module, kind: str, settings: Mapping[str, Any]
) -> None:
    """Write weights and settings. An earlier file of the name is replaced once the new one is complete.

    Args:
        kind: what the file says it holds; `load_model` asks for it.
        settings: plain values that make the untrained model.

    Raises:
        OSError: it cannot be written.
    """
    state = {name: tensor.detach().cpu().contiguous() for name, tensor in model.state_dict().items()}
    content = as_bytes(state, {kind: json.dumps(dict(settings))})
    with whole_file(path) as file:
        file.write(content)


def load_model(
    path: str | os.PathLike[str], kind: str, make: Callable[..., Model], *, device: str | torch.device
) -> Model:
    """The model that `save_model` wrote, in evaluation mode. Nothing in the file is executed.

    Args:
        make: settings to an untrained model.

    Raises:
        ValueError: not a file of this kind, a damaged one, or one whose weights do not fit its settings.
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
    if kind not in metadata:
        raise ValueError(f"{path} holds no {kind} of gan_topdis")
    try:
        with torch.random.fork_rng(devices=[]):
            model = make(**json.loads(metadata[kind]))
        model.load_state_dict(state)
    except (TypeError, RuntimeError, ValueError) as error:
        raise ValueError(f"{path} does not fit its own settings: {str(error).splitlines()[0]}") from None
    return model.eval().to(device)
