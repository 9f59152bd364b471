"""PPM-Reg: maximum mean discrepancy between the principal persistence measures of two batches."""

from __future__ import annotations

import functools
import math
from collections.abc import Sequence

import torch
from jaxtyping import Float
from torch import Tensor, nn

from gan_topdis.losses.mmd import float64_mmd_squared, require_width
from gan_topdis.losses.ppm_tuples import DrawnTuples, TupleDraw
from gan_topdis.persistence.devices import kernels_for
from gan_topdis.persistence.principal_persistence import bars_of_tuples, require_points
from gan_topdis.persistence.subsamples import draw_key

CONVENTIONS = ("paper", "reference")

ROOT_EPSILON = 1e-16
"""Added to MMD^2 under the root, in the square of the unit of length: bounds the slope of the root by 5e7.
The root of what is below 1e-14 is smaller than it should be by more than a tenth."""


class PPMRegularizer(nn.Module):
    """T = sum over q of weights[q] T_q, T_q comparing the bars of random tuples of 2 q + 2 points of x and y.

    `convention` says what T_q and `bandwidth` are; MMD has the kernel l l' exp(-d^2 / width):

        paper:      T_q = MMD,     width = 2 bandwidth    (bandwidth is sigma of the paper's formula)
        reference:  T_q = MMD^2,   width = bandwidth      (the authors' code; their weights belong to it)

    The root is MMD^2 / (sqrt(MMD^2 + eps) + sqrt(eps)), eps = `ROOT_EPSILON`: 0 and of finite slope where
    MMD is 0, above 1e-14 equal to the root within a tenth, above 1e-10 within 0.1 %.

    Args:
        weights: lambda_q >= 0 for q = 0, 1, ...; a weight of 0 skips its q.
        bandwidth: > 0, in the square of the unit of length.
        subsamples: s, tuples of each cloud and q, drawn afresh at each call and independently.
        convention: `paper` or `reference`.
        replacement: whether a point may be repeated inside a tuple. In the authors' experiments so for
            shape matching; without for images and semi-supervised learning.
        pool: number of tuples, fixed for batches of one size, from which the s of a call are drawn with
            replacement; None: from all tuples. The authors have 8 s for images, 4 s for semi-supervised.
        pool_seed: >= 0, decides the pool.
        all_pairs: for q = 0 take every pair of different points once, rather than s random ones: no
            sampling error, at the cost of s = n (n - 1) / 2: on one CPU thread 14 ms for n = 192, on a
            GPU in proportion to n^4.

    Raises:
        ValueError: an option is not as above.

    Source: Wong, Lee, Yan, Towards Scalable Topological Regularizers, ICLR 2025.
    """

    def __init__(
        self,
        weights: Sequence[float] = (1.0, 1.0),
        bandwidth: float = 0.1,
        subsamples: int = 1024,
        convention: str = "paper",
        replacement: bool = True,
        *,
        pool: int | None = None,
        pool_seed: int = 0,
        all_pairs: bool = False,
    ) -> None:
        super().__init__()
        weights = tuple(weights)
        if not weights or not all(0 <= weight < math.inf for weight in weights):
            raise ValueError(f"weights should be one or more finite numbers >= 0, got {weights}")
        require_width(bandwidth, "bandwidth")
        if not isinstance(subsamples, int):
            raise TypeError(f"subsamples should be a whole number, got {type(subsamples).__name__}")
        if subsamples < 1:
            raise ValueError(f"subsamples should be at least 1, got {subsamples}")
        if convention not in CONVENTIONS:
            raise ValueError(f"convention should be one of {', '.join(CONVENTIONS)}, got {convention!r}")
        if pool is not None and not 1 <= pool < 2**31:
            raise ValueError(f"pool should be None or 1 to 2**31 - 1, got {pool}")
        if pool_seed < 0:
            raise ValueError(f"pool_seed should be at least 0, got {pool_seed}")
        self.weights = weights
        self.bandwidth = bandwidth
        self.subsamples = subsamples
        self.convention = convention
        self.replacement = replacement
        self.pool = pool
        self.pool_seed = pool_seed
        self.all_pairs = all_pairs

    def forward(
        self,
        x: Float[Tensor, "n d"],
        y: Float[Tensor, "m d"],
        *,
        generator: torch.Generator | None = None,
    ) -> Float[Tensor, ""]:
        """T of two clouds, which may differ in size.

        Args:
            generator: decides all tuples, one number being drawn from it; by default torch's global one
                of the CPU. The tuples do not depend on the device.

        Returns:
            A scalar >= 0 of the type of x, in the unit of length (paper) or its square (reference).

        Raises:
            TypeError: not floating point.
            ValueError: not (n, d) and (m, d) with n, m >= 1, or of two types or devices, or not finite;
                without replacement n or m is less than 2 q + 2; `all_pairs` with n or m = 1.

        Gradient: that of `mmd_squared` through the critical edges of `principal_persistence`, 0 where T_q
            is below 0 by rounding. The same for any number of threads.
        """
        require_points(x, "x")
        require_points(y, "y")
        if x.shape[1] != y.shape[1] or x.dtype != y.dtype or x.device != y.device:
            raise ValueError(
                "x and y should have the same width, type and device, "
                f"got {tuple(x.shape)} {x.dtype} on {x.device} and {tuple(y.shape)} {y.dtype} on {y.device}"
            )
        key = draw_key(generator)
        orders = [q for q, weight in enumerate(self.weights) if weight]
        if not orders:
            return x[:0].sum() + y[:0].sum()  # 0, but tracked
        draw = TupleDraw(self.subsamples, self.replacement, self.pool, self.pool_seed, self.all_pairs)
        tuples = draw(key, orders, (len(x), len(y)), x.device)
        squared = self._squared_mmds(torch.cat((x, y)), tuples).clamp(min=0)
        if self.convention == "paper":
            squared = squared / ((squared + ROOT_EPSILON).sqrt() + math.sqrt(ROOT_EPSILON))
        terms = (self.weights[q] * term for q, term in zip(orders, squared.unbind(), strict=True))
        return functools.reduce(torch.add, terms).to(x.dtype)

    def _squared_mmds(
        self, points: Float[Tensor, "points d"], tuples: Sequence[DrawnTuples]
    ) -> Float[Tensor, " orders"]:
        """MMD^2 of each order in float64."""
        width = 2 * self.bandwidth if self.convention == "paper" else self.bandwidth
        if kernels_for(points) == "triton" and all(drawn.indices.shape[1] <= 4 for drawn in tuples):
            from gan_topdis.losses.ppm_triton import squared_mmds

            return squared_mmds(points, tuples, width)
        return torch.stack(
            [
                float64_mmd_squared(
                    bars_of_tuples(points, drawn.indices), drawn.of_x, width, move_absent=False
                )
                for drawn in tuples
            ]
        )

    def extra_repr(self) -> str:
        return (
            f"weights={self.weights}, bandwidth={self.bandwidth}, subsamples={self.subsamples}, "
            f"convention={self.convention!r}, replacement={self.replacement}, pool={self.pool}, "
            f"pool_seed={self.pool_seed}, all_pairs={self.all_pairs}"
        )
