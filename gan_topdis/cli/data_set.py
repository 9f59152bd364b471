"""What `--data` names: a set that is made, a published file, or a folder of images."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from gan_topdis.config.train_vae import MADE

if TYPE_CHECKING:  # importing it would import torch
    from gan_topdis.data import LabelledImages


def open_data_set(name: str, *, resolution: int, every: Sequence[int] | None, grey: bool) -> LabelledImages:
    """The data set; images of folders and of sets that are made have `resolution` pixels a side.

    Files are told apart by their names: those of dSprites, 3D Shapes and MPI3D hold `dsprites`, `3dshapes`
    and `mpi3d` or `real3d`.

    Raises:
        ValueError: no such data set, or not one of these.
        OSError: it cannot be read.
    """
    from gan_topdis import data

    if name == MADE[0]:
        return data.procedural_dsprites(resolution=resolution, every=every or (1,) * 5)
    if name == MADE[1]:
        return data.room_scenes(resolution=resolution, every=every or (1,) * 6)
    if every is not None:
        raise ValueError(f"every is for data sets that are made ({', '.join(MADE)}), not for {name}")
    path = Path(name)
    if path.is_dir():
        return data.read_image_folder(path, size=resolution, grey=grey)
    if not path.exists():
        raise ValueError(f"data should be {', '.join(MADE)}, a file or a folder; there is no {name}")
    stem = path.name.lower()
    if "dsprites" in stem:
        return data.read_dsprites(path)
    if "3dshapes" in stem:
        return data.read_shapes3d(path)
    if "mpi3d" in stem or "real3d" in stem:
        return data.read_mpi3d(path)
    raise ValueError(
        f"{name} should be a file of dSprites, 3D Shapes or MPI3D, named dsprites*, 3dshapes*, mpi3d* or "
        "real3d*; others can be trained on in Python with gan_topdis.vae.fit"
    )
