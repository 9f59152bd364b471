"""Scores by counting in balls: hand-made cases, brute force, blocks, refusals."""

from __future__ import annotations

import numpy as np
import pytest
import torch

from gan_topdis.connectivity import ball_counting, one_class_scores

# Two branches of two coordinates
REFERENCE = torch.tensor([[0.0, 0, 0, 0], [1, 1, 5, 5]])
QUERIES = torch.tensor([[0.0, 0, 0, 0], [1, 0, 5, 4], [9, 9, 5, 7], [9, 9, 9, 9]])


def codes(n: int, width: int, seed: int, dtype: torch.dtype = torch.float64) -> torch.Tensor:
    return torch.randn(n, width, generator=torch.Generator().manual_seed(seed), dtype=dtype)


def brute_force(reference, queries, branches, radius, norm):
    """Counts (n, branches) by numpy's norm of every difference."""
    a = np.asarray(reference).reshape(len(reference), branches, -1)
    b = np.asarray(queries).reshape(len(queries), branches, -1)
    return (np.linalg.norm(b[:, None] - a, ord=norm, axis=3) <= radius).sum(axis=1)


def test_hand_made():
    """l1 distances to both references, by branch: (0, 2), (0, 10); (1, 1), (9, 1); (18, 16), (12, 2)."""
    scores = one_class_scores(REFERENCE, QUERIES, branches=2, radius=2.0)
    assert scores.tolist() == [2 + 1, 2 + 1, 0 + 1, 0]
    assert scores.dtype == torch.int64


def test_balls_are_closed():
    just_below = float(np.nextafter(np.float32(2), np.float32(0)))
    assert one_class_scores(REFERENCE, QUERIES, branches=2, radius=just_below).tolist() == [2, 3, 0, 0]
    tenth = torch.tensor([[0.1]])  # 0.1 in float32 is more than 0.1: the radius is rounded too
    assert one_class_scores(torch.zeros(1, 1), tenth, branches=1, radius=0.1).tolist() == [1]
    assert one_class_scores(REFERENCE, REFERENCE, branches=2, radius=0.0).tolist() == [2, 2]


def test_over_branches():
    options = {"branches": 2, "radius": 2.0}
    assert one_class_scores(REFERENCE, QUERIES, over_branches="max", **options).tolist() == [2, 2, 1, 0]
    mean = one_class_scores(REFERENCE, QUERIES, over_branches="mean", **options)
    assert mean.tolist() == [1.5, 1.5, 0.5, 0]
    assert mean.dtype == torch.float32


def test_one_branch_is_another_space():
    assert one_class_scores(REFERENCE, QUERIES, branches=1, radius=2.0).tolist() == [1, 1, 0, 0]


@pytest.mark.parametrize(("metric", "norm"), [("l1", 1), ("l2", 2), ("linf", np.inf)])
@pytest.mark.parametrize("branches", [1, 3, 6])
def test_brute_force(metric, norm, branches):
    reference, queries = codes(40, 12, 1), codes(57, 12, 2)
    radius = {1: 12.0, 3: 4.0, 6: 2.0}[branches] / {"l1": 1, "l2": 2, "linf": 3}[metric]
    expected = brute_force(reference, queries, branches, radius, norm).sum(axis=1)
    found = one_class_scores(reference, queries, branches=branches, radius=radius, metric=metric)
    assert found.tolist() == expected.tolist()
    assert 0 < expected.sum() < 40 * 57 * branches  # neither none nor all


@pytest.mark.parametrize("metric", ball_counting.METRICS)
@pytest.mark.parametrize("pairs", [1, 7, 64, 1000, 10**9])
def test_blocks_do_not_matter(metric, pairs):
    """float32, and a radius that is the distance of some pairs to the last bit."""
    reference, queries = codes(50, 12, 3, torch.float32), codes(70, 12, 4, torch.float32)
    tied = ball_counting._distances(reference[None, :1].transpose(1, 2), queries[None, :1], metric).item()
    options = {"branches": 1, "radius": tied, "metric": metric}
    whole = one_class_scores(reference, queries, **options)
    found = one_class_scores(reference, queries, pairs_at_once=pairs, **options)
    assert torch.equal(found, whole)
    below = float(np.nextafter(np.float32(tied), np.float32(0)))
    fewer = one_class_scores(reference, queries, **(options | {"radius": below}))
    assert (whole - fewer)[0] == 1  # the pair at the radius is counted, and only just


