"""Tensors in files of torch, read by hand: the storage formats and the views into them.

torch's own loaders are not used: `_load_from_bytes` unpickles without restriction, and even
`weights_only=True` enlarges a storage to whatever size a view claims. Here every view is checked against
the bytes that are there, and nothing is allocated on the word of the file.
"""

from __future__ import annotations

import math
import struct
from dataclasses import dataclass, field

import numpy as np
import torch
from torch import Tensor

from gan_topdis.generators.bounded_reader import BoundedReader
from gan_topdis.generators.checkpoint_error import CheckpointError
from gan_topdis.generators.safe_pickle import (
    Dictionary,
    GlobalTable,
    Value,
    read_pickle,
)
from gan_topdis.generators.unknown_global import UnknownGlobal

LEGACY_MAGIC_NUMBER = 0x1950A86A20F9469CFC6C
LEGACY_MAGIC_BYTES = bytes.fromhex("80028a0a6cfc9c46f9206aa850192e")
LEGACY_PROTOCOL = 1001
MAX_DIMENSIONS = 8

# torch's storage classes by name. bfloat16 has no numpy type: it is the upper half of a float32.
STORAGE_TYPES: dict[str, str] = {
    "FloatStorage": "<f4",
    "DoubleStorage": "<f8",
    "HalfStorage": "<f2",
    "BFloat16Storage": "bfloat16",
    "LongStorage": "<i8",
    "IntStorage": "<i4",
    "ShortStorage": "<i2",
    "CharStorage": "|i1",
    "ByteStorage": "|u1",
    "BoolStorage": "|b1",
}


def item_size(code: str) -> int:
    """Bytes of one element."""
    return 2 if code == "bfloat16" else np.dtype(code).itemsize


@dataclass(eq=False)
class Storage:
    """A run of numbers of one type; its bytes may arrive after the tensors that refer to it.

    Attributes:
        code: numpy's type code, or `bfloat16`.
        length: number of elements.
        data: the bytes, exactly length * item size of them.
    """

    code: str
    length: int
    data: bytes | memoryview | None = None

    def fill(self, data: bytes | memoryview) -> None:
        """Gives the bytes.

        Raises:
            CheckpointError: they are not as many as announced.
        """
        if len(data) != self.length * item_size(self.code):
            raise CheckpointError(
                f"a storage of {self.length} numbers has {len(data)} bytes instead of "
                f"{self.length * item_size(self.code)}; copy or download the file again"
            )
        self.data = data


@dataclass(eq=False)
class StoredTensor:
    """A checked view into a storage.

    Attributes:
        storage: where the numbers are.
        offset: of the first one.
        shape: sizes.
        strides: in elements; contiguous or channels-last.
    """

    storage: Storage
    offset: int
    shape: tuple[int, ...]
    strides: tuple[int, ...] = field(default=())

    @property
    def size(self) -> int:
        """Number of elements."""
        return math.prod(self.shape)

    def float32(self) -> Tensor:
        """The numbers as a new contiguous float32 tensor on the CPU."""
        code = self.storage.code
        if self.storage.data is None:
            raise CheckpointError("a tensor's numbers are missing; copy or download the file again")
        flat = np.frombuffer(self.storage.data, dtype="<u2" if code == "bfloat16" else code)
        # in range: checked by rebuild_tensor
        view = np.lib.stride_tricks.as_strided(
            flat[self.offset :],
            self.shape,
            tuple(stride * flat.itemsize for stride in self.strides),
            writeable=False,
        )
        if code == "bfloat16":
            values = (view.astype(np.uint32) << 16).view(np.float32)
        else:
            values = np.array(view, dtype=np.float32, order="C")
        return torch.from_numpy(np.ascontiguousarray(values).reshape(self.shape))


def contiguous_strides(shape: tuple[int, ...]) -> tuple[int, ...]:
    """Strides in elements of a C-ordered array."""
    strides = [1] * len(shape)
    for axis in range(len(shape) - 2, -1, -1):
        strides[axis] = strides[axis + 1] * max(shape[axis + 1], 1)
    return tuple(strides)


def _channels_last_strides(shape: tuple[int, ...]) -> tuple[int, ...]:
    n, c, h, w = shape
    by_memory = contiguous_strides((n, h, w, c))
    return by_memory[0], by_memory[3], by_memory[1], by_memory[2]


def rebuild_tensor(storage: Value, offset: Value, shape: Value, strides: Value, *_: Value) -> StoredTensor:
    """`torch._utils._rebuild_tensor_v2` without torch: the arguments of a view, checked.

    Raises:
        CheckpointError: the view leaves the storage, or repeats or skips elements.
    """
    if not isinstance(storage, Storage):
        raise CheckpointError("a tensor without a storage of numbers; save the network as float32 tensors")
    sizes, steps = _integers(shape), _integers(strides)
    (start,) = _integers((offset,))
    if len(sizes) != len(steps) or len(sizes) > MAX_DIMENSIONS:
        raise CheckpointError(
            f"a tensor with {len(sizes)} sizes and {len(steps)} strides; copy or download the file again"
        )
    count = math.prod(sizes)
    if start + count > storage.length:
        raise CheckpointError(
            f"a tensor of shape {_short(sizes)} at {start} reaches beyond its storage of {storage.length} "
            "numbers: damaged or hostile; copy or download the file again"
        )
    # the stride of an axis of one element is never used, and torch writes any number there
    allowed = [contiguous_strides(sizes)]
    if len(sizes) == 4:
        allowed.append(_channels_last_strides(sizes))
    if count and not any(
        all(size == 1 or step == wanted for size, step, wanted in zip(sizes, steps, strided, strict=True))
        for strided in allowed
    ):
        raise CheckpointError(
            f"a tensor of shape {_short(sizes)} has strides {_short(steps)}, which are neither contiguous "
            "nor channels-last; save the network with contiguous tensors"
        )
    matching = tuple(0 if size == 1 else step for size, step in zip(sizes, steps, strict=True))
    return StoredTensor(storage, start, sizes, matching)


