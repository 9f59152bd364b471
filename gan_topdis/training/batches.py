"""Which rows a step sees: a function of the step, so that a resumed run sees the same as a whole one."""

from __future__ import annotations

import numpy as np
from jaxtyping import Int


class Batches:
    """Random order of all rows, another in every epoch; what does not fill a batch is left to later epochs.

    Args:
        size: rows of the data set.
        batch_size: rows per step over all processes; at most `size`.
        seed: of the orders.
        stream: another number gives other orders, for steps that need two batches.
        rank, world_size: this process and how many there are; each gets its share of every batch.
    """

    def __init__(
        self, size: int, batch_size: int, seed: int, *, stream: int = 0, rank: int = 0, world_size: int = 1
    ) -> None:
        if not 1 <= batch_size <= size:
            raise ValueError(f"batch_size should be in 1 .. {size} (images), got {batch_size}")
        if batch_size % world_size:
            raise ValueError(
                f"batch_size should be a multiple of the {world_size} processes, got {batch_size}"
            )
        if not 0 <= rank < world_size:
            raise ValueError(f"rank should be in 0 .. {world_size - 1}, got {rank}")
        self.size = size
        self.batch_size = batch_size
        self.per_epoch = size // batch_size
        self._share = slice(rank * (batch_size // world_size), (rank + 1) * (batch_size // world_size))
        self._seed = (seed, stream)
        self._epoch = -1
        self._order = np.zeros(0, dtype=np.int64)

    def at(self, step: int) -> Int[np.ndarray, " share"]:
        """Rows of this process at a step, from 0."""
        epoch, place = divmod(step, self.per_epoch)
        if epoch != self._epoch:
            seed, stream = self._seed
            rng = np.random.default_rng(np.random.SeedSequence(seed, spawn_key=(stream, epoch)))
            self._order, self._epoch = rng.permutation(self.size), epoch
        rows: np.ndarray = self._order[place * self.batch_size : (place + 1) * self.batch_size][self._share]
        return rows
