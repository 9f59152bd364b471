"""How far a search is, for whoever draws the bar."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass


@dataclass(frozen=True)
class Progress:
    """Attributes: what is being done, and steps done of the steps of the whole run."""

    stage: str
    done: int
    total: int


ProgressCallback = Callable[[Progress], None]
