"""Connectivity loss: every edge of the minimum spanning tree of a batch should have one length."""

from __future__ import annotations

import math
from dataclasses import dataclass
from types import ModuleType

import numpy as np
import torch
from jaxtyping import Float
from torch import Tensor, nn

from gan_topdis.persistence.compiled import load_kernels
from gan_topdis.persistence.devices import kernels_for
from gan_topdis.persistence.h0 import l1_tree_edges

OVER_BRANCHES = ("mean", "sum")


@dataclass(frozen=True)
class Connectivity:
    """What a batch looks like to the loss: numbers to log, one a branch, detached.

    Branches of a single point have no deaths: `nan` throughout.

    Attributes:
        smallest: alpha, the smallest death and the smallest distance of two points.
        mean: eps-bar, the mean death.
        largest: beta; balls of this diameter around the points are connected.
    """

    smallest: Float[Tensor, " branches"]
    mean: Float[Tensor, " branches"]
    largest: Float[Tensor, " branches"]


class ConnectivityLoss(nn.Module):
    """Sum over the deaths eps_t of dimension-0 Vietoris-Rips persistence of |eps_t - eta|.

    The codes are cut into branches of equal width, and each branch of the batch is a cloud of n points
    of its own with n - 1 deaths under the l1 distance. For n points to be eta apart, the codes need
    room for them: a large batch makes the support of the codes grow.

    Args:
        eta: wanted length of the edges, > 0, in the unit of the codes.
        branches: number of branches.
        over_branches: `mean` as in the authors' code, to which their weight of 20 belongs, or `sum`.

    Raises:
        ValueError: an option is not as above.

    Source: Hofer, Kwitt, Dixit, Niethammer, Connectivity-Optimized Representation Learning via
        Persistent Homology, ICML 2019, arXiv:1906.09003, connectivity loss; branches and their mean
        follow the authors' experiments.
    """

    def __init__(self, eta: float = 2.0, branches: int = 1, over_branches: str = "mean") -> None:
        super().__init__()
        if not (eta > 0 and math.isfinite(eta)):
            raise ValueError(f"eta should be finite and greater than 0, got {eta}")
        if branches < 1:
            raise ValueError(f"branches should be at least 1, got {branches}")
        if over_branches not in OVER_BRANCHES:
            raise ValueError(
                f"over_branches should be one of {', '.join(OVER_BRANCHES)}, got {over_branches!r}"
            )
        self.eta = eta
        self.branches = branches
        self.over_branches = over_branches

    def forward(self, codes: Float[Tensor, "n width"]) -> Float[Tensor, ""]:
        """The loss of a batch of n codes, width = branches * d: columns k d .. (k + 1) d - 1 are branch k.

        Returns a scalar >= 0 in the unit of the codes: the sum over deaths, then the mean or sum over
        branches; 0 for a batch of one code.

        Raises:
            TypeError: not floating point.
            ValueError: not (n, branches * d) with n, d >= 1, or not finite.

        Gradient: sign(eps_t - eta) sign(z_i - z_j) at point i of each tree edge (i, j), the negative at
            j, sign(0) = 0; divided by the number of branches for `mean`. The tree is held fixed; among
            edges of equal length it takes the smaller (i, j) first.
        """
        self._require_codes(codes)
        share = 1 / self.branches if self.over_branches == "mean" else 1.0
        here = codes.device.type == "cpu" and kernels_for(codes) == "cpu"
        if here and codes.dtype in (torch.float32, torch.float64):
            loss: Tensor = _CompiledLoss.apply(codes, self.branches, self.eta, share)
            return loss
        return share * (self.deaths(codes) - self.eta).abs().sum()

    def deaths(self, codes: Float[Tensor, "n width"]) -> Float[Tensor, "branches deaths"]:
        """The n - 1 deaths of every branch, ascending, differentiable; arguments and errors of `forward`."""
        self._require_codes(codes)
        n = len(codes)
        points = codes.unflatten(1, (self.branches, -1))  # (n, branches, d)
        edges = l1_tree_edges(points)  # (branches, n - 1)
        ends = torch.stack((edges // n, edges % n))  # (2, branches, n - 1)
        rows = ends * self.branches + torch.arange(self.branches, device=edges.device)[:, None]
        first, second = points.flatten(0, 1).index_select(0, rows.flatten()).unflatten(0, rows.shape)
        return (first - second).abs().sum(dim=-1)

    def _require_codes(self, codes: Tensor) -> None:
        if not isinstance(codes, Tensor) or not codes.is_floating_point():
            raise TypeError("codes should be a floating-point torch.Tensor")
        if codes.ndim != 2 or codes.numel() == 0 or codes.shape[1] % self.branches:
            raise ValueError(
                f"codes should have shape (n, {self.branches} * d) with n, d >= 1, got {tuple(codes.shape)}; "
                "the width is the number of branches times the dimension of one"
            )

    @torch.no_grad()
    def describe(self, codes: Float[Tensor, "n width"]) -> Connectivity:
        """Smallest, mean and largest death of every branch, for logs; arguments and errors of `forward`."""
        deaths = self.deaths(codes)
        if deaths.shape[1] == 0:
            missing = deaths.new_full((self.branches,), math.nan)
            return Connectivity(missing, missing, missing)
        return Connectivity(deaths.amin(dim=1), deaths.mean(dim=1), deaths.amax(dim=1))

    def extra_repr(self) -> str:
        return f"eta={self.eta}, branches={self.branches}, over_branches={self.over_branches!r}"


class _CompiledLoss(torch.autograd.Function):
    """share times the sum over branches and deaths of |eps_t - eta|, by CPU kernels in both directions."""

    @staticmethod
    def forward(ctx, codes: Tensor, branches: int, eta: float, share: float) -> Tensor:  # type: ignore[no-untyped-def]
        points = codes.detach().contiguous().view(len(codes), branches, -1)
        edges = l1_tree_edges(points)
        excess = np.empty(branches)
        gradient = torch.zeros_like(points)
        values = points.numpy()
        _kernel(values.dtype).excess_and_gradient(values, edges.numpy(), eta, share, excess, gradient.numpy())
        ctx.save_for_backward(gradient.view(codes.shape))
        return codes.new_tensor(share * excess.sum())

    @staticmethod
    @torch.autograd.function.once_differentiable
    def backward(ctx, gradient: Tensor) -> tuple[Tensor, None, None, None]:  # type: ignore[no-untyped-def]
        (by_code,) = ctx.saved_tensors
        return by_code * gradient, None, None, None


def _kernel(dtype: np.dtype) -> ModuleType:
    def first_calls(kernel: ModuleType) -> None:
        one = np.zeros((1, 1, 1), dtype)
        kernel.excess_and_gradient(one, np.empty((1, 0), np.int64), 2.0, 1.0, np.empty(1), one.copy())

    return load_kernels("gan_topdis.losses.connectivity_kernel", first_calls, variant=dtype.name)
