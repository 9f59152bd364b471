"""Random tuples of points by a counter-based generator: tuple 17 is the same whatever else is drawn.

Keys are integers of Python, everything else plain integer operations of torch, so that they run where the
points are, without waiting for the device.
"""

from __future__ import annotations

from collections.abc import Sequence

import torch
from jaxtyping import Int64
from torch import Tensor

Key = int
"""What decides all tuples of a stream: 62 random bits."""

LARGEST = 2**31
"""Points that 32 random bits are multiplied with, in 63."""


def draw_key(generator: torch.Generator | None = None) -> Key:
    """A key from a generator, by default torch's global one of the CPU, whatever device the points are on.

    A generator on a GPU is waited for.
    """
    device = "cpu" if generator is None else generator.device
    return int(torch.randint(2**62, (), generator=generator, device=device))


def derived_key(key: Key, *words: int) -> Key:
    """The key of an independent stream inside that of a key, named by non-negative integers."""
    for word in words:
        key = (key + (word + 1) * GAMMA) & ALL_BITS
        key = ((key ^ (key >> 30)) * MIX_1) & ALL_BITS
        key = ((key ^ (key >> 27)) * MIX_2) & ALL_BITS
        key ^= key >> 31
    return key & (2**62 - 1)


def random_tuples(
    key: Key, numbers: Int64[Tensor, " s"], size: int, points: int, *, replacement: bool = True
) -> Int64[Tensor, "s size"]:
    """Tuples of indices of points, by their numbers in the stream of a key.

    Args:
        key: see `draw_key`.
        numbers: which tuples, >= 0; 0 .. s - 1 for s independent ones. Their device is that of the result.
        size: indices in a tuple.
        points: number of points, at most 2**31.
        replacement: whether an index may be repeated inside a tuple. Without, all orders of all subsets
            are equally likely.

    Returns:
        Indices in 0 .. points - 1, uniform up to a relative error of points / 2**32.

    Raises:
        ValueError: there are no points, more than 2**31, or, without replacement, fewer than `size`.

    Source: Steele, Lea, Flood, Fast Splittable Pseudorandom Number Generators, OOPSLA 2014 (SplitMix64);
        Lemire, Fast Random Integer Generation in an Interval, arXiv:1805.10941 (multiply and shift).
    """
    if not 1 <= points <= LARGEST:
        raise ValueError(f"the number of points should be 1 to 2**31, got {points}")
    if not replacement and points < size:
        raise ValueError(
            f"{size} different points cannot be drawn from {points}; give more or allow replacement"
        )
    places = torch.arange(size, device=numbers.device)
    bits = random_bits(key, numbers[:, None] * size + places)  # (s, size)
    if replacement:
        return (bits * points) >> 32
    draws = (bits * (points - places)) >> 32  # place k: one of the points - k that are left
    chosen: list[Tensor] = []  # (s,) each
    earlier: list[Tensor] = []  # the same, ascending
    for draw in draws.unbind(dim=1):
        for other in earlier:
            draw = draw + (draw >= other)  # it counts only what is left
        chosen.append(draw)
        for place, other in enumerate(earlier):
            earlier[place], draw = torch.minimum(other, draw), torch.maximum(other, draw)
        earlier.append(draw)
    return torch.stack(chosen, dim=1)


def random_numbers(
    keys: Sequence[Key], count: int, below: int, device: torch.device | str = "cpu"
) -> Int64[Tensor, "keys count"]:
    """Numbers 0 .. count - 1 of the stream of every key, uniform in 0 .. below - 1, below <= 2**31."""
    steps = torch.arange(count, device=device) * _signed(GAMMA)
    states = torch.cat([steps + key for key in keys])  # mixed together: fewer, larger operations
    return ((_upper_half(states) * below) >> 32).view(len(keys), count)


def random_bits(key: Key, counters: Int64[Tensor, "..."]) -> Int64[Tensor, "..."]:
    """32 random bits for every counter: the upper half of what SplitMix64 makes of key + counter * gamma."""
    return _upper_half(counters * _signed(GAMMA) + key)


def _upper_half(words: Int64[Tensor, "..."]) -> Int64[Tensor, "..."]:
    """The upper 32 bits of SplitMix64's output function. Products wrap around; shifts copy the sign, hence
    the masks."""
    words = (words ^ ((words >> 30) & (2**34 - 1))) * _signed(MIX_1)
    words = (words ^ ((words >> 27) & (2**37 - 1))) * _signed(MIX_2)
    return ((words ^ ((words >> 31) & (2**33 - 1))) >> 32) & 0xFFFFFFFF


def _signed(word: int) -> int:
    """64 bits as torch's int64 has them."""
    return word - 2**64 if word >= 2**63 else word


# the constants of SplitMix64
GAMMA = 0x9E3779B97F4A7C15
MIX_1 = 0xBF58476D1CE4E5B9
MIX_2 = 0x94D049BB133111EB
ALL_BITS = 2**64 - 1
