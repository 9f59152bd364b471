"""Label probe: draws, batched classifiers against single ones, what is chosen by which rows."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from sklearn.datasets import load_digits
from sklearn.linear_model import LogisticRegression
from torch import nn

from gan_topdis.metrics import label_probe, mlp_classifiers, stratified_draws
from gan_topdis.metrics.mlp_classifiers import MLPClassifiers, epochs_of
from gan_topdis.seeding import seeded_generator

CLASSES = np.random.default_rng(0).permutation(np.repeat(np.arange(5), [40, 50, 60, 70, 80]))


@pytest.fixture(scope="module")
def digits():
    """1,200 training and 597 test digits of 64 pixels, in random order."""
    x, y = load_digits(return_X_y=True)
    order = np.random.default_rng(0).permutation(len(x))
    return x[order[:1200]], y[order[:1200]], x[order[1200:]], y[order[1200:]]


@pytest.fixture
def narrow(monkeypatch):
    """Hidden layers of 24 instead of 512: seconds instead of minutes."""
    monkeypatch.setattr(mlp_classifiers, "HIDDEN", (24, 24, 24))
    monkeypatch.setattr(mlp_classifiers, "LEARNING_RATE", 3e-3)


# --- draws


def test_draws_are_stratified_disjoint_from_the_held_out_rows_and_differ():
    found = stratified_draws(CLASSES, 50, 4, held_out=20, seed=3)
    assert found.labelled.shape == (4, 50)
    for rows in (*found.labelled, found.held_out):
        assert len(np.unique(rows)) == len(rows)
        assert (np.bincount(CLASSES[rows]) == len(rows) // 5).all()
    assert not np.isin(found.held_out, found.labelled).any()
    assert len(np.unique(np.sort(found.labelled, axis=1), axis=0)) == 4
    # whole rounds: any 5 k first rows have each class k times
    assert (np.bincount(CLASSES[found.labelled[0, :10]]) == 2).all()


def test_a_draw_does_not_depend_on_the_number_of_draws():
    one, many = (stratified_draws(CLASSES, 20, draws, held_out=10, seed=1) for draws in (1, 6))
    assert np.array_equal(one.labelled[0], many.labelled[0])
    assert np.array_equal(one.held_out, many.held_out)
    other = stratified_draws(CLASSES, 20, 1, held_out=10, seed=2)
    assert not np.array_equal(one.labelled, other.labelled)


def test_every_row_of_a_class_is_as_likely():
    """300 draws of 4 of 40 rows: 30 each, 4.5 standard deviations are 23.4 (hypergeometric variance 27)."""
    counts = np.bincount(stratified_draws(CLASSES, 20, 300).labelled.ravel(), minlength=len(CLASSES))
    of_class_0 = counts[CLASSES == 0]
    assert of_class_0.sum() == 1200
    assert abs(of_class_0 - 30).max() < 4.5 * 27**0.5


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"labels": 12}, "labels should be a multiple of the 5 classes, got 12"),
        ({"labels": 0}, "labels should be a multiple"),
        ({"held_out": 3}, "held_out should be a multiple of the 5 classes, got 3"),
        ({"draws": 0}, "draws should be at least 1, got 0"),
        (
            {"labels": 150, "held_out": 60},
            "at least 42 training rows, 30 with labels and 12 held out, got 40 of class 0",
        ),
    ],
)
def test_refused_draws(options, message):
    with pytest.raises(ValueError, match=message):
        stratified_draws(CLASSES, **{"labels": 20, "draws": 2, **options})


# --- classifiers


def single_classifier(models, draw):
    """The network of one draw out of layers of PyTorch."""
    layers = []
    for weight, bias in zip(models.parameters[::2], models.parameters[1::2], strict=True):
        layer = nn.Linear(*weight.shape[1:])
        layer.weight.data, layer.bias.data = weight[draw].detach().T.clone(), bias[draw, 0].detach().clone()
        layers += [layer, nn.LeakyReLU(0.1)]
    return nn.Sequential(*layers[:-1])


def test_batched_training_is_that_of_each_alone():
    """Against nn.Linear, LeakyReLU and Adam of PyTorch, two batches of 192 out of 500 rows an epoch."""
    draws, n, epochs, seed = 3, 500, 3, 7
    random = torch.Generator().manual_seed(0)
    x = torch.randn(draws, n, 6, generator=random)
    y = torch.randint(4, (draws, n), generator=random)
    models = MLPClassifiers(draws, (6, 16, 12, 4), seed=seed)
    alone = [single_classifier(models, draw) for draw in range(draws)]
    assert list(epochs_of(models, x, y, epochs, seed=seed)) == [1, 2, 3]
    for draw, network in enumerate(alone):
        adam = torch.optim.Adam(network.parameters(), lr=1e-4, betas=(0.1, 0.99))
        orders = seeded_generator(seed, 1, draw)
        for _ in range(epochs):
            order = torch.randperm(n, generator=orders)
            for rows in order[:384].split(192):
                adam.zero_grad()
                nn.functional.cross_entropy(network(x[draw, rows]), y[draw, rows]).backward()
                adam.step()
        with torch.no_grad():
            expected = network(x[draw])
        # float32 sums in another order, six steps of at most 1e-4 in each weight
        torch.testing.assert_close(models.logits(x)[draw], expected, atol=1e-5, rtol=0)
        right = (expected.argmax(dim=1) == y[draw]).double().mean()
        assert models.accuracy(x, y, at_once=100)[draw] == pytest.approx(float(right), abs=1e-12)
    untrained = MLPClassifiers(draws, (6, 16, 12, 4), seed=seed)
    assert not torch.allclose(untrained.logits(x), models.logits(x), atol=1e-5)


def test_classifiers_start_as_linear_layers_do_and_draws_differ():
    models = MLPClassifiers(2, (64, 512, 10), seed=0)
    shapes = [tuple(parameter.shape) for parameter in models.parameters]
    assert shapes == [
        (2, 64, 512),
        (2, 1, 512),
        (2, 512, 10),
        (2, 1, 10),
    ]
    weight = models.parameters[0].detach()
    assert 0.99 / 8 < weight.abs().max() <= 1 / 8
    assert weight.std() == pytest.approx(1 / 8 / 3**0.5, rel=0.01)
    assert not torch.equal(weight[0], weight[1])
    assert torch.equal(weight[:1], MLPClassifiers(1, (64, 512, 10), seed=0).parameters[0])


# --- the probe


@pytest.mark.parametrize("validation", ["held_out", "labelled"])
def test_logistic_probe_is_scikit_learn_on_the_rows_it_names(digits, validation):
    x, y, x_test, y_test = digits
    found = label_probe(
        *digits, labels=100, draws=2, seed=5, probe="logistic", validation=validation, held_out=200
    )
    rows = stratified_draws(y, 100, 2, held_out=200 if validation == "held_out" else 0, seed=5)
    mean, spread = x.mean(axis=0), np.where(x.std(axis=0) > 0, x.std(axis=0), 1)
    z, z_test = (x - mean) / spread, (x_test - mean) / spread

    def accuracy(train, c, test, labels):
        return LogisticRegression(C=c, max_iter=1000).fit(z[train], y[train]).score(test, labels)

    for draw, labelled in enumerate(rows.labelled):
        train, choose = labelled, rows.held_out
        if validation == "labelled":
            train, choose = labelled[20:], labelled[:20]
        scores = {10.0**p: accuracy(train, 10.0**p, z[choose], y[choose]) for p in range(-4, 4)}
        best = max(scores, key=scores.get)  # the first, which is the smallest, among equals
        assert found.selected[draw] == best
        assert found.validation_accuracy[draw] == scores[best]
        assert found.accuracy[draw] == accuracy(labelled, best, z_test, y_test)
        assert found.unselected_accuracy[draw] == accuracy(labelled, 1.0, z_test, y_test)
    assert found.mean == pytest.approx(found.accuracy.mean())
    assert found.spread == pytest.approx(abs(found.accuracy[0] - found.accuracy[1]) / 2**0.5)
    assert found.settings["validation_rows"] == (200 if validation == "held_out" else 20)
    assert (found.settings["train_rows"], found.settings["test_rows"]) == (1200, 597)


@pytest.mark.parametrize("validation", ["held_out", "labelled"])
@pytest.mark.parametrize("probe", ["mlp", "logistic"])
def test_nothing_is_chosen_by_the_test_set(digits, narrow, probe, validation):
    """With other labels in the test set, accuracies there fall to chance, and choices stay."""
    x, y, x_test, y_test = digits
    options = {"labels": 100, "draws": 2, "probe": probe, "validation": validation, "held_out": 200}
    options |= {"epochs": 30, "check_every": 4}
    found = label_probe(*digits, **options)
    shuffled = label_probe(x, y, x_test, np.random.default_rng(0).permutation(y_test), **options)
    assert np.array_equal(found.selected, shuffled.selected)
    assert np.array_equal(found.validation_accuracy, shuffled.validation_accuracy)
    assert (found.accuracy > 0.7).all()
    # 597 rows, chance 0.1: 4 standard deviations are 0.05
    assert (abs(shuffled.accuracy - 0.1) < 0.05).all()
    again = label_probe(*digits, **options)
    assert np.array_equal(found.accuracy, again.accuracy)
    assert np.array_equal(found.unselected_accuracy, again.unselected_accuracy)


def test_mlp_probe_keeps_the_weights_of_the_chosen_epoch(digits, narrow):
    """A run that ends at the chosen epoch ends with its accuracies; the last epoch is asked too."""
    options = {"labels": 100, "draws": 1, "held_out": 200, "check_every": 4}
    for seed in range(3):
        found = label_probe(*digits, **options, seed=seed, epochs=30)
        epoch = int(found.selected[0])
        assert epoch in {*range(4, 31, 4), 30}
        short = label_probe(*digits, **options, seed=seed, epochs=epoch)
        assert short.unselected_accuracy[0] == found.accuracy[0]
        assert short.validation_accuracy[0] == found.validation_accuracy[0]
    labelled = label_probe(*digits, **options, validation="labelled", epochs=12)
    epoch = int(labelled.selected[0])
    # trained anew on all labels to that epoch; with another split nothing is held out, so draws are the same
    short = label_probe(*digits, **options, validation="labelled", epochs=epoch)
    assert short.unselected_accuracy[0] == labelled.accuracy[0]


def test_a_draw_is_the_same_among_others(digits, narrow):
    one, three = (label_probe(*digits, labels=100, draws=n, held_out=200, epochs=8) for n in (1, 3))
    # a batched product may round otherwise, and a row of 597 change sides
    assert one.accuracy[0] == pytest.approx(three.accuracy[0], abs=2.5 / 597)
    assert np.ptp(three.accuracy) > 0
    assert np.isnan(one.spread)


def test_scale_does_not_matter_once_standardised_by_training_rows(digits):
    x, y, x_test, y_test = digits
    options = {"labels": 100, "draws": 2, "probe": "logistic", "held_out": 200}
    scale = np.logspace(-1, 1, x.shape[1])
    expected = label_probe(*digits, **options).accuracy
    # the solver stops within its tolerance: a row or two of 597 may change sides
    assert label_probe(x * scale + 7, y, x_test * scale + 7, y_test, **options).accuracy == pytest.approx(
        expected, abs=3 / 597
    )
    # test rows elsewhere are not brought back by a mean of their own
    assert label_probe(x, y, x_test + 40, y_test, **options).mean < expected.mean() - 0.1
    raw = label_probe(x * scale, y, x_test * scale, y_test, **{**options, "draws": 1}, standardise=False)
    assert abs(raw.mean - expected[0]) > 0.01


@pytest.mark.parametrize("probe", ["mlp", "logistic"])
def test_features_that_tell_all_or_nothing(narrow, probe):
    rng = np.random.default_rng(0)
    y, y_test = (rng.permutation(np.repeat(np.arange(4), 100)) for _ in range(2))
    options = {"labels": 40, "draws": 3, "held_out": 40, "probe": probe, "epochs": 40}
    names = np.array([7, -3, 100, 20])  # classes may have any names
    told = label_probe(np.eye(4)[y], names[y], np.eye(4)[y_test], names[y_test], **options)
    assert (told.accuracy == 1).all()
    assert (told.unselected_accuracy == 1).all()
    if probe == "logistic":
        assert (told.selected == 1e-4).all()  # all are equal: the smallest
    noise = label_probe(rng.normal(size=(400, 4)), y, rng.normal(size=(400, 4)), y_test, **options)
    # chance 0.25 on 400 rows: 5 standard deviations are 0.11
    assert (abs(noise.accuracy - 0.25) < 0.11).all()


def test_tensors_are_read(digits):
    options = {"labels": 50, "draws": 1, "held_out": 50, "probe": "logistic"}
    tensors = [torch.from_numpy(np.asarray(each)) for each in digits]
    assert label_probe(*tensors, **options).mean == label_probe(*digits, **options).mean


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"probe": "svm"}, "probe should be one of mlp, logistic, got 'svm'"),
        ({"validation": "test"}, "validation should be one of held_out, labelled, got 'test'"),
        ({"epochs": 0}, "epochs should be at least 1, got 0"),
        ({"labels": 60, "validation": "labelled"}, "multiple of 50, .* got 60; use validation='held_out'"),
        ({"labels": 55}, "labels should be a multiple of the 10 classes, got 55"),
        ({"labels": 1000}, "every class should have at least 150 training rows, .* 50 held out"),
    ],
)
def test_refused_options(digits, options, message):
    with pytest.raises(ValueError, match=message):
        label_probe(*digits, **{"held_out": 500, **options})


def test_refused_arrays(digits):
    x, y, x_test, y_test = digits
    with pytest.raises(ValueError, match="as many columns, got 64 and 63"):
        label_probe(x, y, x_test[:, 1:], y_test)
    with pytest.raises(ValueError, match=r"labels_test should have shape \(597,\)"):
        label_probe(x, y, x_test, y_test[1:])
    with pytest.raises(ValueError, match="every class of labels_test, got 1 that it has not"):
        label_probe(x, np.where(y == 9, 8, y), x_test, y_test)
    with pytest.raises(ValueError, match="features_train should be finite"):
        label_probe(np.where(x > 15, np.nan, x), y, x_test, y_test)


@pytest.mark.cuda
def test_cuda_gives_the_same_probe(digits, narrow):
    options = {"labels": 100, "draws": 3, "held_out": 200, "epochs": 20}
    cpu, cuda = (label_probe(*digits, **options, device=device) for device in ("cpu", "cuda"))
    assert cuda.unselected_accuracy == pytest.approx(cpu.unselected_accuracy, abs=0.02)
