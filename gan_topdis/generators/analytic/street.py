"""A house by a street: ten factors, from the colour of half the picture to a lamp of a dozen pixels."""

from __future__ import annotations

import torch
from torch import Tensor

from gan_topdis.generators.analytic.drawing import EDGE, Scene, blend, box, colour, disc, grid, over


def render_street(factors: Tensor) -> Tensor:
    """Sky, ground, house width, wall, roof, door, window light, sun, cloud, car."""
    x, y = grid(factors)
    u = factors[:, :, None, None]
    sky = blend([0.25, 0.35, 0.75], [0.85, 0.6, 0.45], factors[:, 0])
    ground = blend([0.25, 0.42, 0.2], [0.55, 0.5, 0.4], factors[:, 1])
    below = torch.sigmoid((y - 0.35) / EDGE)[:, None]  # (n, 1, 32, 1)
    picture = (sky * (1 - below) + ground * below).expand(-1, 3, *(2 * (x.shape[-1],)))

    sun = disc(x, y, (-0.7 + 1.4 * u[:, 7], -0.7), 0.16)
    picture = over(picture, sun, colour([1.0, 0.95, 0.6], factors))
    cloud = disc(x, y, (-0.6, -0.6 + 0.5 * u[:, 8]), 0.17) * 0.7
    picture = over(picture, cloud, colour([0.95, 0.95, 0.97], factors))

    half = 0.28 + 0.22 * u[:, 2]
    wall = box(x, y, (0.2, 0.1), (half, 0.3))
    picture = over(picture, wall, blend([0.8, 0.75, 0.6], [0.55, 0.3, 0.35], factors[:, 3]))
    slope = 0.42 * (1 - (x - 0.2).abs() / (half + 0.06))  # height of the roof above the wall
    roof = torch.sigmoid((slope - (-0.2 - y)) / EDGE) * torch.sigmoid((-0.2 - y) / EDGE)
    picture = over(picture, roof[:, None], blend([0.5, 0.15, 0.1], [0.2, 0.22, 0.3], factors[:, 4]))
    door = box(x, y, (0.08, 0.25), (0.08, 0.16))
    picture = over(picture, door, blend([0.15, 0.3, 0.5], [0.6, 0.55, 0.1], factors[:, 5]))
    window = box(x, y, (0.36, 0.05), (0.09, 0.09))
    picture = over(picture, window, blend([0.1, 0.1, 0.15], [1.0, 0.95, 0.6], factors[:, 6]))

    car = box(x, y, (-0.75 + 1.5 * u[:, 9], 0.72), (0.17, 0.09))
    return over(picture, car, colour([0.75, 0.1, 0.15], factors)) * 2 - 1


STREET = Scene(
    render_street, ("sky", "ground", "width", "wall", "roof", "door", "window", "sun", "cloud", "car")
)
