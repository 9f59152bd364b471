"""TopDis: latent directions one after another, each of least topological distortion.

Each direction is a unit vector in the informative subspace, orthogonal to those before it, found by
gradient descent on the logarithm of `shift_objective`'s distortion over fresh clouds. Orthogonality is
built in: the search runs in the orthogonal complement, in coordinates of equal effect.

Several starts descend together; halfway through, the worse half is given up. The survivors are compared
on one fixed evaluation cloud. A second pass then repeats the search from what was found, cheapest first.

Source: Balabin et al., Disentanglement Learning via Topology, arXiv:2308.12696. The sequential search
    by RTD between generated clouds before and after a shift is theirs as far as recalled (`topdis_plain`);
    shift by quantiles (their VAE loss) instead of by a constant, power 2, equal-effect coordinates and
    restarts are ours, chosen by measurement (docs/discovery.md).
"""

from __future__ import annotations

import math
from collections.abc import Iterator

import torch
from jaxtyping import Float
from torch import Tensor

from gan_topdis.directions.descent import coordinates_in, descend, equal_effect_frame, unit_vectors
from gan_topdis.directions.options import TopDisOptions
from gan_topdis.directions.search import SEARCH_STAGE, SECOND_STAGE, Method, Search
from gan_topdis.generators import Generator


def topdis_directions(search: Search, found: Float[Tensor, "k w_dim"]) -> Iterator[Float[Tensor, " w_dim"]]:
    """Yield directions k, k + 1, ... count - 1, unit vectors orthogonal to all before them."""
    for index in range(len(found), search.count):
        vector = _next_direction(search, found, index)
        found = torch.cat([found, vector[None]])
        yield vector


def _next_direction(search: Search, found: Tensor, index: int) -> Tensor:
    """The direction of least cost orthogonal to `found`: half of the starts are the cheapest of a baseline's
    directions, projected to what is left, the others random."""
    options, rng = search.options, search.rng(SEARCH_STAGE, index)
    frame = frame_of(search, found)
    warm = coordinates_in(search.starts, frame)
    cheapest = search.evaluate(unit_vectors(warm, frame)).total.argsort()
    warm = warm[cheapest[: math.ceil(options.restarts / 2)]]
    others = torch.randn(options.restarts - len(warm), len(frame), generator=rng)
    starts = torch.cat([warm, torch.nn.functional.normalize(others, dim=1).to(frame)])
    ends = _descended(search, frame, starts, options.steps, rng)
    vectors = unit_vectors(torch.cat([ends, warm]), frame)  # a baseline's direction may be best as it is
    return vectors[search.evaluate(vectors).total.argmin()]


def second_pass(search: Search, vectors: Float[Tensor, "k w_dim"]) -> Float[Tensor, "k w_dim"]:
    """The same search again from what it found, cheapest first.

    Where the first pass missed the cheapest direction at its turn, everything found before it is
    orthogonal to a mixture instead of to a factor. Here each turn starts from the two cheapest of all
    directions found, projected to what is left, and keeps the best of starts and ends.
    """
    remaining = vectors.to(search.generator.device)
    found = remaining[:0]
    for index in range(len(vectors)):
        rng = search.rng(SECOND_STAGE, index)
        frame = frame_of(search, found)
        projected = unit_vectors(coordinates_in(remaining, frame), frame)
        costs = search.evaluate(projected).total
        cheapest = costs.argsort()[:2]
        starts = projected[cheapest]
        coordinates = coordinates_in(starts, frame)
        ends = unit_vectors(_descended(search, frame, coordinates, search.options.second_steps, rng), frame)
        end_costs = search.evaluate(ends).total
        best = torch.cat([starts, ends])[torch.cat([costs[cheapest], end_costs]).argmin()]
        found = torch.cat([found, best[None]])
        # the start that ended nearest to the result has had its turn
        done = (remaining @ best).abs().argmax()
        remaining = torch.cat([remaining[:done], remaining[done + 1 :]])
    return found


def _descended(search: Search, frame: Tensor, starts: Tensor, steps: int, rng: torch.Generator) -> Tensor:
    objective, points = search.objective, search.options.points

    def cost_of(coordinates: Tensor, step: int) -> Tensor:
        cloud = objective.cloud(points, rng)
        sign = 1.0 if step % 2 else -1.0  # one a step is half the pictures, and over two steps the same
        return objective.costs(cloud, unit_vectors(coordinates, frame), points, signs=(sign,)).total

    return descend(cost_of, starts, steps=steps, patience=search.options.patience, on_step=search.on_step)


def frame_of(search: Search, found: Tensor) -> Tensor:
    """`equal_effect_frame` as candidates need it."""
    return equal_effect_frame(search.subspace, found).to(search.generator.device, torch.float32)


def _steps(options: TopDisOptions, generator: Generator, directions: int) -> int:
    return options.steps * directions


def _second_steps(options: TopDisOptions, generator: Generator, directions: int) -> int:
    return options.second_steps * directions if directions > 1 else 0


TOPDIS = Method(topdis_directions, steps=_steps, refine=second_pass, refine_steps=_second_steps)
