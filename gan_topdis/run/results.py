"""Reading `results.jsonl` again, to continue a run that appends to it."""

from __future__ import annotations

import json
import os
from pathlib import Path
from typing import Any

from gan_topdis.run.files import write_atomically
from gan_topdis.run.record import RESULTS_FILE


def read_results(directory: str | os.PathLike[str]) -> list[dict[str, Any]]:
    """Lines of `results.jsonl` in a directory, in their order; none when there is no file.

    A last line without its end is left out: a run was killed while writing it.

    Raises:
        ValueError: another line is not a JSON object.
        OSError: the file cannot be read.
    """
    path = Path(directory) / RESULTS_FILE
    if not path.exists():
        return []
    lines = path.read_text(encoding="utf-8").split("\n")[:-1]
    results = []
    for number, line in enumerate(lines, start=1):
        try:
            result = json.loads(line)
        except ValueError:
            result = None
        if not isinstance(result, dict):
            raise ValueError(f"{path}, line {number}, should be a JSON object; remove it or give --overwrite")
        results.append(result)
    return results


def drop_unfinished_line(directory: str | os.PathLike[str]) -> None:
    """Remove a last line without its end, before more lines are appended.

    Raises:
        OSError: the file cannot be read or replaced.
    """
    path = Path(directory) / RESULTS_FILE
    if path.exists():
        data = path.read_bytes()
        if not data.endswith(b"\n"):
            write_atomically(path, data[: data.rfind(b"\n") + 1])
