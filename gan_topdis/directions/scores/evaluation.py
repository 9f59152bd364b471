"""What an evaluation found: rows of scores, the baselines beside them, and who won."""

from __future__ import annotations

import math
from dataclasses import asdict, dataclass, field
from typing import Any

import numpy as np

from gan_topdis.directions.scores.estimate import Estimate, difference, mean_of, spread

COLUMNS = (
    "t_star",
    "rtd",
    "rtd_to_random",
    "consistency",
    "monotone",
    "realism",
    "realism_at_max",
    "variance",
)
"""Scores of a row, in the order of the table."""
DECISIVE = 2.0
"""Standard errors by which a difference has to exceed 0 to count: about 95 %."""


@dataclass(frozen=True)
class EvaluationSettings:
    """How directions are scored.

    Attributes:
        points: pictures, when `seeds` are not given; also the number of reference pictures of realism.
        seed: draws pictures, random directions and noise.
        seeds: pictures by number, as in `generate.py`, instead of drawn ones.
        class_index: class of every picture, for a conditional generator.
        truncation_psi, truncation_cutoff: of the pictures; strengths stay in untruncated sigma.
        max_strength: largest strength tried, standard deviations of the latent.
        steps: strengths from -max_strength to max_strength behind `monotone`, odd, at least 5; 0, the
            middle one, is left out.
        feature_size: pictures are area-averaged to at most this many pixels a side to be compared.
        random_directions: of the random baseline, at least 16.
        neighbours: k of the k-NN balls of realism.
        statistics_samples: latents behind `variance`, PCA of w and the sigma of baselines.
        max_batch: images synthesized at a time; by the resolution when None.
    """

    points: int = 128
    seed: int = 0
    seeds: tuple[int, ...] | None = None
    class_index: int | None = None
    truncation_psi: float = 1.0
    truncation_cutoff: int | None = None
    max_strength: float = 3.0
    steps: int = 9
    feature_size: int = 64
    random_directions: int = 16
    neighbours: int = 3
    statistics_samples: int = 10_000
    max_batch: int | None = None

    def __post_init__(self) -> None:
        count = self.points if self.seeds is None else len(self.seeds)
        if count < 8:
            raise ValueError(f"there should be at least 8 pictures to score directions by, got {count}")
        if self.seeds is not None and len(set(self.seeds)) != count:
            raise ValueError("seeds should differ from each other: a picture given twice is one sample")
        if self.steps < 5 or self.steps % 2 == 0:
            raise ValueError(f"steps should be odd and at least 5, two strengths a side, got {self.steps}")
        if not (math.isfinite(self.max_strength) and self.max_strength > 0):
            raise ValueError(f"max_strength should be greater than 0, got {self.max_strength}")
        for name, value, least in (
            ("feature_size", self.feature_size, 1),
            ("random_directions", self.random_directions, 16),
            ("neighbours", self.neighbours, 1),
            ("statistics_samples", self.statistics_samples, 2),
        ):
            if value < least:
                raise ValueError(f"{name} should be at least {least}, got {value}")
        if self.neighbours >= count:
            raise ValueError(f"neighbours should be fewer than pictures ({count}), got {self.neighbours}")


@dataclass(frozen=True)
class ScoreRow:
    """Attributes: name; scores by column, those that do not apply left out; whether the direction cannot
    reach the common displacement; the earlier row of the same set that it repeats."""

    name: str
    scores: dict[str, Estimate]
    inert: bool = False
    duplicate_of: int | None = None

    def __getitem__(self, column: str) -> Estimate:
        return self.scores.get(column, Estimate(math.nan, math.nan, 0))


@dataclass(frozen=True)
class ScoreSet:
    """Attributes: name; its rows; why there are none, else empty."""

    name: str
    rows: tuple[ScoreRow, ...]
    unavailable: str = ""

    @property
    def counted(self) -> tuple[ScoreRow, ...]:
        """Rows that are neither inert nor duplicates: those that means are over."""
        return tuple(row for row in self.rows if not row.inert and row.duplicate_of is None)

    def mean(self, column: str) -> Estimate:
        """Over `counted` rows; the error is that over pictures."""
        return mean_of([row[column] for row in self.counted])

    def spread(self, column: str) -> float:
        """Standard deviation over `counted` rows."""
        return spread([row[column] for row in self.counted])


