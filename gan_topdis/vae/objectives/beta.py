"""beta-VAE: a heavier KL term.

Source: Higgins et al., beta-VAE: Learning Basic Visual Concepts with a Constrained Variational Framework,
    ICLR 2017, eq. 4.
"""

from __future__ import annotations

import math
from typing import final

import torch
from torch import Tensor

from gan_topdis.vae.architectures import VAE
from gan_topdis.vae.objectives.objective import Objective, OptimizerSettings, Terms, encoded


@final
class BetaVAE(Objective):
    """Reconstruction + beta * KL.

    Args:
        beta: weight >= 0. TopDis does not publish its values; 1, 2, 4, 6, 8, 16 is the usual grid and the
            default of 4 is our choice from it.
    """

    def __init__(self, beta: float = 4.0) -> None:
        super().__init__()
        if not (beta >= 0 and math.isfinite(beta)):
            raise ValueError(f"beta should be a finite number >= 0, got {beta}")
        self.beta = beta

    def terms(
        self, vae: VAE, images: Tensor, other_images: Tensor | None, generator: torch.Generator
    ) -> Terms:
        batch = encoded(vae, images, generator)
        return batch.terms(self.beta * batch.kl)

    def optimizers(self) -> OptimizerSettings:
        """Adam 1e-4, batches of 64, 1e6 steps."""
        return OptimizerSettings()
