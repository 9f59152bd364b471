"""Critical edges of Vietoris-Rips filtrations: H0 and H1 by the compiled sweep, any degree by GUDHI."""

from __future__ import annotations

from dataclasses import dataclass
from types import ModuleType

import numpy as np
from jaxtyping import Float
from torch import Tensor

from gan_topdis.persistence.compiled import load_kernels
from gan_topdis.persistence.devices import kernels_for, say_cpu
from gan_topdis.persistence.gudhi_reference import intervals_of_ranks
from gan_topdis.persistence.pairing import (
    SMALLEST_SHARE,
    are_accepted,
    comparable,
    refuse,
    refuse_wrong_matrix,
    require_room,
    unsigned,
)
from gan_topdis.persistence.threads import for_each, thread_count


@dataclass(frozen=True)
class RipsPairing:
    """Critical edges i * n + j (i < j), int64, one array per dimension.

    Pairs of two different edges of equal length are among them; loops that an edge starts and fills at once
    are not.

    Attributes:
        birth, death: edges of the pairs, in order of death. birth[0] is empty: points are born at 0.
        essential: birth edges of the classes that are alive at the end, ascending. essential[0] is empty.
        components: number of components at the end.
    """

    birth: tuple[np.ndarray, ...]
    death: tuple[np.ndarray, ...]
    essential: tuple[np.ndarray, ...]
    components: int


def rips_pairings(distances: Float[Tensor, "b n n"], max_edge_length: float) -> list[RipsPairing]:
    """Pair H0 and H1 of each matrix; edges longer than `max_edge_length` are left out.

    Raises:
        ValueError: a matrix is no distance matrix, or is too large.
    """
    items, n, _ = distances.shape
    require_room(n, "distances")
    values = comparable(distances)
    kernel = _kernels(values.dtype)
    edges = n * (n - 1) // 2
    threads = thread_count(1 + items * edges // SMALLEST_SHARE)
    runs = [run for run in np.array_split(np.arange(items), 4 * threads) if len(run)]
    refusals = np.zeros(items, np.int64)
    numbers = np.zeros((items, 3), np.int64)
    trees = np.empty((items, n - 1), np.int32)
    room = 4 * n
    while True:
        pairs = np.empty((items, room, 3), np.int32)
        essential = np.empty((items, room), np.int32)

        def pair(run: int, pairs: np.ndarray = pairs, essential: np.ndarray = essential) -> None:
            scratch = np.empty((n, n), values.dtype)
            kernel.pair_vietoris_rips(
                values,
                max_edge_length,
                runs[run][0],
                runs[run][-1] + 1,
                scratch,
                unsigned(scratch),
                pairs,
                trees,
                essential,
                numbers,
                refusals,
            )

        for_each(len(runs), pair, threads=threads)
        refuse(refusals, ["distances"] * items)
        longest = int(numbers[:, [0, 2]].max(initial=0))
        if longest <= room:
            break
        room = longest
    nothing = np.empty(0, np.int64)

    def codes(edges: np.ndarray) -> np.ndarray:
        return (edges >> 16).astype(np.int64) * n + (edges & 0xFFFF)

    return [
        RipsPairing(
            birth=(nothing, codes(pairs[item, :bars, 0])),
            death=(codes(trees[item, :joins]), codes(pairs[item, :bars, 1])),
            # slots are no order
            essential=(nothing, _ascending(values[item], codes(essential[item, :alive]))),
            components=n - int(joins),
        )
        for item, (bars, joins, alive) in enumerate(numbers)
    ]


def rips_pairings_on_device(
    distances: Float[Tensor, "b n n"], max_edge_length: float
) -> list[RipsPairing] | None:
    """`rips_pairings` by Triton, without pairs of length 0; None where that is not to be had.

    That is for matrices that live elsewhere, for wrong ones, which the CPU names, and for single points.
    """
    if (
        kernels_for(distances) != "triton"
        or len(distances) == 0
        or distances.shape[1] < 2
        or not are_accepted(distances)
    ):
        return None
    from gan_topdis.persistence.device_pairing import edges_of_rips

    trees, deaths, turns = (edges.cpu().numpy() for edges in edges_of_rips(distances.detach()))
    lengths = comparable(distances).reshape(len(distances), -1)
    n = distances.shape[1]
    nothing = np.empty(0, np.int64)
    pairings = []
    for tree, death, turn, length in zip(trees, deaths, turns, lengths, strict=True):
        birth = np.flatnonzero(death >= 0)
        birth = birth[length[birth] <= max_edge_length]
        ends = length[death[birth]] <= max_edge_length
        birth, alive = birth[ends], birth[~ends]
        birth = birth[turn[birth].argsort()]
        tree = tree[length[tree] <= max_edge_length]
        pairings.append(
            RipsPairing(
                birth=(nothing, birth),
                death=(tree, death[birth]),
                essential=(nothing, _ascending(length, alive)),
                components=n - len(tree),
            )
        )
    return pairings


def rips_pairing_by_gudhi(
    distances: Float[Tensor, "n n"],
    max_edge_length: float,
    max_dimension: int,
    *,
    complex_dimension: int | None = None,
) -> RipsPairing:
    """The same by GUDHI, in any dimension, ties included: it is given the ranks of edges in our order.

    Args:
        complex_dimension: see `intervals_of_ranks`.
    """
    say_cpu(distances.device, "GUDHI has no other kernels")
    values = comparable(distances)
    refuse_wrong_matrix(values, "distances")
    n = len(values)
    i, j = np.triu_indices(n, 1)
    order = _ascending(values, i * n + j)
    order = order[values.ravel()[order] <= max_edge_length]
    ranks = np.full(n * n, np.inf)
    ranks[order] = np.arange(1, len(order) + 1)
    ranks = np.minimum(ranks.reshape(n, n), ranks.reshape(n, n).T)
    np.fill_diagonal(ranks, 0.0)
    intervals = intervals_of_ranks(ranks, max_dimension, complex_dimension=complex_dimension)

    def edges(places: np.ndarray) -> np.ndarray:
        return order[places.astype(np.int64) - 1]

    finite = [bars[np.isfinite(bars[:, 1])] for bars in intervals]
    alive = [np.sort(bars[np.isinf(bars[:, 1]), 0]) for bars in intervals]
    nothing = np.empty(0, np.int64)
    return RipsPairing(
        birth=(nothing, *(edges(bars[:, 0]) for bars in finite[1:])),
        death=tuple(edges(bars[:, 1]) for bars in finite),
        essential=(nothing, *(edges(births) for births in alive[1:])),
        components=len(alive[0]),
    )


def _ascending(distances: np.ndarray, codes: np.ndarray) -> np.ndarray:
    """Edges by length, then by index."""
    return codes[np.lexsort((codes, distances.ravel()[codes]))]


def _kernels(dtype: np.dtype) -> ModuleType:
    def first_calls(kernel: ModuleType) -> None:
        scratch = np.empty((2, 2), dtype)
        kernel.pair_vietoris_rips(
            np.zeros((1, 2, 2), dtype),
            np.inf,
            *(0, 1),
            scratch,
            unsigned(scratch),
            np.empty((1, 2, 3), np.int32),
            np.empty((1, 1), np.int32),
            np.empty((1, 2), np.int32),
            np.zeros((1, 3), np.int64),
            np.zeros(1, np.int64),
        )

    return load_kernels("gan_topdis.persistence.vietoris_rips_kernel", first_calls, variant=dtype.name)
