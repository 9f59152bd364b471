"""Strips: the pictures of one traversal side by side, nothing between them."""

from __future__ import annotations

import base64
import io
from typing import Any

import numpy as np
from PIL import Image

from gan_topdis.report.picture import require_pixels, thumbnails, to_picture

_JPEG_FROM = 96
"""Pixels of a cell from which JPEG may replace PNG: below, its blocks show."""


def strip(pixels: np.ndarray, *, largest: int = 256) -> Image.Image:
    """Pictures, uint8 (columns, H, W, C), in one row; those above `largest` pixels are averaged down."""
    require_pixels(pixels, "columns")
    return to_picture(np.concatenate(list(thumbnails(pixels, largest)), axis=1))


def data_uri(picture: Image.Image) -> str:
    """The picture as `data:` text for a page: PNG, or JPEG where that is smaller and cannot be told apart."""
    kind, content = "png", _encoded(picture, "PNG", optimize=True)
    if picture.mode in ("L", "RGB") and picture.height >= _JPEG_FROM:
        jpeg = _encoded(picture, "JPEG", quality=90, subsampling=0)
        if len(jpeg) < len(content):
            kind, content = "jpeg", jpeg
    return f"data:image/{kind};base64,{base64.b64encode(content).decode()}"


def _encoded(picture: Image.Image, kind: str, **settings: Any) -> bytes:
    stream = io.BytesIO()
    picture.save(stream, kind, **settings)
    return stream.getvalue()
