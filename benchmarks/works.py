"""What is timed: each work with our ways and its peers' ways of doing it on the same inputs.

A work builds its tasks for one size and batch. A task runs once, and has a check: numbers that all tasks of
the work that know them have to agree on before anything is timed.
"""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import peers
import torch
from ppm_works import PPM_WEIGHTS, ppm_work
from torch import Tensor
from work import Column, Numbers, Task, Work, array, leaf, lengths, symmetrised, unchecked, with_backward

from gan_topdis.losses import ConnectivityLoss, RTDLoss
from gan_topdis.persistence import (
    PersistenceDiagram,
    h0_deaths,
    pairwise_distances,
    rtd,
    vietoris_rips,
    vietoris_rips_batch,
)

# ---- RTD ---------------------------------------------------------------------------------------------------

RTD_DIMENSION = 16


def clouds(points: int, batch: int) -> tuple[Tensor, Tensor]:
    """Two float32 clouds (batch, points, RTD_DIMENSION), the second a disturbed copy of the first, as a
    decoder makes of a batch."""
    generator = torch.Generator().manual_seed(points)
    x = torch.randn(batch, points, RTD_DIMENSION, generator=generator)
    return x, x + 0.5 * torch.randn(batch, points, RTD_DIMENSION, generator=generator)


def rtd_tasks(size: int, batch: int, threads: int, device: str) -> dict[str, Task]:
    x, y = (cloud.to(device) for cloud in clouds(size, batch))
    a, b = (pairwise_distances(cloud.cpu()).to(device) for cloud in (x, y))  # the same numbers anywhere
    tracked = leaf(a), leaf(b)
    inputs = leaf(x), leaf(y)
    loss = RTDLoss()

    def forward() -> Tensor:
        return rtd(a, b)

    def backward() -> Tensor:
        return with_backward(rtd(*tracked), *tracked)

    def from_points() -> None:
        values = [loss(first, second) for first, second in zip(*inputs, strict=True)]
        with_backward(torch.stack(values), *inputs)

    def check_backward() -> Numbers:
        values = backward()
        gradients = (symmetrised(one.grad) for one in tracked)
        return {"rtd": array(values)} | {f"gradient of {i}": grad for i, grad in enumerate(gradients)}

    tasks = {
        "forward": Task(forward, lambda: {"rtd": array(forward())}),
        "backward": Task(backward, check_backward),
        "points": unchecked(from_points),
    }
    if device != "cpu":
        return tasks
    fours = [peers.four_doubled(first, second) for first, second in zip(a, b, strict=True)]
    matrices = [[matrix.numpy() for matrix in four] for four in fours]
    items = [(leaf(first), leaf(second)) for first, second in zip(a, b, strict=True)]
    complex_ = peers.topological(1)

    def looped(bars: Callable[[np.ndarray], peers.Bars]) -> np.ndarray:
        return np.array(
            [sum(peers.sum_of_lengths(bars(matrix)[1]) for matrix in four) / 2 for four in matrices]
        )

    def giotto() -> np.ndarray:
        return looped(lambda matrix: peers.giotto(matrix, 1, threads))

    def gudhi() -> np.ndarray:
        return looped(lambda matrix: peers.gudhi(matrix, 1))

    def topological() -> np.ndarray:
        values = []
        for item in items:
            diagrams = [complex_(matrix, treat_as_distances=True)[1] for matrix in peers.four_doubled(*item)]
            values.append(with_backward(sum(map(lengths, (d.diagram for d in diagrams))) / 2, *item))
        return array(torch.stack(values))

    for name, run in (("giotto", giotto), ("gudhi", gudhi), ("topological", topological)):
        tasks[name] = Task(run, lambda run=run: {"rtd": run()})
    return tasks


