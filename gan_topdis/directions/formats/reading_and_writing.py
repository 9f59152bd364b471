"""Reading and writing directions in any format: the same checks, options and messages for all."""

from __future__ import annotations

import inspect
import logging
import os
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np

from gan_topdis.directions.formats.completion import completed
from gan_topdis.directions.formats.fitting_network import require_network
from gan_topdis.directions.formats.registry import NATIVE, Format, named
from gan_topdis.directions.result import Directions
from gan_topdis.generators import Generator

_log = logging.getLogger(__name__)


@dataclass(frozen=True)
class Written:
    """Files of an export, and what the reader of these files should know.

    Attributes:
        files: written, in order.
        notes: one sentence each: what the format does not keep, and what its program does differently.
    """

    files: tuple[Path, ...]
    notes: tuple[str, ...]


def read_directions(
    path: str | os.PathLike[str], format: str = NATIVE, *, generator: Generator | None = None, **options: Any
) -> Directions:
    """Directions from a file of another program, or of ours. Nothing in a file is executed.

    What the format lacks is a required option; an error names it.

    Args:
        path: file, or folder where the format has one direction a file.
        format: one of `formats()`.
        generator: checks that the file is of this network, and measures standard deviations.
        options: of `completed` (`space`, `layers`, `num_ws`, `order`, `scale`, `names`, `class_index`,
            `seed`) and of the format (`code` of warped).

    Returns:
        `Directions`; `meta["imported"]` states what the file was taken to be.

    Raises:
        ValueError: the format or an option is unknown, something is missing or contradictory, the file is
            damaged or hostile, or it does not fit the generator.
        FileNotFoundError: there is no such file.
    """
    place = Path(path)
    if format == NATIVE:
        _require_options(format, options, ())
        directions = Directions.load(place)
        if generator is not None:
            require_network(directions, generator)
        return directions
    chosen = named(format)
    if not place.exists():
        raise FileNotFoundError(f"no file or folder at {place}")
    own = _options_of(chosen.read, 1)
    common = [name for name in _options_of(completed, 1) if name not in ("format", "path", "generator")]
    _require_options(format, options, (*own, *common), required=_required_of(chosen.read, 1))
    contents = chosen.read(place, **{name: options.pop(name) for name in own if name in options})
    return completed(contents, format=format, path=place, generator=generator, **options)


def write_directions(
    directions: Directions,
    path: str | os.PathLike[str],
    format: str = NATIVE,
    *,
    generator: Generator | None = None,
    indices: Sequence[int] | None = None,
    **options: Any,
) -> Written:
    """Directions as another program keeps them.

    Args:
        path: file; for formats of one direction a file, also a folder.
        format: one of `formats()`.
        generator: checks that the directions are of this network.
        indices: which directions, in this order; all when None.
        options: of the format: `model_name`, `output_class`, `sigma_range` (ganspace), `ckpt` (factor).

    Raises:
        ValueError: the format or an option is unknown, or it cannot hold these directions.
        IndexError: there is no such direction.
    """
    place = Path(path)
    if generator is not None:
        require_network(directions, generator)
    if indices is not None:
        directions = _selected(directions, indices)
    if not len(directions):
        raise ValueError("there is no direction to export")
    if format == NATIVE:
        _require_options(format, options, ())
        directions.save(place)
        return Written((place,), ())
    chosen = named(format)
    if chosen.write is None:
        raise ValueError(f"{format} is read only: its directions depend on where one stands")
    if directions.space not in chosen.spaces:
        raise ValueError(
            f"{format} holds directions of space {' or '.join(chosen.spaces)}, "
            f"these are of {directions.space}"
        )
    _require_options(format, options, _options_of(chosen.write, 2), required=_required_of(chosen.write, 2))
    files = chosen.write(place, directions, **options)
    notes = tuple(_notes(chosen, directions))
    for note in notes:
        _log.info("%s: %s", place, note)
    return Written(tuple(files), notes)


def _notes(chosen: Format, directions: Directions) -> list[str]:
    notes = [f"not kept: {chosen.lost}"]
    if "scale" not in chosen.stores:
        notes.append("strengths there are distances in latent units: one sigma is scale times as far")
    if chosen.layers == "all" and not directions.layers.all():
        notes.append(f"{chosen.program} moves all layers, these directions only some")
    own_order = directions.meta.get("edit_order", "after")
    if chosen.order not in (None, own_order) and directions.space != "z":
        notes.append(
            f"{chosen.program} edits {chosen.order} truncation, these directions were meant {own_order} it: "
            "the same at psi 1"
        )
    return notes


def _selected(directions: Directions, indices: Sequence[int]) -> Directions:
    """Some of the directions; columns of pairs and unknown entries of the file are left behind."""
    for index in indices:
        if not 0 <= index < len(directions):
            raise IndexError(f"direction should be in 0 .. {len(directions) - 1}, got {index}")
    rows = np.asarray(indices, dtype=np.int64)
    return replace(
        directions,
        vectors=directions.vectors[rows],
        names=tuple(directions.names[row] for row in rows),
        scores=directions.scores[rows],
        layers=directions.layers[rows],
        scale=directions.scale[rows],
        table={name: column[rows] for name, column in directions.table.items()},
        rtd=None if directions.rtd is None else directions.rtd[np.ix_(rows, rows)],
        extra={},
    )


def _options_of(function: Callable[..., Any], skipped: int) -> tuple[str, ...]:
    return tuple(inspect.signature(function).parameters)[skipped:]


def _required_of(function: Callable[..., Any], skipped: int) -> tuple[str, ...]:
    parameters = list(inspect.signature(function).parameters.values())[skipped:]
    return tuple(p.name for p in parameters if p.default is p.empty)


def _require_options(
    format: str, options: dict[str, Any], known: Sequence[str], *, required: Sequence[str] = ()
) -> None:
    """Refuse options that a format does not have, and ask for those it needs."""
    for name in options:
        if name not in known:
            raise ValueError(
                f"{name} is no option of {format}, which takes {', '.join(known) if known else 'none'}"
            )
    for name in required:
        if options.get(name) is None:
            raise ValueError(f"{format} needs {name}= (--{name.replace('_', '-')})")
