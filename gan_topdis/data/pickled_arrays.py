"""Arrays of bytes in pickles, read by an unpickler that knows the three names an array needs.

Each of them stands for a plain record here: nothing that a file names is imported or called.
"""

from __future__ import annotations

import io
import pickle
from typing import Any, ClassVar

import numpy as np
from jaxtyping import UInt8

BYTES_LIKE = ("u1", "i1", "i4", "i8", "u4", "u8")


def read_pickled(content: bytes, source: str, expected: str) -> Any:
    """The value of a pickle of numbers, text, containers and numpy arrays, each array as `ArrayRecord`.

    Text that Python 2 wrote is `bytes`.

    Args:
        content: of the file.
        source, expected: which file, and what it should hold, for messages.

    Raises:
        ValueError: damaged, or it names anything but an array.
    """
    try:
        return _ArrayUnpickler(io.BytesIO(content), encoding="bytes").load()
    except (ValueError, EOFError, pickle.UnpicklingError) as error:
        raise ValueError(f"{source} should hold {expected}, but {error}") from error
    except (TypeError, AttributeError, LookupError, OverflowError, MemoryError) as error:
        # opcodes in a senseless order
        raise ValueError(f"{source} should hold {expected}, got {type(error).__name__}") from error


class ArrayRecord:
    """Stands for numpy.ndarray: what its pickle says about it."""

    state: Any = None

    def __setstate__(self, state: Any) -> None:
        self.state = state

    def bytes_array(self) -> UInt8[np.ndarray, "..."]:
        """The array. Raises: ValueError: of another type than integers of 1 to 8 bytes, or not 0 .. 255."""
        try:
            _, shape, kind, column_major, content = self.state
        except (TypeError, ValueError):
            raise ValueError("its array is not complete") from None
        code = getattr(kind, "code", kind)
        if not isinstance(kind, _TypeRecord) or code not in BYTES_LIKE:
            raise ValueError(f"it has the type {code!r}")
        if not isinstance(content, bytes):
            raise ValueError("its values are no bytes")
        try:
            flat = np.frombuffer(content, dtype=f"<{code}")
            array = flat.reshape(shape, order="F" if column_major else "C")
        except TypeError as error:
            raise ValueError(f"its shape is {shape!r}") from error
        if array.size and not 0 <= array.min() <= array.max() <= 255:
            raise ValueError(f"its values go from {array.min()} to {array.max()}")
        return array.astype(np.uint8)


class _TypeRecord:
    """Stands for numpy.dtype: its code, such as u1."""

    def __init__(self, code: Any, *_: Any) -> None:
        self.code = code.decode("latin-1") if isinstance(code, bytes) else code

    def __setstate__(self, state: Any) -> None:
        """Byte order and fields: none of them matters for bytes."""


def _reconstruct(*_: Any) -> ArrayRecord:
    return ArrayRecord()


class _ArrayUnpickler(pickle.Unpickler):
    _known: ClassVar = {
        ("numpy.core.multiarray", "_reconstruct"): _reconstruct,
        ("numpy._core.multiarray", "_reconstruct"): _reconstruct,
        ("numpy", "ndarray"): ArrayRecord,
        ("numpy", "dtype"): _TypeRecord,
    }

    def find_class(self, module: str, name: str) -> Any:
        if (module, name) not in self._known:
            raise pickle.UnpicklingError(f"it names {module}.{name}, which no array needs")
        return self._known[module, name]
