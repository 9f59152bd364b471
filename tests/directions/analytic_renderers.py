"""Renderers with known factors, other than `scenes`, for tests and benchmarks of discovery.

Each maps factors (n, k), uniform in [0, 1], to pictures (n, 3, 32, 32) in [-1, 1]. `hidden` puts one
behind a rotated standard normal latent space.
"""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import torch
from torch import Tensor

from gan_topdis.generators import Generator, KnownFactors, from_callable

SIZE = 32
_EDGE = 1.2 / SIZE


def _grid() -> tuple[Tensor, Tensor]:
    middles = (torch.arange(SIZE) + 0.5) / SIZE * 2 - 1
    return middles[None, None, :], middles[None, :, None]


def _colour(values: list[float]) -> Tensor:
    return torch.tensor(values)[None, :, None, None]


def _blend(first: list[float], last: list[float], share: Tensor) -> Tensor:
    return _colour(first) + (_colour(last) - _colour(first)) * share[:, None, None, None]


def sprites(factors: Tensor) -> Tensor:
    """A rounded rectangle on black: x, y, size, aspect, angle, colour."""
    x, y = _grid()
    u = factors[:, :, None, None]
    dx, dy = x - 0.45 * (2 * u[:, 0] - 1), y - 0.45 * (2 * u[:, 1] - 1)
    size, aspect = 0.2 + 0.2 * u[:, 2], torch.exp(0.5 * (2 * u[:, 3] - 1))
    angle = 0.7 * (2 * u[:, 4] - 1)
    a = (torch.cos(angle) * dx + torch.sin(angle) * dy) / (size * aspect)
    b = (-torch.sin(angle) * dx + torch.cos(angle) * dy) / (size / aspect)
    inside = torch.sigmoid((1 - (a**6 + b**6 + 1e-9) ** (1 / 6)) * size / _EDGE)[:, None]
    colour = _blend([0.2, 0.8, 0.3], [0.9, 0.2, 0.8], factors[:, 5])
    return (_colour([0.1, 0.1, 0.15]) * (1 - inside) + colour * inside) * 2 - 1


def blobs(factors: Tensor) -> Tensor:
    """Two soft lights: x of one, y of the other, size and brightness of one, hue of the other, background."""
    x, y = _grid()
    u = factors[:, :, None, None]
    one = torch.exp(-((x + 0.6 - 0.8 * u[:, 0]) ** 2 + (y + 0.4) ** 2) / (2 * (0.12 + 0.15 * u[:, 2]) ** 2))
    one = one[:, None] * (0.4 + 0.6 * factors[:, 3])[:, None, None, None]
    two = torch.exp(-((x - 0.3) ** 2 + (y + 0.1 - 0.8 * u[:, 1]) ** 2) / (2 * 0.22**2))[:, None]
    hue = _blend([1.0, 0.4, 0.1], [0.1, 0.5, 1.0], factors[:, 4])
    background = _blend([0.1, 0.1, 0.1], [0.1, 0.25, 0.3], factors[:, 5])
    return (background + one * _colour([0.9, 0.9, 0.8]) + two * hue).clamp(0, 1.5) * 2 - 1


def faces(factors: Tensor) -> Tensor:
    """A drawn face: width, eye opening, mouth curve, gaze, skin, background, turn of the head."""
    x, y = _grid()
    u = factors[:, :, None, None]
    head = torch.sigmoid((1 - torch.sqrt((x / (0.5 + 0.3 * u[:, 0])) ** 2 + (y / 0.8) ** 2 + 1e-9)) / 0.06)
    head = head[:, None]
    skin = _blend([0.35, 0.22, 0.15], [0.95, 0.8, 0.7], factors[:, 4])
    background = _blend([0.1, 0.2, 0.5], [0.7, 0.85, 0.6], factors[:, 5])
    turn = 0.2 * (2 * u[:, 6] - 1)
    picture = background * (1 - head) + skin * head
    for side in (-0.25, 0.25):
        opening = 0.03 + 0.1 * u[:, 1]
        eye = torch.sqrt(((x - side - turn) / 0.14) ** 2 + ((y + 0.2) / opening) ** 2 + 1e-9)
        white = torch.sigmoid((1 - eye) / 0.15)[:, None] * head
        picture = picture * (1 - white) + white * 0.95
        gaze = 0.08 * (2 * u[:, 3] - 1)
        distance = torch.sqrt((x - side - turn - gaze) ** 2 + (y + 0.2) ** 2 + 1e-9)
        pupil = torch.sigmoid((0.06 - distance) / 0.03)[:, None] * white
        picture = picture * (1 - pupil) + pupil * 0.05
    curve = 0.4 + 0.5 * (2 * u[:, 2] - 1) * ((x - turn) ** 2 * 4 - 0.15)
    mouth = torch.sigmoid((0.05 - (y - curve).abs()) / 0.03) * torch.sigmoid((0.25 - (x - turn).abs()) / 0.04)
    picture = picture * (1 - mouth[:, None]) + mouth[:, None] * _colour([0.7, 0.1, 0.15])
    return picture * 2 - 1


RENDERERS: dict[str, tuple[Callable[[Tensor], Tensor], tuple[str, ...]]] = {
    "sprites": (sprites, ("x", "y", "size", "aspect", "angle", "colour")),
    "blobs": (blobs, ("x of one", "y of two", "size", "brightness", "hue", "background")),
    "faces": (faces, ("width", "eyes", "mouth", "gaze", "skin", "background", "turn")),
}


def hidden(
    name: str, *, seed: int, z_dim: int = 8, squash: Callable[[Tensor], Tensor] = torch.special.ndtr
) -> Generator:
    """The renderer behind a rotation drawn from `seed`; `squash` turns normal coordinates into factors."""
    render, factors = RENDERERS[name]
    normal = torch.randn(
        z_dim, z_dim, dtype=torch.float64, generator=torch.Generator().manual_seed(1000 + seed)
    )
    axes = torch.linalg.qr(normal).Q[: len(factors)]
    columns = axes.T.float()
    return from_callable(
        lambda z: render(squash(z @ columns)),
        z_dim,
        name=name,
        known_factors=KnownFactors(factors, axes.numpy()),
    )


def axis_recovery(vectors: np.ndarray, axes: np.ndarray) -> np.ndarray:
    """|cosine| of each axis with the direction that the Hungarian method matches to it."""
    from scipy.optimize import linear_sum_assignment

    cosines = np.abs(vectors.astype(np.float64) @ axes.T)
    rows, columns = linear_sum_assignment(-cosines)
    recovery = np.zeros(len(axes))
    recovery[columns] = cosines[rows, columns]
    return recovery
