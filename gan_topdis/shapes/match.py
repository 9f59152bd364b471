"""Shape matching in one call: move a cloud until it, and its topology, are those of a reference."""

from __future__ import annotations

import hashlib
import math
import os
from collections.abc import Callable, Sequence

import numpy as np
import torch
from torch import Tensor

from gan_topdis.shapes.assignment import require_assignment
from gan_topdis.shapes.diagram_curve import DiagramCurve
from gan_topdis.shapes.matching_task import MainLoss, MatchingTask, full_cramer, paired_cramer
from gan_topdis.shapes.point_mmd import mean_kernel
from gan_topdis.shapes.reference_shapes import reference_shape
from gan_topdis.shapes.regularizers import DEFAULT_WEIGHTS, build_regularizer
from gan_topdis.shapes.shape_match import ShapeMatch
from gan_topdis.training import TrainingProgress, start_compute, train

LOSS_WEIGHTS = {"cramer": 1.6, "cramer-all-pairs": 1.6, "mmd": 5.0}
"""Main losses and their published weights: `cramer` is paired as in the authors' code, `cramer-all-pairs`
ours, `mmd` has a Gaussian kernel."""
LOSSES = tuple(LOSS_WEIGHTS)
START_SPREAD = 0.3
"""Standard deviation of the coordinates of the cloud at the start; the circles have radius 1."""


def match(
    reference: str | Tensor | np.ndarray,
    *,
    loss: str = "cramer",
    loss_weight: float | None = None,
    kernel_width: float = 0.1,
    regularizer: str = "ppm",
    regularizer_weights: Sequence[float] | None = None,
    width: float = 0.1,
    subsamples: int = 2000,
    points: int | None = None,
    start: Tensor | np.ndarray | None = None,
    steps: int = 2420,
    learning_rate: float = 0.05,
    momentum: float = 0.9,
    seed: int = 0,
    keep_every: int = 20,
    curve: bool = True,
    device: str = "auto",
    outdir: str | os.PathLike[str] | None = None,
    resume: bool = False,
    checkpoint_every: int = 200,
    on_progress: Callable[[TrainingProgress], None] | None = None,
) -> ShapeMatch:
    """Move a cloud by gradient descent until it matches a reference, with or without a topological term.

        objective = loss_weight * main loss + sum over q of regularizer_weights[q] * T_q

    Defaults are those of the published figure. They are made for clouds the size of a unit circle; see
    `unit_scale` for others.

    Args:
        reference: a name of `SHAPES`, or points (n, d), finite.
        loss, loss_weight: of `LOSSES`; its published weight when None.
        kernel_width: of the kernel exp(-d^2 / width) of loss `mmd`.
        regularizer, regularizer_weights: of `REGULARIZERS`: none, ppm, w-ppm, pd; `DEFAULT_WEIGHTS` when
            None.
        width: of the kernel of PPM-Reg.
        subsamples: tuples of each cloud and dimension, of PPM-Reg and W-PPM-Reg.
        points: of the moving cloud; as many as the reference has when None. Even for loss `cramer`.
        start: (points, d) where it starts; Gaussian, standard deviation 0.3, when None.
        steps, learning_rate, momentum: of gradient descent.
        seed: of start, pairing and tuples; the same seed gives the same result on CPU.
        keep_every: steps between the clouds that are kept. The start and the end always are.
        curve: whether diagrams are compared at these steps, which needs scipy.
        device: auto, cpu, cuda, mps.
        outdir: for `checkpoint.pt` and `log.csv`; nothing is written when None.
        resume: continue the run in `outdir`, to the very result of a whole one. Continued to more steps,
            `log.csv` keeps the line of the step at which it had ended.
        checkpoint_every: steps.
        on_progress: called after every step.

    Returns:
        The kept clouds, the curve and the settings.

    Raises:
        ValueError: points or an option out of range, another run in `outdir`, a step that is not finite, or
            scipy is missing where it is needed.
        OSError: something cannot be written; the last checkpoint is kept.
        KeyboardInterrupt: after a checkpoint, where there is an outdir.

    Source: Wong, Lee, Yan, Towards Scalable Topological Regularizers, ICLR 2025, section 5.1 and its code.
    """
    goal, name = _reference(reference)
    if loss not in LOSSES:
        raise ValueError(f"loss should be one of {', '.join(LOSSES)}, got {loss!r}")
    weight = LOSS_WEIGHTS[loss] if loss_weight is None else loss_weight
    if not 0 <= weight < math.inf:
        raise ValueError(f"loss_weight should be a finite number >= 0, got {weight}")
    if not 0 < kernel_width < math.inf:
        raise ValueError(f"kernel_width should be a finite number > 0, got {kernel_width}")
    if not 0 < learning_rate < math.inf:
        raise ValueError(f"learning_rate should be a finite number > 0, got {learning_rate}")
    if not 0 <= momentum < 1:
        raise ValueError(f"momentum should be in [0, 1), got {momentum}")
    if seed < 0:
        raise ValueError(f"seed should be at least 0, got {seed}")
    if resume and outdir is None:
        raise ValueError("resume needs the outdir of the run to continue")
    moving = _start(goal, points, start, seed)
    if loss == "cramer" and len(moving) % 2:
        raise ValueError(
            f"points should be even for loss cramer, which pairs them, got {len(moving)}; "
            "give another number of points or loss cramer-all-pairs"
        )
    topological = build_regularizer(regularizer, regularizer_weights, width=width, subsamples=subsamples)
    if curve or (topological is not None and regularizer in ("w-ppm", "pd")):
        require_assignment()
    settings = {
        "reference": name,
        "reference_sha256": fingerprint(goal),
        "start_sha256": fingerprint(moving),
        "loss": loss,
        "loss_weight": float(weight),
        "kernel_width": float(kernel_width),
        "regularizer": regularizer,
        "regularizer_weights": [float(w) for w in regularizer_weights or DEFAULT_WEIGHTS[regularizer]],
        "width": float(width),
        "convention": "reference",
        "subsamples": subsamples,
        "learning_rate": float(learning_rate),
        "momentum": float(momentum),
        "seed": seed,
        "keep_every": keep_every,
        "curve": curve,
    }
    compute = start_compute(device)
    if compute.world_size > 1:
        raise ValueError("shape matching runs in one process; start it without torchrun")
    task = MatchingTask(
        goal.to(compute.device),
        moving.to(compute.device),
        main_loss=_main_loss(loss, goal.to(compute.device), kernel_width),
        weight=weight,
        regularizer=topological,
        learning_rate=learning_rate,
        momentum=momentum,
        keep_every=keep_every,
        with_curve=curve,
        seed=seed,
    )
    train(
        task,
        steps,
        compute,
        settings=settings,
        outdir=outdir,
        resume=resume,
        log_every=keep_every,
        checkpoint_every=checkpoint_every,
        on_progress=on_progress,
    )
    taken = np.array(task.steps)
    return ShapeMatch(
        reference=goal.numpy(),
        steps=taken,
        clouds=torch.stack(task.clouds).numpy(),
        curve=DiagramCurve(taken, np.array(task.distances)) if curve else None,
        settings={**settings, "steps": steps},
    )


