"""Loss modules over the persistence backend."""

from gan_topdis.losses.connectivity import ConnectivityLoss
from gan_topdis.losses.cramer_distance import CramerDistance
from gan_topdis.losses.gradient_orthogonalisation import Orthogonalised, orthogonalise
from gan_topdis.losses.mmd import mmd_squared
from gan_topdis.losses.ppm_regularizer import PPMRegularizer
from gan_topdis.losses.rtd_loss import RTDLoss
from gan_topdis.losses.topdis_loss import TopDisLoss, TopDisStep

__all__ = [
    "ConnectivityLoss",
    "CramerDistance",
    "Orthogonalised",
    "PPMRegularizer",
    "RTDLoss",
    "TopDisLoss",
    "TopDisStep",
    "mmd_squared",
    "orthogonalise",
]
