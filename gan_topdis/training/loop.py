"""The loop: steps, log, checkpoints, interruption, resume."""

from __future__ import annotations

import os
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Protocol, runtime_checkable

from gan_topdis.training.checkpoint import load_checkpoint, save_checkpoint
from gan_topdis.training.compute import Compute
from gan_topdis.training.csv_log import CSVLog
from gan_topdis.training.image_source import FINGERPRINT
from gan_topdis.training.interruption import interruption

CHECKPOINT_FILE, LOG_FILE = "checkpoint.pt", "log.csv"


@runtime_checkable
class Task(Protocol):
    """What is trained. A step is a function of the state and of its number alone: batches and random numbers
    come from seeds, never from global generators, so that a resumed run ends where a whole one does."""

    def step(self, number: int, *, log_due: bool) -> Mapping[str, float]:
        """One optimiser step, numbered from 0; what to log, of which only that of a step with `log_due` is
        kept: what costs time to compute may be left out of others."""
        ...

    def state_dict(self) -> dict[str, Any]:
        """Everything that steps change: tensors, numbers, containers of them."""
        ...

    def load_state_dict(self, state: dict[str, Any]) -> None: ...


@dataclass(frozen=True)
class TrainingProgress:
    """Attributes: steps done and in all; the numbers of the last step that was logged."""

    done: int
    total: int
    logs: Mapping[str, float]


def train(
    task: Task,
    steps: int,
    compute: Compute,
    *,
    settings: Mapping[str, Any],
    outdir: str | os.PathLike[str] | None = None,
    resume: bool = False,
    log_every: int = 100,
    checkpoint_every: int = 5_000,
    on_progress: Callable[[TrainingProgress], None] | None = None,
    on_checkpoint: Callable[[int], None] | None = None,
) -> None:
    """Run a task to its last step.

    Ctrl-C (SIGINT) and SIGTERM wait for the end of the step and its log line, since a state within a step
    cannot be resumed exactly; a second one does not wait, and leaves the last checkpoint as it was. Several
    processes ask each other after every step, so that all stop after the same one; there a second signal
    changes nothing, since launchers repeat signals, and kill by themselves what does not stop (torchrun after
    30 s). Outside the main thread signals are not heard.

    Args:
        task: same settings and state in every process.
        steps: in all, those of earlier sessions included.
        compute: from `start_compute`; the first process writes.
        settings: plain values that decide the result; kept with the checkpoint, and refused on resume when
            they differ.
        outdir: for `checkpoint.pt` and `log.csv`; nothing is written when None.
        resume: continue from the checkpoint in `outdir`, from the start where there is none.
        log_every, checkpoint_every: steps. The last step is always logged and kept.
        on_progress: called after every step, in the first process.
        on_checkpoint: called with the number of steps done each time a checkpoint is due, after it is
            written, and when nothing is left to do, in the first process: for pictures.

    Raises:
        ValueError: there is a checkpoint and `resume` is not asked for; settings differ from those of the
            checkpoint, it has more steps, or it cannot be used.
        OSError: something cannot be written; the last checkpoint is as it was.
        KeyboardInterrupt: at a signal, or from `on_progress` or `on_checkpoint`, after a checkpoint. What the
            task raises, this too, leaves the last checkpoint as it was.
    """
    for name, value in (("steps", steps), ("log_every", log_every), ("checkpoint_every", checkpoint_every)):
        if value < 1:
            raise ValueError(f"{name} should be at least 1, got {value}")
    folder = None if outdir is None else Path(outdir)
    writes = folder is not None and compute.rank == 0
    first = 0
    if folder is not None:
        folder.mkdir(parents=True, exist_ok=True)
        if (folder / CHECKPOINT_FILE).exists():
            if not resume:
                raise ValueError(
                    f"{folder} has the checkpoint of a run; resume it, remove it, or use another outdir"
                )
            first = _resumed(task, folder / CHECKPOINT_FILE, settings, steps)
    log = CSVLog(folder / LOG_FILE, after=first) if folder is not None and writes else None

    def keep(done: int) -> None:
        if folder is not None and writes:
            save_checkpoint(
                folder / CHECKPOINT_FILE,
                {"step": done, "settings": dict(settings), "task": task.state_dict()},
            )

    if first == steps and on_checkpoint is not None and compute.rank == 0:
        on_checkpoint(first)
    logs: Mapping[str, float] = {}
    with interruption(repeats_raise=compute.world_size == 1) as stop:
        for done in range(first + 1, steps + 1):
            log_due = done % log_every == 0 or done == steps
            checkpoint_due = done % checkpoint_every == 0 or done == steps
            latest = task.step(done - 1, log_due=log_due)
            if log_due:
                logs = compute.mean_of(dict(latest))
                if log is not None:
                    log.append(done, logs)
            if checkpoint_due:
                keep(done)
            try:
                if checkpoint_due and on_checkpoint is not None and compute.rank == 0:
                    on_checkpoint(done)
                if on_progress is not None and compute.rank == 0:
                    on_progress(TrainingProgress(done, steps, logs))
            except KeyboardInterrupt:
                stop.asked = True
            if compute.any(stop.asked):
                if not checkpoint_due:
                    keep(done)
                compute.barrier()  # a launcher ends all processes when one ends
                raise KeyboardInterrupt
    compute.barrier()


def _resumed(task: Task, path: Path, settings: Mapping[str, Any], steps: int) -> int:
    """Steps that the checkpoint holds, now in the task."""
    state = load_checkpoint(path)
    try:
        done, before, content = int(state["step"]), dict(state["settings"]), state["task"]
    except (KeyError, TypeError, ValueError):
        raise ValueError(f"{path} is no checkpoint of a training run") from None
    if FINGERPRINT not in before:  # a run from before images were compared
        before[FINGERPRINT] = settings.get(FINGERPRINT)
    for name in sorted({*before, *settings}):
        if before.get(name) != settings.get(name):
            raise ValueError(
                f"the run to continue has {name} {before.get(name, 'at its default')}, this one "
                f"{settings.get(name, 'has the default')}; use the same settings, or another outdir"
            )
    if done > steps:
        raise ValueError(
            f"the run was trained to {done} steps, more than the {steps} asked for; ask for at least as many"
        )
    task.load_state_dict(content)
    return done
