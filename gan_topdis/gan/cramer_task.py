"""Steps of the Cramer GAN with PPM-Reg: five of the critic, then one of the generator."""

from __future__ import annotations

import copy
from contextlib import AbstractContextManager, nullcontext
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor

from gan_topdis.gan.cramer_gan import CramerGAN
from gan_topdis.gan.draws import (
    INTERPOLATES,
    LATENTS,
    NOISE_MAPS,
    PPM_TUPLES,
    draw_latents,
    global_noise,
    to_device,
)
from gan_topdis.gan.gradient_penalty import cramer_gradient_penalty
from gan_topdis.gan.real_images import RealImages
from gan_topdis.gan.weight_average import average_decay, update_average
from gan_topdis.losses import PPMRegularizer
from gan_topdis.losses.cramer_distance import paired_critic_gain, paired_generator_loss
from gan_topdis.seeding import seeded_generator
from gan_topdis.training import Compute, apply_gradients, gradients_of


@dataclass(frozen=True)
class CramerSettings:
    """Attributes: learning rate of Adam; its betas for generator and critic; weight of the gradient penalty;
    steps of the critic before each of the generator; half-life of the averaged weights, in images; weight
    lambda of PPM-Reg, 0 leaves it out."""

    learning_rate: float = 1e-4
    generator_betas: tuple[float, float] = (0.0, 0.99)
    critic_betas: tuple[float, float] = (0.5, 0.99)
    gradient_penalty: float = 10.0
    critic_steps: int = 5
    average_images: float = 5_000.0
    ppm_weight: float = 0.0


