"""Variational autoencoders and their six objectives."""

from gan_topdis.vae.architectures import VAE
from gan_topdis.vae.objectives import OBJECTIVES, Objective, OptimizerSettings, Terms, build_objective

__all__ = ["OBJECTIVES", "VAE", "Objective", "OptimizerSettings", "Terms", "build_objective"]
