"""The safetensors format: a length, a JSON header, then the numbers.

Source: https://github.com/huggingface/safetensors, section "Format" of the README.
"""

from __future__ import annotations

import json
import math

from gan_topdis.generators.bounded_reader import BoundedReader
from gan_topdis.generators.checkpoint_error import CheckpointError
from gan_topdis.generators.safe_pickle import Dictionary
from gan_topdis.generators.torch_storage import (
    Storage,
    StoredTensor,
    contiguous_strides,
    item_size,
    rebuild_tensor,
)

# the format's own limit is 100 MB; a thousand tensors take some 100 kB
MAX_HEADER_BYTES = 8 * 2**20

DATA_TYPES: dict[str, str] = {
    "F32": "<f4",
    "F64": "<f8",
    "F16": "<f2",
    "BF16": "bfloat16",
    "I64": "<i8",
    "I32": "<i4",
    "I16": "<i2",
    "I8": "|i1",
    "U8": "|u1",
    "BOOL": "|b1",
}


def is_safetensors(head: bytes) -> bool:
    """Whether a file begins like one: a plausible header length, then a brace."""
    return len(head) > 9 and 2 <= int.from_bytes(head[:8], "little") <= MAX_HEADER_BYTES and head[8:9] == b"{"


class NamedTensors(Dictionary):
    """Tensors by name, and the strings that the file says about them."""

    def __init__(self) -> None:
        super().__init__()
        self.metadata: dict[str, str] = {}


def read_safetensors(reader: BoundedReader) -> NamedTensors:
    """Tensors by name.

    Raises:
        CheckpointError: the header is not JSON of this format, or a tensor leaves the file.
    """
    text = reader.read(int.from_bytes(reader.read(8), "little"))
    try:
        header = json.loads(text)
        tensors = NamedTensors()
        data = reader.read(reader.remaining())
        for name, entry in header.items():
            if name == "__metadata__":
                tensors.metadata = {str(key): str(value) for key, value in entry.items()}
                continue
            code, shape = DATA_TYPES[entry["dtype"]], tuple(entry["shape"])
            begin, end = entry["data_offsets"]
            tensors[name] = _tensor(memoryview(data), code, shape, begin, end)
    except (ValueError, KeyError, TypeError, AttributeError, RecursionError) as error:
        if isinstance(error, CheckpointError):
            raise
        raise CheckpointError(
            f"damaged safetensors header ({type(error).__name__}: {str(error)[:80]}); copy it again"
        ) from None
    return tensors


def _tensor(data: memoryview, code: str, shape: tuple[int, ...], begin: int, end: int) -> StoredTensor:
    if any(type(number) is not int or number < 0 for number in (*shape, begin, end)):
        raise ValueError("sizes and offsets should be whole numbers from 0")
    count = math.prod(shape)
    if end > len(data) or end - begin != count * item_size(code):
        raise ValueError("a tensor's bytes do not match its shape")
    storage = Storage(code, count)
    storage.fill(data[begin:end])
    return rebuild_tensor(storage, 0, shape, contiguous_strides(shape))
