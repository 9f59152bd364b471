"""Four-term RTD with backward against a parallel Rips solver on the doubled matrices.

Ours: `rtd(a, b)` of distance matrices that require a gradient, and `backward`, for a whole batch.
Peer: giotto-ph's `ripser_parallel` on the four matrices [[0, U], [U, V]] of 2N points per item, coefficients
Z/2, dimensions 0 and 1, no threshold of ours (it finds the enclosing radius), as many threads as ours. The
peer is favoured: its matrices are made beforehand, it computes no critical edges and no gradient, since with
several threads its edges were seen to disagree with its own diagram (specs of the cross-barcode, section 6).
GUDHI at N = 64 shows the scale of a general implementation.

Every timed configuration is first checked: the sums of bars agree to 1e-5 relative (giotto-ph is float32).

    python benchmarks/rtd_against_giotto.py            # prints the table
    python benchmarks/rtd_against_giotto.py --write    # and writes docs/benchmarks/rtd.md
"""

from __future__ import annotations

import argparse
import datetime
import importlib.metadata
import os
import platform
import statistics
import sys
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import torch
from gph import ripser_parallel

from gan_topdis.losses import RTDLoss
from gan_topdis.persistence import pairwise_distances, rtd
from gan_topdis.persistence.gudhi_reference import cross_barcode_bars

POINTS = (64, 128, 256)
BATCHES = (1, 16)
DIMENSION = 16
"""Of the Gaussian clouds; y is x disturbed by half, as a decoder does to a batch."""
GUDHI_POINTS = 64
TURN = 0.1
TOLERANCE = 1e-5
OUTPUT = Path(__file__).resolve().parents[1] / "docs" / "benchmarks" / "rtd.md"


@dataclass(frozen=True)
class Timing:
    """Milliseconds: median and quartiles of repeated runs."""

    low: float
    median: float
    high: float

    def __str__(self) -> str:
        return f"{self.median:.2f} ({self.low:.2f} to {self.high:.2f})"


@dataclass(frozen=True)
class Row:
    """One configuration of the table."""

    threads: int
    points: int
    batch: int
    ours: Timing
    loss: Timing
    peer: Timing
    gudhi: Timing | None
    difference: float

    @property
    def ratio(self) -> float:
        return self.peer.median / self.ours.median


def timed(tasks: dict[str, Callable[[], object]], *, seconds: float, rounds: int) -> dict[str, Timing]:
    """Time tasks by turns, so that what else the machine does meets all of them alike.

    A turn is one run, or as many as `TURN` seconds hold. After one round that does not count, at least
    `rounds` of them, and as many as `seconds` hold.
    """
    runs: dict[str, list[float]] = {name: [] for name in tasks}
    for task in tasks.values():
        task()
    start = time.perf_counter()
    done = 0
    while done < rounds or time.perf_counter() - start < seconds:
        for name, task in tasks.items():
            end = time.perf_counter() + TURN
            while True:
                before = time.perf_counter()
                task()
                now = time.perf_counter()
                runs[name].append(1000 * (now - before))
                if now > end:
                    break
        done += 1
    return {
        name: Timing(*statistics.quantiles(times, n=4, method="inclusive")) for name, times in runs.items()
    }


def clouds(points: int, batch: int) -> tuple[torch.Tensor, torch.Tensor]:
    """Two float32 clouds (batch, points, DIMENSION), the second a disturbed copy of the first."""
    generator = torch.Generator().manual_seed(points)
    x = torch.randn(batch, points, DIMENSION, generator=generator)
    return x, x + 0.5 * torch.randn(batch, points, DIMENSION, generator=generator)


def lower_and_upper(a: torch.Tensor, b: torch.Tensor) -> list[tuple[np.ndarray, np.ndarray]]:
    """The four cross-barcodes (lower, upper) of one pair of matrices."""
    low, high = torch.minimum(a, b), torch.maximum(a, b)
    return [(v.numpy(), u.numpy()) for v, u in ((low, a), (low, b), (b, high), (a, high))]


def doubled(lower: np.ndarray, upper: np.ndarray) -> np.ndarray:
    return np.block([[np.zeros_like(lower), upper], [upper, lower]])


def sum_of_bars(bars: np.ndarray) -> float:
    return float((bars[:, 1].astype(np.float64) - bars[:, 0]).sum())


