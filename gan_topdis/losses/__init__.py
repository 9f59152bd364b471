"""Loss modules over the persistence backend."""

from gan_topdis.losses.connectivity import ConnectivityLoss
from gan_topdis.losses.rtd_loss import RTDLoss

__all__ = ["ConnectivityLoss", "RTDLoss"]
