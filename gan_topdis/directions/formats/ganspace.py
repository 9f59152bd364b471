"""GANSpace's cached components: `cache/components/{model}-{class}_{layer}_{est}_c{K}_n{N}[_w].npz`.

float32 `act_comp (K, 1, d)`, `act_mean (1, d)`, `act_stdev (K,)`, `lat_comp (K, 1, d)` unit rows, `lat_mean
(1, d)`, `lat_stdev (K,)`, `var_ratio (K,)`, `random_stdevs (K,)`. Strengths are in standard deviations,
edits before truncation. For the layer `style`, activations are latents. The space stands in the file name:
`_w`, or without it Z. Source: harskish/ganspace, Apache-2.0 (file layout); arXiv:2004.02546 (method).
"""

from __future__ import annotations

import re
from pathlib import Path

import numpy as np

from gan_topdis.directions.formats.arrays_file import finite_numbers, read_npz, replace_file
from gan_topdis.directions.formats.contents import FileContents
from gan_topdis.directions.result import Directions

PLOTTED_ROWS = 15
"""GANSpace's plots index this many components whatever the file holds."""
_NAME = re.compile(r".+-.+_c\d+_n\d+(?P<w>_w)?(_seed\d+)?\.npz")


def read(path: Path) -> FileContents:
    """Components in latent coordinates (`lat_*`); trailing components of length 0 are padding."""
    arrays = read_npz(path)
    missing = [name for name in ("lat_comp", "lat_mean", "lat_stdev") if name not in arrays]
    if missing:
        raise ValueError(f"{path} should hold GANSpace components; {', '.join(missing)} missing")
    vectors = finite_numbers(arrays["lat_comp"], f"lat_comp of {path}")
    deviation = finite_numbers(arrays["lat_stdev"], f"lat_stdev of {path}")
    mean = finite_numbers(arrays["lat_mean"], f"lat_mean of {path}")
    count, size = len(vectors), vectors.shape[-1]
    if vectors.shape != (count, 1, size) or deviation.shape != (count,) or mean.shape != (1, size):
        raise ValueError(
            f"{path} should hold lat_comp (K, 1, d), lat_mean (1, d) and lat_stdev (K,), got "
            f"{vectors.shape}, {mean.shape} and {deviation.shape}"
        )
    used = without_padding(vectors.reshape(count, size))
    name = _NAME.fullmatch(path.name)
    return FileContents(
        vectors=used,
        unit="sigma",
        space=None if name is None else ("w" if name["w"] else "z"),
        order="before",
        deviation=deviation[: len(used)],
        mean=mean[0],
        table={
            column: arrays[column][: len(used)].astype(np.float64)
            for column in ("var_ratio", "random_stdevs")
            if column in arrays and arrays[column].shape == (count,)
        },
    )


def write(
    path: Path, directions: Directions, *, model_name: str | None = None, output_class: str | None = None
) -> list[Path]:
    """Components as of the layer `style`; fewer than 15 are padded with components of length 0.

    Args:
        path: file, or a folder, where the file gets the name under which GANSpace looks for it.
        model_name, output_class: for that name, such as `StyleGAN2` and `ffhq`.

    Raises:
        ValueError: the directions' mean is unknown, or a name is needed and missing.
    """
    if not np.isfinite(directions.w_mean).all():
        raise ValueError(
            "ganspace needs the mean latent, which these directions lack: import them with --network"
        )
    count = max(len(directions), PLOTTED_ROWS)
    if path.is_dir():
        if model_name is None or output_class is None:
            raise ValueError(
                "ganspace files are found by name: give model_name= and output_class= (--model-name, "
                "--output-class), or a file instead of a folder"
            )
        ending = "_w" if directions.space == "w" else ""
        samples = directions.meta.get("statistics_samples", 10_000)
        path = path / f"{model_name.lower()}-{output_class}_style_ipca_c{count}_n{samples}{ending}.npz"

    def padded(rows: np.ndarray, fill: float = 0.0) -> np.ndarray:
        result = np.full((count, *rows.shape[1:]), fill, dtype=np.float32)
        result[: len(rows)] = rows
        return result

    components = padded(directions.vectors)[:, None]  # (K, 1, d)
    mean = directions.w_mean[None].astype(np.float32)  # (1, d)
    deviation = padded(directions.scale)
    unknown = np.full(len(directions), np.nan)
    arrays = {
        "act_comp": components,
        "act_mean": mean,
        "act_stdev": deviation,
        "lat_comp": components,
        "lat_mean": mean,
        "lat_stdev": deviation,
        "var_ratio": padded(directions.table.get("var_ratio", unknown)),
        "random_stdevs": padded(directions.table.get("random_stdevs", unknown)),
    }
    replace_file(path, lambda file: np.savez(file, **arrays))  # type: ignore[arg-type]
    return [path]


def without_padding(rows: np.ndarray) -> np.ndarray:
    """Rows (K, d) without those of zeros behind the last other one."""
    filled = np.flatnonzero(np.abs(rows).max(axis=1) > 0)
    return rows[: filled[-1] + 1] if len(filled) else rows[:0]
