"""FactorVAE score: which code stays still when a factor does.

Source: Kim and Mnih, Disentangling by Factorising, arXiv:1802.05983, section 4 and appendix.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
from jaxtyping import Bool, Float, Int

from gan_topdis.metrics.encoded import codes_and_sampler
from gan_topdis.metrics.protocol import protocol_named
from gan_topdis.metrics.samplers import Sampler
from gan_topdis.metrics.score import Score

MIN_STD = 0.05
_VOTES_AT_ONCE = 512


@dataclass(frozen=True, eq=False, repr=False)
class FactorVAEScore(Score):
    """Attributes: those of `Score` (the evaluation accuracy; `per_factor` of the votes on each factor);
    train_accuracy; eval_accuracy; active (d,), codes of at least `min_std`; votes (k, d) in training, factor
    by code; smallest_group, fewest rows that share a value."""

    train_accuracy: float
    eval_accuracy: float
    active: Bool[np.ndarray, " d"]
    votes: Int[np.ndarray, "k d"]
    smallest_group: int


def factor_vae_score(
    encode: Any,
    dataset: Any,
    *,
    protocol: str = "paper",
    seed: int = 0,
    group: int | None = None,
    train_votes: int | None = None,
    eval_votes: int | None = None,
    variance_points: int | None = None,
    min_std: float = MIN_STD,
) -> FactorVAEScore:
    """Accuracy of a majority vote that tells, from the code that varies least, which factor was held fixed.

    Args:
        encode: images (n, ...) to codes (n, d), or the codes themselves.
        dataset: see `codes_and_sampler`; with codes, factors (n, k), a `FactorGrid` or a `FactorPool`.
        protocol: its numbers of votes, of rows in a group and of rows behind the variances; the arguments
            below override them.
        seed: draws rows and votes; another one moves the score by about .02.
        min_std: codes of a smaller standard deviation take no part; those of variance 0 never do.

    Returns:
        In [0, 1]; 1 over the number of factors is chance; 0 when no code is active.

    Raises:
        ValueError: shapes, values or counts out of range.
    """
    counts = protocol_named(protocol)
    group = counts.group if group is None else group
    train_votes = counts.train_votes if train_votes is None else train_votes
    eval_votes = counts.eval_votes if eval_votes is None else eval_votes
    variance_points = counts.variance_points if variance_points is None else variance_points
    for name, value, least in (
        ("group", group, 2),
        ("train_votes", train_votes, 1),
        ("eval_votes", eval_votes, 1),
        ("variance_points", variance_points, 2),
        ("min_std", min_std, 0),
    ):
        if value < least:
            raise ValueError(f"{name} should be at least {least}, got {value}")
    codes, sampler = codes_and_sampler(encode, dataset)
    rng = np.random.default_rng(seed)
    few = len(codes) <= variance_points
    variances = (codes if few else codes[sampler.rows(variance_points, rng)]).var(
        axis=0, ddof=1 if len(codes) > 1 else 0
    )
    active = (np.sqrt(variances) >= min_std) & (variances > 0)
    k = len(sampler.columns)
    notes = list(getattr(sampler, "notes", ()))
    if sampler.smallest_group < group:
        notes.append(
            f"as few as {sampler.smallest_group} rows share a value of a factor, for groups of {group}: the "
            "score comes out lower than on more rows"
        )
    table = np.zeros((k, codes.shape[1]), dtype=np.int64)
    train_accuracy = eval_accuracy = 0.0
    per_factor = np.zeros(k)
    if active.any():
        table = _votes(codes, sampler, active, variances, train_votes, group, rng)
        chosen = table.argmax(axis=0)  # (d,) the factor that each code votes for
        train_accuracy = float(table[chosen, np.arange(table.shape[1])].sum() / table.sum())
        held_out = _votes(codes, sampler, active, variances, eval_votes, group, rng)
        right = chosen == np.arange(k)[:, None]  # (k, d)
        eval_accuracy = float((held_out * right).sum() / held_out.sum())
        per_factor = (held_out * right).sum(axis=1) / held_out.sum(axis=1).clip(1)
    else:
        notes.append(f"no code has a standard deviation of {min_std} or more: the score is 0")
    return FactorVAEScore(
        eval_accuracy,
        per_factor=per_factor,
        factors=sampler.columns,
        settings={
            "protocol": counts.name,
            "group": group,
            "train_votes": train_votes,
            "eval_votes": eval_votes,
            "variance_points": min(variance_points, len(codes)),
            "min_std": min_std,
            "seed": seed,
        },
        ceiling=1.0,
        ceiling_per_factor=np.ones(k),
        notes=tuple(notes),
        train_accuracy=train_accuracy,
        eval_accuracy=eval_accuracy,
        active=active,
        votes=table,
        smallest_group=sampler.smallest_group,
    )


def _votes(
    codes: Float[np.ndarray, "n d"],
    sampler: Sampler,
    active: Bool[np.ndarray, " d"],
    variances: Float[np.ndarray, " d"],
    count: int,
    group: int,
    rng: np.random.Generator,
) -> Int[np.ndarray, "k d"]:
    """How often each code varied least, by the factor that was held fixed."""
    table = np.zeros((len(sampler.columns), codes.shape[1]), dtype=np.int64)
    candidates = np.flatnonzero(active)
    for first in range(0, count, _VOTES_AT_ONCE):
        fixed = rng.integers(len(sampler.columns), size=min(_VOTES_AT_ONCE, count - first))
        rows = sampler.sharing(fixed, group, rng)  # (votes, group)
        local = codes[rows][:, :, candidates].var(axis=1, ddof=1) / variances[candidates]
        np.add.at(table, (fixed, candidates[local.argmin(axis=1)]), 1)
    return table
