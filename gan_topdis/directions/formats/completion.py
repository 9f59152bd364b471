"""From what a file says to `Directions`: what it leaves out comes from options or from a network.

Nothing is guessed. What neither the file nor an option nor the network says is an error that names the
option; what two of them say differently is an error too.
"""

from __future__ import annotations

import logging
import re
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np

from gan_topdis.directions.formats.contents import FileContents
from gan_topdis.directions.formats.deviation import measured_deviation
from gan_topdis.directions.layers import resolve_layers
from gan_topdis.directions.result import Directions
from gan_topdis.generators import Generator

SPACES = ("z", "w", "w+")
ORDERS = ("before", "after")
Layers = str | Sequence[bool] | np.ndarray

_log = logging.getLogger(__name__)
_POSITIONS = re.compile(r"\s*(all|\d+(-\d+)?)\s*(,\s*(all|\d+(-\d+)?)\s*)*", re.ASCII)


def completed(
    contents: FileContents,
    *,
    format: str,
    path: Path,
    generator: Generator | None = None,
    num_ws: int | None = None,
    layers: Layers | None = None,
    space: str | None = None,
    order: str | None = None,
    scale: float | Sequence[float] | np.ndarray | None = None,
    names: Sequence[str] | None = None,
    class_index: int | None = None,
    seed: int = 0,
) -> Directions:
    """Unit vectors with scale, layers and space, from a file and what its format lacks.

    Args:
        contents: what the file says.
        format, path: for messages and provenance.
        generator: checks sizes, gives `num_ws`, and measures `scale` on 10,000 latents.
        num_ws: L, positions of ws, without a generator.
        layers: positions that directions move: `all`, `0-6,9` and, with a generator, names and
            resolutions; or bool (L,) or (K, L).
        space: `z`, `w` or `w+`.
        order: whether the program of the format edits `before` or `after` truncation.
        scale: standard deviation of the latent along each direction, in latent units; one or K numbers.
        names: one per direction.
        class_index, seed: of the latents that measure `scale`; the seed of `discover` gives its scale.

    Returns:
        `Directions` whose `meta["imported"]` states format, space, unit, order, layers and the origin of
        the scale. `scores` are NaN: other programs have none of ours.

    Raises:
        ValueError: something is missing, contradictory, NaN, or does not fit the generator.
    """
    vectors, lengths = _unit(contents.vectors, path)
    agreed_space = _agreed("space", contents.space, space, SPACES, path)
    if (agreed_space == "w+") != (vectors.ndim == 3):
        raise ValueError(
            f"{path} holds directions of shape {vectors.shape[1:]}, which are not of space {agreed_space}"
        )
    _require_sizes(vectors, agreed_space, generator, path)
    mask = _layer_mask(contents, layers, num_ws, generator, agreed_space, vectors, path)
    agreed_order = "before" if agreed_space == "z" else _agreed("order", contents.order, order, ORDERS, path)
    deviation, mean, origin = _deviation(
        contents, scale, vectors, lengths, mask, agreed_space, generator, class_index, seed, path
    )
    chosen = contents.names if names is None else names
    statement: dict[str, Any] = {
        "format": format,
        "file": path.name,
        "space": agreed_space,
        "unit": contents.unit,
        "edit_order": agreed_order,
        "layers": _positions(mask),
        "scale_from": origin,
        "lengths": [float(length) for length in lengths],
        **({"facts": contents.facts} if contents.facts else {}),
    }
    _log.info("%s: %s", path, stated(statement))
    count = len(vectors)
    return Directions(
        vectors=vectors.astype(np.float32),
        names=tuple(f"direction {i}" for i in range(count)) if chosen is None else tuple(map(str, chosen)),
        scores=np.full(count, np.nan),
        layers=mask,
        scale=deviation.astype(np.float32),
        w_mean=mean.astype(np.float32),
        space=agreed_space,
        score_name="none",
        table=contents.table,
        meta={
            "unit": "sigma",
            "edit_order": agreed_order,
            **({} if class_index is None else {"class_index": class_index}),
            **({} if generator is None else {"generator": generator.description()}),
            "imported": statement,
        },
    )


def stated(statement: dict[str, Any]) -> str:
    """What an importer took a file to be, in one line."""
    return (
        f"read as {statement['format']}: space {statement['space']}, unit {statement['unit']}, edits "
        f"{statement['edit_order']} truncation, layers {statement['layers']}, "
        f"standard deviations from the {statement['scale_from']}"
    )


