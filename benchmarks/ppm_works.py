"""PPM-Reg as a work: PPMRegularizer against the published formulation on the tuples that it draws."""

from __future__ import annotations

from collections.abc import Callable

import ppm_published
import torch
from torch import Tensor
from work import Column, Numbers, Task, Work, array, leaf, unchecked, with_backward

from gan_topdis.losses import PPMRegularizer
from gan_topdis.persistence.subsamples import derived_key, draw_key, random_tuples

PPM_POINTS, PPM_DIMENSION, PPM_WIDTH = 192, 128, 0.1


def ppm_clouds(seed: int) -> tuple[Tensor, Tensor]:
    """Two float32 clouds (PPM_POINTS, PPM_DIMENSION) that differ in scale and place."""
    generator = torch.Generator().manual_seed(seed)
    x = torch.randn(PPM_POINTS, PPM_DIMENSION, generator=generator)
    return x, 1.1 * torch.randn(PPM_POINTS, PPM_DIMENSION, generator=generator) + 0.1


def ppm_tuples(size: int, seed: int) -> list[tuple[Tensor, Tensor]]:
    """Per degree the tuples of x and of y that PPMRegularizer draws from a generator of this seed."""
    key = draw_key(torch.Generator().manual_seed(seed))
    numbers = torch.arange(size)
    return [
        tuple(random_tuples(derived_key(key, q, cloud), numbers, 2 * q + 2, PPM_POINTS) for cloud in range(2))
        for q in range(2)
    ]


def ppm_ways(weights: tuple[float, float], size: int) -> tuple[Callable[..., Tensor], Callable[..., Tensor]]:
    """(x, y, **options) to the value, by PPMRegularizer and as published, on the same tuples."""
    module = PPMRegularizer(weights=weights, bandwidth=PPM_WIDTH, subsamples=size, convention="reference")
    tuples = ppm_tuples(size, seed=size)

    def ours(x: Tensor, y: Tensor) -> Tensor:
        return module(x, y, generator=torch.Generator().manual_seed(size))

    def published(x: Tensor, y: Tensor, *, exact: bool = False) -> Tensor:
        return ppm_published.regularizer(x, y, tuples, weights, PPM_WIDTH, exact=exact)

    return ours, published


def float32_errors(weights: tuple[float, float], size: int) -> tuple[float, float]:
    """Relative errors of the float32 values, PPMRegularizer and published, against float64 with distances
    from differences."""
    x, y = ppm_clouds(size)
    ours, published = ppm_ways(weights, size)
    exact = float(published(x.double(), y.double(), exact=True))
    return abs(float(ours(x, y)) / exact - 1), abs(float(published(x, y)) / exact - 1)


def ppm_work(weights: tuple[float, float], title: str) -> Work:
    """PPM-Reg of two clouds of 192 points in R^128; weights of degrees 0 and 1."""

    def build(size: int, batch: int, threads: int, device: str) -> dict[str, Task]:
        x, y = (cloud.to(device) for cloud in ppm_clouds(size))
        single, double = (leaf(x), leaf(y)), (leaf(x.double()), leaf(y.double()))
        ours, published = ppm_ways(weights, size)

        def timed_forward(way: Callable[..., Tensor]) -> Task:
            def run() -> Tensor:
                return way(x, y)

            return unchecked(run)

        def timed_backward(way: Callable[..., Tensor], **options: bool) -> Task:
            def run() -> Tensor:
                return with_backward(way(*single), *single)

            def check() -> Numbers:
                run()
                value = with_backward(way(*double, **options), *double)
                return {"value": array(value)} | {
                    f"gradient of cloud {i}": array(cloud.grad) for i, cloud in enumerate(double)
                }

            return Task(run, check)

        tasks = {"forward": timed_forward(ours), "backward": timed_backward(ours)}
        if device != "cpu":
            return tasks
        return tasks | {
            "published_forward": timed_forward(published),
            "published": timed_backward(published, exact=True),
        }

    return Work(
        title=title,
        inputs=f"Two Gaussian clouds of {PPM_POINTS} points in R^{PPM_DIMENSION}, s tuples of each, width "
        f"{PPM_WIDTH}. PPMRegularizer draws its tuples, the published way is given the same ones.",
        size="s",
        columns={
            "forward": Column("PPMRegularizer, forward", ours=True),
            "backward": Column("PPMRegularizer and backward", ours=True, backward=True),
            "published_forward": Column("published, forward", ours=False),
            "published": Column("published and backward", ours=False, backward=True),
        },
        build=build,
        batched=False,
    )


PPM_WEIGHTS = {"ppm": (1.0, 1.0), "ppm0": (1.0, 0.0), "ppm1": (0.0, 1.0)}