def fingerprint(points: Tensor) -> str:
    """SHA-256 of float32 points, hexadecimal."""
    return hashlib.sha256(points.detach().cpu().contiguous().numpy().tobytes()).hexdigest()


def _main_loss(loss: str, goal: Tensor, kernel_width: float) -> MainLoss:
    if loss != "mmd":
        return paired_cramer if loss == "cramer" else full_cramer
    within = mean_kernel(goal, goal, kernel_width)  # constant, so once is enough

    def mmd(reference: Tensor, moving: Tensor, seed: int, step: int) -> Tensor:
        across, own = (mean_kernel(cloud, moving, kernel_width) for cloud in (reference, moving))
        return within - 2 * across + own

    return mmd


def _reference(reference: str | Tensor | np.ndarray) -> tuple[Tensor, str]:
    """The points as float32 on the CPU, and what to call them."""
    if isinstance(reference, str):
        return reference_shape(reference), reference
    return _cloud(reference, "reference"), "points"


def _start(goal: Tensor, points: int | None, start: Tensor | np.ndarray | None, seed: int) -> Tensor:
    if start is not None:
        cloud = _cloud(start, "start")
        if cloud.shape[1] != goal.shape[1] or (points is not None and len(cloud) != points):
            raise ValueError(
                f"start should have shape ({points or 'm'}, {goal.shape[1]}), got {tuple(cloud.shape)}"
            )
        return cloud
    count = len(goal) if points is None else points
    if count < 4:
        raise ValueError(f"points should be at least 4, got {count}")
    # torch's own stream of the seed, so that seed 0 is the start of the published runs
    return START_SPREAD * torch.randn(count, goal.shape[1], generator=torch.Generator().manual_seed(seed))


def _cloud(points: Tensor | np.ndarray, name: str) -> Tensor:
    cloud = torch.as_tensor(points).detach().cpu().float()
    if cloud.ndim != 2 or cloud.shape[0] < 4 or cloud.shape[1] < 1:
        raise ValueError(f"{name} should be points (n, d) with n >= 4, got {tuple(cloud.shape)}")
    if not torch.isfinite(cloud).all():
        raise ValueError(f"{name} should be finite, got NaN or infinity")
    return cloud
