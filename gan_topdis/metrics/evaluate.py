"""All metrics of one set of codes, in one record."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from gan_topdis.metrics.arrays import code_array
from gan_topdis.metrics.beta_vae_score import beta_vae_score
from gan_topdis.metrics.classifiers import require_sklearn
from gan_topdis.metrics.dci import dci
from gan_topdis.metrics.explicitness import explicitness
from gan_topdis.metrics.factor_vae_score import factor_vae_score
from gan_topdis.metrics.mig import mig
from gan_topdis.metrics.modularity import modularity
from gan_topdis.metrics.protocol import protocol_named
from gan_topdis.metrics.samplers import FactorGrid
from gan_topdis.metrics.sap import sap
from gan_topdis.metrics.score import Score

METRICS: Mapping[str, Callable[..., Score]] = {
    "mig": mig,
    "factor_vae_score": factor_vae_score,
    "sap": sap,
    "sap_continuous": lambda codes, factors, **options: sap(codes, factors, True, **options),
    "dci": dci,
    "modularity": modularity,
    "explicitness": explicitness,
    "beta_vae_score": beta_vae_score,
}
"""By name, cheapest to explain first; all take codes and factors."""
WITH_CLASSIFIERS = ("sap", "dci", "explicitness", "beta_vae_score")


@dataclass(frozen=True)
class Metrics:
    """Attributes: scores by the names of `METRICS`; protocol; seed."""

    scores: Mapping[str, Score]
    protocol: str
    seed: int

    def __getitem__(self, name: str) -> Score:
        return self.scores[name]


def evaluate(
    codes: Any,
    factors: Any,
    *,
    protocol: str = "paper",
    seed: int = 0,
    only: Sequence[str] | None = None,
    on_metric: Callable[[str], None] | None = None,
) -> Metrics:
    """Every metric, or those named, on the same codes.

    Args:
        codes: (n, d) encoder means, numpy or torch.
        factors: (n, k) integer classes, or the `FactorGrid` that the codes were made on.
        protocol: `paper` takes minutes, nearly all for DCI; `fast` gives DCI a tenth of the rows.
        seed: of every metric.
        only: names of `METRICS`.
        on_metric: called with the name before each.

    Raises:
        ValueError: shapes, values or names out of range.
        ImportError: one of them needs scikit-learn, which is missing.
    """
    protocol_named(protocol)
    names = tuple(METRICS) if only is None else tuple(only)
    for name in names:
        if name not in METRICS:
            raise ValueError(f"metric should be one of {', '.join(METRICS)}, got {name!r}")
    require_packages(names)
    z = code_array(codes)
    labels = factors.factors if isinstance(factors, FactorGrid) else factors
    scores = {}
    for name in names:
        if on_metric is not None:
            on_metric(name)
        interventional = METRICS[name] in (factor_vae_score, beta_vae_score)
        scores[name] = METRICS[name](z, factors if interventional else labels, protocol=protocol, seed=seed)
    return Metrics(scores, protocol, seed)


def require_packages(names: Sequence[str]) -> None:
    """Refuse before any work what would need a package later.

    Raises:
        ImportError: a metric of these names needs scikit-learn, which is missing.
    """
    if found := [name for name in names if name in WITH_CLASSIFIERS]:
        require_sklearn(", ".join(found))
