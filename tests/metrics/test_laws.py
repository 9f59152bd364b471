"""Invariances, samplers, and what is refused."""

from __future__ import annotations

import pickle

import numpy as np
import pytest
import torch

from gan_topdis.metrics import (
    METRICS,
    FactorGrid,
    FactorPool,
    beta_vae_score,
    dci,
    evaluate,
    explicitness,
    factor_vae_score,
    mig,
    modularity,
    sap,
)

SIZES = (3, 4, 5)
GRID = FactorGrid(SIZES)


@pytest.fixture
def data():
    rng = np.random.default_rng(0)
    factors = np.stack([rng.integers(size, size=1_200) for size in SIZES], axis=1)
    mixing = np.array([[1, 0.3, 0], [0, 1, 0.2], [0.1, 0, 1], [0.5, 0.5, 0]])
    return factors @ mixing.T + 0.3 * rng.normal(size=(1_200, 4)), factors


@pytest.mark.parametrize("metric", [mig, modularity, lambda z, f: sap(z, f, continuous=True)])
def test_order_sign_affine_maps_and_names_do_not_matter(data, metric):
    codes, factors = data
    expected = float(metric(codes, factors))
    rng = np.random.default_rng(1)
    order = rng.permutation(len(codes))
    assert metric(codes[order], factors[order]) == pytest.approx(expected, abs=1e-9)
    assert metric(codes[:, ::-1], factors[:, ::-1]) == pytest.approx(expected, abs=1e-9)
    # points on bin edges change sides under a sign; none lies there but the extremes
    assert metric(-3 * codes + 7, factors) == pytest.approx(expected, abs=0.005)
    if metric is not modularity and metric is not mig:
        return
    names = np.stack(
        [rng.permutation(size)[column] * 10 - 3 for size, column in zip(SIZES, factors.T, strict=True)], 1
    )
    assert metric(codes, names) == pytest.approx(expected, abs=1e-12)


def test_tensors_and_integers_of_any_kind_are_read(data):
    codes, factors = data
    expected = mig(codes, factors)
    tensor = torch.from_numpy(codes).requires_grad_()
    assert mig(tensor, torch.from_numpy(factors)) == expected
    assert mig(codes.astype(np.float32), factors.astype(np.uint8)) == pytest.approx(expected, abs=0.01)
    assert mig(codes, factors.astype(np.float64)) == expected


def test_a_score_is_a_float_that_remembers(data):
    score = mig(*data, seed=3)
    assert isinstance(score, float) and float(score) == score == score.score
    assert score.settings == {"protocol": "paper", "points": 1_200, "bins": 20, "seed": 3}
    assert score == pytest.approx(score.per_factor.mean())
    again = pickle.loads(pickle.dumps(score))
    assert again == score and again.settings == score.settings
    np.testing.assert_array_equal(again.mutual_information, score.mutual_information)
    assert repr(score) == f"MIG({float(score):.4f} of {score.ceiling:.4f})"


def test_every_factor_has_its_ceiling_or_the_metric_has_none(data):
    codes, factors = data
    wider = np.insert(factors, 1, 7, axis=1)
    for name, score in evaluate(codes, wider, protocol="fast").scores.items():
        if name in ("modularity", "beta_vae_score"):
            assert score.ceiling_per_factor is None and np.isnan(score.per_factor).all()
            continue
        assert score.ceiling_per_factor.shape == score.per_factor.shape == (3,)
        assert score.ceiling_per_factor.mean() == pytest.approx(score.ceiling)
    ideal = sap(factors - factors.mean(axis=0), factors)
    assert ideal.per_factor == pytest.approx(ideal.ceiling_per_factor, abs=0.1)
    # of three values the linear classifier finds the two outer ones, of five hardly more
    assert ideal.ceiling_per_factor[0] == pytest.approx(0.67, abs=0.05)


def test_the_same_seed_gives_the_same_score(data):
    for metric in (factor_vae_score, beta_vae_score):
        few = {"train_votes": 300, "eval_votes": 300} if metric is factor_vae_score else {}
        few = few or {"train_points": 200, "eval_points": 200}
        assert metric(*data, seed=1, **few) == metric(*data, seed=1, **few)


def test_factors_of_one_value_are_left_out_and_named(data):
    codes, factors = data
    wider = np.insert(factors, 1, 7, axis=1)
    score = mig(codes, wider)
    assert score == mig(codes, factors)
    assert score.factors == (0, 2, 3) and score.notes == ("factor 1 has one value and is left out",)
    assert sap(codes, wider, continuous=True).factors == (0, 2, 3)
    assert factor_vae_score(codes, wider, train_votes=200, eval_votes=200).factors == (0, 2, 3)


def test_a_dropped_code_takes_its_share_with_it():
    factors = GRID.factors.repeat(20, axis=0)
    whole = mig(factors, factors)
    assert whole == pytest.approx(1)
    assert mig(factors[:, 1:], factors) == pytest.approx(2 / 3)


