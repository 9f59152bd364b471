"""Triton kernels of the sweep that pairs births and deaths: one program per barcode.

The twin of `sweep_kernel`, whose docstring defines classes, potentials and loops; it finds the same pairs,
also among ties. It reads no lengths, only ranks: time is the number of edges that have arrived, so that an
edge (i, k) is there before the edge of rank p exactly if rank(i, k) < p, and no adjacency is kept.

What is different makes almost all edges cost nothing, since a program is slow at one edge after another:

* Only edges on a list are looked at. On it are the edges with an empty lune, which a kernel of its own finds
  in parallel beforehand. Every other edge arrives with loop zero and closes its triangles silently unless a
  loop that is not zero is in one of them. So, when a loop (i, k) becomes non-zero, the last edges of all its
  triangles that are still to be completed are put on the list. Loops only become zero otherwise.
* The list says too much, since loops end. From the next edge on it, a tile of edges is tested at once for the
  first that is not silent. Of two random clouds of 128 points in R^3, 900 of the 8128 edges are not.
* Cone triangles are tested in blocks for the first whose class is not zero.
* Bits are held by generator: `holders[slot]` has one bit per loop(i, k), and a last row with one bit per
  potential. To substitute is to add whole rows of words.

Races: a program works alone on its scratch memory. Wherever it reads what another of its threads has written
there stands a barrier, and another before it overwrites what some may still have to read (small tensors are
held, and loaded, by several warps). Counters and what belongs to a slot or a component are in registers.
Checked in Triton's interpreter only, which runs no threads: barriers were reasoned about, not tested.
"""

from __future__ import annotations

import triton
import triton.language as tl

LATER = tl.constexpr(2**30)
"""A rank after that of every edge."""

CLOSES, OPENS = tl.constexpr(1), tl.constexpr(2)
"""On the list since a loop may be in its lune, or since its lune is empty."""


@triton.jit
def find_empty_lunes(ranks, todo, n, edges, K: tl.constexpr, J: tl.constexpr):  # type: ignore[no-untyped-def]
    """Put the edges (i, j), j > i, of vertex i = program_id(1) with an empty lune on the list.

    Args:
        ranks: int32 (b, n, n), LATER on the diagonal.
        todo: int8 (b, edges) of zeros, OPENS for the edges found; b = program_id(0).
    """
    i = tl.program_id(1)  # a second axis may have 65535 programs, fewer than a batch may have items
    item = tl.program_id(0).to(tl.int64)
    matrix = ranks + item * n * n
    for first in range(i + 1, n, J):
        j = first + tl.arange(0, J)
        rank = tl.load(matrix + i * n + j, mask=j < n, other=0)
        soonest = tl.full((J,), LATER, tl.int32)  # rank at which some vertex is adjacent to i and j
        for start in range(0, n, K):
            k = start + tl.arange(0, K)
            from_i = tl.load(matrix + i * n + k, mask=k < n, other=LATER)
            both = (j < n)[:, None] & (k < n)[None, :]
            from_j = tl.load(matrix + j[:, None] * n + k[None, :], mask=both, other=LATER)
            soonest = tl.minimum(soonest, tl.min(tl.maximum(from_i[None, :], from_j), axis=1))
        tl.store(todo + item * edges + rank, tl.where(soonest > rank, OPENS, 0).to(tl.int8), mask=j < n)


@triton.jit
def _bits(holders, row, column, age, n, S: tl.constexpr, W: tl.constexpr):  # type: ignore[no-untyped-def]
    """The class at (row, column) as int32 (S,) of 0 and 1, one per slot that is not free."""
    slot = tl.arange(0, S).to(tl.int64)
    place = holders + (slot * (n + 1) + row) * W + column // 64
    word = tl.load(place, mask=age >= 0, other=0)
    return ((word >> (column % 64).to(tl.int64)) & 1).to(tl.int32)


