"""Latent codes of projected pictures: `projected_w.npz`, `.npy`, and `.pt` of PTI, e4e and rosinality.

Shape rule: (L, d) is one W+ code, never L pictures; (d,) and (1, d) are one W code; (N, d) is N W codes only
when the caller says so; a leading fourth axis is 1. What was read can be written back in the same form.
"""

from __future__ import annotations

import os
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
import torch

from gan_topdis.directions.formats.arrays_file import (
    finite_numbers,
    read_npy,
    read_npz,
    replace_file,
)
from gan_topdis.directions.formats.torch_file import as_tensor, numbers, read_torch, write_torch
from gan_topdis.generators.persistent_record import describe
from gan_topdis.generators.safe_pickle import Dictionary
from gan_topdis.generators.torch_storage import StoredTensor

SUFFIXES = (".npz", ".npy", ".pt", ".pth")
KEY = "w"
"""Under which NVIDIA's projector keeps the code."""


@dataclass(frozen=True)
class LatentCodes:
    """W+ codes, and the form in which they stood in a file.

    Attributes:
        ws: float32 (n, num_ws, w_dim).
        kind: `npz`, `npy`, `torch` (a tensor) or `rosinality` (a dict by picture).
        ndim: number of axes in the file; a W code (d,) or (1, d) is W+ once it is edited on some layers.
        key: of the array in an npz.
        names: of the pictures, in a rosinality file.
    """

    ws: np.ndarray
    kind: str
    ndim: int = 3
    key: str = KEY
    names: tuple[str, ...] = ()


def read_latents(
    path: str | os.PathLike[str],
    *,
    num_ws: int,
    w_dim: int,
    key: str = KEY,
    interpret: str | None = None,
) -> LatentCodes:
    """W+ codes from a file; a W code is repeated for every layer. Nothing in the file is executed.

    Args:
        path: `.npz`, `.npy`, or a file of `torch.save` (also one saved on a GPU).
        num_ws, w_dim: L and d of the network that the codes are for.
        key: of the array in an npz.
        interpret: `w` takes (N, d) as N codes in W, `w+` takes (L, d) as one code in W+; needed where the
            shape alone does not tell.

    Raises:
        ValueError: the file is damaged or hostile, holds NaN, or its shape does not fit the network.
        FileNotFoundError: there is no such file.
    """
    place = Path(path)
    if interpret not in (None, "w", "w+"):
        raise ValueError(f"interpret should be w or w+, got {interpret!r}")
    if not place.is_file():
        raise FileNotFoundError(f"no file of latents at {place}")
    if place.suffix == ".npy":
        array, kind = read_npy(place), "npy"
    elif place.suffix == ".npz":
        arrays = read_npz(place)
        if key not in arrays:
            raise ValueError(
                f"{place} should hold {key}, got {', '.join(arrays) or 'nothing'}; choose with key="
            )
        array, kind = finite_numbers(arrays[key], f"{key} of {place}"), "npz"
    elif place.suffix in (".pt", ".pth"):
        value = read_torch(place)
        if isinstance(value, Dictionary):
            return _rosinality(value, place, num_ws, w_dim)
        array, kind = numbers(value, f"the contents of {place}"), "torch"
    else:
        raise ValueError(f"latents should be in a file {', '.join(SUFFIXES)}, got {place.name}")
    ws = shaped_codes(array, num_ws=num_ws, w_dim=w_dim, interpret=interpret, what=str(place))
    return LatentCodes(ws.astype(np.float32), kind, array.ndim, key)


