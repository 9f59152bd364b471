"""Black frames around images, for networks that want another size than the images have."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import numpy as np
from jaxtyping import Int, UInt8

from gan_topdis.data.labelled_images import LabelledImages
from gan_topdis.data.lazy_images import LazyImages


def framed(dataset: LabelledImages, *, multiple: int) -> LabelledImages:
    """The data set with as many black pixels on every side as bring height and width to a multiple.

    Args:
        dataset: as it is, where both sides are multiples already; named with the new size otherwise.
        multiple: >= 1; 8 takes 28 pixels to 32.

    Raises:
        ValueError: `multiple` below 1, or a side that lacks an odd number of pixels.
    """
    if multiple < 1:
        raise ValueError(f"multiple should be at least 1, got {multiple}")
    height, width = dataset.images.shape[2:]
    missing = [-side % multiple for side in (height, width)]
    if any(lacking % 2 for lacking in missing):
        raise ValueError(
            f"images should lack an even number of pixels to a multiple of {multiple}, so that the frame is "
            f"as wide on both sides, got {height} x {width}; resize them"
        )
    if not any(missing):
        return dataset
    top, left = (lacking // 2 for lacking in missing)
    return replace(
        dataset,
        images=FramedImages(dataset.images, top, left),
        name=f"{dataset.name}, framed to {height + 2 * top} x {width + 2 * left}",
    )


class FramedImages(LazyImages):
    """Images with rows of zeros above and below, and columns left and right.

    Args:
        images: (n, C, H, W) uint8, an array or `LazyImages`.
        top, left: zeros on either side, pixels.
    """

    def __init__(self, images: Any, top: int, left: int) -> None:
        n, channels, height, width = images.shape
        super().__init__((n, channels, height + 2 * top, width + 2 * left))
        self._images = images
        self._widths = ((0, 0), (0, 0), (top, top), (left, left))

    def _rows(self, rows: Int[np.ndarray, " m"]) -> UInt8[np.ndarray, "m c h w"]:
        return np.pad(self._images[rows], self._widths)
