"""The classifiers behind SAP, DCI, explicitness, the BetaVAE score and the label probe: scikit-learn's."""

from __future__ import annotations

import warnings
from collections.abc import Iterator
from contextlib import contextmanager
from importlib.util import find_spec
from typing import Any

import numpy as np
from jaxtyping import Float, Int


def linear_accuracy(
    train: Float[np.ndarray, "n d"],
    train_labels: Int[np.ndarray, " n"],
    test: Float[np.ndarray, "m d"],
    test_labels: Int[np.ndarray, " m"],
    *,
    seed: int,
) -> float:
    """Test accuracy of a linear support vector classifier, C = 0.01, classes balanced."""
    require_sklearn()
    from sklearn.svm import LinearSVC

    # primal and dual give the same SAP to four digits; the primal needs no random numbers and converges
    model = LinearSVC(C=0.01, class_weight="balanced", dual=False, random_state=seed)
    with _no_convergence_warnings():
        model.fit(train, train_labels)
    return _accuracy(model, test, test_labels)


def boosted_trees(
    train: Float[np.ndarray, "n d"],
    train_labels: Int[np.ndarray, " n"],
    test: Float[np.ndarray, "m d"],
    test_labels: Int[np.ndarray, " m"],
    *,
    seed: int,
) -> tuple[Float[np.ndarray, " d"], float, float]:
    """Importance of each code (d,), training and test accuracy of gradient boosted trees, defaults."""
    require_sklearn()
    from sklearn.ensemble import GradientBoostingClassifier

    model = GradientBoostingClassifier(random_state=seed).fit(train, train_labels)
    return (
        np.asarray(model.feature_importances_, dtype=np.float64),
        _accuracy(model, train, train_labels),
        _accuracy(model, test, test_labels),
    )


def logistic_accuracy(
    train: Float[np.ndarray, "n d"],
    train_labels: Int[np.ndarray, " n"],
    test: Float[np.ndarray, "m d"],
    test_labels: Int[np.ndarray, " m"],
) -> tuple[float, float]:
    """Training and test accuracy of multinomial logistic regression on the codes as they are."""
    require_sklearn()
    from sklearn.linear_model import LogisticRegression

    model = LogisticRegression(max_iter=1000)
    with _no_convergence_warnings():
        model.fit(train, train_labels)
    return (
        _accuracy(model, train, train_labels),
        _accuracy(model, test, test_labels),
    )


def logistic_areas(
    train: Float[np.ndarray, "n d"],
    train_labels: Int[np.ndarray, " n"],
    test: Float[np.ndarray, "m d"],
    test_labels: Int[np.ndarray, " m"],
) -> tuple[float, float]:
    """Area under the one-against-rest ROC curve, mean over classes, in training and test, of multinomial
    logistic regression on standardised codes; classes that the rows lack are left out."""
    require_sklearn()
    from sklearn.linear_model import LogisticRegression
    from sklearn.metrics import roc_auc_score

    mean, spread = train.mean(axis=0), train.std(axis=0)
    spread = np.where(spread > 0, spread, 1.0)
    model = LogisticRegression(max_iter=1000)
    with _no_convergence_warnings():
        model.fit((train - mean) / spread, train_labels)

    def area(codes: np.ndarray, labels: np.ndarray) -> float:
        probability = model.predict_proba((codes - mean) / spread)
        areas = [
            roc_auc_score(labels == label, probability[:, column])
            for column, label in enumerate(model.classes_)
            if 0 < (labels == label).sum() < len(labels)
        ]
        return float(np.mean(areas)) if areas else float("nan")

    return area(train, train_labels), area(test, test_labels)


class LogisticRegressions:
    """Multinomial logistic regressions on the same rows, L2 penalty, one per C, fitted when asked for."""

    def __init__(self, train: Float[np.ndarray, "n d"], labels: Int[np.ndarray, " n"]) -> None:
        require_sklearn()
        self._train, self._labels = train, labels
        self._fitted: dict[float, Any] = {}

    def accuracy(self, c: float, codes: Float[np.ndarray, "m d"], labels: Int[np.ndarray, " m"]) -> float:
        """Share of rows that the model of this C gets right."""
        from sklearn.linear_model import LogisticRegression

        if c not in self._fitted:
            with _no_convergence_warnings():
                self._fitted[c] = LogisticRegression(C=c, max_iter=1000).fit(self._train, self._labels)
        return _accuracy(self._fitted[c], codes, labels)


def _accuracy(model: Any, codes: Float[np.ndarray, "n d"], labels: Int[np.ndarray, " n"]) -> float:
    return float((model.predict(codes) == labels).mean())


def require_sklearn(metrics: str = "this metric") -> None:
    """Raises: ImportError: scikit-learn is missing."""
    if find_spec("sklearn") is None:
        raise ImportError(
            f"scikit-learn is needed for the classifiers of {metrics}: pip install 'gan_topdis[metrics]'"
        )


@contextmanager
def _no_convergence_warnings() -> Iterator[None]:
    """The published protocol stops these solvers at their defaults, converged or not."""
    from sklearn.exceptions import ConvergenceWarning

    with warnings.catch_warnings():
        warnings.simplefilter("ignore", ConvergenceWarning)
        yield
