"""The classifier behind quality measures: training, resume, its file, refusals."""

from __future__ import annotations

import numpy as np
import pytest
import torch

from gan_topdis.gan.feature_classifier import (
    FEATURE_CLASSIFIER_FILE,
    FeatureClassifier,
    classifier_accuracy,
    fit_feature_classifier,
    load_feature_classifier,
)
from gan_topdis.training.csv_log import read_log


@pytest.fixture(scope="module")
def bars():
    """120 images of a bright bar, class 0 lying, class 1 standing, under noise."""
    rng = np.random.default_rng(0)
    images = 0.3 * rng.random((120, 1, 12, 12))
    labels = np.arange(120) % 2
    for image, label, place in zip(images, labels, rng.integers(0, 10, size=120), strict=True):
        bar = image[0].T if label else image[0]
        bar[place : place + 2] += 0.7
    return images.astype(np.float32), labels


def same(a, b):
    return all(
        torch.equal(x, y) for x, y in zip(a.state_dict().values(), b.state_dict().values(), strict=True)
    )


def test_it_learns_what_it_did_not_before_and_knows_how_well(bars, tmp_path):
    images, labels = bars
    model = fit_feature_classifier(
        images[:80],
        labels[:80],
        test_images=images[80:],
        test_labels=labels[80:],
        steps=60,
        batch_size=32,
        device="cpu",
        outdir=tmp_path,
    )
    assert model.accuracy == 1
    assert not model.training
    assert classifier_accuracy(model, images[80:], 1 - labels[80:]) == 0
    kept = load_feature_classifier(tmp_path / FEATURE_CLASSIFIER_FILE)
    assert kept.settings == {"channels": 1, "classes": 2, "accuracy": 1.0}
    assert same(kept, model)
    x = torch.from_numpy(images[:5])
    with torch.no_grad():
        assert kept.features(x).shape == (5, 64)
        # rows do not depend on the others: running statistics, not those of the batch
        torch.testing.assert_close(kept.features(x)[2:3], kept.features(x[2:3]), atol=1e-6, rtol=0)
        torch.testing.assert_close(kept.head(kept.features(x)), kept(x))
    log = read_log(tmp_path / "log.csv")
    assert log["cross_entropy"][-1] < 0.1


def test_interrupted_and_resumed_equals_uninterrupted(bars, tmp_path):
    images, labels = bars
    options = {"steps": 12, "batch_size": 32, "device": "cpu", "seed": 4}
    whole = fit_feature_classifier(images, labels, **options)

    def stop(progress):
        if progress.done == 5:
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        fit_feature_classifier(images, labels, **options, outdir=tmp_path, on_progress=stop)
    torch.manual_seed(99)  # nothing global matters
    assert same(fit_feature_classifier(images, labels, **options, outdir=tmp_path, resume=True), whole)
    assert not same(fit_feature_classifier(images, labels, **{**options, "seed": 5}), whole)
    with pytest.raises(ValueError, match="the run to continue has steps 12, this one 13"):
        fit_feature_classifier(images, labels, **{**options, "steps": 13}, outdir=tmp_path, resume=True)
    with pytest.raises(ValueError, match="the run to continue has images_sha256"):
        fit_feature_classifier(1 - images, labels, **options, outdir=tmp_path, resume=True)
    with pytest.raises(ValueError, match="the run to continue has labels_sha256"):
        fit_feature_classifier(images, 1 - labels, **options, outdir=tmp_path, resume=True)


def test_a_loss_that_is_not_finite_ends_the_training(bars):
    with pytest.raises(ValueError, match="the gradient should be finite, got NaN or infinity"):
        fit_feature_classifier(*bars, steps=5, learning_rate=1e30, device="cpu")


def test_refusals(bars, tmp_path):
    images, labels = bars
    with pytest.raises(ValueError, match=r"labels should be 120 classes from 0, .* got torch.int64 \(119,\)"):
        fit_feature_classifier(images, labels[1:], device="cpu")
    with pytest.raises(ValueError, match="labels should be 120 classes from 0"):
        fit_feature_classifier(images, labels - 1, device="cpu")
    with pytest.raises(ValueError, match="test_images and test_labels should be given together"):
        fit_feature_classifier(images, labels, test_images=images, device="cpu")
    with pytest.raises(ValueError, match="classes at least 2, got 1 and 1"):
        FeatureClassifier(1, 1)
    with pytest.raises(ValueError, match=r"images should have shape \(n, 1, h, w\), got \(2, 3, 12, 12\)"):
        FeatureClassifier(1, 2).features(torch.zeros(2, 3, 12, 12))
    (tmp_path / "other.safetensors").write_bytes(b"x" * 40)
    with pytest.raises(ValueError, match="no safetensors file"):
        load_feature_classifier(tmp_path / "other.safetensors")
