"""What every generator offers, whatever file or function it came from."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import torch
from torch import Tensor

NOISE_MODES = ("const", "none", "random")


@dataclass(frozen=True)
class KnownFactors:
    """Ground truth of a generator whose factors are known.

    Attributes:
        names: one per factor, in the order of the rows of `axes`.
        axes: float64 (k, w_dim), unit rows: moving along row i changes factor i and nothing else.
    """

    names: tuple[str, ...]
    axes: np.ndarray


@dataclass(frozen=True)
class LayerRow:
    """One row of the layer table: what the latent at position `index` of `ws` feeds."""

    index: int
    resolution: int
    kind: str
    modules: tuple[str, ...]


class Generator(ABC):
    """A pretrained generator, frozen and in evaluation mode.

    Attributes:
        name: what the user called it: a file name or a built-in name.
        family: `stylegan2-ada`, `dcgan`, `mlp`, `scenes`, `callable`, ...
        load_mode: `safe` (nothing in the file was executed), `repo`, `object` or `builtin`.
        z_dim, c_dim, w_dim, num_ws: sizes of the input noise, the label (0: unconditional), an
            intermediate latent, and the number of latents that synthesis takes.
        resolution: (height, width) in pixels.
        channels: 1 grey, 3 RGB, 4 RGBA; other numbers are possible but have no picture.
        fingerprint: hexadecimal SHA-256 of the tensors; the same network saved twice has the same.
        known_factors: ground truth, or None as for every real network.
        reads_noise: whether synthesis has noise inputs, so that `noise_mode` matters.
    """

    name: str
    family: str
    load_mode: str
    z_dim: int
    c_dim: int
    w_dim: int
    num_ws: int
    resolution: tuple[int, int]
    channels: int
    fingerprint: str
    device: torch.device
    known_factors: KnownFactors | None = None
    reads_noise: bool = False

    def description(self) -> dict[str, Any]:
        """What records say about the network, as plain JSON values: name, origin, fingerprint, sizes."""
        return {
            "name": self.name,
            "family": self.family,
            "load_mode": self.load_mode,
            "fingerprint": self.fingerprint,
            "z_dim": self.z_dim,
            "c_dim": self.c_dim,
            "w_dim": self.w_dim,
            "num_ws": self.num_ws,
            "resolution": list(self.resolution),
            "channels": self.channels,
        }

    @property
    def latent_space(self) -> str:
        """`w` when there is a mapping network, else `z`: the space in which directions are sought."""
        return "w" if self.has_mapping else "z"

    @property
    def images_at_once(self) -> int:
        """A batch that ordinary memory holds: 128 pictures of 64 x 64 pixels, as many fewer as they are
        larger and more as they are smaller, from 1 to 512."""
        height, width = self.resolution
        return max(1, min(512, 128 * 64 * 64 // (height * width)))

    @property
    @abstractmethod
    def has_mapping(self) -> bool:
        """Whether `map` is a network; False means that `map` is the identity."""

    def latents(self, seeds: Sequence[int]) -> Tensor:
        """Input noise of numbered pictures; seed N is the picture of `generate.py --seeds N`.

        Args:
            seeds: integers in 0 .. 2**32 - 1.

        Returns:
            z, float32 (n, z_dim), standard normal, on the generator's device. Row i depends on
            seeds[i] alone.

        Raises:
            ValueError: a seed is out of range.
        """
        rows = np.empty((len(seeds), self.z_dim), dtype=np.float32)
        for row, seed in enumerate(seeds):
            if not 0 <= int(seed) < 2**32:
                raise ValueError(f"a seed should be in 0 .. {2**32 - 1}, got {seed}")
            rows[row] = np.random.RandomState(int(seed)).randn(1, self.z_dim)[0]
        return torch.from_numpy(rows).to(self.device)

    def label(self, class_index: int | None, count: int) -> Tensor:
        """One-hot labels (count, c_dim) of one class; (count, 0) for an unconditional generator.

        Raises:
            ValueError: the generator needs a class and none was given, or it is out of range.
        """
        if self.c_dim == 0:
            return torch.zeros(count, 0, device=self.device)
        if class_index is None:
            raise ValueError(f"{self.name} is conditional: choose a class with --class 0 .. {self.c_dim - 1}")
        if not 0 <= class_index < self.c_dim:
            raise ValueError(f"class should be in 0 .. {self.c_dim - 1}, got {class_index}")
        one_hot = torch.zeros(count, self.c_dim, device=self.device)
        one_hot[:, class_index] = 1.0
        return one_hot

    def map(
        self,
        z: Tensor,
        c: Tensor | None = None,
        *,
        truncation_psi: float = 1.0,
        truncation_cutoff: int | None = None,
    ) -> Tensor:
        """Latents for synthesis from input noise.

        Args:
            z: (n, z_dim).
            c: labels (n, c_dim); may be None when c_dim is 0.
            truncation_psi: 1 leaves ws alone, 0 gives the centre.
            truncation_cutoff: only positions below it are truncated; None truncates all.

        Returns:
            ws, (n, num_ws, w_dim): centre + psi (ws - centre) at truncated positions.

        Raises:
            ValueError: a shape is wrong, or a label is missing.
        """
        if z.ndim != 2 or z.shape[1] != self.z_dim:
            raise ValueError(f"z should have shape (n, {self.z_dim}), got {tuple(z.shape)}")
        if self.c_dim and c is None:
            raise ValueError(f"{self.name} is conditional: give labels c of shape (n, {self.c_dim})")
        if c is not None and c.shape != (z.shape[0], self.c_dim):
            raise ValueError(f"c should have shape ({z.shape[0]}, {self.c_dim}), got {tuple(c.shape)}")
        if truncation_cutoff is not None and not 0 <= truncation_cutoff <= self.num_ws:
            raise ValueError(f"truncation_cutoff should be in 0 .. {self.num_ws}, got {truncation_cutoff}")
        ws = self._map(z, c)  # (n, num_ws, w_dim)
        if truncation_psi == 1.0:
            return ws
        cutoff = self.num_ws if truncation_cutoff is None else truncation_cutoff
        centre = self.truncation_centre()
        head = centre + truncation_psi * (ws[:, :cutoff] - centre)
        return torch.cat([head, ws[:, cutoff:]], dim=1)

    def synthesize(self, ws: Tensor, *, noise_mode: str = "const") -> Tensor:
        """Images of latents.

        Args:
            ws: (n, num_ws, w_dim).
            noise_mode: `const` (stored maps), `none`, or `random` (torch's global generator);
                families without noise inputs give the same picture for all three.

        Returns:
            float32 (n, channels, height, width), about [-1, 1], not clamped, differentiable in `ws`.

        Raises:
            ValueError: a shape is wrong, or the noise mode is unknown.
        """
        if ws.ndim != 3 or ws.shape[1:] != (self.num_ws, self.w_dim):
            raise ValueError(f"ws should have shape (n, {self.num_ws}, {self.w_dim}), got {tuple(ws.shape)}")
        if noise_mode not in NOISE_MODES:
            raise ValueError(f"noise_mode should be one of {', '.join(NOISE_MODES)}, got {noise_mode!r}")
        return self._synthesize(ws, noise_mode)

    def feature_layers(self) -> tuple[str, ...]:
        """Names that `layer_features` takes, from the input to the picture; none by default."""
        return ()

    def layer_features(self, ws: Tensor, layer: str) -> Tensor:
        """What an inner layer computes, as a space in which pictures can be compared; noise is `const`.

        Args:
            ws: (n, num_ws, w_dim).
            layer: one of `feature_layers()`; later layers are not computed.

        Returns:
            Activations (n, features, height, width), differentiable in `ws`.

        Raises:
            ValueError: a shape is wrong, or there is no such layer.
        """
        self.require_feature_layer(layer)
        if ws.ndim != 3 or ws.shape[1:] != (self.num_ws, self.w_dim):
            raise ValueError(f"ws should have shape (n, {self.num_ws}, {self.w_dim}), got {tuple(ws.shape)}")
        return self._layer_features(ws, layer)

    def require_feature_layer(self, layer: str) -> None:
        """Raises: ValueError: there is no such layer; the message lists those there are."""
        known = self.feature_layers()
        if layer not in known:
            remedy = f"one of pixels, {', '.join(known)}" if known else "pixels: no inner layer is accessible"
            raise ValueError(f"the feature layer of {self.name} should be {remedy}, got {layer!r}")

    def style_weights(self) -> list[Tensor]:
        """Per position of ws, the matrix (C, w_dim) that the latent is first multiplied with.

        Raises:
            ValueError: this family has none, as by default.
        """
        raise ValueError(
            f"{self.name} (family {self.family}) has no style weights to factorise; "
            "sefa is for StyleGAN2, DCGAN and MLP generators, ganspace-features for any"
        )

    def _layer_features(self, ws: Tensor, layer: str) -> Tensor:
        """Activations of checked arguments; families that list `feature_layers` have it."""
        raise NotImplementedError

    @abstractmethod
    def _map(self, z: Tensor, c: Tensor | None) -> Tensor:
        """ws (n, num_ws, w_dim) without truncation, of checked arguments."""

    @abstractmethod
    def _synthesize(self, ws: Tensor, noise_mode: str) -> Tensor:
        """Images of checked arguments."""

    @abstractmethod
    def truncation_centre(self) -> Tensor:
        """The latent (w_dim,) that truncation moves towards."""

    @abstractmethod
    def layer_table(self) -> list[LayerRow]:
        """One row per position of ws."""
