"""Vietoris-Rips persistence as torchph's functions return it, for code written for torchph.

New code is better off with `vietoris_rips` and `h0_deaths`: here `max_dimension` is the largest dimension
of a simplex, so that the last degree has only classes that nothing could kill.
"""

from __future__ import annotations

import numpy as np
import torch
from jaxtyping import Float
from torch import Tensor

from gan_topdis.persistence.devices import say_cpu
from gan_topdis.persistence.distances import pairwise_distances
from gan_topdis.persistence.h0 import tree_edges
from gan_topdis.persistence.rips_pairing import RipsPairing, rips_pairing_by_gudhi, rips_pairings
from gan_topdis.tensors import require_square

Barcodes = list[list[Tensor]]
"""[non_essential, essential]: per degree (k, 2) births and deaths, and (k,) births."""


def vr_persistence_l1(
    points: Float[Tensor, "n d"], max_dimension: int, max_ball_diameter: float = 0.0
) -> Barcodes:
    """`vr_persistence` of a point cloud under the l1 distance.

    Args:
        points: one cloud, finite, n >= 1; any unit of length.
        max_dimension, max_ball_diameter: as in `vr_persistence`.

    Raises:
        TypeError: `points` is no floating-point tensor.
        ValueError: not (n, d) with n >= 1, not finite, or an option out of range.

    Gradient: that of `vr_persistence` times that of `pairwise_distances`.
    Source: Hofer et al., torchph, vr_persistence_l1.
    """
    if isinstance(points, Tensor) and (points.ndim != 2 or points.shape[0] == 0):
        raise ValueError(f"points should have shape (n, d) with n >= 1, got {tuple(points.shape)}")
    distances = pairwise_distances(points, p=1.0)
    if not torch.isfinite(points).all():
        raise ValueError("points should be finite, got NaN or infinity")
    return vr_persistence(distances, max_dimension, max_ball_diameter)


def vr_persistence(
    distance_matrix: Float[Tensor, "n n"], max_dimension: int, max_ball_diameter: float = 0.0
) -> Barcodes:
    """Barcodes of the Vietoris-Rips complex with simplices of dimension <= max_dimension, over Z/2.

    Args:
        distance_matrix: entries (i, j) with i > j are read, finite and non-negative; the others may hold
            anything. Any unit of length.
        max_dimension: largest dimension of a simplex; 0 builds edges all the same. H1 bars that are
            bars of the cloud need 2, H2 bars 3. 3 and more are computed by GUDHI, slowly.
        max_ball_diameter: edges d <= max_ball_diameter stay, in the unit of distance; 0 keeps all.

    Returns:
        [non_essential, essential], lists of max_dimension + 1 tensors of the dtype and device of the input.
        non_essential[q]: (k, 2) births and deaths, in order of death, none with birth = death;
        shape (0, 2) for q = max_dimension >= 1. essential[q]: (k,) births of classes that never die,
        ascending, a 0 for each component; for q = max_dimension >= 1 all classes that no bar ends.

    Raises:
        TypeError: not floating point.
        ValueError: not (n, n) with n >= 1, an entry that is read is negative or not finite, or an option
            is out of range.

    Gradient: 1 at one entry (i, j), i > j, per death and per birth of degree 1 and up: the last edge of the
        simplex. Ties are broken by length, then by (j, i). Births of degree 0 have gradient 0.
    Source: Hofer et al., torchph, vr_persistence. Departures: torchph fails on CPU tensors, on n = 2, on
        n <= max_dimension and on limits that leave no triangle, and leaves H1 bars of one rounding.
    """
    require_square(distance_matrix, "distance_matrix")
    if distance_matrix.ndim != 2:
        raise ValueError(f"distance_matrix should have shape (n, n), got {tuple(distance_matrix.shape)}")
    if max_dimension < 0:
        raise ValueError(f"max_dimension should be at least 0, got {max_dimension}")
    if not max_ball_diameter >= 0:
        raise ValueError(f"max_ball_diameter should be at least 0 (0: no limit), got {max_ball_diameter}")
    lower = distance_matrix.detach().tril(-1)
    if not torch.isfinite(lower).all():
        raise ValueError("distance_matrix should be finite below its diagonal, got NaN or infinity")
    if (lower < 0).any():
        raise ValueError("distance_matrix should hold no negative distance below its diagonal")
    symmetric = lower + lower.mT
    # compared in the type of the distances, as torch does
    limit = float(torch.tensor(max_ball_diameter or np.inf, dtype=lower.dtype))
    pairing = _pairing(symmetric, max_dimension, limit)
    n = len(lower)
    entries = distance_matrix.flatten()
    read = torch.from_numpy(np.arange(n * n).reshape(n, n).T.reshape(-1)).to(
        entries.device
    )  # (j, i) of (i, j)

    def at(codes: np.ndarray) -> Tensor:
        return entries[read[torch.from_numpy(codes).to(entries.device)]]

    deaths = at(pairing.death[0])
    bars = [torch.stack([torch.zeros_like(deaths), deaths], dim=1)]
    # tracked zeros, with a gradient of 0, that no NaN gets into
    essential = [entries.new_zeros(pairing.components) + entries[:0].sum()]
    for degree in range(1, max_dimension + 1):
        bars.append(torch.stack([at(pairing.birth[degree]), at(pairing.death[degree])], dim=1))
        essential.append(at(pairing.essential[degree]))
    return [[pairs[(pairs[:, 0] != pairs[:, 1]).detach()] for pairs in bars], essential]


