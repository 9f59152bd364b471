"""What a VAE can be trained on: one protocol, one method per file."""

from gan_topdis.vae.objectives.beta import BetaVAE
from gan_topdis.vae.objectives.beta_tc import BetaTCVAE
from gan_topdis.vae.objectives.control import ControlVAE
from gan_topdis.vae.objectives.dava import DAVA
from gan_topdis.vae.objectives.factor import FactorVAE
from gan_topdis.vae.objectives.objective import Objective, OptimizerSettings, Terms
from gan_topdis.vae.objectives.plain import PlainVAE
from gan_topdis.vae.objectives.registry import OBJECTIVES, build_objective

__all__ = [
    "DAVA",
    "OBJECTIVES",
    "BetaTCVAE",
    "BetaVAE",
    "ControlVAE",
    "FactorVAE",
    "Objective",
    "OptimizerSettings",
    "PlainVAE",
    "Terms",
    "build_objective",
]
