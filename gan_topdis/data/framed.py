"""Black frames around images, for networks that want another size than the images have."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import numpy as np
from jaxtyping import Int, UInt8

from gan_topdis.data.labelled_images import LabelledImages
from gan_topdis.data.lazy_images import LazyImages


def framed(dataset: LabelledImages, *, multiple: int) -> LabelledImages:
    """The data set with black pixels around that bring height and width to a multiple.

    Images stay in the middle; of an odd number of pixels the one more is below or on the right.

    Args:
        dataset: as it is, where both sides are multiples already; named with the new size otherwise.
        multiple: >= 1; 8 takes 28 pixels to 32.

    Raises:
        ValueError: `multiple` below 1.
    """
    if multiple < 1:
        raise ValueError(f"multiple should be at least 1, got {multiple}")
    height, width = dataset.images.shape[2:]
    missing = [-side % multiple for side in (height, width)]
    if not any(missing):
        return dataset
    images = FramedImages(dataset.images, *missing)
    return replace(
        dataset,
        images=images,
        name=f"{dataset.name}, framed to {images.shape[2]} x {images.shape[3]}",
    )


class FramedImages(LazyImages):
    """Images with rows of zeros above and below, and columns left and right.

    Args:
        images: (n, C, H, W) uint8, an array or `LazyImages`.
        rows, columns: zeros to add, pixels; half of them, rounded down, above and on the left.
    """

    def __init__(self, images: Any, rows: int, columns: int) -> None:
        n, channels, height, width = images.shape
        super().__init__((n, channels, height + rows, width + columns))
        self._images = images
        top, left = rows // 2, columns // 2
        self._widths = ((0, 0), (0, 0), (top, rows - top), (left, columns - left))

    def _rows(self, rows: Int[np.ndarray, " m"]) -> UInt8[np.ndarray, "m c h w"]:
        return np.pad(self._images[rows], self._widths)
