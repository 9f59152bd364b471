"""Built-in generator with known factors: a lit ball over a floor, behind a rotated latent space.

No weights and no file: the picture is a formula of six factors, each uniform in its range, and the
latent space is a standard normal one of which six hidden directions are the factors. What a search
finds can therefore be compared with the truth.
"""

from __future__ import annotations

import math

import torch
from jaxtyping import Float
from torch import Tensor

from gan_topdis.generators.fingerprint import tensor_fingerprint
from gan_topdis.generators.protocol import Generator, KnownFactors, LayerRow

FACTORS = ("horizontal position", "elevation", "size", "hue", "wall brightness", "horizon")
Z_DIM = 10
"""Six factors and four coordinates that change nothing, as latent spaces of real networks have."""
RESOLUTION = 64
ROTATION_SEED = 2308
"""Draws the hidden rotation; a constant, so that `scenes` is one network with one fingerprint."""

_BLUR = 0.6
"""Width of the soft edges in pixels: edges are differentiable and free of steps."""
_WALL_DARK, _WALL_BRIGHT = (0.16, 0.18, 0.30), (0.88, 0.90, 0.80)
_FLOOR = (0.52, 0.38, 0.27)


class ScenesGenerator(Generator):
    """The `scenes` generator.

    Args:
        device: where latents and images live.
        resolution: height and width in pixels; the scene is the same at any.
        rotation_seed: draws the hidden rotation of the latent space.
        z_dim: latent size, at least 6; coordinates beyond the factors change nothing.
    """

    name = "scenes"
    family = "scenes"
    load_mode = "builtin"
    c_dim = 0
    num_ws = 1
    channels = 3

    def __init__(
        self,
        *,
        device: str | torch.device = "cpu",
        resolution: int = RESOLUTION,
        rotation_seed: int = ROTATION_SEED,
        z_dim: int = Z_DIM,
    ) -> None:
        if z_dim < len(FACTORS):
            raise ValueError(f"z_dim should be at least {len(FACTORS)}, got {z_dim}")
        if resolution < 4:
            raise ValueError(f"resolution should be at least 4 pixels, got {resolution}")
        self.device = torch.device(device)
        self.z_dim = self.w_dim = z_dim
        self.resolution = (resolution, resolution)
        normal = torch.randn(
            z_dim, z_dim, dtype=torch.float64, generator=torch.Generator().manual_seed(rotation_seed)
        )
        rotation = torch.linalg.qr(normal).Q  # orthogonal
        axes = rotation[: len(FACTORS)]  # (6, z_dim) unit rows
        self.known_factors = KnownFactors(FACTORS, axes.numpy())
        self._axes = axes.to(self.device, torch.float32)
        self.fingerprint = tensor_fingerprint({f"scenes.{resolution}": axes})

    @property
    def has_mapping(self) -> bool:
        return False

    def _map(self, z: Tensor, c: Tensor | None) -> Tensor:
        return z[:, None]

    def factors(self, ws: Float[Tensor, "n 1 d"]) -> Float[Tensor, "n 6"]:
        """True factors of latents, each uniform in [0, 1] over standard normal latents."""
        # Gaussian coordinates become uniform factors through their own distribution function
        return torch.special.ndtr(ws[:, 0].float() @ self._axes.T)

    def _synthesize(self, ws: Tensor, noise_mode: str) -> Tensor:
        return render(self.factors(ws), self.resolution[0])

    def truncation_centre(self) -> Tensor:
        return torch.zeros(self.w_dim, device=self.device)

    def layer_table(self) -> list[LayerRow]:
        return [LayerRow(0, self.resolution[0], "all", ("render",))]


def render(factors: Float[Tensor, "n 6"], resolution: int) -> Float[Tensor, "n 3 r r"]:
    """Pictures in [-1, 1] of scenes whose six factors are in [0, 1], in the order of `FACTORS`.

    The frame is the square [-1, 1]^2, y pointing down. The ball moves over +-0.6, its radius grows
    exponentially from 0.14 to 0.42, its hue runs from red to blue at constant saturation, its shadow
    lies on the floor beneath it; the wall brightens; the horizon moves between -0.15 and 0.45.
    """
    across, up, size, hue, brightness, horizon = (f[:, None, None] for f in factors.unbind(1))
    middles = (torch.arange(resolution, device=factors.device) + 0.5) / resolution * 2 - 1
    x, y = middles[None, None, :], middles[None, :, None]
    softness = _BLUR * 2 / resolution

    radius = 0.14 * torch.exp(math.log(3.0) * size)
    dx = x - 0.6 * (2 * across - 1)
    dy = y - (0.3 - 0.75 * up)
    distance = torch.sqrt(dx**2 + dy**2 + 1e-6)
    ball = torch.sigmoid((radius - distance) / softness)[:, None]  # (n, 1, r, r)
    light = 0.78 - 0.3 * (0.5 * (dx / radius).clamp(-1, 1) + 0.75 * (dy / radius).clamp(-1, 1))
    colour = _hue_to_rgb(0.02 + 0.62 * hue[:, 0, 0])[:, :, None, None]

    floor = torch.sigmoid((y - (-0.15 + 0.6 * horizon)) / softness)[:, None]
    wall = _interpolate(_WALL_DARK, _WALL_BRIGHT, brightness[:, None])
    ground = torch.tensor(_FLOOR, device=factors.device)[None, :, None, None]
    shadow = 0.5 * torch.exp(-((dx / (1.1 * radius)) ** 2) - ((y - 0.72) / (0.3 * radius)) ** 2)[:, None]

    room = (wall * (1 - floor) + ground * floor) * (1 - shadow * floor)
    picture = room * (1 - ball) + (colour * light[:, None]).clamp(0, 1) * ball
    return picture * 2 - 1


def _interpolate(
    first: tuple[float, ...], last: tuple[float, ...], share: Float[Tensor, "n 1 1 1"]
) -> Float[Tensor, "n 3 1 1"]:
    a = torch.tensor(first, device=share.device)[None, :, None, None]
    b = torch.tensor(last, device=share.device)[None, :, None, None]
    return a + (b - a) * share


def _hue_to_rgb(
    hue: Float[Tensor, " n"], saturation: float = 0.8, value: float = 0.95
) -> Float[Tensor, "n 3"]:
    """Colours of one saturation and value; hue 0 is red, 1/3 green, 2/3 blue (the usual HSV formula)."""
    k = (torch.tensor([5.0, 3.0, 1.0], device=hue.device) + hue[:, None] * 6) % 6
    return value * (1 - saturation * torch.minimum(k, 4 - k).clamp(0, 1))
