"""Settings of `gan-topdis benchmark`."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from gan_topdis.config.ranges import DEVICES, METHODS, require_one_of

NETWORKS = (
    "scenes",
    "sprites",
    "blobs",
    "drawn-faces",
    "street",
    "waves",
    "correlated-sprites",
    "demo",
)
"""Built-in networks with factors that can be measured."""
VARIANTS: dict[str, tuple[str, dict[str, Any]]] = {
    "topdis-cold": ("topdis", {"warm_start": "random"}),
}
"""Further columns of the table: a method with options other than its defaults."""
CEILING = "supervised"
"""A column that is told the factors: what one direction per factor can reach."""
COLUMNS = (METHODS[0], *VARIANTS, *METHODS[1:], CEILING)
"""What `--methods` takes."""
QUICK_OPTIONS = {
    "points": 24,
    "steps": 10,
    "second_steps": 5,
    "restarts": 2,
    "evaluation_points": 48,
    "feature_size": 16,
}
"""Options of the search with --quick: seconds a search, to try the command; results mean little."""


@dataclass(frozen=True)
class BenchmarkConfig:
    """What `benchmark` is told; keys in a YAML file are the option names of the command line.

    Attributes:
        networks: built-in names.
        methods: of discovery, `COLUMNS`.
        seeds: of searches, of the pictures that are moved, and of the hidden rotations of analytic networks.
        quick: short searches.
        device: where to compute.
    """

    networks: tuple[str, ...] = NETWORKS
    methods: tuple[str, ...] = COLUMNS
    seeds: tuple[int, ...] = (0, 1, 2, 3, 4)
    quick: bool = False
    device: str = "auto"

    def __post_init__(self) -> None:
        for option, values, choices in (
            ("networks", self.networks, NETWORKS),
            ("methods", self.methods, COLUMNS),
        ):
            if not values:
                raise ValueError(f"{option} should name at least one of {', '.join(choices)}, got none")
            for value in values:
                require_one_of(option, value, choices)
        if not self.seeds:
            raise ValueError("seeds should name at least one, got none")
        require_one_of("device", self.device.partition(":")[0], DEVICES)

    def search(self, column: str) -> dict[str, Any]:
        """Arguments of `gan_topdis.directions.discover`: the method, and options that differ from its own."""
        method, options = VARIANTS.get(column, (column, {}))
        return {"method": method, **options, **(QUICK_OPTIONS if self.quick else {})}
