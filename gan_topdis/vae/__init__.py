"""Variational autoencoders and their six objectives."""

from gan_topdis.vae.architectures import VAE
from gan_topdis.vae.fit import fit
from gan_topdis.vae.latent_traversal import latent_traversal
from gan_topdis.vae.model_file import load
from gan_topdis.vae.objectives import OBJECTIVES, Objective, OptimizerSettings, Terms, build_objective

__all__ = [
    "OBJECTIVES",
    "VAE",
    "Objective",
    "OptimizerSettings",
    "Terms",
    "build_objective",
    "fit",
    "latent_traversal",
    "load",
]
