"""The matched and the best radius."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from scipy.sparse.csgraph import minimum_spanning_tree
from scipy.spatial.distance import pdist, squareform

from gan_topdis.connectivity import best_radius, matched_radius, one_class_report, one_class_scores

FOUR = torch.tensor([[0, 0], [1, 0], [0, 0.5], [1, 1.5]], dtype=torch.float64)  # l1 deaths 0.5, 1, 1.5


def codes(n: int, width: int, seed: int = 0) -> torch.Tensor:
    return torch.randn(n, width, generator=torch.Generator().manual_seed(seed), dtype=torch.float64)


def tree_edges(points):
    """SciPy's minimum spanning tree of l1 distances."""
    return minimum_spanning_tree(squareform(pdist(points, "cityblock"))).data


def test_hand_made():
    assert matched_radius(FOUR, 1) == 1
    assert matched_radius(FOUR, 1, quantile=0.0) == 0.5
    assert matched_radius(FOUR, 1, quantile=1.0) == 1.5
    assert matched_radius(FOUR, 1, quantile=0.25) == 0.75
    # the edges of all branches together: .5, 1, 1.5 and 5, 10, 15
    assert matched_radius(torch.cat([FOUR, 10 * FOUR], dim=1), 2) == 3.25


@pytest.mark.parametrize("batch_size", [None, 20])
def test_scipy(batch_size):
    points = codes(50, 6)
    batches = [points] if batch_size is None else [points[:20], points[20:40]]  # 10 are dropped
    edges = np.concatenate([tree_edges(part) for b in batches for part in b.split(2, dim=1)])
    for quantile in (0.5, 0.9):
        found = matched_radius(points, 3, quantile=quantile, batch_size=batch_size)
        assert found == pytest.approx(np.quantile(edges, quantile), rel=1e-12)
    assert matched_radius(points.numpy(), 3, batch_size=batch_size) == matched_radius(
        points, 3, batch_size=batch_size
    )


def test_scores_do_not_depend_on_the_unit():
    """Codes times 8, an exact factor: the radius is 8 times as large and the scores are the same."""
    points, queries = codes(40, 6), codes(30, 6, 1)
    radius, larger = matched_radius(points, 2), matched_radius(8 * points, 2)
    assert larger == 8 * radius
    scores = one_class_scores(points, queries, branches=2, radius=radius)
    assert torch.equal(one_class_scores(8 * points, 8 * queries, branches=2, radius=larger), scores)
    assert not torch.equal(one_class_scores(8 * points, 8 * queries, branches=2, radius=radius), scores)


def test_duplicates_have_no_length():
    assert matched_radius(torch.zeros(5, 4), 2) == 0


@pytest.mark.parametrize(
    ("arguments", "options", "message"),
    [
        ((FOUR[:1], 1), {}, "at least two codes in a batch, got 1"),
        ((FOUR, 1), {"batch_size": 1}, "at least two codes in a batch, got 1"),
        ((FOUR, 1), {"batch_size": 5}, "fill one batch of 5, got 4"),
        ((FOUR, 1), {"quantile": 1.5}, r"quantile should be in \[0, 1\]"),
        ((FOUR, 3), {}, r"shape \(n, 3 \* d\)"),
    ],
)
def test_refusals(arguments, options, message):
    with pytest.raises(ValueError, match=message):
        matched_radius(*arguments, **options)


def two_classes(n: int, seed: int):
    """Class 1 is twice as wide as class 0 and elsewhere."""
    labels = torch.arange(n) % 2
    return codes(n, 4, seed) * (1 + labels[:, None]) + 2 * labels[:, None], labels.numpy()


def test_best_radius_is_that_of_the_greatest_area():
    points, labels = two_classes(400, 1)
    found = best_radius(points, labels, branches=2, radii=(0.01, 2.0, 50.0), size=20, seed=3)
    assert found.radius == 2
    assert found.areas[2] == 0.5  # every ball holds everything
    assert found.areas[1] > 0.7 > found.areas[0]
    assert (found.radii, found.size, found.seed) == ((0.01, 2.0, 50.0), 20, 3)
    test, asked = two_classes(400, 2)
    fresh = one_class_report(None, points, labels, test, asked, branches=2, radius=2.0, sizes=(20,))
    # about 100 held-out codes a class and 5 draws: a standard error of some .03
    assert found.areas[1] == pytest.approx(fresh.mean[0], abs=0.08)


def test_the_smallest_of_equal_radii():
    points, labels = two_classes(40, 1)
    found = best_radius(points, torch.from_numpy(labels), branches=1, radii=(300.0, 100.0, 200.0), size=5)
    assert found.radius == 100
    assert found.areas.tolist() == [0.5] * 3


def test_refusals_of_best_radius():
    points, labels = two_classes(40, 1)
    with pytest.raises(ValueError, match="at least one radius"):
        best_radius(points, labels, branches=1, radii=(), size=5)
    with pytest.raises(ValueError, match="to be halved, 7 has one"):
        best_radius(points, np.array([7, *labels[1:]]), branches=1, radii=(1.0,), size=5)