class CramerTask:
    """What `training.train` runs. Implements `training.Task`.

    With L the paired Cramer losses, GP the gradient penalty and T PPM-Reg between the latents of real and
    generated images, the critic minimises -L + weight GP - lambda T, the generator L + lambda T.

    With several processes each takes its losses on its own share of the batch; gradients are averaged.

    Args:
        gan: on the device of `compute`; its generator becomes the average of the weights.
        images: by step.
        ppm: T; used where its weight is not 0.
        batch_size: over all processes, a multiple of two per process.

    Source: Wong, Lee, Yan, Towards Scalable Topological Regularizers, ICLR 2025; Bellemare et al.,
        arXiv:1705.10743.
    """

    def __init__(
        self,
        gan: CramerGAN,
        images: RealImages,
        compute: Compute,
        *,
        batch_size: int,
        settings: CramerSettings,
        ppm: PPMRegularizer,
        seed: int,
    ) -> None:
        self.gan = gan
        self.average = gan.generator.eval().requires_grad_(False)
        self.generator = copy.deepcopy(gan.generator).train().requires_grad_(True)
        self.critic = gan.critic.train()
        self.images = images
        self.compute = compute
        self.settings = settings
        self.ppm = ppm
        self.seed = seed
        self._batch = batch_size
        self._generator_parameters = list(self.generator.parameters())
        self._critic_parameters = list(self.critic.parameters())
        rate = settings.learning_rate
        self._generator_optimizer = torch.optim.Adam(
            self._generator_parameters, lr=rate, betas=settings.generator_betas
        )
        self._critic_optimizer = torch.optim.Adam(
            self._critic_parameters, lr=rate, betas=settings.critic_betas
        )
        names = ["cramer", "gradient_penalty", "generator_loss"]
        names += ["ppm_critic", "ppm_generator"] if settings.ppm_weight else []
        # steps of critic and generator take turns: a line of the log has the last values of both
        self._latest: dict[str, Tensor] = {
            name: torch.full((), float("nan"), device=compute.device) for name in names
        }

    def step(self, number: int, *, log_due: bool) -> dict[str, float]:
        cycle = self.settings.critic_steps + 1
        real = self.gan.to_range(to_device(self.images(number), self.compute.device))
        if (number + 1) % cycle:
            self._train_critic(real, number)
        else:
            self._train_generator(real, number)
        # batch norm and the mean of w saw this process' latents alone
        self.compute.average_buffers(self.generator)
        if not (number + 1) % cycle:
            decay = average_decay(self._batch, number // cycle * self._batch, self.settings.average_images)
            update_average(self.average, self.generator, decay)
        if not log_due:
            return {}
        values = torch.stack(list(self._latest.values())).tolist()
        return dict(zip(self._latest, values, strict=True))

    def state_dict(self) -> dict[str, Any]:
        return {
            "generator": self.generator.state_dict(),
            "average": self.average.state_dict(),
            "critic": self.critic.state_dict(),
            "generator_optimizer": self._generator_optimizer.state_dict(),
            "critic_optimizer": self._critic_optimizer.state_dict(),
            "latest": dict(self._latest),
        }

    def load_state_dict(self, state: dict[str, Any]) -> None:
        self.generator.load_state_dict(state["generator"])
        self.average.load_state_dict(state["average"])
        self.critic.load_state_dict(state["critic"])
        self._generator_optimizer.load_state_dict(state["generator_optimizer"])
        self._critic_optimizer.load_state_dict(state["critic_optimizer"])
        for name in self._latest:
            self._latest[name] = state["latest"][name].to(self.compute.device)

    def _train_critic(self, real: Tensor, number: int) -> None:
        with torch.no_grad():
            generated = self._generated(len(real), number)
        half = len(real) // 2
        shares = torch.rand(half, generator=self._rng(INTERPOLATES, number))
        with self.compute.autocast():
            latents = self.critic(torch.cat([real, generated])).float()
            x, y = latents.chunk(2)
            penalty = cramer_gradient_penalty(
                self.critic,
                real[:half],
                generated[:half],
                x[half:],
                y[half:],
                to_device(shares, real.device),
            )
        gain = paired_critic_gain(x, y)
        loss = self.settings.gradient_penalty * penalty - gain
        if self.settings.ppm_weight:
            topology = self.ppm(x, y, generator=self._rng(PPM_TUPLES, number))
            loss = loss - self.settings.ppm_weight * topology
            self._keep(ppm_critic=topology)
        gradients = self.compute.mean(gradients_of(loss, self._critic_parameters))
        apply_gradients(self._critic_optimizer, self._critic_parameters, gradients)
        self._keep(cramer=gain, gradient_penalty=penalty)

    def _train_generator(self, real: Tensor, number: int) -> None:
        with torch.no_grad(), self.compute.autocast():
            x = self.critic(real).float()
        generated = self._generated(len(real), number)
        with self.compute.autocast():
            y = self.critic(generated).float()
        loss = paired_generator_loss(x, y)
        self._keep(generator_loss=loss)
        if self.settings.ppm_weight:
            topology = self.ppm(x, y, generator=self._rng(PPM_TUPLES, number))
            loss = loss + self.settings.ppm_weight * topology
            self._keep(ppm_generator=topology)
        gradients = self.compute.mean(gradients_of(loss, self._generator_parameters))
        apply_gradients(self._generator_optimizer, self._generator_parameters, gradients)

    def _generated(self, count: int, number: int) -> Tensor:
        """Images of fresh latents, in the range of the networks."""
        z = draw_latents(self.gan.law, count, self.gan.z_dim, self._rng(LATENTS, number))
        z = to_device(z, self.compute.device)
        with self._noise(number), self.compute.autocast():
            images: Tensor = self.generator(z)
        return images.float()

    def _noise(self, number: int) -> AbstractContextManager[None]:
        if self.gan.network != "stylegan2":
            return nullcontext()  # the others draw none
        return global_noise(self.seed, NOISE_MAPS, number, self.compute.rank, device=self.compute.device)

    def _keep(self, **values: Tensor) -> None:
        self._latest |= {name: value.detach().float() for name, value in values.items()}

    def _rng(self, purpose: int, number: int) -> torch.Generator:
        return seeded_generator(self.seed, purpose, number, self.compute.rank)
