"""Training of a connectivity-optimised autoencoder in one call.

Source: Hofer et al., Connectivity-Optimized Representation Learning via Persistent Homology, ICML 2019: l1
    reconstruction summed over pixels, mean over the batch, plus weight times the connectivity loss; Adam
    1e-3, batches of 100.
"""

from __future__ import annotations

import os
from collections.abc import Callable
from typing import Any

import torch
from torch import Tensor

from gan_topdis.connectivity.connectivity_autoencoder import ConnectivityAutoencoder
from gan_topdis.losses import ConnectivityLoss
from gan_topdis.training import (
    FINGERPRINT,
    Batches,
    Compute,
    ImageSource,
    TrainingProgress,
    apply_gradients,
    gradients_of,
    image_source,
    start_compute,
    train,
)

MODEL_FILE = "autoencoder.safetensors"
LEARNING_RATE = 1e-3
BATCH_SIZE = 100


def fit(
    images: Any,
    *,
    branches: int = 16,
    branch_dim: int = 10,
    eta: float = 2.0,
    weight: float = 20.0,
    over_branches: str = "mean",
    block_init: str = "published",
    steps: int = 25_000,
    batch_size: int = BATCH_SIZE,
    learning_rate: float = LEARNING_RATE,
    seed: int = 0,
    device: str = "auto",
    precision: str = "32",
    outdir: str | os.PathLike[str] | None = None,
    resume: bool = False,
    log_every: int = 100,
    checkpoint_every: int = 5_000,
    on_progress: Callable[[TrainingProgress], None] | None = None,
    on_checkpoint: Callable[[int, ConnectivityAutoencoder], None] | None = None,
) -> ConnectivityAutoencoder:
    """Train an autoencoder whose codes are eta apart and eta connected.

    Args:
        images: (n, C, H, W) or (n, H, W), numpy or torch, uint8 or in [0, 1]; or any data set with `__len__`
            and `__getitem__`. Square, a multiple of 8 pixels.
        branches, branch_dim, block_init: of `ConnectivityAutoencoder`.
        eta: the edge length, l1, that minimum spanning trees of batches are drawn to.
        weight: of the connectivity loss (lambda); 0 is a plain autoencoder.
        over_branches: mean (as published weights mean it) or sum.
        steps: optimiser steps in all; the published 50 epochs of CIFAR are 25,000.
        batch_size: images a step, over all processes; never more than there are. The loss is about batches of
            this size: with several processes, of each one's share.
        learning_rate: of Adam.
        seed: of weights and batches; the same seed gives the same model on CPU.
        device, precision, outdir, resume, log_every, checkpoint_every, on_progress,
            on_checkpoint: as `vae.fit`.

    Returns:
        The model in evaluation mode, on the device it was trained on.

    Raises:
        ValueError: images or an option out of range, another run in `outdir`, or a loss that is not finite.
        OSError: something cannot be written; the last checkpoint is kept.
        KeyboardInterrupt: after a checkpoint.
    """
    if not weight >= 0:
        raise ValueError(f"weight should be at least 0, got {weight}")
    if resume and outdir is None:
        raise ValueError("resume needs the outdir of the run to continue")
    source = image_source(images)
    loss = ConnectivityLoss(eta=eta, branches=branches, over_branches=over_branches)
    model = ConnectivityAutoencoder(
        source.channels,
        source.resolution,
        branches=branches,
        branch_dim=branch_dim,
        block_init=block_init,
        seed=seed,
    )
    with start_compute(device, precision) as compute:
        batch = min(batch_size, source.size)
        task = ConnectivityTask(
            model.to(compute.device),
            source,
            compute,
            loss=loss,
            weight=weight,
            batch_size=batch,
            learning_rate=learning_rate,
            seed=seed,
        )
        settings = {
            **model.settings,
            "eta": float(eta),
            "weight": float(weight),
            "over_branches": over_branches,
            "batch_size": batch,
            "learning_rate": learning_rate,
            "images": source.size,
            FINGERPRINT: source.fingerprint(),
            "seed": seed,
            "precision": precision,
            "processes": compute.world_size,
        }
        train(
            task,
            steps,
            compute,
            settings=settings,
            outdir=outdir,
            resume=resume,
            log_every=log_every,
            checkpoint_every=checkpoint_every,
            on_progress=on_progress,
            on_checkpoint=None if on_checkpoint is None else lambda done: on_checkpoint(done, model),
        )
        model.eval()
        if outdir is not None and compute.rank == 0:
            model.save(os.path.join(outdir, MODEL_FILE))
    return model


class ConnectivityTask:
    """What `training.train` runs. Implements `training.Task`."""

    def __init__(
        self,
        model: ConnectivityAutoencoder,
        images: ImageSource,
        compute: Compute,
        *,
        loss: ConnectivityLoss,
        weight: float,
        batch_size: int,
        learning_rate: float,
        seed: int,
    ) -> None:
        self.model = model
        self.images = images
        self.compute = compute
        self.loss = loss
        self.weight = weight
        self._parameters = list(model.parameters())
        self._optimizer = torch.optim.Adam(self._parameters, lr=learning_rate)
        self._batches = Batches(
            images.size, batch_size, seed, rank=compute.rank, world_size=compute.world_size
        )

    def step(self, number: int, *, log_due: bool) -> dict[str, float]:
        images = self.images.batch(self._batches.at(number)).to(self.compute.device)
        with self.compute.autocast():
            codes = self.model.encode(images)
            again = self.model.decode(codes)
        codes = codes.float()
        reconstruction = (again.float() - images).abs().sum() / len(images)
        connectivity = self.loss(codes) if self.weight else None
        total = reconstruction if connectivity is None else reconstruction + self.weight * connectivity
        gradients = self.compute.mean(gradients_of(total, self._parameters))
        norm = apply_gradients(self._optimizer, self._parameters, gradients)
        if not log_due:
            return {}
        logs = {"reconstruction": float(reconstruction.detach())}
        if connectivity is not None:
            logs["connectivity"] = float(connectivity.detach())
        return {**logs, **self._edges(codes.detach()), "gradient_norm": norm}

    def state_dict(self) -> dict[str, Any]:
        return {"model": self.model.state_dict(), "optimizer": self._optimizer.state_dict()}

    def load_state_dict(self, state: dict[str, Any]) -> None:
        self.model.load_state_dict(state["model"])
        self._optimizer.load_state_dict(state["optimizer"])

    def _edges(self, codes: Tensor) -> dict[str, float]:
        """Shortest, mean and longest tree edge (alpha, eps-bar, beta of the paper), mean over branches."""
        if len(codes) < 2:
            return {}
        found = self.loss.describe(codes)
        return {
            "alpha": float(found.smallest.mean()),
            "mean_edge": float(found.mean.mean()),
            "beta": float(found.largest.mean()),
        }
