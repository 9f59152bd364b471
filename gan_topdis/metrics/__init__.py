"""Disentanglement metrics with known factors: pure functions of codes and factors. Needs no torch."""

from gan_topdis.metrics.beta_vae_score import BetaVAEScore, beta_vae_score
from gan_topdis.metrics.codes_file import CodesFile, read_codes
from gan_topdis.metrics.dci import DCI, dci
from gan_topdis.metrics.evaluate import METRICS, Metrics, evaluate
from gan_topdis.metrics.explicitness import Explicitness, explicitness
from gan_topdis.metrics.factor_vae_score import FactorVAEScore, factor_vae_score
from gan_topdis.metrics.mig import MIG, mig
from gan_topdis.metrics.modularity import Modularity, modularity
from gan_topdis.metrics.samplers import FactorGrid, FactorPool
from gan_topdis.metrics.sap import SAP, sap
from gan_topdis.metrics.score import Score

__all__ = [
    "DCI",
    "METRICS",
    "MIG",
    "SAP",
    "BetaVAEScore",
    "CodesFile",
    "Explicitness",
    "FactorGrid",
    "FactorPool",
    "FactorVAEScore",
    "Metrics",
    "Modularity",
    "Score",
    "beta_vae_score",
    "dci",
    "evaluate",
    "explicitness",
    "factor_vae_score",
    "mig",
    "modularity",
    "read_codes",
    "sap",
]
