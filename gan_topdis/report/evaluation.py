"""An evaluation of directions as a text table, as sentences, and as one self-contained page."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

import numpy as np

from gan_topdis.report.page import render_page
from gan_topdis.report.printable import printable
from gan_topdis.report.text_table import number

if TYPE_CHECKING:  # the report needs no torch
    from gan_topdis.directions.scores import Estimate, Evaluation, ScoreRow, ScoreSet

HEADINGS = {
    "t_star": ("t*", "strength (standard deviations) at which pictures change by the common amount"),
    "rtd": ("rtd", "topological change of the picture cloud at t*; lower is better"),
    "rtd_to_random": ("/ random", "rtd over the mean of random directions; below 1 beats chance"),
    "consistency": ("consistency", "mean cosine between the changes of two pictures; 1: the same change"),
    "monotone": ("monotone", "rank correlation of strength with change; 1: more strength, more change"),
    "realism": ("realism", "share of edited pictures at t* near unedited ones of other seeds"),
    "realism_at_max": ("at max", "the same at the largest strength; the fall-off is quality lost"),
    "variance": ("variance", "share of the latent's variance along the direction"),
}
"""Column to heading and meaning."""
MOST_PLACES = 4
"""Digits behind the point that a score has at most; a smaller error reads 0."""
DUPLICATE = ("repeats", "earlier row with the same effect up to sign; left out of means, as inert rows are")


def with_error(estimate: Estimate) -> str:
    """`1.47 ±0.35`: two digits of the standard error, the value as far; `n/a` where it does not apply."""
    if math.isnan(estimate.value):
        return "n/a"
    if math.isnan(estimate.error):
        return number(estimate.value)
    if round(estimate.error, MOST_PLACES) == 0:
        return f"{number(estimate.value)} ±0"
    places = min(MOST_PLACES, max(0, 1 - math.floor(math.log10(estimate.error))))
    return f"{estimate.value:.{places}f} ±{estimate.error:.{places}f}"


def evaluation_table(evaluation: Evaluation) -> str:
    """One line per direction, then means of the directions and of each baseline, then sample sizes."""
    columns = evaluation.columns
    header = ["#", "name", *(HEADINGS[column][0] for column in columns), DUPLICATE[0]]
    rows = [header]
    for index, row in enumerate(evaluation.directions.rows):
        rows.append([str(index), printable(row.name, 30), *row_cells(row, columns)])
    rows.append(_mean_line(evaluation.directions, columns))
    notes = []
    for scores in (*evaluation.baselines, evaluation.noise):
        if scores.unavailable:
            notes.append(f"{scores.name}: n/a, {printable(scores.unavailable, 300)}")
            continue
        rows.append(_mean_line(scores, columns))
        if scores.name == "random":
            spreads = [number(scores.spread(column)) for column in columns]
            rows.append(["", "random, spread", *spreads, ""])
    widths = [max(len(row[column]) for row in rows) for column in range(len(header))]
    lines = [
        "  ".join(
            cell.ljust(width) if place == 1 else cell.rjust(width)
            for place, (cell, width) in enumerate(zip(row, widths, strict=True))
        ).rstrip()
        for row in rows
    ]
    return "\n".join([*lines, "", *notes, sample_sizes(evaluation)])


def row_cells(row: ScoreRow, columns: Sequence[str]) -> list[str]:
    """Scores of a row with their errors, and what it repeats."""
    cells = [with_error(row[column]) for column in columns]
    if row.inert:
        cells[0] = "inert"
    return [*cells, "" if row.duplicate_of is None else str(row.duplicate_of)]


def sample_sizes(evaluation: Evaluation) -> str:
    """How many samples are behind each column, and at what change directions are compared."""
    sizes: dict[int, list[str]] = {}
    for column in evaluation.columns:
        for scores in (evaluation.directions, *evaluation.baselines):
            known = [row[column].n for row in scores.rows if row[column].n]
            if known:
                sizes.setdefault(known[0], []).append(HEADINGS[column][0])
                break
    parts = [f"n = {n} for {', '.join(columns)}" for n, columns in sizes.items()]
    return (
        f"± is one standard error; {'; '.join(parts)}. Pictures change by {evaluation.displacement:.3g} on "
        f"average at t*, {evaluation.displacement_share:.0%} of the median distance between two; realism of "
        f"unedited pictures is {with_error(evaluation.unedited_realism)}."
    )


def evaluation_summary(evaluation: Evaluation) -> list[str]:
    """Sentences on inert and repeated directions and on stability; the last one on the baselines."""
    found = evaluation.directions
    sentences = []
    for words, names in (
        (
            f"change pictures too little within {evaluation.settings.max_strength:g} sd",
            [row.name for row in found.rows if row.inert],
        ),
        ("repeat an earlier one", [row.name for row in found.rows if row.duplicate_of is not None]),
    ):
        if names:
            listed = ", ".join(printable(name, 30) for name in names[:8]) + (
                ", ..." if len(names) > 8 else ""
            )
            sentences.append(f"{len(names)} of {len(found.rows)} directions {words}: {listed}.")
    runs = evaluation.stability.n
    sentences.append(
        f"Stability: {with_error(evaluation.stability)} over {runs} other run{'s' if runs > 1 else ''} "
        "(0: the same span, 1: orthogonal)."
        if runs
        else "Stability: n/a without another run."
    )
    return [*sentences, verdict(evaluation)]


def verdict(evaluation: Evaluation) -> str:
    """Which baseline is best, and whether it was beaten by more than the error."""
    best, lead = evaluation.best_baseline, evaluation.lead
    if best is None:
        return "Best baseline: none, no baseline reaches the common displacement."
    rtd = with_error(best.mean("rtd"))
    start = f"Best baseline: {best.name}, mean rtd {rtd} over {len(best.counted)}."
    if lead is None:
        return f"{start} Not beaten: no direction reaches the common displacement."
    found = evaluation.directions
    count = len(found.counted)
    has = "direction has" if count == 1 else "directions have"
    ours = f"The {count} {has} {with_error(found.mean('rtd'))}"
    gap = f"lower by {with_error(lead)}"
    if evaluation.beaten:
        return f"{start} {ours}, {gap}: beaten by more than the error (two standard errors)."
    if lead.value > 0:
        return f"{start} {ours}, {gap}: not beaten by more than the error (two standard errors)."
    return f"{start} {ours}: not beaten."


def render_evaluation(evaluation: Evaluation, *, settings: Mapping[str, Any]) -> str:
    """The page as text; it refers to nothing outside itself.

    Args:
        settings: shown as they are at the end of the page.
    """
    columns = evaluation.columns
    sets = [
        {
            "name": scores.name,
            "why": printable(scores.unavailable, 300),
            "rows": [
                {
                    "index": index,
                    "name": printable(row.name, 80),
                    "cells": row_cells(row, columns),
                    "counted": row in scores.counted,
                }
                for index, row in enumerate(scores.rows)
            ],
            "mean": [with_error(scores.mean(column)) for column in columns],
            "spread": [number(scores.spread(column)) for column in columns],
            "count": len(scores.counted),
        }
        for scores in (evaluation.directions, *evaluation.baselines, evaluation.noise)
    ]
    generator = evaluation.meta.get("generator", {})
    return render_page(
        "evaluation.html",
        network=printable(str(generator.get("name", "unknown network")), 120),
        sentences=evaluation_summary(evaluation),
        sizes=sample_sizes(evaluation),
        headings=[*(HEADINGS[column] for column in columns), DUPLICATE],
        sets=sets,
        names=[printable(row.name, 40) for row in evaluation.directions.rows],
        topology=_shaded(evaluation.topology),
        settings=[(key, printable(str(value), 300)) for key, value in settings.items()],
    )


def _mean_line(scores: ScoreSet, columns: Sequence[str]) -> list[str]:
    count = len(scores.counted)
    name = scores.name if len(scores.rows) == 1 else f"{scores.name}, mean of {count}"
    return ["", name, *(with_error(scores.mean(column)) for column in columns), ""]


def _shaded(matrix: np.ndarray) -> list[list[tuple[str, float]]]:
    """Entries as text and as a share of the largest, for the shade of a cell; NaN has none."""
    known = matrix[~np.isnan(matrix)]
    largest = max(float(known.max()) if known.size else 0.0, 1e-12)
    return [
        [("", 0.0) if math.isnan(value) else (f"{value:.3g}", float(value) / largest) for value in row]
        for row in matrix
    ]
