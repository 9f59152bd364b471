"""Arrays of images in files that users have: where they are looked for, what they should hold, how they open.

Nothing is downloaded and nothing in a file is executed: numpy's pickles are refused, and only the keys that
are named are read. Key, shape and type are checked in the header, before any data is read.
"""

from __future__ import annotations

import os
import zipfile
import zlib
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from math import prod
from pathlib import Path
from typing import IO, Any

import numpy as np

from gan_topdis.data.factor_grid import grid_size
from gan_topdis.data.hdf5_rows import Hdf5Rows, hdf5_header, read_hdf5

StrPath = str | os.PathLike[str]
DATA_VARIABLE = "GAN_TOPDIS_DATA"
DISENTANGLEMENT_LIB_VARIABLE = "DISENTANGLEMENT_LIB_DATA"
HDF5_SUFFIXES = (".h5", ".hdf5")
_CHUNK = 2**24


@dataclass(frozen=True)
class FileLayout:
    """What a published data set looks like on disk.

    Attributes:
        name: of the data set.
        files: names it is published under, the most common one first.
        key: of the images in an `.npz` or `.h5` file; an `.npy` file is this array alone.
        image_shape: (H, W) or (H, W, channels), as stored.
        sizes: factor sizes it is known with, the last factor fastest.
        folders: below $DISENTANGLEMENT_LIB_DATA.
        instead: what needs no file.
    """

    name: str
    files: tuple[str, ...]
    key: str
    image_shape: tuple[int, ...]
    sizes: tuple[tuple[int, ...], ...]
    folders: tuple[str, ...]
    instead: str

    def expected(self) -> str:
        """Key, shapes and type, as text."""
        shapes = " or ".join(str((grid_size(sizes), *self.image_shape)) for sizes in self.sizes)
        return f"{self.key} {shapes} uint8"


def locate_file(layout: FileLayout, path: StrPath | None) -> Path:
    """The file of a data set.

    Args:
        layout: whose file.
        path: the file, under any name, or a folder that holds it; None looks in $GAN_TOPDIS_DATA and then
            in the folders of the data set below $DISENTANGLEMENT_LIB_DATA.

    Raises:
        FileNotFoundError: says what was looked for, where, and what needs no file.
    """
    if path is not None and Path(path).is_file():
        return Path(path)
    folders = _search_folders(layout, os.environ) if path is None else [Path(path)]
    for folder in folders:
        for file in layout.files:
            if (folder / file).is_file():
                return folder / file
    where = ", ".join(map(str, folders)) or f"$GAN_TOPDIS_DATA (not set) or ${DISENTANGLEMENT_LIB_VARIABLE}"
    raise FileNotFoundError(
        f"{layout.name} not found: expected {' or '.join(layout.files)} with {layout.expected()} in {where}; "
        f"{layout.instead}"
    )


def _search_folders(layout: FileLayout, environment: Mapping[str, str]) -> list[Path]:
    folders = []
    if environment.get(DATA_VARIABLE):
        folders.append(Path(environment[DATA_VARIABLE]))
    if environment.get(DISENTANGLEMENT_LIB_VARIABLE):
        folders += [Path(environment[DISENTANGLEMENT_LIB_VARIABLE]) / name for name in layout.folders]
    return folders


def open_images(layout: FileLayout, path: Path) -> tuple[Any, tuple[int, ...]]:
    """Images (n, C, H, W) uint8 and the factor sizes that their number tells.

    An `.npz` is read into memory (n * H * W * C bytes; `extract_npy` makes an `.npy` of it once), an `.npy`
    is mapped, of an `.h5` rows are read on access.

    Raises:
        ValueError: another key, shape or type than the layout's, or a damaged file.
    """
    header = _header(path, layout.key)
    shapes = _known_shapes(layout)
    if header is None or header[0] not in shapes or header[1] != np.uint8:
        found = "no such key" if header is None else f"{header[0]} {header[1]}"
        raise ValueError(f"{path} should hold {layout.expected()} ({layout.name}), got {found}")
    sizes = shapes[header[0]]
    if path.suffix in HDF5_SUFFIXES:
        return Hdf5Rows(path, layout.key, header[0]), sizes
    array = _read(path, layout.key)
    array = array.reshape(grid_size(sizes), *layout.image_shape)
    return (array[:, None] if array.ndim == 3 else array.transpose(0, 3, 1, 2)), sizes


