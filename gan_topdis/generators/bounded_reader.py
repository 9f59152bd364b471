"""A binary stream that a file cannot talk into allocating more than the file holds."""

from __future__ import annotations

import io
from typing import BinaryIO

from gan_topdis.generators.checkpoint_error import CheckpointError

# lines occur in a pickle only as names of modules, classes and functions
MAX_LINE_BYTES = 4_096


class BoundedReader:
    """A binary stream that never allocates more than it holds.

    Args:
        source: a seekable stream opened for reading, or bytes in memory.
        size: number of bytes in the stream; for bytes in memory, their number.
    """

    def __init__(self, source: BinaryIO | bytes, size: int | None = None) -> None:
        self._memory = memoryview(source) if isinstance(source, bytes) else None
        self._stream = io.BytesIO(source) if isinstance(source, bytes) else source
        self._end = len(source) if isinstance(source, bytes) else (size or 0)

    def tell(self) -> int:
        return self._stream.tell()

    def remaining(self) -> int:
        """Bytes left."""
        return max(0, self._end - self._stream.tell())

    def read(self, count: int) -> bytes:
        self._require(count)
        return self._stream.read(count)

    def read_view(self, count: int) -> bytes | memoryview:
        """Like `read`, without a copy where the bytes are in memory."""
        if self._memory is None:
            return self.read(count)
        self._require(count)
        start = self.tell()
        self._stream.seek(start + count)
        return self._memory[start : start + count]

    def readline(self) -> bytes:
        return self._stream.readline(min(self.remaining(), MAX_LINE_BYTES))

    def _require(self, count: int) -> None:
        if not 0 <= count <= self.remaining():
            raise CheckpointError(
                f"the file ends early: {count} bytes were announced at position {self.tell()}, "
                f"{self.remaining()} are left; copy or download it again"
            )
