"""Gradients of losses term by term, and steps made of their sums."""

from __future__ import annotations

import math
from collections.abc import Sequence

import torch
from torch import Tensor

from gan_topdis.tensors import widest_float


def gradients_of(
    loss: Tensor, parameters: Sequence[Tensor], *, keep_graph: bool = False
) -> list[Tensor | None]:
    """Gradient of a scalar by each parameter, None where it does not reach; a loss without graph has none."""
    if not loss.requires_grad:
        return [None] * len(parameters)
    return list(torch.autograd.grad(loss, parameters, retain_graph=keep_graph, allow_unused=True))


def apply_gradients(
    optimizer: torch.optim.Optimizer,
    parameters: Sequence[Tensor],
    *terms: Sequence[Tensor | None],
    clip: float | None = None,
) -> float:
    """One optimiser step along the sum of the terms; the norm of the sum before clipping.

    Args:
        terms: gradients by each parameter; a parameter that no term reaches is left alone.
        clip: largest norm of the sum over all parameters.

    Raises:
        ValueError: the sum is not finite. Parameters and optimiser are as they were.
    """
    sums: list[Tensor | None] = []
    for parts in zip(*terms, strict=True):
        present = [part for part in parts if part is not None]
        sums.append(sum(present[1:], present[0]) if present else None)
    norms = [gradient.to(widest_float(gradient.device)).norm() for gradient in sums if gradient is not None]
    norm = float(torch.stack(norms).norm()) if norms else 0.0
    if not math.isfinite(norm):
        raise ValueError("the gradient should be finite, got NaN or infinity; try a smaller learning rate")
    if clip is not None and norm > clip:
        sums = [None if gradient is None else gradient * (clip / norm) for gradient in sums]
    for parameter, gradient in zip(parameters, sums, strict=True):
        parameter.grad = gradient
    optimizer.step()
    optimizer.zero_grad(set_to_none=True)
    return norm
