"""VAE: the evidence lower bound and nothing else.

Source: Kingma and Welling, Auto-Encoding Variational Bayes, arXiv:1312.6114, eq. 10.
"""

from __future__ import annotations

from typing import final

import torch
from torch import Tensor

from gan_topdis.vae.architectures import VAE
from gan_topdis.vae.objectives.objective import Objective, OptimizerSettings, Terms, encoded


@final
class PlainVAE(Objective):
    """Reconstruction + KL."""

    def terms(
        self, vae: VAE, images: Tensor, other_images: Tensor | None, generator: torch.Generator
    ) -> Terms:
        batch = encoded(vae, images, generator)
        return batch.terms(batch.kl)

    def optimizers(self) -> OptimizerSettings:
        """Those of beta-VAE: none are published for the plain row."""
        return OptimizerSettings()
