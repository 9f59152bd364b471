"""Progress with time left, on stderr: a bar on a terminal, a line now and then elsewhere."""

from __future__ import annotations

import sys
import time
from types import TracebackType
from typing import TYPE_CHECKING, Any

import click
from tqdm import tqdm

if TYPE_CHECKING:  # importing it would import torch
    from gan_topdis.directions.progress import Progress

SECONDS_BETWEEN_LINES = 15.0
LEAST_SHARE_FOR_ESTIMATE = 0.05
"""Before that, compilation and other first-time work make the time left look far too long."""
_FORMAT = "{desc} {percentage:3.0f}%|{bar:30}| {elapsed} passed, {remaining} left"


class ProgressDisplay:
    """Call it with every `Progress`; use as a context, so that the bar ends before other output.

    Args:
        terminal: whether stderr is a terminal; found out when None.
    """

    def __init__(self, terminal: bool | None = None) -> None:
        self._terminal = sys.stderr.isatty() if terminal is None else terminal
        self._bar: tqdm[Any] | None = None
        self._started = self._last_line = time.monotonic()

    def __enter__(self) -> ProgressDisplay:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if self._bar is not None:
            self._bar.close()

    def __call__(self, progress: Progress) -> None:
        if not self._terminal:
            self._line(progress)
            return
        bar = self._bar
        if bar is None:
            tqdm.monitor_interval = 0  # no thread for a bar that is updated often
            bar = self._bar = tqdm(
                desc=progress.stage, total=progress.total, bar_format=_FORMAT, file=sys.stderr, leave=False
            )
        bar.set_description_str(progress.stage, refresh=False)
        bar.update(progress.done - bar.n)

    def _line(self, progress: Progress) -> None:
        now = time.monotonic()
        if now - self._last_line < SECONDS_BETWEEN_LINES or progress.done == 0:
            return
        self._last_line = now
        share = progress.done / progress.total
        line = f"{progress.stage}: {int(100 * share)} %"
        if share >= LEAST_SHARE_FOR_ESTIMATE:
            line += f", about {duration((now - self._started) * (1 / share - 1))} left"
        click.echo(line, err=True)


def duration(seconds: float) -> str:
    """`1:05`, minutes and seconds; `2:01:05` with hours."""
    minutes, rest = divmod(round(seconds), 60)
    hours, minutes = divmod(minutes, 60)
    return f"{hours}:{minutes:02}:{rest:02}" if hours else f"{minutes}:{rest:02}"
