"""Directions beside baselines, on generators whose answer is known."""

from __future__ import annotations

import json
import math
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch

from gan_topdis.directions import Directions
from gan_topdis.directions.latent_samples import LatentSampler
from gan_topdis.directions.scores import COLUMNS, EvaluationSettings, evaluate_directions
from gan_topdis.directions.scores.baselines import pca_baseline, sefa_baseline
from gan_topdis.directions.scores.picture_cloud import PictureCloud
from gan_topdis.generators import from_callable, load_generator
from gan_topdis.seeding import seeded_generator

FIXTURES = Path(__file__).parents[1] / "fixtures" / "stylegan2_ada"
FEW = EvaluationSettings(points=24, steps=7, statistics_samples=2000)

FAR = EvaluationSettings(points=8, steps=5, max_strength=100, feature_size=16, statistics_samples=500)
"""For random weights, whose latents hardly vary: sigma is small."""


def along(vectors, *, scale=1.0, space="z", num_ws=1) -> Directions:
    rows = np.asarray(vectors, dtype=np.float32)
    rows = rows / np.linalg.norm(rows, axis=1, keepdims=True)
    count = len(rows)
    return Directions(
        vectors=rows,
        names=tuple(f"direction {index}" for index in range(count)),
        scores=np.zeros(count),
        layers=np.ones((count, num_ws), dtype=bool),
        scale=np.full(count, scale, dtype=np.float32),
        w_mean=np.zeros(rows.shape[1], dtype=np.float32),
        space=space,
        score_name="none",
    )


def turning_generator():
    """Latent 0 turns all pictures about the origin of picture space, an isometry; 1 and 2 bend them;
    3 does nothing."""

    def synthesize(z):
        radius = 0.5 + 0.4 * torch.tanh(1.5 * z[:, 1])
        height = torch.tanh(1.5 * z[:, 2])
        points = torch.stack((radius * z[:, 0].cos(), radius * z[:, 0].sin(), height), dim=1)
        return points[:, :, None, None].expand(-1, -1, 2, 2)

    return from_callable(synthesize, 4, name="turning")


def linear_generator():
    columns = torch.linspace(-0.2, 0.2, 4 * 12).cos().reshape(4, 12) * torch.eye(4).repeat(1, 3) * 0.2
    return from_callable(lambda z: (z @ columns).unflatten(1, (3, 2, 2)), 4, name="linear")


@pytest.fixture(scope="module")
def turning():
    """An isometry, its opposite, a bending, and a latent without effect."""
    axes = np.eye(4)
    return evaluate_directions(turning_generator(), along([axes[0], -axes[0], axes[2], axes[3]]), FEW)


def test_a_rotation_changes_no_topology_and_random_directions_do(turning):
    # 24 chords of float32: roundings of a length near 1
    assert turning.directions.rows[0]["rtd"].value < 1e-4
    assert turning.directions.rows[2]["rtd"].value > 0.1
    random = turning.baselines[0]
    assert random.name == "random" and len(random.rows) == 16
    assert min(row["rtd"].value for row in random.counted) > 0.01
    assert random.mean("rtd_to_random").value == pytest.approx(1)


def test_the_opposite_direction_is_a_duplicate(turning):
    assert [row.duplicate_of for row in turning.directions.rows] == [None, 0, None, None]
    assert [row.name for row in turning.directions.counted] == ["direction 0", "direction 2"]


def test_a_latent_without_effect_is_inert(turning):
    row = turning.directions.rows[3]
    assert row.inert and not any(other.inert for other in turning.directions.rows[:3])
    assert {name for name in COLUMNS if not math.isnan(row[name].value)} == {"realism_at_max", "variance"}
    assert row["realism_at_max"].value == turning.unedited_realism.value


def test_directions_of_one_topology(turning):
    matrix = turning.topology
    assert np.diag(matrix)[:3].tolist() == [0, 0, 0]
    assert matrix[0, 1] < 1e-4 < 0.1 < matrix[0, 2]
    assert np.isnan(matrix[3]).all()


def test_every_number_has_its_sample_size_and_error(turning):
    for row in turning.directions.rows[:3]:
        for column in COLUMNS:
            assert row[column].n == (2000 if column == "variance" else 24)
            assert row[column].error >= 0


