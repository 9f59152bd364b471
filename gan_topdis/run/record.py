"""`run.json`: what was run, with what, when, and how it ended."""

from __future__ import annotations

import json
import os
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import asdict, dataclass, field, replace
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from gan_topdis.run.files import append_line, write_atomically
from gan_topdis.run.provenance import source_commit, versions

RECORD_FILE = "run.json"
RESULTS_FILE = "results.jsonl"


@dataclass(frozen=True)
class RunRecord:
    """One run; saved when it starts and when it ends.

    Attributes:
        verb: the command, `discover`.
        config: resolved settings.
        network: name, family, fingerprint, and for a file its path, bytes and SHA-256.
        command_line: as typed.
        versions: of packages.
        commit: of the source, or None.
        sessions: one per start of the command: `started` and `ended` in UTC (ISO 8601), and `status`:
            `running`, `complete`, `interrupted` or `failed`. One that was killed stays `running`.
    """

    verb: str
    config: dict[str, Any]
    network: dict[str, Any]
    command_line: list[str]
    versions: dict[str, str] = field(default_factory=versions)
    commit: str | None = field(default_factory=source_commit)
    sessions: tuple[dict[str, Any], ...] = ()

    @property
    def status(self) -> str:
        """Of the last session."""
        return str(self.sessions[-1].get("status", "running")) if self.sessions else "running"

    def started(self) -> RunRecord:
        """The record with a new running session."""
        session = {"started": _now(), "ended": None, "status": "running"}
        return replace(self, sessions=(*self.sessions, session))

    def ended(self, status: str) -> RunRecord:
        """The record with its last session ended as `complete`, `interrupted` or `failed`."""
        return replace(
            self, sessions=(*self.sessions[:-1], {**self.sessions[-1], "ended": _now(), "status": status})
        )

    def save(self, directory: str | os.PathLike[str]) -> None:
        """Write `run.json`.

        Raises:
            OSError: it cannot be written; an older one is as it was.
        """
        text = json.dumps(asdict(self), indent=2, ensure_ascii=False) + "\n"
        write_atomically(Path(directory) / RECORD_FILE, text)


@contextmanager
def recorded(record: RunRecord, directory: str | os.PathLike[str]) -> Iterator[None]:
    """Keep `run.json` of what happens inside: a session that is running, then how it ended.

    Raises:
        OSError: it cannot be written; an error on its way out is the one that is reported.
    """
    record = record.started()
    record.save(directory)
    try:
        yield
    except BaseException as error:
        with suppress(OSError):
            record.ended("interrupted" if isinstance(error, KeyboardInterrupt) else "failed").save(directory)
        raise
    record.ended("complete").save(directory)


def read_record(directory: str | os.PathLike[str]) -> RunRecord | None:
    """The record in a directory; None when there is none.

    Raises:
        ValueError: the file is no record.
        OSError: it cannot be read.
    """
    path = Path(directory) / RECORD_FILE
    if not path.exists():
        return None
    try:
        content = json.loads(path.read_text(encoding="utf-8"))
        content["sessions"] = tuple(content["sessions"])
        return RunRecord(**content)
    except (ValueError, TypeError, KeyError) as error:
        raise ValueError(f"{path} should be the record of a run of gan-topdis: {error}") from error


def append_result(directory: str | os.PathLike[str], result: dict[str, Any]) -> None:
    """Append one line to `results.jsonl`, with the time in UTC.

    Raises:
        OSError: it cannot be written.
    """
    append_line(Path(directory) / RESULTS_FILE, json.dumps({"time": _now(), **result}, ensure_ascii=False))


def _now() -> str:
    return datetime.now(UTC).isoformat(timespec="seconds")
