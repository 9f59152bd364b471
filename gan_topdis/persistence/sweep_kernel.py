"""The compiled sweep that pairs births and deaths: cross-barcodes, and plain Vietoris-Rips H0 and H1.

Cells of a cross-barcode and their times are those of `cross_barcode.py`. An edge is a class over Z/2 in the
homology of the complex relative to the star of the cone vertex; three things happen as time goes by:

* an edge arrives (order of `lower`). With an empty lune (no vertex k adjacent to both ends) it starts a class
  of its own, a generator; otherwise a vertex k of its lune gives its class, class(i, k) + class(j, k);
* every further k of the lune closes a triangle. If its three classes do not sum to zero, a bar ends;
* the cone triangle of an edge arrives (order of `upper`). If the edge's class is not zero, a bar ends.

A bar that ends is that of the youngest generator of the offending vector (elder rule), and the vector is
substituted into every stored class, so that classes are always reduced. Plain Vietoris-Rips has no cone, and
an edge that joins two components has class zero and ends a bar of H0.

What makes it fast: classes are stored relative to potentials of the vertices,

    class(i, j) = loop(i, j) + potential(i) + potential(j),

chosen so that `loop` is zero on a minimum spanning tree of `lower`. Potentials cancel around a triangle, so
that triangles see `loop` alone, and that is zero for every edge that does not run around a loop alive in
`lower`: almost all edges, almost always. Joins and their bars, the majority, live in the n potentials. An
edge whose lune meets no such loop (a few words of bits tell) arrives in the time it takes to set two bits.

Every potential and every loop(i, j) that is not zero has a row of bits over the living generators (exact, in
planes of 64 slots that are reused after a death) and a word, the exclusive-or of one random 63-bit number per
generator, which is what triangles compare: a sum that is not zero has word zero with probability 2**-63.
"""

from __future__ import annotations

import numpy as np
from numba import njit

ZERO = np.uint64(0)
ONE = np.uint64(1)
WITH_CONE, ALL_PAIRS = 1, 2
BLOCK = 32
"""Rows that are searched at once for holders of a generator; capacities are multiples of it."""

# Places in `counts`
ALIVE, BORN, FREE_SLOTS, FREE_ROWS, TOP = range(5)


@njit(cache=True, nogil=True, error_model="numpy", inline="always")
def generator_word(index):  # type: ignore[no-untyped-def]
    """A fixed pseudo-random 63-bit number per generator (splitmix64)."""
    x = np.uint64(index + 1) * np.uint64(0x9E3779B97F4A7C15)
    x = (x ^ (x >> np.uint64(30))) * np.uint64(0xBF58476D1CE4E5B9)
    x = (x ^ (x >> np.uint64(27))) * np.uint64(0x94D049BB133111EB)
    return (x ^ (x >> np.uint64(31))) & np.uint64(0x7FFFFFFFFFFFFFFF)


@njit(cache=True, nogil=True, error_model="numpy")
def _first_bit(word):  # type: ignore[no-untyped-def]
    """Index of the lowest bit of a word that is not zero."""
    index = 0
    for width in (32, 16, 8, 4, 2, 1):
        if word & ((ONE << np.uint64(width)) - ONE) == ZERO:
            word >>= np.uint64(width)
            index += width
    return index


@njit(cache=True, nogil=True, error_model="numpy")
def _open_triangle(near_i, near_j, words_i, words_j, word, start):  # type: ignore[no-untyped-def]
    """First k >= start of the lune with loop(i, k) + loop(j, k) + loop(i, j) != 0, or -1.

    Blocks of 64 vertices are searched without branches; `start` counts whole blocks.
    """
    for w in range(start >> 6, near_i.shape[0]):
        lune = near_i[w] & near_j[w]
        if lune == ZERO:
            continue
        found = ZERO
        for k in range(64):
            total = words_i[64 * w + k] ^ words_j[64 * w + k] ^ word
            found |= total & (ZERO - ((lune >> np.uint64(k)) & ONE))
        if found == ZERO:
            continue
        while True:
            k = 64 * w + _first_bit(lune)
            if words_i[k] ^ words_j[k] != word:
                return k
            lune &= lune - ONE
    return -1


