"""Latents drawn from a generator, moved along vectors, and turned into features."""

from __future__ import annotations

from dataclasses import dataclass, replace

import torch
from jaxtyping import Float
from torch import Tensor
from torch.utils.checkpoint import checkpoint

from gan_topdis.directions.features import image_features
from gan_topdis.directions.options import PIXELS
from gan_topdis.generators import Generator


@dataclass(frozen=True)
class LatentStatistics:
    """Mean (w_dim,) and covariance (w_dim, w_dim), float64, of `samples` untruncated latents."""

    mean: Tensor
    covariance: Tensor
    samples: int

    def to(self, device: torch.device) -> LatentStatistics:
        return replace(self, mean=self.mean.to(device), covariance=self.covariance.to(device))

    def at_temperature(self, temperature: float, centre: Float[Tensor, " w_dim"]) -> LatentStatistics:
        """Of latents truncated to centre + temperature (w - centre)."""
        centre = centre.to(self.mean)
        return replace(
            self,
            mean=centre + temperature * (self.mean - centre),
            covariance=temperature**2 * self.covariance,
        )

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
        feature_layer: `pixels`, or one of the generator's `feature_layers()`.
        temperature: of the latents that `draw` returns: truncation_psi where there is a mapping network,
            else a factor of z.
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
        feature_layer: str = PIXELS,
        temperature: float = 1.0,
    ) -> None:
        if feature_layer != PIXELS:
            generator.require_feature_layer(feature_layer)
        self.generator = generator
        self.layers = layers.to(generator.device)
        self.class_index = class_index
        self.feature_size = feature_size
        self.feature_layer = feature_layer
        self.temperature = temperature
        self.max_batch = max_batch
        self._first_layer = int(layers.nonzero()[0])

    def draw(self, count: int, rng: torch.Generator) -> Float[Tensor, "n num_ws w_dim"]:
        """Latents of `count` picture seeds that `rng` picks, at the sampler's temperature."""
        return self._draw(count, rng, self.temperature)

    def _draw(self, count: int, rng: torch.Generator, temperature: float) -> Tensor:
        seeds = torch.randint(2**32, (count,), generator=rng, dtype=torch.int64).tolist()
        with torch.no_grad():
            z = self.generator.latents(seeds)
            label = self.generator.label(self.class_index, count)
            if self.generator.has_mapping:
                return self.generator.map(z, label, truncation_psi=temperature)
            return self.generator.map(z * temperature, label)

    def latent(self, ws: Float[Tensor, "n num_ws w_dim"]) -> Float[Tensor, "n w_dim"]:
        """The single latent that drawn ws repeat, at the first layer that vectors move."""
        return ws[:, self._first_layer]

    def statistics(self, samples: int, rng: torch.Generator) -> LatentStatistics:
        """Mean and covariance of the untruncated latent, whatever the temperature."""
        w = torch.cat(
            [
                self.latent(self._draw(len(part), rng, 1.0)).cpu().double()
                for part in torch.arange(samples).split(2048)
            ]
        )
        mean = w.mean(dim=0)
        centred = w - mean
        return LatentStatistics(mean, centred.T @ centred / (samples - 1), samples)

    def drawn_statistics(self, untruncated: LatentStatistics) -> LatentStatistics:
        """Mean and covariance of what `draw` returns."""
        if self.temperature == 1.0:
            return untruncated
        mapped = self.generator.has_mapping
        centre = self.generator.truncation_centre() if mapped else torch.zeros(self.generator.w_dim)
        return untruncated.at_temperature(self.temperature, centre)

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
        if self.feature_layer == PIXELS:
            maps = self.generator.synthesize(moved, noise_mode="const")
        else:
            maps = self.generator.layer_features(moved, self.feature_layer)
        return image_features(maps, self.feature_size)
