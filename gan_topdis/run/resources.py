"""Time and memory that a piece of work takes."""

from __future__ import annotations

import contextlib
import ctypes
import gc
import time
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

_STATUS, _CLEAR = Path("/proc/self/status"), Path("/proc/self/clear_refs")
_RESET_PEAK = "5"
"""What to write to clear_refs to reset the peak of resident memory (Linux, man 5 proc)."""


@dataclass
class Resources:
    """Attributes, known when the work has ended: seconds by the clock; megabytes of main memory at the
    peak, beyond what the process held before, None where the system does not tell."""

    seconds: float = 0.0
    peak_megabytes: float | None = None


@contextlib.contextmanager
def measured() -> Iterator[Resources]:
    """Measures what happens inside; memory on Linux only, and not that of a GPU."""
    resources = Resources()
    _give_back_free_memory()
    before = _resident() if _reset_peak() else None
    start = time.perf_counter()
    try:
        yield resources
    finally:
        resources.seconds = time.perf_counter() - start
        if before is not None:
            resources.peak_megabytes = max(0.0, _megabytes("VmHWM") - before)


def _resident() -> float:
    return _megabytes("VmRSS")


def _megabytes(name: str) -> float:
    for line in _STATUS.read_text().splitlines():
        if line.startswith(f"{name}:"):
            return int(line.split()[1]) / 1024
    raise OSError(f"{_STATUS} has no {name}")


def _reset_peak() -> bool:
    try:
        _CLEAR.write_text(_RESET_PEAK)
        _megabytes("VmHWM")
    except OSError:
        return False
    return True


def _give_back_free_memory() -> None:
    """Else work would find memory that earlier work had freed, and seem to need less."""
    gc.collect()
    with contextlib.suppress(OSError, AttributeError):  # another C library than glibc
        ctypes.CDLL(None).malloc_trim(0)
