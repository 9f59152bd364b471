"""ControlVAE: a PI controller sets the weight of the KL term so that KL follows a set point.

Source: Shao et al., ControlVAE: Controllable Variational Autoencoder, arXiv:2004.05988, section 3 and Alg. 1;
    the added 1 in the proportional part as in the code for disentanglement.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import final

import torch
from torch import Tensor

from gan_topdis.vae.architectures import VAE
from gan_topdis.vae.objectives.objective import Objective, OptimizerSettings, Terms, encoded

PROPORTIONAL_GAIN = 0.01
INTEGRAL_GAIN = 0.001


@dataclass(frozen=True)
class ControllerStep:
    """Attributes: the integral part I; the weight W before it is held at 1 or above; `applied`, after it."""

    integral: float
    weight: float

    @property
    def applied(self) -> float:
        return max(self.weight, 1.0)


def controller_step(kl: float, set_point: float, integral: float, weight: float) -> ControllerStep:
    """One step of the controller from its last integral part and unclamped weight.

    A weight below 1 stops the integration for a step, so that I does not wind up.
    """
    error = set_point - kl
    # 0.01 / (1 + exp(error)) + 1, written so that a large error does not overflow
    proportional = PROPORTIONAL_GAIN * (0.5 - 0.5 * math.tanh(error / 2)) + 1
    if weight >= 1:
        integral -= INTEGRAL_GAIN * error
    return ControllerStep(integral, proportional + integral)


@final
class ControlVAE(Objective):
    """Reconstruction + w * KL, with w from the controller of this batch's KL.

    Args:
        start, increment, every, cap: the set point of KL in nats: `start`, raised by `increment` after
            each `every` steps, at most `cap`; 0.5, 0.15, 5000 and 18 for dSprites.

    State: `integral` I and `weight` W (no previous weight counts as W = 1, our choice), and `step`, the
        number of steps done, which fixes the set point.
    """

    integral: Tensor
    weight: Tensor
    step: Tensor

    def __init__(
        self, start: float = 0.5, increment: float = 0.15, every: int = 5000, cap: float = 18.0
    ) -> None:
        super().__init__()
        if not (0 <= start <= cap and math.isfinite(cap)):
            raise ValueError(f"start and cap should be finite with 0 <= start <= cap, got {start} and {cap}")
        if not (increment >= 0 and math.isfinite(increment)) or every < 1:
            raise ValueError(f"increment should be >= 0 and every >= 1, got {increment} and {every}")
        self.start, self.increment, self.every, self.cap = start, increment, every, cap
        self.register_buffer("integral", torch.tensor(0.0))
        self.register_buffer("weight", torch.tensor(1.0))
        self.register_buffer("step", torch.tensor(0))

    @property
    def set_point(self) -> float:
        """C: the KL that the controller steers to, in nats."""
        return min(self.cap, self.start + self.increment * (int(self.step) // self.every))

    def terms(
        self, vae: VAE, images: Tensor, other_images: Tensor | None, generator: torch.Generator
    ) -> Terms:
        batch = encoded(vae, images, generator)
        set_point = self.set_point
        applied = self._controlled(float(batch.kl.detach())).applied
        return batch.terms(applied * batch.kl, kl_weight=applied, set_point=set_point)

    def advance(self, terms: Terms) -> None:
        done = self._controlled(terms.logs["kl"])
        self.integral.fill_(done.integral)
        self.weight.fill_(done.weight)
        self.step += 1

    def _controlled(self, kl: float) -> ControllerStep:
        return controller_step(kl, self.set_point, float(self.integral), float(self.weight))

    def optimizers(self) -> OptimizerSettings:
        """Adam 1e-4, batches of 64, 1e6 steps."""
        return OptimizerSettings()
