"""What functions share: what a distance matrix is, how a refusal is worded, where there is float64."""

from __future__ import annotations

from collections.abc import Callable
from functools import cache, wraps
from typing import Any

import torch
from torch import Tensor


def first_derivative_only(backward: Callable[..., Any]) -> Callable[..., Any]:
    """Decorates the backward of an autograd function that has no derivative itself: a graph is refused.

    torch's `once_differentiable` refuses later, and only where the incoming gradient is tracked; elsewhere
    second derivatives would silently miss a part.
    """

    @wraps(backward)
    def refusing(ctx: Any, *gradients: Tensor) -> Any:
        if torch.is_grad_enabled():
            raise RuntimeError(
                "this loss has first derivatives only; call backward or grad without create_graph=True"
            )
        return backward(ctx, *gradients)

    return refusing


def widest_float(device: torch.device) -> torch.dtype:
    """float64, or float32 on a device that has no other (Apple's MPS): what long sums are added in."""
    return torch.float64 if _has_float64(device) else torch.float32


@cache
def _has_float64(device: torch.device) -> bool:
    if device.type in ("cpu", "cuda", "mps"):
        return device.type != "mps"
    try:
        torch.zeros((), dtype=torch.float64, device=device)
    except TypeError:  # as MPS raises
        return False
    return True


def as_float64(values: Tensor) -> Tensor:
    """The values as float64, on the CPU where their device has none: for few numbers. Differentiable."""
    return (values.cpu() if widest_float(values.device) != torch.float64 else values).double()


def require_square(matrices: Tensor, name: str) -> None:
    """Refuse anything but a floating-point tensor (..., n, n) with n >= 1."""
    if not isinstance(matrices, Tensor):
        raise TypeError(f"{name} should be a torch.Tensor, got {type(matrices).__name__}")
    if not matrices.is_floating_point():
        raise TypeError(f"{name} should be floating point, got {matrices.dtype}; use .float()")
    if matrices.ndim < 2 or matrices.shape[-1] != matrices.shape[-2]:
        raise ValueError(f"{name} should have shape (..., n, n), got {tuple(matrices.shape)}")
    if matrices.shape[-1] == 0:
        raise ValueError(f"{name} should hold at least one point, got shape {tuple(matrices.shape)}")


def require_same_shape(first: Tensor, second: Tensor, names: tuple[str, str]) -> None:
    """Refuse two tensors that differ in shape, type or device."""
    if first.shape != second.shape:
        raise ValueError(
            f"{names[0]} and {names[1]} should have the same shape, "
            f"got {tuple(first.shape)} and {tuple(second.shape)}"
        )
    if first.dtype != second.dtype or first.device != second.device:
        raise ValueError(
            f"{names[0]} and {names[1]} should have the same type and device, "
            f"got {first.dtype} on {first.device} and {second.dtype} on {second.device}"
        )
