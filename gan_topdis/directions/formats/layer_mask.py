"""Which layers imported directions move: from the file, or from an option where it does not say."""

from __future__ import annotations

import re
from collections.abc import Sequence
from pathlib import Path

import numpy as np

from gan_topdis.directions.formats.contents import FileContents
from gan_topdis.directions.layers import resolve_layers
from gan_topdis.generators import Generator

Layers = str | Sequence[bool] | np.ndarray
_POSITIONS = re.compile(r"\s*(all|\d+(-\d+)?)\s*(,\s*(all|\d+(-\d+)?)\s*)*", re.ASCII)


def layer_mask(
    contents: FileContents,
    layers: Layers | None,
    num_ws: int | None,
    generator: Generator | None,
    space: str,
    vectors: np.ndarray,
    path: Path,
) -> np.ndarray:
    """bool (K, L)."""
    count = len(vectors)
    given = None if layers is None or isinstance(layers, str) else np.asarray(layers, dtype=bool)
    said = contents.layers
    sizes = {
        "the network": None if generator is None else generator.num_ws,
        "num_ws": num_ws,
        "layers": None if given is None else given.shape[-1],
        str(path): vectors.shape[1] if vectors.ndim == 3 else None,
    }
    known = {name: size for name, size in sizes.items() if size is not None}
    if len(set(known.values())) > 1:
        raise ValueError(
            "number of layers differs: " + ", ".join(f"{size} of {name}" for name, size in known.items())
        )
    if not known and space == "z":
        known = {"z": 1}  # an edit of z has no layers
    if not known:
        raise ValueError(
            f"{path} does not say how many layers there are: give the network (--network) or "
            "num_ws= (--num-ws)"
        )
    total = next(iter(known.values()))
    if total < 1:
        raise ValueError(f"num_ws should be at least 1, got {total}")
    if space == "z" and layers is None:
        said = "all"
    if said is not None and layers is not None:
        raise ValueError(f"layers are in {path} already; leave out layers= (--layers)")
    if said is None and layers is None:
        raise ValueError(
            f"{path} does not say which layers move: give layers= (--layers), such as all or 0-{total - 1}"
        )
    if isinstance(said, np.ndarray):
        return said.astype(bool)
    if isinstance(said, str):
        return np.ones((count, total), dtype=bool)
    if said is not None:
        return np.stack([_range(first, end, total, path) for first, end in said])
    if given is None:
        assert isinstance(layers, str)
        given = chosen_positions(layers, total, generator)
    if not given.any() or given.ndim not in (1, 2) or (given.ndim == 2 and len(given) != count):
        raise ValueError(
            f"layers should be bool ({total},) or ({count}, {total}) and choose some, got {given.shape}"
        )
    return np.broadcast_to(given, (count, total)).copy()


def _range(first: int, end: int, total: int, path: Path) -> np.ndarray:
    if not 0 <= first < end <= total:
        raise ValueError(
            f"{path} moves layers {first} to {end - 1}, the network has 0 to {total - 1}: it is of a network "
            "with another number of layers"
        )
    return (np.arange(total) >= first) & (np.arange(total) < end)


def chosen_positions(text: str, total: int, generator: Generator | None) -> np.ndarray:
    if generator is not None:
        return resolve_layers(text, generator.layer_table())
    if not _POSITIONS.fullmatch(text):
        raise ValueError(
            f"layers should be all or positions such as 0-{total - 1}, got {text!r}; names and resolutions "
            "need the network (--network)"
        )
    mask = np.zeros(total, dtype=bool)
    for token in (part.strip() for part in text.split(",")):
        first, _, last = token.partition("-")
        start, end = (0, total - 1) if token == "all" else (int(first), int(last or first))
        if not start <= end < total:
            raise ValueError(f"layers should be ascending and in 0 .. {total - 1}, got {token!r}")
        mask[start : end + 1] = True
    return mask


def positions(mask: np.ndarray) -> str | list[list[int]]:
    """`all`, or the positions each direction moves."""
    return "all" if mask.all() else [np.flatnonzero(row).tolist() for row in mask]
