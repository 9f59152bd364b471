"""Animated traversals: GIFs that swing from strength 0 to both ends and back."""

from __future__ import annotations

import os
from pathlib import Path

import numpy as np
from PIL import Image

from gan_topdis.report.picture import fitted, require_pixels, to_picture

FRAME_MILLISECONDS = 60


def swing(strengths: int) -> list[int]:
    """Order of frames of one period that begins and ends at the middle: up, down past it, and back.

    Args:
        strengths: odd number of frames from one end to the other.
    """
    middle = strengths // 2
    up_and_down = [*range(middle, strengths), *range(strengths - 2, -1, -1)]
    return [*up_and_down, *range(1, middle)]


def save_animation(
    path: str | os.PathLike[str], pixels: np.ndarray, *, smallest: int = 128, largest: int = 256
) -> None:
    """Write a looping GIF with the pictures of every frame side by side.

    Args:
        pixels: uint8 (n, strengths, H, W, C), strengths ascending and odd in number.
        smallest, largest: the longer side of one picture, pixels; see `fitted`.

    Raises:
        ValueError: `pixels` is of another kind.
        OSError: the file cannot be written.
    """
    require_pixels(pixels, "n", "strengths")
    if pixels.shape[1] % 2 == 0:
        raise ValueError(f"there should be an odd number of strengths, got {pixels.shape[1]}")
    frames = []
    for moment in range(pixels.shape[1]):
        side_by_side = np.concatenate(list(pixels[:, moment]), axis=1)  # (H, n W, C)
        picture = to_picture(side_by_side)
        height, width = pixels.shape[2:4]
        scale = len(pixels) * width / max(height, width)
        picture = fitted(picture, round(smallest * scale), round(largest * scale))
        frames.append(_opaque(picture))
    if frames[0].mode != "L":
        # one palette for all frames: a palette of its own for each makes still areas flicker
        together = Image.fromarray(np.concatenate([np.asarray(frame) for frame in frames]))
        palette = together.quantize(256, method=Image.Quantize.MEDIANCUT)
        frames = [frame.quantize(palette=palette, dither=Image.Dither.FLOYDSTEINBERG) for frame in frames]
    order = [frames[index] for index in swing(len(frames))]
    order[0].save(
        Path(path),
        format="GIF",
        save_all=True,
        append_images=order[1:],
        duration=FRAME_MILLISECONDS,
        loop=0,
    )


def _opaque(picture: Image.Image) -> Image.Image:
    """Transparent pictures on white: GIF knows no half-transparent pixels."""
    if picture.mode != "RGBA":
        return picture
    paper = Image.new("RGBA", picture.size, "white")
    return Image.alpha_composite(paper, picture).convert("RGB")
