"""A gradient without its part against another: TopDis must not undo the reconstruction.

Source: Balabin et al., Disentanglement Learning via Topology, arXiv:2308.12696, gradient orthogonalisation.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import torch
from torch import Tensor

from gan_topdis.tensors import widest_float

Gradients = Sequence[Tensor | None]
"""One per parameter, in one order; None where a loss does not reach the parameter."""


@dataclass(frozen=True)
class Orthogonalised:
    """Attributes: the gradients, None where neither loss reaches; inner products before and after."""

    gradients: tuple[Tensor | None, ...]
    inner_before: float
    inner_after: float


def orthogonalise(gradients: Gradients, reference: Gradients) -> Orthogonalised:
    """g - (<g, r> / <r, r>) r where <g, r> < 0, else g: over all parameters as one vector.

    Args:
        gradients: g, of the topological term.
        reference: r, of the reconstruction; parameters in the same order, shapes alike.

    Returns:
        g as it was, the very tensors, where it does not work against r or r is 0. Afterwards <g, r> is 0 up
        to rounding. Inner products are summed in float64.

    Raises:
        ValueError: lists or shapes differ.
    """
    if len(gradients) != len(reference):
        raise ValueError(
            "gradients and reference should be of the same parameters, "
            f"got {len(gradients)} and {len(reference)}"
        )
    for number, (g, r) in enumerate(zip(gradients, reference, strict=True)):
        if g is not None and r is not None and g.shape != r.shape:
            raise ValueError(
                f"gradients of parameter {number} should have one shape, "
                f"got {tuple(g.shape)} and {tuple(r.shape)}"
            )
    inner = _inner(gradients, reference)
    length = _inner(reference, reference)
    if inner >= 0 or length == 0:
        return Orthogonalised(tuple(gradients), inner, inner)
    factor = inner / length
    with torch.no_grad():
        result = tuple(
            g if r is None else (-factor * r if g is None else g - factor * r)
            for g, r in zip(gradients, reference, strict=True)
        )
    return Orthogonalised(result, inner, _inner(result, reference))


def _inner(a: Gradients, b: Gradients) -> float:
    products = [
        (x.detach().to(widest_float(x.device)) * y.detach().to(widest_float(y.device))).sum()
        for x, y in zip(a, b, strict=True)
        if x is not None and y is not None
    ]
    return float(torch.stack(products).sum()) if products else 0.0  # one transfer from a device
