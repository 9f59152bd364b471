"""The tables of the persistence benchmark, every verdict computed from the times."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from measuring import Cell, DeviceRow
from timing import growth
from work import Work
from works import WORKS

Cells = Mapping[str, Sequence[Cell]]
"""By key of the work."""


@dataclass(frozen=True)
class Mark:
    """What ours has to reach: the time of the best of some peers divided by ours, for some of our columns.

    `also` are peers that the mark does not name; the page says so where one of them is faster.
    """

    work: str
    sizes: Sequence[int]
    batch: int
    ours: Sequence[str]
    peers: Sequence[str]
    least: float
    also: Sequence[str] = ()


RIPS_PEERS = ("giotto", "ripser", "gudhi")
MARKS = (
    Mark("rtd", (128, 256), 1, ("backward",), ("giotto",), 25, also=("gudhi", "topological")),
    Mark("rtd", (128, 256), 16, ("backward",), ("giotto",), 40, also=("gudhi", "topological")),
    *(
        Mark(work, (128, 256), batch, ("forward",), RIPS_PEERS, least, also=("topological",))
        for work in ("rips3", "rips64")
        for batch, least in ((1, 1), (16, 2))
    ),
    Mark("h0", (100,), 16, ("backward", "module"), ("gudhi", "ripser", "topological"), 15, also=("giotto",)),
    Mark("ppm", (1024, 2048), 1, ("backward",), ("published",), 5),
)


def markdown(columns: Sequence[str], rows: Sequence[Sequence[object]], *, left: int = 1) -> str:
    """A table whose first `left` columns are text and the others numbers."""
    rule = ["---"] * left + ["---:"] * (len(columns) - left)
    return "\n".join(f"| {' | '.join(map(str, line))} |" for line in (columns, rule, *rows))


def cell_of(cells: Cells, work: str, size: int, batch: int) -> Cell | None:
    return next((c for c in cells.get(work, ()) if (c.size, c.batch) == (size, batch)), None)


def marks_table(cells: Cells) -> str:
    """Each mark with its verdict, after one line that counts them."""
    rows: list[tuple[object, ...]] = []
    remarks: list[str] = []
    for mark in MARKS:
        for size in mark.sizes:
            for key in mark.ours:
                row, remark = mark_row(mark, size, key, cell_of(cells, mark.work, size, mark.batch))
                rows.append(row)
                remarks += remark
    verdicts = [row[-1] for row in rows]
    met, measured = verdicts.count("met"), len(rows) - verdicts.count("not measured")
    missing = f", {len(rows) - measured} not measured" if measured < len(rows) else ""
    columns = ("work", "size", "batch", "ours", "ms", "best peer", "ms", "ratio", "at least", "")
    parts = [f"{met} of {measured} measured marks are met{missing}.", markdown(columns, rows)]
    if remarks:
        parts += ["Peers that a mark does not name, and faster than those it names:", "\n".join(remarks)]
    return "\n\n".join(parts)


def mark_row(mark: Mark, size: int, key: str, cell: Cell | None) -> tuple[tuple[object, ...], list[str]]:
    """One line of the table of marks, verdict last, and what to remark on it."""
    work = WORKS[mark.work]
    start = (work.title, f"{work.size} = {size}", mark.batch, work.columns[key].title)
    times = cell.times if cell else {}
    peers = [peer for peer in mark.peers if peer in times]
    if key not in times or not peers:
        return (*start, "", "", "", "", f"{mark.least:g}", "not measured"), []
    best = min(peers, key=lambda peer: times[peer].median)
    ours, other = times[key].median, times[best].median
    row = (
        *start,
        f"{ours:.2f}",
        work.columns[best].title,
        f"{other:.2f}",
        f"{other / ours:.1f}",
        f"{mark.least:g}",
        "met" if other / ours >= mark.least else "NOT met",
    )
    remarks = [
        f"- {work.title}, {work.size} = {size}, batch {mark.batch}: {work.columns[peer].title}, "
        f"{times[peer].median:.2f} ms, {times[peer].median / ours:.1f} times {work.columns[key].title}."
        for peer in mark.also
        if peer in times and times[peer].median < other
    ]
    return row, remarks


def slower_than_a_peer(cells: Cells) -> list[str]:
    """One line for each of our columns and each peer that does the same in less time somewhere: forward
    against forward, with backward against with backward, on the same inputs, medians compared."""
    lines = []
    for name, measured in cells.items():
        work = WORKS[name]
        for key, column in work.columns.items():
            for peer, other in work.columns.items():
                if not column.ours or column.more_work or other.ours or column.backward != other.backward:
                    continue
                where = [
                    f"{work.size} = {cell.size}, batch {cell.batch} ({cell.times[key].median:.2f} against "
                    f"{cell.times[peer].median:.2f})"
                    for cell in measured
                    if {key, peer} <= cell.times.keys() and cell.times[key].median > cell.times[peer].median
                ]
                if where:
                    lines.append(f"- {work.title}: {column.title}, than {other.title}: {'; '.join(where)}.")
    return lines


def slower_section(cells: Cells) -> str:
    lines = slower_than_a_peer(cells)
    if not lines:
        return "Nothing, in any size and batch that was measured."
    return "In milliseconds, ours against the peer:\n\n" + "\n".join(lines)


def work_has_peer(work: Work, cell: Cell) -> bool:
    """Whether some column that is not ours was run."""
    return any(key in cell.times and not column.ours for key, column in work.columns.items())


def work_section(work: Work, cells: Sequence[Cell]) -> str:
    """Times of every size and batch, and how they grow."""
    titles = [column.title for column in work.columns.values()]
    rows = [
        (
            cell.size,
            cell.batch,
            *(cell.times.get(key, "skipped" if key in cell.skipped else "") for key in work.columns),
            f"{cell.difference:.0e}" if work_has_peer(work, cell) else "not compared",
        )
        for cell in sorted(cells, key=lambda cell: (cell.batch, cell.size))
    ]
    text = [
        f"### {work.title}",
        work.inputs,
        markdown((work.size, "batch", *titles, "difference"), rows, left=0),
    ]
    exponents = growth_rows(work, cells)
    if exponents:
        text.append(f"Exponent of {work.size} in the time, over the three largest {work.size} measured:")
        text.append(markdown(("batch", *titles), exponents, left=0))
    return "\n\n".join(text)


def growth_rows(work: Work, cells: Sequence[Cell]) -> list[list[object]]:
    """Growth exponents per batch; rows without any are left out."""
    rows: list[list[object]] = []
    for batch in sorted({cell.batch for cell in cells}):
        exponents = [
            growth({c.size: c.times[key].median for c in cells if c.batch == batch and key in c.times})
            for key in work.columns
        ]
        if any(exponent is not None for exponent in exponents):
            rows.append([batch, *("" if e is None else f"{e:.1f}" for e in exponents)])
    return rows


def device_section(rows: Mapping[str, Sequence[DeviceRow]], missing: str | None, device: str) -> str:
    """CUDA against our CPU kernels, or why there is nothing to show."""
    if missing is not None:
        return f"Not timed: {missing}."
    lines = [
        (
            WORKS[name].title,
            f"{WORKS[name].size} = {row.size}",
            row.batch,
            row.column,
            row.cpu,
            row.cuda,
            f"{row.cpu.median / row.cuda.median:.1f}",
        )
        for name, found in rows.items()
        for row in found
    ]
    columns = ("work", "size", "batch", "ours", "CPU, ms", f"{device}, ms", "ratio")
    return "Inputs and gradients stay on the device; each run ends with a synchronisation.\n\n" + markdown(
        columns, lines
    )
