"""Training of a GAN in one call."""

from __future__ import annotations

import os
from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict, replace
from typing import Any

import torch

from gan_topdis.gan.cramer_gan import CramerGAN
from gan_topdis.gan.cramer_task import CramerSettings, CramerTask
from gan_topdis.gan.draws import INITIAL_WEIGHTS
from gan_topdis.gan.logistic_task import LogisticSettings, LogisticTask
from gan_topdis.gan.published_regularizer import published_regularizer
from gan_topdis.gan.real_images import image_sizes, real_images
from gan_topdis.seeding import seeded_generator
from gan_topdis.training import Compute, Task, TrainingProgress, start_compute, train

GAN_FILE, GENERATOR_FILE = "gan.safetensors", "generator.safetensors"
PUBLISHED_BATCH = {"cramer": 192, "logistic": 32}
_SMALLEST_SHARE = 4
"""Images of a process that PPM-Reg draws four different ones from."""


def fit(
    images: Any,
    *,
    ppm_weight: float = 0.0,
    ppm_weights: Sequence[float] | None = None,
    ppm_bandwidth: float | None = None,
    ppm_subsamples: int = 1024,
    objective: str = "cramer",
    network: str = "published",
    gradient_penalty: float = 10.0,
    critic_steps: int = 5,
    objective_options: Mapping[str, Any] | None = None,
    steps: int = 6_000,
    batch_size: int | None = None,
    learning_rate: float | None = None,
    average_images: float = 5_000.0,
    latent: int | None = None,
    width: int = 48,
    mapping_layers: int = 2,
    seed: int = 0,
    device: str = "auto",
    precision: str = "32",
    outdir: str | os.PathLike[str] | None = None,
    resume: bool = False,
    log_every: int = 100,
    checkpoint_every: int = 5_000,
    on_progress: Callable[[TrainingProgress], None] | None = None,
    on_checkpoint: Callable[[int, CramerGAN], None] | None = None,
) -> CramerGAN:
    """Train a GAN: Cramer distance with or without PPM-Reg, or StyleGAN2's logistic objective.

    Args:
        images: (n, C, H, W) or (n, H, W), numpy or torch, uint8 or in [0, 1]; any data set with `__len__` and
            `__getitem__`; or `FreshImages`. Square: 28 or 32 pixels for the published networks, a power of
            two from 8 for stylegan2.
        ppm_weight: lambda of PPM-Reg on the critic's latents, in the cramer objective; 0 leaves it out. As
            published: 0.025 to 0.05 at 28 pixels, 1 to 5 at 32.
        ppm_weights: (lambda_0, lambda_1); (1, 90) at 28 pixels, (0.001, 0.6) elsewhere when None.
        ppm_bandwidth: width of the kernel, `convention="reference"`; 0.5 at 28 pixels, 1 elsewhere when None.
        ppm_subsamples: s, random tuples of each cloud and dimension. Points of a tuple are distinct, and
            tuples come from a pool of 4 s at 28 pixels, 8 s elsewhere, as published.
        objective: `cramer` or `logistic`.
        network: `published` or `stylegan2`, see `CramerGAN`; logistic needs stylegan2.
        gradient_penalty, critic_steps: of the cramer objective: weight of the penalty, and steps of the
            critic before each of the generator.
        objective_options: of the logistic objective, see `LogisticSettings`.
        steps: in all. A step of cramer trains one network, a step of logistic each of them once.
        batch_size: images a step over all processes; 192 for cramer, 32 for logistic when None, and never
            more than there are. Even per process.
        learning_rate: of Adam; 1e-4 for cramer, 0.0025 for logistic when None.
        average_images: half-life of the averaged weights of the generator, in images.
        latent, width, mapping_layers: of `CramerGAN`.
        seed: of weights, batches and noise; the same seed gives the same model on CPU.
        device: auto, cpu, cuda, mps; several processes when started by `torchrun`.
        precision: 32, or mixed (bfloat16).
        outdir: for `gan.safetensors`, `generator.safetensors`, `checkpoint.pt` and `log.csv`; nothing is
            written when None.
        resume: continue the run in `outdir`; without it a checkpoint there is refused.
        log_every, checkpoint_every: steps.
        on_progress: called after every step.
        on_checkpoint: called with the steps done and the model each time a checkpoint is due, and when
            nothing is left to do, in the first process; for pictures of a training under way.

    Returns:
        The model in evaluation mode, on the device it was trained on; `.generator` has the averaged weights.

    Raises:
        ValueError: images or an option out of range, another run in `outdir`, or a gradient that is not
            finite.
        TypeError: `images` is none of these, or an option that the objective has not.
        OSError: something cannot be written; the last checkpoint is kept.
        KeyboardInterrupt: after a checkpoint.
    """
    if resume and outdir is None:
        raise ValueError("resume needs the outdir of the run to continue")
    if objective != "cramer" and ppm_weight:
        raise ValueError(
            f"ppm_weight is of the cramer objective, whose critic has latents, not of {objective}"
        )
    if objective != "logistic" and objective_options:
        raise ValueError(f"objective_options are those of the logistic objective, not of {objective}")
    channels, resolution, size, described = image_sizes(images)
    with start_compute(device, precision) as compute:
        with torch.random.fork_rng(devices=[]):
            torch.manual_seed(seeded_generator(seed, INITIAL_WEIGHTS).initial_seed() % 2**63)
            gan = CramerGAN(
                channels,
                resolution,
                objective=objective,
                network=network,
                latent=latent,
                width=width,
                mapping_layers=mapping_layers,
            )
        batch = _batch_size(batch_size, objective, size, compute, least=_SMALLEST_SHARE if ppm_weight else 2)
        shown = real_images(images, batch, seed, compute)
        gan.to(compute.device)
        options: dict[str, Any]
        task: Task
        if objective == "cramer":
            settings = CramerSettings(
                gradient_penalty=gradient_penalty,
                critic_steps=critic_steps,
                average_images=average_images,
                ppm_weight=ppm_weight,
            )
            if learning_rate is not None:
                settings = replace(settings, learning_rate=learning_rate)
            _check(settings)
            ppm = published_regularizer(
                resolution, weights=ppm_weights, bandwidth=ppm_bandwidth, subsamples=ppm_subsamples
            )
            options = {**asdict(settings), "ppm": repr(ppm) if ppm_weight else ""}
            task = CramerTask(gan, shown, compute, batch_size=batch, settings=settings, ppm=ppm, seed=seed)
        else:
            logistic = LogisticSettings(**{"average_images": average_images, **dict(objective_options or {})})
            if learning_rate is not None:
                logistic = replace(logistic, learning_rate=learning_rate)
            options = asdict(logistic)
            task = LogisticTask(gan, shown, compute, batch_size=batch, settings=logistic, seed=seed)

        train(
            task,
            steps,
            compute,
            settings={
                **{name: str(value) for name, value in options.items()},
                "batch_size": batch,
                "model": dict(gan.settings),
                **described,
                "seed": seed,
                "precision": precision,
                "processes": compute.world_size,
            },
            outdir=outdir,
            resume=resume,
            log_every=log_every,
            checkpoint_every=checkpoint_every,
            on_progress=on_progress,
            on_checkpoint=None if on_checkpoint is None else lambda done: on_checkpoint(done, gan),
        )
        gan.eval().requires_grad_(True)
        if outdir is not None and compute.rank == 0:
            gan.save(os.path.join(outdir, GAN_FILE))
            gan.save_generator(os.path.join(outdir, GENERATOR_FILE))
    return gan


