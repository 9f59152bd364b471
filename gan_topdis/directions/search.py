"""What a method is given, `Search`, and what it has to offer, `Method`."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass

import torch
from jaxtyping import Float
from torch import Tensor

from gan_topdis.directions.informative_subspace import InformativeSubspace
from gan_topdis.directions.latent_samples import LatentSampler, LatentStatistics
from gan_topdis.directions.options import TopDisOptions
from gan_topdis.directions.shift_objective import Cloud, ShiftCost, ShiftObjective
from gan_topdis.generators import Generator
from gan_topdis.seeding import seeded_generator

# What random generators are for: the second number that seeds them
STATISTICS, EFFECT, EVALUATION, RANDOM, BASELINE = range(5)
SEARCH_STAGE, SECOND_STAGE, FEATURES, PLAIN, JOINT = range(5, 10)


@dataclass(frozen=True)
class Search:
    """Everything a method may need about a generator and a request.

    Attributes:
        sampler: draws latents and turns them into features.
        statistics: mean and covariance of the latent, untruncated.
        effect: E = mean of J^T J of the features, float64 (w_dim, w_dim).
        subspace: the span of directions that change the picture.
        objective: what a direction costs on a cloud.
        evaluation: the fixed cloud that compares candidates and scores results.
        options, seed, count: of the request.
        on_step: to be called as often as `Method.steps` says.
        starts: (count, w_dim) directions of a baseline to start from.
    """

    sampler: LatentSampler
    statistics: LatentStatistics
    effect: Tensor
    subspace: InformativeSubspace
    objective: ShiftObjective
    evaluation: Cloud
    options: TopDisOptions
    seed: int
    count: int
    on_step: Callable[[], None]
    starts: Tensor

    @property
    def generator(self) -> Generator:
        return self.sampler.generator

    def rng(self, *purpose: int) -> torch.Generator:
        """The random generator of one purpose, so that continued runs draw what whole ones draw."""
        return seeded_generator(self.seed, *purpose)

    def evaluate(self, vectors: Float[Tensor, "r w_dim"]) -> ShiftCost:
        """Costs of unit vectors on the evaluation cloud, without gradient."""
        return self.objective.evaluate(self.evaluation, vectors, self.options.evaluation_points)


Steps = Callable[[TopDisOptions, Generator, int], int]
"""Calls of `on_step` for so many directions."""


def no_steps(options: TopDisOptions, generator: Generator, directions: int) -> int:
    return 0


@dataclass(frozen=True)
class Method:
    """A way of finding directions.

    Attributes:
        find: yields directions k, k + 1, ... count - 1 as unit vectors (w_dim,), given the k before them
            as rows (k, w_dim). Direction k depends on the seed and those before it alone, so that an
            interrupted search continues to the same result.
        steps: how often `find` calls `on_step`, given options, generator and the number of directions.
        refine: turns all found directions (count, w_dim), in order, into as many better ones.
        refine_steps: how often `refine` calls `on_step`.
        require: raises ValueError where a generator has not what the method needs.
        in_subspace: whether directions lie in the informative subspace, which bounds their number.
        orthonormal: whether the rows are orthonormal; else they are of unit length only.
    """

    find: Callable[[Search, Tensor], Iterable[Tensor]]
    steps: Steps = no_steps
    refine: Callable[[Search, Tensor], Tensor] | None = None
    refine_steps: Steps = no_steps
    require: Callable[[Generator], object] | None = None
    in_subspace: bool = True
    orthonormal: bool = True
