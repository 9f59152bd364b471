"""Pretrained generators behind one protocol: one adapter per family."""

from gan_topdis.generators.callable import from_callable
from gan_topdis.generators.checkpoint_error import CheckpointError
from gan_topdis.generators.load import load_generator
from gan_topdis.generators.protocol import Generator, KnownFactors, LayerRow

__all__ = ["CheckpointError", "Generator", "KnownFactors", "LayerRow", "from_callable", "load_generator"]
