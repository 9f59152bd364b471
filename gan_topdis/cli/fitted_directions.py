"""A directions file as a verb needs it: checked against the network, its layers replaced on request."""

from __future__ import annotations

from dataclasses import replace

from gan_topdis.cli.network import warn
from gan_topdis.directions import Directions
from gan_topdis.directions.layers import resolve_layers
from gan_topdis.directions.traversal import require_compatible
from gan_topdis.generators import Generator
from gan_topdis.report import printable


def fitted_directions(path: str, generator: Generator, layers: str | None) -> Directions:
    """Directions from a file, for this network; those of another network give a warning.

    Args:
        path: `directions.npz`.
        layers: positions of ws to move instead of those in the file, see `resolve_layers`.

    Raises:
        FileNotFoundError: there is no such file.
        ValueError: it is no directions file or holds none, they are of another latent space, or the
            layers do not exist.
    """
    directions = Directions.load(path)
    if not len(directions):
        raise ValueError(f"{path} holds no direction")
    require_compatible(generator, directions)
    origin = directions.meta.get("generator", {})
    if origin.get("fingerprint") not in (None, generator.fingerprint):
        warn(
            f"these directions were found on another network ({printable(str(origin.get('name')))}, "
            f"fingerprint {str(origin['fingerprint'])[:12]}; this is {printable(generator.name)}, "
            f"{generator.fingerprint[:12]}): they may mean something else here"
        )
    if layers is None:
        return directions
    mask = resolve_layers(layers, generator.layer_table())
    return replace(directions, layers=mask[None].repeat(len(directions), axis=0))


def class_found_in(directions: Directions, class_index: int | None) -> int | None:
    """The class asked for, else that in which directions were found; a warning when they differ."""
    found_in: int | None = directions.meta.get("class_index")
    if class_index is not None and class_index != found_in:
        warn(
            f"these directions were found in class {found_in}, the pictures are of class {class_index}: "
            "strengths are in standard deviations of the former"
        )
    return found_in if class_index is None else class_index