def holds_images(layout: FileLayout, path: Path) -> bool:
    """Whether the header of a file, under any name, has the key, a shape and the type of a data set.

    Raises:
        ModuleNotFoundError: an `.h5` without h5py.
        OSError: it cannot be read.
    """
    try:
        header = _header(path, layout.key)
    except ValueError:  # damaged, or of another format
        return False
    return header is not None and header[0] in _known_shapes(layout) and header[1] == np.uint8


def _known_shapes(layout: FileLayout) -> dict[tuple[int, ...], tuple[int, ...]]:
    """Shapes of the stored images, and the factor sizes that they tell."""
    shapes = {(grid_size(sizes), *layout.image_shape): sizes for sizes in layout.sizes}
    return shapes | {(*sizes, *layout.image_shape): sizes for sizes in layout.sizes}  # disentanglement_lib's


def read_small_array(path: Path, key: str, shape: Sequence[int]) -> np.ndarray | None:
    """An array of an `.npz` or `.h5` beside the images, such as labels; None where the file has none.

    Raises:
        ValueError: it has another shape, or the file is damaged.
    """
    header = None if path.suffix == ".npy" else _header(path, key)
    if header is None:
        return None
    if header[0] != tuple(shape) or header[1].kind not in "iuf":
        raise ValueError(f"{path} should hold {key} {tuple(shape)} of numbers, got {header[0]} {header[1]}")
    return read_hdf5(path, key) if path.suffix in HDF5_SUFFIXES else _read(path, key)


def extract_npy(source: StrPath, key: str, target: StrPath) -> None:
    """Write one array of an `.npz` as an `.npy` that can be mapped; needs memory for one chunk only.

    The number of bytes is bounded by what the array's own header states.

    Raises:
        ValueError: no such key, objects in it, or a damaged file; `target` is then not written.
        OSError: of the disk.
    """
    source, target = Path(source), Path(target)
    header = _header(source, key)
    if header is None:
        raise ValueError(f"{source} should hold {key}, got no such key")
    if header[1].hasobject:
        raise ValueError(f"{key} of {source} should be numbers, got Python objects, which are not read")
    partial = target.with_name(target.name + ".partial")
    try:
        with _damage_reported(source), zipfile.ZipFile(source) as archive:
            with archive.open(f"{key}.npy") as member:
                _read_npy_header(member)
                size = member.tell() + prod(header[0]) * header[1].itemsize
            with archive.open(f"{key}.npy") as member, partial.open("wb") as file:
                while size > 0 and (chunk := member.read(min(_CHUNK, size))):
                    size -= file.write(chunk)
            if size:
                raise EOFError(f"{size} bytes are missing")
        partial.replace(target)
    finally:
        partial.unlink(missing_ok=True)


def _header(path: Path, key: str) -> tuple[tuple[int, ...], np.dtype[Any]] | None:
    """Shape and type of an array, without reading it; None: no such key."""
    if path.suffix in HDF5_SUFFIXES:
        with _damage_reported(path):
            return hdf5_header(path, key)
    with _damage_reported(path):
        if path.suffix == ".npy":
            with path.open("rb") as file:
                return _read_npy_header(file)
        with zipfile.ZipFile(path) as archive:
            if f"{key}.npy" not in archive.namelist():
                return None
            with archive.open(f"{key}.npy") as member:
                return _read_npy_header(member)


def _read_npy_header(file: IO[bytes]) -> tuple[tuple[int, ...], np.dtype[Any]]:
    version = np.lib.format.read_magic(file)
    read = {1: np.lib.format.read_array_header_1_0, 2: np.lib.format.read_array_header_2_0}.get(version[0])
    if read is None:
        raise ValueError(f"array format {version[0]}.{version[1]} is for structured types")
    shape, _, dtype = read(file)
    return shape, dtype


def _read(path: Path, key: str) -> np.ndarray:
    with _damage_reported(path):
        if path.suffix == ".npy":
            return np.load(path, mmap_mode="r", allow_pickle=False)
        with np.load(path, allow_pickle=False) as archive:
            return archive[key]


@contextmanager
def _damage_reported(path: Path) -> Iterator[None]:
    """What numpy, zipfile and h5py say of damaged files, as one line."""
    try:
        yield
    except (zipfile.BadZipFile, zlib.error, EOFError, ValueError, NotImplementedError) as error:
        reason = " ".join(str(error).split())
        raise ValueError(f"{path} is damaged or of another format ({reason}); copy it again") from error