def shaped_codes(
    array: np.ndarray, *, num_ws: int, w_dim: int, interpret: str | None, what: str
) -> np.ndarray:
    """Codes (n, num_ws, w_dim) by the shape rule.

    Raises:
        ValueError: the shape does not fit the network, or does not tell what it is.
    """
    shape = array.shape
    wanted = f"({num_ws}, {w_dim}) or (n, {num_ws}, {w_dim})"
    if array.ndim == 4:
        if shape[0] != 1:
            raise ValueError(f"{what} should have 1 in front of four axes, got {shape}")
        array = array[0]
    if not 1 <= array.ndim <= 3 or array.shape[-1] != w_dim:
        raise ValueError(f"{what} should have shape {wanted} for this network, got {shape}")
    if array.ndim == 3:
        if array.shape[1] != num_ws:
            raise ValueError(
                f"{what} has {array.shape[1]} layers, the network {num_ws}: it is of another network"
            )
        return array
    rows = array.reshape(-1, w_dim)
    if interpret == "w" or len(rows) == 1:
        return np.repeat(rows[:, None], num_ws, axis=1)
    if len(rows) == num_ws:
        return rows[None]
    if interpret == "w+":
        raise ValueError(f"{what} should have {num_ws} rows to be one W+ code, got {shape}")
    raise ValueError(
        f"{what} of shape {shape} is no W+ code of {num_ws} layers; if it is {len(rows)} codes in W, say so "
        "with interpret='w' (--interpret w)"
    )


def write_latents(
    path: str | os.PathLike[str], ws: np.ndarray | torch.Tensor, *, like: LatentCodes | str = "npz"
) -> Path:
    """W+ codes in the form of a file that was read, or of `projected_w.npz`; replaces only when complete.

    Args:
        path: file to write.
        ws: (n, num_ws, w_dim).
        like: what `read_latents` returned, or `npz`, `npy`, `torch`. One code keeps the number of axes it
            had in the file, W codes become W+; several codes have three axes.

    Raises:
        ValueError: ws are not finite (n, L, d), or the form is unknown.
    """
    place = Path(path)
    values = ws.detach().cpu().numpy() if isinstance(ws, torch.Tensor) else np.asarray(ws)
    codes = finite_numbers(values, "ws").astype(np.float32)
    if codes.ndim != 3:
        raise ValueError(f"ws should have shape (n, num_ws, w_dim), got {codes.shape}")
    form = LatentCodes(codes, like) if isinstance(like, str) else replace(like, ws=codes)
    if form.ndim == 4:
        codes = codes[None]
    elif form.ndim == 2 and len(codes) == 1 and form.kind != "rosinality":
        codes = codes[0]
    if form.kind == "npz":
        replace_file(place, lambda file: np.savez(file, **{form.key: codes}))  # type: ignore[arg-type]
    elif form.kind == "npy":
        replace_file(place, lambda file: np.save(file, codes))
    elif form.kind == "torch":
        write_torch(place, as_tensor(codes))
    elif form.kind == "rosinality":
        if len(form.names) != len(codes):
            raise ValueError(f"ws should be {len(form.names)} codes, one per picture, got {len(codes)}")
        write_torch(
            place,
            {name: {"latent": as_tensor(code)} for name, code in zip(form.names, codes, strict=True)},
        )
    else:
        raise ValueError(f"like should be npz, npy, torch or what read_latents returned, got {form.kind!r}")
    return place


def _rosinality(value: Dictionary, path: Path, num_ws: int, w_dim: int) -> LatentCodes:
    """`{file: {img, latent (d,) or (L, d), noise}}`; picture and noise maps are left behind."""
    codes, names = [], []
    for name, entry in value.items():
        latent = entry.get("latent") if isinstance(entry, Dictionary) else None
        if not isinstance(name, str) or not isinstance(latent, StoredTensor):
            raise ValueError(
                f"{path} should hold a tensor, or a dict of pictures with latent, got {describe(value)}"
            )
        array = numbers(latent, f"latent of {name[:80]!a} in {path}")
        if array.ndim > 2:
            raise ValueError(f"latent of {name[:80]!a} in {path} should be (d,) or (L, d), got {array.shape}")
        codes.append(
            shaped_codes(array, num_ws=num_ws, w_dim=w_dim, interpret=None, what=f"{name[:80]!a} in {path}")
        )
        names.append(name)
    if not codes:
        raise ValueError(f"{path} holds no picture")
    return LatentCodes(np.concatenate(codes).astype(np.float32), "rosinality", ndim=2, names=tuple(names))
