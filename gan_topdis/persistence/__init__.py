"""From distance matrices to bars. Knows nothing of networks."""

from gan_topdis.persistence.cross_barcode import Bars, cross_barcode
from gan_topdis.persistence.distances import pairwise_distances
from gan_topdis.persistence.rtd import rtd

__all__ = ["Bars", "cross_barcode", "pairwise_distances", "rtd"]
