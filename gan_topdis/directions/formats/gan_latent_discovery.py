"""Deformators of GANLatentDiscovery: `<out>/models/deformator_<step>.pt` and `human_annotation.txt`.

State dicts: `linear.weight (d, K)` and `linear.bias` of the kinds linear and proj, a direction is a column;
`log_mat_half` M of the kind ortho, directions are columns of expm(M - M^T). The kind fc is not linear,
random is not saved. Raw units; the program does not truncate, where before and after are the same.
`human_annotation.txt` has lines `index: name`. Source: anvoynov/GANLatentDiscovery (layout);
Voynov and Babenko, arXiv:2002.03754.
"""

from __future__ import annotations

import re
from collections import OrderedDict
from pathlib import Path

import numpy as np
import torch

from gan_topdis.directions.formats.arrays_file import replace_file
from gan_topdis.directions.formats.contents import FileContents
from gan_topdis.directions.formats.ganspace import without_padding
from gan_topdis.directions.formats.torch_file import as_tensor, numbers, read_torch, write_torch
from gan_topdis.directions.result import Directions
from gan_topdis.generators.persistent_record import describe
from gan_topdis.generators.safe_pickle import Dictionary

ANNOTATION = "human_annotation.txt"


def read(path: Path) -> FileContents:
    """A deformator, or the last one of an output folder, with its annotation.

    Raises:
        ValueError: its kind is fc, or unknown; its bias is not 0.
    """
    file = _last_deformator(path) if path.is_dir() else path
    folder = path if path.is_dir() else path.parent.parent
    state = read_torch(file)
    if not isinstance(state, Dictionary):
        raise ValueError(f"{file} should hold the state dict of a deformator, got {describe(state)}")
    if "linear.weight" in state:
        columns = numbers(state["linear.weight"], f"linear.weight of {file}")
        if "linear.bias" in state and np.any(numbers(state["linear.bias"], f"linear.bias of {file}")):
            raise ValueError(
                f"{file} has a linear.bias, which moves every picture: it is no set of directions"
            )
    elif "log_mat_half" in state:
        half = numbers(state["log_mat_half"], f"log_mat_half of {file}")
        if half.ndim != 2 or half.shape[0] != half.shape[1]:
            raise ValueError(f"log_mat_half of {file} should be square, got {half.shape}")
        columns = torch.linalg.matrix_exp(torch.from_numpy(half - half.T)).numpy()
    else:
        raise ValueError(
            f"{file} should hold linear.weight or log_mat_half, got {describe(state)}; the kind fc is not "
            "linear and has no directions"
        )
    if columns.ndim != 2:
        raise ValueError(f"linear.weight of {file} should have shape (d, K), got {columns.shape}")
    vectors = without_padding(columns.T)
    names = _annotated(folder / ANNOTATION, len(vectors))
    return FileContents(vectors=vectors, unit="raw", order="after", layers="all", names=names)


def write(path: Path, directions: Directions) -> list[Path]:
    """A linear deformator with bias 0.

    Args:
        path: a `.pt` file, or an output folder, which gets `models/deformator_0.pt` and the names.
    """
    state = OrderedDict(
        {
            "linear.weight": as_tensor(directions.vectors.T),  # (d, K)
            "linear.bias": torch.zeros(directions.w_dim),
        }
    )
    if path.suffix == ".pt":
        write_torch(path, state)
        return [path]
    (path / "models").mkdir(parents=True, exist_ok=True)
    file = path / "models" / "deformator_0.pt"
    write_torch(file, state)
    lines = "".join(f"{i}: {' '.join(name.split())}\n" for i, name in enumerate(directions.names))
    replace_file(path / ANNOTATION, lambda stream: stream.write(lines.encode()))
    return [file, path / ANNOTATION]


def _last_deformator(folder: Path) -> Path:
    steps = {
        int(match[1]): file
        for file in (folder / "models").glob("deformator_*.pt")
        if (match := re.fullmatch(r"deformator_(\d+)", file.stem))
    }
    if not steps:
        raise FileNotFoundError(f"no models/deformator_STEP.pt in {folder}")
    return steps[max(steps)]


def _annotated(path: Path, count: int) -> list[str]:
    """Names by index; `direction N` where there is none."""
    names = [f"direction {i}" for i in range(count)]
    if not path.is_file():
        return names
    for line in path.read_text(encoding="utf-8", errors="replace").splitlines():
        index, colon, name = line.partition(":")
        if not line.strip():
            continue
        if not colon or not index.strip().isdecimal() or int(index) >= count:
            raise ValueError(
                f"{path} should have lines INDEX: NAME of directions below {count}, got {line!r:.80}"
            )
        names[int(index)] = name.strip()
    return names