def test_an_isometry_alone_beats_chance(turning):
    generator = turning_generator()
    alone = evaluate_directions(generator, along([np.eye(4)[0]]), FEW)
    assert alone.best_baseline.name == "random"
    assert alone.lead.value == pytest.approx(alone.baselines[0].mean("rtd").value, abs=1e-3)
    assert alone.beaten is True
    bent = evaluate_directions(generator, along([np.eye(4)[2]]), FEW)
    assert bent.beaten is False
    assert evaluate_directions(generator, along([np.eye(4)[3]]), FEW).beaten is None


def test_a_linear_generator_is_monotone_and_consistent():
    found = evaluate_directions(linear_generator(), along(np.eye(4)[:2]), FEW)
    for row in found.directions.rows:
        assert row["monotone"].value == pytest.approx(1)
        assert row["consistency"].value == pytest.approx(1, abs=1e-5)
        assert row["rtd"].value < 1e-3  # a translation; float32
        assert row["variance"].value == pytest.approx(0.25, abs=0.03)  # of four latents alike


def test_strength_is_that_of_the_common_displacement():
    """Of a linear generator the displacement is t |A v|, and t* is inverse to the scale."""
    generator = linear_generator()
    once = evaluate_directions(generator, along(np.eye(4)[:1]), FEW)
    twice = evaluate_directions(generator, along(np.eye(4)[:1], scale=2.0), FEW)
    ws = torch.zeros(1, 1, 4)
    moved = ws.clone()
    moved[..., 0] = 1
    reach = float((generator.synthesize(moved) - generator.synthesize(ws)).norm())
    strength = once.directions.rows[0]["t_star"].value
    assert strength * reach == pytest.approx(once.displacement, rel=0.005)
    assert twice.directions.rows[0]["t_star"].value == pytest.approx(strength / 2, rel=0.01)


def test_the_same_seed_gives_the_same_scores_whatever_the_batch(turning):
    generator = turning_generator()
    again = evaluate_directions(generator, along([np.eye(4)[2]]), replace(FEW, max_batch=5))
    whole, split = turning.directions.rows[2], again.directions.rows[0]
    for column in COLUMNS:
        assert split[column].value == pytest.approx(whole[column].value, abs=1e-4)
    other = evaluate_directions(generator, along([np.eye(4)[2]]), replace(FEW, seed=1))
    assert other.directions.rows[0]["rtd"].value != pytest.approx(whole["rtd"].value, abs=1e-3)


def test_pictures_can_be_numbered():
    found = evaluate_directions(
        turning_generator(), along([np.eye(4)[0]]), replace(FEW, seeds=tuple(range(10)))
    )
    assert found.meta["pictures"] == list(range(10))
    assert found.directions.rows[0]["rtd"].n == 10


def test_pictures_can_be_compared_by_other_features():
    """Seen through the height alone, the turning latent does nothing."""
    found = evaluate_directions(
        turning_generator(), along(np.eye(4)[:1]), FEW, features=lambda images: images[:, 2:3, 0, 0]
    )
    assert found.directions.rows[0].inert
    with pytest.raises(
        ValueError, match=r"features should map 24 images to shape \(24, p\), got \(24, 3, 2, 2\)"
    ):
        evaluate_directions(turning_generator(), along(np.eye(4)[:1]), FEW, features=lambda images: images)


def test_other_runs_give_the_stability():
    axes = np.eye(4)
    found = evaluate_directions(
        turning_generator(), along(axes[:2]), FEW, restarts=[along(axes[[1, 0]]), along(axes[2:])]
    )
    assert found.stability.value == pytest.approx(0.5) and found.stability.n == 2


def test_results_are_plain_json(turning):
    content = json.loads(json.dumps(turning.as_json(), allow_nan=False))
    assert content["directions"]["rows"][3]["rtd"] is None
    assert content["directions"]["rows"][0]["rtd"].keys() == {"value", "error", "n"}
    assert content["baselines"]["PCA of w"]["unavailable"].startswith("turning has no mapping network")
    assert content["best_baseline"] == "random" and content["settings"]["points"] == 24


@pytest.fixture(scope="module")
def stylegan():
    return load_generator(FIXTURES / "uncond32_skip.torch1_7.pkl", device="cpu")


