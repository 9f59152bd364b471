"""`discover`: recovery of known axes, determinism, interruption, and refusals."""

import numpy as np
import pytest
import torch
from analytic_renderers import RENDERERS, axis_recovery, hidden

from gan_topdis.directions import Directions, discover, methods
from gan_topdis.directions.discover import SCORE_NAME
from gan_topdis.directions.registry import METHODS
from gan_topdis.generators import from_callable
from gan_topdis.generators.scenes import ScenesGenerator

TINY = {
    "points": 16,
    "steps": 4,
    "second_steps": 3,
    "restarts": 2,
    "feature_size": 8,
    "evaluation_points": 24,
}


@pytest.fixture(scope="module")
def scenes():
    return ScenesGenerator(resolution=16)


def test_finds_axes_of_scenes_quickly(scenes):
    """Small settings; random directions reach 0.69, tests marked slow use the defaults."""
    found = discover(scenes, 6, points=48, steps=40, second_steps=20, evaluation_points=128)
    recovery = axis_recovery(found.vectors, scenes.known_factors.axes)
    assert recovery.mean() > 0.9, recovery
    # .03 to .20 of random over six seeds and two orders of summing distances: last digits are chance
    assert found.scores[0] < found.meta["random_baseline"]["mean"] / 3


@pytest.mark.slow
def test_recovers_all_axes_of_scenes_over_five_seeds():
    """The promise of the README: mean |cosine| at least 0.97 over five hidden rotations and seeds."""
    means = []
    for seed in range(5):
        generator = ScenesGenerator(rotation_seed=seed)
        found = discover(generator, 6, seed=seed)
        means.append(axis_recovery(found.vectors, generator.known_factors.axes).mean())
    print("scenes:", np.round(means, 4))
    assert np.mean(means) >= 0.97, means


@pytest.mark.slow
@pytest.mark.parametrize("name", RENDERERS)
def test_recovers_axes_of_other_renderers(name):
    means = []
    for seed in range(2):
        generator = hidden(name, seed=seed)
        assert generator.known_factors is not None
        found = discover(generator, len(generator.known_factors.names), seed=seed)
        means.append(axis_recovery(found.vectors, generator.known_factors.axes).mean())
    print(name, np.round(means, 4))
    assert np.mean(means) >= 0.97, means


@pytest.mark.parametrize("method", [name for name in methods() if name != "sefa"])
def test_rows_are_orthonormal_ranked_and_described(scenes, method):
    found = discover(scenes, 3, method=method, **TINY)
    gram = found.vectors.astype(np.float64) @ found.vectors.T
    if not METHODS[method].orthonormal:
        gram = np.diag(np.diag(gram))
    np.testing.assert_allclose(gram, np.eye(3), atol=2e-6)  # float32 rows
    assert (np.diff(found.scores) >= 0).all()
    assert found.score_name == SCORE_NAME
    assert found.space == "z"
    assert found.layers.shape == (3, 1)
    assert found.layers.all()
    largest = np.abs(found.vectors).argmax(axis=1)
    assert (found.vectors[np.arange(3), largest] > 0).all()
    np.testing.assert_allclose(found.scale, 1, atol=0.05)  # 10,000 samples of a standard normal
    assert sorted(found.table["found_at"]) == [0, 1, 2]
    assert found.meta["complete"] is True
    assert found.meta["method"] == method
    assert found.meta["generator"]["fingerprint"] == scenes.fingerprint
    assert len(found.meta["known_factors"]) == 3


def test_same_seed_same_result_and_other_seed_another(scenes):
    first = discover(scenes, 2, seed=5, **TINY)
    torch.manual_seed(99)  # the global generator plays no part
    again = discover(scenes, 2, seed=5, **TINY)
    np.testing.assert_array_equal(first.vectors, again.vectors)
    np.testing.assert_array_equal(first.scores, again.scores)
    assert not np.array_equal(first.vectors, discover(scenes, 2, seed=6, **TINY).vectors)


