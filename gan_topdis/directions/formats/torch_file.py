"""Files of `torch.save` that hold tensors in plain containers, read without running anything.

The readers of network files (`gan_topdis.generators`) do the work; here tensors may also be stored by
columns, as `torch.svd(...).V` may be. Tensors saved on a GPU arrive on the CPU.
"""

from __future__ import annotations

import io
import zipfile
import zlib
from pathlib import Path
from typing import Any

import numpy as np
import torch

from gan_topdis.directions.formats.arrays_file import finite_numbers, replace_file
from gan_topdis.generators.bounded_reader import BoundedReader
from gan_topdis.generators.checkpoint_error import CheckpointError
from gan_topdis.generators.network_file import MAX_EXPANSION, file_kind
from gan_topdis.generators.persistent_record import NETWORK_TABLE, describe
from gan_topdis.generators.safe_pickle import Dictionary, GlobalTable, Value
from gan_topdis.generators.torch_storage import (
    StoredTensor,
    item_size,
    read_legacy,
    read_without_numbers,
    rebuild_tensor,
)

GRACE_BYTES = 2**20


def read_torch(path: Path) -> Value:
    """The value of a file of `torch.save`, either format: tensors as `StoredTensor`, plain containers.

    Raises:
        CheckpointError: it is no such file, is damaged or hostile; nothing in it was run.
        FileNotFoundError: there is no such file.
    """
    if not path.is_file():
        raise FileNotFoundError(f"no file at {path}")
    data = path.read_bytes()
    try:
        kind = file_kind(data[:512])
        if kind == "torch":
            return read_legacy(BoundedReader(data), TENSOR_TABLE)
        if kind == "zip":
            return _read_zip(data)
        raise CheckpointError("it is no file of torch.save" if data else "the file is empty")
    except CheckpointError as error:
        raise CheckpointError(f"{path}: {error}") from None


def numbers(value: Value, what: str) -> np.ndarray:
    """A tensor of the file as float64.

    Raises:
        ValueError: it is no tensor, is empty, or holds NaN or infinity.
    """
    if not isinstance(value, StoredTensor):
        raise ValueError(f"{what} should be a tensor, got {describe(value)}")
    return finite_numbers(value.float32().numpy(), what)


def entries(value: Value, keys: tuple[str, ...], path: Path) -> dict[str, Value]:
    """The entries of a saved dict by key.

    Raises:
        ValueError: it is no dict, or keys are missing.
    """
    if not isinstance(value, Dictionary):
        raise ValueError(f"{path} should hold a dict with {', '.join(keys)}, got {describe(value)}")
    missing = [key for key in keys if key not in value]
    if missing:
        raise ValueError(
            f"{path} should hold {', '.join(keys)}; {', '.join(missing)} is missing from {describe(value)}"
        )
    return {key: value[key] for key in keys}


def write_torch(path: Path, value: Any) -> None:
    """`torch.save`, replacing an existing file only when complete."""
    replace_file(path, lambda file: torch.save(value, file))


def as_tensor(array: np.ndarray) -> torch.Tensor:
    """Contiguous float32, on the CPU."""
    return torch.from_numpy(np.ascontiguousarray(array, dtype=np.float32))


def _read_zip(data: bytes) -> Value:
    try:
        with zipfile.ZipFile(io.BytesIO(data)) as archive:
            members = {info.filename: info for info in archive.infolist()}
            if sum(info.file_size for info in members.values()) > MAX_EXPANSION * len(data) + GRACE_BYTES:
                raise CheckpointError("it expands to far more than its size: damaged or a zip bomb")
            mains = [name for name in members if name.count("/") == 1 and name.endswith("/data.pkl")]
            if len(mains) != 1:
                raise CheckpointError("it is a zip, but not one of torch.save")
            prefix = mains[0].removesuffix("data.pkl")
            if any(name.startswith((f"{prefix}constants.pkl", f"{prefix}code/")) for name in members):
                raise CheckpointError("it is a TorchScript program, not a file of tensors")
            if f"{prefix}byteorder" in members and archive.read(f"{prefix}byteorder") != b"little":
                raise CheckpointError("written on a big-endian machine; save it again on a little-endian one")
            value, storages = read_without_numbers(BoundedReader(archive.read(mains[0])), TENSOR_TABLE)
            for key, storage in storages.items():
                info = members.get(f"{prefix}data/{key}")
                if info is None or info.file_size != storage.length * item_size(storage.code):
                    raise CheckpointError("the numbers of a tensor are missing or cut short; copy it again")
                storage.fill(archive.read(info))
            return value
    except (zipfile.BadZipFile, zlib.error, EOFError, NotImplementedError, RuntimeError) as error:
        raise CheckpointError(f"the archive is damaged ({error}); copy or download it again") from None


def _rebuild_rows_or_columns(
    storage: Value, offset: Value, shape: Value, strides: Value, *rest: Value
) -> StoredTensor:
    """`rebuild_tensor`, and matrices stored by columns: checked as their transpose."""
    if isinstance(shape, tuple) and len(shape) == 2 and strides == (1, shape[0]) and shape[1] != 1:
        transpose = rebuild_tensor(storage, offset, shape[::-1], (shape[0], 1))
        rows, columns = transpose.shape[::-1]
        return StoredTensor(transpose.storage, transpose.offset, (rows, columns), (1, rows))
    return rebuild_tensor(storage, offset, shape, strides, *rest)


TENSOR_TABLE: GlobalTable = {
    **NETWORK_TABLE,
    ("torch._utils", "_rebuild_tensor"): _rebuild_rows_or_columns,
    ("torch._utils", "_rebuild_tensor_v2"): _rebuild_rows_or_columns,
}
