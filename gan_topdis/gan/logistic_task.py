"""Steps of StyleGAN2's logistic objective: one update of the generator, then one of the discriminator."""

from __future__ import annotations

import copy
from dataclasses import dataclass, fields
from typing import Any

import torch
from torch import Tensor

from gan_topdis.gan.cramer_gan import CramerGAN
from gan_topdis.gan.draws import LATENTS, MIXING, NOISE_MAPS, PATHS, draw_latents, global_noise, to_device
from gan_topdis.gan.logistic_losses import (
    critic_logistic_loss,
    generator_logistic_loss,
    path_lengths,
    r1_penalty,
)
from gan_topdis.gan.real_images import RealImages
from gan_topdis.gan.weight_average import average_decay, update_average
from gan_topdis.generators.stylegan2_training import mixed_latents
from gan_topdis.seeding import seeded_generator
from gan_topdis.training import Compute, apply_gradients, gradients_of

PATH_MEAN_SHARE = 0.01
"""What a batch counts in the running mean of path lengths (arXiv:1912.04958, appendix B)."""
_GENERATOR, _CRITIC, _PATH = range(3)  # three batches of latents a step


@dataclass(frozen=True)
class LogisticSettings:
    """Attributes: learning rate of Adam; weight of R1 (gamma) and steps between two; weight of the path
    lengths and steps between two; chance of style mixing; half-life of the averaged weights, in images."""

    learning_rate: float = 0.0025
    r1_weight: float = 0.05
    r1_interval: int = 16
    path_weight: float = 2.0
    path_interval: int = 8
    mixing: float = 0.9
    average_images: float = 5_000.0

    def __post_init__(self) -> None:
        for item in fields(self):
            value = getattr(self, item.name)
            if not 0 <= value < float("inf"):
                raise ValueError(f"{item.name} should be at least 0, got {value}")
        for name in ("learning_rate", "r1_interval", "path_interval"):
            if not getattr(self, name) > 0:
                raise ValueError(f"{name} should be greater than 0, got {getattr(self, name)}")
        if self.mixing > 1:
            raise ValueError(f"mixing should be a probability, got {self.mixing}")


