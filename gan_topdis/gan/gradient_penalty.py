"""The gradient penalty of the Cramer GAN."""

from __future__ import annotations

from collections.abc import Callable

import torch
from jaxtyping import Float
from torch import Tensor


def cramer_gradient_penalty(
    critic: Callable[[Tensor], Tensor],
    real: Float[Tensor, "n c h w"],
    generated: Float[Tensor, "n c h w"],
    real_latents: Float[Tensor, "n d"],
    generated_latents: Float[Tensor, "n d"],
    shares: Float[Tensor, " n"],
) -> Float[Tensor, ""]:
    """mean((|grad f| - 1)^2) at interpolates, f(x) = |d(x) - y1| - |d(x) - x1|, d the critic.

    Args:
        real, generated: first halves of the batches; an interpolate is share real + (1 - share) generated.
        real_latents, generated_latents: x1 and y1, latents of the second halves, graph kept.
        shares: in [0, 1].

    Gradient: by the critic's weights, through d(x), x1 and y1; images are constants.
    Source: Bellemare et al., The Cramer Distance as a Solution to Biased Wasserstein Gradients,
        arXiv:1705.10743; Wong, Lee, Yan, ICLR 2025 (half batches).
    """
    share = shares[:, None, None, None]
    images = (share * real + (1 - share) * generated).detach().requires_grad_()
    latents = critic(images).float()
    value = torch.linalg.vector_norm(latents - generated_latents, dim=1)
    value = value - torch.linalg.vector_norm(latents - real_latents, dim=1)
    (slope,) = torch.autograd.grad(value.sum(), images, create_graph=True)
    return (torch.linalg.vector_norm(slope.flatten(1), dim=1) - 1).square().mean()
