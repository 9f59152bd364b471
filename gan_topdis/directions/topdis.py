"""TopDis: latent directions one after another, each of least topological distortion.

Each direction is a unit vector in the informative subspace, orthogonal to those before it, found by
gradient descent on the logarithm of `shift_objective`'s distortion over fresh clouds. Orthogonality is
built in: the search runs in the orthogonal complement. Inside it, coordinates are scaled so that every
unit vector has the same visible effect; without that, weak factors barely bend the objective and their
share in a direction stays where chance put it.

Several starts descend together; halfway through, the worse half is given up. The survivors are compared
on one fixed evaluation cloud. A second pass then repeats the search from what was found, cheapest first.

Source: Balabin et al., Disentanglement Learning via Topology, arXiv:2308.12696. The sequential search
    by RTD between generated clouds before and after a shift is theirs as far as recalled; shift by
    quantiles (their VAE loss) instead of by a constant, power 2, equal-effect coordinates and restarts
    are ours, chosen by measurement (docs/discovery.md).
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator
from dataclasses import dataclass

import torch
from jaxtyping import Float
from torch import Tensor

from gan_topdis.directions.informative_subspace import InformativeSubspace
from gan_topdis.directions.shift_objective import Cloud, ShiftObjective
from gan_topdis.seeding import seeded_generator

LEARNING_RATE = 0.15
"""Adam's, on unit vectors in equal-effect coordinates; decays to a twentieth along a cosine."""
_SEARCH_STAGE, _SECOND_STAGE = 5, 6  # purposes of random generators, after those of `discover`


@dataclass(frozen=True)
class TopDisOptions:
    """Settings of the search.

    Attributes:
        points: latents per cloud and step; time grows a little faster than linearly.
        steps: gradient steps per direction.
        second_steps: gradient steps per direction in the second pass; 0 leaves out that pass.
        restarts: starts per direction, half of them principal axes of the effect and half random; at half
            the steps the worse half is given up.
        feature_size: pictures are area-averaged to this many pixels a side before comparison.
        subspace: largest dimension of the informative subspace. Larger ones hold directions that move
            the picture less, which the scale-free objective does not mind but users do.
        evaluation_points: latents in the fixed cloud that compares starts and scores directions.
        max_batch: images synthesized at a time, which bounds memory and changes no result; by the
            generator's resolution when None.
    """

    points: int = 64
    steps: int = 60
    second_steps: int = 30
    restarts: int = 4
    feature_size: int = 32
    subspace: int = 16
    evaluation_points: int = 192
    max_batch: int | None = None

    def __post_init__(self) -> None:
        for name, least in (
            ("points", 8),
            ("steps", 1),
            ("second_steps", 0),
            ("restarts", 1),
            ("feature_size", 1),
            ("subspace", 1),
            ("evaluation_points", 8),
            ("max_batch", 1),
        ):
            value = getattr(self, name)
            if value is not None and value < least:
                raise ValueError(f"{name} should be at least {least}, got {value}")


def topdis_directions(
    objective: ShiftObjective,
    subspace: InformativeSubspace,
    evaluation: Cloud,
    *,
    count: int,
    options: TopDisOptions,
    seed: int,
    found: Float[Tensor, "k w_dim"],
    on_step: Callable[[], None],
) -> Iterator[Float[Tensor, " w_dim"]]:
    """Yield directions k, k + 1, ... count - 1, unit vectors orthogonal to all before them.

    Direction k depends on the seed and on the directions before it alone, so that an interrupted
    search continues to the same result.

    Args:
        found: directions 0 .. k - 1 of an interrupted search, rows; (0, w_dim) to start.
        on_step: called after each gradient step.
    """
    for index in range(len(found), count):
        vector = _search(objective, subspace, evaluation, found, index, options, seed, on_step)
        found = torch.cat([found, vector[None]])
        yield vector


def equal_effect_frame(
    subspace: InformativeSubspace, found: Float[Tensor, "k w_dim"]
) -> Float[Tensor, "m w_dim"]:
    """Rows span the orthogonal complement of `found` in the subspace, have equal effect, and are
    orthogonal in the effect metric, so that a unit combination of them has that effect too. They are
    the principal axes of the effect there, most effective first."""
    inside = found.cpu().double() @ subspace.basis.T  # (k, m)
    complement = torch.linalg.svd(inside, full_matrices=True).Vh[len(found) :]  # (m - k, m)
    effects, axes = torch.linalg.eigh(complement @ subspace.effect @ complement.T)
    effects, axes = effects.flip(0), axes.flip(1)
    scale = effects.clamp_min(1e-6 * float(effects[0])).rsqrt()
    return (axes * scale).T @ complement @ subspace.basis


