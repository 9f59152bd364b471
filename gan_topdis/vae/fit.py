"""Training of a VAE in one call."""

from __future__ import annotations

import os
from collections.abc import Callable, Mapping
from typing import Any

import torch

from gan_topdis.losses import TopDisLoss
from gan_topdis.seeding import seeded_generator
from gan_topdis.training import FINGERPRINT, TrainingProgress, image_source, start_compute, train
from gan_topdis.vae.architectures import VAE
from gan_topdis.vae.objectives import build_objective
from gan_topdis.vae.training_task import INITIAL_WEIGHTS, TopDisSchedule, VAETask

MODEL_FILE = "vae.safetensors"
DELAY_SHARE = 0.1
"""Share of the steps after which TopDis starts unless told otherwise; published runs take 1e5 of 1e6."""


def fit(
    images: Any,
    *,
    objective: str = "beta_tc",
    objective_options: Mapping[str, Any] | None = None,
    topdis_weight: float = 0.0,
    topdis_start: int | None = None,
    topdis_ramp: int = 0,
    topdis_interval: int = 1,
    topdis_options: Mapping[str, Any] | None = None,
    topdis_sampler: str = "uniform",
    topdis_codes: str = "sampled",
    orthogonalise: bool = True,
    steps: int = 10_000,
    batch_size: int | None = None,
    learning_rate: float | None = None,
    latent: int = 10,
    architecture: str = "S",
    model_options: Mapping[str, Any] | None = None,
    seed: int = 0,
    device: str = "auto",
    precision: str = "32",
    outdir: str | os.PathLike[str] | None = None,
    resume: bool = False,
    log_every: int = 100,
    checkpoint_every: int = 5_000,
    on_progress: Callable[[TrainingProgress], None] | None = None,
    on_checkpoint: Callable[[int, VAE], None] | None = None,
) -> VAE:
    """Train a VAE, with or without the TopDis loss.

    Args:
        images: (n, C, H, W) or (n, H, W), numpy or torch, uint8 or in [0, 1]; or any data set with `__len__`
            and `__getitem__`. Square, a power of two pixels from 16.
        objective: of `OBJECTIVES`: vae, beta, factor, beta_tc, control, dava.
        objective_options: of its class, such as `beta`.
        topdis_weight: of the TopDis loss (gamma); 0 leaves it out.
        topdis_start: steps before it enters; a tenth of `steps` when None.
        topdis_ramp: steps over which its weight then grows.
        topdis_interval: k computes it at every k-th step only, with k times its weight: most of its cost is
            saved (lazy regularisation). Lines of the log have its numbers where k divides `log_every`.
        topdis_options: of `losses.TopDisLoss`, such as `power` or `feature_map`; a module is moved to the
            device. To resume, functions should have the same qualified names, and modules the same class.
        topdis_sampler: how the shifted coordinate is drawn: uniform, or weight_norm, in proportion to the
            norm of its weights in the first layer of the decoder, as the published scripts do.
        topdis_codes: what is shifted: sampled codes, or mean, the means of the posterior.
        orthogonalise: take away the part of its gradient that works against the reconstruction.
        steps: optimiser steps in all.
        batch_size: images a step, over all processes; as published for the objective when None, and never
            more than there are.
        learning_rate: as published for the objective when None.
        latent, architecture, model_options: of `VAE`.
        seed: of weights, batches and noise; the same seed gives the same model on CPU.
        device: auto, cpu, cuda, mps; several processes when started by `torchrun`.
        precision: 32, or mixed (bfloat16).
        outdir: for `vae.safetensors`, `checkpoint.pt` and `log.csv`; nothing is written when None.
        resume: continue the run in `outdir`; without it a checkpoint there is refused.
        log_every, checkpoint_every: steps.
        on_progress: called after every step.
        on_checkpoint: called with the steps done and the model each time a checkpoint is due, and when
            nothing is left to do, in the first process; for pictures of a training under way.

    Returns:
        The model in evaluation mode, on the device it was trained on.

    Raises:
        ValueError: images or an option out of range, another run in `outdir`, or a loss that is not finite.
        TypeError: an option that the objective or model has not.
        OSError: something cannot be written; the last checkpoint is kept.
        KeyboardInterrupt: after a checkpoint.
    """
    if not topdis_weight >= 0:
        raise ValueError(f"topdis_weight should be at least 0, got {topdis_weight}")
    if resume and outdir is None:
        raise ValueError("resume needs the outdir of the run to continue")
    start = round(DELAY_SHARE * steps) if topdis_start is None else topdis_start
    if start < 0 or topdis_ramp < 0:
        raise ValueError(f"topdis_start and topdis_ramp should be at least 0, got {start} and {topdis_ramp}")
    if topdis_interval < 1:
        raise ValueError(f"topdis_interval should be at least 1, got {topdis_interval}")
    schedule = TopDisSchedule(
        topdis_weight, start, topdis_ramp, orthogonalise, topdis_sampler, topdis_codes, topdis_interval
    )
    if topdis_sampler != "uniform" and "weights" in (topdis_options or {}):
        raise ValueError(f"weights of topdis_options and topdis_sampler {topdis_sampler} exclude each other")
    source = image_source(images)
    with start_compute(device, precision) as compute:
        with torch.random.fork_rng(devices=[]):
            torch.manual_seed(seeded_generator(seed, INITIAL_WEIGHTS).initial_seed() % 2**63)
            vae = VAE(
                source.channels, source.resolution, latent, architecture=architecture, **(model_options or {})
            )
            goal = build_objective(objective, vae, source.size, **(objective_options or {}))
        published = goal.optimizers()
        batch = min(published.batch if batch_size is None else batch_size, source.size)
        task = VAETask(
            vae.to(compute.device),
            goal.to(compute.device),
            source,
            compute,
            batch_size=batch,
            learning_rate=learning_rate,
            topdis=TopDisLoss(**(topdis_options or {})).to(compute.device),
            schedule=schedule,
            seed=seed,
        )
        settings = {
            "objective": objective,
            "objective_options": _recorded(objective_options),
            "topdis_weight": float(topdis_weight),
            "topdis_start": start if topdis_weight else 0,
            "topdis_ramp": topdis_ramp,
            "topdis_options": _recorded(topdis_options),
            "orthogonalise": orthogonalise,
            "batch_size": batch,
            "learning_rate": learning_rate,
            "model": dict(vae.settings),
            "images": source.size,
            FINGERPRINT: source.fingerprint(),
            "seed": seed,
            "precision": precision,
            "processes": compute.world_size,
        }
        # left out where they have their defaults: runs from before there was a choice go on
        settings |= {} if topdis_sampler == "uniform" else {"topdis_sampler": topdis_sampler}
        settings |= {} if topdis_codes == "sampled" else {"topdis_codes": topdis_codes}
        settings |= {} if topdis_interval == 1 else {"topdis_interval": topdis_interval}
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
            on_checkpoint=None if on_checkpoint is None else lambda done: on_checkpoint(done, vae),
        )
        vae.eval()
        if outdir is not None and compute.rank == 0:
            vae.save(os.path.join(outdir, MODEL_FILE))
    return vae


def _recorded(options: Mapping[str, Any] | None) -> dict[str, str]:
    """Options as text that is the same in another process: functions by name, modules by class."""
    return {name: _text(value) for name, value in (options or {}).items()}


def _text(value: Any) -> str:
    if not callable(value):
        return str(value)
    named = type(value) if isinstance(value, torch.nn.Module) or not hasattr(value, "__qualname__") else value
    return f"{named.__module__}.{named.__qualname__}"
