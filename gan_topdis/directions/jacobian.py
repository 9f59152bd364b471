"""Principal axes of the mean Jacobian Gram matrix: the classical baseline, no search.

Source: Ramesh, Choi, LeCun, A Spectral Regularizer for Unsupervised Disentanglement,
    arXiv:1812.01161; Wang and Ponce, The Geometry of Deep Generative Image Models, ICLR 2021
    (global approximation by the averaged Gram matrix).
"""

from __future__ import annotations

import torch
from jaxtyping import Float
from torch import Tensor

from gan_topdis.directions.search import Method, Search


def jacobian_directions(search: Search, found: Tensor) -> Float[Tensor, "left w_dim"]:
    """Orthonormal directions of largest mean squared effect in the informative subspace, largest first."""
    axes = torch.linalg.eigh(search.subspace.effect).eigenvectors.flip(1)  # (m, m) columns
    return (axes[:, : search.count].T @ search.subspace.basis).float()[len(found) :]


JACOBIAN = Method(jacobian_directions)