RTD = Work(
    title="Four-term RTD",
    inputs=f"Distance matrices of {RTD_DIMENSION}-dimensional Gaussian clouds and of copies disturbed by "
    "half a standard deviation; peers get the four matrices of 2N points ready-made.",
    size="N",
    columns={
        "forward": Column("ours, forward", ours=True),
        "backward": Column("ours and backward", ours=True, backward=True),
        "points": Column("RTDLoss from points and backward", ours=True, backward=True, more_work=True),
        "giotto": Column("giotto-ph, forward", ours=False),
        "gudhi": Column("GUDHI, forward", ours=False),
        "topological": Column("torch-topological and backward", ours=False, backward=True),
    },
    build=rtd_tasks,
)


# ---- Vietoris-Rips -----------------------------------------------------------------------------------------


def rips_work(dimension: int) -> Work:
    """H0 and H1 of Gaussian clouds in R^dimension."""

    def build(size: int, batch: int, threads: int, device: str) -> dict[str, Task]:
        generator = torch.Generator().manual_seed(1000 * dimension + size)
        points = torch.randn(batch, size, dimension, generator=generator)
        distances = pairwise_distances(points).to(device)
        tracked = leaf(distances)

        def diagrams(matrices: Tensor) -> list[PersistenceDiagram]:
            return [vietoris_rips(matrices[0])] if batch == 1 else vietoris_rips_batch(matrices)

        def forward() -> list[PersistenceDiagram]:
            return diagrams(distances)

        def backward() -> None:
            found = [bars for diagram in diagrams(tracked) for bars in diagram.finite]
            with_backward(sum(map(lengths, found)), tracked)

        def check_forward() -> Numbers:
            found = [peers.canonical([array(bars) for bars in diagram.finite]) for diagram in forward()]
            return {"bars": np.concatenate(found)}

        def check_backward() -> Numbers:
            backward()
            return {"gradient": symmetrised(tracked.grad)}

        tasks = {"forward": Task(forward, check_forward), "backward": Task(backward, check_backward)}
        if device != "cpu":
            return tasks
        matrices = [item.numpy() for item in distances]
        items = [leaf(item) for item in distances]
        complex_ = peers.topological(1)

        def looped(bars: Callable[[np.ndarray], peers.Bars]) -> Task:
            def run() -> list[peers.Bars]:
                return [bars(matrix) for matrix in matrices]

            return Task(run, lambda: {"bars": np.concatenate([peers.canonical(item) for item in run()])})

        def topological() -> list[peers.Bars]:
            found = [complex_(item, treat_as_distances=True) for item in distances]
            return [[one.diagram.numpy() for one in diagram] for diagram in found]

        def topological_backward() -> None:
            for item in items:
                found = complex_(item, treat_as_distances=True)
                with_backward(sum(lengths(one.diagram) for one in found), item)

        def check_topological() -> Numbers:
            topological_backward()
            return {"gradient": np.concatenate([symmetrised(item.grad[None]) for item in items])}

        return tasks | {
            "giotto": looped(lambda matrix: peers.giotto(matrix, 1, threads)),
            "ripser": looped(lambda matrix: peers.ripser(matrix, 1)),
            "gudhi": looped(lambda matrix: peers.gudhi(matrix, 1)),
            "topological": Task(
                topological, lambda: {"bars": np.concatenate([peers.canonical(b) for b in topological()])}
            ),
            "topological_backward": Task(topological_backward, check_topological),
        }

    return Work(
        title=f"Vietoris-Rips H0 and H1 with critical edges, R^{dimension}",
        inputs=f"Distance matrices of Gaussian clouds in R^{dimension}; ours and torch-topological find "
        "critical edges, the others only bars. Backward: of the sum of all lengths.",
        size="N",
        columns={
            "forward": Column("ours, forward", ours=True),
            "backward": Column("ours and backward", ours=True, backward=True),
            "giotto": Column("giotto-ph, forward", ours=False),
            "ripser": Column("ripser, forward", ours=False),
            "gudhi": Column("GUDHI, forward", ours=False),
            "topological": Column("torch-topological, forward", ours=False),
            "topological_backward": Column("torch-topological and backward", ours=False, backward=True),
        },
        build=build,
    )


