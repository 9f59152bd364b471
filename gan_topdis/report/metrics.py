"""Disentanglement metrics as text, as plain JSON values, and as one self-contained page."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import fields
from typing import Any

import numpy as np

from gan_topdis.metrics import DCI, Metrics, Score
from gan_topdis.report.page import render_page
from gan_topdis.report.printable import printable

TITLES = {
    "mig": "MIG",
    "factor_vae_score": "FactorVAE score",
    "sap": "SAP",
    "sap_continuous": "SAP, continuous",
    "dci": "DCI disentanglement",
    "modularity": "Modularity",
    "explicitness": "Explicitness",
    "beta_vae_score": "BetaVAE score",
}
MATRICES = {
    "mutual_information": "mutual information (nats), codes by factors",
    "importance": "importance, codes by factors",
    "score_matrix": "score, codes by factors",
    "votes": "votes, factors by codes",
}
"""Attributes shown as shaded tables, and what they are."""
_NO_CEILING_BELOW = 0.9995
"""Ceilings above are 1 to three digits and left out of lines and tables."""


def metric_line(name: str, score: Score) -> str:
    """`MIG 0.341 of 0.902 (paper protocol, points 10,000, bins 20, seed 0)`."""
    settings = dict(score.settings)
    protocol = settings.pop("protocol")
    settings.pop("continuous", None)
    details = ", ".join(f"{key.replace('_', ' ')} {value:,}" for key, value in settings.items())
    ceiling = f" of {score.ceiling:.3f}" if score.ceiling < _NO_CEILING_BELOW else ""
    return f"{TITLES[name]} {float(score):.3f}{ceiling} ({protocol} protocol, {details})"


def metrics_text(metrics: Metrics, factor_names: Sequence[str]) -> str:
    """One line per metric with its notes, then a table of factors."""
    lines = []
    for name, score in metrics.scores.items():
        lines.append(metric_line(name, score))
        if isinstance(score, DCI):
            lines.append(
                f"DCI completeness {score.completeness:.3f}, informativeness {score.informativeness:.3f}"
            )
        lines += [f"  note: {note}" for note in score.notes]
    return "\n".join([*lines, "", *_factor_table(metrics, factor_names)])


def metrics_json(metrics: Metrics, factor_names: Sequence[str]) -> dict[str, Any]:
    """Everything in the record as plain values; NaN as null."""
    return {
        "protocol": metrics.protocol,
        "seed": metrics.seed,
        "factor_names": list(factor_names),
        "metrics": {
            name: {item.name: _plain(getattr(score, item.name)) for item in fields(score)}
            for name, score in metrics.scores.items()
        },
    }


def render_metrics(metrics: Metrics, factor_names: Sequence[str], *, settings: Mapping[str, Any]) -> str:
    """The page as text; it refers to nothing outside itself."""
    matrices = []
    for name, score in metrics.scores.items():
        for attribute, meaning in MATRICES.items():
            matrix = getattr(score, attribute, None)
            if matrix is None:
                continue
            by_factor = attribute == "votes"
            factors = [printable(factor_names[j], 40) for j in score.factors]
            codes = [f"code {c}" for c in range(matrix.shape[1 if by_factor else 0])]
            matrices.append(
                {
                    "title": f"{TITLES[name]}: {meaning}",
                    "corner": "",
                    "columns": codes if by_factor else factors,
                    "rows": list(
                        zip(
                            factors if by_factor else codes,
                            _shaded(np.asarray(matrix, dtype=np.float64)),
                            strict=True,
                        )
                    ),
                }
            )
    return render_page(
        "metrics.html",
        text=metrics_text(metrics, [printable(name, 40) for name in factor_names]),
        tables=matrices,
        settings=[(key, printable(str(value), 300)) for key, value in settings.items()],
    )


def _factor_table(metrics: Metrics, factor_names: Sequence[str]) -> list[str]:
    """A row per factor, a column per metric that has shares of them, with ceilings where any is below 1."""
    shown = {name: s for name, s in metrics.scores.items() if not np.isnan(s.per_factor).all()}
    if not shown:
        return []
    header = ["factor", *("DCI completeness" if name == "dci" else TITLES[name] for name in shown)]
    rows = [header]
    for j, factor in enumerate(factor_names):
        rows.append([printable(factor, 40), *(_factor_cell(score, j) for score in shown.values())])
    widths = [max(len(row[column]) for row in rows) for column in range(len(header))]
    return [
        "  ".join(
            cell.rjust(width) if column else cell.ljust(width)
            for column, (cell, width) in enumerate(zip(row, widths, strict=True))
        ).rstrip()
        for row in rows
    ]


def _factor_cell(score: Score, factor: int) -> str:
    """`0.341 of 0.812`."""
    if factor not in score.factors:
        return "n/a"
    row, ceilings = score.factors.index(factor), score.ceiling_per_factor
    text = f"{score.per_factor[row]:.3f}"
    if ceilings is None or ceilings.min() >= _NO_CEILING_BELOW:
        return text
    return f"{text} of {ceilings[row]:.3f}"


def _shaded(matrix: np.ndarray) -> list[list[tuple[str, float]]]:
    largest = max(float(matrix.max()), 1e-12)
    return [[(f"{value:.3g}", float(value) / largest) for value in row] for row in matrix]


def _plain(value: Any) -> Any:
    if isinstance(value, np.ndarray):
        return [_plain(item) for item in value]
    if isinstance(value, np.generic):
        value = value.item()
    if isinstance(value, float) and not math.isfinite(value):
        return None
    if isinstance(value, Mapping):
        return {key: _plain(item) for key, item in value.items()}
    if isinstance(value, (tuple, list)):
        return [_plain(item) for item in value]
    return value
