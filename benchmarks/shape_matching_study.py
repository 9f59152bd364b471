r"""Does PPM-Reg bring the diagrams of a cloud nearer to those of the reference? Both shapes, both losses.

By default every run is that of the published figure: 512 points, 2420 steps, s = 2000; weights 1 and 6000.
With fewer points each takes a larger share of the gradient, so that fewer steps go as far: half and half.
Runs are kept in --runs and not repeated; pairs with and without PPM-Reg share a seed, and so their start.

    python benchmarks/shape_matching_study.py --runs runs/shapes --name published --seeds 1
    python benchmarks/shape_matching_study.py --runs runs/shapes --name half --points 256 --steps 1210 \
        --subsamples 1000

writes docs/shape_matching/NAME.png and prints the tables of docs/shape_matching.md.
"""

from __future__ import annotations

import argparse
import itertools
import time
from pathlib import Path

import numpy as np

from gan_topdis.report.shape_matching import (
    CURVE_TITLES,
    MOVING_COLOUR,
    OTHER_COLOUR,
    Series,
    chart,
    cloud_panel,
    reach_of,
    rows_of_panels,
)
from gan_topdis.shapes import SHAPES, ShapeMatch, match, reference_shape

ROOT = Path(__file__).resolve().parents[1]
PICTURES = ROOT / "docs" / "shape_matching"
LOSSES = ("cramer", "mmd")
TERMS = ("none", "ppm")
KEEP_EVERY = 60
PEAK_BEFORE = 400
"""Steps within which the distance of order 1 rises above its start, with PPM-Reg."""

Runs = dict[tuple[str, str, str, int], ShapeMatch]
"""Results by shape, loss, regulariser and seed."""


def run_all(folder: Path, seeds: int, points: int, steps: int, subsamples: int, shapes: list[str]) -> Runs:
    """All runs, seed by seed; those in the folder are read."""
    folder.mkdir(parents=True, exist_ok=True)
    found: Runs = {}
    for seed, shape, loss, term in itertools.product(range(seeds), shapes, LOSSES, TERMS):
        path = folder / f"{points}_{steps}_{subsamples}_{shape}_{loss}_{term}_{seed}.npz"
        if not path.exists():
            began, busy = time.perf_counter(), time.process_time()
            result = match(
                reference_shape(shape, points),
                loss=loss,
                regularizer=term,
                steps=steps,
                subsamples=subsamples,
                seed=seed,
                keep_every=KEEP_EVERY,
                device="cpu",
            )
            result.save(path)
            took = f"{time.perf_counter() - began:.0f} s, {time.process_time() - busy:.0f} s of CPU"
            print(f"{path.stem}: {took}", flush=True)
        found[shape, loss, term, seed] = ShapeMatch.load(path)
    return found


def table(runs: Runs) -> str:
    """Markdown: ends of the runs and peaks, median and range over seeds; how often PPM-Reg is better."""
    seeds = sorted({key[3] for key in runs})
    lines = [
        "| shape, loss | W2 (H1) | W1 (H0 + H1) | longest H1 | second | third | highest W1 before step 400 |",
        "|---|---|---|---|---|---|---|",
    ]
    for shape, loss, term in itertools.product(SHAPES, LOSSES, TERMS):
        curves = [runs[shape, loss, term, seed].curve for seed in seeds]
        name = f"{shape}, {loss}" + (" + PPM-Reg" if term == "ppm" else "")
        columns = ("w2_euclidean_h1", "w1_maximum_h0_h1", "longest_h1_1", "longest_h1_2", "longest_h1_3")
        cells = [spread(np.array([curve.column(column)[-1] for curve in curves])) for column in columns]
        cells.append(spread(np.array([peak(curve) for curve in curves])))
        lines.append(f"| {name} | " + " | ".join(cells) + " |")
    better = []
    for shape, loss in itertools.product(SHAPES, LOSSES):
        pairs = [(runs[shape, loss, "ppm", k].curve, runs[shape, loss, "none", k].curve) for k in seeds]
        counts = [sum(check) for check in zip(*(checks(*pair) for pair in pairs), strict=True)]
        better.append(f"| {shape}, {loss} | " + " | ".join(f"{n} of {len(seeds)}" for n in counts) + " |")
    lines += [
        "",
        "| of pairs of a seed | W2 (H1) lower | W1 lower | longest H1 longer | W1 rises before step 400 |",
        "|---|---|---|---|---|",
        *better,
    ]
    return "\n".join(lines)