# ---- H0 ----------------------------------------------------------------------------------------------------

BRANCH_DIMENSION = 10


def h0_tasks(size: int, batch: int, threads: int, device: str) -> dict[str, Task]:
    generator = torch.Generator().manual_seed(size)
    codes = torch.randn(size, batch * BRANCH_DIMENSION, generator=generator).to(device)
    tracked = leaf(codes)
    loss = ConnectivityLoss(branches=batch)

    def branches(values: Tensor) -> Tensor:
        return values.unflatten(1, (batch, BRANCH_DIMENSION)).transpose(0, 1)  # (batch, size, d)

    def connectivity(deaths: Tensor) -> Tensor:
        return (deaths - loss.eta).abs().sum(dim=-1).mean()

    def forward() -> Tensor:
        return h0_deaths(pairwise_distances(branches(codes), p=1))

    def backward() -> Tensor:
        return with_backward(connectivity(h0_deaths(pairwise_distances(branches(tracked), p=1))), tracked)

    def module() -> Tensor:
        return with_backward(loss(tracked), tracked)

    def checked(run: Callable[[], Tensor]) -> Task:
        return Task(run, lambda: {"loss": array(run()), "gradient": array(tracked.grad)})

    tasks = {
        "forward": Task(forward, lambda: {"deaths": array(forward())}),
        "backward": checked(backward),
        "module": checked(module),
    }
    if device != "cpu":
        return tasks
    complex_ = peers.topological(0, p=1)

    def looped(bars: Callable[[np.ndarray], peers.Bars]) -> Task:
        def run() -> list[np.ndarray]:
            clouds = branches(codes)
            matrices = torch.cdist(clouds, clouds, p=1).numpy()
            return [bars(matrix)[0] for matrix in matrices]

        def check() -> Numbers:
            deaths = [item[np.isfinite(item[:, 1]), 1] for item in run()]
            return {"deaths": np.sort(np.stack(deaths), axis=1)}

        return Task(run, check)

    def topological() -> Tensor:
        deaths = [complex_(cloud)[0].diagram[:, 1] for cloud in branches(tracked)]
        return with_backward(connectivity(torch.stack(deaths)), tracked)

    return tasks | {
        "giotto": looped(lambda matrix: peers.giotto(matrix, 0, threads)),
        "ripser": looped(lambda matrix: peers.ripser(matrix, 0)),
        "gudhi": looped(lambda matrix: peers.gudhi(matrix, 0)),
        "topological": checked(topological),
    }


H0 = Work(
    title="l1 H0 deaths",
    inputs=f"Batch = branches of {BRANCH_DIMENSION} Gaussian coordinates each; all start from points, the "
    "peers with `torch.cdist(p=1)`. Backward: of the connectivity loss, to the points.",
    size="N",
    columns={
        "forward": Column("h0_deaths, forward", ours=True),
        "backward": Column("h0_deaths and backward", ours=True, backward=True),
        "module": Column("ConnectivityLoss and backward", ours=True, backward=True),
        "giotto": Column("giotto-ph, forward", ours=False),
        "ripser": Column("ripser, forward", ours=False),
        "gudhi": Column("GUDHI, forward", ours=False),
        "topological": Column("torch-topological and backward", ours=False, backward=True),
    },
    build=h0_tasks,
)


WORKS = {
    "rtd": RTD,
    "rips3": rips_work(3),
    "rips64": rips_work(64),
    "h0": H0,
    "ppm": ppm_work(PPM_WEIGHTS["ppm"], "PPM-Reg, degrees 0 and 1"),
    "ppm0": ppm_work(PPM_WEIGHTS["ppm0"], "PPM-Reg, degree 0 alone"),
    "ppm1": ppm_work(PPM_WEIGHTS["ppm1"], "PPM-Reg, degree 1 alone"),
}
