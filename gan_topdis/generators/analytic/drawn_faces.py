"""A drawn face: large and small factors that meet in the same parts of the picture."""

from __future__ import annotations

import torch
from torch import Tensor

from gan_topdis.generators.analytic.drawing import Scene, blend, colour, grid


def render_drawn_faces(factors: Tensor) -> Tensor:
    """Width, eye opening, mouth curve, gaze, skin, background, turn of the head."""
    x, y = grid(factors)
    u = factors[:, :, None, None]
    head = torch.sigmoid((1 - torch.sqrt((x / (0.5 + 0.3 * u[:, 0])) ** 2 + (y / 0.8) ** 2 + 1e-9)) / 0.06)
    head = head[:, None]
    skin = blend([0.35, 0.22, 0.15], [0.95, 0.8, 0.7], factors[:, 4])
    background = blend([0.1, 0.2, 0.5], [0.7, 0.85, 0.6], factors[:, 5])
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
    picture = picture * (1 - mouth[:, None]) + mouth[:, None] * colour([0.7, 0.1, 0.15], factors)
    return picture * 2 - 1


DRAWN_FACES = Scene(render_drawn_faces, ("width", "eyes", "mouth", "gaze", "skin", "background", "turn"))
