"""Tuples of PPM-Reg: pools as tables and as streams, and what does not depend on what."""

from __future__ import annotations

import pytest
import torch

from gan_topdis.losses import ppm_tuples
from gan_topdis.losses.ppm_tuples import TupleDraw
from gan_topdis.persistence.subsamples import derived_key, random_bits, random_tuples

CPU = torch.device("cpu")
KEY = 123456789


def draw(
    subsamples: int = 30, *, replacement: bool = False, pool: int | None = None, all_pairs: bool = False
):
    return TupleDraw(subsamples, replacement, pool, pool_seed=3, all_pairs=all_pairs)


@pytest.fixture(autouse=True)
def _no_tables():
    ppm_tuples._pools.cache_clear()


@pytest.mark.parametrize("replacement", [True, False])
@pytest.mark.parametrize("q", [0, 1, 2])
def test_a_pool_is_a_stream_of_its_seed(q, replacement):
    """Number k of the call says which tuple of the pool's stream; looked up in a table or made anew."""
    sizes = 20, 15
    (found,) = draw(replacement=replacement, pool=240)(KEY, [q], sizes, CPU)
    assert found.of_x == 30
    for cloud, indices in enumerate(found.indices.chunk(2)):
        numbers = (random_bits(derived_key(KEY, q, cloud), torch.arange(30)) * 240) >> 32
        stream = derived_key(3, q, cloud)
        expected = random_tuples(stream, numbers, 2 * q + 2, sizes[cloud], replacement=replacement)
        assert torch.equal(indices - cloud * sizes[0], expected)


def test_a_pool_too_large_for_a_table_has_the_same_tuples(monkeypatch):
    options = {"pool": 240}
    tabled = draw(**options)(KEY, [0, 1], (20, 15), CPU)
    assert ppm_tuples._pools.cache_info().currsize == 2
    monkeypatch.setattr(ppm_tuples, "LARGEST_TABLE", 100)
    ppm_tuples._pools.cache_clear()
    streamed = draw(**options)(KEY, [0, 1], (20, 15), CPU)
    assert ppm_tuples._pools.cache_info().currsize == 0
    for one, other in zip(tabled, streamed, strict=True):
        assert torch.equal(one.indices, other.indices)


def test_tables_are_kept_apart_and_few():
    """One for each pool, size, q and way to draw; the second call makes none."""
    for _ in range(2):
        for pool in (50, 60):
            for sizes in ((20, 15), (15, 20)):
                draw(pool=pool)(KEY, [0, 1], sizes, CPU)
        draw(replacement=True, pool=50)(KEY, [0], (20, 15), CPU)
    info = ppm_tuples._pools.cache_info()
    assert (info.currsize, info.misses, info.hits) == (9, 9, 9)
    for pool in range(1, 40):
        draw(pool=pool)(KEY, [0], (20, 15), CPU)
    assert ppm_tuples._pools.cache_info().currsize == 16


def test_a_table_of_inference_mode_serves_training():
    with torch.inference_mode():
        draw(pool=50)(KEY, [1], (20, 15), CPU)
    (found,) = draw(pool=50)(KEY, [1], (20, 15), CPU)
    assert not found.indices.is_inference()
    points = torch.randn(35, 2, requires_grad=True)
    points[found.indices].square().sum().backward()
    assert points.grad.any()


@pytest.mark.parametrize("options", [{}, {"pool": 50}, {"all_pairs": True}])
def test_an_order_does_not_depend_on_the_others(options):
    both = draw(**options)(KEY, [0, 1], (9, 8), CPU)
    for q in (0, 1):
        (alone,) = draw(**options)(KEY, [q], (9, 8), CPU)
        assert torch.equal(alone.indices, both[q].indices) and alone.of_x == both[q].of_x
        assert both[q].indices[: alone.of_x].max() < 9 <= both[q].indices[alone.of_x :].min()
    assert both[0].of_x == (36 if "all_pairs" in options else 30)
