"""Semi-supervised probe: how well a classifier does on frozen features with a few labels."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
from jaxtyping import Float, Int

from gan_topdis.metrics.arrays import code_array, factor_array
from gan_topdis.metrics.classifiers import LogisticRegressions
from gan_topdis.metrics.label_draws import LabelDraws, stratified_draws

PROBES = ("mlp", "logistic")
VALIDATIONS = ("held_out", "labelled")
C_GRID = tuple(10.0**power for power in range(-4, 4))
"""Inverse weights of the penalty of logistic regression among which the validation rows choose."""
DEFAULT_C = 1.0
_SHARE = 5
"""With validation="labelled" one label in five is for validation."""


@dataclass(frozen=True, eq=False)
class LabelProbe:
    """Accuracies on the test set, one per draw of labels.

    Attributes:
        accuracy: (draws,), shares, with the setting that did best on the validation rows.
        unselected_accuracy: (draws,), with nothing chosen: after the last epoch (mlp), at C = 1 (logistic).
        validation_accuracy: (draws,), of the chosen setting, on the rows that chose it.
        selected: (draws,), the chosen epoch (mlp) or C (logistic).
        settings: what was asked for, and numbers of rows.
    """

    accuracy: Float[np.ndarray, " draws"]
    unselected_accuracy: Float[np.ndarray, " draws"]
    validation_accuracy: Float[np.ndarray, " draws"]
    selected: Float[np.ndarray, " draws"]
    settings: Mapping[str, Any]

    @property
    def mean(self) -> float:
        """Mean accuracy over draws."""
        return float(self.accuracy.mean())

    @property
    def spread(self) -> float:
        """Standard deviation over draws (n - 1 below the sum); NaN for one draw."""
        return float(self.accuracy.std(ddof=1)) if len(self.accuracy) > 1 else float("nan")


def label_probe(
    features_train: Any,
    labels_train: Any,
    features_test: Any,
    labels_test: Any,
    *,
    labels: int = 200,
    draws: int = 10,
    seed: int = 0,
    probe: str = "mlp",
    epochs: int = 1000,
    check_every: int = 20,
    validation: str = "held_out",
    held_out: int = 1000,
    standardise: bool = True,
    device: str = "cpu",
) -> LabelProbe:
    """Test accuracy of classifiers that learn from a few labels, and never choose by the test set.

    Epoch (mlp) or C (logistic) are those of the best accuracy on validation rows; the earliest epoch, the
    smallest C, among equals. The test set is predicted afterwards, once.

    Args:
        features_train: (n, d), numpy or torch, of an encoder that is frozen.
        labels_train: (n,) whole numbers; only those of drawn and of held-out rows are used.
        features_test, labels_test: (m, d) and (m,).
        labels: labels a draw learns from, a multiple of the number of classes: as many of each.
        draws: of labels; each trains a classifier of its own.
        seed: of draws, weights and batches. Same seed, same result on CPU; draw i depends on other draws in
            rounding only.
        probe: mlp (d-512-512-512-classes, LeakyReLU .1, Adam 1e-4 with betas .1 and .99, batches of 192) or
            logistic (scikit-learn, L2 penalty, C of `C_GRID`).
        epochs, check_every: of mlp; the validation rows are asked every so many epochs and after the last.
        validation: held_out (other training rows, whose labels are used beyond those of the draw) or labelled
            (one label in five of the draw; the classifier is then trained anew on all of them).
        held_out: how many rows the former has.
        standardise: bring every feature to mean 0, standard deviation 1 over all training rows.
        device: that mlp trains on, such as cuda.

    Raises:
        ValueError: shapes, numbers or names other than these; classes in the test set that training has not.

    Source: Wong, Lee, Yan, Towards Scalable Topological Regularizers, ICLR 2025. The paper reports the best
        test accuracy over epochs, which is a selection on the test set; this is not.
    """
    if probe not in PROBES:
        raise ValueError(f"probe should be one of {', '.join(PROBES)}, got {probe!r}")
    if validation not in VALIDATIONS:
        raise ValueError(f"validation should be one of {', '.join(VALIDATIONS)}, got {validation!r}")
    for name, value in (("epochs", epochs), ("check_every", check_every), ("held_out", held_out)):
        if value < 1:
            raise ValueError(f"{name} should be at least 1, got {value}")
    x, y, x_test, y_test = _checked(features_train, labels_train, features_test, labels_test)
    classes = int(y.max()) + 1
    if validation == "labelled" and labels % (_SHARE * classes):
        raise ValueError(
            f"labels should be a multiple of {_SHARE * classes}, so that one in {_SHARE} of each class is "
            f"for validation, got {labels}; use validation='held_out'"
        )
    rows = stratified_draws(y, labels, draws, held_out=held_out if validation == "held_out" else 0, seed=seed)
    if standardise:
        mean, spread = x.mean(axis=0), x.std(axis=0)
        spread = np.where(spread > 0, spread, 1.0)
        x, x_test = (x - mean) / spread, (x_test - mean) / spread
    data = _Rows(x, y, x_test, y_test, rows)
    if probe == "mlp":
        accuracy, unselected, validated, selected = _mlp(data, classes, epochs, check_every, seed, device)
    else:
        accuracy, unselected, validated, selected = _logistic(data)
    settings = {
        "probe": probe,
        "labels": labels,
        "draws": draws,
        "seed": seed,
        "validation": validation,
        "validation_rows": len(rows.held_out) or labels // _SHARE,
        "train_rows": len(x),
        "test_rows": len(x_test),
        "dimension": x.shape[1],
        "standardise": standardise,
        **({"epochs": epochs, "check_every": check_every} if probe == "mlp" else {"C": C_GRID}),
    }
    return LabelProbe(accuracy, unselected, validated, selected, settings)


@dataclass(frozen=True, eq=False)
class _Rows:
    """Attributes: features and classes of training and test, and which rows are for what."""

    x: np.ndarray
    y: np.ndarray
    x_test: np.ndarray
    y_test: np.ndarray
    rows: LabelDraws

    @property
    def choosing(self) -> tuple[np.ndarray, np.ndarray]:
        """Rows (draws, .) to train on and rows (draws, .) to choose by, while a setting is chosen."""
        labelled = self.rows.labelled
        if len(self.rows.held_out):
            return labelled, np.broadcast_to(self.rows.held_out, (len(labelled), len(self.rows.held_out)))
        cut = labelled.shape[1] // _SHARE
        return labelled[:, cut:], labelled[:, :cut]


def _logistic(data: _Rows) -> tuple[np.ndarray, ...]:
    train, choose = data.choosing
    results = []
    for rows, validation, labelled in zip(train, choose, data.rows.labelled, strict=True):
        models = LogisticRegressions(data.x[rows], data.y[rows])
        scores = [models.accuracy(c, data.x[validation], data.y[validation]) for c in C_GRID]
        best = int(np.argmax(scores))
        final = LogisticRegressions(data.x[labelled], data.y[labelled])
        chosen, plain = (final.accuracy(c, data.x_test, data.y_test) for c in (C_GRID[best], DEFAULT_C))
        results.append((chosen, plain, scores[best], C_GRID[best]))
    return tuple(np.array(results).T)


def _mlp(
    data: _Rows, classes: int, epochs: int, check_every: int, seed: int, device: str
) -> tuple[np.ndarray, ...]:
    import torch  # the rest of the metrics does without

    from gan_topdis.metrics.mlp_classifiers import HIDDEN, MLPClassifiers, epochs_of

    x = torch.from_numpy(data.x).float().to(device)
    y = torch.from_numpy(data.y).to(device)
    draws = len(data.rows.labelled)
    x_test = torch.from_numpy(data.x_test).float().to(device).expand(draws, -1, -1)
    y_test = torch.from_numpy(data.y_test).to(device).expand(draws, -1)
    sizes = (x.shape[1], *HIDDEN, classes)
    due = {*range(check_every, epochs + 1, check_every), epochs}

    train, choose = (torch.from_numpy(rows.copy()).to(device) for rows in data.choosing)
    models = MLPClassifiers(draws, sizes, seed=seed, device=device)
    best, selected = torch.full((draws,), -1.0, dtype=torch.float64), torch.zeros(draws, dtype=torch.int64)
    kept = models.snapshot()
    for epoch in epochs_of(models, x[train], y[train], epochs, seed=seed):
        if epoch in due:
            accuracy = models.accuracy(x[choose], y[choose])
            better = accuracy > best
            best, selected = torch.where(better, accuracy, best), torch.where(better, epoch, selected)
            for saved, parameter in zip(kept, models.parameters, strict=True):
                saved[better.to(device)] = parameter.detach()[better.to(device)]
    if not len(data.rows.held_out):  # anew on all labels, each draw as long as was best for it
        labelled = torch.from_numpy(data.rows.labelled).to(device)
        models = MLPClassifiers(draws, sizes, seed=seed, device=device)
        for epoch in epochs_of(models, x[labelled], y[labelled], epochs, seed=seed):
            if epoch in due and (now := (selected == epoch).to(device)).any():
                for saved, parameter in zip(kept, models.parameters, strict=True):
                    saved[now] = parameter.detach()[now]
    last = models.accuracy(x_test, y_test)
    models.restore(kept)
    chosen = models.accuracy(x_test, y_test)
    return chosen.numpy(), last.numpy(), best.numpy(), selected.double().numpy()


def _checked(
    features_train: Any, labels_train: Any, features_test: Any, labels_test: Any
) -> tuple[np.ndarray, Int[np.ndarray, " n"], np.ndarray, Int[np.ndarray, " m"]]:
    """Features float64 and classes 0 .. k - 1 of training and test."""
    x, x_test = code_array(features_train, "features_train"), code_array(features_test, "features_test")
    if x.shape[1] != x_test.shape[1]:
        raise ValueError(
            f"features_train and features_test should have as many columns, got {x.shape[1]} and "
            f"{x_test.shape[1]}"
        )
    both = []
    for name, labels, n in (
        ("labels_train", labels_train, len(x)),
        ("labels_test", labels_test, len(x_test)),
    ):
        values = labels.detach().cpu().numpy() if hasattr(labels, "detach") else np.asarray(labels)
        if values.shape != (n,):
            raise ValueError(f"{name} should have shape ({n},), one class per row, got {values.shape}")
        both.append(values)
    factors, _, _ = factor_array(np.concatenate(both)[:, None])
    y, y_test = factors[: len(x), 0], factors[len(x) :, 0]
    missing = len(np.setdiff1d(y_test, y))
    if missing:
        raise ValueError(
            f"labels_train should have every class of labels_test, got {missing} that it has not"
        )
    return x, y, x_test, y_test
