"""Principal axes of the mean Jacobian Gram matrix: the classical baseline, no search.

Source: Ramesh, Choi, LeCun, A Spectral Regularizer for Unsupervised Disentanglement,
    arXiv:1812.01161; Wang and Ponce, The Geometry of Deep Generative Image Models, ICLR 2021
    (global approximation by the averaged Gram matrix).
"""

from __future__ import annotations

import torch
from jaxtyping import Float
from torch import Tensor

from gan_topdis.directions.informative_subspace import InformativeSubspace


def jacobian_directions(subspace: InformativeSubspace, count: int) -> Float[Tensor, "count w_dim"]:
    """The `count` orthonormal directions of largest mean squared effect, largest first."""
    axes = torch.linalg.eigh(subspace.effect).eigenvectors.flip(1)  # (m, m) columns
    return (axes[:, :count].T @ subspace.basis).float()