def test_memory_is_bounded(monkeypatch):
    """No block of distances is larger than asked for."""
    sizes = []
    distances = ball_counting._distances

    def recorded(columns, rows, metric):
        result = distances(columns, rows, metric)
        sizes.append(result.numel())
        return result

    monkeypatch.setattr(ball_counting, "_distances", recorded)
    one_class_scores(codes(300, 8, 5), codes(400, 8, 6), branches=4, radius=1.0, pairs_at_once=1000)
    assert sum(sizes) == 300 * 400 * 4
    assert max(sizes) <= 1000


def test_numpy_gives_numpy():
    found = one_class_scores(REFERENCE.numpy(), QUERIES.numpy(), branches=2, radius=2.0)
    assert isinstance(found, np.ndarray)
    assert (found.dtype, found.tolist()) == (np.int64, [3, 3, 1, 0])
    frozen = REFERENCE.numpy().astype(">f8")
    frozen.setflags(write=False)
    assert one_class_scores(frozen, frozen, branches=2, radius=0.0).tolist() == [2, 2]


def test_half_precision_and_gradient():
    found = one_class_scores(REFERENCE.half(), QUERIES.half().requires_grad_(), branches=2, radius=2.0)
    assert found.tolist() == [3, 3, 1, 0]


def test_nothing_to_score():
    assert one_class_scores(REFERENCE, QUERIES[:0], branches=2, radius=2.0).shape == (0,)


@pytest.mark.parametrize(
    ("reference", "queries", "options", "error", "message"),
    [
        (REFERENCE, QUERIES[:, :2], {}, ValueError, "equally wide, got 4 and 2 columns"),
        (REFERENCE[:, :3], QUERIES, {}, ValueError, r"shape \(n, 2 \* d\) with d >= 1, got \(2, 3\)"),
        (REFERENCE[0], QUERIES, {}, ValueError, r"got \(4,\)"),
        (REFERENCE[:0], QUERIES, {}, ValueError, "at least one code, got none"),
        (REFERENCE, QUERIES / 0, {}, ValueError, "codes should be finite"),
        (REFERENCE.numpy(), QUERIES, {}, TypeError, "both be numpy or both be torch"),
        (REFERENCE, QUERIES.double(), {}, TypeError, "one type and device"),
        (REFERENCE.int(), QUERIES, {}, TypeError, "reference_codes should be floating point"),
        (REFERENCE.numpy().astype(int), QUERIES, {}, TypeError, "floating point, got int64"),
        (REFERENCE.tolist(), QUERIES, {}, TypeError, "numpy array or a torch.Tensor, got list"),
        (REFERENCE, QUERIES, {"branches": 0}, ValueError, "branches should be at least 1"),
        (REFERENCE, QUERIES, {"radius": -1.0}, ValueError, "radius should be finite and at least 0"),
        (REFERENCE, QUERIES, {"radius": float("nan")}, ValueError, "radius should be finite"),
        (REFERENCE, QUERIES, {"metric": "cosine"}, ValueError, "one of l1, l2, linf, got 'cosine'"),
        (REFERENCE, QUERIES, {"over_branches": "min"}, ValueError, "one of sum, mean, max, got 'min'"),
        (REFERENCE, QUERIES, {"pairs_at_once": 0}, ValueError, "pairs_at_once should be at least 1"),
    ],
)
def test_refusals(reference, queries, options, error, message):
    with pytest.raises(error, match=message):
        one_class_scores(reference, queries, **({"branches": 2, "radius": 2.0} | options))
