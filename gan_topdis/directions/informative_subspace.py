"""Where a search is worth its time: the span of latent directions that change the picture.

The effect of a direction v is the mean squared first-order change of the features,
v^T E v with E = mean of J^T J, J the Jacobian of the features with respect to the latent. Directions
without effect have RTD 0 whatever they mean, and a mixture of a useful direction with a dead one
scores like the useful one; both are kept out of the search by keeping to the leading eigenvectors.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass

import torch
from jaxtyping import Float
from torch import Tensor

from gan_topdis.directions.latent_samples import LatentSampler, LatentStatistics

SMALLEST_EFFECT = 1e-3
"""Eigenvectors whose effect is below this share of the largest are left out."""
_PROBES_PER_DIMENSION = 8
"""Random probes per latent dimension: relative error of an eigenvalue about 1 / sqrt(8)."""
_LEAST_PROBES = 1024


@dataclass(frozen=True)
class InformativeSubspace:
    """Attributes: an orthonormal basis (m, w_dim), most effective standard deviation first; the effect
    matrix (m, m) in that basis, squared feature change per squared latent unit; the share of the total
    effect (for latents of the given covariance) that the basis holds.
    """

    basis: Tensor
    effect: Tensor
    share: float


def mean_effect(
    sampler: LatentSampler,
    rng: torch.Generator,
    *,
    images: int,
    probes: int | None = None,
    on_step: Callable[[], None],
) -> Float[Tensor, "w_dim w_dim"]:
    """E = mean of J^T J over `images` samples, float64, unbiased.

    Uses J^T g of Gaussian probes g in feature space, E[J^T g g^T J] = J^T J: one backward pass per
    probe and image, whatever the latent dimension.

    Args:
        images: samples; the graph of a few of them at a time is held.
        probes: gradients in all, rounded up to a multiple of `images`; by default 1024, or 8 per latent
            dimension where that is more.
    """
    w_dim = sampler.generator.w_dim
    if probes is None:
        probes = max(_LEAST_PROBES, _PROBES_PER_DIMENSION * w_dim)
    per_image = math.ceil(probes / images)
    total = torch.zeros(w_dim, w_dim, dtype=torch.float64)
    # latents and probes of all images are drawn before any chunk, so that chunks change nothing
    latents = sampler.draw(images, rng)
    probe_seeds = torch.randint(2**62, (images,), generator=rng).tolist()
    chunk = _chunk(sampler.max_batch)
    for first in range(0, images, chunk):
        ws = latents[first : first + chunk]
        shift = ws.new_zeros(len(ws), w_dim).requires_grad_()
        features = sampler.features(ws, shift)  # (n, p)
        if not features.requires_grad:
            raise _not_differentiable(sampler)
        normal = [
            torch.randn(per_image, features.shape[1], generator=torch.Generator().manual_seed(seed))
            for seed in probe_seeds[first : first + chunk]
        ]
        for probe in range(per_image):
            g = torch.stack([rows[probe] for rows in normal]).to(features)
            (gradient,) = torch.autograd.grad(
                features, shift, g, retain_graph=probe + 1 < per_image, allow_unused=True
            )
            if gradient is None:
                raise _not_differentiable(sampler)
            rows = gradient.cpu().double()
            total += rows.T @ rows
        on_step()
    return total / (images * per_image)


def _not_differentiable(sampler: LatentSampler) -> ValueError:
    return ValueError(
        f"{sampler.generator.name} should be differentiable: its pictures carry no gradient; "
        "remove torch.no_grad, detach() or numpy from it"
    )


def effect_chunks(images: int, max_batch: int) -> int:
    """How many steps `mean_effect` takes."""
    return math.ceil(images / _chunk(max_batch))


def _chunk(max_batch: int) -> int:
    """Images whose graphs are kept at a time: a quarter of what is synthesized without one."""
    return max(1, max_batch // 4)


def informative_subspace(
    effect: Float[Tensor, "w_dim w_dim"], statistics: LatentStatistics, dimension: int
) -> InformativeSubspace:
    """The leading directions by visible effect of one standard deviation.

    With S the covariance of the latent, the eigenvectors q of S^(1/2) E S^(1/2) with the largest
    eigenvalues, mapped to latents as S^(1/2) q: latents that vary and whose variation is seen. At most
    `dimension` of them, and none below `SMALLEST_EFFECT` of the largest.

    Raises:
        ValueError: no direction changes the picture.
    """
    values, vectors = torch.linalg.eigh(statistics.covariance)
    root = vectors * values.clamp_min(0).sqrt() @ vectors.T  # (w_dim, w_dim)
    effects, axes = torch.linalg.eigh(root @ effect @ root)
    effects, axes = effects.flip(0), axes.flip(1)
    if not torch.isfinite(effects).all():
        raise ValueError("the generator's gradient should be finite, got NaN or infinity")
    if effects[0] <= 0:
        raise ValueError("no latent direction changes the picture of this generator (gradient 0 everywhere)")
    keep = min(int((effects > SMALLEST_EFFECT * effects[0]).sum()), dimension)
    basis = torch.linalg.qr(root @ axes[:, :keep]).Q.T  # (m, w_dim)
    share = float(effects[:keep].sum() / effects.clamp_min(0).sum())
    return InformativeSubspace(basis, basis @ effect @ basis.T, share)
