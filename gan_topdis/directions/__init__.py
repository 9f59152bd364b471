"""Latent directions of pretrained generators: one method per file."""

from gan_topdis.directions.discover import discover, methods
from gan_topdis.directions.options import TopDisOptions
from gan_topdis.directions.result import Directions
from gan_topdis.directions.scores import evaluate_directions
from gan_topdis.directions.traversal import symmetric_strengths, traverse

__all__ = [
    "Directions",
    "TopDisOptions",
    "discover",
    "evaluate_directions",
    "methods",
    "symmetric_strengths",
    "traverse",
]
