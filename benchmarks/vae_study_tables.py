"""Tables of the VAE study in Markdown: means and spreads, and differences seed by seed."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

Rows = Sequence[Mapping[str, Any]]
SCORES = {"mig": "MIG", "factor_vae_score": "FactorVAE", "sap": "SAP", "dci": "DCI"}
ERRORS = {"cross_entropy": "cross-entropy", "squared_error": "squared error"}
OBJECTIVES = {"vae": "VAE", "factor": "FactorVAE", "beta_tc": "beta-TCVAE", "beta": "beta-VAE"}
VARIANTS = {
    "base": "",
    "topdis": " + TopDis",
    "topdis-raw": " + TopDis, raw gradient",
    "topdis-lazy": " + TopDis, lazy",
}


def study_tables(rows: Rows, study: Mapping[str, Any]) -> str:
    """For each set: every model's numbers, then what TopDis changed against the same seed without it."""
    parts = []
    for name in study["sets"]:
        parts += [f"### {name}", "", _levels(rows, name, study), "", _changes(rows, name, study), ""]
    return "\n".join(parts).rstrip()


def _levels(rows: Rows, name: str, study: Mapping[str, Any]) -> str:
    """Mean and standard deviation over seeds."""
    lines = [
        "| model | " + " | ".join((*SCORES.values(), *ERRORS.values())) + " | codes in use | seeds |",
        "|---|" + "---|" * (len(SCORES) + len(ERRORS) + 2),
    ]
    for objective in study["objectives"]:
        for variant in study["variants"]:
            found = _chosen(rows, name, objective, variant)
            if not found:
                continue
            cells = [_spread([row[score] for row in found.values()], 3) for score in SCORES]
            cells += [_spread([row[error] for row in found.values()], 1) for error in ERRORS]
            cells += [f"{np.mean([row['active'] for row in found.values()]):.1f}", str(len(found))]
            lines.append(f"| {OBJECTIVES[objective]}{VARIANTS[variant]} | " + " | ".join(cells) + " |")
    return "\n".join(lines)


def _changes(rows: Rows, name: str, study: Mapping[str, Any]) -> str:
    """With TopDis minus without, seed by seed, and how many seeds rose."""
    columns = {**SCORES, **ERRORS}
    lines = [
        "Change by TopDis at the same seed, mean (seeds that rose, of all):",
        "",
        "| model | " + " | ".join(columns.values()) + " |",
        "|---|" + "---|" * len(columns),
    ]
    for objective in study["objectives"]:
        base = _chosen(rows, name, objective, "base")
        for variant in study["variants"]:
            found = _chosen(rows, name, objective, variant)
            seeds = sorted(set(base) & set(found))
            if variant == "base" or not seeds:
                continue
            cells = []
            for column in columns:
                differences = np.array([found[seed][column] - base[seed][column] for seed in seeds])
                digits = 3 if column in SCORES else 1
                rose = int((differences > 0).sum())
                cells.append(f"{differences.mean():+.{digits}f} ({rose}/{len(seeds)})")
            lines.append(f"| {OBJECTIVES[objective]}{VARIANTS[variant]} | " + " | ".join(cells) + " |")
    return "\n".join(lines)


def _chosen(rows: Rows, name: str, objective: str, variant: str) -> dict[int, Mapping[str, Any]]:
    """Results by seed."""
    return {
        row["seed"]: row
        for row in rows
        if (row["data"], row["objective"], row["variant"]) == (name, objective, variant)
    }


def _spread(values: Sequence[float], digits: int) -> str:
    """Mean and standard deviation, n - 1 in its denominator: seeds are a sample, and one has no spread."""
    mean = f"{np.mean(values):.{digits}f}"
    return f"{mean} ± {np.std(values, ddof=1):.{digits}f}" if len(values) > 1 else mean
