"""BetaVAE score: whether a linear classifier tells which factor a pair of images shares.

Source: Higgins et al., beta-VAE, ICLR 2017, section 3.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
from jaxtyping import Float, Int

from gan_topdis.metrics.classifiers import logistic_accuracy
from gan_topdis.metrics.encoded import codes_and_sampler
from gan_topdis.metrics.protocol import protocol_named
from gan_topdis.metrics.samplers import Sampler
from gan_topdis.metrics.score import Score

_POINTS_AT_ONCE = 256


@dataclass(frozen=True, eq=False, repr=False)
class BetaVAEScore(Score):
    """Attributes: those of `Score` (evaluation accuracy); train_accuracy; eval_accuracy."""

    train_accuracy: float
    eval_accuracy: float


def beta_vae_score(
    encode: Any,
    dataset: Any,
    *,
    protocol: str = "paper",
    seed: int = 0,
    group: int | None = None,
    train_points: int | None = None,
    eval_points: int | None = None,
) -> BetaVAEScore:
    """Accuracy of logistic regression that tells the shared factor from the mean absolute difference of codes
    over a group of pairs, each of which shares a value of that factor.

    Args:
        encode, dataset: as `factor_vae_score`.
        protocol: its numbers of votes and of rows in a group, here points and pairs; the arguments below
            override them.
        seed: draws the pairs.

    Raises:
        ValueError: shapes, values or counts out of range.
        ImportError: scikit-learn is missing.
    """
    counts = protocol_named(protocol)
    group = counts.group if group is None else group
    train_points = counts.train_votes if train_points is None else train_points
    eval_points = counts.eval_votes if eval_points is None else eval_points
    for name, value in (("group", group), ("train_points", train_points), ("eval_points", eval_points)):
        if value < 1:
            raise ValueError(f"{name} should be at least 1, got {value}")
    codes, sampler = codes_and_sampler(encode, dataset)
    rng = np.random.default_rng(seed)
    train, train_labels = _points(codes, sampler, train_points, group, rng)
    test, test_labels = _points(codes, sampler, eval_points, group, rng)
    if np.ptp(train_labels) == 0:  # a single factor, or a single point
        accuracies = (1.0, float((test_labels == train_labels[0]).mean()))
    else:
        accuracies = logistic_accuracy(train, train_labels, test, test_labels)
    return BetaVAEScore(
        accuracies[1],
        per_factor=np.full(len(sampler.columns), np.nan),
        factors=sampler.columns,
        settings={
            "protocol": counts.name,
            "group": group,
            "train_points": train_points,
            "eval_points": eval_points,
            "seed": seed,
        },
        ceiling=1.0,
        ceiling_per_factor=None,
        notes=tuple(getattr(sampler, "notes", ())),
        train_accuracy=accuracies[0],
        eval_accuracy=accuracies[1],
    )


def _points(
    codes: Float[np.ndarray, "n d"], sampler: Sampler, count: int, group: int, rng: np.random.Generator
) -> tuple[Float[np.ndarray, "m d"], Int[np.ndarray, " m"]]:
    features, labels = [], []
    for first in range(0, count, _POINTS_AT_ONCE):
        shared = rng.integers(len(sampler.columns), size=min(_POINTS_AT_ONCE, count - first))
        pairs = sampler.sharing(np.repeat(shared, group), 2, rng)  # (points group, 2)
        difference = np.abs(codes[pairs[:, 0]] - codes[pairs[:, 1]])
        features.append(difference.reshape(len(shared), group, -1).mean(axis=1))
        labels.append(shared)
    return np.concatenate(features), np.concatenate(labels)
