"""Activation functions, each with the gain that keeps the second moment of features near 1."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from math import sqrt

import torch
from torch import Tensor
from torch.nn import functional as F


@dataclass(frozen=True)
class Activation:
    """A function of features and the factor that follows it."""

    function: Callable[[Tensor], Tensor]
    gain: float


ACTIVATIONS: dict[str, Activation] = {
    "linear": Activation(lambda x: x, 1.0),
    "relu": Activation(torch.relu, sqrt(2.0)),
    "lrelu": Activation(lambda x: F.leaky_relu(x, 0.2), sqrt(2.0)),
    "tanh": Activation(torch.tanh, 1.0),
    "sigmoid": Activation(torch.sigmoid, 1.0),
    "elu": Activation(F.elu, 1.0),
    "selu": Activation(F.selu, 1.0),
    "softplus": Activation(F.softplus, 1.0),
    "swish": Activation(F.silu, sqrt(2.0)),
}


def activate(x: Tensor, name: str, *, gain: float = 1.0, clamp: float | None = None) -> Tensor:
    """act(x) * act gain * `gain`, clamped to +-(clamp * gain).

    Args:
        x: any shape.
        name: key of `ACTIVATIONS`.
        gain: factor on top of the activation's own; it scales the clamp too.
        clamp: bound before `gain`; None: no clamp.

    Gradient: torch's; 0 where clamped.
    """
    activation = ACTIVATIONS[name]
    x = activation.function(x)
    factor = activation.gain * gain
    if factor != 1.0:
        x = x * factor
    if clamp is not None:
        x = x.clamp(-clamp * gain, clamp * gain)
    return x
