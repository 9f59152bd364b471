"""Trees by Triton are those of the compiled CPU kernel, edge by edge."""

from __future__ import annotations

import pytest
import torch
from triton_devices import DEVICES

from gan_topdis.persistence import h0, pairwise_distances

pytest.importorskip("triton")

from gan_topdis.persistence.h0_triton import tree_edges

pytestmark = pytest.mark.parametrize("device", DEVICES)


def whole_numbers(b: int, n: int, values: int, generator: torch.Generator) -> torch.Tensor:
    """Symmetric matrices of few values, 0 among them: ties everywhere."""
    upper = torch.randint(0, values, (b, n, n), generator=generator).double().triu(1)
    return upper + upper.mT


@pytest.mark.parametrize("dtype", [torch.float32, torch.float64])
@pytest.mark.parametrize("n", [1, 2, 3, 15, 16, 17, 33, 64])  # around powers of two, the sizes of blocks
def test_same_edges_as_the_compiled_kernel(device, n, dtype, generator):
    distances = pairwise_distances(torch.randn(3, n, 4, generator=generator, dtype=dtype))
    found = tree_edges(distances.to(device))
    assert found.device.type == device and found.dtype == torch.int64
    assert torch.equal(found.cpu(), h0.tree_edges(distances))


@pytest.mark.parametrize("values", [1, 2, 3])
@pytest.mark.parametrize("n", [2, 5, 8, 20])
def test_ties_take_the_smaller_edge(device, n, values, generator):
    """The tree is THE one of the order (length, i * n + j); the CPU kernel is tested against Kruskal's."""
    distances = whole_numbers(6, n, values, generator)
    assert torch.equal(tree_edges(distances.to(device)).cpu(), h0.tree_edges(distances))


def test_an_edge_list_by_hand(device):
    """(0, 0), (1, 0), (0, .5), (1, 1.5) in the l1 distance: the example of four points in test_h0.py."""
    points = torch.tensor([[[0, 0], [1, 0], [0, 0.5], [1, 1.5]]], device=device)
    assert tree_edges(pairwise_distances(points, p=1.0)).tolist() == [[2, 1, 7]]


def test_negative_zeros_equal_zeros(device):
    distances = torch.tensor([[[0, -0.0, 0], [-0.0, 0, -0.0], [0, -0.0, 0]]], device=device)
    assert tree_edges(distances).tolist() == [[1, 2]]
    swapped = torch.tensor([[[0, 0.0, -0.0], [0.0, 0, 0], [-0.0, 0, 0]]], device=device)
    assert tree_edges(swapped).tolist() == [[1, 2]]


def test_duplicates_half_precision_and_other_strides(device, generator):
    points = torch.randn(2, 10, 3, generator=generator)[:, torch.arange(20) % 10]
    distances = pairwise_distances(points).half()
    expected = h0.tree_edges(distances)
    assert torch.equal(tree_edges(distances.to(device)).cpu(), expected)
    assert torch.equal(tree_edges(distances.to(device).mT).cpu(), expected)
    expanded = distances[:1].to(device).expand(3, 20, 20)
    assert torch.equal(tree_edges(expanded).cpu(), expected[:1].expand(3, 19))


def test_empty_batch(device):
    assert tree_edges(torch.zeros(0, 5, 5, device=device)).shape == (0, 4)


@pytest.mark.parametrize("value", [float("nan"), float("inf")])
def test_unusable_entries_stay_in_range(device, value, generator):
    """No promise on the edges, but nothing is read or written outside the matrices."""
    distances = pairwise_distances(torch.randn(2, 9, 2, generator=generator))
    distances[0] = value
    distances[1, 3] = distances[1, :, 3] = value
    edges = tree_edges(distances.to(device)).cpu()
    assert ((edges >= 0) & (edges < 81)).all()
