"""Scores against the truth: exact matrices, the true axes, wrong axes, and refusals."""

import numpy as np
import pytest
import torch

from gan_topdis.directions.ground_truth import axis_recovery, compare_with_truth
from gan_topdis.directions.ground_truth_ceiling import supervised_directions
from gan_topdis.directions.ground_truth_disentanglement import completeness, disentanglement
from gan_topdis.directions.ground_truth_factors import factor_meter
from gan_topdis.directions.ground_truth_response import DISPLACEMENT, LARGEST_STRENGTH, factor_response
from gan_topdis.directions.result import Directions
from gan_topdis.generators import from_callable
from gan_topdis.generators.analytic import analytic_generator
from gan_topdis.generators.scenes import ScenesGenerator

FIVE = 5.0 * np.eye(5)
SHARED = 1 - np.log(2) / np.log(10)


def directions_of(generator, vectors):
    """Unit rows as a result, with the standard deviation of w along them."""
    vectors = np.asarray(vectors, dtype=np.float32)
    ws = generator.map(generator.latents(range(500)))[:, 0].numpy()
    return Directions(
        vectors=vectors,
        names=tuple(map(str, range(len(vectors)))),
        scores=np.zeros(len(vectors)),
        layers=np.ones((len(vectors), generator.num_ws), dtype=bool),
        scale=(ws @ vectors.T).std(axis=0),
        w_mean=ws.mean(axis=0),
        space=generator.latent_space,
        score_name="none",
    )


@pytest.mark.parametrize(
    ("matrix", "rows", "columns"),
    [
        (FIVE, 1, 1),
        (np.vstack([FIVE, FIVE]), 1, SHARED),
        (np.hstack([FIVE, FIVE]), SHARED, 1),
        (FIVE[:2], 1, 1),
        (np.array([[1.0, 0], [0, 1], [0, 0]]), 1, 1),
        (np.zeros((10, 10)), 0, 0),
        (np.ones((4, 3)), 0, 0),
    ],
)
def test_exact_matrices(matrix, rows, columns):
    """Spec of the metrics, section 5; the floor of 1e-11 leaves some 1e-9."""
    assert disentanglement(matrix) == pytest.approx(rows, abs=1e-8)
    assert completeness(matrix) == pytest.approx(columns, abs=1e-8)


def test_rows_are_weighted_by_their_sums():
    """A pure row of weight 3 and a uniform one of weight 1."""
    assert disentanglement(np.array([[3.0, 0.0], [0.5, 0.5]])) == pytest.approx(0.75, abs=1e-8)


def test_negative_responses_are_refused():
    with pytest.raises(ValueError, match="at least 0"):
        disentanglement(np.array([[-1.0, 2.0]]))


def test_recovery_is_up_to_order_and_sign_and_one_to_one(as_users_run):
    axes = np.eye(4)[:3]
    np.testing.assert_allclose(axis_recovery(-np.eye(4)[[2, 0, 1]], axes), 1)
    np.testing.assert_allclose(axis_recovery(np.eye(4)[[0, 0, 1]], axes), [1, 1, 0])
    np.testing.assert_allclose(axis_recovery(np.eye(4)[:1], axes), [1, 0, 0])
    mixed = np.array([[0.6, 0.8, 0, 0]])
    np.testing.assert_allclose(axis_recovery(mixed, axes), [0, 0.8, 0])
    with pytest.raises(ValueError, match="one d"):
        axis_recovery(np.eye(3), axes)


@pytest.mark.parametrize("name", ["blobs", "waves", "correlated-sprites"])
def test_true_axes_score_one_and_mixtures_do_not(name):
    generator = analytic_generator(name)
    axes = generator.known_factors.axes
    truth = compare_with_truth(generator, directions_of(generator, axes))
    assert truth.mean_recovery == pytest.approx(1, abs=1e-6)
    # float32 latents leak some 1e-5 of a factor into the others
    assert truth.disentanglement > 0.998 and truth.completeness > 0.998
    off_diagonal = truth.response.matrix - np.diag(np.diag(truth.response.matrix))
    assert np.abs(off_diagonal).max() < 1e-4 < truth.response.matrix.diagonal().min()
    assert truth.response.factors == generator.known_factors.names

    mixtures = np.stack([axes[0] + axes[1], axes[0] - axes[1]]) / np.sqrt(2)
    mixed = compare_with_truth(generator, directions_of(generator, mixtures))
    assert mixed.disentanglement < 0.75
    assert mixed.recovery[:2] == pytest.approx(np.sqrt(0.5), abs=1e-6)


