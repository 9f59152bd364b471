"""Models and pictures small enough to train in a test."""

from __future__ import annotations

import torch

from gan_topdis.vae import VAE, build_objective

LATENT = 3
# The published discriminator of FactorVAE has 5 million parameters
FAST = {"factor": {"width": 32, "depth": 2}, "dava": {"hidden": 16}}


def squares():
    """64 white squares of 5 pixels on black, 16 x 16, at an 8 x 8 grid of places; float32 in [0, 1]."""
    pixel = torch.arange(16)
    strips = torch.stack([((pixel - 4 - i).abs() < 3) for i in range(8)]).float()  # (8, 16)
    return (strips[:, None, :, None] * strips[None, :, None, :]).reshape(64, 1, 16, 16)


def small_vae(seed=0, **settings):
    torch.manual_seed(seed)
    return VAE(1, 16, LATENT, **{"hidden": 16, **settings})


def small_objective(name, vae, **options):
    torch.manual_seed(1)
    return build_objective(name, vae, dataset_size=64, **{**FAST.get(name, {}), **options})


def rng(seed=0):
    return torch.Generator().manual_seed(seed)


def step(objective, vae, optimisers, images, generator):
    """One step of the loop that objective.py describes; returns terms and adversary loss."""
    terms = objective.terms(vae, images, images, generator)
    optimisers[0].zero_grad()
    (terms.reconstruction + terms.rest).backward()
    optimisers[0].step()
    loss = objective.adversary_loss(vae, images, images.flip(0), generator, terms)
    if loss is not None:
        optimisers[1].zero_grad()
        loss.backward()
        optimisers[1].step()
    objective.advance(terms)
    return terms, loss


def adams(objective, vae, learning_rate=1e-3):
    own = list(objective.parameters())
    return [torch.optim.Adam(vae.parameters(), learning_rate)] + (
        [torch.optim.Adam(own, learning_rate)] if own else []
    )