@dataclass(frozen=True)
class Evaluation:
    """Result of `evaluate_directions`.

    Attributes:
        directions: scores of the directions evaluated.
        baselines: random unit directions, PCA of w, SeFa; scored alike.
        noise: the floor of `rtd`: the same latents with new noise maps.
        topology: float64 (k, k), RTD between the edited clouds of two directions; NaN for inert ones.
        displacement: the common mean displacement, in the unit of the features.
        displacement_share: the same as a share of the median distance between two unedited pictures.
        unedited_realism: what `realism` gives unedited pictures.
        stability: over restarts, see `stability.stability`; not available without one.
        settings: with what it was computed.
        meta: network, versions.
    """

    directions: ScoreSet
    baselines: tuple[ScoreSet, ...]
    noise: ScoreSet
    topology: np.ndarray
    displacement: float
    displacement_share: float
    unedited_realism: Estimate
    stability: Estimate
    settings: EvaluationSettings
    meta: dict[str, Any] = field(default_factory=dict)

    @property
    def columns(self) -> tuple[str, ...]:
        """Names of the scores, in the order of the table."""
        return COLUMNS

    @property
    def best_baseline(self) -> ScoreSet | None:
        """The baseline of lowest mean rtd; None when none has one."""
        known = [each for each in self.baselines if not math.isnan(each.mean("rtd").value)]
        return min(known, key=lambda each: each.mean("rtd").value, default=None)

    @property
    def lead(self) -> Estimate | None:
        """Mean rtd of the best baseline minus that of the directions; positive: the directions win.

        The error is over pictures, which both sides share; that of a random baseline has in quadrature the
        error over the directions that happened to be drawn.
        """
        best = self.best_baseline
        if best is None or not self.directions.counted:
            return None
        lead = difference(best.mean("rtd"), self.directions.mean("rtd"))
        if best.name != RANDOM or len(best.counted) < 2:
            return lead
        drawn = best.spread("rtd") / math.sqrt(len(best.counted))
        return Estimate(lead.value, math.hypot(lead.error, drawn), lead.n)

    @property
    def beaten(self) -> bool | None:
        """Whether `lead` exceeds `DECISIVE` standard errors; None when there is no comparison."""
        lead = self.lead
        return None if lead is None else lead.value > DECISIVE * lead.error

    def as_json(self) -> dict[str, Any]:
        """Plain values; numbers that do not apply are null."""
        sets = {each.name: _set_as_json(each) for each in (*self.baselines, self.noise)}
        lead, best = self.lead, self.best_baseline
        return {
            "directions": _set_as_json(self.directions),
            "baselines": sets,
            "topology": [[_number(value) for value in row] for row in self.topology],
            "displacement": self.displacement,
            "displacement_share": self.displacement_share,
            "unedited_realism": estimate_as_json(self.unedited_realism),
            "stability": estimate_as_json(self.stability),
            "best_baseline": None if best is None else best.name,
            "lead": None if lead is None else estimate_as_json(lead),
            "beaten": self.beaten,
            "settings": asdict(self.settings),
            "meta": self.meta,
        }


RANDOM, PCA, SEFA, NOISE = "random", "PCA of w", "SeFa", "noise only"
"""Names of the baselines."""


def estimate_as_json(estimate: Estimate) -> dict[str, Any] | None:
    """`value`, `error` and `n`; None where the score does not apply."""
    if math.isnan(estimate.value):
        return None
    return {"value": estimate.value, "error": _number(estimate.error), "n": estimate.n}


def _set_as_json(scores: ScoreSet) -> dict[str, Any]:
    return {
        "unavailable": scores.unavailable or None,
        "mean": {column: estimate_as_json(scores.mean(column)) for column in COLUMNS},
        "spread": {column: _number(scores.spread(column)) for column in COLUMNS},
        "rows": [
            {
                "name": row.name,
                "inert": row.inert,
                "duplicate_of": row.duplicate_of,
                **{column: estimate_as_json(row[column]) for column in COLUMNS},
            }
            for row in scores.rows
        ],
    }


def _number(value: float) -> float | None:
    return None if math.isnan(value) else float(value)
