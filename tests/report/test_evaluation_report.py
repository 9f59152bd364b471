"""Evaluations as text and page, from numbers made by hand."""

from __future__ import annotations

import math

import numpy as np
import pytest

from gan_topdis.directions.scores import Estimate, Evaluation, EvaluationSettings, ScoreRow, ScoreSet
from gan_topdis.report import evaluation_summary, evaluation_table, render_evaluation
from gan_topdis.report.evaluation import with_error


def row(name, rtd=math.nan, error=0.1, **more):
    scores = {} if math.isnan(rtd) else {"rtd": Estimate(rtd, error, 64)}
    return ScoreRow(name, {**scores, "variance": Estimate(0.1, 0.001, 9)}, **more)


def evaluation(*rows, baselines=None, stability=None):
    if baselines is None:
        baselines = (
            ScoreSet("random", (row("random 0", 2.0), row("random 1", 2.2))),
            ScoreSet("PCA of w", (row("PCA 0", 1.6),)),
            ScoreSet("SeFa", (), "tiny has no style weights"),
        )
    matrix = np.zeros((len(rows), len(rows)))
    matrix[0, -1] = matrix[-1, 0] = np.nan
    return Evaluation(
        directions=ScoreSet("directions", rows),
        baselines=baselines,
        noise=ScoreSet("noise only", (), "tiny has no noise inputs"),
        topology=matrix,
        displacement=7.3,
        displacement_share=0.35,
        unedited_realism=Estimate(0.9, 0.03, 64),
        stability=stability or Estimate(math.nan, math.nan, 0),
        settings=EvaluationSettings(),
        meta={"generator": {"name": "<tiny>"}},
    )


@pytest.mark.parametrize(
    ("estimate", "text"),
    [
        (Estimate(1.4712, 0.352, 9), "1.47 ±0.35"),
        (Estimate(0.0213, 0.0067, 9), "0.0213 ±0.0067"),
        (Estimate(123.4, 17, 9), "123 ±17"),
        (Estimate(1.0, 1e-9, 9), "1 ±0"),
        (Estimate(0.4321, math.nan, 1), "0.432"),
        (Estimate(math.nan, math.nan, 0), "n/a"),
    ],
)
def test_numbers_with_their_errors(estimate, text):
    assert with_error(estimate) == text


def test_lines_of_the_table():
    lines = evaluation_table(
        evaluation(row("smile", 1.0), row("age", 1.2, duplicate_of=0), row("dead", inert=True))
    ).splitlines()
    assert lines[1].split()[:5] == ["0", "smile", "n/a", "1.00", "±0.10"]
    assert lines[2].endswith("0") and lines[3].split()[:4] == ["2", "dead", "inert", "n/a"]
    assert lines[4].split()[:6] == ["directions,", "mean", "of", "1", "n/a", "1.00"]
    assert "random, mean of 2" in lines[5] and "2.10" in lines[5]
    assert lines[6].split()[:4] == ["random,", "spread", "n/a", "0.141"]
    assert "SeFa: n/a, tiny has no style weights" in lines
    assert lines[-1] == (
        "± is one standard error; n = 64 for rtd; n = 9 for variance. Pictures change by 7.3 on average "
        "at t*, 35% of the median distance between two; realism of unedited pictures is 0.900 ±0.030."
    )


@pytest.mark.parametrize(
    ("rtd", "words"),
    [
        (1.0, "The 1 direction has 1.00 ±0.10, lower by 0.60 ±0.14: beaten by more than the error"),
        (1.5, "The 1 direction has 1.50 ±0.10, lower by 0.10 ±0.14: not beaten by more than the error"),
        (1.9, "The 1 direction has 1.90 ±0.10: not beaten."),
    ],
)
def test_the_last_sentence_names_the_best_baseline(rtd, words):
    last = evaluation_summary(evaluation(row("smile", rtd)))[-1]
    assert last.startswith("Best baseline: PCA of w, mean rtd 1.60 ±0.10 over 1. ") and words in last


def test_the_draw_of_random_directions_counts_as_error():
    """Over pictures 0.1 on one side and 0.1 / sqrt 2 on the other; by the draw 0.2 / sqrt 2 over sqrt 2."""
    random = (ScoreSet("random", (row("random 0", 1.5), row("random 1", 1.7))),)
    found = evaluation(row("smile", 1.0), baselines=random)
    over_pictures = math.hypot(0.1, 0.1 / math.sqrt(2))
    assert found.lead.error == pytest.approx(math.hypot(over_pictures, 0.1))


def test_sentences_on_what_cannot_be_compared():
    last = evaluation_summary(evaluation(row("dead", inert=True)))[-1]
    assert last.endswith("Not beaten: no direction reaches the common displacement.")
    last = evaluation_summary(evaluation(row("smile", 1.0), baselines=()))[-1]
    assert last == "Best baseline: none, no baseline reaches the common displacement."


def test_sentences_on_inert_and_repeated_directions_and_stability():
    sentences = evaluation_summary(
        evaluation(
            row("smile", 1.0),
            row("grin", 1.0, duplicate_of=0),
            row("dead", inert=True),
            stability=Estimate(0.25, math.nan, 1),
        )
    )
    assert sentences[:3] == [
        "1 of 3 directions change pictures too little within 3 sd: dead.",
        "1 of 3 directions repeat an earlier one: grin.",
        "Stability: 0.25 over 1 other run (0: the same span, 1: orthogonal).",
    ]


def test_the_page_is_whole_and_safe():
    page = render_evaluation(
        evaluation(row("<b>smile</b>", 1.0), row("dead", inert=True)), settings={"points": 64}
    )
    assert "<b>smile" not in page and "&lt;b&gt;smile" in page and "&lt;tiny&gt;" in page
    assert "http" not in page and "src=" not in page
    for text in ("inert", "SeFa: n/a, tiny has no style weights", "mean of 2", "points"):
        assert text in page