def _batch_size(given: int | None, objective: str, size: int | None, compute: Compute, *, least: int) -> int:
    """Images of a step: a multiple of two for each process, whose losses pair halves of its share."""
    unit = 2 * compute.world_size
    batch = PUBLISHED_BATCH[objective] if given is None else given
    if given is None:
        batch = min(batch, batch if size is None else size) // unit * unit
    if batch % unit:
        processes = f" for each of the {compute.world_size} processes" if compute.world_size > 1 else ""
        raise ValueError(f"batch_size should be even{processes}, since losses pair its halves, got {batch}")
    if batch < least * compute.world_size:
        raise ValueError(
            f"batch_size should be at least {least * compute.world_size} images, got {batch}"
            + ("; give more images" if given is None else "")
        )
    return batch


def _check(settings: CramerSettings) -> None:
    for name, value in (
        ("ppm_weight", settings.ppm_weight),
        ("gradient_penalty", settings.gradient_penalty),
        ("average_images", settings.average_images),
        ("critic_steps", settings.critic_steps),
    ):
        if not 0 <= value < float("inf"):
            raise ValueError(f"{name} should be at least 0, got {value}")
    if not 0 < settings.learning_rate < float("inf"):
        raise ValueError(f"learning_rate should be greater than 0, got {settings.learning_rate}")
