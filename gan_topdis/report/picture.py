"""Generator output as pictures: floats in [-1, 1] to 8 bits, as NVIDIA's `generate.py` rounds."""

from __future__ import annotations

from typing import Any

import numpy as np
from PIL import Image

MODES = {1: "L", 3: "RGB", 4: "RGBA"}
"""Picture mode by number of channels."""


def require_picture_channels(channels: int) -> None:
    """Raises: ValueError: pictures of this many channels have no file format."""
    if channels not in MODES:
        raise ValueError(f"pictures should have 1 (grey), 3 (RGB) or 4 (RGBA) channels, got {channels}")


def to_pixels(images: Any) -> np.ndarray:
    """8-bit pixels of generator output: clamp(127.5 x + 128, 0, 255), fractions cut off.

    Args:
        images: array, or tensor on any device, (..., C, H, W), about [-1, 1]; values outside are clamped.

    Returns:
        uint8 (..., H, W, C).

    Raises:
        ValueError: C is not 1, 3 or 4, or a value is NaN.
    """
    if hasattr(images, "detach"):  # numpy reads no tensor that is on a GPU or has a graph
        images = images.detach().cpu()
    values = np.asarray(images, dtype=np.float32)
    if values.ndim < 3:
        raise ValueError(f"images should have shape (..., C, H, W), got {values.shape}")
    require_picture_channels(values.shape[-3])
    if np.isnan(values).any():
        raise ValueError("images should be numbers, got NaN: the generator diverges at these latents")
    scaled = np.clip(values * np.float32(127.5) + np.float32(128), 0, 255)
    return np.moveaxis(scaled, -3, -1).astype(np.uint8)


def to_picture(pixels: np.ndarray) -> Image.Image:
    """uint8 (H, W, C) as a Pillow picture of mode L, RGB or RGBA."""
    return Image.fromarray(pixels[..., 0] if pixels.shape[-1] == 1 else pixels)


def thumbnails(pixels: np.ndarray, largest: int) -> np.ndarray:
    """Pictures averaged down so that their longer side is at most `largest` pixels.

    Args:
        pixels: uint8 (..., H, W, C).

    Returns:
        uint8 (..., h, w, C), the same array when the pictures are small enough.
    """
    height, width, channels = pixels.shape[-3:]
    if max(height, width) <= largest:
        return pixels
    small = [
        np.atleast_3d(np.asarray(fitted(to_picture(each), 1, largest)))
        for each in pixels.reshape(-1, height, width, channels)
    ]
    return np.stack(small).reshape(*pixels.shape[:-3], *small[0].shape)


def require_pixels(pixels: np.ndarray, *axes: str) -> None:
    """Checks an argument of the functions that draw.

    Raises:
        ValueError: `pixels` is not uint8 (*axes, H, W, C) with at least one picture.
    """
    if pixels.dtype != np.uint8 or pixels.ndim != len(axes) + 3 or 0 in pixels.shape:
        raise ValueError(
            f"pixels should be uint8 of shape ({', '.join(axes)}, H, W, C), got {pixels.dtype} "
            f"{pixels.shape}; to_pixels makes them from images"
        )


def fitted(picture: Image.Image, smallest: int, largest: int) -> Image.Image:
    """The picture at a size that can be looked at: small ones by a whole factor, every pixel a sharp
    square; large ones averaged down.

    Args:
        smallest: pixels that the longer side has at least after enlargement by the next whole factor.
        largest: pixels that the longer side has at most.
    """
    longer = max(picture.size)
    if longer < smallest:
        factor = max(1, min(-(-smallest // longer), largest // longer))
        return picture.resize((picture.width * factor, picture.height * factor), Image.Resampling.NEAREST)
    if longer > largest:
        size = tuple(max(1, round(side * largest / longer)) for side in picture.size)
        return picture.resize((size[0], size[1]), Image.Resampling.BOX)
    return picture
