"""Which kernels compute on a tensor: the compiled ones of the CPU, or Triton's on the GPU it lives on.

Why Triton: every CUDA build of torch brings it, so that a GPU needs no package, compiler or toolkit beyond
torch itself (numba-cuda would be one more package, tied to a CUDA toolkit), and its interpreter runs the
kernels on CPU tensors, so that tests of `*_triton.py` need no GPU. Those files say what was checked where.
"""

from __future__ import annotations

import logging
import os
from importlib.util import find_spec
from typing import Literal

import torch
from torch import Tensor

_log = logging.getLogger(__name__)

VARIABLE = "GAN_TOPDIS_KERNELS"
"""Environment variable: `auto` (also when unset), or `cpu`, which forbids Triton."""

CHOICES = ("auto", "cpu")

_said: set[tuple[str, str]] = set()


def kernels_for(tensor: Tensor, *, choice: str | None = None) -> Literal["cpu", "triton"]:
    """The family of kernels for a tensor, by its device.

    CPU tensors are computed by the compiled CPU kernels, CUDA tensors by Triton. Where a tensor on another
    device has to go to the CPU and back, a warning is logged once per device and reason.

    Args:
        choice: `auto` or `cpu`; by default what $GAN_TOPDIS_KERNELS says, else `auto`.

    Returns:
        "triton" for a CUDA tensor, if Triton is installed and not forbidden; "cpu" otherwise.

    Raises:
        ValueError: the choice is unknown.
    """
    given = os.environ.get(VARIABLE, "auto") if choice is None else choice
    if given not in CHOICES:
        name = VARIABLE if choice is None else "choice"
        raise ValueError(f"{name} should be one of {', '.join(CHOICES)}, got {given!r}")
    return _kernels_on(tensor.device, given)


def _kernels_on(device: torch.device, choice: str) -> Literal["cpu", "triton"]:
    if device.type == "cpu":
        return "cpu"
    if device.type != "cuda":
        reason = f"there are no kernels for {device.type}"
    elif choice == "cpu":
        reason = f"Triton is forbidden, by {VARIABLE}=cpu or by an argument"
    elif find_spec("triton") is None:
        reason = "Triton is not installed; CUDA builds of torch bring it on Linux"
    else:
        return "triton"
    say_cpu(device, reason)
    return "cpu"


def say_cpu(device: torch.device, reason: str) -> None:
    """Log that tensors on a device go to the CPU, once per device and reason; nothing for the CPU itself."""
    if device.type != "cpu" and (str(device), reason) not in _said:
        _said.add((str(device), reason))
        _log.warning("persistence of tensors on %s is computed on the CPU: %s", device, reason)