@triton.jit
def _end_generator(  # type: ignore[no-untyped-def]
    holders, words, vector, youngest, change, n, S: tl.constexpr, W: tl.constexpr, F: tl.constexpr
):
    """Substitute `vector`, whose word is `change`, into every class that holds its slot `youngest`."""
    slot = tl.arange(0, S)
    size = (n + 1) * W
    own = holders + youngest.to(tl.int64) * size
    bit = tl.arange(0, 64)
    tl.debug_barrier()  # all threads have read what led here
    for start in range(0, size, F):
        f = start + tl.arange(0, F)
        held = tl.load(own + f, mask=f < size, other=0)
        if tl.max((held != 0).to(tl.int32), axis=0) > 0:
            rest = tl.where(slot == youngest, 0, vector)
            other = tl.min(tl.where(rest != 0, slot, S), axis=0)
            while other < S:
                there = holders + other.to(tl.int64) * size + f
                tl.store(there, tl.load(there, mask=f < size, other=0) ^ held, mask=f < size)
                rest = tl.where(slot == other, 0, rest)
                other = tl.min(tl.where(rest != 0, slot, S), axis=0)
            column = (f % W * 64)[:, None] + bit[None, :]
            place = words + (f // W * n)[:, None] + column
            holds = ((held[:, None] >> bit[None, :].to(tl.int64)) & 1) != 0
            tl.store(place, tl.load(place, mask=holds, other=0) ^ change, mask=holds)
    tl.debug_barrier()  # the row that all threads go by may be cleared now
    for start in range(0, size, F):
        f = start + tl.arange(0, F)
        tl.store(own + f, tl.full((F,), 0, tl.int64), mask=f < size)
    tl.debug_barrier()


@triton.jit
def sweep(  # type: ignore[no-untyped-def]
    ranks,
    order,
    classless,
    todo,
    cone_codes,
    cone_times,
    generator_words,
    words,
    holders,
    deaths,
    turns,
    complete,
    n,
    edges,
    cones,
    capacity,
    WITH_CONE: tl.constexpr,
    N: tl.constexpr,
    S: tl.constexpr,
    W: tl.constexpr,
    B: tl.constexpr,
    T: tl.constexpr,
    F: tl.constexpr,
):
    """Pair births and deaths of barcode program_id(0).

    Args:
        ranks: int32 (b, n, n), LATER on the diagonal; order: int32 (b, edges), i * n + j by rank.
        classless: int8 (b, edges), by rank: 1 where the cone triangle comes along with the edge.
        todo: int8 (b, edges) as left by `find_empty_lunes`; overwritten.
        cone_codes, cone_times: int32 (b, cones), edges of the cone triangles in order of time, and how many
            edges have arrived by then. None are read without cone.
        generator_words: int64 (edges,), random.
        words: scratch int64 (b, n + 1, n) of zeros: words of loops, and of potentials in row n.
        holders: scratch int64 (b, capacity, n + 1, W) of zeros.
        deaths: int32 (b, n * n) of -1; at the code of a birth edge 2 * death edge, plus 1 for a cone
            triangle, or -2 for a class that never dies. Bars of length 0 are included.
        turns: int32 (b, n * n); at the code of a birth edge the running number of its death.
        complete: int8 (b,) of 1; 0 where more than `capacity` classes were alive at once, and the bars are
            wrong.
        N, S, W: n and capacity rounded up to powers of two, N >= 64; W = N / 64.
        B: places of the list, or cone triangles, that are looked through at once; T: edges that are tested
            at once; F: words of holders, likewise.
    """
    item = tl.program_id(0).to(tl.int64)
    ranks += item * n * n
    order += item * edges
    classless += item * edges
    todo += item * edges
    cone_codes += item * cones
    cone_times += item * cones
    words += item * (n + 1) * n
    holders += item * capacity * (n + 1) * W
    deaths += item * n * n
    turns += item * n * n
    vertex = tl.arange(0, N)
    slot = tl.arange(0, S)
    block = tl.arange(0, B)
    component = tl.arange(0, N)
    age = tl.full((S,), -1, tl.int32)  # rank of the birth edge of the generator in a slot; -1: free
    born = tl.full((S,), 0, tl.int32)  # its code
    alive = 0
    died = 0
    cone = 0  # cone triangles that are done with
    p = 0  # edges that are done with
    going = 1
    while going > 0:
        # the first edge with an empty lune, or with a loop in a triangle that it closes
        following = edges
        start = p
        while (following == edges) & (start < edges):
            mark = tl.load(todo + start + block, mask=start + block < edges, other=0)
            mark = tl.where(alive == 0, mark - CLOSES, mark)  # without classes there are no loops
            skipped = tl.min(tl.where(mark > 0, block, B), axis=0)
            start += skipped
            if skipped < B:
                ahead = start + tl.arange(0, T)
                code = tl.load(order + ahead, mask=ahead < edges, other=0)
                inside = (ahead < edges)[:, None] & (vertex < n)[None, :]
                at_i = (code // n * n)[:, None] + vertex[None, :]
                at_j = (code % n * n)[:, None] + vertex[None, :]
                inside &= tl.load(ranks + at_i, mask=inside, other=LATER) < ahead[:, None]
                inside &= tl.load(ranks + at_j, mask=inside, other=LATER) < ahead[:, None]
                loops = tl.load(words + at_i, mask=inside, other=0)
                loops |= tl.load(words + at_j, mask=inside, other=0)
                kind = tl.max(tl.where(loops != 0, 2, inside.to(tl.int32)), axis=1)  # 1: silent
                following = tl.min(tl.where((kind != 1) & (ahead < edges), ahead, edges), axis=0)
                start += T

        if WITH_CONE:
            looking = alive
            while looking > 0:
                time = tl.load(cone_times + cone + block, mask=cone + block < cones, other=LATER)
                code = tl.load(cone_codes + cone + block, mask=time <= following, other=0)
                i, j = code // n, code % n
                mask = time <= following
                total = tl.load(words + n * n + i, mask=mask, other=0)
                total ^= tl.load(words + n * n + j, mask=mask, other=0)
                total ^= tl.load(words + code, mask=mask, other=0)
                first = tl.min(tl.where(total != 0, block, B), axis=0)
                if first < B:
                    change = tl.sum(tl.where(block == first, total, 0), axis=0)
                    edge = tl.sum(tl.where(block == first, code, 0), axis=0)
                    vector = _bits(holders, n, edge // n, age, n, S, W)
                    vector ^= _bits(holders, n, edge % n, age, n, S, W)
                    vector ^= _bits(holders, edge // n, edge % n, age, n, S, W)
                    newest = tl.max(tl.where(vector != 0, age, -1), axis=0)
                    youngest = tl.min(tl.where((vector != 0) & (age == newest), slot, S - 1), axis=0)
                    _end_generator(holders, words, vector, youngest, change, n, S, W, F)
                    birth = tl.sum(tl.where(slot == youngest, born, 0), axis=0)
                    tl.store(deaths + birth, 2 * edge + 1)
                    tl.store(turns + birth, died)
                    died += 1
                    age = tl.where(slot == youngest, -1, age)
                    alive -= 1
                    cone += first + 1
                    looking = alive
                else:
                    due = tl.sum(mask.to(tl.int32), axis=0)
                    cone += due
                    looking = (due == B).to(tl.int32)

        if following < edges:
            code = tl.load(order + following)
            i, j = code // n, code % n
            from_i = tl.load(ranks + i * n + vertex, mask=vertex < n, other=LATER)
            from_j = tl.load(ranks + j * n + vertex, mask=vertex < n, other=LATER)
            lune = (from_i < following) & (from_j < following)
            first = tl.min(tl.where(lune, vertex, N), axis=0)
            empty = first == N
            # loops to a vertex of the lune; potentials where it is empty
            row_i, row_j = tl.where(empty, n, i), tl.where(empty, n, j)
            column_i, column_j = tl.where(empty, i, first), tl.where(empty, j, first)
            word = tl.load(words + row_i * n + column_i) ^ tl.load(words + row_j * n + column_j)
            vector = _bits(holders, row_i, column_i, age, n, S, W)
            vector ^= _bits(holders, row_j, column_j, age, n, S, W)
            at_i = tl.sum(tl.where(vertex == i, component, 0), axis=0)
            at_j = tl.sum(tl.where(vertex == j, component, 0), axis=0)
            starts = empty & (tl.load(classless + following) == 0)
            if not WITH_CONE:
                starts = starts & (at_i == at_j)
            tl.debug_barrier()  # all threads have read; from here on some write
            if starts:
                own = tl.min(tl.where((age < 0) & (slot < capacity), slot, S), axis=0)
                if own == S:
                    tl.store(complete + item, tl.full((), 0, tl.int8))
                    going = 0
                vector = tl.where(slot == own, 1, vector)
                word ^= tl.load(generator_words + following)
                age = tl.where(slot == own, following, age)
                born = tl.where(slot == own, code, born)
                alive += 1
            if empty & (at_i != at_j):
                # the component of j shifts its potentials, so that loop(i, j) is zero
                shifts = component == at_j
                component = tl.where(shifts, at_i, component)
                if word != 0:
                    there = words + n * n + vertex
                    tl.store(there, tl.load(there, mask=shifts, other=0) ^ word, mask=shifts)
                    bit = tl.arange(0, 64).to(tl.int64)[None, :]
                    packed = tl.sum(tl.reshape(shifts, (W, 64)).to(tl.int64) << bit, axis=1)
                    row = (slot.to(tl.int64) * (n + 1) + n) * W
                    place = holders + row[:, None] + tl.arange(0, W)[None, :]
                    mine = (vector != 0)[:, None] & (packed != 0)[None, :]
                    held = tl.load(place, mask=mine, other=0)
                    tl.store(place, held ^ packed[None, :], mask=mine)
                    tl.debug_barrier()
            elif word != 0:
                tl.store(words + i * n + j, word)
                tl.store(words + j * n + i, word)
                row = slot.to(tl.int64) * (n + 1)
                place = holders + (row + i) * W + j // 64
                held = tl.load(place, mask=vector != 0, other=0)
                one = tl.full((S,), 1, tl.int64)
                tl.store(place, held | (one << (j % 64).to(tl.int64)), mask=vector != 0)
                place = holders + (row + j) * W + i // 64
                held = tl.load(place, mask=vector != 0, other=0)
                tl.store(place, held | (one << (i % 64).to(tl.int64)), mask=vector != 0)
                # triangles that this loop is in and that are still to be closed
                last = tl.maximum(from_i, from_j)
                tl.store(
                    todo + last, tl.full((N,), CLOSES, tl.int8), mask=(last > following) & (last < edges)
                )
                tl.debug_barrier()
            closing = tl.where(empty, 0, alive)
            while closing > 0:
                loops = tl.load(words + i * n + vertex, mask=lune, other=0)
                loops ^= tl.load(words + j * n + vertex, mask=lune, other=0)
                loops ^= tl.load(words + code)
                k = tl.min(tl.where(lune & (loops != 0), vertex, N), axis=0)
                if k < N:
                    change = tl.sum(tl.where(vertex == k, loops, 0), axis=0)
                    vector = _bits(holders, i, k, age, n, S, W)
                    vector ^= _bits(holders, j, k, age, n, S, W)
                    vector ^= _bits(holders, i, j, age, n, S, W)
                    newest = tl.max(tl.where(vector != 0, age, -1), axis=0)
                    youngest = tl.min(tl.where((vector != 0) & (age == newest), slot, S - 1), axis=0)
                    _end_generator(holders, words, vector, youngest, change, n, S, W, F)
                    birth = tl.sum(tl.where(slot == youngest, born, 0), axis=0)
                    tl.store(deaths + birth, 2 * code)
                    tl.store(turns + birth, died)
                    died += 1
                    age = tl.where(slot == youngest, -1, age)
                    alive -= 1
                    closing = alive
                else:
                    closing = 0
            p = following + 1
        else:
            going = 0
    tl.store(deaths + born, tl.full((S,), -2, tl.int32), mask=age >= 0)
