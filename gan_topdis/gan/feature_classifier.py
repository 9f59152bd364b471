"""A small classifier trained here, whose features stand in for Inception's where quality is measured.

Nothing is downloaded, so numbers on these features compare only with numbers on the same file.
"""

from __future__ import annotations

import os
from collections.abc import Callable, Mapping
from hashlib import sha256
from math import cos, pi
from typing import Any, final

import numpy as np
import torch
from jaxtyping import Float, Int
from torch import Tensor, nn

from gan_topdis.seeding import seeded_generator
from gan_topdis.training import (
    FINGERPRINT,
    Batches,
    Compute,
    ImageSource,
    TrainingProgress,
    apply_gradients,
    gradients_of,
    image_source,
    load_model,
    save_model,
    start_compute,
    train,
)

KIND = "feature_classifier"
FEATURE_CLASSIFIER_FILE = "feature_classifier.safetensors"
FEATURES = 64
_WIDTHS = (32, 64, 128)
_AT_ONCE = 1024
_INITIAL_WEIGHTS = 0
"""Purpose of random numbers."""


@final
class FeatureClassifier(nn.Module):
    """Images in [0, 1] to class logits, and to the 64 numbers that these are read from.

    Three convolutions of kernel 3 to 32, 64 and 128 maps, the second and third of stride 2, each with batch
    normalisation and ReLU; the mean over the image; Linear to 64, which are the features; ReLU; Linear to
    the classes. Initial weights come from torch's global generator.

    Args:
        channels: of the images, of any size from 4 pixels.
        classes: how many.
        accuracy: share of images not trained on that it classifies rightly, once measured; it is stored
            with the weights, since it says what the features are worth.

    Raises:
        ValueError: fewer than one channel or two classes.
    """

    def __init__(self, channels: int, classes: int, *, accuracy: float | None = None) -> None:
        super().__init__()
        if channels < 1 or classes < 2:
            raise ValueError(
                f"channels should be at least 1 and classes at least 2, got {channels} and {classes}"
            )
        self.channels, self.classes, self.accuracy = channels, classes, accuracy
        layers: list[nn.Module] = []
        inside = channels
        for number, width in enumerate(_WIDTHS):
            convolution = nn.Conv2d(inside, width, 3, stride=1 + (number > 0), padding=1, bias=False)
            layers += [convolution, nn.BatchNorm2d(width), nn.ReLU()]
            inside = width
        self.body = nn.Sequential(*layers)
        self.neck = nn.Linear(inside, FEATURES)
        self.head = nn.Sequential(nn.ReLU(), nn.Linear(FEATURES, classes))

    @property
    def settings(self) -> dict[str, Any]:
        """The arguments by name."""
        return {"channels": self.channels, "classes": self.classes, "accuracy": self.accuracy}

    def features(self, images: Float[Tensor, "n c h w"]) -> Float[Tensor, "n 64"]:
        """What the classes are read from, of images in [0, 1].

        Raises:
            ValueError: images of another shape.
        """
        if images.ndim != 4 or images.shape[1] != self.channels:
            raise ValueError(
                f"images should have shape (n, {self.channels}, h, w), got {tuple(images.shape)}"
            )
        features: Tensor = self.neck(self.body(images).mean(dim=(2, 3)))
        return features

    def forward(self, images: Float[Tensor, "n c h w"]) -> Float[Tensor, "n classes"]:
        logits: Tensor = self.head(self.features(images))
        return logits

    def save(self, path: str | os.PathLike[str]) -> None:
        """Write weights, classes and accuracy to one safetensors file. Raises: OSError."""
        save_model(path, self, KIND, self.settings)


def load_feature_classifier(
    path: str | os.PathLike[str], *, device: str | torch.device = "cpu"
) -> FeatureClassifier:
    """The network that `FeatureClassifier.save` wrote, in evaluation mode. Nothing in the file is executed.

    Raises:
        ValueError: another file, or a damaged one.
        OSError: it cannot be read.
    """
    return load_model(path, KIND, FeatureClassifier, device=device)


