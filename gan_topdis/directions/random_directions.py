"""Random orthonormal directions of a subspace: what any method has to beat."""

from __future__ import annotations

import torch
from jaxtyping import Float
from torch import Tensor

from gan_topdis.directions.search import RANDOM, Method, Search


def random_orthonormal(
    basis: Float[Tensor, "m w_dim"], count: int, rng: torch.Generator
) -> Float[Tensor, "count w_dim"]:
    """`count` orthonormal directions, uniform in the span of `basis` (orthonormal rows)."""
    normal = torch.randn(basis.shape[0], count, generator=rng, dtype=torch.float64)
    return (torch.linalg.qr(normal).Q.T @ basis.cpu()).float()


def random_unit(
    basis: Float[Tensor, "m w_dim"], count: int, rng: torch.Generator
) -> Float[Tensor, "count w_dim"]:
    """`count` independent unit directions, uniform in the span of `basis` (orthonormal rows)."""
    normal = torch.randn(count, basis.shape[0], generator=rng, dtype=torch.float64)
    return torch.nn.functional.normalize(normal @ basis.cpu(), dim=1).float()


def random_directions(search: Search, found: Tensor) -> Float[Tensor, "left w_dim"]:
    """Orthonormal directions, uniform in the informative subspace."""
    return random_orthonormal(search.subspace.basis, search.count, search.rng(RANDOM))[len(found) :]


RANDOM_DIRECTIONS = Method(random_directions)
