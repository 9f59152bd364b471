"""Random tuples: uniform, distinct where asked, and the same whatever else is drawn."""

from __future__ import annotations

from itertools import permutations

import pytest
import torch

from gan_topdis.persistence.subsamples import (
    derived_key,
    draw_key,
    random_bits,
    random_numbers,
    random_tuples,
)

KEY = 123456789


def splitmix64(state: int) -> int:
    """The published algorithm on Python's integers: one step from a state that already is gamma ahead."""
    z = state % 2**64
    z = (z ^ (z >> 30)) * 0xBF58476D1CE4E5B9 % 2**64
    z = (z ^ (z >> 27)) * 0x94D049BB133111EB % 2**64
    return z ^ (z >> 31)


def test_bits_are_those_of_splitmix64():
    gamma = 0x9E3779B97F4A7C15
    # first outputs for seed 1234567 (Vigna's splitmix64.c, as listed at rosettacode.org)
    assert splitmix64(1234567 + gamma) == 6457827717110365317
    assert splitmix64(1234567 + 2 * gamma) == 3203168211198807973
    for key in (0, 1234567, 2**62 - 1):
        counters = torch.tensor([0, 1, 2, 17, 2**31, 2**40])
        expected = [splitmix64(key + int(c) * gamma) >> 32 for c in counters]
        assert random_bits(key, counters).tolist() == expected


@pytest.mark.parametrize("replacement", [True, False])
def test_a_tuple_does_not_depend_on_the_others(replacement):
    def draw(numbers: torch.Tensor) -> torch.Tensor:
        return random_tuples(KEY, numbers, 4, 50, replacement=replacement)

    many = draw(torch.arange(1000))
    assert torch.equal(draw(torch.arange(18))[17], many[17])
    assert torch.equal(draw(torch.tensor([17, 999, 17])), many[[17, 999, 17]])
    assert not torch.equal(many, random_tuples(KEY + 1, torch.arange(1000), 4, 50, replacement=replacement))


@pytest.mark.parametrize("replacement", [True, False])
def test_indices_are_uniform(replacement):
    """Counts of every index at every place; 5 standard errors of a binomial, 28 comparisons."""
    s, n = 70_000, 7
    tuples = random_tuples(KEY, torch.arange(s), 4, n, replacement=replacement)
    assert tuples.min() == 0
    assert tuples.max() == n - 1
    error = (s * (1 / n) * (1 - 1 / n)) ** 0.5
    for place in range(4):
        counts = torch.bincount(tuples[:, place], minlength=n)
        assert (counts - s / n).abs().max() < 5 * error


def test_without_replacement_all_orders_are_equally_likely():
    s = 48_000
    tuples = random_tuples(KEY, torch.arange(s), 4, 4, replacement=False)
    code = (tuples * torch.tensor([64, 16, 4, 1])).sum(dim=1)
    counts = torch.bincount(code, minlength=256)
    orders = [sum(p * 4 ** (3 - k) for k, p in enumerate(order)) for order in permutations(range(4))]
    assert counts[orders].sum() == s
    expected = s / 24
    assert (counts[orders] - expected).abs().max() < 5 * (expected * (1 - 1 / 24)) ** 0.5


def test_pairs_are_independent_with_replacement():
    s, n = 50_000, 5
    first, second = random_tuples(KEY, torch.arange(s), 2, n).unbind(1)
    counts = torch.bincount(first * n + second, minlength=n * n)
    assert (counts - s / 25).abs().max() < 5 * (s / 25) ** 0.5


def test_share_of_tuples_with_a_repeat():
    """Spec: 3.1 % of four of 192 points, 1 - (191 * 190 * 189) / 192^3."""
    s = 100_000
    tuples = random_tuples(KEY, torch.arange(s), 4, 192).sort(dim=1).values
    share = (tuples.diff(dim=1) == 0).any(dim=1).double().mean()
    expected = 1 - 191 * 190 * 189 / 192**3
    assert abs(share - expected) < 4 * (expected / s) ** 0.5


def test_distinct_for_any_size():
    for size in (1, 2, 6, 9):
        tuples = random_tuples(KEY, torch.arange(500), size, 9, replacement=False)
        assert (tuples.sort(dim=1).values.diff(dim=1) > 0).all()
    assert random_tuples(KEY, torch.arange(3), 4, 1).tolist() == [[0] * 4] * 3
    assert random_tuples(KEY, torch.arange(0), 4, 5).shape == (0, 4)


def test_numbers_of_several_streams_are_those_of_each():
    """Bits times `below`, shifted: a number does not depend on the other streams, or on how many follow."""
    together = random_numbers([KEY, 5, 2**62 - 1], 40, 4096)
    for key, numbers in zip([KEY, 5, 2**62 - 1], together, strict=True):
        assert torch.equal(numbers, (random_bits(key, torch.arange(40)) * 4096) >> 32)
        assert torch.equal(random_numbers([key], 7, 4096)[0], numbers[:7])
    assert together.min() >= 0 and together.max() < 4096 and len(together.unique()) > 100


def test_streams_of_recorded_runs():
    """Numbers of version 1658870, whose keys were tensors: trainings draw the same tuples as they did."""
    words = ((0, (0,)), (KEY, (0, 0)), (KEY, (1, 0)), (2**62 - 1, (2, 1)), (1, ()))
    assert [derived_key(key, *named) for key, named in words] == [
        2459150361376443823,
        918200842745718,
        974795605548712417,
        2602603145043835583,
        1,
    ]
    assert draw_key(torch.Generator().manual_seed(7)) == 1407639518939636932
    assert random_bits(KEY, torch.arange(3)).tolist() == [4061956052, 574387417, 2056379672]
    tuples = random_tuples(KEY, torch.tensor([0, 17, 1000]), 4, 192, replacement=False)
    assert tuples.tolist() == [[181, 25, 91, 37], [163, 99, 169, 189], [160, 132, 92, 139]]
    assert random_numbers([derived_key(KEY, 1, 0)], 5, 4096).tolist() == [[1385, 117, 1835, 713, 1737]]


def test_keys():
    keys = [draw_key(torch.Generator().manual_seed(seed)) for seed in (0, 0, 1)]
    assert keys[0] == keys[1] != keys[2]
    torch.manual_seed(0)
    assert draw_key() == keys[0]  # the global generator, which then moves on
    assert draw_key() != keys[0]
    streams = {derived_key(KEY, q, cloud) for q in range(30) for cloud in range(2)}
    assert len(streams) == 60
    assert all(0 <= stream < 2**62 for stream in streams)
    assert derived_key(KEY, 1, 2) != derived_key(KEY, 2, 1)


@pytest.mark.parametrize(
    ("size", "points", "replacement", "text"),
    [
        (4, 0, True, r"the number of points should be 1 to 2\*\*31, got 0"),
        (4, 2**31 + 1, True, r"the number of points should be 1 to 2\*\*31"),
        (4, 3, False, "4 different points cannot be drawn from 3; give more or allow replacement"),
    ],
)
def test_refused(size, points, replacement, text):
    with pytest.raises(ValueError, match=f"^{text}"):
        random_tuples(KEY, torch.arange(2), size, points, replacement=replacement)