class LogisticTask:
    """What `training.train` runs. Implements `training.Task`.

    Non-saturating logistic loss, lazy R1 and path-length regularisation, style mixing, moving average of
    weights. Regularisers come every so many steps and count that much more; rates and betas of Adam follow.

    Args:
        gan: of the logistic objective, on the device of `compute`; its generator becomes the average.
        images: by step.
        batch_size: over all processes.

    Source: Karras et al., arXiv:1912.04958, section 3.2 and appendix B; Mescheder et al., arXiv:1801.04406.
    """

    def __init__(
        self,
        gan: CramerGAN,
        images: RealImages,
        compute: Compute,
        *,
        batch_size: int,
        settings: LogisticSettings,
        seed: int,
    ) -> None:
        self.gan = gan
        self.average: Any = gan.generator.eval().requires_grad_(False)
        self.generator: Any = copy.deepcopy(gan.generator).train().requires_grad_(True)
        self.critic = gan.critic.train()
        self.images = images
        self.compute = compute
        self.settings = settings
        self.seed = seed
        self._batch = batch_size
        self._generator_parameters = list(self.generator.parameters())
        self._critic_parameters = list(self.critic.parameters())
        self._generator_optimizer, self._critic_optimizer = (
            torch.optim.Adam(
                parameters,
                lr=settings.learning_rate * interval / (interval + 1),
                betas=(0.0, 0.99 ** (interval / (interval + 1))),
            )
            for parameters, interval in (
                (self._generator_parameters, settings.path_interval),
                (self._critic_parameters, settings.r1_interval),
            )
        )
        self._path_mean = torch.zeros((), device=compute.device)
        self._r1 = torch.full((), float("nan"), device=compute.device)

    def step(self, number: int, *, log_due: bool) -> dict[str, float]:
        share = self._batch // self.compute.world_size
        generator_loss = self._train_generator(share, number)
        critic_loss, on_real = self._train_critic(share, number)
        # the mean of w saw this process' latents alone
        self.compute.average_buffers(self.generator)
        decay = average_decay(self._batch, number * self._batch, self.settings.average_images)
        update_average(self.average, self.generator, decay)
        if not log_due:
            return {}
        values = {
            "generator_loss": generator_loss,
            "critic_loss": critic_loss,
            "real_sign": on_real.sign().mean(),
            "r1": self._r1,
            "path_mean": self._path_mean,
        }
        numbers = torch.stack([value.detach().float() for value in values.values()]).tolist()
        return dict(zip(values, numbers, strict=True))

    def state_dict(self) -> dict[str, Any]:
        return {
            "generator": self.generator.state_dict(),
            "average": self.average.state_dict(),
            "critic": self.critic.state_dict(),
            "generator_optimizer": self._generator_optimizer.state_dict(),
            "critic_optimizer": self._critic_optimizer.state_dict(),
            "path_mean": self._path_mean,
            "r1": self._r1,
        }

    def load_state_dict(self, state: dict[str, Any]) -> None:
        self.generator.load_state_dict(state["generator"])
        self.average.load_state_dict(state["average"])
        self.critic.load_state_dict(state["critic"])
        self._generator_optimizer.load_state_dict(state["generator_optimizer"])
        self._critic_optimizer.load_state_dict(state["critic_optimizer"])
        self._path_mean = state["path_mean"].to(self.compute.device)
        self._r1 = state["r1"].to(self.compute.device)

    def _train_generator(self, share: int, number: int) -> Tensor:
        images, _ = self._generated(share, number, _GENERATOR)
        with self.compute.autocast():
            logits = self.critic(images)
        loss = value = generator_logistic_loss(logits.float())
        if number % self.settings.path_interval == 0:
            loss = loss + self.settings.path_interval * self.settings.path_weight * self._path_penalty(
                max(1, share // 2), number
            )
        gradients = self.compute.mean(gradients_of(loss, self._generator_parameters))
        apply_gradients(self._generator_optimizer, self._generator_parameters, gradients)
        return value

    def _train_critic(self, share: int, number: int) -> tuple[Tensor, Tensor]:
        with torch.no_grad():
            generated, _ = self._generated(share, number, _CRITIC)
        real = self.gan.to_range(to_device(self.images(number), self.compute.device))
        regularise = number % self.settings.r1_interval == 0
        real.requires_grad_(regularise)
        with self.compute.autocast():
            on_real, on_generated = self.critic(real).float(), self.critic(generated).float()
        loss = value = critic_logistic_loss(on_real, on_generated)
        if regularise:
            penalty = r1_penalty(on_real, real)
            loss = loss + self.settings.r1_interval * self.settings.r1_weight / 2 * penalty
            self._r1 = penalty.detach()
        gradients = self.compute.mean(gradients_of(loss, self._critic_parameters))
        apply_gradients(self._critic_optimizer, self._critic_parameters, gradients)
        return value, on_real

    def _path_penalty(self, count: int, number: int) -> Tensor:
        """Mean squared deviation of path lengths from their running mean."""
        images, ws = self._generated(count, number, _PATH)
        noise = torch.randn(images.shape, generator=self._rng(PATHS, number))
        lengths = path_lengths(images, ws, to_device(noise, images.device))
        (mean,) = self.compute.mean([lengths.mean().detach()])
        assert mean is not None
        self._path_mean = self._path_mean.lerp(mean, PATH_MEAN_SHARE)
        return (lengths - self._path_mean).square().mean()

    def _generated(self, count: int, number: int, part: int) -> tuple[Tensor, Tensor]:
        """Images of fresh latents and their ws, some of which are mixed from two z."""
        rng = self._rng(LATENTS, number, part)
        z, other = (draw_latents("normal", count, self.gan.z_dim, rng) for _ in range(2))
        rng = self._rng(MIXING, number, part)
        cut = torch.randint(1, self.generator.num_ws, (count, 1), generator=rng)
        mixed = torch.rand(count, 1, generator=rng) < self.settings.mixing
        cut = torch.where(mixed, cut, self.generator.num_ws)
        device = self.compute.device
        with (
            global_noise(self.seed, NOISE_MAPS, number, self.compute.rank, part, device=device),
            self.compute.autocast(),
        ):
            ws = mixed_latents(self.generator, *(to_device(t, device) for t in (z, other, cut))).float()
            images: Tensor = self.generator.synthesis(ws)
        return images.float(), ws

    def _rng(self, purpose: int, number: int, part: int = 0) -> torch.Generator:
        return seeded_generator(self.seed, purpose, number, self.compute.rank, part)
