"""Pickles of plain data and numpy arrays, read by the machine that reads network pickles.

That machine runs nothing and forgets the state that BUILD gives to an object; a numpy array is nothing but
such a state, so here BUILD fills arrays and their data types.
"""

from __future__ import annotations

import math
from pathlib import Path

import numpy as np

from gan_topdis.generators.bounded_reader import BoundedReader
from gan_topdis.generators.checkpoint_error import CheckpointError
from gan_topdis.generators.safe_pickle import (
    MAX_OPCODES,
    GlobalTable,
    Value,
    _Machine,
    _next_opcode,
)
from gan_topdis.generators.unknown_global import UnknownGlobal

NUMBER_CODES = frozenset(["b1", "i1", "i2", "i4", "i8", "u1", "u2", "u4", "u8", "f2", "f4", "f8"])
MAX_DIMENSIONS = 8


class StoredType:
    """A numpy data type of numbers; its byte order arrives with BUILD."""

    def __init__(self, code: Value, *_: Value) -> None:
        if type(code) is not str or code not in NUMBER_CODES:
            raise CheckpointError("it holds a numpy array of something else than numbers")
        self.code = code
        self.order = "<"

    def build(self, state: Value) -> None:
        if not isinstance(state, tuple) or len(state) < 2 or state[1] not in ("<", ">", "|"):
            raise CheckpointError("a numpy data type with an unknown byte order; copy the file again")
        self.order = str(state[1])

    def dtype(self) -> np.dtype[np.generic]:
        return np.dtype(f"{self.order}{self.code}")


class StoredArray:
    """A numpy array of numbers; its contents arrive with BUILD.

    Attributes:
        array: read-only view of the bytes in the file.
    """

    array: np.ndarray

    def build(self, state: Value) -> None:
        if not isinstance(state, tuple) or len(state) != 5:
            raise CheckpointError("a numpy array without contents; copy the file again")
        _, shape, kind, by_columns, data = state
        self.array = _array(data, kind, shape, "F" if by_columns is True else "C")


def read_array_pickle(path: Path) -> Value:
    """The value of a pickle of plain data and numpy arrays; arrays as `StoredArray`.

    Raises:
        CheckpointError: it is no pickle, is damaged, or asks for anything but data; nothing was run.
        FileNotFoundError: there is no such file.
    """
    if not path.is_file():
        raise FileNotFoundError(f"no file at {path}")
    data = path.read_bytes()
    if len(data) < 3 or data[0] != 0x80:
        raise CheckpointError(f"{path}: {'it is no pickle' if data else 'the file is empty'}")
    reader = BoundedReader(data)
    try:
        machine = _ArrayMachine(ARRAY_TABLE, None)
        for _ in range(MAX_OPCODES):
            if not machine.step(*_next_opcode(reader)):
                break
        else:
            raise CheckpointError(f"the pickle has more than {MAX_OPCODES} opcodes")
        if reader.remaining():
            raise CheckpointError(f"{reader.remaining()} bytes follow the pickle: damaged or hostile")
        return machine.result()
    except CheckpointError as error:
        raise CheckpointError(f"{path}: {error}") from None
    except (ValueError, IndexError, TypeError, KeyError, AttributeError, OverflowError) as error:
        # as in read_pickle: an argument or the order of opcodes is damaged
        raise CheckpointError(
            f"{path}: damaged or not a pickle ({type(error).__name__} near byte {reader.tell()})"
        ) from None


class _ArrayMachine(_Machine):
    """`_Machine` whose BUILD reaches arrays and their types."""

    def step(self, opcode: str, argument: object) -> bool:
        if opcode == "BUILD" and isinstance(self._stack[-2], StoredArray | StoredType):
            state = self._pop()
            target = self._top()
            assert isinstance(target, StoredArray | StoredType)
            target.build(state)
            return True
        return super().step(opcode, argument)


def _reconstruct(kind: Value, shape: Value, code: Value) -> StoredArray:
    """`numpy.core.multiarray._reconstruct`: an empty array, filled by BUILD."""
    if not isinstance(kind, UnknownGlobal) or (kind.module, kind.name) != ("numpy", "ndarray"):
        raise CheckpointError("a numpy array of an unknown class; copy the file again")
    return StoredArray()


def _from_buffer(data: Value, kind: Value, shape: Value, order: Value) -> StoredArray:
    """`numpy.core.numeric._frombuffer`, which pickle protocol 5 uses."""
    stored = StoredArray()
    stored.array = _array(data, kind, shape, "F" if order == "F" else "C")
    return stored


def _scalar(kind: Value, data: Value) -> Value:
    return _array(data, kind, (), "C").item()


def _encode(text: Value, encoding: Value) -> bytes:
    """`_codecs.encode`, by which pickle protocol 2 spells bytes."""
    if type(text) is not str or encoding != "latin1":
        raise TypeError
    return text.encode("latin-1")


def _array(data: Value, kind: Value, shape: Value, order: str) -> np.ndarray:
    if not isinstance(kind, StoredType) or not isinstance(data, bytes | bytearray):
        raise CheckpointError("a numpy array that is not plain numbers; copy the file again")
    if type(shape) is not tuple or len(shape) > MAX_DIMENSIONS:
        raise CheckpointError("a numpy array with a strange shape; copy the file again")
    sizes = [size for size in shape if type(size) is int and 0 <= size < 2**40]
    dtype = kind.dtype()
    if len(sizes) != len(shape) or math.prod(sizes) * dtype.itemsize != len(data):
        raise CheckpointError("a numpy array whose shape does not match its bytes; copy the file again")
    return np.frombuffer(data, dtype=dtype).reshape(sizes, order="F" if order == "F" else "C")


ARRAY_TABLE: GlobalTable = {
    ("numpy", "dtype"): StoredType,
    ("_codecs", "encode"): _encode,
    **{
        (f"numpy.{core}.{module}", name): function
        for core in ("core", "_core")
        for module, name, function in (
            ("multiarray", "_reconstruct", _reconstruct),
            ("multiarray", "scalar", _scalar),
            ("numeric", "_frombuffer", _from_buffer),
        )
    },
}
