"""Checks of single settings, in the spelling of the command line."""

from __future__ import annotations

import math
from collections.abc import Sequence

# Spelled out here, since the modules that own them import torch; tests hold them equal.
NOISE_MODES = ("const", "random", "none")
DEVICES = ("auto", "cpu", "cuda", "mps")
METHODS = (
    "topdis",
    "topdis-plain",
    "topdis-joint",
    "ganspace",
    "ganspace-features",
    "sefa",
    "jacobian",
    "random",
)
STARTING_METHODS = ("ganspace", "ganspace-features", "sefa", "jacobian", "random")
MEDIA = ("png", "gif")


def require_at_least(option: str, value: float, least: float) -> None:
    """Raises: ValueError: the value is below `least`, or not finite."""
    if not (math.isfinite(value) and value >= least):
        raise ValueError(f"{option} should be at least {least}, got {value}")


def require_above(option: str, value: float, bound: float) -> None:
    """Raises: ValueError: the value is not above `bound`, or not finite."""
    if not (math.isfinite(value) and value > bound):
        raise ValueError(f"{option} should be greater than {bound}, got {value}")


def require_one_of(option: str, value: str, choices: Sequence[str]) -> None:
    """Raises: ValueError: the value is not among the choices."""
    if value not in choices:
        raise ValueError(f"{option} should be one of {', '.join(choices)}, got {value!r}")


def require_picture_settings(
    *,
    seeds: Sequence[int],
    trunc: float,
    trunc_cutoff: int | None,
    class_index: int | None,
    noise_mode: str,
    max_strength: float,
    steps: int,
    max_batch: int | None,
    device: str,
) -> None:
    """Checks of what `discover` and `traverse` have in common.

    Raises:
        ValueError: a setting is out of its range.
    """
    if not seeds:
        raise ValueError("seeds should name at least one picture, got none")
    for seed in seeds:
        if not 0 <= seed < 2**32:
            raise ValueError(f"seeds should be in 0 .. {2**32 - 1}, got {seed}")
    if not math.isfinite(trunc):
        raise ValueError(f"trunc should be finite, got {trunc}")
    if trunc_cutoff is not None:
        require_at_least("trunc-cutoff", trunc_cutoff, 0)
    if class_index is not None:
        require_at_least("class", class_index, 0)
    require_one_of("noise-mode", noise_mode, NOISE_MODES)
    require_above("max-strength", max_strength, 0)
    if steps < 3 or steps % 2 == 0:
        raise ValueError(f"steps should be odd and at least 3, so that strength 0 is shown, got {steps}")
    if max_batch is not None:
        require_at_least("max-batch", max_batch, 1)
    require_one_of("device", device.partition(":")[0], DEVICES)
