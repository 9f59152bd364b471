"""The pictures that all scores are about, unedited and edited, as points in feature space."""

from __future__ import annotations

from collections.abc import Callable

import torch
from jaxtyping import Float
from torch import Tensor

from gan_topdis.directions.result import Directions
from gan_topdis.directions.traversal import shifted_latents
from gan_topdis.generators import Generator
from gan_topdis.persistence import pairwise_distances
from gan_topdis.tensors import widest_float

Features = Callable[[Tensor], Tensor]
"""Images (n, C, H, W) to features (n, p)."""


class PictureCloud:
    """Features of n pictures of one generator, and of the same pictures edited.

    Args:
        generator: any adapter; its own state is left as it is.
        ws: latents of the pictures (n, num_ws, w_dim).
        features: what pictures are compared by.
        max_batch: images synthesized at a time.
    """

    def __init__(self, generator: Generator, ws: Tensor, *, features: Features, max_batch: int) -> None:
        self.generator = generator
        self.ws = ws
        self._to_features = features
        self._max_batch = max_batch
        self.features = self.features_of(ws)  # (n, p)
        self.distances = pairwise_distances(self.features)  # (n, n)

    def __len__(self) -> int:
        return len(self.ws)

    def features_of(self, ws: Float[Tensor, "m num_ws w_dim"]) -> Float[Tensor, "m p"]:
        """Features of the pictures of any latents, stored noise maps, without gradient."""
        with torch.no_grad():
            parts = [
                self._checked(self.generator.synthesize(chunk, noise_mode="const"))
                for chunk in ws.split(self._max_batch)
            ]
        return torch.cat(parts)

    def edited(self, directions: Directions, index: int, strength: float) -> Float[Tensor, "n p"]:
        """Features of the pictures moved along one direction, strength in standard deviations."""
        return self.features_of(shifted_latents(self.ws, directions, index, strength))

    def with_new_noise(self, seed: int) -> Float[Tensor, "n p"]:
        """Features of the same latents with noise maps drawn anew, for picture i from `seed` + i.

        One picture at a time, so that its noise does not depend on a batch: synthesis draws it from
        torch's global generator, which is given back as it was.
        """
        devices = [self.ws.device] if self.ws.device.type == "cuda" else []
        parts = []
        with torch.no_grad(), torch.random.fork_rng(devices=devices):
            for offset in range(len(self.ws)):
                torch.manual_seed(seed + offset)
                chunk = self.ws[offset : offset + 1]
                parts.append(self._checked(self.generator.synthesize(chunk, noise_mode="random")))
        return torch.cat(parts)

    def _checked(self, images: Tensor) -> Tensor:
        features = self._to_features(images)
        if features.ndim != 2 or len(features) != len(images):
            raise ValueError(
                f"features should map {len(images)} images to shape ({len(images)}, p), "
                f"got {tuple(features.shape)}"
            )
        if not bool(torch.isfinite(features).all()):
            raise ValueError(
                "features of pictures should be finite, got NaN or infinity: the generator diverges at "
                "these latents; try a smaller --max-strength"
            )
        # Apple's GPUs have no float64, which the errors of scores are computed in
        return features.float() if widest_float(features.device) == torch.float64 else features.float().cpu()
