"""Critical edges of cross-barcodes, and of plain Vietoris-Rips H1, on a GPU.

Sorting is torch's; the sweep is a Triton kernel (`sweep_triton`, which says what was checked). Everything up
to `Deaths` has shapes that do not depend on the data and never waits for the device.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import torch
import triton
from jaxtyping import Bool, Float, Int64
from torch import Tensor

from gan_topdis.persistence.pairing import MAXIMUM, MINIMUM, A, B, Pairing
from gan_topdis.persistence.sweep_triton import LATER, find_empty_lunes, sweep

SCRATCH = 2**30
"""Bytes of scratch memory for barcodes that are swept at the same time; at least one is."""

LOOK, TILE, HELD = 1024, 2048, 64
"""Places of a list, pairs of edge and vertex, and words of holders that a program has in hand at once."""


@dataclass(frozen=True)
class Deaths:
    """Death edges of a batch of barcodes, by birth edge; all on the device of the matrices.

    Attributes:
        death: at code i * n + j (i < j) of a birth edge the code of its death edge, if the bar is longer than
            0; -2 if the class never dies; -1 everywhere else.
        in_upper: whether the death is to be read from `upper`, else from `lower`.
        turn: running number of that death, with gaps.
        complete: False where more classes were alive at once than there was room for: the bars are wrong.
    """

    death: Int64[Tensor, "b codes"]
    in_upper: Bool[Tensor, "b codes"]
    turn: Int64[Tensor, "b codes"]
    complete: Bool[Tensor, " b"]


def pair_cross_barcodes(
    a: Float[Tensor, "items n n"],
    b: Float[Tensor, "items n n"],
    terms: Sequence[tuple[int, int]],
    *,
    capacity: int | None = None,
) -> Pairing | None:
    """What `pairing.pair_cross_barcodes` returns, bars in the same order, on the device of a and b.

    Waits for the device once, to learn the largest number of bars.

    Args:
        a, b: see `pair_deaths`; not checked here, nor is a <= b for a term (A, B).
        terms: pairs of kinds (lower, upper), such as (MINIMUM, A).
        capacity: see `pair_deaths`.

    Returns:
        None where that was not enough for some barcode: to be paired on the CPU.
    """
    items, n, _ = a.shape
    kinds = {A: a, B: b, MINIMUM: torch.minimum(a, b), MAXIMUM: torch.maximum(a, b)}
    lower, upper = (
        torch.stack([kinds[term[side]] for term in terms], dim=1).flatten(0, 1) for side in range(2)
    )  # (items * terms, n, n) each
    found = pair_deaths(lower, upper, capacity=capacity)
    present = found.death >= 0
    longest = present.sum(dim=1).max() if len(present) else present.sum()
    complete, r = torch.stack([found.complete.all().long(), longest]).tolist()
    if not complete:
        return None
    order = torch.where(present, found.turn, n * n).sort(dim=1).indices[:, :r]  # births in order of death
    there = present.gather(1, order)
    shape = (items, len(terms), r)
    return Pairing(
        birth=torch.where(there, order, 0).reshape(shape),
        death=torch.where(there, found.death.gather(1, order), 0).reshape(shape),
        death_in_upper=(there & found.in_upper.gather(1, order)).reshape(shape),
    )


def pair_deaths(
    lower: Float[Tensor, "b n n"], upper: Float[Tensor, "b n n"] | None, *, capacity: int | None = None
) -> Deaths:
    """Pair births and deaths of the cross-barcodes R(upper; lower), or of plain H1 without `upper`.

    Args:
        lower, upper: symmetric, finite, non-negative, zero diagonal, lower <= upper; not checked here.
        capacity: classes that may be alive at once, 4 n by default: clouds have up to 2 n, random
            matrices 3.5 n at n = 128, and a bipartite graph with long edges inside its halves n^2 / 4.
            Scratch memory is capacity * n^2 / 8 bytes a barcode.

    Returns:
        The pairs of `pairing.pair_cross_barcodes` and `rips_pairing.rips_pairings`, without waiting for the
        device. Gradients are not tracked.

    Exactness: as in `sweep_kernel`, a triangle is taken for closed by mistake with probability 2**-63.
    """
    b, n, _ = lower.shape
    room = 4 * n if capacity is None else capacity
    deaths = torch.full((b, n * n), -1, dtype=torch.int32, device=lower.device)
    turns = torch.zeros_like(deaths)
    complete = torch.ones(b, dtype=torch.int8, device=lower.device)
    lower, upper = lower.detach(), None if upper is None else upper.detach()
    width = max(64, triton.next_power_of_2(n)) // 64
    together = max(1, SCRATCH // (8 * room * (n + 1) * width))
    for first in range(0, b if n > 1 else 0, together):
        part = slice(first, first + together)
        results = deaths[part], turns[part], complete[part]
        _sweep_some(lower[part], None if upper is None else upper[part], room, results)
    death, is_cone = deaths.long() >> 1, (deaths & 1).bool() & (deaths >= 0)
    code = death.clamp(min=0)
    low = lower.flatten(1)
    length = low.gather(1, code)
    if upper is not None:
        high = upper.flatten(1).gather(1, code)
        is_cone = is_cone & (high > length)  # read from `lower` where they are equal
        length = torch.where(is_cone, high, length)
    death = torch.where((deaths >= 0) & (length <= low), -1, torch.where(deaths == -2, -2, death))
    return Deaths(death=death, in_upper=is_cone & (death >= 0), turn=turns.long(), complete=complete.bool())


def _sweep_some(
    lower: Float[Tensor, "b n n"],
    upper: Float[Tensor, "b n n"] | None,
    capacity: int,
    results: tuple[Tensor, Tensor, Tensor],
) -> None:
    """Sort the edges of some barcodes and run both kernels on them; results: deaths, turns, complete."""
    b, n, _ = lower.shape
    device = lower.device
    i, j = torch.triu_indices(n, n, offset=1, device=device)
    codes = i * n + j  # ascending
    edges = len(codes)
    lengths, order = (lower.flatten(1)[:, codes] + 0.0).sort(dim=1, stable=True)  # -0.0 becomes 0.0
    order = codes[order]
    ranks = torch.full((b, n * n), LATER.value, dtype=torch.int32, device=device)
    place = torch.arange(edges, dtype=torch.int32, device=device).expand(b, edges)
    ranks.scatter_(1, order, place)
    ranks.scatter_(1, order % n * n + order // n, place)
    classless = torch.zeros(b, edges, dtype=torch.int8, device=device)
    cone_codes = cone_times = torch.zeros(b, 0, dtype=torch.int32, device=device)
    if upper is not None:
        classless = (upper.flatten(1).gather(1, order) == lengths).to(torch.int8)
        heights, later = (upper.flatten(1)[:, codes] + 0.0).sort(dim=1, stable=True)
        later = codes[later]
        # of two cells at one time, the edge goes before the cone triangle
        times = torch.searchsorted(lengths, heights, right=True)
        at = ranks.gather(1, later).long()
        along = classless.gather(1, at).bool()
        # but a cone triangle that enters with its edge follows it at once
        times, again = (2 * torch.where(along, at + 1, times) + ~along).sort(dim=1, stable=True)
        cone_codes, cone_times = later.gather(1, again).int(), (times // 2).int()
    todo = torch.zeros(b, edges, dtype=torch.int8, device=device)
    padded = max(64, triton.next_power_of_2(n))
    words = torch.zeros(b, n + 1, n, dtype=torch.int64, device=device)
    holders = torch.zeros(b, capacity, n + 1, padded // 64, dtype=torch.int64, device=device)
    with torch.cuda.device_of(lower):
        find_empty_lunes[(b, n)](ranks, todo, n, edges, K=64, J=32, enable_fp_fusion=False)
        sweep[(b,)](
            ranks,
            order.int(),
            classless,
            todo,
            cone_codes,
            cone_times,
            _generator_words(edges, device),
            words,
            holders,
            *results,
            n,
            edges,
            cone_codes.shape[1],
            capacity,
            WITH_CONE=upper is not None,
            N=padded,
            S=triton.next_power_of_2(capacity),
            W=padded // 64,
            B=LOOK,
            T=max(1, TILE // padded),
            F=HELD,
            num_warps=4,
            enable_fp_fusion=False,
        )


def _generator_words(count: int, device: torch.device) -> Int64[Tensor, " count"]:
    """Fixed pseudo-random 63-bit numbers (splitmix64), as in `sweep_kernel`."""

    def shifted(x: Tensor, bits: int) -> Tensor:
        return x ^ ((x >> bits) & ((1 << (64 - bits)) - 1))

    # int64 multiplication wraps; the factors are those of splitmix64 as signed numbers
    x = torch.arange(1, count + 1, device=device) * (0x9E3779B97F4A7C15 - 2**64)
    x = shifted(x, 30) * (0xBF58476D1CE4E5B9 - 2**64)
    x = shifted(x, 27) * (0x94D049BB133111EB - 2**64)
    return shifted(x, 31) & (2**63 - 1)
