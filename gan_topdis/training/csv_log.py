"""A log of training: one CSV line per logged step."""

from __future__ import annotations

import csv
import os
from collections.abc import Mapping
from pathlib import Path

STEP = "step"


class CSVLog:
    """Appends lines; a resumed run drops those that the checkpoint does not know.

    Args:
        path: the file; its folder exists.
        after: lines of steps beyond this are dropped; 0 starts anew.
    """

    def __init__(self, path: str | os.PathLike[str], *, after: int = 0) -> None:
        self.path = Path(path)
        self._columns: list[str] = []
        kept: list[dict[str, str]] = []
        if after and self.path.exists():
            with open(self.path, newline="", encoding="utf-8") as file:
                reader = csv.DictReader(file)
                self._columns = list(reader.fieldnames or [])
                # a line that was cut off has no number, or not all of its columns
                kept = [
                    row
                    for row in reader
                    if None not in row.values() and row[STEP].isdecimal() and int(row[STEP]) <= after
                ]
        part = self.path.with_name(f"{self.path.name}.part")
        with open(part, "w", newline="", encoding="utf-8") as file:
            if self._columns:
                writer = csv.DictWriter(file, self._columns)
                writer.writeheader()
                writer.writerows(kept)
        os.replace(part, self.path)

    def append(self, step: int, values: Mapping[str, float]) -> None:
        """Columns are those of the first line; later lines fill them, and nothing else.

        Raises:
            ValueError: a value without a column.
            OSError: it cannot be written.
        """
        first = not self._columns
        if first:
            self._columns = [STEP, *values]
        with open(self.path, "a", newline="", encoding="utf-8") as file:
            writer = csv.DictWriter(file, self._columns, restval="")
            if first:
                writer.writeheader()
            writer.writerow({STEP: step, **{name: f"{value:.6g}" for name, value in values.items()}})


def read_log(path: str | os.PathLike[str]) -> dict[str, list[float]]:
    """Columns of a log; an empty cell is NaN."""
    with open(path, newline="", encoding="utf-8") as file:
        rows = list(csv.DictReader(file))
    names = rows[0].keys() if rows else ()
    return {name: [float(row[name]) if row[name] else float("nan") for row in rows] for name in names}
