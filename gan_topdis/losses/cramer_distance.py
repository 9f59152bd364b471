"""Cramer distance: the energy distance between two batches, and its paired forms of the Cramer GAN."""

from __future__ import annotations

import torch
from jaxtyping import Float
from torch import Tensor, nn

from gan_topdis.persistence import pairwise_distances
from gan_topdis.persistence.principal_persistence import require_points

ESTIMATES = ("all_pairs", "paired")


class CramerDistance(nn.Module):
    """Unbiased estimate of 2 E|x - y| - E|x - x'| - E|y - y'|, Euclidean norm, x, x' and y, y' independent.

    0 for equal laws and greater otherwise; an estimate may be negative.

    Args:
        estimate: `all_pairs` averages over all pairs of different points (U-statistic): the smallest
            variance. `paired` cuts both batches into first and second halves and compares points in the
            same place, mean(|x0 - y0| + |x1 - y1| - |x0 - x1| - |y0 - y1|): linear in n, but noisy.

    Raises:
        ValueError: the estimate is unknown.

    Source: Szekely and Rizzo, Energy statistics, Journal of Statistical Planning and Inference 143, 2013;
        Bellemare et al., The Cramer Distance as a Solution to Biased Wasserstein Gradients,
        arXiv:1705.10743 (as a loss of generative networks).
    """

    def __init__(self, *, estimate: str = "all_pairs") -> None:
        super().__init__()
        if estimate not in ESTIMATES:
            raise ValueError(f"estimate should be one of {', '.join(ESTIMATES)}, got {estimate!r}")
        self.estimate = estimate

    def forward(self, x: Float[Tensor, "n d"], y: Float[Tensor, "m d"]) -> Float[Tensor, ""]:
        """The distance of two batches, in the unit of length.

        Raises:
            TypeError: not floating point.
            ValueError: not (n, d) and (m, d) with n, m >= 2, or not finite; for `paired`, n and m are
                not equal and even.

        Gradient: unit difference vectors, 0 at coincident points.
        """
        _require_batches(x, y)
        if self.estimate == "paired":
            x0, x1, y0, y1 = _halves(x, y)
            return (_length(x0 - y0) + _length(x1 - y1) - _length(x0 - x1) - _length(y0 - y1)).mean()
        n, m = len(x), len(y)
        distances = pairwise_distances(torch.cat((x, y)))  # exact, also for points that coincide
        across = distances[:n, n:].mean()
        within_x = distances[:n, :n].sum() / (n * (n - 1))
        within_y = distances[n:, n:].sum() / (m * (m - 1))
        return 2 * across - within_x - within_y

    def extra_repr(self) -> str:
        return f"estimate={self.estimate!r}"


def paired_generator_loss(real: Float[Tensor, "n d"], generated: Float[Tensor, "n d"]) -> Float[Tensor, ""]:
    """mean(|x0 - y0| + |x0 - y1| - |y0 - y1|) over halves x0 of the real batch, y0 and y1 of the generated.

    Its expectation is the Cramer distance plus E|x - x'|, which the generator does not change.

    Args, errors, gradient: those of `CramerDistance` with estimate `paired`; smaller is better.
    Source: Wong, Lee, Yan, ICLR 2025, the generator's loss, also that of shape matching.
    """
    _require_batches(real, generated)
    x0, _, y0, y1 = _halves(real, generated)
    return (_length(x0 - y0) + _length(x0 - y1) - _length(y0 - y1)).mean()


def paired_critic_gain(real: Float[Tensor, "n d"], generated: Float[Tensor, "n d"]) -> Float[Tensor, ""]:
    """mean((|x0 - y1| - |x0 - x1|) - (|y0 - y1| - |y0 - x1|)): the Cramer distance as the critic sees it.

    Unbiased too, and a difference f(x0) - f(y0) of f(z) = |z - y1| - |z - x1|, on which the gradient
    penalty acts. The authors' code has it so for images; for semi-supervised learning (28 pixels) it has y0
    in the first term, |x0 - y0| in place of |x0 - y1|: of the same expectation, but not this loss.

    Args, errors, gradient: those of `CramerDistance` with estimate `paired`; larger is better.
    Source: Wong, Lee, Yan, ICLR 2025, the discriminator's loss; Bellemare et al., arXiv:1705.10743.
    """
    _require_batches(real, generated)
    x0, x1, y0, y1 = _halves(real, generated)
    at_real = _length(x0 - y1) - _length(x0 - x1)
    at_generated = _length(y0 - y1) - _length(y0 - x1)
    return (at_real - at_generated).mean()


def _require_batches(x: Tensor, y: Tensor) -> None:
    require_points(x, "x")
    require_points(y, "y")
    if x.shape[1] != y.shape[1] or x.dtype != y.dtype or x.device != y.device:
        raise ValueError(
            "x and y should have the same width, type and device, "
            f"got {tuple(x.shape)} {x.dtype} on {x.device} and {tuple(y.shape)} {y.dtype} on {y.device}"
        )
    if len(x) < 2 or len(y) < 2:
        raise ValueError(f"x and y should hold at least 2 points each, got {len(x)} and {len(y)}")


def _halves(x: Tensor, y: Tensor) -> tuple[Tensor, Tensor, Tensor, Tensor]:
    if len(x) != len(y) or len(x) % 2:
        raise ValueError(
            f"paired batches should be of one even size, got {len(x)} and {len(y)}; or use all_pairs"
        )
    x0, x1 = x.chunk(2)
    y0, y1 = y.chunk(2)
    return x0, x1, y0, y1


def _length(differences: Float[Tensor, "n d"]) -> Float[Tensor, " n"]:
    """Euclidean norms; torch's gradient is 0 at 0."""
    return torch.linalg.vector_norm(differences, dim=1)
