"""Refining a set of directions together: descent on the sum of their costs over orthonormal frames.

A sequential search makes direction k live with the errors of those before it: when one stops in a
mixture of two factors, all later ones are orthogonal to that mixture and cannot be pure either. Here
all turn together. The frame stays orthonormal by symmetric orthogonalisation after each step, which
prefers no direction over another, unlike Gram-Schmidt.

Source: symmetric orthogonalisation, P.-O. Lowdin, J. Chem. Phys. 18, 365 (1950); its Newton-Schulz
    iteration, N. Higham, Functions of Matrices (2008), eq. 8.20. The objective is `shift_objective`'s.
"""

from __future__ import annotations

import math
from collections.abc import Callable

import torch
from jaxtyping import Float
from torch import Tensor

from gan_topdis.directions.informative_subspace import InformativeSubspace
from gan_topdis.directions.shift_objective import Cloud, ShiftObjective
from gan_topdis.seeding import seeded_generator

LEARNING_RATE = 0.06
"""Adam's, on coordinates of unit vectors; decays to a twentieth along a cosine."""
_STAGE = 5


def refine_jointly(
    objective: ShiftObjective,
    subspace: InformativeSubspace,
    evaluation: Cloud,
    vectors: Float[Tensor, "k w_dim"],
    *,
    steps: int,
    points: int,
    evaluation_points: int,
    seed: int,
    on_step: Callable[[], None],
) -> Float[Tensor, "k w_dim"]:
    """Orthonormal directions of lower total log-distortion, or those given if there are none.

    Both sets are compared on the evaluation cloud.
    """
    rng = seeded_generator(seed, _STAGE)
    device = objective.sampler.generator.device
    basis = subspace.basis.to(device, torch.float32)  # (m, w_dim)
    start = vectors.to(device) @ basis.T  # (k, m)
    coordinates = start.clone().requires_grad_()
    optimizer = torch.optim.Adam([coordinates])
    for step in range(steps):
        for group in optimizer.param_groups:
            group["lr"] = LEARNING_RATE * (0.05 + 0.95 * 0.5 * (1 + math.cos(math.pi * step / steps)))
        cloud = objective.cloud(points, rng)
        frame = symmetric_orthonormal(coordinates) @ basis
        cost = objective.costs(cloud, frame, points).log_distortion.sum()
        (coordinates.grad,) = torch.autograd.grad(cost, coordinates)
        optimizer.step()
        with torch.no_grad():
            coordinates.copy_(symmetric_orthonormal(coordinates))
        on_step()
    with torch.no_grad():
        refined = symmetric_orthonormal(coordinates) @ basis
        before, after = (
            sum(
                float(objective.costs(evaluation, part, evaluation_points).log_distortion.sum())
                for part in frame.split(4)
            )
            for frame in (vectors.to(device), refined)
        )
    return refined if after < before else vectors


def symmetric_orthonormal(rows: Float[Tensor, "k m"]) -> Float[Tensor, "k m"]:
    """The orthonormal rows nearest to nearly orthonormal ones: (A A^T)^(-1/2) A, differentiable.

    Newton-Schulz iteration; converges quadratically while singular values lie in (0, sqrt(3)).
    """
    for _ in range(8):
        rows = 1.5 * rows - 0.5 * (rows @ rows.mT) @ rows
    return rows
