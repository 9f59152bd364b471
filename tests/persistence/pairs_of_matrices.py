"""Pairs of matrices lower <= upper for the cross-barcode, and what to compare its bars with."""

from __future__ import annotations

import itertools
import math
from collections.abc import Callable

import numpy as np
import torch
from torch import Tensor

from gan_topdis.persistence import Bars

Pair = tuple[Tensor, Tensor]


def distances(points: Tensor) -> Tensor:
    """Euclidean distances of (n, d) by the definition, independent of `pairwise_distances`."""
    return (points[:, None] - points[None]).square().sum(-1).sqrt()


def symmetric(edges: Tensor, n: int) -> Tensor:
    """Matrices (..., n, n) with zero diagonal from their entries above the diagonal, row by row."""
    i, j = torch.triu_indices(n, n, offset=1)
    matrix = edges.new_zeros(*edges.shape[:-1], n, n)
    matrix[..., i, j] = edges
    return matrix + matrix.mT


def _ordered(a: Tensor, b: Tensor) -> Pair:
    return torch.minimum(a, b), torch.maximum(a, b)


def _edges(n: int) -> int:
    return n * (n - 1) // 2


def _uniform(n: int, generator: torch.Generator) -> Tensor:
    return torch.rand(_edges(n), generator=generator, dtype=torch.float64)


def _integers(n: int, low: int, high: int, generator: torch.Generator) -> Tensor:
    return torch.randint(low, high, (_edges(n),), generator=generator).double()


def _normal(*shape: int, generator: torch.Generator) -> Tensor:
    return torch.randn(*shape, generator=generator, dtype=torch.float64)


def euclidean(n: int, generator: torch.Generator) -> Pair:
    return _ordered(*(distances(_normal(n, 3, generator=generator)) for _ in range(2)))


def one_sided(n: int, generator: torch.Generator) -> Pair:
    """min(a, b) below a: the form that RTD uses, with lower = upper at about half of the edges."""
    a, b = (distances(_normal(n, 2, generator=generator)) for _ in range(2))
    return torch.minimum(a, b), a


def high_dimensional(n: int, generator: torch.Generator) -> Pair:
    """All distances nearly equal."""
    return _ordered(*(distances(_normal(n, 200, generator=generator)) for _ in range(2)))


def generic(n: int, generator: torch.Generator) -> Pair:
    """No metric: the triangle inequality fails."""
    lower = _uniform(n, generator)
    return symmetric(lower, n), symmetric(lower + _uniform(n, generator), n)


def integer_tied(n: int, generator: torch.Generator) -> Pair:
    lower = _integers(n, 1, 5, generator)
    return symmetric(lower, n), symmetric(lower + _integers(n, 0, 3, generator), n)


def few_values_with_zeros(n: int, generator: torch.Generator) -> Pair:
    """Distances in 0, 1, 2: pseudometrics at best."""
    a, b = (_integers(n, 0, 3, generator) for _ in range(2))
    return _ordered(symmetric(a, n), symmetric(b, n))