@njit(cache=True, nogil=True, error_model="numpy")
def _end_bar(vector, bits, row_word, row_edge, words, looping, slot_age, free_slots, free_rows, counts, n):  # type: ignore[no-untyped-def]
    """Make `vector` zero from now on: end its youngest generator, whose slot is returned, and substitute."""
    youngest = -1
    age = np.int64(-1)
    change = ZERO
    for plane in range(vector.shape[0]):
        rest = vector[plane]
        while rest != ZERO:
            slot = plane * 64 + _first_bit(rest)
            rest &= rest - ONE
            change ^= generator_word(slot_age[slot])
            if slot_age[slot] > age:
                age = slot_age[slot]
                youngest = slot
    planes = np.empty(vector.shape[0], np.int64)  # those in which the vector has bits: mostly a few of many
    used = 0
    for plane in range(vector.shape[0]):
        if vector[plane] != ZERO:
            planes[used] = plane
            used += 1
    holders = bits[youngest >> 6]
    mask = ONE << np.uint64(youngest & 63)
    for block in range(0, counts[TOP], BLOCK):
        found = ZERO
        for row in range(block, block + BLOCK):
            found |= holders[row]
        if found & mask == ZERO:
            continue
        for row in range(block, block + BLOCK):
            if holders[row] & mask == ZERO:
                continue
            for p in range(used):
                bits[planes[p], row] ^= vector[planes[p]]
            row_word[row] ^= change
            if row > n:  # of an edge, not of a vertex
                i = row_edge[row] >> 16
                j = row_edge[row] & 0xFFFF
                words[i, j] = row_word[row]
                words[j, i] = row_word[row]
                if row_word[row] == ZERO:
                    looping[i, j >> 6] ^= ONE << np.uint64(j & 63)
                    looping[j, i >> 6] ^= ONE << np.uint64(i & 63)
                    bits[:, row] = ZERO
                    free_rows[counts[FREE_ROWS]] = row
                    counts[FREE_ROWS] += 1
    slot_age[youngest] = -1
    free_slots[counts[FREE_SLOTS]] = youngest
    counts[FREE_SLOTS] += 1
    counts[ALIVE] -= 1
    return youngest


