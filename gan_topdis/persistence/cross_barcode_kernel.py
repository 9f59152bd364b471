"""The compiled sweep that pairs births and deaths of a cross-barcode.

Cells and their times are those of `cross_barcode.py`. An edge is a class over Z/2 in the homology of
the complex relative to the star of the cone vertex; three things happen as time goes by:

* an edge arrives (order of `lower`). With an empty lune it starts a class of its own, a generator;
  otherwise some vertex k of its lune gives its class, class(i, k) + class(j, k);
* every further k of the lune closes a triangle. If its three classes do not sum to zero, a bar ends;
* the cone triangle of an edge arrives (order of `upper`). If the edge's class is not zero, a bar ends.

A bar that ends is that of the youngest generator of the offending vector (elder rule), and the vector
is substituted into every stored class, so that classes are always reduced.

Two representations are kept of every class. Its bits over the living generators, in planes of 64 slots
that are reused after a death, are exact and touched only at births and deaths. Its word is the
exclusive-or of one random 63-bit number per generator and is what the triangle loop tests: a class
that is not zero has word zero with probability 2**-63.

Only this module imports numba. Kernels release the GIL; threads come from `pairing.py`.
"""

from __future__ import annotations

import numpy as np
from numba import njit

ABSENT = np.uint64(1 << 63)
"""Top bit of the word of an edge that has not arrived (and of the diagonal)."""

# Reasons for refusing a matrix, in the order in which they are looked for
ACCEPTED, NOT_FINITE, NEGATIVE, DIAGONAL, ASYMMETRIC = range(5)


@njit(cache=True, nogil=True)
def inspect_matrix(distances):  # type: ignore[no-untyped-def]
    """First reason why a float64 (n, n) matrix is no distance matrix, or ACCEPTED."""
    n = distances.shape[0]
    reason = ACCEPTED
    for i in range(n):
        if distances[i, i] != 0.0:
            if not np.isfinite(distances[i, i]):
                return NOT_FINITE
            reason = DIAGONAL
        for j in range(i):
            d = distances[i, j]
            if not np.isfinite(d) or not np.isfinite(distances[j, i]):
                return NOT_FINITE
            if d < 0.0:
                reason = NEGATIVE
            elif d != distances[j, i] and reason == ACCEPTED:
                reason = ASYMMETRIC
    return reason


@njit(cache=True, nogil=True)
def sort_edges(distances, order):  # type: ignore[no-untyped-def]
    """Order of the edges of one matrix: by length, then by index i * n + j (i < j).

    Radix sort of the 64-bit patterns of non-negative doubles, which order as the numbers do; it is
    stable, so equal lengths keep their index order. Digits that all edges share cost one pass of
    counting; doubles that hold float32 values have two such digits.

    Args:
        distances: float64 (n, n), accepted by `inspect_matrix`.
        order: int32 (n (n - 1) / 2,), overwritten with i * n + j.
    """
    n = distances.shape[0]
    edges = n * (n - 1) // 2
    values = np.empty(edges, np.float64)
    codes = np.empty(edges, np.int32)
    p = 0
    for i in range(n):
        for j in range(i + 1, n):
            values[p] = distances[i, j] + 0.0  # -0.0 becomes 0.0
            codes[p] = i * n + j
            p += 1
    keys = values.view(np.uint64)
    counts = np.zeros((6, 2048), np.int64)
    for p in range(edges):
        key = keys[p]
        for digit in range(6):
            counts[digit, (key >> np.uint64(11 * digit)) & np.uint64(2047)] += 1
    other_keys = np.empty(edges, np.uint64)
    other_codes = np.empty(edges, np.int32)
    for digit in range(6):
        shift = np.uint64(11 * digit)
        count = counts[digit]
        if edges == 0 or count[(keys[0] >> shift) & np.uint64(2047)] == edges:
            continue
        total = 0
        for value in range(2048):
            here = count[value]
            count[value] = total
            total += here
        for p in range(edges):
            bucket = (keys[p] >> shift) & np.uint64(2047)
            target = count[bucket]
            count[bucket] = target + 1
            other_keys[target] = keys[p]
            other_codes[target] = codes[p]
        keys, other_keys = other_keys, keys
        codes, other_codes = other_codes, codes
    for p in range(edges):
        order[p] = codes[p]