def require_network(directions: Directions, generator: Generator) -> None:
    """Refuse directions of another network than this one.

    Raises:
        ValueError: space, w_dim or num_ws do not fit, or the file names another fingerprint.
    """
    spaces = {"z": ("z",), "w": ("w", "w+")}[generator.latent_space]
    sizes = [
        ("space", " or ".join(spaces), directions.space, directions.space in spaces),
        ("w_dim", generator.w_dim, directions.w_dim, generator.w_dim == directions.w_dim),
        ("num_ws", generator.num_ws, directions.num_ws, generator.num_ws == directions.num_ws),
    ]
    for what, needed, got, fits in sizes:
        if not fits:
            raise ValueError(
                f"these directions do not fit {generator.name}: {what} should be {needed}, got {got}"
            )
    origin = directions.meta.get("generator")
    found_on = origin.get("fingerprint") if isinstance(origin, dict) else None
    if found_on not in (None, generator.fingerprint):
        raise ValueError(
            f"these directions are of another network (fingerprint {str(found_on)[:12]}) than "
            f"{generator.name} ({generator.fingerprint[:12]}); leave out the network to use them all the same"
        )


def _unit(vectors: np.ndarray, path: Path) -> tuple[np.ndarray, np.ndarray]:
    """Rows of length 1, and what their lengths were."""
    if not len(vectors):
        raise ValueError(f"{path} holds no direction")
    if not np.isfinite(vectors).all():
        raise ValueError(f"{path} should hold finite directions, got NaN or infinity")
    lengths = np.linalg.norm(vectors.reshape(len(vectors), -1), axis=1)
    if not lengths.all():
        raise ValueError(f"{path}: direction {int(lengths.argmin())} has length 0")
    return vectors / lengths.reshape(-1, *[1] * (vectors.ndim - 1)), lengths


def _agreed(what: str, said: str | None, option: str | None, known: Sequence[str], path: Path) -> str:
    """What file and option agree on."""
    if option is not None and option not in known:
        raise ValueError(f"{what} should be one of {', '.join(known)}, got {option!r}")
    if said is not None and option not in (None, said):
        raise ValueError(f"{path} is of {what} {said}, not {option}")
    value = said if option is None else option
    if value is None:
        raise ValueError(
            f"{path} does not say its {what}: give {what}= (--{what}), one of {', '.join(known)}"
        )
    return value


def _require_sizes(vectors: np.ndarray, space: str, generator: Generator | None, path: Path) -> None:
    if generator is None:
        return
    if space != "z" and generator.latent_space == "z":
        raise ValueError(
            f"{path} does not fit {generator.name}: it is of space {space}, and the network has no mapping, "
            "so its space is z"
        )
    needed, name = (generator.z_dim, "z_dim") if space == "z" else (generator.w_dim, "w_dim")
    if vectors.shape[-1] != needed:
        raise ValueError(
            f"{path} does not fit {generator.name}: {name} should be {needed}, got {vectors.shape[-1]}"
        )
    if vectors.ndim == 3 and vectors.shape[1] != generator.num_ws:
        raise ValueError(
            f"{path} does not fit {generator.name}: num_ws should be {generator.num_ws}, "
            f"got {vectors.shape[1]}"
        )


def _layer_mask(
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
        given = _chosen(layers, total, generator)
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


def _chosen(text: str, total: int, generator: Generator | None) -> np.ndarray:
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


def _deviation(
    contents: FileContents,
    scale: float | Sequence[float] | np.ndarray | None,
    vectors: np.ndarray,
    lengths: np.ndarray,
    mask: np.ndarray,
    space: str,
    generator: Generator | None,
    class_index: int | None,
    seed: int,
    path: Path,
) -> tuple[np.ndarray, np.ndarray, str]:
    """Scale (K,), mean (d,) and where the scale is from."""
    unknown = np.full(vectors.shape[-1], np.nan)
    if contents.deviation is not None:
        if scale is not None:
            raise ValueError(f"standard deviations are in {path} already; leave out scale= (--scale)")
        # one sigma moves by deviation times the vector as it stands in the file
        deviation = np.asarray(contents.deviation, dtype=np.float64) * lengths
        if not np.isfinite(deviation).all() or (deviation <= 0).any():
            raise ValueError(f"{path} should hold standard deviations greater than 0, got {deviation.min()}")
        return deviation, unknown if contents.mean is None else contents.mean, "file"
    if scale is not None:
        deviation = np.asarray(scale, dtype=np.float64)
        if deviation.shape not in ((), (1,), (len(vectors),)):
            raise ValueError(f"scale should be one number or {len(vectors)}, got shape {deviation.shape}")
        deviation = np.broadcast_to(deviation, (len(vectors),))
        if not np.isfinite(deviation).all() or (deviation <= 0).any():
            raise ValueError(f"scale should be finite and greater than 0, got {deviation.tolist()}")
        return deviation, unknown, "option"
    if generator is None:
        raise ValueError(
            f"{path} is in raw latent units and strengths are in standard deviations: give the network that "
            "measures them (generator=, --network), or scale= (--scale)"
        )
    deviation, mean = measured_deviation(
        generator, vectors, mask, space=space, class_index=class_index, seed=seed
    )
    return deviation, mean, "network"


def _positions(mask: np.ndarray) -> str | list[list[int]]:
    """`all`, or the positions each direction moves."""
    return "all" if mask.all() else [np.flatnonzero(row).tolist() for row in mask]