@njit(cache=True, nogil=True, error_model="numpy")
def sweep(  # type: ignore[no-untyped-def]
    lower,
    upper,
    lower_order,
    upper_order,
    lower_keys,
    upper_keys,
    last_birth,
    mode,
    words,
    row_of,
    pairs,
    tree,
    essential,
):
    """Pair births and deaths of one barcode.

    Args:
        lower, upper: (n, n) accepted by `inspect_matrix`, lower <= upper. `upper` is not read without cone.
        lower_order, upper_order: their edges as sorted by `sort_edges`. With the cone both have to reach the
            enclosing radius of `upper`, where every bar has ended.
        lower_keys, upper_keys: lengths of these edges, as unsigned integers.
        last_birth: no generator is born at a length above this one: the enclosing radius of `lower`.
        mode: WITH_CONE for a cross-barcode, plus ALL_PAIRS to report pairs of length 0 too.
        words, row_of: scratch, uint64 (n, 64 width) of zeros, which it is again afterwards, for the word of
            loop(i, j), and int32 (n, n) of anything, for its row where it is not zero; width = ceil(n / 64).
        pairs: int32 (r, 3), overwritten row by row in order of deaths with the birth edge, the death
            edge (each i << 16 | j, i < j), and 1 where the death is read from `upper`, 0 from `lower`.
        tree: int32 (n - 1,), overwritten with the edges that join components, in order; without cone only.
        essential: int32 (r,), overwritten with birth edges of generators that never die.

    Returns:
        The numbers of pairs, tree edges and essential generators. Where the first or the last exceeds r,
        rows beyond r were dropped and the caller is to come back with room for all.
    """
    n = lower.shape[0]
    edges = lower_order.shape[0]
    cone = mode & WITH_CONE != 0
    all_pairs = mode & ALL_PAIRS != 0
    width = (n + 63) // 64
    adjacency = np.zeros((n, width), np.uint64)  # bit k of row i: edge (i, k) has arrived
    looping = np.zeros((n, width), np.uint64)  # bit k of row i: loop(i, k) is not zero
    # rows 0 .. n - 1: potentials; row n: always zero; rows from n + 1: loop(i, j) that are not zero
    capacity = (2 * n + 64) // BLOCK * BLOCK + BLOCK
    bits = np.zeros((1, capacity), np.uint64)
    row_word = np.zeros(capacity, np.uint64)
    row_edge = np.zeros(capacity, np.int32)
    free_rows = np.empty(capacity, np.int32)
    slot_edge = np.zeros(64, np.int32)  # birth edge of the generator in a slot
    slot_age = np.full(64, -1, np.int64)  # running number of that generator; -1: free slot
    free_slots = np.arange(63, -1, -1).astype(np.int32)
    vector = np.zeros(1, np.uint64)  # bits of a class that arrives or dies
    counts = np.array([0, 0, 64, 0, n + 1])
    component = np.arange(n).astype(np.int32)
    size = np.ones(n, np.int32)
    following = np.arange(n).astype(np.int32)  # circular list of the vertices of a component
    joins = 0
    bars = 0
    q = 0
    for p in range(edges + 1):
        # of two cells at one time, the edge goes before the cone triangle
        while cone and counts[ALIVE] > 0 and q < upper_order.shape[0]:
            if p < edges and upper_keys[q] >= lower_keys[p]:
                break
            code = upper_order[q]
            i = code >> 16
            j = code & 0xFFFF
            q += 1
            row = n  # loops of edges to come are zero
            if looping[i, j >> 6] >> np.uint64(j & 63) & ONE != ZERO:
                row = row_of[i, j]
            if row_word[i] ^ row_word[j] ^ row_word[row] == ZERO:
                continue
            for plane in range(vector.shape[0]):
                vector[plane] = bits[plane, i] ^ bits[plane, j] ^ bits[plane, row]
            slot = _end_bar(
                vector, bits, row_word, row_edge, words, looping, slot_age, free_slots, free_rows, counts, n
            )
            birth = slot_edge[slot]
            if all_pairs or upper[i, j] > lower[birth >> 16, birth & 0xFFFF]:
                if bars < pairs.shape[0]:
                    pairs[bars, 0] = birth
                    pairs[bars, 1] = code
                    pairs[bars, 2] = 1
                bars += 1
        if p == edges:
            break

        code = lower_order[p]
        i = code >> 16
        j = code & 0xFFFF
        length = lower[i, j]
        if counts[ALIVE] == 0 and length > last_birth:
            break
        first = -1  # some vertex of the lune
        meets = ZERO  # whether a loop passes through the lune
        for w in range(width):
            lune = adjacency[i, w] & adjacency[j, w]
            meets |= lune & (looping[i, w] | looping[j, w])
            if lune != ZERO and first < 0:
                first = w * 64 + _first_bit(lune)
        adjacency[i, j >> 6] |= ONE << np.uint64(j & 63)
        adjacency[j, i >> 6] |= ONE << np.uint64(i & 63)
        # with V = U the cone triangle comes along and makes the class zero
        classless = cone and length == upper[i, j]

        if first >= 0:
            if counts[ALIVE] == 0:
                continue
            if classless:
                word = row_word[i] ^ row_word[j]
            else:
                word = words[i, first] ^ words[j, first]
            if word == ZERO and meets == ZERO:
                continue
            if word != ZERO:
                if classless:
                    one, two = i, j
                else:
                    one = row_of[i, first] if words[i, first] != ZERO else n
                    two = row_of[j, first] if words[j, first] != ZERO else n
                for plane in range(vector.shape[0]):
                    vector[plane] = bits[plane, one] ^ bits[plane, two]
        else:
            starts = not classless and (cone or component[i] == component[j])
            word = ZERO
            vector[:] = ZERO
            if starts:
                if counts[FREE_SLOTS] == 0:  # another plane of 64 slots
                    planes = bits.shape[0]
                    bits = np.concatenate((bits, np.zeros((1, capacity), np.uint64)))
                    slot_edge = np.concatenate((slot_edge, np.zeros(64, np.int32)))
                    slot_age = np.concatenate((slot_age, np.full(64, -1, np.int64)))
                    free_slots = np.zeros(64 * (planes + 1), np.int32)
                    free_slots[:64] = np.arange(64 * planes + 63, 64 * planes - 1, -1)
                    counts[FREE_SLOTS] = 64
                    vector = np.zeros(planes + 1, np.uint64)
                counts[FREE_SLOTS] -= 1
                slot = free_slots[counts[FREE_SLOTS]]
                slot_edge[slot] = code
                slot_age[slot] = counts[BORN]
                vector[slot >> 6] = ONE << np.uint64(slot & 63)
                word = generator_word(counts[BORN])
                counts[BORN] += 1
                counts[ALIVE] += 1
            if cone and counts[ALIVE] > 0:
                word ^= row_word[i] ^ row_word[j]
                for plane in range(vector.shape[0]):
                    vector[plane] ^= bits[plane, i] ^ bits[plane, j]
            if component[i] != component[j]:
                # the smaller component shifts its potentials, so that loop(i, j) is zero
                if not cone:
                    tree[joins] = code
                joins += 1
                into, out = i, j
                if size[component[i]] < size[component[j]]:
                    into, out = j, i
                size[component[into]] += size[component[out]]
                v = out
                while True:
                    component[v] = component[into]
                    if word != ZERO:
                        row_word[v] ^= word
                        for plane in range(vector.shape[0]):
                            bits[plane, v] ^= vector[plane]
                    v = following[v]
                    if v == out:
                        break
                following[into], following[out] = following[out], following[into]
                word = ZERO

        if word != ZERO:
            words[i, j] = word
            words[j, i] = word
            if counts[FREE_ROWS] > 0:
                counts[FREE_ROWS] -= 1
                row = free_rows[counts[FREE_ROWS]]
            else:
                if counts[TOP] == capacity:
                    bits = np.concatenate((bits, np.zeros((bits.shape[0], capacity), np.uint64)), axis=1)
                    row_word = np.concatenate((row_word, np.zeros(capacity, np.uint64)))
                    row_edge = np.concatenate((row_edge, np.zeros(capacity, np.int32)))
                    capacity *= 2
                    free_rows = np.empty(capacity, np.int32)
                row = counts[TOP]
                counts[TOP] += 1
            bits[:, row] = vector
            row_word[row] = word
            row_edge[row] = code
            row_of[i, j] = row
            row_of[j, i] = row
            looping[i, j >> 6] |= ONE << np.uint64(j & 63)
            looping[j, i >> 6] |= ONE << np.uint64(i & 63)
        k = first
        while k >= 0 and counts[ALIVE] > 0:
            k = _open_triangle(adjacency[i], adjacency[j], words[i], words[j], words[i, j], k)
            if k < 0:
                break
            one = row_of[i, k] if words[i, k] != ZERO else n
            two = row_of[j, k] if words[j, k] != ZERO else n
            row = row_of[i, j] if words[i, j] != ZERO else n
            for plane in range(vector.shape[0]):
                vector[plane] = bits[plane, one] ^ bits[plane, two] ^ bits[plane, row]
            slot = _end_bar(
                vector, bits, row_word, row_edge, words, looping, slot_age, free_slots, free_rows, counts, n
            )
            birth = slot_edge[slot]
            if all_pairs or length > lower[birth >> 16, birth & 0xFFFF]:
                if bars < pairs.shape[0]:
                    pairs[bars, 0] = birth
                    pairs[bars, 1] = code
                    pairs[bars, 2] = 0
                bars += 1
    last = 0
    for slot in range(slot_age.shape[0]):
        if slot_age[slot] >= 0:
            if last < essential.shape[0]:
                essential[last] = slot_edge[slot]
            last += 1
    for row in range(n + 1, counts[TOP]):  # without a cone some loops never close
        if row_word[row] != ZERO:
            i = row_edge[row] >> 16
            j = row_edge[row] & 0xFFFF
            words[i, j] = ZERO
            words[j, i] = ZERO
    return bars, joins, last
