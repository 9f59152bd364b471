"""What a discovery found, in words: against random directions, and against the truth where it is known."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:  # the report needs no torch
    from gan_topdis.directions import Directions

FOUND_COSINE = 0.9
"""A known factor counts as found when a direction has at least this |cosine| with its axis."""


def summary(directions: Directions) -> list[str]:
    """Sentences about a discovery, most important first.

    Uses of `meta`: `complete`, `random_baseline` (mean, std, count), `best_cosine_per_factor`. What is
    missing is left out.
    """
    sentences = []
    if not directions.meta.get("complete", True):
        sentences.append(
            f"The search was interrupted after {_count(len(directions), 'direction')}; "
            "gan-topdis discover --resume continues it."
        )
    baseline = directions.meta.get("random_baseline")
    if isinstance(baseline, Mapping) and len(directions):
        sentences.append(_against_random(directions.score_name, directions.scores, baseline))
    truth = directions.meta.get("best_cosine_per_factor")
    if isinstance(truth, Mapping) and truth:
        sentences.append(_against_truth(truth, directions.meta.get("complete", True)))
    return sentences


def known_factor(directions: Directions, index: int) -> tuple[str, float] | None:
    """Name of the known factor nearest to a direction and their signed cosine; None without truth."""
    factors = directions.meta.get("known_factors")
    if not isinstance(factors, Sequence) or index >= len(factors):
        return None
    return str(factors[index]["factor"]), float(factors[index]["cosine"])


def _against_random(score_name: str, scores: Any, baseline: Mapping[str, Any]) -> str:
    mean, std = float(baseline["mean"]), float(baseline["std"])
    lower = int((scores < mean - std).sum())
    higher = int((scores > mean + std).sum())
    parts = [
        f"{number} {words}"
        for number, words in (
            (lower, "score better (lower)"),
            (len(scores) - lower - higher, "about the same"),
            (higher, "worse (higher)"),
        )
        if number
    ]
    return (
        f"Beside {int(baseline['count'])} random directions ({score_name} {mean:.3g} ± {std:.2g}), of the "
        f"{_count(len(scores), 'direction')} found {_listed(parts)}: {min(scores):.3g} to {max(scores):.3g}."
    )


def _against_truth(truth: Mapping[str, Any], complete: bool) -> str:
    best = {str(name): float(cosine) for name, cosine in truth.items()}
    found = [f"{name} ({cosine:.2f})" for name, cosine in best.items() if cosine >= FOUND_COSINE]
    missed = [f"{name} ({cosine:.2f})" for name, cosine in best.items() if cosine < FOUND_COSINE]
    mean = sum(best.values()) / len(best)
    start = f"Of {_count(len(best), 'known factor')}, {len(found)} found"
    return (
        start
        + (f": {_listed(found)}" if found else "")
        + (f"; not found{'' if complete else ' yet'}: {_listed(missed)}" if missed else "")
        + f". In brackets the largest |cosine| with the true axis, {mean:.2f} on average; "
        f"from {FOUND_COSINE} on a factor counts as found."
    )


def _count(number: int, noun: str) -> str:
    return f"{number} {noun}{'' if number == 1 else 's'}"


def _listed(items: Sequence[str]) -> str:
    return items[0] if len(items) == 1 else ", ".join(items[:-1]) + " and " + items[-1]
