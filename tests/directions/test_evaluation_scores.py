"""Each score of an evaluation against closed forms, laws and second implementations."""

from __future__ import annotations

import math
from itertools import combinations

import numpy as np
import pytest
import scipy.stats
import torch

from gan_topdis.directions.scores import (
    Estimate,
    Realism,
    consistency,
    duplicates,
    grassmann_distance,
    monotone,
    stability,
    topological_change,
    topology_matrix,
)
from gan_topdis.directions.scores.equal_displacement import TOLERANCE, equal_displacement
from gan_topdis.directions.scores.estimate import (
    difference,
    from_parts,
    mean_of,
    not_available,
    ratio,
    spread,
)
from gan_topdis.losses import RTDLoss
from gan_topdis.persistence import pairwise_distances


def normal(generator, *shape):
    return torch.randn(*shape, generator=generator, dtype=torch.float64)


# --- estimates ---


def test_what_two_scores_share_cancels_in_their_difference(generator):
    shared = normal(generator, 50).numpy() * 100
    own = normal(generator, 50).numpy()
    first = from_parts(shared.mean() + own.mean(), shared + own)
    second = from_parts(shared.mean(), shared)
    found = difference(first, second)
    assert found.value == pytest.approx(own.mean())
    assert found.error == pytest.approx(own.std(ddof=1) / math.sqrt(50))
    assert first.error > 10 * found.error


def test_independent_errors_add_in_quadrature():
    assert difference(Estimate(3, 0.3, 9), Estimate(1, 0.4, 4)) == Estimate(2, pytest.approx(0.5), 4)
    assert mean_of([Estimate(3, 0.3, 9), Estimate(1, 0.4, 9)]) == Estimate(2, pytest.approx(0.25), 9)


def test_ratio_of_proportional_scores_has_no_error(generator):
    parts = normal(generator, 30).numpy() + 5
    found = ratio(from_parts(3 * parts.mean(), 3 * parts), from_parts(parts.mean(), parts))
    assert found.value == pytest.approx(3) and found.error == pytest.approx(0, abs=1e-12)
    assert ratio(Estimate(1, 0.1, 9), Estimate(0, 0.1, 9)).n == 0


def test_scores_that_do_not_apply_are_left_out():
    known = Estimate(2, 0.1, 9)
    assert mean_of([not_available(), known]) == known
    assert math.isnan(mean_of([not_available()]).value)
    assert spread([Estimate(1, 0, 9), not_available(), Estimate(3, 0, 9)]) == pytest.approx(math.sqrt(2))
    assert math.isnan(spread([known]))


# --- consistency ---


def test_the_same_change_everywhere_is_consistent(generator):
    change = normal(generator, 1, 5) * normal(generator, 9, 1).abs()
    assert consistency(change).value == pytest.approx(1, abs=1e-12)
    assert consistency(change).error == pytest.approx(0, abs=1e-12)


def test_consistency_is_the_mean_cosine_of_pairs_and_its_error_the_jackknife(generator):
    change = normal(generator, 7, 3) + 1
    change[2] = 0  # a picture that does not change

    def brute(rows):
        unit = [row / max(float(row.norm()), 1e-300) for row in rows]
        return float(np.mean([float(a @ b) for a, b in combinations(unit, 2)]))

    without = np.array([brute([row for j, row in enumerate(change) if j != i]) for i in range(7)])
    found = consistency(change)
    assert found.value == pytest.approx(brute(list(change)), abs=1e-12)
    # the jackknife's variance: (n - 1) / n sum of squares about the mean
    assert found.error == pytest.approx(math.sqrt(6 / 7 * ((without - without.mean()) ** 2).sum()), abs=1e-12)
    assert found.n == 7


# --- monotone ---


