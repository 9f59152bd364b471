"""Discoveries as a plain-text table."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING

from gan_topdis.report.printable import printable
from gan_topdis.report.summary import known_factor

if TYPE_CHECKING:  # the report needs no torch
    from gan_topdis.directions import Directions


def score_columns(directions: Directions) -> list[str]:
    """Names of the columns of numbers: the score, then whatever the table holds."""
    return [directions.score_name, *directions.table]


def score_cells(directions: Directions, index: int) -> list[str]:
    """Numbers of one direction as text, in the order of `score_columns`."""
    values = [directions.scores[index], *(column[index] for column in directions.table.values())]
    return [number(float(value)) for value in values]


def number(value: float) -> str:
    """Three significant digits; `n/a` for NaN, whole numbers without a point."""
    if math.isnan(value):
        return "n/a"
    return str(int(value)) if value == int(value) and abs(value) < 1e6 else f"{value:.3g}"


def text_table(directions: Directions) -> str:
    """One line per direction, best first: index, name, numbers, and the known factor where there is one."""
    header = ["#", "name", *(name.replace("_", " ") for name in score_columns(directions))]
    rows = []
    for index, name in enumerate(directions.names):
        rows.append([str(index), printable(name, 40), *score_cells(directions, index)])
        factor = known_factor(directions, index)
        if factor is not None:
            rows[-1].append(f"{printable(factor[0], 40)} ({factor[1]:+.2f})")
    if rows and len(rows[0]) > len(header):
        header.append("nearest factor (cosine)")
    lines = [header, *rows]
    widths = [max(len(line[column]) for line in lines) for column in range(len(header))]
    words = {1, len(header) - 1} if len(header) > 2 + len(score_columns(directions)) else {1}
    return "\n".join(
        "  ".join(
            cell.ljust(width) if column in words else cell.rjust(width)
            for column, (cell, width) in enumerate(zip(line, widths, strict=True))
        ).rstrip()
        for line in lines
    )
