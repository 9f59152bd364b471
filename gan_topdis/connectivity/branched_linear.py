"""A linear layer in independent parts: its matrix is block diagonal."""

from __future__ import annotations

import math

import torch
from jaxtyping import Float
from torch import Tensor, nn

BLOCK_INITS = ("published", "block")


class BranchedLinear(nn.Module):
    """Branch k of the outputs is an affine map of branch k of the inputs alone.

    Features are cut into runs of equal length. Only the blocks are stored: (branches, out / branches,
    in / branches), where the authors mask a dense matrix.

    Args:
        in_features, out_features: multiples of `branches`.
        block_init: bound of the uniform start of weights and bias. `published`: 1 / sqrt(in_features), which
            the authors' dense matrix had from PyTorch; `block`: 1 / sqrt(in_features / branches), what
            PyTorch gives a layer of the true fan-in, sqrt(branches) larger.

    Raises:
        ValueError: sizes do not divide, or an unknown `block_init`.

    Source: Hofer et al., Connectivity-Optimized Representation Learning via Persistent Homology, ICML
        2019, branched linear layers of the experiments.
    """

    def __init__(
        self, in_features: int, out_features: int, branches: int, *, block_init: str = "published"
    ) -> None:
        super().__init__()
        if branches < 1:
            raise ValueError(f"branches should be at least 1, got {branches}")
        for name, size in (("in_features", in_features), ("out_features", out_features)):
            if size < 1 or size % branches:
                raise ValueError(f"{name} should be a multiple of branches ({branches}), got {size}")
        if block_init not in BLOCK_INITS:
            raise ValueError(f"block_init should be one of {', '.join(BLOCK_INITS)}, got {block_init!r}")
        self.in_features = in_features
        self.out_features = out_features
        self.branches = branches
        self.block_init = block_init
        self.weight = nn.Parameter(torch.empty(branches, out_features // branches, in_features // branches))
        self.bias = nn.Parameter(torch.empty(out_features))
        self.reset_parameters()

    def reset_parameters(self) -> None:
        """Draw weights and bias anew from torch's global generator."""
        fan_in = self.in_features if self.block_init == "published" else self.weight.shape[2]
        bound = 1 / math.sqrt(fan_in)
        nn.init.uniform_(self.weight, -bound, bound)
        nn.init.uniform_(self.bias, -bound, bound)

    def forward(self, features: Float[Tensor, "n inputs"]) -> Float[Tensor, "n outputs"]:
        """(n, in_features) to (n, out_features)."""
        if features.ndim != 2 or features.shape[1] != self.in_features:
            raise ValueError(
                f"features should have shape (n, {self.in_features}), got {tuple(features.shape)}"
            )
        parts = features.unflatten(1, (self.branches, -1))  # (n, branches, in / branches)
        return torch.einsum("nbi,boi->nbo", parts, self.weight).flatten(1) + self.bias

    def extra_repr(self) -> str:
        sizes = f"{self.in_features}, {self.out_features}, branches={self.branches}"
        return f"{sizes}, block_init={self.block_init!r}"
