"""GANSpace's saved edits, `out/directions/*.pkl`: one direction a file, with layers and strength range.

A pickled dict of plain data and float32 arrays. Strengths are in standard deviations, edits before
truncation, on layers [edit_start, edit_end). Source: harskish/ganspace, Apache-2.0 (file layout).
"""

from __future__ import annotations

import pickle
from pathlib import Path
from typing import Any

import numpy as np

from gan_topdis.directions.formats.array_pickle import StoredArray, read_array_pickle
from gan_topdis.directions.formats.arrays_file import finite_numbers, replace_file
from gan_topdis.directions.formats.contents import FileContents
from gan_topdis.directions.formats.one_per_file import read_file_or_folder, write_file_or_folder
from gan_topdis.directions.result import Directions
from gan_topdis.generators.safe_pickle import Dictionary, Value

SPACES = {"W": "w", "Z": "z"}


def read(path: Path) -> FileContents:
    """One edit, or those of a folder by component; nothing in a pickle runs."""
    return read_file_or_folder(path, ".pkl", _read_one, position=_component)


def write(
    path: Path, directions: Directions, *, model_name: str, output_class: str, sigma_range: float = 2.0
) -> list[Path]:
    """One pickle per direction.

    Args:
        path: a `.pkl` for one direction, else a folder.
        model_name: as GANSpace calls the network, such as `StyleGAN2`.
        output_class: such as `ffhq`.
        sigma_range: strength at the ends of GANSpace's slider, standard deviations.

    Raises:
        ValueError: a direction's layers are no single range.
    """
    ranges = [_single_range(row, name) for row, name in zip(directions.layers, directions.names, strict=True)]

    def write_one(file: Path, index: int) -> None:
        vector = directions.vectors[index : index + 1].astype(np.float32)  # (1, d)
        deviation = np.float32(directions.scale[index])
        edit: dict[str, Any] = {
            "name": directions.names[index],
            "sigma_range": float(sigma_range),
            "component_index": index,
            "act_comp": vector,
            "lat_comp": vector,
            "latent_space": directions.space.upper(),
            "act_stdev": deviation,
            "lat_stdev": deviation,
            "model_name": model_name,
            "output_class": output_class,
            "decomposition": {
                "name": "gan_topdis",
                "components": len(directions),
                "samples": int(directions.meta.get("statistics_samples", 0)),
                "layer": "style",
                "class_name": output_class,
            },
            "edit_type": "latent",
            "truncation": 1.0,
            "edit_start": ranges[index][0],
            "edit_end": ranges[index][1],
            "example_seed": 0,
        }
        replace_file(file, lambda stream: pickle.dump(edit, stream, protocol=3))

    return write_file_or_folder(path, ".pkl", directions.names, write_one)


def _read_one(path: Path) -> FileContents:
    edit = read_array_pickle(path)
    if not isinstance(edit, Dictionary):
        raise ValueError(f"{path} should hold the dict of a GANSpace edit, got a {type(edit).__name__}")
    needed = ("lat_comp", "lat_stdev", "latent_space", "edit_start", "edit_end")
    missing = [key for key in needed if key not in edit]
    if missing:
        raise ValueError(f"{path} should hold a GANSpace edit; {', '.join(missing)} missing")
    space = edit["latent_space"]
    if not isinstance(space, str) or space not in SPACES:
        raise ValueError(f"{path} should have latent_space W or Z, got {space!r:.40}")
    start, end = edit["edit_start"], edit["edit_end"]
    if type(start) is not int or type(end) is not int:
        raise ValueError(f"{path} should have whole numbers as edit_start and edit_end")
    vector = _numbers(edit["lat_comp"], f"lat_comp of {path}")
    if vector.ndim != 2 or len(vector) != 1:
        raise ValueError(f"lat_comp of {path} should have shape (1, d), got {vector.shape}")
    name = edit.get("name")
    facts = {
        key: value
        for key, value in edit.items()
        if isinstance(key, str) and type(value) in (str, int, float, bool)
    }
    return FileContents(
        vectors=vector,
        unit="sigma",
        space=SPACES[space],
        order="before",
        layers="all" if SPACES[space] == "z" else [(start, end)],
        deviation=_numbers(edit["lat_stdev"], f"lat_stdev of {path}").reshape(-1)[:1],
        names=[name] if isinstance(name, str) else None,
        facts=facts,
    )


def _component(edit: FileContents) -> int:
    index = edit.facts.get("component_index")
    return index if type(index) is int else 0


def _numbers(value: Value, what: str) -> np.ndarray:
    if isinstance(value, StoredArray):
        return finite_numbers(value.array, what)
    if type(value) in (int, float):
        return finite_numbers(np.asarray(value), what)
    raise ValueError(f"{what} should be numbers, got a {type(value).__name__}")


def _single_range(layers: np.ndarray, name: str) -> tuple[int, int]:
    """[start, end) of positions without a gap."""
    chosen = np.flatnonzero(layers)
    if not len(chosen) or len(chosen) != chosen[-1] - chosen[0] + 1:
        raise ValueError(
            f"a GANSpace edit moves one range of layers, and {name} moves {chosen.tolist()}; "
            "choose other layers"
        )
    return int(chosen[0]), int(chosen[-1]) + 1
