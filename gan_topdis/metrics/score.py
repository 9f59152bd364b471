"""What every metric returns: a float that knows how it came about."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
from jaxtyping import Float


@dataclass(frozen=True, eq=False, repr=False)
class Score(float):
    """A score; compares, prints and computes as the float `score`.

    Attributes:
        score: the number itself.
        per_factor: (k,) shares of the factors in it, in the order of `factors`; NaN where there are none.
        factors: columns of the factors that were scored; those of one value are left out.
        settings: protocol, counts and seed behind the number.
        ceiling: the score of one ideal linear code per factor under the same settings.
        ceiling_per_factor: (k,) the same for the entries of `per_factor`; None where a metric has none.
        notes: what a reader of the number should know; one sentence each.
    """

    score: float
    per_factor: Float[np.ndarray, " k"]
    factors: tuple[int, ...]
    settings: Mapping[str, Any]
    ceiling: float
    ceiling_per_factor: Float[np.ndarray, " k"] | None
    notes: tuple[str, ...]

    def __new__(cls, score: float, *_: Any, **__: Any) -> Score:
        return float.__new__(cls, score)

    def __repr__(self) -> str:
        return f"{type(self).__name__}({float(self):.4f} of {self.ceiling:.4f})"

    def __reduce__(self) -> tuple[Any, ...]:
        return type(self), tuple(getattr(self, name) for name in self.__dataclass_fields__)
