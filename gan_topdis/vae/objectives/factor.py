"""FactorVAE: a discriminator between codes and codes with permuted coordinates estimates total correlation.

Source: Kim and Mnih, Disentangling by Factorising, arXiv:1802.05983, Alg. 1 and 2.
"""

from __future__ import annotations

import math
from itertools import pairwise
from typing import Any, ClassVar, final

import torch
from jaxtyping import Float
from torch import Tensor, nn
from torch.nn import functional

from gan_topdis.vae.architectures import VAE
from gan_topdis.vae.objectives.objective import (
    Objective,
    OptimizerSettings,
    Terms,
    encoded,
    frozen,
    sampled,
)

JOINT, PERMUTED = 0, 1
"""The discriminator's classes."""


@final
class FactorVAE(Objective):
    """Reconstruction + KL + weight * TC, with TC read from the discriminator's logits.

    Args:
        latent: number of coordinates of a code.
        weight: of the total correlation, >= 0; 6.4 is the reference default, 5 was used for MPI3D.
        width, depth: hidden layers of the discriminator.
    """

    needs_other_images: ClassVar[bool] = True

    def __init__(self, latent: int, weight: float = 6.4, *, width: int = 1000, depth: int = 6) -> None:
        super().__init__()
        if latent < 1 or width < 1 or depth < 1:
            raise ValueError(f"latent, width and depth should be >= 1, got {latent}, {width}, {depth}")
        if not (weight >= 0 and math.isfinite(weight)):
            raise ValueError(f"weight should be a finite number >= 0, got {weight}")
        self.weight = weight
        layers: list[nn.Module] = []
        for inside, outside in pairwise((latent, *(width,) * depth)):
            layers += [nn.Linear(inside, outside), nn.LeakyReLU(0.2)]
        self.discriminator = nn.Sequential(*layers, nn.Linear(width, 2))

    @classmethod
    def for_model(cls, vae: VAE, dataset_size: int, **options: Any) -> FactorVAE:
        return cls(vae.latent, **options)

    def terms(
        self, vae: VAE, images: Tensor, other_images: Tensor | None, generator: torch.Generator
    ) -> Terms:
        batch = encoded(vae, images, generator)
        scores = frozen(self.discriminator, batch.codes)  # (n, 2)
        # Alg. 1: log D / (1 - D) of the class "joint" estimates the density ratio
        total_correlation = (scores[:, JOINT] - scores[:, PERMUTED]).mean()
        rest = batch.kl + self.weight * total_correlation
        return batch.terms(rest, total_correlation=total_correlation)

    def adversary_loss(
        self,
        vae: VAE,
        images: Tensor,
        other_images: Tensor | None,
        generator: torch.Generator,
        terms: Terms,
    ) -> Float[Tensor, ""]:
        """Cross-entropy, mean over the batch, halves for codes and for permuted codes of the second batch.

        Raises:
            ValueError: `other_images` is None.
        """
        if other_images is None:
            raise ValueError("FactorVAE needs other_images, a second batch, got None")
        with torch.no_grad():
            permuted = permute_coordinates(sampled(*vae.posterior(other_images), generator), generator)
        joint = self.discriminator(terms.codes.detach())  # (n, 2)
        apart = self.discriminator(permuted)  # (m, 2)
        return (_cross_entropy(joint, JOINT) + _cross_entropy(apart, PERMUTED)) / 2

    def optimizers(self) -> OptimizerSettings:
        """Adam 1e-4 for both, slower moments for the discriminator, batches of 64, 1e6 steps."""
        return OptimizerSettings(adversary_learning_rate=1e-4, adversary_betas=(0.5, 0.9))


def permute_coordinates(codes: Float[Tensor, "n d"], generator: torch.Generator) -> Float[Tensor, "n d"]:
    """Each coordinate permuted over the batch on its own: a sample of the product of the marginals.

    Source: arXiv:1802.05983, Alg. 1.
    """
    uniform = torch.rand(codes.shape, generator=generator, device=generator.device)
    return codes.gather(0, uniform.argsort(dim=0).to(codes.device))


def _cross_entropy(scores: Float[Tensor, "n 2"], label: int) -> Float[Tensor, ""]:
    return functional.cross_entropy(scores, torch.full((len(scores),), label, device=scores.device))
