"""Descent of several unit vectors at once, in coordinates of equal visible effect.

Coordinates are scaled so that every unit vector has the same visible effect; without that, weak factors
barely bend the objective and their share in a direction stays where chance put it.
"""

from __future__ import annotations

import math
from collections.abc import Callable

import torch
from jaxtyping import Float
from torch import Tensor

from gan_topdis.directions.informative_subspace import InformativeSubspace

LEARNING_RATE = 0.15
"""Adam's, on unit vectors in equal-effect coordinates; decays to a twentieth along a cosine."""
_MEMORY = 0.8
"""Weight of the past in the running mean of the cost."""


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


def learning_rate(step: int, steps: int) -> float:
    return LEARNING_RATE * (0.05 + 0.95 * 0.5 * (1 + math.cos(math.pi * step / steps)))


class RunningCost:
    """Running mean of the costs of r starts, and for how many steps the best of them has not fallen."""

    def __init__(self, starts: int, device: torch.device) -> None:
        self.mean = torch.zeros(starts, device=device)
        self.steps_without_progress = 0
        self._steps = 0
        self._best = math.inf

    def update(self, cost: Float[Tensor, " r"]) -> None:
        self.mean = _MEMORY * self.mean + (1 - _MEMORY) * cost.detach().to(self.mean.device)
        self._steps += 1
        # the mean starts at 0; without that share, means of different age can be compared
        best = float(self.mean.min()) / (1 - _MEMORY**self._steps)
        self.steps_without_progress = 0 if best < self._best else self.steps_without_progress + 1
        self._best = min(self._best, best)

    def give_up_worse_half(self) -> Tensor:
        """Keeps the better half, rounded up; returns which, best first."""
        keep = self.mean.argsort()[: math.ceil(len(self.mean) / 2)]
        self.mean = self.mean[keep]
        return keep


def descend(
    cost_of: Callable[[Float[Tensor, "r m"], int], Float[Tensor, " r"]],
    starts: Float[Tensor, "r m"],
    *,
    steps: int,
    patience: int | None,
    on_step: Callable[[], None],
) -> Float[Tensor, "r2 m"]:
    """Unit coordinates after Adam; halfway, the worse half of the starts is given up.

    Args:
        cost_of: cost of each row at a step, differentiable, on a cloud of its own choice.
        starts: unit rows.
        patience: steps without progress of the running cost after which the descent ends.
        on_step: called `steps` times, also when the descent ends early.
    """
    if starts.shape[1] == 1:  # nothing to turn
        for _ in range(steps):
            on_step()
        return starts[:1]
    coordinates = starts.clone().requires_grad_()
    optimizer = torch.optim.Adam([coordinates])
    running = RunningCost(len(starts), starts.device)
    for step in range(steps):
        if patience is not None and running.steps_without_progress >= patience:
            on_step()
            continue
        if step == steps // 2 and len(coordinates) > 1:
            coordinates = coordinates.detach()[running.give_up_worse_half()].requires_grad_()
            optimizer = torch.optim.Adam([coordinates])
        for group in optimizer.param_groups:
            group["lr"] = learning_rate(step, steps)
        cost = cost_of(coordinates, step)
        # to the coordinates only: a borrowed network's parameters must not collect gradients
        (coordinates.grad,) = torch.autograd.grad(cost.sum(), coordinates)
        optimizer.step()
        with torch.no_grad():
            coordinates /= coordinates.norm(dim=1, keepdim=True)
        running.update(cost)
        on_step()
    return coordinates.detach()


def coordinates_in(
    vectors: Float[Tensor, "r w_dim"], frame: Float[Tensor, "m w_dim"]
) -> Float[Tensor, "r m"]:
    """Unit coordinates of the vectors' projections to the span of the frame, whose rows are orthogonal
    to what was found but not to each other: least squares."""
    solution = torch.linalg.lstsq(frame.cpu().double().T, vectors.cpu().double().T).solution.T
    return torch.nn.functional.normalize(solution, dim=1).to(frame)


def unit_vectors(
    coordinates: Float[Tensor, "... r m"], frame: Float[Tensor, "m w_dim"]
) -> Float[Tensor, "... r w_dim"]:
    """Unit vectors in the latent space of coordinates of any length."""
    unit = torch.nn.functional.normalize(coordinates, dim=-1)
    return torch.nn.functional.normalize(unit @ frame, dim=-1)
