"""From what a file says to `Directions`: what it leaves out comes from options or from a network.

Nothing is guessed. What neither the file nor an option nor the network says is an error that names the
option; what two of them say differently is an error too.
"""

from __future__ import annotations

import logging
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np

from gan_topdis.directions.formats.contents import FileContents
from gan_topdis.directions.formats.deviation import measured_deviation
from gan_topdis.directions.formats.fitting_network import require_sizes
from gan_topdis.directions.formats.layer_mask import Layers, layer_mask, positions
from gan_topdis.directions.result import Directions
from gan_topdis.generators import Generator

SPACES = ("z", "w", "w+")
ORDERS = ("before", "after")

_log = logging.getLogger(__name__)


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
    require_sizes(vectors, agreed_space, generator, path)
    mask = layer_mask(contents, layers, num_ws, generator, agreed_space, vectors, path)
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
        "layers": positions(mask),
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
