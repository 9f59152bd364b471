"""Loads compiled kernels on first use: numba is imported only when something is to be computed."""

from __future__ import annotations

import os
import sys
import threading
from collections.abc import Callable
from importlib import import_module
from types import ModuleType

_lock = threading.RLock()
_loaded: dict[tuple[str, str], ModuleType] = {}


def load_kernels(name: str, first_calls: Callable[[ModuleType], None], *, variant: str = "") -> ModuleType:
    """The module `name`, its kernels compiled or read from numba's cache; said when it takes a while.

    Args:
        name: full name of a `*_kernel` module.
        first_calls: calls each kernel once on tiny arguments of the types it is for, which compiles it.
        variant: which types, where a kernel is for several.
    """
    key = name, variant
    if key in _loaded:
        return _loaded[key]
    with _lock:
        if key not in _loaded:
            announcement = threading.Timer(
                3.0,
                lambda: print(
                    "gan_topdis: preparing the compiled kernels (once per machine, some ten seconds)",
                    file=sys.stderr,
                    flush=True,
                ),
            )
            announcement.daemon = True
            announcement.start()
            try:
                module = import_module(name)
                first_calls(module)
            finally:
                announcement.cancel()
            _loaded[key] = module
        return _loaded[key]


def _new_lock() -> None:
    """A fork may happen while another thread, which the child does not have, loads kernels."""
    global _lock
    _lock = threading.RLock()


if hasattr(os, "register_at_fork"):  # Windows has no fork
    os.register_at_fork(after_in_child=_new_lock)
