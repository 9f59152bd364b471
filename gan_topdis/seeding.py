"""Random generators from explicit seeds: no search or score reads or sets a global one."""

from __future__ import annotations

import numpy as np
import torch


def seeded_generator(seed: int, *purpose: int) -> torch.Generator:
    """A CPU generator of its own for each (seed, purpose...), independent of every other.

    Args:
        seed: the user's seed, >= 0.
        purpose: numbers that name what is drawn, e.g. (stage, index), so that a run that resumes at
            index k draws what the uninterrupted run would have drawn.
    """
    if seed < 0:
        raise ValueError(f"seed should be >= 0, got {seed}")
    state = np.random.SeedSequence(seed, spawn_key=purpose).generate_state(2, np.uint32)
    return torch.Generator().manual_seed(int(state[0]) << 32 | int(state[1]))