def fit_feature_classifier(
    images: Any,
    labels: Any,
    *,
    test_images: Any = None,
    test_labels: Any = None,
    steps: int = 3_000,
    batch_size: int = 128,
    learning_rate: float = 1e-3,
    seed: int = 0,
    device: str = "auto",
    outdir: str | os.PathLike[str] | None = None,
    resume: bool = False,
    on_progress: Callable[[TrainingProgress], None] | None = None,
) -> FeatureClassifier:
    """Train the network whose features quality is measured on.

    Adam, learning rate falling to 0 along a cosine, cross entropy, no augmentation, nothing selected.

    Args:
        images: as `gan.fit` takes them.
        labels: (n,) classes from 0, numpy or torch.
        test_images, test_labels: not trained on; the share that is classified rightly is kept as `accuracy`.
        steps, batch_size, learning_rate: of the optimiser; a batch has no more images than there are.
        seed: of weights and batches; the same seed gives the same network on CPU.
        device: auto, cpu, cuda, mps.
        outdir: for `feature_classifier.safetensors`, `checkpoint.pt` and `log.csv`.
        resume: continue the run in `outdir`.

    Returns:
        The network in evaluation mode, on the device it was trained on.

    Raises:
        ValueError: images or labels that are not as above, test images without labels, another run in
            `outdir`, or a gradient that is not finite.
        OSError: something cannot be written.
        KeyboardInterrupt: after a checkpoint.
    """
    if (test_images is None) != (test_labels is None):
        raise ValueError("test_images and test_labels should be given together")
    source = image_source(images)
    y = _classes(labels, source.size, "labels")
    with start_compute(device) as compute:
        with torch.random.fork_rng(devices=[]):
            torch.manual_seed(seeded_generator(seed, _INITIAL_WEIGHTS).initial_seed() % 2**63)
            model = FeatureClassifier(source.channels, int(y.max()) + 1)
        model.to(compute.device)
        batch = min(batch_size, source.size)
        task = _ClassifierTask(model, source, y, compute, steps, batch, learning_rate, seed)
        settings = {
            "steps": steps,
            "batch_size": batch,
            "learning_rate": learning_rate,
            "images": source.size,
            FINGERPRINT: source.fingerprint(),
            "labels_sha256": sha256(y.numpy().tobytes()).hexdigest(),
            "classes": model.classes,
            "seed": seed,
        }
        train(task, steps, compute, settings=settings, outdir=outdir, resume=resume, on_progress=on_progress)
        model.eval()
        if test_images is not None:
            model.accuracy = classifier_accuracy(model, test_images, test_labels)
        if outdir is not None and compute.rank == 0:
            model.save(os.path.join(outdir, FEATURE_CLASSIFIER_FILE))
    return model


@torch.no_grad()
def classifier_accuracy(model: FeatureClassifier, images: Any, labels: Any) -> float:
    """Share of images whose class has the largest logit; the network should be in evaluation mode.

    Raises:
        ValueError: as `fit_feature_classifier`.
    """
    source = image_source(images)
    y = _classes(labels, source.size, "labels")
    device = next(model.parameters()).device
    right = 0
    for first in range(0, source.size, _AT_ONCE):
        rows = np.arange(first, min(first + _AT_ONCE, source.size))
        right += int((model(source.batch(rows).to(device)).argmax(dim=1).cpu() == y[rows]).sum())
    return right / source.size


class _ClassifierTask:
    """A step of Adam on cross entropy; a function of the state and the number of the step."""

    def __init__(
        self,
        model: FeatureClassifier,
        source: ImageSource,
        labels: Int[Tensor, " n"],
        compute: Compute,
        steps: int,
        batch_size: int,
        learning_rate: float,
        seed: int,
    ) -> None:
        self._model, self._source, self._labels, self._compute = model, source, labels, compute
        self._steps, self._rate = steps, learning_rate
        self._batches = Batches(
            source.size, batch_size, seed, rank=compute.rank, world_size=compute.world_size
        )
        self._adam = torch.optim.Adam(model.parameters(), lr=learning_rate)

    def step(self, number: int, *, log_due: bool) -> Mapping[str, float]:
        rows = self._batches.at(number)
        self._model.train()
        for group in self._adam.param_groups:
            group["lr"] = self._rate * (1 + cos(pi * number / self._steps)) / 2
        logits = self._model(self._source.batch(rows).to(self._compute.device))
        target = self._labels[rows].to(self._compute.device)
        loss = nn.functional.cross_entropy(logits, target)
        parameters = list(self._model.parameters())
        apply_gradients(self._adam, parameters, self._compute.mean(gradients_of(loss, parameters)))
        self._compute.average_buffers(self._model)
        if not log_due:
            return {}
        right = (logits.argmax(dim=1) == target).float().mean()
        return {"cross_entropy": float(loss.detach()), "batch_accuracy": float(right)}

    def state_dict(self) -> dict[str, Any]:
        return {"model": self._model.state_dict(), "adam": self._adam.state_dict()}

    def load_state_dict(self, state: dict[str, Any]) -> None:
        self._model.load_state_dict(state["model"])
        self._adam.load_state_dict(state["adam"])


def _classes(labels: Any, size: int, name: str) -> Int[Tensor, " n"]:
    values = torch.as_tensor(labels).detach().cpu()
    if tuple(values.shape) != (size,) or values.is_floating_point() or int(values.min()) < 0:
        raise ValueError(
            f"{name} should be {size} classes from 0, whole numbers of shape ({size},), got {values.dtype} "
            f"{tuple(values.shape)}"
        )
    return values.long()