def test_monotone_is_spearman_of_scipy(generator):
    below, above = normal(generator, 6, 5), normal(generator, 6, 5).round()  # the latter with ties
    above[0] = torch.arange(5.0)
    expected = np.mean(
        [
            [scipy.stats.spearmanr(np.arange(5), row).statistic for row in side.numpy()]
            for side in (below, above)
        ],
        axis=0,
    )
    found = monotone(below, above)
    assert found.value == pytest.approx(expected.mean(), abs=1e-12)
    assert found.error == pytest.approx(expected.std(ddof=1) / math.sqrt(6), abs=1e-12)


def test_monotone_of_growth_shrinking_and_nothing():
    growth = torch.arange(1.0, 5.0).expand(3, 4)
    assert monotone(growth, growth**2).value == pytest.approx(1)
    assert monotone(growth, -growth).value == pytest.approx(0)
    assert monotone(-growth, -growth).value == pytest.approx(-1)
    assert monotone(torch.zeros(3, 4), torch.zeros(3, 4)).value == 0


# --- realism ---


def test_realism_on_a_line():
    """Reference 0 .. 4 and 100: with k = 1 the balls cover [-1, 5] and [4, 196]."""
    reference = torch.tensor([[0.0], [1], [2], [3], [4], [100]])
    edited = torch.tensor([[-1.0], [-1.1], [5], [50], [196], [197]])
    found = Realism(reference, neighbours=1)(edited)
    assert found.value == pytest.approx(4 / 6) and found.n == 6
    assert found.error == pytest.approx(np.std([1, 0, 1, 1, 1, 0], ddof=1) / math.sqrt(6))


def test_realism_needs_more_pictures_than_neighbours():
    with pytest.raises(ValueError, match=r"neighbours should be in 1 \.\. 2, got 3"):
        Realism(torch.zeros(3, 2), neighbours=3)


# --- topology ---


def test_topological_change_is_the_rtd_loss(generator):
    x, y = normal(generator, 20, 3), normal(generator, 20, 3)
    found = topological_change(pairwise_distances(x), pairwise_distances(y))
    assert found.value == pytest.approx(float(RTDLoss()(x, y)), abs=1e-12)
    assert found.n == 20 and 0 < found.error < found.value


def test_isometries_and_scalings_change_no_topology(generator):
    x = normal(generator, 20, 3)
    rotation = torch.linalg.qr(normal(generator, 3, 3)).Q
    y = 7 * x @ rotation + 2
    # chords of length about 1 in float64; differences are roundings
    assert topological_change(pairwise_distances(x), pairwise_distances(y)).value < 1e-12
    assert topological_change(pairwise_distances(x), pairwise_distances(x)) == Estimate(0, 0, 20)


def test_a_collapsed_cloud_has_no_topological_change(generator):
    x = pairwise_distances(normal(generator, 20, 3))
    assert topological_change(x, torch.zeros_like(x)).n == 0


def test_error_of_topological_change_is_the_spread_over_samples():
    """Mean standard error over 40 fresh clouds against the scatter of their RTDs."""
    values, errors = [], []
    for seed in range(40):
        x = torch.randn(48, 4, generator=torch.Generator().manual_seed(seed))
        y = x.clone()
        y[:, 0] = torch.tanh(2 * x[:, 0])
        found = topological_change(pairwise_distances(x), pairwise_distances(y))
        values.append(found.value)
        errors.append(found.error)
    # 40 samples know a standard deviation to 11 %, and the jackknife errs on the large side
    assert 0.75 < np.mean(errors) / np.std(values, ddof=1) < 1.6


def test_matrix_between_directions(generator):
    clouds = torch.stack([pairwise_distances(normal(generator, 12, 3)) for _ in range(4)])
    clouds[1] = clouds[0]
    clouds[2] = torch.nan
    matrix = topology_matrix(clouds)
    assert np.isnan(matrix[2]).all() and np.isnan(matrix[:, 2]).all()
    kept = [0, 1, 3]
    np.testing.assert_array_equal(matrix[np.ix_(kept, kept)], matrix[np.ix_(kept, kept)].T)
    assert (np.diag(matrix)[kept] == 0).all() and matrix[0, 1] == 0
    assert matrix[0, 3] == pytest.approx(topological_change(clouds[0], clouds[3]).value)
    assert matrix[0, 3] > 0


