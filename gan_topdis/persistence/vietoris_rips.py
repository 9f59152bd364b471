"""Persistence diagrams of Vietoris-Rips filtrations, differentiable."""

from __future__ import annotations

import math

import numpy as np
import torch
from jaxtyping import Float
from torch import Tensor

from gan_topdis.persistence.diagram import PersistenceDiagram
from gan_topdis.persistence.rips_pairing import (
    RipsPairing,
    rips_pairing_by_gudhi,
    rips_pairings,
    rips_pairings_on_device,
)
from gan_topdis.tensors import require_square

ENGINES = ("native", "gudhi")


def vietoris_rips(
    distances: Float[Tensor, "n n"],
    *,
    max_dimension: int = 1,
    max_edge_length: float | None = None,
    engine: str = "native",
) -> PersistenceDiagram:
    """Persistence diagram of the Vietoris-Rips filtration of one metric space, over Z/2.

    Points enter at 0, an edge at its length, a simplex with its longest edge.

    Args:
        distances: symmetric, zero diagonal, finite, non-negative; any unit of length. The triangle
            inequality is not needed.
        max_dimension: largest degree of homology; the native engine has 0 and 1.
        max_edge_length: longer edges are left out, in the unit of `distances` and rounded to their type;
            None keeps all, which leaves one essential class: a component.
        engine: `native`, or `gudhi`: the slow reference, which serves any dimension. Same results, same
            gradients, ties included.

    Returns:
        Finite bars of positive length and essential births per dimension, dtype and device of the input.

    Raises:
        TypeError: not floating point.
        ValueError: not (n, n) with n >= 1, not a distance matrix as above, an option out of range.

    Gradient: 1 at one entry (i, j), i < j, per death (the last edge of the simplex that kills) and per
        birth of dimension 1 and up (the last edge of the simplex that gives birth), 0 elsewhere; ties are
        broken by length, then by index.
    Source: Edelsbrunner, Letscher, Zomorodian, Topological persistence and simplification, 2002; the sweep
        is ours (`sweep_kernel`), exact up to false zeros of probability 2**-63 per triangle.
    """
    require_square(distances, "distances")
    if distances.ndim != 2:
        raise ValueError(
            f"distances should have shape (n, n), got {tuple(distances.shape)}; "
            "use vietoris_rips_batch for a batch"
        )
    return vietoris_rips_batch(
        distances[None], max_dimension=max_dimension, max_edge_length=max_edge_length, engine=engine
    )[0]


def vietoris_rips_batch(
    distances: Float[Tensor, "b n n"],
    *,
    max_dimension: int = 1,
    max_edge_length: float | None = None,
    engine: str = "native",
) -> list[PersistenceDiagram]:
    """`vietoris_rips` of b metric spaces of equal size, on several threads.

    Arguments, errors and gradients are those of `vietoris_rips`; no diagram depends on the others.
    """
    require_square(distances, "distances")
    if distances.ndim != 3:
        raise ValueError(f"distances should have shape (b, n, n), got {tuple(distances.shape)}")
    if engine not in ENGINES:
        raise ValueError(f"engine should be one of {', '.join(ENGINES)}, got {engine!r}")
    if max_dimension < 0:
        raise ValueError(f"max_dimension should be at least 0, got {max_dimension}")
    if engine == "native" and max_dimension > 1:
        raise ValueError(f'max_dimension should be 0 or 1, got {max_dimension}; use engine="gudhi" for more')
    if max_edge_length is not None and not max_edge_length >= 0:
        raise ValueError(f"max_edge_length should be at least 0 or None, got {max_edge_length}")
    # compared in the type of the distances, by every engine
    limit = math.inf if max_edge_length is None else float(distances.new_tensor(max_edge_length))
    if engine == "native":
        pairings = rips_pairings_on_device(distances, limit) or rips_pairings(distances, limit)
    else:
        pairings = [rips_pairing_by_gudhi(matrix, limit, max_dimension) for matrix in distances]
    return [
        _diagram(matrix, pairing, max_dimension, engine, max_edge_length)
        for matrix, pairing in zip(distances, pairings, strict=True)
    ]


def _diagram(
    distances: Float[Tensor, "n n"],
    pairing: RipsPairing,
    max_dimension: int,
    engine: str,
    max_edge_length: float | None,
) -> PersistenceDiagram:
    """Read births and deaths at the critical edges of a pairing."""
    entries = distances.flatten()

    def at(codes: np.ndarray) -> Tensor:
        return entries[torch.from_numpy(codes).to(entries.device)]

    deaths = at(pairing.death[0])
    finite = [torch.stack([torch.zeros_like(deaths), deaths], dim=1)]
    essential = [0 * at(np.zeros(pairing.components, np.int64))]  # tracked, with a gradient of 0
    for dimension in range(1, max_dimension + 1):
        births, deaths = at(pairing.birth[dimension]), at(pairing.death[dimension])
        finite.append(torch.stack([births, deaths], dim=1))
        essential.append(at(pairing.essential[dimension]))
    return PersistenceDiagram(
        finite=tuple(bars[(bars[:, 1] > bars[:, 0]).detach()] for bars in finite),
        essential_births=tuple(essential),
        engine=engine,
        max_edge_length=max_edge_length,
    )
