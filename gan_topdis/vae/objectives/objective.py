"""What a VAE objective is to the training loop, and the pieces all of them share.

One step of a loop, for every objective alike:

    terms = objective.terms(vae, images, other_images, generator)
    (terms.reconstruction + terms.rest).backward()        # the VAE's parameters; then its optimiser
    loss = objective.adversary_loss(vae, images, other_images, generator, terms)
    if loss is not None: loss.backward()                  # the objective's own; then the second optimiser
    objective.advance(terms)
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, ClassVar, Self

import torch
from jaxtyping import Float
from torch import Tensor, nn
from torch.func import functional_call
from torch.nn import functional

from gan_topdis.vae.architectures import VAE


@dataclass(frozen=True)
class Terms:
    """The loss of one batch in parts.

    Attributes:
        reconstruction: scalar, graph kept; nats per image (bernoulli) or squared intensity (gaussian).
        rest: scalar, graph kept; everything else the VAE minimises, weighted.
        codes: (n, d) sampled codes, graph kept: what the TopDis term shifts.
        means: (n, d) posterior means, graph kept.
        logits: (n, C, H, W), what the decoder makes of the codes before the sigmoid, graph kept.
        logs: the parts as numbers; `kl` in nats per image is always there.
    """

    reconstruction: Float[Tensor, ""]
    rest: Float[Tensor, ""]
    codes: Float[Tensor, "n d"]
    means: Float[Tensor, "n d"]
    logits: Float[Tensor, "n c h w"]
    logs: Mapping[str, float]


@dataclass(frozen=True)
class OptimizerSettings:
    """Published settings of Adam for an objective.

    Attributes:
        learning_rate, betas: for the VAE.
        batch: images a step.
        steps: length of a published run.
        clip_norm: largest l2 norm of the VAE's gradient; no clipping when None.
        adversary_learning_rate, adversary_betas: for the objective's own networks; None where it has none.
    """

    learning_rate: float = 1e-4
    betas: tuple[float, float] = (0.9, 0.999)
    batch: int = 64
    steps: int = 1_000_000
    clip_norm: float | None = None
    adversary_learning_rate: float | None = None
    adversary_betas: tuple[float, float] | None = None


class Objective(nn.Module, ABC):
    """A loss of a VAE with whatever it learns or remembers itself.

    Its parameters are those of its own networks, for a second optimiser; the state of its schedule is in
    buffers, so that `state_dict` resumes exactly. `terms` and `adversary_loss` draw from the generator given
    and from nothing else.
    """

    needs_other_images: ClassVar[bool] = False
    """Whether `adversary_loss` needs a second batch."""

    @classmethod
    def for_model(cls, vae: VAE, dataset_size: int, **options: Any) -> Self:
        """For this model and a data set of `dataset_size` images, with options of the constructor."""
        return cls(**options)

    @abstractmethod
    def terms(
        self, vae: VAE, images: Tensor, other_images: Tensor | None, generator: torch.Generator
    ) -> Terms:
        """Loss of images (n, C, H, W) in [0, 1]; changes no state and reaches only the VAE's parameters."""

    def adversary_loss(
        self,
        vae: VAE,
        images: Tensor,
        other_images: Tensor | None,
        generator: torch.Generator,
        terms: Terms,
    ) -> Float[Tensor, ""] | None:
        """Loss of the objective's own parameters, without gradient to the VAE; None where it has none."""
        return None

    def advance(self, terms: Terms) -> None:
        """One step of the schedule, after the step whose `terms` these are."""
        return None

    @abstractmethod
    def optimizers(self) -> OptimizerSettings:
        """Published settings of the optimisers."""


@dataclass(frozen=True)
class Encoded:
    """One pass of a batch through a VAE: posterior, codes, and the two terms of the evidence bound.

    Attributes: mu, logvar and the sampled codes, (n, d); logits of the codes; reconstruction and kl, scalars
    of `Terms`.
    """

    mu: Float[Tensor, "n d"]
    logvar: Float[Tensor, "n d"]
    codes: Float[Tensor, "n d"]
    logits: Float[Tensor, "n c h w"]
    reconstruction: Float[Tensor, ""]
    kl: Float[Tensor, ""]

    def terms(self, rest: Tensor, **logs: Tensor | float) -> Terms:
        """With the rest of the loss; logs are added to reconstruction, kl and rest."""
        numbers = {"reconstruction": self.reconstruction, "kl": self.kl, "rest": rest, **logs}
        return Terms(self.reconstruction, rest, self.codes, self.mu, self.logits, _floats(numbers))


def encoded(vae: VAE, images: Float[Tensor, "n c h w"], generator: torch.Generator) -> Encoded:
    """Encode, sample and decode images in [0, 1]; errors of `VAE.posterior`."""
    mu, logvar = vae.posterior(images)
    codes = sampled(mu, logvar, generator)
    logits = vae.logits(codes)
    reconstruction = reconstruction_loss(logits, images, vae.pixels)
    return Encoded(mu, logvar, codes, logits, reconstruction, kl_divergence(mu, logvar))


def sampled(
    mu: Float[Tensor, "n d"], logvar: Float[Tensor, "n d"], generator: torch.Generator
) -> Float[Tensor, "n d"]:
    """Reparameterised sample: mu + exp(logvar / 2) times a standard normal of the generator."""
    noise = torch.randn(mu.shape, generator=generator, device=generator.device).to(mu)
    return mu + (logvar / 2).exp() * noise


def reconstruction_loss(
    logits: Float[Tensor, "n c h w"], images: Float[Tensor, "n c h w"], pixels: str
) -> Float[Tensor, ""]:
    """Summed over pixels and channels, mean over the batch.

    Args:
        logits: of `VAE.logits`.
        images: in [0, 1].
        pixels: `bernoulli`, cross-entropy with the logits in nats; `gaussian`, squared difference from their
            sigmoid (minus the log density of variance 1/2, up to a constant).
    """
    if pixels == "bernoulli":
        total = functional.binary_cross_entropy_with_logits(logits, images, reduction="sum")
    else:
        total = functional.mse_loss(torch.sigmoid(logits), images, reduction="sum")
    return total / len(images)


def kl_divergence(mu: Float[Tensor, "n d"], logvar: Float[Tensor, "n d"]) -> Float[Tensor, ""]:
    """KL(N(mu, exp(logvar)) || N(0, I)) in nats, summed over dimensions, mean over the batch."""
    return ((mu.square() + logvar.exp() - 1 - logvar) / 2).sum(dim=1).mean()


def frozen(network: nn.Module, inputs: Tensor) -> Tensor:
    """The network's output with gradient to the inputs, none to its parameters."""
    fixed = {name: parameter.detach() for name, parameter in network.named_parameters()}
    output: Tensor = functional_call(network, fixed, (inputs,)).to(inputs.dtype)
    return output


def _floats(numbers: Mapping[str, Tensor | float]) -> dict[str, float]:
    """Scalars as floats: one transfer for all that are on a device."""
    tensors = {name: value.detach().float() for name, value in numbers.items() if isinstance(value, Tensor)}
    values = dict(zip(tensors, torch.stack(list(tensors.values())).tolist(), strict=True))
    return {name: float(values.get(name, value)) for name, value in numbers.items()}
