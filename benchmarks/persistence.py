"""The persistence backend side by side with its peers, in one process, on the same inputs.

Every size is first checked: all columns agree to 1e-5 relative, gradients included where a peer has them.
Then it is timed, all columns by turns. The tables say what is slower than a peer, and whether each mark of
speed is met.

    python benchmarks/persistence.py             # prints the tables; about ten minutes on two quiet cores
    python benchmarks/persistence.py --write     # and writes docs/benchmarks/persistence.md
    python benchmarks/persistence.py --quick     # small sizes, less than a minute; no marks
"""

from __future__ import annotations

import argparse
import datetime
import os
import platform
import sys
import time
from collections.abc import Sequence
from pathlib import Path

import torch
from measuring import TOLERANCE, Cell, DeviceRow, Limits, cuda_ready, measure, measure_on_device
from persistence_report import MARKS, Cells, device_section, marks_table, slower_section, work_section
from ppm_works import PPM_WEIGHTS, float32_errors
from timing import TURN, load_average, processor, versions
from works import WORKS

DEFAULTS = {
    "points": (32, 64, 128, 256, 512),
    "batches": (1, 16, 64),
    "tuples": (512, 1024, 2048, 4096),
    "threads": min(2, os.cpu_count() or 1),
    "seconds": 1.0,
}
QUICK = {
    "points": (16, 24, 32),
    "batches": (1, 2),
    "tuples": (64, 96, 128),
    "threads": 1,
    "seconds": 0.0,
}
QUIET = 0.5
"""Load average up to which a machine counts as idle."""
LIMITS = Limits(single=6.0, batched=2.0)
OUTPUT = Path(__file__).resolve().parents[1] / "docs" / "benchmarks" / "persistence.md"
DISTRIBUTIONS = (
    "torch",
    "numba",
    "numpy",
    "triton",
    "giotto-ph",
    "ripser",
    "gudhi",
    "torch_topological",
)


def sizes_of(name: str, arguments: argparse.Namespace) -> list[tuple[int, int]]:
    """(size, batch) of the sweep of a work, and of its marks unless only a smoke run is wanted."""
    if WORKS[name].batched:
        sweep = {(size, batch) for size in arguments.points for batch in arguments.batches}
    else:
        sweep = {(size, 1) for size in arguments.tuples}
    if not arguments.quick:
        sweep |= {(size, mark.batch) for mark in MARKS if mark.work == name for size in mark.sizes}
    return sorted(sweep)


def required(name: str, size: int, batch: int) -> set[str]:
    """Columns that a mark needs, however long they take: ours, and the first of the peers."""
    marks = [mark for mark in MARKS if mark.work == name and mark.batch == batch and size in mark.sizes]
    return {key for mark in marks for key in (*mark.ours, mark.peers[0])}


def sweep(arguments: argparse.Namespace) -> tuple[dict[str, list[Cell]], dict[str, float]]:
    """All cells of all works, and milliseconds of the first call of each."""
    cells: dict[str, list[Cell]] = {}
    firsts: dict[str, float] = {}
    for name in arguments.works:
        cells[name] = []
        for size, batch in sizes_of(name, arguments):
            start = time.perf_counter()
            cell, first = measure(
                WORKS[name],
                size,
                batch,
                threads=arguments.threads,
                seconds=arguments.seconds,
                turn=arguments.turn,
                limits=LIMITS,
                known=cells[name],
                required=set() if arguments.quick else required(name, size, batch),
            )
            cells[name].append(cell)
            firsts.setdefault(name, first)
            took = time.perf_counter() - start
            print(f"{name}, {size}, batch {batch}: {took:.0f} s", file=sys.stderr, flush=True)
    return cells, firsts


def sweep_on_cuda(cells: Cells, arguments: argparse.Namespace) -> dict[str, list[DeviceRow]]:
    """Our columns on CPU and CUDA, for the cells of the sweep."""
    return {
        name: [
            row
            for cell in found
            for row in measure_on_device(
                WORKS[name],
                cell,
                threads=arguments.threads,
                seconds=arguments.seconds / 4,
                turn=arguments.turn,
                device="cuda",
                wait=torch.cuda.synchronize,
            )
        ]
        for name, found in cells.items()
    }


