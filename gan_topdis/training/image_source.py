"""Images from whatever holds them: arrays, tensors, data sets."""

from __future__ import annotations

import hashlib
import os
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np
import torch
from jaxtyping import Float
from torch import Tensor

FINGERPRINT = "images_sha256"
"""Name of a source's fingerprint among the settings that are kept with a checkpoint."""
_ROWS = 16
_LEVELS = 65_535


@dataclass(frozen=True)
class ImageSource:
    """Attributes: how many images; channels; pixels a side; rows (m,) to float32 images (m, C, H, W) in
    [0, 1], on the device of the tensor they come from, else on the CPU."""

    size: int
    channels: int
    resolution: int
    batch: Callable[[np.ndarray], Tensor]

    def fingerprint(self) -> str:
        """SHA-256, hexadecimal, of the number and size of the images and of 16 of them, evenly spread.

        Brightness counts in steps of 1 / 65535: uint8 and what is made of it by division are the same, on any
        device. Images that are not the same when read again, as with random flips, count by number and size.
        """
        rows = np.linspace(0, self.size - 1, min(self.size, _ROWS)).round().astype(np.int64)
        first, again = (
            (self.batch(rows).cpu() * _LEVELS).round().numpy().astype(np.uint16) for _ in range(2)
        )
        content = hashlib.sha256(repr((self.size, self.channels, self.resolution)).encode())
        if np.array_equal(first, again):
            content.update(first.tobytes())
        return content.hexdigest()


def image_source(images: Any) -> ImageSource:
    """A source of square images in [0, 1].

    Args:
        images: (n, C, H, W) or (n, H, W), uint8 or floating point in [0, 1], numpy or torch (on a GPU with
            room for it batches need no transfer); an object with `batch(indices)` and `__len__`; or a
            `torch.utils.data.Dataset` whose items are such an image, or a tuple that starts with one.

    Raises:
        ValueError: no images, another shape or range, NaN.
        TypeError: none of these.
    """
    if isinstance(images, (str, bytes, os.PathLike)):
        raise TypeError(
            f"images should be an array, a tensor or a data set, got the path {os.fsdecode(images)}; "
            "a folder of pictures is opened by gan_topdis.data.read_image_folder"
        )
    if hasattr(images, "batch") and hasattr(images, "__len__"):
        read: Callable[[np.ndarray], Tensor] = lambda rows: _checked(images.batch(rows))  # noqa: E731
    elif hasattr(images, "shape") and hasattr(images, "dtype"):
        if images.ndim not in (3, 4):
            raise ValueError(f"images should have shape (n, C, H, W) or (n, H, W), got {tuple(images.shape)}")
        if isinstance(images, Tensor):
            read = lambda rows: _checked(images[torch.from_numpy(rows).to(images.device)])  # noqa: E731
        else:
            read = lambda rows: _checked(torch.as_tensor(np.asarray(images[rows])))  # noqa: E731
    elif hasattr(images, "__getitem__") and hasattr(images, "__len__"):
        read = lambda rows: _checked(_stacked([_item(images[int(row)]) for row in rows]))  # noqa: E731
    else:
        raise TypeError(
            "images should be an array (n, C, H, W), a tensor, or a data set with __len__ and __getitem__, "
            f"got {type(images).__name__}"
        )
    if len(images) == 0:
        raise ValueError("images should hold at least one image, got none")
    _, channels, height, width = read(np.arange(1)).shape
    if height != width:
        if channels == height and width in (1, 3, 4):
            raise ValueError(
                f"images of shape (n, {channels}, {height}, {width}): channels come last; give (n, C, H, W): "
                "images.transpose(0, 3, 1, 2)"
            )
        raise ValueError(f"images should be square, got {height} x {width} pixels; crop them first")
    return ImageSource(len(images), channels, height, read)


def _item(item: Any) -> Tensor:
    image = item[0] if isinstance(item, (tuple, list)) else item
    if not hasattr(image, "shape"):
        raise TypeError(
            f"items of a data set should be arrays or tensors (C, H, W), got {type(image).__name__}; "
            "pictures of PIL become tensors by the transform torchvision.transforms.PILToTensor()"
        )
    return torch.as_tensor(np.asarray(image))


def _stacked(items: list[Tensor]) -> Tensor:
    for item in items:
        if item.shape != items[0].shape:
            raise ValueError(
                f"images should all have the same shape, got {tuple(items[0].shape)} and "
                f"{tuple(item.shape)}; crop or resize them first"
            )
    return torch.stack(items)


def _checked(images: Tensor) -> Float[Tensor, "n C H W"]:
    if images.ndim == 3:
        images = images[:, None]
    if images.ndim != 4:
        raise ValueError(f"images should have shape (n, C, H, W) or (n, H, W), got {tuple(images.shape)}")
    if images.dtype == torch.uint8:
        return images.float() / 255
    if not images.is_floating_point():
        raise ValueError(f"images should be uint8, or floating point in [0, 1], got {images.dtype}")
    if not torch.isfinite(images).all():
        raise ValueError("images should be finite, got NaN or infinity")
    low, high = float(images.min()), float(images.max())
    if low < 0 or high > 1:
        raise ValueError(
            f"images should be in [0, 1], got {low:.3g} to {high:.3g}; rescale them, or give uint8"
        )
    return images.float()
