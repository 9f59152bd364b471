"""What gan_study.py measures: probes with few labels on features, and quality of images."""

from __future__ import annotations

import fcntl
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import torch
from gan_study_data import StudyData

from gan_topdis import gan
from gan_topdis.gan.feature_classifier import FEATURE_CLASSIFIER_FILE, FeatureClassifier
from gan_topdis.metrics import (
    LabelProbe,
    frechet_distance,
    kernel_distance,
    label_probe,
    precision_recall,
)

DRAW_SEED = 0
"""Of label draws, and of the probes' weights: the same for all runs, so that differences are paired."""
FEATURE_SEED, REFERENCE_SEED = 0, 0
AT_ONCE = 1_000


@dataclass(frozen=True)
class Protocol:
    """What decides results beside the run: kept in every line.

    Attributes:
        labels: how many, for each a probe.
        draws: of labels.
        epochs: of the probe's network, and of the baseline on labels only.
        held_out: training rows that choose settings.
        feature_steps: of the classifier whose features quality is measured on.
        images: generated and real ones of a quality measure, at most.
        batch_size, precision: of the training of GANs, 192 and 32 as published.
    """

    labels: tuple[int, ...] = (200, 400)
    draws: int = 10
    epochs: int = 1_000
    label_only_epochs: int = 1_000
    held_out: int = 1_000
    feature_steps: int = 3_000
    images: int = 10_000
    batch_size: int = 192
    precision: str = "32"


@dataclass(frozen=True)
class Study:
    """One data set, its folder, where and by what protocol."""

    data: StudyData
    folder: Path
    device: str
    protocol: Protocol


Features = Callable[[np.ndarray], np.ndarray]
"""uint8 (n, 1, 28, 28) to float32 (n, d)."""


def probes(
    study: Study, features: Features, kinds: Sequence[str] = ("mlp", "logistic")
) -> dict[str, dict[str, Any]]:
    """Accuracies of classifiers on frozen features, by kind and number of labels."""
    data, protocol = study.data, study.protocol
    train, test = features(data.train), features(data.test)
    return {
        f"{kind}-{labels}": as_line(
            label_probe(
                *(train, data.train_classes, test, data.test_classes),
                labels=labels,
                draws=protocol.draws,
                seed=DRAW_SEED,
                probe=kind,
                epochs=protocol.epochs,
                held_out=protocol.held_out,
                device=study.device,
            )
        )
        for kind in kinds
        for labels in protocol.labels
    }


def as_line(probe: LabelProbe) -> dict[str, Any]:
    return {
        "mean": probe.mean,
        "spread": probe.spread,
        "accuracy": probe.accuracy.tolist(),
        "unselected": probe.unselected_accuracy.tolist(),
        "validation": probe.validation_accuracy.tolist(),
        "selected": probe.selected.tolist(),
        "settings": dict(probe.settings),
    }


def quality(study: Study, images: np.ndarray) -> dict[str, Any]:
    """Distances to as many random test images, on the features of the classifier of this data set."""
    network = feature_network(study)
    rows = np.random.default_rng(REFERENCE_SEED).permutation(len(study.data.test))[: len(images)]
    real = study.data.test[rows]  # drawn: digits of the npm package come in order of their classes
    x, y = (np.concatenate(list(in_parts(network.features, each, study.device))) for each in (images, real))
    frechet, kernel, shares = frechet_distance(x, y), kernel_distance(x, y), precision_recall(x, y)
    return {
        "frechet": frechet.squared,
        "mmd_unbiased": kernel.unbiased,
        "mmd_biased": kernel.biased,
        "mmd_kernel": kernel.kernel,
        "mmd_bandwidth": kernel.bandwidth,
        "precision": shares.precision,
        "recall": shares.recall,
        "neighbours": shares.neighbours,
        "samples": list(frechet.samples),
        "dimension": frechet.dimension,
        "feature_accuracy": network.accuracy,
    }


def feature_network(study: Study) -> FeatureClassifier:
    """The one classifier of this data set, trained by the first run that needs it."""
    folder = study.folder / "feature_classifier"
    with locked(folder):
        file = folder / FEATURE_CLASSIFIER_FILE
        if not file.exists():
            data = study.data
            gan.fit_feature_classifier(
                data.train,
                data.train_classes,
                test_images=data.test,
                test_labels=data.test_classes,
                steps=study.protocol.feature_steps,
                seed=FEATURE_SEED,
                device=study.device,
                outdir=folder,
                resume=True,
            )
        return gan.load_feature_classifier(file, device=study.device)


def critic_features(model: gan.CramerGAN) -> Features:
    device = next(model.parameters()).device
    return lambda images: np.concatenate(list(in_parts(model.features, images, device)))


@torch.no_grad()
def in_parts(
    network: Callable[[torch.Tensor], torch.Tensor], images: np.ndarray, device: str | torch.device
) -> Iterator[np.ndarray]:
    for first in range(0, len(images), AT_ONCE):
        x = torch.from_numpy(images[first : first + AT_ONCE]).to(device).float() / 255
        yield network(x).cpu().numpy()


@contextmanager
def locked(folder: Path) -> Iterator[None]:
    """Wait until no other process works in a folder; a process that dies lets go of it."""
    folder.mkdir(parents=True, exist_ok=True)
    with open(folder / "lock", "w") as file:
        fcntl.flock(file, fcntl.LOCK_EX)
        yield
