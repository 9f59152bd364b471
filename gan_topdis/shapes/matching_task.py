"""One step of shape matching: every coordinate of a cloud is a parameter."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import torch
from jaxtyping import Float
from torch import Tensor, nn

from gan_topdis.losses import CramerDistance
from gan_topdis.losses.cramer_distance import paired_generator_loss
from gan_topdis.persistence import PersistenceDiagram
from gan_topdis.seeding import seeded_generator
from gan_topdis.shapes.diagram_curve import COLUMNS, compare_diagrams, full_diagram
from gan_topdis.training import apply_gradients, gradients_of

# What random generators are for: numbers that seed them beside the user's seed
_REFERENCE_HALVES, _MOVING_HALVES, _TUPLES = range(3)

MainLoss = Callable[[Tensor, Tensor, int, int], Tensor]
"""(reference, moving, seed, step) to a scalar."""


def paired_cramer(
    reference: Float[Tensor, "n d"], moving: Float[Tensor, "m d"], seed: int, step: int
) -> Float[Tensor, ""]:
    """The authors' loss: the paired generator's form of the Cramer distance, both clouds in random order.

    A larger reference is sampled without repeats, a smaller one gone through as often as it takes. Its
    expectation is E|x - x'| of the reference more than the Cramer distance, so it does not fall to 0.
    """
    n, m = len(reference), len(moving)
    rng = seeded_generator(seed, _REFERENCE_HALVES, step)
    rows = torch.cat([torch.randperm(n, generator=rng) for _ in range(-(-m // n))])[:m]
    order = torch.randperm(m, generator=seeded_generator(seed, _MOVING_HALVES, step))
    return paired_generator_loss(reference[rows.to(reference.device)], moving[order.to(moving.device)])


def full_cramer(
    reference: Float[Tensor, "n d"], moving: Float[Tensor, "m d"], seed: int, step: int
) -> Float[Tensor, ""]:
    """The Cramer distance over all pairs: the same gradient in expectation, without the noise of pairing."""
    value: Tensor = CramerDistance()(reference, moving)
    return value


class MatchingTask:
    """What `training.train` runs. Implements `training.Task`.

    The state holds the clouds and distances kept so far, so that a run that goes on ends with all of them.

    Args:
        reference, moving: (n, d), (m, d) on the device of the training; the second is where it starts.
        main_loss, weight: the loss, and its factor.
        regularizer: called (moving, reference, generator=...); None leaves it out.
        learning_rate, momentum: of SGD.
        keep_every: steps between the clouds that are kept.
        with_curve: whether diagrams are compared at each kept step.
        seed: of everything that is drawn.
    """

    def __init__(
        self,
        reference: Float[Tensor, "n d"],
        moving: Float[Tensor, "m d"],
        *,
        main_loss: MainLoss,
        weight: float,
        regularizer: nn.Module | None,
        learning_rate: float,
        momentum: float,
        keep_every: int,
        with_curve: bool,
        seed: int,
    ) -> None:
        self.reference = reference
        self.moving = moving.clone().requires_grad_()
        self.steps: list[int] = []
        self.clouds: list[Tensor] = []
        self.distances: list[list[float]] = []
        self._main_loss, self._weight, self._regularizer = main_loss, weight, regularizer
        self._seed, self._every = seed, keep_every
        self._optimizer = torch.optim.SGD([self.moving], lr=learning_rate, momentum=momentum)
        self._target: PersistenceDiagram | None = full_diagram(reference) if with_curve else None
        self._keep(0)

    def step(self, number: int, *, log_due: bool) -> dict[str, float]:
        main = self._weight * self._main_loss(self.reference, self.moving, self._seed, number)
        loss = main
        logs = {"main_loss": float(main.detach())} if log_due else {}
        if self._regularizer is not None:
            rng = seeded_generator(self._seed, _TUPLES, number)
            extra = self._regularizer(self.moving, self.reference, generator=rng)
            loss = loss + extra
            if log_due:
                logs["regularizer"] = float(extra.detach())
        apply_gradients(self._optimizer, [self.moving], gradients_of(loss, [self.moving]))
        if log_due:
            logs |= self._keep(number + 1)
        return logs

    def state_dict(self) -> dict[str, Any]:
        return {
            "moving": self.moving.detach().cpu(),
            "optimizer": self._optimizer.state_dict(),
            "steps": list(self.steps),
            "clouds": torch.stack(self.clouds),
            "distances": [list(row) for row in self.distances],
        }

    def load_state_dict(self, state: dict[str, Any]) -> None:
        with torch.no_grad():
            self.moving.copy_(state["moving"])
        self._optimizer.load_state_dict(state["optimizer"])
        self.steps = list(state["steps"])
        self.clouds = list(state["clouds"])
        self.distances = [list(row) for row in state["distances"]]

    def _keep(self, done: int) -> dict[str, float]:
        """The cloud of this moment, and what to log of its diagrams."""
        if self.steps and self.steps[-1] % self._every:  # the end of a shorter run, which this one continues
            del self.steps[-1], self.clouds[-1]
            if self.distances:
                del self.distances[-1]
        self.steps.append(done)
        self.clouds.append(self.moving.detach().cpu().clone())
        if self._target is None:
            return {}
        self.distances.append(compare_diagrams(full_diagram(self.moving), self._target))
        return dict(zip(COLUMNS, self.distances[-1], strict=True))
