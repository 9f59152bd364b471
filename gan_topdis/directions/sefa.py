"""SeFa: eigenvectors of the weights that the latent is first multiplied with; no pictures, no search.

Source: Shen and Zhou, Closed-Form Factorization of Latent Semantics in GANs, arXiv:2007.06600, equation (6):
    eigenvectors of A^T A; section 3.2: A of several layers stacked. Rows of A are scaled to unit length, as
    their released results are known to be.
"""

from __future__ import annotations

import torch
from jaxtyping import Bool, Float
from torch import Tensor

from gan_topdis.directions.search import Method, Search
from gan_topdis.generators import Generator


def sefa_axes(generator: Generator, layers: Bool[Tensor, " num_ws"]) -> Float[Tensor, "w_dim w_dim"]:
    """Eigenvectors, as rows, of the sum of A^T A over the chosen layers, largest eigenvalue first.

    A (C, w_dim): style weights of the layers that a position of ws feeds, rows scaled to unit length; the
    first layer's weight where there are no styles.

    Raises:
        ValueError: the generator has no such weights.
    """
    stacks = [a for a, use in zip(generator.style_weights(), layers.tolist(), strict=True) if use]
    rows = torch.nn.functional.normalize(torch.cat(stacks).detach().cpu().double(), dim=1)  # (C, w_dim)
    return torch.linalg.eigh(rows.T @ rows).eigenvectors.flip(1).T.float()


def sefa_directions(search: Search, found: Tensor) -> Float[Tensor, "left w_dim"]:
    """`sefa_axes`, the first as many as there are to be."""
    return sefa_axes(search.generator, search.sampler.layers)[len(found) : search.count]


def _require_weights(generator: Generator) -> None:
    generator.style_weights()


SEFA = Method(sefa_directions, require=_require_weights, in_subspace=False)
