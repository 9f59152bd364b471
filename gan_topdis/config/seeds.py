"""Lists of picture seeds as StyleGAN3 spells them: `0,1,4-6`."""

from __future__ import annotations

import re
from collections.abc import Sequence

MAX_SEEDS = 10_000
"""A longer list is a slip of the hand (`0-4294967295`), refused before memory is used up."""
_LARGEST = 2**32 - 1
_TOKEN = re.compile(r"(\d+)(?:-(\d+))?", re.ASCII)


def parse_seeds(text: str) -> tuple[int, ...]:
    """Seeds of a comma-separated list of numbers and inclusive ranges, in the order given.

    Args:
        text: e.g. `0,1,4-6`, which is 0, 1, 4, 5, 6.

    Raises:
        ValueError: a token is no number or range, a range descends, a seed is above 2**32 - 1, or
            there are more than `MAX_SEEDS`.
    """
    seeds: list[int] = []
    for token in text.split(","):
        match = _TOKEN.fullmatch(token.strip())
        if match is None:
            raise ValueError(f"seeds should be numbers and ranges such as 0,1,4-6, got {token.strip()!r}")
        first = int(match[1])
        last = first if match[2] is None else int(match[2])
        if last < first:
            raise ValueError(
                f"a range of seeds should ascend, got {first}-{last}; did you mean {last}-{first}?"
            )
        if last > _LARGEST:
            raise ValueError(f"a seed should be at most {_LARGEST}, got {last}")
        if len(seeds) + last - first + 1 > MAX_SEEDS:
            raise ValueError(f"there should be at most {MAX_SEEDS} seeds, got more in {token.strip()!r}")
        seeds.extend(range(first, last + 1))
    return tuple(seeds)


def format_seeds(seeds: Sequence[int]) -> str:
    """The shortest text that `parse_seeds` reads as these seeds."""
    runs: list[list[int]] = []
    for seed in seeds:
        if runs and seed == runs[-1][-1] + 1:
            runs[-1].append(seed)
        else:
            runs.append([seed])
    return ",".join(str(run[0]) if len(run) == 1 else f"{run[0]}-{run[-1]}" for run in runs)