def _pairing(distances: Float[Tensor, "n n"], max_dimension: int, limit: float) -> RipsPairing:
    """Critical edges in degrees 0 .. max_dimension of the complex of simplices of that dimension at most."""
    if max_dimension > 1:
        say_cpu(distances.device, "triangles are counted, and tetrahedra reduced, there")
    if max_dimension > 2:
        return rips_pairing_by_gudhi(distances, limit, max_dimension, complex_dimension=max_dimension)
    n = len(distances)
    values = distances.flatten().cpu().double().numpy()
    nothing = np.empty(0, np.int64)
    if max_dimension < 2:
        tree = tree_edges(distances).cpu().numpy()
        tree = tree[values[tree] <= limit]
        loops = nothing
        if max_dimension == 1:
            edges = _edges(values, n, limit)
            loops = edges[~np.isin(edges, tree)]
        return RipsPairing((nothing, nothing), (tree, nothing), (nothing, loops), n - len(tree))
    pairing = rips_pairings(distances[None], limit)[0]
    edges = _edges(values, n, limit)
    kills = np.zeros(n * n, np.int64)
    other = pairing.birth[1] != pairing.death[1]
    np.add.at(kills, pairing.death[1][other], 1)
    triangles = _triangles(edges, n)
    # of the triangles that an edge completes, the first ends the loop that the edge itself makes, some end
    # older loops, and each of the others encloses a void
    voids = np.repeat(edges, triangles - (triangles > 0) - kills[edges])
    return RipsPairing(
        birth=(*pairing.birth, nothing),
        death=(*pairing.death, nothing),
        essential=(*pairing.essential, voids),
        components=pairing.components,
    )


def _edges(values: np.ndarray, n: int, limit: float) -> np.ndarray:
    """Edges i * n + j, i < j, of length <= limit, by length, then by index."""
    i, j = np.triu_indices(n, 1)
    codes = i * n + j
    order = codes[np.argsort(values[codes], kind="stable")]
    kept: np.ndarray = order[values[order] <= limit]
    return kept


def _triangles(edges: np.ndarray, n: int) -> np.ndarray:
    """How many triangles each edge completes: third points joined to both its ends by earlier edges."""
    i, j = np.divmod(edges, n)
    rank = np.full((n, n), len(edges))
    rank[i, j] = rank[j, i] = np.arange(len(edges))
    count = np.empty(len(edges), np.int64)
    for a in range(n):
        ours = np.flatnonzero(i == a)  # (m,)
        earlier = ours[:, None]
        count[ours] = ((rank[a] < earlier) & (rank[j[ours]] < earlier)).sum(axis=1)
    return count
