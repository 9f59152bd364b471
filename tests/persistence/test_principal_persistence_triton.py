"""Bars of tuples by Triton: equal to the definition, and to the compiled CPU kernel to the last bit."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from triton_devices import DEVICES

from gan_topdis.persistence import principal_persistence_kernel as cpu

pytest.importorskip("triton")

from gan_topdis.persistence.principal_persistence_triton import TUPLES, bars_and_edges, scatter

pytestmark = pytest.mark.parametrize("device", DEVICES)

Bars = tuple[torch.Tensor, torch.Tensor, torch.Tensor]


def definition(points: torch.Tensor, tuples: torch.Tensor) -> Bars:
    """Farthest and second farthest of each point, in float64, one tuple after the other; first of equals."""
    found = []
    for corners in tuples.tolist():
        table = (
            (points[corners].double()[:, None] - points[corners].double()).square().sum(-1).sqrt().tolist()
        )
        size = len(corners)
        births, deaths = [], []
        for a in range(size):
            others = sorted((b for b in range(size) if b != a), key=lambda b: (-table[a][b], b))
            near = others[1] if size > 2 else a
            births.append((table[a][near], a, near))
            deaths.append((table[a][others[0]], a, others[0]))
        birth = max(births, key=lambda entry: (entry[0], -entry[1]))
        death = min(deaths, key=lambda entry: (entry[0], entry[1]))
        lifetime = max(death[0] - birth[0], 0.0)
        edges = [*sorted(birth[1:]), *sorted(death[1:])] if lifetime > 0 else [0, 0, 0, 0]
        found.append((birth[0], lifetime, [corners[place] for place in edges]))
    birth, lifetime, edges = zip(*found, strict=True)
    lengths = torch.tensor([birth, lifetime], dtype=torch.float64)
    return lengths[0], lengths[1], torch.tensor(edges)


def by_cpu_kernel(points: torch.Tensor, tuples: torch.Tensor) -> Bars:
    """In float64, rounded at the end."""
    s = len(tuples)
    birth, lifetime = np.empty(s), np.empty(s)
    edges = np.empty((s, 4), np.int64)
    cpu.bars_of_tuples(
        points.double().numpy(), tuples.numpy(), 0, s, np.empty((0, 0)), birth, lifetime, edges
    )
    lengths = torch.from_numpy(np.stack([birth, lifetime])).to(points.dtype)
    return lengths[0], lengths[1], torch.from_numpy(edges)


def on(device: str, *tensors: torch.Tensor) -> list[torch.Tensor]:
    return [tensor.to(device) for tensor in tensors]


def draw(
    n: int, d: int, s: int, size: int, dtype: torch.dtype, generator: torch.Generator
) -> list[torch.Tensor]:
    """A cloud and tuples with replacement, so that some points repeat."""
    points = torch.randn(n, d, generator=generator, dtype=torch.float64).to(dtype)
    return [points, torch.randint(0, n, (s, size), generator=generator)]


def square(side: float, device: str) -> torch.Tensor:
    return side * torch.tensor([[0, 0], [1, 0], [1, 1], [0, 1]], dtype=torch.float64, device=device)


@pytest.mark.parametrize("size", [2, 4])
@pytest.mark.parametrize("d", [1, 2, 8, 17])  # around the eight running sums
def test_equal_to_the_definition(device, d, size, generator):
    points, tuples = draw(20, d, 90, size, torch.float64, generator)
    expected = definition(points, tuples)
    assert (expected[1] > 0).any() or (d == 1 and size == 4)  # no loops on a line
    birth, lifetime, edges = bars_and_edges(*on(device, points, tuples))
    assert (expected[1] > 0).any() or (d == 1 and size == 4)  # no loops on a line
    torch.testing.assert_close(birth.cpu(), expected[0], rtol=1e-14, atol=0)
    torch.testing.assert_close(lifetime.cpu(), expected[1], rtol=0, atol=1e-14)
    # equal lengths may round apart in another order of additions, but not those of repeated points
    same = lifetime.cpu() == expected[1]
    assert torch.equal(edges.cpu()[same], expected[2][same])


def test_ties_take_the_first_of_the_tuple(device, generator):
    """Integer points in the plane: squares are exact, ties are everywhere."""
    points = torch.randint(0, 3, (12, 2), generator=generator).double()
    tuples = torch.randint(0, 12, (300, 4), generator=generator)
    expected = definition(points, tuples)
    birth, lifetime, edges = bars_and_edges(*on(device, points, tuples))
    assert (expected[1] > 0).sum() == 4
    assert torch.equal(birth.cpu(), expected[0])
    assert torch.equal(lifetime.cpu(), expected[1])
    assert torch.equal(edges.cpu(), expected[2])


@pytest.mark.parametrize("dtype", [torch.float32, torch.float64])
@pytest.mark.parametrize("size", [2, 4])
@pytest.mark.parametrize("s", [1, TUPLES, TUPLES + 1])
def test_same_bits_as_the_compiled_kernel(device, s, size, dtype, generator):
    points, tuples = draw(30, 9, s, size, dtype, generator)
    found = bars_and_edges(*on(device, points, tuples))
    for one, other in zip(found, by_cpu_kernel(points, tuples), strict=True):
        assert one.dtype == other.dtype
        assert torch.equal(one.cpu(), other)


def test_a_square_and_a_rectangle(device):
    tuples = torch.tensor([[0, 1, 2, 3], [0, 2, 1, 3], [0, 1, 2, 2]], device=device)
    birth, lifetime, edges = bars_and_edges(square(3.0, device), tuples)
    assert birth.tolist() == [3, 3, pytest.approx(18**0.5, rel=1e-14)]
    assert lifetime.tolist() == [pytest.approx(3 * (2**0.5 - 1), rel=1e-14)] * 2 + [0]
    # the first point's second farthest, and its farthest
    assert edges.tolist() == [[0, 1, 0, 2], [0, 1, 0, 2], [0, 0, 0, 0]]
    wide = square(1.0, device) * torch.tensor([2.0, 1.0], device=device)
    birth, lifetime, _ = bars_and_edges(wide.float(), tuples[:1])
    assert birth.dtype == torch.float32
    assert birth.tolist() == [2] and lifetime.tolist() == [pytest.approx(5**0.5 - 2, rel=1e-6)]


def test_coincident_points_have_no_bar(device):
    points = torch.zeros(5, 3, device=device)
    for size in (2, 4):
        birth, lifetime, edges = bars_and_edges(points, torch.arange(size, device=device)[None] + 1)
        assert birth.tolist() == lifetime.tolist() == [0]
        assert edges.tolist() == [[1, 1, 1, 1]]


def test_other_sizes_are_refused(device):
    with pytest.raises(ValueError, match="tuples should have 2 or 4 points here, got 6"):
        bars_and_edges(torch.zeros(6, 2, device=device), torch.zeros(1, 6, dtype=torch.int64, device=device))


def test_no_tuples_and_half_precision(device, generator):
    points = torch.randn(8, 3, generator=generator).half().to(device)
    none = torch.zeros(0, 4, dtype=torch.int64, device=device)
    assert [part.shape for part in bars_and_edges(points, none)] == [(0,), (0,), (0, 4)]
    nothing = torch.zeros(0, device=device)
    assert torch.equal(scatter(points, none.reshape(0, 4), nothing, nothing), torch.zeros_like(points))
    tuples = torch.arange(8, device=device).reshape(2, 4)
    half, single = bars_and_edges(points, tuples), bars_and_edges(points.float(), tuples)
    assert half[0].dtype == torch.float16
    assert torch.equal(half[0], single[0].half()) and torch.equal(half[2], single[2])


# --- gradients ---


def by_autograd(points: torch.Tensor, edges: torch.Tensor, *gradients: torch.Tensor) -> torch.Tensor:
    """What torch makes of birth = |x_i - x_j| and lifetime = |x_k - x_l| - birth at the critical edges."""
    points = points.double().clone().requires_grad_()
    ends = points[edges]  # (s, 4, d)
    present = edges[:, 2] != edges[:, 3]
    steps = torch.where(present[:, None], ends[:, 2] - ends[:, 3], 1.0)
    death = torch.where(present, steps.norm(dim=1), 0.0)
    born = edges[:, 0] != edges[:, 1]
    steps = torch.where(born[:, None], ends[:, 0] - ends[:, 1], 1.0)
    birth = torch.where(born, steps.norm(dim=1), 0.0)
    by_birth, by_lifetime = (part.double() for part in gradients)
    (birth * by_birth + (death - birth) * by_lifetime).sum().backward()
    return points.grad


@pytest.mark.parametrize("dtype", [torch.float32, torch.float64])
@pytest.mark.parametrize("size", [2, 4])
@pytest.mark.parametrize("d", [1, 7, 129])  # 129: two blocks of coordinates
def test_gradient_is_that_of_the_lengths_of_the_edges(device, d, size, dtype, generator):
    points, tuples = draw(11, d, 40, size, dtype, generator)
    edges = bars_and_edges(*on(device, points, tuples))[2].cpu()
    gradients = [torch.randn(40, generator=generator, dtype=torch.float64).to(dtype) for _ in range(2)]
    found = scatter(*on(device, points, edges, *gradients))
    expected = by_autograd(points, edges, *gradients)
    assert found.dtype == dtype
    assert expected.abs().max() > 0.1 or (d == 1 and size == 4)  # no loops on a line
    tolerance = 1e-12 if dtype == torch.float64 else 1e-5  # of sums of some ten unit vectors
    torch.testing.assert_close(found.cpu(), expected.to(dtype), rtol=0, atol=tolerance)
    by_cpu = np.zeros(points.shape)
    cpu.scatter(
        points.double().numpy(), edges.numpy(), *(part.double().numpy() for part in gradients), by_cpu
    )
    torch.testing.assert_close(found.cpu(), torch.from_numpy(by_cpu).to(dtype), rtol=0, atol=tolerance)
    again = scatter(*on(device, points, edges, *gradients))
    assert torch.equal(found, again)


def test_gradient_by_hand_and_none_at_coincident_points(device):
    """Square of side 1, bar (1, sqrt 2 - 1) on edges (0, 1) and (0, 2); the last tuple has no length."""
    points = torch.cat([square(1.0, device), torch.zeros(2, 2, dtype=torch.float64, device=device)])
    edges = torch.tensor([[0, 1, 0, 2], [4, 5, 5, 4]], device=device)
    ones = torch.ones(2, dtype=torch.float64, device=device)
    half = 0.5**0.5
    birth_alone = scatter(points, edges, ones, 0 * ones)
    assert birth_alone.tolist() == [[-1, 0], [1, 0], [0, 0], [0, 0], [0, 0], [0, 0]]
    lifetime_alone = scatter(points, edges, 0 * ones, ones)
    expected = [[1 - half, -half], [-1, 0], [half, half], [0, 0], [0, 0], [0, 0]]
    assert lifetime_alone.flatten().tolist() == pytest.approx([x for row in expected for x in row], abs=1e-15)


def test_more_edges_at_a_point_than_a_block_holds(device, generator):
    """All tuples meet at point 0, whose program walks over 200 edges."""
    points = torch.randn(20, 5, generator=generator, dtype=torch.float64)
    tuples = torch.stack(
        [torch.zeros(200, dtype=torch.int64), torch.randint(1, 20, (200,), generator=generator)], 1
    )
    birth, lifetime, edges = bars_and_edges(*on(device, points, tuples))
    found = scatter(points.to(device), edges, 0 * birth, lifetime)  # half the gradient of the sum of squares
    expected = points[0] * 200 - points[tuples[:, 1]].sum(0)
    torch.testing.assert_close(found[0].cpu(), expected, rtol=0, atol=1e-12)
