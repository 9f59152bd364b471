"""Timing by turns, growth of times, and the machine that they were taken on."""

from __future__ import annotations

import importlib.metadata
import math
import os
import platform
import statistics
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

TURN = 0.05
"""Seconds that one task keeps the machine before the next has its turn."""
LARGEST = 3
"""Sizes, counted from the largest, to which the growth exponent is fitted."""


@dataclass(frozen=True)
class Timing:
    """Milliseconds: median and quartiles of repeated runs."""

    low: float
    median: float
    high: float

    def __str__(self) -> str:
        digits = 1 if self.median >= 100 else 2
        return f"{self.median:.{digits}f} ({self.low:.{digits}f} to {self.high:.{digits}f})"


def timing(milliseconds: Sequence[float]) -> Timing:
    """Median and quartiles; those of a single run are the run."""
    if len(milliseconds) == 1:
        return Timing(*3 * tuple(milliseconds))
    return Timing(*statistics.quantiles(milliseconds, n=4, method="inclusive"))


def timed(
    tasks: Mapping[str, Callable[[], object]], *, seconds: float, rounds: int, turn: float = TURN
) -> dict[str, Timing]:
    """Time tasks by turns, so that what else the machine does meets all of them alike.

    A turn is one run, or as many as `turn` seconds hold. All tasks have had their warm-up: the run whose
    result was checked. There are at least `rounds` rounds, and as many as `seconds` hold.
    """
    runs: dict[str, list[float]] = {name: [] for name in tasks}
    start = time.perf_counter()
    done = 0
    while done < rounds or time.perf_counter() - start < seconds:
        for name, task in tasks.items():
            end = time.perf_counter() + turn
            while True:
                before = time.perf_counter()
                task()
                now = time.perf_counter()
                runs[name].append(1000 * (now - before))
                if now > end:
                    break
        done += 1
    return {name: timing(times) for name, times in runs.items()}


def growth(medians: Mapping[int, float]) -> float | None:
    """Exponent e of time ~ size**e: the least-squares line through the logarithms of the three largest
    sizes. None with fewer sizes."""
    sizes = sorted(medians)[-LARGEST:]
    if len(sizes) < LARGEST:
        return None
    line = statistics.linear_regression(
        [math.log(size) for size in sizes], [math.log(medians[size]) for size in sizes]
    )
    return line.slope


def processor() -> str:
    """The model name that Linux reports, else what Python knows."""
    try:
        lines = Path("/proc/cpuinfo").read_text(encoding="utf-8").splitlines()
    except OSError:
        return platform.processor() or platform.machine()
    names = [line.partition(":")[2].strip() for line in lines if line.startswith("model name")]
    return names[0] if names else platform.machine()


def load_average() -> float:
    """Processes that wanted a core in the last minute; NaN where the system does not say."""
    return os.getloadavg()[0] if hasattr(os, "getloadavg") else float("nan")


def versions(distributions: Sequence[str]) -> str:
    """Installed versions of distributions, those that are missing named as such."""

    def version(name: str) -> str:
        try:
            return importlib.metadata.version(name)
        except importlib.metadata.PackageNotFoundError:
            return "not installed"

    return ", ".join(f"{name} {version(name)}" for name in distributions)
