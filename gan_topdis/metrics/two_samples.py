"""Features of generated and of real images, as the measures of quality want them."""

from __future__ import annotations

from typing import Any

import numpy as np
from jaxtyping import Float

from gan_topdis.metrics.arrays import code_array


def pair_of_samples(
    generated: Any, reference: Any, least: int
) -> tuple[Float[np.ndarray, "n d"], Float[np.ndarray, "m d"]]:
    """Both samples as float64.

    Raises:
        ValueError: not (n, d) and (m, d), not finite, or fewer than `least` rows.
    """
    x, y = code_array(generated, "generated"), code_array(reference, "reference")
    if x.shape[1] != y.shape[1]:
        raise ValueError(
            f"generated and reference should have as many columns, got {x.shape[1]} and {y.shape[1]}"
        )
    if min(len(x), len(y)) < least:
        raise ValueError(
            f"generated and reference should have at least {least} rows, got {len(x)} and {len(y)}"
        )
    return x, y
