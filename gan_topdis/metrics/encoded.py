"""Codes and sampler out of what a user has: an encoder and a data set, or codes and factors."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
from jaxtyping import Float

from gan_topdis.metrics.arrays import code_array
from gan_topdis.metrics.samplers import Sampler, as_sampler

Encoder = Callable[[Any], Any]
"""Images (n, ...) to codes (n, d)."""
_AT_ONCE = 256


def codes_and_sampler(encode: Any, dataset: Any) -> tuple[Float[np.ndarray, "n d"], Sampler]:
    """Every image is encoded once.

    Args:
        encode: a function from images (n, ...) to codes (n, d), or the codes themselves.
        dataset: with a function, a pair (images, factors) or an object with both as attributes; with codes,
            the factors. Factors are (n, k) integer classes, a `FactorGrid` or a `FactorPool`.

    Raises:
        ValueError: numbers of images, codes and factors differ, or the codes are not finite.
    """
    if not callable(encode):
        codes = code_array(encode)
        sampler = as_sampler(dataset)
    else:
        images, factors = _images_and_factors(dataset)
        parts = [encode(images[first : first + _AT_ONCE]) for first in range(0, len(images), _AT_ONCE)]
        codes = np.concatenate([code_array(part) for part in parts])
        sampler = as_sampler(factors)
    if sampler.size != len(codes):
        raise ValueError(
            f"codes should have one row per row of the factors ({sampler.size}), got {len(codes)}"
        )
    return codes, sampler


def _images_and_factors(dataset: Any) -> tuple[Any, Any]:
    if hasattr(dataset, "images") and hasattr(dataset, "factors"):
        return dataset.images, dataset.factors
    if isinstance(dataset, (tuple, list)) and len(dataset) == 2:
        return dataset[0], dataset[1]
    raise ValueError(
        "dataset should be a pair (images, factors) or have both as attributes when encode is a function, "
        f"got {type(dataset).__name__}"
    )