def checks(with_term, without) -> tuple[bool, bool, bool, bool]:  # type: ignore[no-untyped-def]
    """What the specification accepts a pair by."""
    ends = [
        [curve.column(name)[-1] for name in ("w2_euclidean_h1", "w1_maximum_h0_h1", "longest_h1_1")]
        for curve in (with_term, without)
    ]
    start = with_term.column("w1_maximum_h0_h1")[0]
    return ends[0][0] < ends[1][0], ends[0][1] < ends[1][1], ends[0][2] > ends[1][2], peak(with_term) > start


def peak(curve) -> float:  # type: ignore[no-untyped-def]
    return float(curve.column("w1_maximum_h0_h1")[curve.steps < PEAK_BEFORE].max())


def spread(values: np.ndarray) -> str:
    return f"{np.median(values):.2f} ({values.min():.2f}-{values.max():.2f})"


def figure(runs: Runs):  # type: ignore[no-untyped-def]
    """Per shape and loss a row: clouds at the end of seed 0, and both curves of all seeds."""
    seeds = sorted({key[3] for key in runs})
    rows = []
    for shape, loss in itertools.product(SHAPES, LOSSES):
        ends = [runs[shape, loss, term, 0] for term in TERMS]
        reach = reach_of(ends[0].reference, *(end.clouds[-1] for end in ends))
        row = [
            cloud_panel(end.reference, end.clouds[-1], reach=reach, title=title, colour=colour, size=230)
            for end, title, colour in zip(
                ends, (f"{shape}: {loss}", f"{loss} + PPM-Reg"), (OTHER_COLOUR, MOVING_COLOUR), strict=True
            )
        ]
        for column, title in CURVE_TITLES.items():
            lines = []
            for seed, (term, name, colour) in itertools.product(
                seeds, (("none", loss, OTHER_COLOUR), ("ppm", f"{loss} + PPM-Reg", MOVING_COLOUR))
            ):
                curve = runs[shape, loss, term, seed].curve
                lines.append(Series(name if seed == 0 else "", curve.steps, curve.column(column), colour))
            row.append(chart(lines, title=title, size=(350, 230)))
        rows.append(row)
    return rows_of_panels(
        rows,
        title="Shape matching with and without PPM-Reg",
        subtitle=f"clouds at the end of seed 0 over the reference (grey); curves of {len(seeds)} seeds: "
        "distance of diagrams to those of the reference",
    )


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--runs", type=Path, default=ROOT / "runs" / "shapes")
    parser.add_argument("--name", default="published", help="of the picture")
    parser.add_argument("--seeds", type=int, default=5)
    parser.add_argument("--points", type=int, default=512)
    parser.add_argument("--steps", type=int, default=2420)
    parser.add_argument("--subsamples", type=int, default=2000)
    parser.add_argument(
        "--only", choices=list(SHAPES), help="runs of one shape, no picture: for a second process"
    )
    given = parser.parse_args()
    shapes = [given.only] if given.only else list(SHAPES)
    runs = run_all(given.runs, given.seeds, given.points, given.steps, given.subsamples, shapes)
    if given.only:
        return
    print(table(runs))
    PICTURES.mkdir(parents=True, exist_ok=True)
    figure(runs).save(PICTURES / f"{given.name}.png", optimize=True)


if __name__ == "__main__":
    main()
