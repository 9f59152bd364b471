"""Any Python function from latents to images as a generator."""

from __future__ import annotations

from collections.abc import Callable, Sequence

import numpy as np
import torch
from torch import Tensor

from gan_topdis.generators.fingerprint import tensor_fingerprint
from gan_topdis.generators.protocol import Generator, KnownFactors, LayerRow

PROBES = 4
"""Latents that are synthesized once, from seeds 0 .. 3, to learn what the function returns."""
RANGE_LIMIT = 4.0
"""Largest magnitude that still passes for the range [-1, 1]; generators overshoot, [0, 255] does not."""


class CallableGenerator(Generator):
    """See `from_callable`."""

    family = "callable"
    load_mode = "object"

    def __init__(
        self,
        synthesize: Callable[[Tensor], Tensor],
        latent_dim: int,
        *,
        sample: Callable[[Sequence[int]], Tensor] | None = None,
        name: str = "callable",
        device: str | torch.device = "cpu",
        known_factors: KnownFactors | None = None,
    ) -> None:
        if latent_dim < 1:
            raise ValueError(f"latent_dim should be at least 1, got {latent_dim}")
        self.name = name
        self.device = torch.device(device)
        self.z_dim = self.w_dim = latent_dim
        self.c_dim = 0
        self.num_ws = 1
        if known_factors is not None:
            _check_factors(known_factors, latent_dim)
        self.known_factors = known_factors
        self._function = synthesize
        self._sample = sample
        probes = self.latents(range(PROBES))
        with torch.no_grad():
            images = synthesize(probes)
        if not isinstance(images, Tensor):
            raise TypeError(f"{name} should return a torch.Tensor of images, got {type(images).__name__}")
        if images.ndim != 4 or images.shape[0] != PROBES:
            raise ValueError(
                f"{name} should map (n, {latent_dim}) to images (n, C, H, W), "
                f"got {tuple(images.shape)} for n = {PROBES}"
            )
        if not bool(torch.isfinite(images).all()):
            raise ValueError(f"{name} should return finite images, got NaN or infinity")
        largest = float(images.abs().max())
        if largest > RANGE_LIMIT:
            raise ValueError(f"{name} should return images in [-1, 1], got magnitudes up to {largest:.4g}")
        self.channels = int(images.shape[1])
        self.resolution = (int(images.shape[2]), int(images.shape[3]))
        self.fingerprint = tensor_fingerprint({"probes": images})

    @property
    def has_mapping(self) -> bool:
        return False

    def latents(self, seeds: Sequence[int]) -> Tensor:
        if self._sample is None:
            return super().latents(seeds)
        z = self._sample(seeds)
        if not isinstance(z, Tensor):
            raise TypeError(f"sample should return a torch.Tensor, got {type(z).__name__}")
        if z.shape != (len(seeds), self.z_dim):
            raise ValueError(f"sample should return shape ({len(seeds)}, {self.z_dim}), got {tuple(z.shape)}")
        return z.to(self.device, torch.float32)

    def _map(self, z: Tensor, c: Tensor | None) -> Tensor:
        return z[:, None]

    def _synthesize(self, ws: Tensor, noise_mode: str) -> Tensor:
        images: Tensor = self._function(ws[:, 0])
        return images.float()

    def truncation_centre(self) -> Tensor:
        return torch.zeros(self.w_dim, device=self.device)

    def layer_table(self) -> list[LayerRow]:
        return [LayerRow(0, max(self.resolution), "all", (self.name,))]


def _check_factors(known: KnownFactors, latent_dim: int) -> None:
    axes = np.asarray(known.axes)
    if axes.shape != (len(known.names), latent_dim):
        raise ValueError(
            f"known_factors should have axes ({len(known.names)}, {latent_dim}), one row per name, "
            f"got {axes.shape}"
        )
    if not np.allclose(np.linalg.norm(axes, axis=1), 1, atol=1e-3):
        raise ValueError("known_factors should have axes of unit length")


def from_callable(
    synthesize: Callable[[Tensor], Tensor],
    latent_dim: int,
    *,
    sample: Callable[[Sequence[int]], Tensor] | None = None,
    name: str = "callable",
    device: str | torch.device = "cpu",
    known_factors: KnownFactors | None = None,
) -> Generator:
    """A generator from any function of latents; nothing is trained, moved or put in another mode.

    Args:
        synthesize: maps z (n, latent_dim) to images (n, C, H, W) in about [-1, 1], differentiably.
            Images should depend on their own latent alone: put batch norm in evaluation mode.
        latent_dim: size of z.
        sample: maps seeds to latents (n, latent_dim); standard normal, seed by seed, when None.
        name: what reports call it.
        device: where `synthesize` wants its latents.
        known_factors: ground truth, when there is one; reports then name what was found.

    Raises:
        TypeError, ValueError: one call on four latents did not give four finite images in [-1, 1].
    """
    return CallableGenerator(
        synthesize,
        latent_dim,
        sample=sample,
        name=name,
        device=device,
        known_factors=known_factors,
    )