# --- duplicates and stability ---


def test_duplicates_by_shift_and_by_effect():
    shifts = np.eye(6)
    shifts[2] = -shifts[0]
    shifts[5] = [0.95, 0, 0, 0, 0, math.sqrt(1 - 0.95**2)]
    changes = np.eye(6)
    changes[3] = -2 * changes[1]
    changes[5] = np.nan  # inert: known by its shift alone
    assert duplicates(shifts, changes) == [None, None, 0, 1, None, 0]


def test_different_directions_are_no_duplicates():
    shifts = np.eye(2)
    shifts[1] = [0.89, math.sqrt(1 - 0.89**2)]
    assert duplicates(shifts, np.eye(2)) == [None, None]
    assert duplicates(shifts, np.full((2, 2), np.nan)) == [None, None]


@pytest.mark.parametrize("angle", [0.0, 1e-7, 0.3, math.pi / 2])
def test_distance_of_two_lines_is_their_angle(angle):
    turned = np.array([[math.cos(angle), math.sin(angle)]])
    assert grassmann_distance(np.array([[1.0, 0.0]]), turned) == pytest.approx(
        angle / (math.pi / 2), abs=1e-15
    )


def test_distance_of_spans_knows_no_basis():
    rng = np.random.default_rng(0)
    rows = rng.normal(size=(3, 8))
    assert grassmann_distance(rows, rng.normal(size=(3, 3)) @ rows) < 1e-12
    assert grassmann_distance(np.eye(8)[:3], np.eye(8)[3:6]) == pytest.approx(1)
    # one of three directions is another: sqrt(1) of sqrt(3)
    assert grassmann_distance(np.eye(8)[:3], np.eye(8)[[0, 1, 7]]) == pytest.approx(math.sqrt(1 / 3))


def test_stability_over_restarts():
    rows = np.eye(4)[:1]
    found = stability(rows, [rows, np.eye(4)[1:2]])
    assert found == Estimate(pytest.approx(0.5), pytest.approx(0.5), 2)
    assert stability(rows, []).n == 0
    with pytest.raises(ValueError, match="linearly independent"):
        stability(np.ones((2, 4)), [np.eye(4)[:2]])
    with pytest.raises(ValueError, match=r"equal number and size, got \(1, 4\) and \(2, 4\)"):
        stability(rows, [np.eye(4)[:2]])


# --- equal displacement ---


@pytest.mark.parametrize("shape", [lambda t: 2 * t, lambda t: 3 * math.tanh(t), lambda t: t**3])
def test_strength_of_a_displacement(shape):
    """Displacements are u_i shape(t) with mean of u = 1."""
    size = torch.tensor([[0.5], [1.5], [1.0]], dtype=torch.float64)
    trials = []

    def edited(strength):
        trials.append(strength)
        return size * shape(strength)

    curve = [(t, shape(t)) for t in (1.0, 2.0, 3.0)]
    found = equal_displacement(edited, torch.zeros(3, 1, dtype=torch.float64), 1.3, curve)
    assert shape(found.strength.value) == pytest.approx(1.3, rel=TOLERANCE)
    assert torch.equal(found.features, edited(found.strength.value))
    assert len(trials) < 12 and found.strength.n == 3


def test_error_of_the_strength_is_that_of_the_displacement_over_the_slope():
    size = torch.tensor([[0.5], [1.5], [1.0]], dtype=torch.float64)
    found = equal_displacement(lambda t: size * 2 * t, torch.zeros(3, 1), 1.0, [(3.0, 6.0)])
    assert found.strength.value == pytest.approx(0.5)
    assert found.strength.error == pytest.approx(0.5 * 0.5 / math.sqrt(3))


def test_what_cannot_be_reached_has_no_strength():
    assert (
        equal_displacement(lambda t: torch.zeros(3, 1), torch.zeros(3, 1), 1.0, [(1.0, 0.2), (3.0, 0.9)])
        is None
    )
