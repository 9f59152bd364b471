"""Ctrl-C and SIGTERM that wait for a good moment."""

from __future__ import annotations

import signal
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from types import FrameType


@dataclass
class Interruption:
    """Attributes: whether someone asked to stop."""

    asked: bool = False


@contextmanager
def interruption(*, repeats_raise: bool = True) -> Iterator[Interruption]:
    """Inside, SIGINT (Ctrl-C) and SIGTERM (of SLURM, torchrun, kill) do no more than to set `asked`.

    Signals that are ignored outside stay so, and outside the main thread nothing changes, since Python tells
    that thread alone. Earlier handlers come back at the end.

    Args:
        repeats_raise: a second signal raises at once, wherever the work is.

    Raises:
        KeyboardInterrupt: at a second signal; or at the end, when someone asked and nothing else was raised.
    """
    state = Interruption()
    if threading.current_thread() is not threading.main_thread():
        yield state
        return

    def note(number: int, frame: FrameType | None) -> None:
        if state.asked and repeats_raise:
            raise KeyboardInterrupt
        state.asked = True

    former = {number: signal.getsignal(number) for number in (signal.SIGINT, signal.SIGTERM)}
    # None: a handler that is not Python's, which Python could not put back
    former = {number: one for number, one in former.items() if one not in (signal.SIG_IGN, None)}
    try:
        for number in former:
            signal.signal(number, note)
        yield state
    finally:
        for number, one in former.items():
            signal.signal(number, one)
    if state.asked:
        raise KeyboardInterrupt
