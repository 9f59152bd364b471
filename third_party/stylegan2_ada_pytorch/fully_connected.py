"""Dense layer with equalised learning rate."""

from __future__ import annotations

from math import sqrt

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from third_party.stylegan2_ada_pytorch.activations import activate


class FullyConnectedLayer(nn.Module):
    """act(x W^T lr / sqrt(fan_in) + b lr).

    Weights are stored with standard deviation 1 / lr and multiplied at run time, so that an optimiser
    that normalises gradients moves every layer at the rate lr.

    Args:
        in_features, out_features: widths.
        activation: name in `ACTIVATIONS`.
        lr_multiplier: lr above.
        bias_init: initial value of b lr.

    Source: arXiv:1710.10196, section 4.1 (equalised rate); arXiv:1812.04948, appendix C (lr 0.01).
    """

    weight: Tensor  # (out, in)
    bias: Tensor  # (out,)

    def __init__(
        self,
        in_features: int,
        out_features: int,
        *,
        activation: str = "linear",
        lr_multiplier: float = 1.0,
        bias_init: float = 0.0,
    ) -> None:
        super().__init__()
        self.activation = activation
        self.weight_gain = lr_multiplier / sqrt(in_features)
        self.bias_gain = lr_multiplier
        self.weight = nn.Parameter(torch.randn(out_features, in_features) / lr_multiplier)
        self.bias = nn.Parameter(torch.full((out_features,), bias_init / lr_multiplier))

    def forward(self, x: Tensor) -> Tensor:
        """(n, in) to (n, out)."""
        x = F.linear(x, self.weight * self.weight_gain, self.bias * self.bias_gain)
        return activate(x, self.activation)
