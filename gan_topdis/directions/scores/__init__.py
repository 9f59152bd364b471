"""Scores of latent directions without labels: one score per file."""

from gan_topdis.directions.scores.consistency import consistency
from gan_topdis.directions.scores.duplicates import duplicates
from gan_topdis.directions.scores.estimate import Estimate
from gan_topdis.directions.scores.evaluate import evaluate_directions, require_evaluable
from gan_topdis.directions.scores.evaluation import (
    COLUMNS,
    Evaluation,
    EvaluationSettings,
    ScoreRow,
    ScoreSet,
)
from gan_topdis.directions.scores.monotone import monotone
from gan_topdis.directions.scores.realism import Realism
from gan_topdis.directions.scores.stability import grassmann_distance, stability
from gan_topdis.directions.scores.topology import topological_change, topology_matrix

__all__ = [
    "COLUMNS",
    "Estimate",
    "Evaluation",
    "EvaluationSettings",
    "Realism",
    "ScoreRow",
    "ScoreSet",
    "consistency",
    "duplicates",
    "evaluate_directions",
    "grassmann_distance",
    "monotone",
    "require_evaluable",
    "stability",
    "topological_change",
    "topology_matrix",
]
