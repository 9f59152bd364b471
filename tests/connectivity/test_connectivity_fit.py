"""Training of the connectivity autoencoder: tree edges go to eta, resume, files, degenerate batches."""

from __future__ import annotations

import numpy as np
import pytest
import torch

from gan_topdis.connectivity import ConnectivityAutoencoder, fit, load
from gan_topdis.losses import ConnectivityLoss
from gan_topdis.training.csv_log import read_log

FEW = {
    "branches": 4,
    "branch_dim": 3,
    "batch_size": 20,
    "steps": 8,
    "device": "cpu",
    "log_every": 2,
    "checkpoint_every": 100,
}


@pytest.fixture(scope="module")
def images():
    """Bars of two directions over noise, no two alike: equal pictures would stay at distance 0."""
    rng = np.random.default_rng(0)
    pixels = rng.integers(0, 80, size=(60, 1, 16, 16), dtype=np.uint8)
    for index, place in enumerate(rng.integers(0, 14, size=60)):
        if index % 2:
            pixels[index, 0, place : place + 2] = 255
        else:
            pixels[index, 0, :, place : place + 2] = 255
    return pixels


def same(a, b):
    return all(torch.equal(x, y) for x, y in zip(a.parameters(), b.parameters(), strict=True))


def test_tree_edges_are_drawn_to_eta(images, tmp_path):
    options = {**FEW, "steps": 120, "eta": 3.0, "learning_rate": 3e-3}
    fit(images, **options, weight=20.0, outdir=tmp_path / "with")
    fit(images, **options, weight=0.0, outdir=tmp_path / "without")
    first, plain = (read_log(tmp_path / name / "log.csv") for name in ("with", "without"))
    assert first["mean_edge"][0] < 0.5
    assert np.mean(first["mean_edge"][-5:]) == pytest.approx(3.0, abs=0.5)
    assert first["connectivity"][-1] < 0.5 * first["connectivity"][0]
    assert first["alpha"][-1] <= first["mean_edge"][-1] <= first["beta"][-1]
    assert first["reconstruction"][-1] < first["reconstruction"][0]
    assert "connectivity" not in plain and abs(plain["mean_edge"][-1] - 3.0) > 1.0


def test_the_logged_numbers_are_those_of_the_model(images, tmp_path):
    """One step of one batch of all images: losses of the untrained model."""
    fit(images, **{**FEW, "steps": 1, "batch_size": 60, "log_every": 1}, outdir=tmp_path, seed=4)
    untrained = ConnectivityAutoencoder(1, 16, branches=4, branch_dim=3, seed=4)
    x = torch.from_numpy(images).float() / 255
    with torch.no_grad():
        codes = untrained.encode(x)
        log = read_log(tmp_path / "log.csv")
        # batches have another order: sums of floats in another order
        assert log["connectivity"][0] == pytest.approx(float(ConnectivityLoss(branches=4)(codes)), rel=1e-4)
        expected = float((untrained.decode(codes) - x).abs().sum() / 60)
        assert log["reconstruction"][0] == pytest.approx(expected, rel=1e-4)


def test_interrupted_and_resumed_equals_uninterrupted(images, tmp_path):
    whole = fit(images, **FEW, seed=2, outdir=tmp_path / "whole")

    def stop(progress):
        if progress.done == 5:
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        fit(images, **FEW, seed=2, outdir=tmp_path / "out", on_progress=stop)
    torch.manual_seed(5)
    assert same(fit(images, **FEW, seed=2, outdir=tmp_path / "out", resume=True), whole)
    assert (tmp_path / "out" / "log.csv").read_text() == (tmp_path / "whole" / "log.csv").read_text()
    with pytest.raises(ValueError, match=r"has weight 20.0, this one 1.0"):
        fit(images, **FEW, seed=2, weight=1.0, outdir=tmp_path / "out", resume=True)
    with pytest.raises(ValueError, match="the run to continue has images_sha256"):
        fit(255 - images, **FEW, seed=2, outdir=tmp_path / "out", resume=True)


def test_checkpoints_are_told_of(images):
    seen = []
    options = {**FEW, "steps": 5, "checkpoint_every": 2}
    model = fit(images, **options, on_checkpoint=lambda done, model: seen.append((done, model)))
    assert seen == [(2, model), (4, model), (5, model)]


def test_a_saved_model_is_the_model(images, tmp_path):
    model = fit(images, **{**FEW, "steps": 2}, block_init="block", outdir=tmp_path)
    again = load(tmp_path / "autoencoder.safetensors")
    x = torch.from_numpy(images).float() / 255
    assert torch.equal(again.encode(x), model.encode(x)) and again.settings == model.settings
    assert not again.training
    (tmp_path / "autoencoder.safetensors").write_bytes(b"x")
    with pytest.raises(ValueError, match="no safetensors file"):
        load(tmp_path / "autoencoder.safetensors")


@pytest.mark.parametrize("count", [1, 2])
def test_degenerate_batches_train(count):
    """A single picture has no tree; equal pictures have edges of length 0, whose gradient is 0."""
    model = fit(np.full((count, 16, 16), 100, dtype=np.uint8), **{**FEW, "steps": 2})
    assert all(torch.isfinite(p).all() for p in model.parameters())


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"weight": -1}, "weight should be at least 0"),
        ({"resume": True}, "resume needs the outdir"),
        ({"branches": 7}, "branches should divide"),
        ({"eta": -1}, "eta"),
        ({"steps": 0}, "steps should be at least 1"),
    ],
)
def test_refusals(images, options, message):
    with pytest.raises(ValueError, match=message):
        fit(images, **{**FEW, **options})
