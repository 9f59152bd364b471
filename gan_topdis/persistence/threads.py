"""Independent pieces of compiled work on CPU threads.

Kernels release the GIL, so plain Python threads run them in parallel. numba's own prange would need one of
its threading layers, of which the one that is always there must not be entered from two threads at once.
"""

from __future__ import annotations

import itertools
import os
import threading
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor, wait

import torch

_pool: ThreadPoolExecutor | None = None
_pool_lock = threading.Lock()


def thread_count(pieces: int) -> int:
    """Threads worth starting for so many pieces of work: as many as torch uses, at most one a piece."""
    return max(1, min(pieces, torch.get_num_threads()))


def for_each(count: int, task: Callable[[int], None], *, threads: int) -> None:
    """Run task(0) .. task(count - 1), each once, on so many threads; an error in any reaches the caller."""
    threads = min(count, threads)
    if threads <= 1:
        for index in range(count):
            task(index)
        return
    ticket = itertools.count()

    def drain() -> None:
        while (index := next(ticket)) < count:
            task(index)

    helpers = [_executor().submit(drain) for _ in range(threads - 1)]
    try:
        drain()
    finally:  # helpers write to arrays of the caller
        wait(helpers)
    for helper in helpers:
        helper.result()


def _executor() -> ThreadPoolExecutor:
    global _pool
    with _pool_lock:
        if _pool is None:
            _pool = ThreadPoolExecutor(os.cpu_count() or 1, thread_name_prefix="gan_topdis-kernels")
        return _pool


def _forget_pool() -> None:
    """Threads do not survive a fork (data loaders fork), nor do locks that one of them held: the child
    makes its own."""
    global _pool, _pool_lock
    _pool = None
    _pool_lock = threading.Lock()


if hasattr(os, "register_at_fork"):  # Windows has no fork
    os.register_at_fork(after_in_child=_forget_pool)
