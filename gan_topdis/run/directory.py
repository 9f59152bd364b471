"""Opening `--outdir`: earlier results are never mixed with new ones or lost by accident."""

from __future__ import annotations

import os
from collections.abc import Sequence
from pathlib import Path

from gan_topdis.run.record import RECORD_FILE, RESULTS_FILE, RunRecord, read_record


def open_run_directory(
    path: str | os.PathLike[str],
    verb: str,
    outputs: Sequence[str],
    *,
    can_resume: bool = False,
    resume: bool = False,
    overwrite: bool = False,
) -> RunRecord | None:
    """Make the directory of a run, or check that an existing one may be written to.

    A directory may hold other files; only those that the command would write matter. The results of
    another verb are never overwritten.

    Args:
        path: the directory; parents are made too.
        verb: the command that is going to write there.
        outputs: glob patterns of the files that it writes, besides the record.
        can_resume: whether the verb has `--resume`, for the advice in messages.
        resume: continue the run that is there, if there is one.
        overwrite: remove the earlier files of this verb first.

    Returns:
        The record of the run to continue; None for a run from the start.

    Raises:
        ValueError: the directory holds results and neither option was given, or those of another verb.
        OSError: the directory cannot be made, read or cleared.
    """
    if resume and overwrite:
        raise ValueError("resume and overwrite exclude each other: give one of --resume and --overwrite")
    directory = Path(path)
    if directory.exists() and not directory.is_dir():
        raise ValueError(f"outdir should be a directory, {directory} is a file")
    present = [
        file for pattern in (*outputs, RECORD_FILE, RESULTS_FILE) for file in sorted(directory.glob(pattern))
    ]
    record = read_record(directory)
    if record is not None and record.verb != verb:
        raise ValueError(
            f"{directory} holds a run of {record.verb}; choose another --outdir, such as {directory / verb}"
        )
    if resume and record is not None:
        return record
    if present and resume:
        raise ValueError(
            f"{directory} holds {present[0].name} but no {RECORD_FILE}, so there is no run to continue; "
            "choose another --outdir or give --overwrite"
        )
    if present and not overwrite:
        state = "" if record is None else f" of a run that is {record.status}"
        continuing = "continue it with --resume, " if record is not None and can_resume else ""
        raise ValueError(
            f"{directory} holds {present[0].name}{state}; {continuing}replace it with --overwrite, "
            "or choose another --outdir"
        )
    directory.mkdir(parents=True, exist_ok=True)
    for file in present:
        file.unlink()
    return None
