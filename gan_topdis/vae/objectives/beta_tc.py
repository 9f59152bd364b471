"""beta-TCVAE: KL split into mutual information, total correlation and dimension-wise KL.

Source: Chen et al., Isolating Sources of Disentanglement in VAEs, arXiv:1802.04942, eq. 2 to 4; minibatch
    weighted sampling eq. 5, stratified sampling appendix C.2.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Any, final

import torch
from jaxtyping import Float
from torch import Tensor

from gan_topdis.vae.architectures import VAE
from gan_topdis.vae.objectives.objective import Objective, OptimizerSettings, Terms, encoded

SAMPLINGS = ("weighted", "stratified")


@dataclass(frozen=True)
class KLDecomposition:
    """Three parts, in nats, whose sum estimates the KL of the posteriors from the prior; scalars.

    Attributes: mutual_information between images and codes; total_correlation of the codes;
    dimension_wise_kl of their marginals from the prior.
    """

    mutual_information: Float[Tensor, ""]
    total_correlation: Float[Tensor, ""]
    dimension_wise_kl: Float[Tensor, ""]


@final
class BetaTCVAE(Objective):
    """Reconstruction + MI + beta * TC + dimension-wise KL.

    Args:
        dataset_size: number N of training images; batches hold no image twice and at most N.
        beta: weight of the total correlation, >= 0; 6 for dSprites.
        sampling: how q(z) is estimated from a batch: `weighted` (biased) or `stratified`.
    """

    def __init__(self, dataset_size: int, beta: float = 6.0, *, sampling: str = "weighted") -> None:
        super().__init__()
        if dataset_size < 1:
            raise ValueError(f"dataset_size should be >= 1, got {dataset_size}")
        if not (beta >= 0 and math.isfinite(beta)):
            raise ValueError(f"beta should be a finite number >= 0, got {beta}")
        if sampling not in SAMPLINGS:
            raise ValueError(f"sampling should be one of {', '.join(SAMPLINGS)}, got {sampling!r}")
        self.dataset_size = dataset_size
        self.beta = beta
        self.sampling = sampling

    @classmethod
    def for_model(cls, vae: VAE, dataset_size: int, **options: Any) -> BetaTCVAE:
        return cls(dataset_size, **options)

    def terms(
        self, vae: VAE, images: Tensor, other_images: Tensor | None, generator: torch.Generator
    ) -> Terms:
        weights = importance_weights(len(images), self.dataset_size, self.sampling).to(images.device)
        batch = encoded(vae, images, generator)
        parts = kl_decomposition(batch.codes, batch.mu, batch.logvar, weights)
        rest = parts.mutual_information + self.beta * parts.total_correlation + parts.dimension_wise_kl
        return batch.terms(
            rest,
            mutual_information=parts.mutual_information,
            total_correlation=parts.total_correlation,
            dimension_wise_kl=parts.dimension_wise_kl,
        )

    def optimizers(self) -> OptimizerSettings:
        """Adam 1e-3, batches of 64, 100 epochs of the 11520 steps of dSprites."""
        return OptimizerSettings(learning_rate=1e-3, steps=1_152_000)


def importance_weights(batch: int, dataset_size: int, sampling: str) -> Float[Tensor, "b b"]:
    """Weights v so that sum over m of v[i, m] q(z_i | x_m) estimates q(z_i), the code of image i.

    `weighted`: 1 / (B N) everywhere. `stratified`, with M = B - 1: 1 / N on the diagonal, since q(z_i) holds
    its own image exactly once; (N - M) / (N M) on the entry right of it, cyclically; 1 / M elsewhere. Rows
    of the latter sum to 1.

    Raises:
        ValueError: the batch is larger than the data set, or stratified and of one image.
    """
    if batch > dataset_size:
        raise ValueError(f"a batch should be at most dataset_size = {dataset_size} images, got {batch}")
    if sampling == "weighted":
        return torch.full((batch, batch), 1 / (batch * dataset_size))
    others = batch - 1  # M
    if others < 1:
        raise ValueError(f"stratified sampling needs batches of at least 2 images, got {batch}")
    weights = torch.full((batch, batch), 1 / others)
    rows = torch.arange(batch)
    weights[rows, (rows + 1) % batch] = (dataset_size - others) / (dataset_size * others)
    weights[rows, rows] = 1 / dataset_size
    return weights


def kl_decomposition(
    codes: Float[Tensor, "b d"],
    mu: Float[Tensor, "b d"],
    logvar: Float[Tensor, "b d"],
    weights: Float[Tensor, "b b"],
) -> KLDecomposition:
    """The three parts of the KL, mean over a batch.

    Args:
        codes: z_i sampled from N(mu_i, exp(logvar_i)).
        weights: v[i, m] of `importance_weights`.

    Gradient: through codes, mu and logvar of all pairs.
    Source: arXiv:1802.04942, eq. 2; density estimates eq. 5.
    """
    # log q(z_i,d | x_m), (b, b, d): row i the code, column m the image
    density = _log_normal(codes[:, None], mu[None], logvar[None])
    log_weights = weights.to(codes).log()  # (b, b)
    posterior = _log_normal(codes, mu, logvar).sum(dim=1)  # log q(z | x), (b,)
    aggregate = (density.sum(dim=2) + log_weights).logsumexp(dim=1)  # log q(z), (b,)
    marginals = (density + log_weights[:, :, None]).logsumexp(dim=1).sum(dim=1)  # log prod_d q(z_d), (b,)
    prior = _log_normal(codes, torch.zeros_like(codes), torch.zeros_like(codes)).sum(dim=1)  # (b,)
    return KLDecomposition(
        mutual_information=(posterior - aggregate).mean(),
        total_correlation=(aggregate - marginals).mean(),
        dimension_wise_kl=(marginals - prior).mean(),
    )


def _log_normal(z: Tensor, mu: Tensor, logvar: Tensor) -> Tensor:
    """log N(z; mu, exp(logvar)) entry by entry; broadcasts."""
    return -((z - mu).square() * (-logvar).exp() + logvar + math.log(2 * math.pi)) / 2