def _search(
    objective: ShiftObjective,
    subspace: InformativeSubspace,
    evaluation: Cloud,
    found: Tensor,
    index: int,
    options: TopDisOptions,
    seed: int,
    on_step: Callable[[], None],
) -> Tensor:
    """The direction of least distortion orthogonal to `found`, from principal axes and random starts."""
    rng = seeded_generator(seed, _SEARCH_STAGE, index)
    frame = _frame(objective, subspace, found)
    # half of the starts are the most effective principal axes left, the others random
    axes = torch.eye(len(frame))[: options.restarts // 2]
    others = torch.randn(options.restarts - len(axes), len(frame), generator=rng)
    starts = torch.cat([axes, torch.nn.functional.normalize(others, dim=1)]).to(frame)
    ends = _descend(objective, frame, starts, options.steps, options, rng, on_step)
    vectors = _unit(ends, frame)
    return vectors[objective.evaluate(evaluation, vectors, options.evaluation_points).log_distortion.argmin()]


def second_pass(
    objective: ShiftObjective,
    subspace: InformativeSubspace,
    evaluation: Cloud,
    vectors: Float[Tensor, "k w_dim"],
    *,
    options: TopDisOptions,
    seed: int,
    on_step: Callable[[], None],
) -> Float[Tensor, "k w_dim"]:
    """The same search again from what it found, cheapest first.

    Where the first pass missed the cheapest direction at its turn, everything found before it is
    orthogonal to a mixture instead of to a factor. Here each turn starts from the two cheapest of all
    directions found, projected to what is left, and keeps the best of starts and ends.
    """
    remaining = vectors.to(objective.sampler.generator.device)
    found = remaining[:0]
    for index in range(len(vectors)):
        rng = seeded_generator(seed, _SECOND_STAGE, index)
        frame = _frame(objective, subspace, found)
        projected = _unit(_coordinates(remaining, frame), frame)
        costs = objective.evaluate(evaluation, projected, options.evaluation_points).log_distortion
        cheapest = costs.argsort()[:2]
        starts = projected[cheapest]
        ends = _unit(
            _descend(
                objective, frame, _coordinates(starts, frame), options.second_steps, options, rng, on_step
            ),
            frame,
        )
        end_costs = objective.evaluate(evaluation, ends, options.evaluation_points).log_distortion
        best = torch.cat([starts, ends])[torch.cat([costs[cheapest], end_costs]).argmin()]
        found = torch.cat([found, best[None]])
        # the start that ended nearest to the result has had its turn
        done = (remaining @ best).abs().argmax()
        remaining = torch.cat([remaining[:done], remaining[done + 1 :]])
    return found


def _descend(
    objective: ShiftObjective,
    frame: Float[Tensor, "m w_dim"],
    starts: Float[Tensor, "r m"],
    steps: int,
    options: TopDisOptions,
    rng: torch.Generator,
    on_step: Callable[[], None],
) -> Float[Tensor, "r2 m"]:
    """Unit coordinates after Adam on fresh clouds; halfway, the worse half of the starts is given up."""
    if len(frame) == 1:  # nothing to turn
        for _ in range(steps):
            on_step()
        return starts[:1]
    coordinates = starts.clone().requires_grad_()
    optimizer = torch.optim.Adam([coordinates])
    recent = torch.zeros(len(starts), device=frame.device)  # running mean of the cost
    for step in range(steps):
        if step == steps // 2 and len(coordinates) > 1:
            keep = recent.argsort()[: math.ceil(len(coordinates) / 2)]
            coordinates = coordinates.detach()[keep].requires_grad_()
            recent = recent[keep]
            optimizer = torch.optim.Adam([coordinates])
        for group in optimizer.param_groups:
            group["lr"] = LEARNING_RATE * (0.05 + 0.95 * 0.5 * (1 + math.cos(math.pi * step / steps)))
        cloud = objective.cloud(options.points, rng)
        sign = 1.0 if step % 2 else -1.0  # one a step is half the pictures, and over two steps the same
        cost = objective.costs(cloud, _unit(coordinates, frame), options.points, signs=(sign,)).log_distortion
        # to the coordinates only: a borrowed network's parameters must not collect gradients
        (coordinates.grad,) = torch.autograd.grad(cost.sum(), coordinates)
        optimizer.step()
        with torch.no_grad():
            coordinates /= coordinates.norm(dim=1, keepdim=True)
            recent = 0.8 * recent + 0.2 * cost.detach()
        on_step()
    return coordinates.detach()


def _frame(objective: ShiftObjective, subspace: InformativeSubspace, found: Tensor) -> Tensor:
    return equal_effect_frame(subspace, found).to(objective.sampler.generator.device, torch.float32)


def _coordinates(vectors: Float[Tensor, "r w_dim"], frame: Float[Tensor, "m w_dim"]) -> Float[Tensor, "r m"]:
    """Unit coordinates of the vectors' projections to the span of the frame, whose rows are orthogonal
    to what was found but not to each other: least squares."""
    solution = torch.linalg.lstsq(frame.cpu().double().T, vectors.cpu().double().T).solution.T
    return torch.nn.functional.normalize(solution, dim=1).to(frame)


def _unit(coordinates: Float[Tensor, "r m"], frame: Float[Tensor, "m w_dim"]) -> Float[Tensor, "r w_dim"]:
    return torch.nn.functional.normalize(torch.nn.functional.normalize(coordinates, dim=1) @ frame, dim=1)
