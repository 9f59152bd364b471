"""DAVA: how well a discriminator tells reconstructions from decodings of resampled codes sets their capacity.

Source: Estermann and Wattenhofer, DAVA: Disentangling Adversarial Variational Autoencoder, ICLR 2023,
    arXiv:2303.01384. One gradient per step, and mixed batches in both roles of the discriminator, are ours.
"""

from __future__ import annotations

from typing import Any, final

import torch
from jaxtyping import Float
from torch import Tensor
from torch.nn import functional

from gan_topdis.vae.architectures import VAE, encoder_stack
from gan_topdis.vae.objectives.objective import (
    Objective,
    OptimizerSettings,
    Terms,
    encoded,
    frozen,
)

CAPACITY_WEIGHT = 500.0
LARGEST_CAPACITY = 8.0  # nats per dimension
FULL_AT = 12.8e6  # value of k at which the capacity is largest
K_STEP = 64
RISE_UP_TO, HOLD_UP_TO = 0.501, 0.51  # accuracies
SMOOTHING = 0.6  # labels are 1 - U(0, .6) and U(0, .6)
REAL_ABOVE = 0.6  # probability from which the discriminator's answer counts as "reconstruction"


@final
class DAVA(Objective):
    """Reconstruction + 500 (KL per dimension - C)^4 + adversarial terms of encoder and decoder.

    While the discriminator cannot tell reconstructions from decodings of codes whose coordinates were
    resampled independently, the codes factorise, and the capacity C grows; otherwise it shrinks.

    The adversarial cross-entropies are sums over the batch, as the discriminator's is; with weights
    divided by the batch size they are means. Upstream applies them in a second optimiser step of each
    iteration without clearing the gradient of the first; here all is one gradient.

    Args:
        channels, resolution: of the images.
        architecture, hidden: of the discriminator; `L` with 512 for dSprites, `S` with 256 elsewhere.
        encoder_weight, decoder_weight: of the adversarial terms, >= 0.

    State: `k`, which fixes C, and the `accuracy` of the discriminator in the last `adversary_loss`; 1/2, at
        which the adversarial terms vanish, before the first.
    """

    k: Tensor
    accuracy: Tensor

    def __init__(
        self,
        channels: int,
        resolution: int,
        *,
        architecture: str = "S",
        hidden: int | None = None,
        encoder_weight: float = 0.3,
        decoder_weight: float = 0.001,
    ) -> None:
        super().__init__()
        if channels < 1 or (hidden is not None and hidden < 1):
            raise ValueError(f"channels and hidden should be >= 1, got {channels} and {hidden}")
        if not (encoder_weight >= 0 and decoder_weight >= 0):
            raise ValueError(
                f"encoder_weight and decoder_weight should be >= 0, got {encoder_weight}, {decoder_weight}"
            )
        if hidden is None:
            hidden = 512 if architecture == "L" else 256
        self.encoder_weight, self.decoder_weight = encoder_weight, decoder_weight
        self.discriminator = encoder_stack(architecture, channels, resolution, hidden, 1, norm=True)
        self.register_buffer("k", torch.tensor(0))
        self.register_buffer("accuracy", torch.tensor(0.5))

    @classmethod
    def for_model(cls, vae: VAE, dataset_size: int, **options: Any) -> DAVA:
        options.setdefault("architecture", vae.settings["architecture"])
        return cls(vae.channels, vae.resolution, **options)

    @property
    def capacity(self) -> float:
        """C in nats per dimension."""
        return min(LARGEST_CAPACITY, LARGEST_CAPACITY * int(self.k) / FULL_AT)

    def adversarial_weights(self) -> tuple[float, float]:
        """Weights of the encoder's and the decoder's adversarial term at the present accuracy."""
        excess = 100 * max(0.0, float(self.accuracy) - 0.5)
        return self.encoder_weight * excess, min(self.decoder_weight * excess, self.decoder_weight)

    def terms(
        self, vae: VAE, images: Tensor, other_images: Tensor | None, generator: torch.Generator
    ) -> Terms:
        """Raises: ValueError: fewer than 2 images, which batch norm cannot do with."""
        _require_two(images)
        batch = encoded(vae, images, generator)
        capacity, k, accuracy = self.capacity, int(self.k), float(self.accuracy)
        rest = CAPACITY_WEIGHT * (batch.kl / vae.latent - capacity) ** 4
        apart = resample_coordinates(batch.codes.detach(), generator)  # drawn whatever the weights
        encoder_weight, decoder_weight = self.adversarial_weights()
        if encoder_weight > 0 or decoder_weight > 0:
            # real with gradient to the encoder only, fake to the decoder only. Each term sees the other
            # half of its mixed batches detached, or batch norm would pass the gradient across.
            real = torch.sigmoid(frozen(vae.decoder, batch.codes))
            fake = vae.decode(apart)
            encoder_term = _summed_entropy(self._judge(real, fake.detach(), fixed=True)[0], 0.0)
            decoder_term = _summed_entropy(self._judge(real.detach(), fake, fixed=True)[1], 1.0)
            rest = rest + encoder_weight * encoder_term + decoder_weight * decoder_term
        return batch.terms(rest, capacity=capacity, k=k, accuracy=accuracy)

    def adversary_loss(
        self,
        vae: VAE,
        images: Tensor,
        other_images: Tensor | None,
        generator: torch.Generator,
        terms: Terms,
    ) -> Float[Tensor, ""]:
        """Cross-entropy with smoothed labels, summed over the batch; notes the accuracy for `advance`."""
        _require_two(images)
        codes = terms.codes.detach()
        with torch.no_grad():
            real = vae.decode(codes)
            fake = vae.decode(resample_coordinates(codes, generator))
        on_real, on_fake = self._judge(real, fake, fixed=False)  # (n,) each
        with torch.no_grad():
            right = torch.cat([on_real.sigmoid() > REAL_ABOVE, on_fake.sigmoid() <= REAL_ABOVE])
            self.accuracy.copy_(right.float().mean())
        uniform = torch.rand(2, len(codes), generator=generator, device=generator.device).to(codes)
        return _summed_entropy(on_real, 1 - SMOOTHING * uniform[0]) + _summed_entropy(
            on_fake, SMOOTHING * uniform[1]
        )

    def advance(self, terms: Terms) -> None:
        self.k.fill_(next_k(int(self.k), float(self.accuracy)))

    def optimizers(self) -> OptimizerSettings:
        """Adam 1e-4 throughout, batches of 128, 150k steps, gradients clipped to norm 1."""
        return OptimizerSettings(
            batch=128,
            steps=150_000,
            clip_norm=1.0,
            adversary_learning_rate=1e-4,
            adversary_betas=(0.9, 0.999),
        )

    def _judge(self, real: Tensor, fake: Tensor, *, fixed: bool) -> tuple[Tensor, Tensor]:
        """Logits (n,) of real and of fake pictures, seen in two batches that hold half of each."""
        half = len(real) // 2
        rest = len(real) - half
        batches = (torch.cat([real[:half], fake[half:]]), torch.cat([real[half:], fake[:half]]))
        first, second = (
            (frozen(self.discriminator, batch) if fixed else self.discriminator(batch)).squeeze(1)
            for batch in batches
        )
        return torch.cat([first[:half], second[:rest]]), torch.cat([second[rest:], first[half:]])


def next_k(k: int, accuracy: float) -> int:
    """k after a step: up when the discriminator is at chance, down, but not below 0, when clearly above."""
    if accuracy <= RISE_UP_TO:
        return k + K_STEP
    if accuracy <= HOLD_UP_TO:
        return k
    return max(0, k - K_STEP)


def resample_coordinates(codes: Float[Tensor, "n d"], generator: torch.Generator) -> Float[Tensor, "n d"]:
    """Each entry replaced by that coordinate of an image of the batch drawn with replacement."""
    index = torch.randint(len(codes), codes.shape, generator=generator, device=generator.device)
    return codes.gather(0, index.to(codes.device))


def _summed_entropy(logits: Float[Tensor, " n"], labels: Tensor | float) -> Float[Tensor, ""]:
    labels = labels if isinstance(labels, Tensor) else torch.full_like(logits, labels)
    return functional.binary_cross_entropy_with_logits(logits, labels, reduction="sum")


def _require_two(images: Tensor) -> None:
    if len(images) < 2:
        raise ValueError(f"DAVA needs batches of at least 2 images, got {len(images)}")