def measure(points: int, batch: int, threads: int, seconds: float) -> Row:
    """Check one configuration and time it."""
    x, y = clouds(points, batch)
    a, b = pairwise_distances(x), pairwise_distances(y)
    matrices = [
        [doubled(v, u) for v, u in lower_and_upper(first, second)] for first, second in zip(a, b, strict=True)
    ]
    tracked = a.clone().requires_grad_(), b.clone().requires_grad_()
    inputs = x.clone().requires_grad_(), y.clone().requires_grad_()
    loss = RTDLoss()

    def ours() -> torch.Tensor:
        tracked[0].grad = tracked[1].grad = None
        value = rtd(*tracked)
        value.sum().backward()
        return value.detach()

    def from_points() -> None:
        inputs[0].grad = inputs[1].grad = None
        torch.stack([loss(first, second) for first, second in zip(*inputs, strict=True)]).sum().backward()

    def peer() -> list[float]:
        return [
            sum(
                sum_of_bars(
                    ripser_parallel(matrix, maxdim=1, coeff=2, metric="precomputed", n_threads=threads)[
                        "dgms"
                    ][1]
                )
                for matrix in four
            )
            / 2
            for four in matrices
        ]

    def gudhi() -> list[float]:
        return [
            sum(sum_of_bars(cross_barcode_bars(v, u)) for v, u in lower_and_upper(first, second)) / 2
            for first, second in zip(a, b, strict=True)
        ]

    values = ours().double().numpy()
    difference = float(np.abs(np.asarray(peer()) / values - 1).max())
    with_gudhi = points <= GUDHI_POINTS and batch == 1
    if with_gudhi:
        difference = max(difference, float(np.abs(np.asarray(gudhi()) / values - 1).max()))
    if difference > TOLERANCE:
        raise SystemExit(
            f"N = {points}, batch {batch}: RTD differs from the peer by {difference:.2g} relative, "
            f"more than {TOLERANCE:g}; no times are reported for wrong numbers"
        )
    tasks: dict[str, Callable[[], object]] = {"ours": ours, "loss": from_points, "peer": peer}
    if with_gudhi:
        tasks["gudhi"] = gudhi
    times = timed(tasks, seconds=seconds, rounds=5)
    return Row(
        threads,
        points,
        batch,
        ours=times["ours"],
        loss=times["loss"],
        peer=times["peer"],
        gudhi=times.get("gudhi"),
        difference=difference,
    )


def table(rows: Sequence[Row]) -> str:
    """Markdown, one line per configuration."""
    columns = (
        "threads",
        "N",
        "batch",
        "RTD and backward, ms",
        "giotto-ph, forward only, ms",
        "ratio",
        "RTDLoss from points, ms",
        "GUDHI, forward only, ms",
        "difference",
    )
    cells = [
        (
            row.threads,
            row.points,
            row.batch,
            row.ours,
            row.peer,
            f"{row.ratio:.1f}",
            row.loss,
            row.gudhi or "",
            f"{row.difference:.1e}",
        )
        for row in rows
    ]
    lines = [columns, ("---:",) * len(columns), *cells]
    return "\n".join(f"| {' | '.join(map(str, line))} |" for line in lines)


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


def report(rows: Sequence[Row], load: tuple[float, float], command: str) -> str:
    versions = ", ".join(
        f"{name} {importlib.metadata.version(name)}"
        for name in ("torch", "numba", "numpy", "giotto-ph", "gudhi")
    )
    return f"""# Speed of RTD

Four-term RTD (`sides="minmax"`, symmetric) of float32 distance matrices with its backward, against
giotto-ph's `ripser_parallel` on the four matrices of 2N points. Medians after warm-up, quartiles in brackets,
all columns measured by turns; "ratio" is giotto-ph's median over ours.

{table(rows)}

- The comparison favours giotto-ph: its matrices are ready, and it computes neither critical edges nor a
  gradient. Both have the same number of threads; a batch is a loop of single calls for giotto-ph.
- "difference" is the largest relative difference of RTD values between ours and the peers, checked in the
  same run; above {TOLERANCE:g} the benchmark stops without a table.
- "RTDLoss from points" is the whole loss as trained: distances of both clouds, quantiles, RTD, and backward
  to the points, item by item.
- Clouds: {DIMENSION}-dimensional Gaussian, and the same disturbed by half a standard deviation.
- What is slower: the first call of a process loads the compiled kernels (about half a second) and the first
  call on a machine compiles them (about ten seconds); neither is counted here. With several threads on
  cores that other programs use, torch's OpenMP threads spin while they wait for each other: N = 64 and batch
  16 took 300 ms instead of 14 under a load of 4. `OMP_WAIT_POLICY=passive` or `OMP_NUM_THREADS=1` avoids it.

Machine: {processor()}, {os.cpu_count()} cores; load average {load[0]:.1f} before, {load[1]:.1f} after.
Python {platform.python_version()}, {versions}.
{datetime.date.today().isoformat()}, `{command}`.
"""


def main() -> None:
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--write", action="store_true", help=f"write {OUTPUT.name} in docs/benchmarks")
    parser.add_argument(
        "--points", type=int, nargs="+", default=POINTS, metavar="N", help="points per cloud [64 128 256]"
    )
    parser.add_argument(
        "--batches", type=int, nargs="+", default=BATCHES, metavar="B", help="pairs of clouds [1 16]"
    )
    parser.add_argument(
        "--threads",
        type=int,
        nargs="+",
        default=sorted({1, os.cpu_count() or 1}),
        metavar="T",
        help="for both sides [1, and all cores]",
    )
    parser.add_argument(
        "--seconds", type=float, default=3.0, metavar="S", help="least time per measurement [3]"
    )
    arguments = parser.parse_args()
    load = load_average()
    if load > 0.5:
        print(f"the machine is busy (load average {load:.1f}): times will be too long", file=sys.stderr)
    rows = []
    for threads in arguments.threads:
        torch.set_num_threads(threads)
        for points in arguments.points:
            for batch in arguments.batches:
                print(f"{threads} threads, N = {points}, batch {batch} ...", file=sys.stderr, flush=True)
                rows.append(measure(points, batch, threads, arguments.seconds))
    print(table(rows))
    if arguments.write:
        command = " ".join(["python benchmarks/rtd_against_giotto.py", *sys.argv[1:]])
        OUTPUT.parent.mkdir(parents=True, exist_ok=True)
        OUTPUT.write_text(report(rows, (load, load_average()), command), encoding="utf-8")


if __name__ == "__main__":
    main()