def duplicated(n: int, generator: torch.Generator) -> Pair:
    """Each cloud repeats a third of its points, not the same ones."""
    clouds = []
    for _ in range(2):
        points = _normal(n, 2, generator=generator)
        points[torch.randperm(n, generator=generator)[: n // 3]] = points[0].clone()
        clouds.append(distances(points))
    return _ordered(*clouds)


def clustered(n: int, generator: torch.Generator) -> Pair:
    a, b = (
        distances(
            8 * _normal(3, 2, generator=generator)[torch.arange(n) % 3]
            + 0.1 * _normal(n, 2, generator=generator)
        )
        for _ in range(2)
    )
    return torch.minimum(a, b), b


def circular(n: int, generator: torch.Generator) -> Pair:
    """A noisy circle that has a loop, below a line that has none."""
    angles = 2 * math.pi * torch.arange(n, dtype=torch.float64) / n
    circle = torch.stack([angles.cos(), angles.sin()], dim=1) + 0.05 * _normal(n, 2, generator=generator)
    return _ordered(distances(circle), distances(angles[:, None]))


def lattice(n: int, generator: torch.Generator) -> Pair:
    """Integer points: many equal distances, some of them irrational."""
    a, b = (distances(torch.randint(0, 4, (n, 2), generator=generator).double()) for _ in range(2))
    return _ordered(a, b)


def all_equal(n: int, generator: torch.Generator) -> Pair:
    ones = torch.ones(_edges(n), dtype=torch.float64)
    return symmetric(ones, n), symmetric(2 * ones, n)


def zero_below(n: int, generator: torch.Generator) -> Pair:
    a = distances(_normal(n, 3, generator=generator))
    return torch.zeros_like(a), a


def bipartite(n: int, generator: torch.Generator) -> Pair:
    """Two halves: edges across come first and close no triangle, so n^2 / 4 classes live at once."""
    half = torch.arange(n) % 2
    across = half[:, None] != half[None]
    i, j = torch.triu_indices(n, n, offset=1)
    noise = _uniform(n, generator)
    lower = torch.where(across[i, j], 1 + 0.5 * noise, 2 + noise)
    return symmetric(lower, n), symmetric(lower + _uniform(n, generator), n)


FAMILIES: tuple[Callable[[int, torch.Generator], Pair], ...] = (
    euclidean,
    one_sided,
    high_dimensional,
    generic,
    integer_tied,
    few_values_with_zeros,
    duplicated,
    clustered,
    circular,
    lattice,
    all_equal,
    zero_below,
    bipartite,
)


def sorted_bars(bars: Bars, item: int | None = None) -> np.ndarray:
    """Bars of positive length of one barcode, float64 (r, 2), in lexicographic order."""
    birth, death = (bars.birth, bars.death) if item is None else (bars.birth[item], bars.death[item])
    both = torch.stack([birth, death], dim=-1).detach().double().numpy()
    both = both[both[:, 1] > both[:, 0]]
    return both[np.lexsort((both[:, 1], both[:, 0]))]


def assert_same_bars(found: np.ndarray, expected: np.ndarray) -> None:
    """Equal without tolerance: births and deaths are entries that no solver computes with."""
    assert found.shape == expected.shape, f"{len(found)} bars, expected {len(expected)}"
    wrong = (found != expected).any(axis=1)
    assert not wrong.any(), f"bars {found[wrong][:3]}, expected {expected[wrong][:3]}"


def critical_edges(lower: np.ndarray, upper: np.ndarray) -> set[tuple[int, int, bool]]:
    """Pairs (birth edge, death edge, death read from `upper`) by the textbook reduction.

    Columns are the triangles of the cone filtration relative to the star of the cone vertex, rows
    are edges i * n + j. One total order of cells, ties included: by time; edges by index; a triangle
    right after its last edge; a cone triangle that enters with its edge right after those, else after
    all edges of its time, by index.

    Source: Edelsbrunner, Letscher, Zomorodian, Topological persistence and simplification, 2002.
    """
    n = len(lower)
    order = sorted(itertools.combinations(range(n), 2), key=lambda edge: (lower[edge], edge[0] * n + edge[1]))
    age = {edge: position for position, edge in enumerate(order)}
    cells = []  # (key, boundary as ages, critical edge, is cone)
    for triangle in itertools.combinations(range(n), 3):
        sides = sorted(age[side] for side in itertools.combinations(triangle, 2))
        last = order[sides[-1]]
        cells.append(((lower[last], 0, sides[-1], 0, triangle), set(sides), last, False))
    for edge in order:
        position = age[edge]
        if upper[edge] == lower[edge]:
            key = (lower[edge], 0, position, -1, ())
        else:
            key = (upper[edge], 1, edge[0] * n + edge[1], 0, ())
        cells.append((key, {position}, edge, True))
    reduced: dict[int, set[int]] = {}  # by youngest edge
    pairs = set()
    for _, boundary, critical, is_cone in sorted(cells, key=lambda cell: cell[0]):
        while boundary and max(boundary) in reduced:
            boundary = boundary ^ reduced[max(boundary)]
        if not boundary:
            continue
        birth = order[max(boundary)]
        reduced[max(boundary)] = boundary
        if (upper if is_cone else lower)[critical] > lower[birth]:
            pairs.add((birth[0] * n + birth[1], critical[0] * n + critical[1], is_cone))
    return pairs