def rebuild_parameter(data: Value, *_: Value) -> StoredTensor:
    """`torch._utils._rebuild_parameter`: the tensor itself."""
    if not isinstance(data, StoredTensor):
        raise CheckpointError("a parameter that is not a tensor; copy or download the file again")
    return data


def read_legacy(reader: BoundedReader, table: GlobalTable) -> Value:
    """A file of `torch.save` before torch 1.6: five pickles, then the numbers of each storage.

    Args:
        reader: at the first byte.
        table: the names the main pickle may use.

    Raises:
        CheckpointError: any part is not as torch writes it, or bytes follow.
    """
    if read_pickle(reader, {}) != LEGACY_MAGIC_NUMBER or read_pickle(reader, {}) != LEGACY_PROTOCOL:
        raise CheckpointError("not torch's older file format; copy or download the file again")
    system = read_pickle(reader, {})
    if not isinstance(system, Dictionary) or system.get("little_endian") is not True:
        raise CheckpointError("written on a big-endian machine; save it again on a little-endian one")
    storages: dict[str, Storage] = {}
    value = read_pickle(reader, table, persistent_load=lambda identity: _storage_of(identity, storages))
    keys = read_pickle(reader, {})
    if not isinstance(keys, list) or set(map(type, keys)) - {str} or sorted(keys) != sorted(storages):
        raise CheckpointError("the list of storages does not match the tensors; copy or download it again")
    for key in keys:
        (length,) = struct.unpack("<q", reader.read(8))
        storage = storages[key]
        if length != storage.length:
            raise CheckpointError(
                f"a storage was announced with {storage.length} numbers and has {length}; "
                "copy or download the file again"
            )
        storage.fill(reader.read_view(length * item_size(storage.code)))
    if reader.remaining():
        raise CheckpointError(
            f"{reader.remaining()} bytes follow the last tensor: damaged or hostile; "
            "copy or download the file again"
        )
    return value


def load_from_bytes(data: Value) -> Storage:
    """`torch.storage._load_from_bytes` without torch: one storage in the older format."""
    if not isinstance(data, bytes):
        raise CheckpointError("a storage that is not bytes; copy or download the file again")
    if not data.startswith(LEGACY_MAGIC_BYTES):
        raise CheckpointError(
            "the storage of a tensor is not in torch's older file format: damaged or hostile; "
            "copy or download the file again"
        )
    storage = read_legacy(BoundedReader(data), {})
    if not isinstance(storage, Storage):
        raise CheckpointError("the bytes of a tensor hold something else: damaged or hostile")
    return storage


def _storage_of(identity: Value, storages: dict[str, Storage]) -> Storage:
    """The storage that a persistent id ('storage', class, key, location, length[, view]) names."""
    if not isinstance(identity, tuple) or len(identity) not in (5, 6) or identity[0] != "storage":
        what = identity[0] if isinstance(identity, tuple) and identity else identity
        if what == "module":
            raise CheckpointError(
                "a whole module was saved, which needs its source code; save its state_dict() instead"
            )
        raise CheckpointError("an unknown persistent id; copy or download the file again")
    _, kind, key, _, length = identity[:5]
    if len(identity) == 6 and identity[5] is not None:
        raise CheckpointError("a storage that is a view of another one; save it again with a newer torch")
    code = None
    if isinstance(kind, UnknownGlobal) and kind.module == "torch":
        code = STORAGE_TYPES.get(kind.name)
    if code is None:
        raise CheckpointError(
            f"tensors of type {kind if isinstance(kind, UnknownGlobal) else type(kind).__name__} are not "
            "supported; save the network as float32 tensors"
        )
    if type(key) is not str or type(length) is not int or not 0 <= length < 2**40:
        raise CheckpointError("a storage without a proper key and length; copy or download the file again")
    known = storages.setdefault(key, Storage(code, length))
    if (known.code, known.length) != (code, length):
        raise CheckpointError("one storage with two types or lengths; copy or download the file again")
    return known


def read_without_numbers(reader: BoundedReader, table: GlobalTable) -> tuple[Value, dict[str, Storage]]:
    """The main pickle of a zip of `torch.save`, and its storages by key, to be filled by the caller."""
    storages: dict[str, Storage] = {}
    value = read_pickle(reader, table, persistent_load=lambda identity: _storage_of(identity, storages))
    return value, storages


def _integers(values: Value) -> tuple[int, ...]:
    if not isinstance(values, tuple) or any(type(v) is not int or not 0 <= v < 2**40 for v in values):
        raise CheckpointError("a tensor's sizes should be whole numbers from 0; copy the file again")
    return tuple(v for v in values if isinstance(v, int))


def _short(numbers: tuple[int, ...]) -> str:
    return "x".join(map(str, numbers)) or "()"