def test_groups_share_their_factor_and_nothing_else():
    rng = np.random.default_rng(0)
    fixed = rng.integers(3, size=400)
    for sampler in (GRID, FactorPool(GRID.factors), FactorPool(GRID.factors[rng.permutation(60)[:45]])):
        labels = GRID.factors if sampler.size == 60 else None
        rows = sampler.sharing(fixed, 24, rng)
        assert rows.shape == (400, 24) and rows.min() >= 0 and rows.max() < sampler.size
        if labels is None:
            continue
        values = labels[rows]  # (votes, group, k)
        spread = np.ptp(values, axis=1)
        assert (spread[np.arange(400), fixed] == 0).all()
        others = np.ones((400, 3), dtype=bool)
        others[np.arange(400), fixed] = False
        assert (spread[others] > 0).mean() > 0.99
        # every value is shared equally often on a grid
        counts = np.bincount(values[fixed == 2, 0, 2], minlength=5)
        assert counts.min() > 0.4 * counts.mean()
    np.testing.assert_array_equal(GRID.factors[7], [0, 1, 2])


def test_an_encoder_sees_every_image_once(data):
    codes, factors = data
    seen = []

    def encode(images):
        seen.append(len(images))
        return torch.from_numpy(codes)[images[:, 0].long()]

    images = torch.arange(1_200)[:, None].float()
    few = {"train_votes": 300, "eval_votes": 300}
    score = factor_vae_score(encode, (images, factors), **few)
    assert sum(seen) == 1_200
    assert score == factor_vae_score(codes, factors, **few)

    class Labelled:
        pass

    dataset = Labelled()
    dataset.images, dataset.factors = images, factors
    assert factor_vae_score(encode, dataset, **few) == score


def test_everything_in_one_record(data):
    codes, factors = data
    names = [n for n in METRICS if n not in ("factor_vae_score", "beta_vae_score", "dci")]
    record = evaluate(codes, factors, protocol="fast", seed=2, only=names)
    assert list(record.scores) == names
    assert record["mig"] == mig(codes, factors, seed=2)
    assert record["sap_continuous"] == sap(codes, factors, continuous=True)
    assert 0.5 < record["explicitness"] <= 1
    grid = evaluate(GRID.factors, GRID, only=["mig", "modularity"])
    assert grid["mig"] == pytest.approx(1)
    with pytest.raises(ValueError, match=r"metric should be one of mig, .* got 'migg'"):
        evaluate(codes, factors, only=["migg"])


def test_random_codes_fail(data):
    """A metric that cannot fail a bad code says nothing."""
    codes, factors = data
    noise = np.random.default_rng(5).normal(size=codes.shape)
    assert mig(noise, factors) < 0.05 < 0.2 < mig(codes, factors)
    assert dci(noise[:400], factors[:400], protocol="fast").disentanglement < 0.1
    assert dci(codes[:400], factors[:400], protocol="fast").disentanglement > 0.3
    assert explicitness(noise, factors) == pytest.approx(0.5, abs=0.06)
    assert factor_vae_score(noise, factors, train_votes=2_000, eval_votes=2_000) < 0.5
    assert factor_vae_score(codes, factors, train_votes=2_000, eval_votes=2_000) > 0.9


def test_outliers_are_noted():
    factors = GRID.factors.repeat(50, axis=0)
    codes = factors + 0.1 * np.random.default_rng(0).normal(size=factors.shape)
    assert mig(codes, factors).notes == ()
    codes[0] = 400
    assert "outliers stretch the bins" in mig(codes, factors).notes[0]


@pytest.mark.parametrize(
    ("codes", "factors", "message"),
    [
        (np.zeros(5), np.zeros((5, 1)), r"codes should have shape \(n, d\).*got \(5,\)"),
        (np.zeros((0, 2)), np.zeros((0, 1)), r"codes should have shape"),
        (np.zeros((5, 2)), np.zeros((4, 2)), "as many rows, got 5 and 4"),
        (np.zeros((5, 2)), np.arange(10).reshape(2, 5), "transpose the factors"),
        (np.full((5, 2), np.nan), np.arange(5)[:, None], "codes should be finite, got NaN or infinity in 5"),
        (np.zeros((5, 2)), np.full((5, 1), np.inf), "factors should be finite"),
        (np.zeros((5, 2)), np.full((5, 1), 0.5), "factors should be whole numbers"),
        (np.zeros((5, 2)), np.array([["a"]] * 5), "factors should be whole numbers, got <U1"),
        (np.zeros((5, 2)), np.ones((5, 1)), "at least one column with two values"),
    ],
)
def test_refusals(codes, factors, message, as_users_run):
    with pytest.raises(ValueError, match=message):
        mig(codes, factors)


def test_options_out_of_range_are_refused(data):
    codes, factors = data
    with pytest.raises(ValueError, match="protocol should be one of paper, fast, got 'slow'"):
        mig(codes, factors, protocol="slow")
    with pytest.raises(ValueError, match="bins should be at least 1, got 0"):
        mig(codes, factors, bins=0)
    with pytest.raises(ValueError, match="group should be at least 2, got 1"):
        factor_vae_score(codes, factors, group=1)
    with pytest.raises(ValueError, match="one row per row of the factors"):
        factor_vae_score(codes[:-1], FactorPool(factors))
    with pytest.raises(ValueError, match="dataset should be a pair"):
        factor_vae_score(lambda x: x, factors)
    with pytest.raises(ValueError, match="sizes should be at least 1"):
        FactorGrid((3, 0))
