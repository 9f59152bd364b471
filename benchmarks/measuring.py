"""Check one size of a work, then time it; skip what would take too long."""

from __future__ import annotations

import time
from collections.abc import Callable, Collection, Mapping, Sequence
from dataclasses import dataclass

import numpy as np
import torch
from timing import Timing, timed
from work import Numbers, Work

TOLERANCE = 1e-5
ROUNDS = 3
GROWTH_GUESS = 3.0
"""Exponent by which the time of a larger size is guessed before anything is run."""


@dataclass(frozen=True)
class Cell:
    """One size and batch of a work: times by column key, and what was skipped."""

    size: int
    batch: int
    times: Mapping[str, Timing]
    skipped: Collection[str]
    difference: float
    """Largest relative difference between columns in what they computed."""


@dataclass(frozen=True)
class Limits:
    """Longest run, in seconds, that is worth its time; runs guessed to be longer are skipped."""

    single: float
    batched: float

    def of(self, batch: int) -> float:
        return self.single if batch == 1 else self.batched


@dataclass(frozen=True)
class DeviceRow:
    """One column of a work on the CPU and on a CUDA device."""

    size: int
    batch: int
    column: str
    cpu: Timing
    cuda: Timing


def difference(found: Sequence[tuple[str, Numbers]]) -> float:
    """Largest relative difference between results and the first result of the same name.

    Gradients are compared with the largest entry, other numbers one by one; numbers of another shape, NaN or
    infinity differ infinitely.
    """
    reference: dict[str, np.ndarray] = {}
    largest = 0.0
    for _, numbers in found:
        for name, values in numbers.items():
            first = reference.setdefault(name, values)
            if values.shape != first.shape or not np.isfinite(values).all():
                return float("inf")
            if values.size == 0:
                continue
            scale = np.abs(first).max() if name.startswith("gradient") else np.abs(first)
            apart = np.abs(values - first) / np.where(scale > 0, scale, 1.0)
            largest = max(largest, float(apart.max()))
    return largest


def guessed_seconds(work_cells: Sequence[Cell], column: str, size: int, batch: int) -> float:
    """Time of one run from that of a batch of 1 of the same size, else of the next smaller size; 0 if
    nothing is known, infinite where the smaller was already skipped."""
    for cell in work_cells:
        if cell.size == size and cell.batch < batch and column in cell.times:
            return cell.times[column].median / 1000 * batch / cell.batch
    smaller = [cell for cell in work_cells if cell.size < size and cell.batch == batch]
    if not smaller:
        return 0.0
    nearest = max(smaller, key=lambda cell: cell.size)
    if column not in nearest.times:
        return float("inf")
    return nearest.times[column].median / 1000 * (size / nearest.size) ** GROWTH_GUESS


def measure(
    work: Work,
    size: int,
    batch: int,
    *,
    threads: int,
    seconds: float,
    turn: float,
    limits: Limits,
    known: Sequence[Cell],
    required: Collection[str],
) -> tuple[Cell, float]:
    """Check and time one cell, and say how many milliseconds the first of our runs took.

    Columns in `required` are never skipped. Raises SystemExit where results disagree.
    """
    skipped = [
        key
        for key in work.columns
        if key not in required and guessed_seconds(known, key, size, batch) > limits.of(batch)
    ]
    wanted = [key for key in work.columns if key not in skipped]
    tasks = work.build(size, batch, threads, "cpu")
    found = []
    first = float("nan")
    for key in wanted:
        before = time.perf_counter()
        found.append((key, tasks[key].check()))
        if np.isnan(first):
            first = 1000 * (time.perf_counter() - before)
    apart = difference(found)
    if apart > TOLERANCE:
        raise SystemExit(
            f"{work.title}, {work.size} = {size}, batch {batch}: results differ by {apart:.2g} relative, "
            f"more than {TOLERANCE:g}, between {', '.join(work.columns[key].title for key in wanted)}; "
            "no times are reported for wrong numbers"
        )
    times = timed({key: tasks[key].run for key in wanted}, seconds=seconds, rounds=ROUNDS, turn=turn)
    return Cell(size, batch, times, skipped, apart), first


def measure_on_device(
    work: Work,
    cell: Cell,
    *,
    threads: int,
    seconds: float,
    turn: float,
    device: str,
    wait: Callable[[], object],
) -> list[DeviceRow]:
    """Our own columns on the CPU and on a device, by turns, as far as the cell has them.

    `wait` returns when the device has finished.
    """
    size, batch = cell.size, cell.batch
    here, there = (work.build(size, batch, threads, where) for where in ("cpu", device))

    def waited(run: Callable[[], object]) -> Callable[[], None]:
        def run_and_wait() -> None:
            run()
            wait()

        return run_and_wait

    rows = []
    for key in [key for key in there if key in cell.times]:
        apart = difference([("cpu", here[key].check()), (device, there[key].check())])
        if apart > TOLERANCE:
            raise SystemExit(
                f"{work.title}, {work.size} = {size}, batch {batch}, {work.columns[key].title}: the results "
                f"of CPU and {device} differ by {apart:.2g} relative, more than {TOLERANCE:g}"
            )
        wait()
        tasks = {"cpu": here[key].run, "device": waited(there[key].run)}
        times = timed(tasks, seconds=seconds, rounds=ROUNDS, turn=turn)
        rows.append(DeviceRow(size, batch, work.columns[key].title, times["cpu"], times["device"]))
    return rows


def cuda_ready() -> str | None:
    """None where the CUDA path can be timed, else why it cannot."""
    if not torch.cuda.is_available():
        return "this machine has no CUDA device"
    try:
        import triton  # noqa: F401
    except ImportError:
        return "triton is not installed"
    return None
