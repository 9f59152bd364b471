"""Losses of StyleGAN2: non-saturating logistic, R1, path lengths."""

from __future__ import annotations

import torch
from jaxtyping import Float
from torch import Tensor
from torch.nn import functional as F


def generator_logistic_loss(on_generated: Float[Tensor, "n 1"]) -> Float[Tensor, ""]:
    """mean log(1 + exp(-logit)) (Goodfellow et al., arXiv:1406.2661, section 3, the non-saturating form)."""
    return F.softplus(-on_generated).mean()


def critic_logistic_loss(
    on_real: Float[Tensor, "n 1"], on_generated: Float[Tensor, "n 1"]
) -> Float[Tensor, ""]:
    """mean log(1 + exp(-real)) + mean log(1 + exp(generated)); 2 log 2 where all logits are 0."""
    return F.softplus(-on_real).mean() + F.softplus(on_generated).mean()


def r1_penalty(on_real: Float[Tensor, "n 1"], real: Float[Tensor, "n c h w"]) -> Float[Tensor, ""]:
    """Mean squared norm of the slope of the logits at real images, which are tracked.

    Source: Mescheder et al., arXiv:1801.04406, section 4.1.
    """
    (slope,) = torch.autograd.grad(on_real.sum(), real, create_graph=True)
    return slope.square().sum(dim=(1, 2, 3)).mean()


def path_lengths(
    images: Float[Tensor, "n c h w"], ws: Float[Tensor, "n k d"], noise: Float[Tensor, "n c h w"]
) -> Float[Tensor, " n"]:
    """|J_w^T y| / sqrt(k) of each image, y = noise / sqrt(h w), over the k positions of ws.

    Source: arXiv:1912.04958, eq. 4.
    """
    scaled = noise / (noise.shape[2] * noise.shape[3]) ** 0.5
    (slope,) = torch.autograd.grad((images * scaled).sum(), ws, create_graph=True)
    return slope.square().sum(dim=2).mean(dim=1).sqrt()
