"""The clouds of the paper, point for point."""

from __future__ import annotations

import pytest
import torch

from gan_topdis.persistence import pairwise_distances, vietoris_rips
from gan_topdis.shapes import SHAPES, reference_shape
from gan_topdis.shapes.match import START_SPREAD, _start

# first point, sum over points i = 1, 2, ... of i times each coordinate (float64); made here on 2026-11-26 by
# the recipe of Wong, Lee, Yan's code: seeds 0, 1 (second circle) and 2 (noise)
PINNED = {
    "circle": ((-0.709236, -0.7061236), (-4608.887, 4936.399)),
    "two-circles": ((-0.209236, -0.7061236), (-30963.338, -665.795)),
}


def checksum(points: torch.Tensor) -> list[float]:
    places = torch.arange(1, len(points) + 1, dtype=torch.float64)
    return (places[:, None] * points.double()).sum(dim=0).tolist()


@pytest.mark.parametrize("name", PINNED)
def test_points_are_pinned(name):
    first, sums = PINNED[name]
    points = reference_shape(name)
    assert points.shape == (512, 2) and points.dtype == torch.float32
    # float32 rounding of a norm is 1e-7 of a coordinate; the sums weigh points up to 512 times
    assert points[0].tolist() == pytest.approx(first, abs=1e-6)
    assert checksum(points) == pytest.approx(sums, abs=0.02)
    moved = points.clone()
    moved[100, 0] += 0.001  # a wrong point is seen
    assert checksum(moved) != pytest.approx(sums, abs=0.02)


@pytest.mark.parametrize(("name", "longest"), [("circle", [1.64]), ("two-circles", [0.88, 0.86, 0.85])])
def test_loops_are_those_of_the_specification(name, longest):
    bars = vietoris_rips(pairwise_distances(reference_shape(name))).bars(1)
    lifetimes = (bars[:, 1] - bars[:, 0]).sort(descending=True).values
    assert lifetimes[: len(longest)].tolist() == pytest.approx(longest, abs=0.005)  # two digits are given
    assert lifetimes[len(longest)] < 0.1


def test_circles_lie_where_they_should():
    points = reference_shape("two-circles")
    for half, x in ((points[:256], 0.5), (points[256:], -0.5)):
        radii = (half - torch.tensor([x, 0.0])).norm(dim=1)
        assert abs(radii.mean() - 1) < 0.005 and 0.005 < radii.std() < 0.015  # noise of 0.01
    # both have the noise of seed 2, not each its own
    noise = torch.randn(256, 2, generator=torch.Generator().manual_seed(2))
    for seed, half, x in ((0, points[:256], 0.5), (1, points[256:], -0.5)):
        clean = half - 0.01 * noise - torch.tensor([x, 0.0])
        assert clean.norm(dim=1).tolist() == pytest.approx([1.0] * 256, abs=1e-6), seed


def test_seed_0_starts_where_the_published_runs_do():
    torch.manual_seed(0)
    expected = START_SPREAD * torch.randn(512, 2)
    assert torch.equal(_start(reference_shape("circle"), None, None, 0), expected)


def test_other_sizes():
    assert [len(reference_shape(name, 7)) for name in SHAPES] == [7, 7]
    with pytest.raises(ValueError, match="shape should be one of circle, two-circles, got 'torus'"):
        reference_shape("torus")
    with pytest.raises(ValueError, match="at least 4 points, got 3"):
        reference_shape("circle", 3)