@njit(cache=True, nogil=True, inline="always")
def generator_word(index):  # type: ignore[no-untyped-def]
    """A fixed pseudo-random 63-bit number per generator (splitmix64)."""
    x = np.uint64(index + 1) * np.uint64(0x9E3779B97F4A7C15)
    x = (x ^ (x >> np.uint64(30))) * np.uint64(0xBF58476D1CE4E5B9)
    x = (x ^ (x >> np.uint64(27))) * np.uint64(0x94D049BB133111EB)
    return (x ^ (x >> np.uint64(31))) & np.uint64(0x7FFFFFFFFFFFFFFF)


@njit(cache=True, nogil=True)
def _first_common_neighbour(row_i, row_j):  # type: ignore[no-untyped-def]
    """Smallest vertex adjacent to both, from two rows of adjacency bits; -1 when the lune is empty."""
    for plane in range(row_i.shape[0]):
        both = row_i[plane] & row_j[plane]
        if both != np.uint64(0):
            vertex = plane * 64
            while both & np.uint64(1) == np.uint64(0):
                both >>= np.uint64(1)
                vertex += 1
            return vertex
    return -1


@njit(cache=True, nogil=True)
def _any_open_triangle(row_i, row_j, word):  # type: ignore[no-untyped-def]
    """Whether some k of the lune has class(i, k) + class(j, k) + class(i, j) != 0 (branch-free)."""
    found = np.uint64(0)
    for k in range(row_i.shape[0]):
        total = (row_i[k] ^ row_j[k] ^ word) << np.uint64(1)  # without the top bit
        # all ones where both edges are present, zero where one is absent
        present = ((row_i[k] | row_j[k]) >> np.uint64(63)) - np.uint64(1)
        found |= total & present
    return found != np.uint64(0)


@njit(cache=True, nogil=True)
def _youngest(vector, slot_age):  # type: ignore[no-untyped-def]
    """Slot of the generator born last among the bits of a class that is not zero (elder rule)."""
    youngest = -1
    age = np.int64(-1)
    for plane in range(vector.shape[0]):
        word = vector[plane]
        slot = plane * 64
        while word != np.uint64(0):
            if word & np.uint64(1) and slot_age[slot] > age:
                age = slot_age[slot]
                youngest = slot
            word >>= np.uint64(1)
            slot += 1
    return youngest


@njit(cache=True, nogil=True)
def _substitute(words, bits, vector, slot, slot_age, lower_order, present, n):  # type: ignore[no-untyped-def]
    """Add `vector` to every class that holds `slot`, which makes `vector` zero from now on."""
    change = np.uint64(0)
    for plane in range(vector.shape[0]):
        word = vector[plane]
        other = plane * 64
        while word != np.uint64(0):
            if word & np.uint64(1):
                change ^= generator_word(slot_age[other])
            word >>= np.uint64(1)
            other += 1
    holds = bits[slot >> 6]
    mask = np.uint64(1) << np.uint64(slot & 63)
    for p in range(present):
        if holds[p] & mask:
            bits[:, p] ^= vector
            code = lower_order[p]
            i = code // n
            j = code % n
            words[i, j] ^= change
            words[j, i] ^= change


