"""Directions and latents in the files of other programs: one format per file."""

from gan_topdis.directions.formats.latents import LatentCodes, read_latents, write_latents
from gan_topdis.directions.formats.reading_and_writing import Written, read_directions, write_directions
from gan_topdis.directions.formats.registry import FORMATS, NATIVE, Format, formats

__all__ = [
    "FORMATS",
    "NATIVE",
    "Format",
    "LatentCodes",
    "Written",
    "formats",
    "read_directions",
    "read_latents",
    "write_directions",
    "write_latents",
]
