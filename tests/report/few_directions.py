"""Directions made by hand, for tests of what is written about them."""

from __future__ import annotations

from typing import Any

import numpy as np

from gan_topdis.directions import Directions

TRUTH = {
    "known_factors": [{"factor": "hue", "cosine": -0.99}, {"factor": "size", "cosine": 0.5}],
    "best_cosine_per_factor": {"hue": 0.99, "size": 0.5},
}
BASELINE = {"random_baseline": {"mean": 1.0, "std": 0.1, "count": 16}}


def directions(**meta: Any) -> Directions:
    """Two directions in a latent space of three dimensions."""
    return Directions(
        vectors=np.eye(2, 3, dtype=np.float32),
        names=("smile", "direction 1"),
        scores=np.array([0.25, 1.05]),
        layers=np.ones((2, 1), dtype=bool),
        scale=np.ones(2, dtype=np.float32),
        w_mean=np.zeros(3, dtype=np.float32),
        space="z",
        score_name="rtd",
        table={"rtd_to_random": np.array([0.25, np.nan]), "found_at": np.array([1.0, 0.0])},
        meta={
            "generator": {"name": "tiny", "family": "callable", "resolution": [4, 6], "channels": 3},
            "method": "topdis",
            "seed": 7,
            **meta,
        },
    )
