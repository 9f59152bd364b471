"""One optimiser step of a VAE: objective, TopDis, orthogonalised gradients, adversary."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Any

import torch
from torch import Tensor

from gan_topdis.losses import TopDisLoss, orthogonalise
from gan_topdis.seeding import seeded_generator
from gan_topdis.training import Batches, Compute, ImageSource, apply_gradients, gradients_of
from gan_topdis.vae.architectures import VAE
from gan_topdis.vae.objectives import Objective, Terms

# What random generators are for: numbers that seed them beside the user's seed
INITIAL_WEIGHTS = 0
_OBJECTIVE, _TOPDIS, _ADVERSARY = range(1, 4)
_OTHER_IMAGES = 1  # stream of the second batch
SAMPLERS = ("uniform", "weight_norm")
CODES = ("sampled", "mean")


@dataclass(frozen=True)
class TopDisSchedule:
    """How the topological term enters.

    Attributes:
        weight: of the TopDis loss beside the objective; 0 leaves it out.
        start: steps before it enters.
        ramp: steps over which its weight then grows from 0.
        orthogonalise: whether its gradient loses the part that works against the reconstruction.
        sampler: of `SAMPLERS`, how the coordinate of a step is drawn: all alike, or in proportion to the norm
            of what the first layer of the decoder reads of it at that step.
        codes: of `CODES`, what is shifted: those that the objective sampled, or the means of the posterior.
        interval: 1 for every step; with k it is computed at every k-th step (k, 2k, ... counted from 1) and
            weighs k times as much there, lazy regularisation after Karras et al. (StyleGAN2, section 3.1).
    """

    weight: float = 0.0
    start: int = 0
    ramp: int = 0
    orthogonalise: bool = True
    sampler: str = "uniform"
    codes: str = "sampled"
    interval: int = 1

    def __post_init__(self) -> None:
        for name, value, known in (("sampler", self.sampler, SAMPLERS), ("codes", self.codes, CODES)):
            if value not in known:
                raise ValueError(f"topdis_{name} should be one of {', '.join(known)}, got {value!r}")

    def at(self, step: int) -> float:
        """The weight at a step, from 0."""
        if step < self.start or (step + 1) % self.interval:
            return 0.0
        return self.interval * self.weight * min(1.0, (step - self.start + 1) / (self.ramp + 1))


class VAETask:
    """What `training.train` runs. Implements `training.Task`.

    Args:
        vae, objective: on the device of `compute`.
        images: at least `batch_size` of them.
        batch_size: over all processes.
        learning_rate: of the VAE; that of the objective's publication when None.
    """

    def __init__(
        self,
        vae: VAE,
        objective: Objective,
        images: ImageSource,
        compute: Compute,
        *,
        batch_size: int,
        learning_rate: float | None,
        topdis: TopDisLoss,
        schedule: TopDisSchedule,
        seed: int,
    ) -> None:
        self.vae = vae
        self.objective = objective
        self.images = images
        self.compute = compute
        self.topdis = topdis
        self.schedule = schedule
        self.seed = seed
        settings = objective.optimizers()
        self._clip = settings.clip_norm
        self._parameters = list(vae.parameters())
        rate = settings.learning_rate if learning_rate is None else learning_rate
        self._optimizer = torch.optim.Adam(self._parameters, lr=rate, betas=settings.betas)
        self._own = list(objective.parameters())
        self._own_optimizer = (
            torch.optim.Adam(
                self._own,
                lr=settings.adversary_learning_rate or rate,
                betas=settings.adversary_betas or settings.betas,
            )
            if self._own
            else None
        )
        self._batches, self._others = (
            Batches(
                images.size,
                batch_size,
                seed,
                stream=stream,
                rank=compute.rank,
                world_size=compute.world_size,
            )
            for stream in (0, _OTHER_IMAGES)
        )

    def step(self, number: int, *, log_due: bool) -> dict[str, float]:
        images = self._read(self._batches, number)
        others = self._read(self._others, number) if self.objective.needs_other_images else None
        with self.compute.autocast():
            terms = self.objective.terms(self.vae, images, others, self._rng(number, _OBJECTIVE))
        weight = self.schedule.at(number)
        logs: dict[str, float] = {}
        if weight > 0:
            gradients, logs = self._with_topdis(terms, weight, number)
        else:
            total = terms.reconstruction + terms.rest
            gradients = [self.compute.mean(gradients_of(total, self._parameters))]
        logs["gradient_norm"] = apply_gradients(
            self._optimizer, self._parameters, *gradients, clip=self._clip
        )
        if self._own_optimizer is not None:
            with self.compute.autocast():
                loss = self.objective.adversary_loss(
                    self.vae, images, others, self._rng(number, _ADVERSARY), terms
                )
            if loss is not None:
                apply_gradients(
                    self._own_optimizer, self._own, self.compute.mean(gradients_of(loss, self._own))
                )
                logs["adversary_loss"] = float(loss.detach())
        # schedules follow the whole batch, so that they are alike in all processes
        terms = replace(terms, logs=self.compute.mean_of(dict(terms.logs)))
        self.compute.average_buffers(self.objective)
        self.objective.advance(terms)
        return {**terms.logs, **self._absent_topdis(), **logs}

    def state_dict(self) -> dict[str, Any]:
        return {
            "vae": self.vae.state_dict(),
            "objective": self.objective.state_dict(),
            "optimizer": self._optimizer.state_dict(),
            "own_optimizer": None if self._own_optimizer is None else self._own_optimizer.state_dict(),
        }

    def load_state_dict(self, state: dict[str, Any]) -> None:
        self.vae.load_state_dict(state["vae"])
        self.objective.load_state_dict(state["objective"])
        self._optimizer.load_state_dict(state["optimizer"])
        if self._own_optimizer is not None:
            self._own_optimizer.load_state_dict(state["own_optimizer"])

    def _with_topdis(
        self, terms: Terms, weight: float, number: int
    ) -> tuple[list[list[Tensor | None]], dict[str, float]]:
        """Gradients to be added up, and what to log."""
        reconstruction, rest = terms.reconstruction, terms.rest
        of_means = self.schedule.codes == "mean"
        step = self.topdis.step(
            (terms.means if of_means else terms.codes).float(),
            self._decode,
            images=None if of_means else terms.logits.float().sigmoid(),  # those are of sampled codes
            weights=self.vae.first_decoder_layer_norms() if self.schedule.sampler == "weight_norm" else None,
            generator=self._rng(number, _TOPDIS),
        )
        parameters, mean = self._parameters, self.compute.mean
        logs = {"topdis": float(step.loss.detach()), "topdis_valid": float(step.valid)}
        if not self.schedule.orthogonalise:
            total = reconstruction + rest + weight * step.loss
            return [mean(gradients_of(total, parameters))], logs
        ours = mean(gradients_of(weight * step.loss, parameters, keep_graph=True))
        reference = mean(gradients_of(reconstruction, parameters, keep_graph=True))
        others = mean(gradients_of(rest, parameters))
        result = orthogonalise(ours, reference)
        logs |= {"topdis_inner": result.inner_before, "topdis_inner_after": result.inner_after}
        return [reference, others, list(result.gradients)], logs

    def _absent_topdis(self) -> dict[str, float]:
        """Columns of the log that are filled at steps with TopDis."""
        if self.schedule.weight == 0:
            return {}
        names = ["topdis", "topdis_valid"]
        names += ["topdis_inner", "topdis_inner_after"] if self.schedule.orthogonalise else []
        return dict.fromkeys(names, float("nan"))

    def _decode(self, codes: Tensor) -> Tensor:
        with self.compute.autocast():
            return self.vae.decode(codes).float()

    def _read(self, batches: Batches, number: int) -> Tensor:
        return self.images.batch(batches.at(number)).to(self.compute.device)

    def _rng(self, number: int, purpose: int) -> torch.Generator:
        """Noise of one step and process, whatever was drawn before."""
        return seeded_generator(self.seed, purpose, number, self.compute.rank)
