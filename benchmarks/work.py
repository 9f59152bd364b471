"""A work that is timed, its tasks, and what their builders share."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass

import numpy as np
from torch import Tensor

Numbers = dict[str, np.ndarray]


@dataclass(frozen=True)
class Task:
    """One way to do a work, inputs bound: `run` is timed, `check` runs once and tells what came out."""

    run: Callable[[], object]
    check: Callable[[], Numbers]


@dataclass(frozen=True)
class Column:
    """A way to do a work, as the tables name it."""

    title: str
    ours: bool
    backward: bool = False
    more_work: bool = False
    """It does more than the peers do, and is not compared with them."""


@dataclass(frozen=True)
class Work:
    """A kind of computation, its columns by key, and how to build the tasks of some of them."""

    title: str
    inputs: str
    size: str
    columns: Mapping[str, Column]
    build: Callable[[int, int, int, str], dict[str, Task]]
    """(size, batch, threads, device) to tasks by column key; devices other than cpu have ours only."""
    batched: bool = True


def unchecked(run: Callable[[], object]) -> Task:
    """A task that runs before it is timed, but whose result is not compared."""

    def check() -> Numbers:
        run()
        return {}

    return Task(run, check)


def leaf(values: Tensor) -> Tensor:
    """A copy that collects a gradient."""
    return values.detach().clone().requires_grad_()


def with_backward(values: Tensor, *inputs: Tensor) -> Tensor:
    """Gradient of the sum of values at inputs, afresh; the values, detached."""
    for one in inputs:
        one.grad = None
    values.sum().backward()
    return values.detach()


def lengths(bars: Tensor) -> Tensor:
    """Sum of the lengths of bars (k, 2)."""
    return (bars[:, 1] - bars[:, 0]).sum()


def array(values: Tensor) -> np.ndarray:
    return values.detach().cpu().double().numpy()


def symmetrised(gradient: Tensor) -> np.ndarray:
    """An edge may have been read at (i, j) or at (j, i)."""
    return array(gradient + gradient.mT)
