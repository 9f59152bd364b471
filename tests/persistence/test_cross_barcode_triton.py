"""Critical edges by Triton are those of the textbook reduction and of the compiled CPU sweep."""

from __future__ import annotations

import math

import numpy as np
import pytest
import torch
from pairs_of_matrices import (
    FAMILIES,
    bipartite,
    circular,
    clustered,
    critical_edges,
    distances,
    euclidean,
    generic,
    integer_tied,
    one_sided,
    zero_below,
)
from triton_devices import DEVICES

from gan_topdis.persistence.pairing import MAXIMUM, MINIMUM, A, B
from gan_topdis.persistence.pairing import pair_cross_barcodes as cpu_pairing
from gan_topdis.persistence.rips_pairing import rips_pairings

pytest.importorskip("triton")

from gan_topdis.persistence import cross_barcode_triton
from gan_topdis.persistence.cross_barcode_triton import Deaths, pair_cross_barcodes, pair_deaths

pytestmark = pytest.mark.parametrize("device", DEVICES)

Edges = set[tuple[int, int, bool]]


def pairs(found: Deaths, item: int = 0) -> Edges:
    """(birth, death, read from upper) of one barcode."""
    assert found.complete[item]
    death, in_upper = found.death[item].tolist(), found.in_upper[item].tolist()
    return {(code, death[code], in_upper[code]) for code in range(len(death)) if death[code] >= 0}


def by_cpu(lower: torch.Tensor, upper: torch.Tensor) -> Edges:
    found = cpu_pairing(lower[None], upper[None], [(A, B)], names=("lower", "upper"))
    births, deaths, in_upper = (
        part[0, 0].tolist() for part in (found.birth, found.death, found.death_in_upper)
    )
    return set(zip(births, deaths, in_upper, strict=True))


def sweep_one(device: str, lower: torch.Tensor, upper: torch.Tensor | None, **options: int) -> Deaths:
    found = pair_deaths(lower[None].to(device), None if upper is None else upper[None].to(device), **options)
    return Deaths(*(part.cpu() for part in (found.death, found.in_upper, found.turn, found.complete)))


@pytest.mark.parametrize("family", FAMILIES)
def test_the_textbook_reduction_finds_the_same_edges(device, family, generator):
    for n in (2, 5):
        lower, upper = family(n, generator)
        found = sweep_one(device, lower, upper)
        assert pairs(found) == critical_edges(lower.numpy(), upper.numpy())
        assert not (found.death == -2).any()  # everything dies in a cone


@pytest.mark.parametrize(
    ("family", "n"),
    [(euclidean, 13), (one_sided, 14), (circular, 12), (clustered, 14), (generic, 10), (integer_tied, 11)],
)
def test_the_cpu_finds_the_same_edges(device, family, n, generator):
    lower, upper = family(n, generator)
    expected = by_cpu(lower, upper)
    assert len(expected) > 3
    assert pairs(sweep_one(device, lower, upper)) == expected


def test_more_points_than_a_word_has_bits(device, generator):
    """zero_below has few edges to look at, and bars of H0 of `upper`, which the potentials hold."""
    lower, upper = zero_below(67, generator)
    assert pairs(sweep_one(device, lower, upper)) == by_cpu(lower, upper)


def test_the_pairing_of_the_cpu_bar_by_bar(device, generator, monkeypatch):
    """Items, terms, order and padding, in float32; then swept one by one, as where memory is short."""
    a, b = (torch.stack([distances(torch.randn(6, 2, generator=generator)) for _ in range(2)]) for _ in "ab")
    terms = [(MINIMUM, A), (B, MAXIMUM)]
    expected = cpu_pairing(a, b, terms, names=("a", "b"))
    for scratch in (cross_barcode_triton.SCRATCH, 1):
        monkeypatch.setattr(cross_barcode_triton, "SCRATCH", scratch)
        found = pair_cross_barcodes(a.to(device), b.to(device), terms)
        for name in ("birth", "death", "death_in_upper"):
            assert torch.equal(getattr(found, name).cpu(), getattr(expected, name))
    assert (expected.death == 0).any()  # padding


@pytest.mark.parametrize("with_cone", [True, False])
def test_blocks_of_any_size(device, with_cone, generator, monkeypatch):
    """Lists longer than a block, tiles of 1 and of 4 edges, holders longer than a block."""
    lower, upper = euclidean(10, generator) if with_cone else (circular(10, generator)[0], None)
    expected = pairs(sweep_one(device, lower, upper))
    for tile in (64, 256):
        for name, size in (("LOOK", 16), ("TILE", tile), ("HELD", 4)):
            monkeypatch.setattr(cross_barcode_triton, name, size)
        assert pairs(sweep_one(device, lower, upper)) == expected


def test_too_many_classes_alive_are_said(device, generator):
    lower = bipartite(6, generator)[0]  # 9 edges across come first
    upper = lower + 10 * (lower > 0)
    assert pairs(sweep_one(device, lower, upper, capacity=9)) == by_cpu(lower, upper)
    assert not sweep_one(device, lower, upper, capacity=8).complete.any()
    batch = lower[None].to(device), upper[None].to(device)
    assert pair_cross_barcodes(*batch, [(A, B)], capacity=8) is None


def test_one_point_and_no_barcodes(device):
    found = pair_deaths(torch.zeros(2, 1, 1, device=device), torch.zeros(2, 1, 1, device=device))
    assert found.death.tolist() == [[-1], [-1]] and found.complete.all()
    none = torch.zeros(0, 4, 4, device=device)
    assert pair_deaths(none, none).death.shape == (0, 16)
    assert pair_cross_barcodes(none, none, [(A, B)]).birth.shape == (0, 1, 0)


# --- without a cone: H1 of one metric space ---


def test_square_with_a_heavy_corner(device):
    """One loop, from the side to the diagonal; 64 points coincide, so that bits fill two words."""
    points = torch.zeros(67, 2, dtype=torch.float64)
    points[2] = torch.tensor([1.0, 0])
    points[65] = torch.tensor([1.0, 1])
    points[66] = torch.tensor([0.0, 1])
    lower = distances(points)
    ((birth, death, in_upper),) = pairs(sweep_one(device, lower, None))
    assert lower.flatten()[[birth, death]].tolist() == [1, math.sqrt(2)]
    assert not in_upper
    (expected,) = rips_pairings(lower[None], math.inf)
    assert [birth, death] in np.stack([expected.birth[1], expected.death[1]], axis=1).tolist()


@pytest.mark.parametrize(
    ("family", "n"), [(euclidean, 10), (integer_tied, 8), (circular, 11), (bipartite, 8)]
)
def test_plain_vietoris_rips(device, family, n, generator):
    lower = family(n, generator)[0]
    (expected,) = rips_pairings(lower[None], math.inf)
    lengths = lower.numpy().ravel()
    birth, death = expected.birth[1], expected.death[1]
    longer = lengths[death] > lengths[birth]
    found = sweep_one(device, lower, None)
    assert pairs(found) == {
        (b, d, False) for b, d in np.stack([birth[longer], death[longer]], axis=1).tolist()
    }
    assert longer.any() and not (found.death == -2).any()