@njit(cache=True, nogil=True)
def sweep(lower, upper, lower_order, upper_order, pairs):  # type: ignore[no-untyped-def]
    """Pair births and deaths of one cross-barcode.

    Args:
        lower, upper: float64 (n, n) accepted by `inspect_matrix`, lower <= upper.
        lower_order, upper_order: their edges as sorted by `sort_edges`.
        pairs: int32 (r, 3), overwritten row by row in order of deaths with the birth edge, the death
            edge (each i * n + j, i < j), and 1 where the death is read from `upper`, 0 from `lower`.

    Returns:
        The number of bars of positive length; when it exceeds r, rows beyond r were dropped and the
        caller is to come back with room for all. -1 if some lower > upper.
    """
    n = lower.shape[0]
    edges = lower_order.shape[0]
    words = np.full((n, n), ABSENT, np.uint64)
    arrival = np.zeros((n, n), np.int32)  # position of an edge in lower_order
    adjacency = np.zeros((n, (n + 63) // 64), np.uint64)  # bit k of row i: edge (i, k) has arrived
    bits = np.zeros((1, edges), np.uint64)  # (plane, arrival): 64 slots of generators a plane
    slot_edge = np.zeros(64, np.int32)  # birth edge of the generator in a slot
    slot_age = np.full(64, -1, np.int64)  # running number of that generator; -1: free slot
    free = np.arange(63, -1, -1).astype(np.int32)  # stack of free slots
    free_count = 64
    vector = np.zeros(1, np.uint64)  # bits of the class that dies
    alive = 0
    born = 0
    bars = 0

    p = 0  # next edge of lower_order
    q = 0  # next edge of upper_order
    while p < edges or alive > 0:
        cone_arrives = False
        if alive > 0:  # otherwise every class is zero and cone triangles change nothing
            cone = upper_order[q]
            i = cone // n
            j = cone % n
            # of two cells at one time, the edge goes before the triangle
            cone_arrives = p == edges or upper[i, j] < lower[lower_order[p] // n, lower_order[p] % n]
        if cone_arrives:
            q += 1
            if words[i, j] == np.uint64(0):
                continue
            if words[i, j] == ABSENT:
                return -1
            vector[:] = bits[:, arrival[i, j]]
            slot = _youngest(vector, slot_age)
            birth = slot_edge[slot]
            if upper[i, j] > lower[birth // n, birth % n]:
                if bars < pairs.shape[0]:
                    pairs[bars, 0] = birth
                    pairs[bars, 1] = cone
                    pairs[bars, 2] = 1
                bars += 1
            _substitute(words, bits, vector, slot, slot_age, lower_order, p, n)
            slot_age[slot] = -1
            free[free_count] = slot
            free_count += 1
            alive -= 1
            continue

        code = lower_order[p]
        i = code // n
        j = code % n
        if lower[i, j] > upper[i, j]:
            return -1
        first = _first_common_neighbour(adjacency[i], adjacency[j])
        word = np.uint64(0)
        if lower[i, j] < upper[i, j]:
            if first < 0:
                if free_count == 0:  # another plane of 64 slots
                    planes = bits.shape[0]
                    bits = np.concatenate((bits, np.zeros((1, edges), np.uint64)))
                    slot_edge = np.concatenate((slot_edge, np.zeros(64, np.int32)))
                    slot_age = np.concatenate((slot_age, np.full(64, -1, np.int64)))
                    free = np.zeros(64 * (planes + 1), np.int32)
                    free[:64] = np.arange(64 * planes + 63, 64 * planes - 1, -1)
                    free_count = 64
                    vector = np.zeros(planes + 1, np.uint64)
                free_count -= 1
                slot = free[free_count]
                slot_edge[slot] = code
                slot_age[slot] = born
                bits[slot >> 6, p] = np.uint64(1) << np.uint64(slot & 63)
                word = generator_word(born)
                born += 1
                alive += 1
            elif alive > 0:
                word = words[i, first] ^ words[j, first]
                if word != np.uint64(0):
                    bits[:, p] = bits[:, arrival[i, first]] ^ bits[:, arrival[j, first]]
        words[i, j] = word
        words[j, i] = word
        arrival[i, j] = p
        arrival[j, i] = p
        adjacency[i, j >> 6] |= np.uint64(1) << np.uint64(j & 63)
        adjacency[j, i >> 6] |= np.uint64(1) << np.uint64(i & 63)
        p += 1
        if first < 0:
            continue
        k = first
        while alive > 0 and _any_open_triangle(words[i, k:], words[j, k:], words[i, j]):
            while (words[i, k] | words[j, k]) >= ABSENT or words[i, k] ^ words[j, k] == words[i, j]:
                k += 1
            vector[:] = bits[:, arrival[i, k]] ^ bits[:, arrival[j, k]] ^ bits[:, p - 1]
            slot = _youngest(vector, slot_age)
            birth = slot_edge[slot]
            if lower[i, j] > lower[birth // n, birth % n]:
                if bars < pairs.shape[0]:
                    pairs[bars, 0] = birth
                    pairs[bars, 1] = code
                    pairs[bars, 2] = 0
                bars += 1
            _substitute(words, bits, vector, slot, slot_age, lower_order, p, n)
            slot_age[slot] = -1
            free[free_count] = slot
            free_count += 1
            alive -= 1
    return bars
