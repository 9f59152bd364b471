"""Writing files so that a full disk or a kill leaves the old file or the new one, never half of it."""

from __future__ import annotations

import os
from collections.abc import Callable
from pathlib import Path


def write_atomically(path: str | os.PathLike[str], write: bytes | str | Callable[[Path], object]) -> None:
    """Write a file beside its place and move it there when it is complete.

    Args:
        path: the file; an old one is replaced.
        write: the contents (text as UTF-8), or a function that writes them to the path it is given.

    Raises:
        OSError: with the path in `filename`; the old file is as it was and no part file is left.
    """
    target = Path(path)
    # the ending stays last: picture libraries choose the format by it
    part = target.with_name(f".part-{os.getpid()}-{target.name}")
    try:
        if callable(write):
            write(part)
        else:
            part.write_bytes(write.encode() if isinstance(write, str) else write)
        os.replace(part, target)
    except OSError as error:
        raise OSError(error.errno, error.strerror or str(error), str(target)) from error
    finally:
        part.unlink(missing_ok=True)


def append_line(path: str | os.PathLike[str], line: str) -> None:
    """Append one line in one write, so that lines of two processes do not mix.

    Raises:
        OSError: with the path in `filename`.
    """
    try:
        with open(path, "ab", buffering=0) as file:
            file.write(line.encode() + b"\n")
    except OSError as error:
        raise OSError(error.errno, error.strerror or str(error), str(path)) from error
