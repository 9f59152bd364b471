"""What a CUDA tensor takes: dispatch to Triton and back, run here by its interpreter on CPU tensors."""

from __future__ import annotations

import math

import pytest
import torch
from pairs_of_matrices import bipartite, distances, euclidean, integer_tied, one_sided

from gan_topdis.persistence import cross_barcode, h0, pairing, rips_pairing, rtd, vietoris_rips_batch

pytest.importorskip("triton")
pytestmark = pytest.mark.skipif(torch.cuda.is_available(), reason="the cuda tests run the kernels themselves")


@pytest.fixture
def as_on_a_gpu(monkeypatch: pytest.MonkeyPatch) -> None:
    for module in (pairing, rips_pairing, h0):
        monkeypatch.setattr(module, "kernels_for", lambda tensor: "triton")


def value_and_gradients(a: torch.Tensor, b: torch.Tensor, **options):
    a, b = a.clone().requires_grad_(), b.clone().requires_grad_()
    value = rtd(a, b, **options)
    (value * torch.arange(1, 1 + len(value))).sum().backward()
    return value.detach(), a.grad, b.grad


@pytest.mark.parametrize(
    ("family", "options"),
    [(euclidean, {}), (integer_tied, {"power": 2}), (euclidean, {"sides": "max", "symmetric": False})],
)
def test_rtd(family, options, generator, request):
    a, b = (torch.stack(side) for side in zip(*(family(6, generator) for _ in range(2)), strict=True))
    expected = value_and_gradients(a, b, **options)
    request.getfixturevalue("as_on_a_gpu")
    found = value_and_gradients(a, b, **options)
    # the same lengths summed in another order
    torch.testing.assert_close(found[0], expected[0], rtol=1e-14, atol=0)
    for one, other in zip(found[1:], expected[1:], strict=True):
        torch.testing.assert_close(one, other, rtol=1e-14, atol=1e-15)


def test_cross_barcode(generator, request):
    lower, upper = one_sided(7, generator)
    expected = cross_barcode(lower, upper).lengths
    request.getfixturevalue("as_on_a_gpu")
    assert torch.equal(cross_barcode(lower, upper).lengths, expected)
    with pytest.raises(ValueError, match=r"^lower should not exceed upper anywhere"):
        cross_barcode(upper, lower)


@pytest.mark.parametrize(("family", "limited"), [(bipartite, False), (bipartite, True), (integer_tied, True)])
def test_vietoris_rips(family, limited, generator, request):
    matrices = torch.stack([family(8, generator)[0] for _ in range(2)])
    limit = matrices[matrices > 0].median().item() if limited else None
    expected = vietoris_rips_batch(matrices, max_edge_length=limit)
    request.getfixturevalue("as_on_a_gpu")
    for one, other in zip(vietoris_rips_batch(matrices, max_edge_length=limit), expected, strict=True):
        for dimension in (0, 1):
            assert torch.equal(one.bars(dimension), other.bars(dimension))
            assert one.essential(dimension).tolist() == other.essential(dimension).tolist()


def test_too_little_room_for_classes_is_asked_for_again(generator, request, monkeypatch):
    """n^2 / 4 classes of two halves exceed 4 n from n = 17 on; a smaller first guess shows it sooner."""
    matrix = bipartite(6, generator)[0][None]
    expected = vietoris_rips_batch(matrix)[0].bars(1)
    request.getfixturevalue("as_on_a_gpu")
    from gan_topdis.persistence import device_pairing

    rooms = []

    def little(lower, upper, *, capacity):
        rooms.append(capacity)
        return pair(lower, upper, capacity=2 if len(rooms) == 1 else capacity)

    pair = device_pairing.pair_deaths
    monkeypatch.setattr(device_pairing, "pair_deaths", little)
    assert torch.equal(vietoris_rips_batch(matrix)[0].bars(1), expected)
    assert rooms == [24, 15]


@pytest.mark.parametrize(
    ("matrix", "message"),
    [
        (torch.tensor([[0, math.nan], [math.nan, 0]]), "should be finite"),
        (torch.tensor([[0.0, 1], [2, 0]]), "should be exactly symmetric"),
        (torch.tensor([[0.0, -1], [-1, 0]]), "should hold no negative distance"),
        (torch.tensor([[1.0, 1], [1, 0]]), "should have a diagonal of zeros"),
    ],
)
def test_refusals_are_those_of_the_cpu(matrix, message, as_on_a_gpu, as_users_run):
    good = torch.tensor([[0.0, 9], [9, 0]])
    with pytest.raises(ValueError, match=f"^a {message}"):
        rtd(matrix, good)
    with pytest.raises(ValueError, match=f"^distances {message}"):
        vietoris_rips_batch(matrix[None])


def test_empty_batches_and_single_points(as_on_a_gpu):
    assert rtd(torch.zeros(0, 3, 3), torch.zeros(0, 3, 3)).shape == (0,)
    assert rtd(torch.zeros(2, 1, 1), torch.zeros(2, 1, 1)).tolist() == [0, 0]
    assert vietoris_rips_batch(torch.zeros(0, 3, 3)) == []
    assert vietoris_rips_batch(distances(torch.zeros(1, 2))[None])[0].bars(0).shape == (0, 2)
