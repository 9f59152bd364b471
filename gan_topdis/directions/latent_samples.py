"""Latents drawn from a generator, moved along vectors, and turned into features."""

from __future__ import annotations

from dataclasses import dataclass, replace

import torch
from jaxtyping import Float
from torch import Tensor
from torch.utils.checkpoint import checkpoint

from gan_topdis.directions.features import image_features
from gan_topdis.generators import Generator


@dataclass(frozen=True)
class LatentStatistics:
    """Mean (w_dim,) and covariance (w_dim, w_dim), float64, of `samples` untruncated latents."""

    mean: Tensor
    covariance: Tensor
    samples: int

    def to(self, device: torch.device) -> LatentStatistics:
        return replace(self, mean=self.mean.to(device), covariance=self.covariance.to(device))

    def standard_deviation(self, vectors: Float[Tensor, "k w_dim"]) -> Float[Tensor, " k"]:
        """Of the latent along each vector, in latent units, above 0; differentiable."""
        v = vectors.to(self.covariance)
        return torch.einsum("ki,ij,kj->k", v, self.covariance, v).clamp_min(1e-24).sqrt().to(vectors)


class LatentSampler:
    """Draws latents of one generator and synthesizes features of latents moved along vectors.

    Args:
        generator: any adapter; its own state is left as it is.
        layers: bool (num_ws,), positions of ws that vectors move.
        class_index: class of every sample, for a conditional generator.
        feature_size: see `image_features`, pixels.
        max_batch: images synthesized at a time; with gradients, larger batches are recomputed chunk
            by chunk in the backward pass, so that memory stays that of one chunk.
    """

    def __init__(
        self,
        generator: Generator,
        *,
        layers: Tensor,
        class_index: int | None,
        feature_size: int,
        max_batch: int,
    ) -> None:
        self.generator = generator
        self.layers = layers.to(generator.device)
        self.class_index = class_index
        self.feature_size = feature_size
        self.max_batch = max_batch
        self._first_layer = int(layers.nonzero()[0])

    def draw(self, count: int, rng: torch.Generator) -> Float[Tensor, "n num_ws w_dim"]:
        """Untruncated latents of `count` picture seeds that `rng` picks."""
        seeds = torch.randint(2**32, (count,), generator=rng, dtype=torch.int64).tolist()
        with torch.no_grad():
            z = self.generator.latents(seeds)
            return self.generator.map(z, self.generator.label(self.class_index, count))

    def latent(self, ws: Float[Tensor, "n num_ws w_dim"]) -> Float[Tensor, "n w_dim"]:
        """The single latent that untruncated ws repeat, at the first layer that vectors move."""
        return ws[:, self._first_layer]

    def statistics(self, samples: int, rng: torch.Generator) -> LatentStatistics:
        """Mean and covariance of the latent."""
        w = torch.cat(
            [
                self.latent(self.draw(len(part), rng)).cpu().double()
                for part in torch.arange(samples).split(2048)
            ]
        )
        mean = w.mean(dim=0)
        centred = w - mean
        return LatentStatistics(mean, centred.T @ centred / (samples - 1), samples)

    def features(
        self, ws: Float[Tensor, "n num_ws w_dim"], shift: Float[Tensor, "n w_dim"] | None = None
    ) -> Float[Tensor, "n p"]:
        """Features of the pictures of ws, each moved by its own shift on the chosen layers."""
        if shift is None:
            shift = ws.new_zeros(ws.shape[0], ws.shape[2])
        chunks = list(zip(ws.split(self.max_batch), shift.split(self.max_batch), strict=True))
        recompute = len(chunks) > 1 and torch.is_grad_enabled() and shift.requires_grad
        parts = [
            checkpoint(self._features_of_chunk, w, s, use_reentrant=False)
            if recompute
            else self._features_of_chunk(w, s)
            for w, s in chunks
        ]
        return torch.cat(parts)

    def _features_of_chunk(self, ws: Tensor, shift: Tensor) -> Tensor:
        moved = ws + self.layers[:, None].to(ws) * shift[:, None]
        images = self.generator.synthesize(moved, noise_mode="const")
        return image_features(images, self.feature_size)
