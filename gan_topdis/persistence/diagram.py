"""A persistence diagram: finite bars and essential births of each dimension."""

from __future__ import annotations

from dataclasses import dataclass

from jaxtyping import Float
from torch import Tensor


@dataclass(frozen=True)
class PersistenceDiagram:
    """Bars of one filtration, in the unit of the distances, tracked where these were.

    Attributes:
        finite: per dimension, (k, 2) births and deaths of bars of positive length, in order of death.
        essential_births: per dimension, (k,) births of classes that never die, ascending.
        engine, max_edge_length: the settings that produced it.
    """

    finite: tuple[Float[Tensor, "_ 2"], ...]
    essential_births: tuple[Float[Tensor, "_"], ...]
    engine: str
    max_edge_length: float | None

    @property
    def max_dimension(self) -> int:
        return len(self.finite) - 1

    def bars(self, dimension: int) -> Float[Tensor, "k 2"]:
        """(birth, death) of the finite bars of positive length in one dimension, in order of death."""
        return self.finite[self._checked(dimension)]

    def essential(self, dimension: int) -> Float[Tensor, "k"]:
        """Births of the classes of one dimension that are alive at the end of the filtration."""
        return self.essential_births[self._checked(dimension)]

    def _checked(self, dimension: int) -> int:
        if not 0 <= dimension <= self.max_dimension:
            raise ValueError(
                f"dimension should be 0 to {self.max_dimension} in this diagram, got {dimension}; "
                "ask vietoris_rips for a larger max_dimension"
            )
        return dimension
