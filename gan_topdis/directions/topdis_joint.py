"""TopDis on the whole direction matrix at once, on the Stiefel manifold.

The rows of Y (count, m) are orthonormal coordinates of directions in a frame of equal visible effect; the
loss is the sum over rows of the logarithm of `shift_objective`'s distortion. A step moves Y along Adam's
direction of the Riemannian gradient and retracts it to the nearest matrix with orthonormal rows (polar
factor), which turns no row more than another. Afterwards the directions, which are orthogonal in the effect
metric, are made orthonormal in the latent space symmetrically. Several starts descend together; halfway
through, the worse half is given up.

Source: the loss of `topdis`; retraction: Absil, Mahony, Sepulchre, Optimization Algorithms on Matrix
    Manifolds, 2008, examples 3.6.2 (tangent projection) and 4.1.3 (polar retraction).
"""

from __future__ import annotations

import torch
from jaxtyping import Float
from torch import Tensor

from gan_topdis.directions.descent import RunningCost, coordinates_in, learning_rate, unit_vectors
from gan_topdis.directions.options import TopDisOptions
from gan_topdis.directions.search import JOINT, Method, Search
from gan_topdis.directions.topdis import frame_of
from gan_topdis.generators import Generator
from gan_topdis.tensors import as_float64


def joint_directions(search: Search, found: Tensor) -> Float[Tensor, "left w_dim"]:
    """All directions from one descent, without those that an interrupted call has handed out."""
    rng = search.rng(JOINT)
    frame = frame_of(search, found[:0])  # (m, w_dim)
    ends = _descended(search, frame, _starts(search, frame, rng), rng)
    vectors = nearest_orthonormal(unit_vectors(ends, frame))  # (r, count, w_dim)
    costs = search.evaluate(vectors.flatten(0, 1)).total.unflatten(0, vectors.shape[:2])
    return vectors[costs.sum(dim=1).argmin()][len(found) :]


def nearest_orthonormal(rows: Float[Tensor, "... k m"]) -> Float[Tensor, "... k m"]:
    """The nearest matrix with orthonormal rows: the polar factor; computed in float64."""
    left, _, right = torch.linalg.svd(as_float64(rows), full_matrices=False)
    return (left @ right).to(rows.dtype).to(rows.device)


def tangent(y: Float[Tensor, "... k m"], gradient: Float[Tensor, "... k m"]) -> Float[Tensor, "... k m"]:
    """The part of a gradient that is tangent to matrices with orthonormal rows: G - sym(G Y^T) Y."""
    product = gradient @ y.mT
    return gradient - 0.5 * (product + product.mT) @ y


def _starts(search: Search, frame: Tensor, rng: torch.Generator) -> Float[Tensor, "r count m"]:
    """The baseline's directions, and random matrices."""
    warm = nearest_orthonormal(coordinates_in(search.starts, frame)[None])
    others = torch.randn(search.options.restarts - 1, search.count, len(frame), generator=rng)
    return torch.cat([warm, nearest_orthonormal(others).to(warm)])


def _descended(
    search: Search, frame: Tensor, starts: Float[Tensor, "r count m"], rng: torch.Generator
) -> Float[Tensor, "r2 count m"]:
    objective, options = search.objective, search.options
    steps = _steps(options, search.generator, search.count)
    y = starts.clone().requires_grad_()
    optimizer = torch.optim.Adam([y])
    running = RunningCost(len(y), y.device)
    for step in range(steps):
        if options.patience is not None and running.steps_without_progress >= options.patience:
            search.on_step()
            continue
        if step == steps // 2 and len(y) > 1:
            y = y.detach()[running.give_up_worse_half()].requires_grad_()
            optimizer = torch.optim.Adam([y])
        for group in optimizer.param_groups:
            group["lr"] = learning_rate(step, steps)
        cloud = objective.cloud(options.points, rng)
        candidates = unit_vectors(y, frame).flatten(0, 1)
        sign = 1.0 if step % 2 else -1.0
        cost = objective.costs(cloud, candidates, options.points, signs=(sign,)).total
        cost = cost.unflatten(0, y.shape[:2]).sum(dim=1)  # (r,)
        (gradient,) = torch.autograd.grad(cost.sum(), y)
        y.grad = tangent(y.detach(), gradient)
        optimizer.step()
        with torch.no_grad():
            y.copy_(nearest_orthonormal(y))
        running.update(cost)
        search.on_step()
    return y.detach()


def _steps(options: TopDisOptions, generator: Generator, directions: int) -> int:
    return options.steps + options.second_steps if directions else 0


TOPDIS_JOINT = Method(joint_directions, steps=_steps)