@pytest.fixture(scope="module")
def on_stylegan(stylegan):
    """Directions of w+: one on every layer, and twice one on the last layer, in opposite senses."""
    rows = np.zeros((3, stylegan.num_ws, stylegan.w_dim), dtype=np.float32)
    rows[0, :, 0] = stylegan.num_ws**-0.5
    rows[1, -1, 0] = 1
    rows[2] = -rows[1]
    plain = along(np.eye(3, stylegan.w_dim), scale=0.1, space="w", num_ws=stylegan.num_ws)
    return evaluate_directions(stylegan, replace(plain, vectors=rows, space="w+"), FAR)


def test_directions_of_w_plus(on_stylegan):
    first, second, third = on_stylegan.directions.rows
    assert (second.duplicate_of, third.duplicate_of) == (None, 1)
    # along the same coordinate of w, whatever the layers
    assert first["variance"].value == pytest.approx(second["variance"].value, rel=1e-5)


def test_all_baselines_where_the_family_has_them(on_stylegan):
    names = [(scores.name, len(scores.rows), scores.unavailable) for scores in on_stylegan.baselines]
    assert names == [("random", 16, ""), ("PCA of w", 3, ""), ("SeFa", 3, "")]
    pca = on_stylegan.baselines[1]
    shares = [row["variance"].value for row in pca.rows]
    assert shares[0] > shares[1] > on_stylegan.baselines[0].mean("variance").value


def test_new_noise_is_the_floor(on_stylegan):
    (row,) = on_stylegan.noise.rows
    assert row["rtd"].value > 0 and "t_star" not in row.scores


def test_noise_is_of_the_picture_and_leaves_the_global_generator_alone(stylegan):
    def features(seeds):
        ws = stylegan.map(stylegan.latents(seeds))
        cloud = PictureCloud(stylegan, ws, features=lambda images: images.flatten(1), max_batch=2)
        return cloud.features, cloud.with_new_noise(7)

    before = torch.get_rng_state()
    unedited, noisy = features([0, 1, 2])
    assert torch.equal(torch.get_rng_state(), before)
    assert not torch.allclose(unedited, noisy, atol=1e-3)
    # picture 0 alone and with others: matrix products of other sizes round otherwise, by some 1e-6
    torch.testing.assert_close(features([0])[1], noisy[:1], atol=1e-4, rtol=0)


def test_baselines_are_singular_vectors(stylegan):
    """Second implementation: of the centred latents, and of the style weights with rows of unit length."""
    layers = torch.arange(stylegan.num_ws) < 4
    sampler = LatentSampler(stylegan, layers=layers, class_index=None, feature_size=8, max_batch=32)
    statistics = sampler.statistics(500, seeded_generator(0, 0))
    latents = sampler.latent(sampler.draw(500, seeded_generator(0, 0))).double().numpy()
    rows = torch.cat(list(stylegan.style_weights())[:4]).detach().double().numpy()
    for ours, matrix in (
        (pca_baseline, latents - latents.mean(axis=0)),
        (sefa_baseline, rows / np.linalg.norm(rows, axis=1, keepdims=True)),
    ):
        axes = np.linalg.svd(matrix, full_matrices=False)[2][:3]
        cosines = ours(stylegan, statistics, layers, 3).vectors @ axes.T
        np.testing.assert_allclose(np.abs(cosines), np.eye(3), atol=1e-4)


@pytest.mark.parametrize(
    ("settings", "message"),
    [
        ({"points": 7}, "at least 8 pictures"),
        ({"seeds": (0,) * 9}, "seeds should differ"),
        ({"steps": 6}, "steps should be odd"),
        ({"random_directions": 15}, "random_directions should be at least 16, got 15"),
        ({"max_strength": 0}, "max_strength should be greater than 0"),
        ({"points": 8, "neighbours": 8}, "neighbours should be fewer than pictures"),
    ],
)
def test_settings_out_of_range(settings, message):
    with pytest.raises(ValueError, match=message):
        EvaluationSettings(**settings)


def test_what_cannot_be_evaluated():
    generator = turning_generator()
    with pytest.raises(ValueError, match="at least one direction to evaluate, got none"):
        evaluate_directions(generator, along(np.zeros((0, 4))), FEW)
    with pytest.raises(ValueError, match="w_dim should be 4, got 5"):
        evaluate_directions(generator, along(np.eye(5)[:1]), FEW)
    still = from_callable(lambda z: torch.zeros(len(z), 3, 2, 2), 4, name="still")
    with pytest.raises(ValueError, match="random directions do not change the pictures of still"):
        evaluate_directions(still, along(np.eye(4)[:1]), FEW)
