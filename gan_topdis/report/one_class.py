"""One-class areas as text, as CSV, and as one self-contained page."""

from __future__ import annotations

import csv
import io
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

from gan_topdis.report.page import render_page
from gan_topdis.report.printable import printable

if TYPE_CHECKING:  # the report needs no torch
    from gan_topdis.connectivity import RuleAreas

EXPLAINED = {
    "eta": "the length that training draws tree edges to",
    "matched": "the median tree edge of the references' own codes",
    "best": "the best for each n when one half of the references recognises the other",
}
"""What a rule takes for radius."""
COLUMNS = ("rule", "n", "radius", "class", "references", "area", "spread")


def one_class_text(areas: Mapping[str, RuleAreas]) -> str:
    """A table per rule: a row per class and their mean, a column per number of references."""
    parts = []
    for rule, found in areas.items():
        rows = [["class", *(f"n {n}" for n in found.sizes)], *_cells(found)]
        widths = [max(len(row[column]) for row in rows) for column in range(len(rows[0]))]
        lines = [
            "  ".join(cell.rjust(width) for cell, width in zip(row, widths, strict=True)).rstrip()
            for row in rows
        ]
        parts.append("\n".join([_heading(rule, found), *lines]))
    return "\n\n".join(parts)


def one_class_csv(areas: Mapping[str, RuleAreas]) -> str:
    """A line per rule, number of references and class, and one for the mean over classes."""
    text = io.StringIO()
    writer = csv.writer(text, lineterminator="\n")
    writer.writerow(COLUMNS)
    for rule, found in areas.items():
        for s, n in enumerate(found.sizes):
            start = [rule, n, f"{found.radii[s]:.6g}"]
            drawn = found.reports[s].references[0]
            for c, label in enumerate(found.classes):
                numbers = (found.per_class[s, c], found.per_class_spread[s, c])
                writer.writerow([*start, label, drawn[c], *(f"{value:.6f}" for value in numbers)])
            numbers = (found.mean[s], found.spread[s])
            writer.writerow([*start, "mean", "", *(f"{value:.6f}" for value in numbers)])
    return text.getvalue()


def render_one_class(areas: Mapping[str, RuleAreas], *, title: str, settings: Mapping[str, Any]) -> str:
    """The page as text; it refers to nothing outside itself.

    Args:
        areas: by rule.
        title: which images were told apart.
        settings: shown as they are at the end of the page.
    """
    tables = [
        {
            "title": _heading(rule, found),
            "corner": "class",
            "meaning": EXPLAINED.get(rule, ""),
            "columns": [f"n = {n}" for n in found.sizes],
            "rows": [
                (name, list(zip(cells, shades, strict=True)))
                for (name, *cells), shades in zip(_cells(found), _shades(found), strict=True)
            ],
        }
        for rule, found in areas.items()
    ]
    return render_page(
        "one_class.html",
        title=printable(title, 200),
        tables=tables,
        settings=[(key, printable(str(value), 300)) for key, value in settings.items()],
    )


def _heading(rule: str, found: RuleAreas) -> str:
    """`best, radius 2.17, 1.63`: one number where all sizes share it."""
    radii = dict.fromkeys(f"{radius:.3g}" for radius in found.radii)
    return f"{rule}, radius {', '.join(radii)}"


def _cells(found: RuleAreas) -> list[list[str]]:
    """`.760 +-.029` with a name before each row; the mean comes first."""
    rows = [("mean", found.mean, found.spread)]
    rows += [
        (str(label), found.per_class[:, c], found.per_class_spread[:, c])
        for c, label in enumerate(found.classes)
    ]
    return [
        [name, *(f"{area:.3f} ±{spread:.3f}" for area, spread in zip(areas, spreads, strict=True))]
        for name, areas, spreads in rows
    ]


def _shades(found: RuleAreas) -> list[list[float]]:
    """From 0 at chance to 1 at perfect, in the order of `_cells`."""
    rows = [found.mean, *found.per_class.T]
    return [[max(0.0, 2 * float(area) - 1) for area in row] for row in rows]
