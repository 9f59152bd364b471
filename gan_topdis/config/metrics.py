"""Settings of `gan-topdis metrics`."""

from __future__ import annotations

from dataclasses import dataclass

from gan_topdis.config.ranges import require_at_least, require_one_of

# Spelled out here, since settings import nothing heavy; tests hold them equal.
PROTOCOLS = ("paper", "fast")
METRICS = (
    "mig",
    "factor_vae_score",
    "sap",
    "sap_continuous",
    "dci",
    "modularity",
    "explicitness",
    "beta_vae_score",
)


@dataclass(frozen=True)
class MetricsConfig:
    """What `metrics` is told; keys in a YAML file are the option names of the command line.

    Attributes:
        codes: `.npz` with `codes` (n, d) and `factors` (n, k), or `factor_sizes` of a complete grid.
        protocol: numbers of points and votes.
        only: metrics to compute.
        seed: of rows, votes and trees.
    """

    codes: str = ""
    protocol: str = "paper"
    only: tuple[str, ...] = METRICS
    seed: int = 0

    def __post_init__(self) -> None:
        require_one_of("protocol", self.protocol, PROTOCOLS)
        require_at_least("seed", self.seed, 0)
        if not self.only:
            raise ValueError(f"only should name at least one of {', '.join(METRICS)}, got none")
        for name in self.only:
            require_one_of("only", name, METRICS)