def test_interrupted_search_continues_to_the_same_result(scenes, tmp_path):
    class Interrupt(Exception):
        pass

    def save_then_stop(partial):
        assert partial.meta["complete"] is False
        partial.save(tmp_path / "partial.npz")
        if len(partial) == 2:
            raise Interrupt

    with pytest.raises(Interrupt):
        discover(scenes, 4, seed=1, on_direction=save_then_stop, **TINY)
    saved = Directions.load(tmp_path / "partial.npz")
    assert len(saved) == 2
    resumed = discover(scenes, 4, seed=1, found=saved, **TINY)
    whole = discover(scenes, 4, seed=1, **TINY)
    np.testing.assert_array_equal(resumed.vectors, whole.vectors)
    np.testing.assert_array_equal(resumed.scores, whole.scores)


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"seed": 2}, "another seed"),
        ({"steps": 5}, "another options"),
        ({"method": "random"}, "another method"),
        ({"count": 3}, "another count"),
    ],
)
def test_resuming_with_other_settings_is_refused(scenes, change, message):
    found = discover(scenes, 2, seed=1, **TINY)
    with pytest.raises(ValueError, match=message):
        discover(scenes, **{"count": 2, "seed": 1, **TINY, **change}, found=found)


def test_a_finished_search_comes_back_as_it_is(scenes):
    found = discover(scenes, 2, seed=1, **TINY)
    again = discover(scenes, 2, seed=1, found=found, **TINY, max_batch=16)
    np.testing.assert_array_equal(found.vectors, again.vectors)


def test_the_callers_gradient_mode_does_not_matter(scenes):
    expected = discover(scenes, 1, **TINY)
    with torch.inference_mode():
        np.testing.assert_array_equal(discover(scenes, 1, **TINY).vectors, expected.vectors)
        assert torch.is_inference_mode_enabled()


def test_progress_reaches_its_total(scenes):
    seen = []
    discover(scenes, 2, on_progress=seen.append, **TINY)
    assert [p.done for p in seen] == list(range(1, len(seen) + 1))
    assert seen[-1].done == seen[-1].total
    assert {"subspace", "scoring", "direction 1 of 2", "direction 2 of 2", "second pass"} == {
        p.stage for p in seen
    }


def test_one_direction_left_needs_no_search():
    """As many directions as the subspace has dimensions: the last is what is orthogonal to the others."""
    generator = from_callable(
        lambda z: torch.special.ndtr(z)[:, :, None, None].expand(-1, 3, 4, 4) * 1.0, 3, name="three"
    )
    found = discover(generator, 3, **TINY)
    np.testing.assert_allclose(found.vectors @ found.vectors.T, np.eye(3), atol=2e-6)


def test_a_module_comes_back_as_it_was():
    """Train mode, requires_grad, buffers and grads of a borrowed network are not touched."""
    network = torch.nn.Sequential(torch.nn.Linear(4, 12), torch.nn.Tanh(), torch.nn.Unflatten(1, (3, 2, 2)))
    network.train()
    before = {name: value.clone() for name, value in network.state_dict().items()}
    discover(from_callable(network, 4), 1, **TINY)
    assert network.training
    assert all(p.requires_grad and p.grad is None for p in network.parameters())
    for name, value in network.state_dict().items():
        assert torch.equal(before[name], value)


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({"count": 0}, r"count should be in 1 \.\. 10"),
        ({"count": 11}, r"count should be in 1 \.\. 10"),
        ({"count": 7}, "count should be at most 6: the informative subspace of scenes"),
        (
            {"count": 1, "method": "topdiss"},
            "method should be one of topdis, topdis-plain, topdis-joint",
        ),
        ({"count": 1, "stepz": 3}, "unknown option stepz; known: points, steps"),
        ({"count": 1, "points": 2}, "points should be at least 8"),
        ({"count": 1, "seed": -1}, "seed should be >= 0"),
        ({"count": 1, "layers": [True, False]}, "layers should be 1 booleans"),
        ({"count": 1, "layers": [False]}, "at least one position"),
    ],
)
def test_bad_arguments_get_a_line(scenes, arguments, message):
    options = {**TINY, **arguments}
    with pytest.raises(ValueError, match=message):
        discover(scenes, options.pop("count"), **options)


def test_nan_pictures_are_refused_in_one_line():
    bad = from_callable(lambda z: torch.where(z[:, :1] > 2.0, torch.nan, z[:, :1])[:, :, None, None], 2)
    with pytest.raises(ValueError, match="finite"):
        discover(bad, 1, **TINY)
