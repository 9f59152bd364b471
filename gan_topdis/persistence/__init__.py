"""From distance matrices to bars. Knows nothing of networks."""

from gan_topdis.persistence.cross_barcode import Bars, cross_barcode
from gan_topdis.persistence.diagram import PersistenceDiagram
from gan_topdis.persistence.distances import pairwise_distances
from gan_topdis.persistence.h0 import h0_deaths
from gan_topdis.persistence.principal_persistence import principal_persistence
from gan_topdis.persistence.rtd import rtd
from gan_topdis.persistence.torchph_functions import vr_persistence, vr_persistence_l1
from gan_topdis.persistence.vietoris_rips import vietoris_rips, vietoris_rips_batch

__all__ = [
    "Bars",
    "PersistenceDiagram",
    "cross_barcode",
    "h0_deaths",
    "pairwise_distances",
    "principal_persistence",
    "rtd",
    "vietoris_rips",
    "vietoris_rips_batch",
    "vr_persistence",
    "vr_persistence_l1",
]
