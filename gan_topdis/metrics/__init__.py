"""Metrics as pure functions of arrays: disentanglement with known factors, probes with a few labels, quality
of generated images on features. Needs no torch, except for the probe by a network."""

from gan_topdis.metrics.beta_vae_score import BetaVAEScore, beta_vae_score
from gan_topdis.metrics.codes_file import CodesFile, read_codes
from gan_topdis.metrics.dci import DCI, dci
from gan_topdis.metrics.evaluate import METRICS, Metrics, evaluate
from gan_topdis.metrics.explicitness import Explicitness, explicitness
from gan_topdis.metrics.factor_vae_score import FactorVAEScore, factor_vae_score
from gan_topdis.metrics.frechet_distance import FrechetDistance, frechet_distance
from gan_topdis.metrics.kernel_distance import KernelDistance, kernel_distance
from gan_topdis.metrics.label_draws import LabelDraws, stratified_draws
from gan_topdis.metrics.label_probe import LabelProbe, label_probe
from gan_topdis.metrics.mig import MIG, mig
from gan_topdis.metrics.modularity import Modularity, modularity
from gan_topdis.metrics.precision_recall import PrecisionRecall, precision_recall
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
    "FrechetDistance",
    "KernelDistance",
    "LabelDraws",
    "LabelProbe",
    "Metrics",
    "Modularity",
    "PrecisionRecall",
    "Score",
    "beta_vae_score",
    "dci",
    "evaluate",
    "explicitness",
    "factor_vae_score",
    "frechet_distance",
    "kernel_distance",
    "label_probe",
    "mig",
    "modularity",
    "precision_recall",
    "read_codes",
    "sap",
    "stratified_draws",
]
