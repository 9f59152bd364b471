"""What verbs that train share around their work: directory, record, progress, advice on an interruption."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any

from gan_topdis.cli.continuation import continuation
from gan_topdis.cli.errors import Interrupted
from gan_topdis.cli.progress import ProgressDisplay
from gan_topdis.run import RunRecord, open_run_directory, recorded

if TYPE_CHECKING:  # importing it would import torch
    from gan_topdis.training import TrainingProgress


def is_first_process() -> bool:
    """Of the processes of torchrun the first one writes and talks."""
    return int(os.environ.get("RANK", "0")) == 0


class LastLog:
    """The numbers that a training logged last; those that are NaN have not begun."""

    def __init__(self) -> None:
        self._logs: dict[str, float] = {}

    def __call__(self, progress: TrainingProgress) -> None:
        self._logs.update(progress.logs)

    @property
    def numbers(self) -> dict[str, float]:
        return {name: value for name, value in self._logs.items() if value == value}

    def __str__(self) -> str:
        shown = ", ".join(f"{name} {value:.4g}" for name, value in self.numbers.items())
        return f"last step: {shown}" if shown else "nothing was left to do"


@contextmanager
def training_run(
    verb: str,
    outdir: Path,
    outputs: Sequence[str],
    config: Mapping[str, Any],
    arguments: Sequence[str],
    *,
    resume: bool,
    overwrite: bool,
) -> Iterator[None]:
    """Opens the directory and keeps `run.json` of what happens inside.

    Raises:
        ValueError, OSError: those of `open_run_directory`.
        Interrupted: in place of KeyboardInterrupt, with the command that continues.
    """
    earlier = open_run_directory(
        outdir, verb, tuple(outputs), can_resume=True, resume=resume, overwrite=overwrite
    )
    record = RunRecord(
        verb=verb,
        config=dict(config),
        network={},
        command_line=["gan-topdis", *arguments],
        sessions=() if earlier is None else earlier.sessions,
    )
    try:
        with recorded(record, outdir):
            yield
    except KeyboardInterrupt:
        kept = "a" if (outdir / "checkpoint.pt").exists() else "no"
        advice = f"{kept} checkpoint is in {outdir}; continue with: {continuation(arguments)}"
        raise Interrupted(advice) from None


@contextmanager
def training_progress(
    stage: str, last: LastLog | None = None
) -> Iterator[Callable[[TrainingProgress], None]]:
    """What to call after every step: shows progress, and tells `last`."""
    from gan_topdis.directions.progress import Progress

    with ProgressDisplay() as display:

        def on_progress(progress: TrainingProgress) -> None:
            if last is not None:
                last(progress)
            display(Progress(stage, progress.done, progress.total))

        yield on_progress