@pytest.mark.parametrize("name", ["blobs", "correlated-sprites"])
def test_directions_that_know_the_factors_find_their_axes(name):
    """Monotone factors: the regression finds the axes to sampling error, correlated latents or not."""
    generator = analytic_generator(name)
    found = supervised_directions(generator, factor_meter(generator))
    cosines = np.abs((found.vectors * generator.known_factors.axes).sum(axis=1))
    assert found.names == generator.known_factors.names
    assert cosines.min() > 0.98
    assert (found.scores > 0.8).all()
    truth = compare_with_truth(generator, found)
    assert truth.disentanglement_of_squares > 0.98 and truth.disentanglement > 0.8
    again = supervised_directions(generator, factor_meter(generator))
    np.testing.assert_array_equal(found.vectors, again.vectors)
    with pytest.raises(ValueError, match="more than 8"):
        supervised_directions(generator, factor_meter(generator), samples=8)


def test_displacement_is_matched_unless_the_factor_is_too_small():
    generator = ScenesGenerator(resolution=16)
    response = factor_response(
        generator, directions_of(generator, generator.known_factors.axes), factor_meter(generator)
    )
    capped = response.strengths == LARGEST_STRENGTH
    assert 0 < capped.sum() < 6
    # bisection to 3 / 2^8 standard deviations on a quarter of the pictures
    np.testing.assert_allclose(response.displacements[~capped], DISPLACEMENT, rtol=0.15)
    assert (response.displacements[capped] < DISPLACEMENT * 1.15).all()


def test_response_of_a_linear_generator_is_what_algebra_says():
    """One grey factor that is the latent itself, pictures of one value: median distance of two normals is
    0.954 (0.6745 sqrt 2), so that half of it is 0.477 standard deviations."""

    class Linear:
        def __call__(self, z):
            return 0.1 * z[:, :1, None, None].expand(-1, 3, 1, 1)

    generator = from_callable(Linear(), 2, sample=lambda seeds: _normal(seeds))
    from gan_topdis.directions.ground_truth_factors import FactorMeter

    meter = FactorMeter(("value",), True, lambda ws, images: images[:, 0, 0])
    found = directions_of(generator, np.eye(2)[:1])
    response = factor_response(generator, found, meter, samples=1024)
    # 1024 samples: median of distances to some 3 %
    assert response.strengths[0] * found.scale[0] == pytest.approx(0.477, rel=0.06)
    assert response.matrix[0, 0] == pytest.approx(0.477, rel=0.06)


def _normal(seeds):
    return torch.stack([torch.randn(2, generator=torch.Generator().manual_seed(int(s))) for s in seeds])


def test_generators_without_factors_are_refused():
    generator = from_callable(lambda z: z[:, :, None, None].expand(-1, 3, 4, 4) * 0.1, 3, name="mine")
    with pytest.raises(ValueError, match="mine should have factors that can be measured"):
        factor_meter(generator)


def test_factors_read_off_pictures_agree_with_the_formula():
    """The formula's own pictures, read by the network: the same responses, and little left unexplained."""
    generator = ScenesGenerator(resolution=32)
    found = directions_of(generator, generator.known_factors.axes)
    exact = factor_response(generator, found, factor_meter(generator), samples=64)
    generator.name = "demo"
    generator.known_factors = None
    by_sight = factor_response(generator, found, factor_meter(generator), samples=64)
    assert exact.unexplained is None
    assert by_sight.unexplained < 0.1
    np.testing.assert_allclose(by_sight.matrix, exact.matrix, atol=0.15)