def report(
    cells: Cells,
    firsts: dict[str, float],
    on_cuda: dict[str, list[DeviceRow]],
    missing: str | None,
    arguments: argparse.Namespace,
    *,
    load: tuple[float, float],
    seconds: float,
) -> str:
    """The whole document."""
    device = torch.cuda.get_device_name() if missing is None else "CUDA"
    sections = "\n\n".join(work_section(WORKS[name], found) for name, found in cells.items())
    first_calls = ", ".join(f"{WORKS[name].title} {first:.0f} ms" for name, first in firsts.items())
    rounding = "; ".join(
        "{}, s = {}: {:.0e} and {:.0e}".format(
            WORKS[name].title, found[-1].size, *float32_errors(PPM_WEIGHTS[name], found[-1].size)
        )
        for name, found in cells.items()
        if name in PPM_WEIGHTS
    )
    busy = (
        f"\nOther programs ran at the same time (load average {load[0]:.1f} before the start): times are too "
        "long, and ratios uncertain.\n"
        if load[0] > QUIET
        else ""
    )
    command = " ".join(["python benchmarks/persistence.py", *arguments.words])
    return f"""# Speed of the persistence backend

Ours against giotto-ph, ripser, GUDHI, torch-topological and the published formulation of PPM-Reg, in one
process with {arguments.threads} thread(s). Times are milliseconds: the median, and quartiles in brackets.
All of this page, verdicts included, is made by `{command}`.
{busy}

## Marks

{marks_table(cells)}

## What is slower than a peer

Like against like: forward with forward, with backward with backward.

{slower_section(cells)}

## CUDA

{device_section(on_cuda, missing, device)}

## All times

{sections}

## How it was measured

- Before a size is timed, its columns are compared: bars, deaths, RTD and values one by one, gradients
  relative to their largest entry. "difference" is the largest; above {TOLERANCE:g} there is no table.
  Bars are compared as sorted diagrams, gradients of edges summed over both orientations. RTDLoss, which
  normalises, is run but not compared here; the tests hold it to references.
- PPM-Reg is compared in float64, with exact distances on both sides, and timed in float32. Relative errors
  of the float32 values of PPMRegularizer and of the published way: {rounding or "not measured"}.
- All columns of a size take turns. A batch is a loop of single calls for all peers. Their conversions from
  tensors are not timed, except where they start from points.
- Peers at their fastest: enclosing radius as threshold (each one's default), coefficients Z/2. giotto-ph
  has {arguments.threads} thread(s) and computes no critical edges; GUDHI is `RipsPersistence`, its fork of
  Ripser, which was faster here than its simplex tree with `collapse_edges`; giotto-ph's edge collapse made
  it slower. torch-topological calls giotto-ph with critical edges on one thread.
- "skipped": one run was guessed to take longer than {LIMITS.single:g} s, or {LIMITS.batched:g} s for batches
  above 1.
- The first call of each work is not counted: it loads compiled kernels, and compiles them once per machine.
  Here they took: {first_calls}.
- With several threads on cores that other programs use, torch's OpenMP threads spin while they wait for each
  other; `OMP_WAIT_POLICY=passive` or `OMP_NUM_THREADS=1` avoids it.

Machine: {processor()}, {os.cpu_count()} cores; load average {load[0]:.1f} before, {load[1]:.1f} after.
The run took {seconds:.0f} s.
Python {platform.python_version()}, {versions(DISTRIBUTIONS)}.
{datetime.date.today().isoformat()}.
"""


def parse(words: Sequence[str]) -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    several = {"type": int, "nargs": "+"}
    parser.add_argument("--write", action="store_true", help=f"write docs/benchmarks/{OUTPUT.name}")
    parser.add_argument("--quick", action="store_true", help="small sizes only, as a smoke test")
    parser.add_argument("--points", metavar="N", help=f"points per cloud {DEFAULTS['points']}", **several)
    parser.add_argument(
        "--batches", metavar="B", help=f"clouds, or branches {DEFAULTS['batches']}", **several
    )
    parser.add_argument("--tuples", metavar="S", help=f"tuples of PPM-Reg {DEFAULTS['tuples']}", **several)
    parser.add_argument(
        "--works", nargs="+", choices=list(WORKS), default=list(WORKS), help="what to measure [all]"
    )
    parser.add_argument(
        "--threads",
        type=int,
        metavar="T",
        help="for ours and the peers that can [2; 1 with --quick]",
    )
    parser.add_argument("--seconds", type=float, metavar="S", help="least time per size [1; 0 with --quick]")
    arguments = parser.parse_args(words)
    for name, default in (QUICK if arguments.quick else DEFAULTS).items():
        if getattr(arguments, name) is None:
            setattr(arguments, name, default)
    arguments.turn = 0.0 if arguments.quick else TURN
    if arguments.quick and arguments.write:
        parser.error("--quick measures nothing worth writing; leave out --write")
    arguments.words = list(words)
    return arguments


def main() -> None:
    arguments = parse(sys.argv[1:])
    torch.set_num_threads(arguments.threads)
    load, start = load_average(), time.perf_counter()
    if load > QUIET and not arguments.quick:
        print(f"the machine is busy (load average {load:.1f}): times will be too long", file=sys.stderr)
    cells, firsts = sweep(arguments)
    missing = cuda_ready()
    on_cuda = sweep_on_cuda(cells, arguments) if missing is None else {}
    text = report(
        cells,
        firsts,
        on_cuda,
        missing,
        arguments,
        load=(load, load_average()),
        seconds=time.perf_counter() - start,
    )
    print(text)
    if arguments.write:
        OUTPUT.parent.mkdir(parents=True, exist_ok=True)
        OUTPUT.write_text(text, encoding="utf-8")


if __name__ == "__main__":
    main()
