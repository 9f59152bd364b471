"""Checkpoints: written whole or not at all, read without running anything in them."""

from __future__ import annotations

import os
import pickle
from typing import Any

import torch

from gan_topdis.training.whole_file import whole_file

VERSION_KEY = "gan_topdis_checkpoint"
VERSION = 1


def save_checkpoint(path: str | os.PathLike[str], state: dict[str, Any]) -> None:
    """Write tensors, numbers, strings and containers of them.

    An earlier file of the name is replaced only once the new one is complete and on the disk: an interruption
    or a full disk leaves it as it was.

    Raises:
        OSError: it cannot be written.
    """
    try:
        with whole_file(path) as file:
            torch.save({VERSION_KEY: VERSION, **state}, file)
    except RuntimeError as error:  # what torch makes of a full disk
        raise OSError(f"{path} cannot be written: {str(error).splitlines()[0]}") from error


def load_checkpoint(path: str | os.PathLike[str]) -> dict[str, Any]:
    """What `save_checkpoint` wrote, tensors on the CPU.

    Raises:
        ValueError: no checkpoint of ours, a damaged one, or one that holds more than data.
        OSError: it cannot be read.
    """
    try:
        state = torch.load(path, map_location="cpu", weights_only=True)
    except OSError:
        raise
    except (RuntimeError, pickle.UnpicklingError, EOFError, KeyError, ValueError) as error:
        raise ValueError(f"{path} is no checkpoint, or a damaged one: {str(error).splitlines()[0]}") from None
    if not isinstance(state, dict) or VERSION_KEY not in state:
        raise ValueError(f"{path} is no checkpoint of gan_topdis")
    if state.pop(VERSION_KEY) != VERSION:
        raise ValueError(f"{path} was written by another version of gan_topdis")
    return state
