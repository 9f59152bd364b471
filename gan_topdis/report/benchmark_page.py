"""The tables of `gan-topdis benchmark` as Markdown, from the lines of its results.jsonl."""

from __future__ import annotations

import statistics
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

Result = Mapping[str, Any]
OURS = "topdis"
CEILING = "supervised"
"""Told the factors, so that it is never best and no loss to be behind of."""
_HOW = """\
Each network has factors that can be measured: by formula, or for `demo` by a small network that reads them
off the picture (`benchmarks/train_scene_factors.py`). As many directions are searched as there are factors.
The seed draws the search, and for networks with formulas the hidden rotation of the latent space. Numbers
are means over seeds +- their standard deviation, the best of a row in bold. `supervised`, where shown, is
no method but a ceiling: it is told the factors, regresses them on the latent, and moves along the
pseudo-inverse.

Factor response: all directions move the picture equally far, half the median distance of two pictures (or
by three standard deviations of the latent, where that is not enough), in both signs; counted is the mean
|change| of every factor in units of its standard deviation. Disentanglement and completeness are those of
Eastwood and Williams (ICLR 2018) with this matrix of directions by factors.
"""


@dataclass(frozen=True)
class Measure:
    """Attributes: key in a result; heading; what the table says about it; digits; whether more is better."""

    key: str
    heading: str
    about: str
    digits: int
    more_is_better: bool | None = True


MEASURES = (
    Measure(
        "recovery",
        "Axis recovery",
        "Mean |cosine| of the factors' axes with the directions matched to them one to one. Trained networks "
        "have no axes to compare with.",
        3,
    ),
    Measure(
        "disentanglement",
        "Disentanglement of the factor response",
        "1 when no direction moves more than one factor, 0 when all move all alike.",
        3,
    ),
    Measure(
        "disentanglement_of_squares",
        "Disentanglement of the squared response",
        "The same of squared entries: shares of variance, as the importances of DCI are. Small responses of "
        "all other factors, which pictures of a trained network never lose, count for less.",
        3,
    ),
    Measure(
        "completeness",
        "Completeness of the factor response",
        "1 when no factor is moved by more than one direction.",
        3,
    ),
    Measure("seconds", "Seconds per search", "By the clock, on a machine that did other work too.", 1, None),
    Measure(
        "megabytes",
        "Memory per search, MB",
        "Main memory at the peak of the search, beyond what the process held before.",
        0,
        None,
    ),
)


def benchmark_tables(results: Sequence[Result], networks: Sequence[str], methods: Sequence[str]) -> str:
    """One table per measure, networks by methods: mean and standard deviation over seeds.

    Args:
        results: finished cells; several of one network, method and seed count once, the last.
        networks, methods: rows and columns, in this order; those without any result are left out.
    """
    cells = _latest(results)
    rows = [n for n in networks if any(key[0] == n for key in cells)]
    columns = [m for m in methods if any(key[1] == m for key in cells)]
    parts = []
    for measure in MEASURES:
        lines = [f"| network | {' | '.join(columns)} |", "|---" * (len(columns) + 1) + "|"]
        for network in rows:
            numbers = {method: _values(cells, network, method, measure.key) for method in columns}
            if any(numbers.values()):
                rivals = {method: values for method, values in numbers.items() if method != CEILING}
                best = _best(rivals) if measure.more_is_better and any(rivals.values()) else None
                shown = [_cell(numbers[method], measure.digits, method == best) for method in columns]
                lines.append(f"| {network} | {' | '.join(shown)} |")
        parts.append(f"### {measure.heading}\n\n{measure.about}\n\n" + "\n".join(lines))
    return "\n\n".join(parts) + "\n"


def losses(results: Sequence[Result], networks: Sequence[str], methods: Sequence[str]) -> list[str]:
    """One line for every network and measure in which another method's mean is above that of topdis."""
    cells = _latest(results)
    lines = []
    for network in networks:
        for measure in MEASURES:
            ours = _values(cells, network, OURS, measure.key)
            if not measure.more_is_better or not ours:
                continue
            better = [
                f"{method} {statistics.mean(values):.{measure.digits}f}"
                for method in methods
                if method not in (OURS, CEILING)
                and (values := _values(cells, network, method, measure.key))
                and statistics.mean(values) > statistics.mean(ours)
            ]
            if better:
                mean = f"{statistics.mean(ours):.{measure.digits}f}"
                lines.append(f"{network}, {measure.heading.lower()}: {', '.join(better)}; {OURS} only {mean}")
    return lines


def refusals(results: Sequence[Result]) -> list[str]:
    """One line per network and method that do not go together, with the reason."""
    seen = {(r["network"], r["method"]): r["reason"] for r in results if r["status"] == "refused"}
    return [f"{network}, {method}: {reason}" for (network, method), reason in seen.items()]


def reading_checks(results: Sequence[Result]) -> list[str]:
    """One line per network whose factors are read off pictures: how far these are from what was read."""
    latest = {r["network"]: r["unexplained"] for r in results if r.get("unexplained") is not None}
    return [
        f"{network}: pictures redrawn from the factors read differ from the network's by {share:.2f} of the "
        "median distance of two pictures; the nearer to 1, the less its rows mean"
        for network, share in latest.items()
    ]


def response_table(result: Result) -> str:
    """The factor response matrix of one cell: a row per direction, most moved factor in bold."""
    factors, matrix = result["factors"], result["response"]
    lines = [f"| direction | {' | '.join(factors)} | displacement |", "|---" * (len(factors) + 2) + "|"]
    for index, (row, reached) in enumerate(zip(matrix, result["displacements"], strict=True)):
        largest = max(row)
        shown = [f"**{value:.2f}**" if value == largest else f"{value:.2f}" for value in row]
        lines.append(f"| {index} | {' | '.join(shown)} | {reached:.2f} |")
    return "\n".join(lines) + "\n"


def benchmark_page(
    results: Sequence[Result],
    *,
    networks: Mapping[str, str],
    methods: Sequence[str],
    command: str,
    conditions: str,
    quick: bool,
) -> str:
    """The whole page.

    Args:
        results: as `benchmark_tables`.
        networks: name to one line about it.
        methods: columns, in this order.
        command: that made it.
        conditions: versions and machine, one line.
        quick: whether searches were short.
    """
    cells = [result for result in _latest(results).values() if result["status"] == "done"]
    counts = [len({r["seed"] for r in cells if r["network"] == n}) for n in networks]
    seeds = (
        f"{min(counts)} to {max(counts)}"
        if counts and min(counts) != max(counts)
        else str(max(counts, default=0))
    )
    lines = [
        "# Directions against the truth",
        "",
        f"Made by `{command}` and not edited; {len(cells)} searches, {seeds} seeds a network. {conditions}",
        *(["", "**Short searches (--quick): numbers only show that the command works.**"] if quick else []),
        "",
        _HOW,
        *(f"- `{name}`: {about}." for name, about in networks.items()),
        "",
        benchmark_tables(results, list(networks), methods),
        f"## Where {OURS} is not first",
        "",
    ]
    lost = losses(results, list(networks), methods)
    lines += [f"- {line}" for line in lost] or ["Nowhere in the tables above."]
    refused = refusals(results)
    if refused:
        lines += ["", "Methods that a network does not allow:", "", *(f"- {line}" for line in refused)]
    checks = reading_checks(results)
    if checks:
        lines += ["", "How well factors can be read off pictures:", "", *(f"- {line}" for line in checks)]
    shown = [r for r in cells if r["method"] == OURS]
    if shown:
        lines += ["", f"## What the directions of {OURS} move", ""]
        for network in networks:
            first = next((r for r in shown if r["network"] == network), None)
            if first is not None:
                lines += [f"`{network}`, seed {first['seed']}:", "", response_table(first)]
    return "\n".join(lines).rstrip() + "\n"


def _latest(results: Sequence[Result]) -> dict[tuple[str, str, int], Result]:
    return {(r["network"], r["method"], r["seed"]): r for r in results}


def _values(cells: Mapping[tuple[str, str, int], Result], network: str, method: str, key: str) -> list[float]:
    return [
        float(result[key])
        for (n, m, _), result in cells.items()
        if (n, m) == (network, method) and result["status"] == "done" and result.get(key) is not None
    ]


def _best(numbers: Mapping[str, list[float]]) -> str:
    return max((m for m in numbers if numbers[m]), key=lambda m: statistics.mean(numbers[m]))


def _cell(values: list[float], digits: int, best: bool) -> str:
    if not values:
        return "-"
    text = f"{statistics.mean(values):.{digits}f}"
    text = f"**{text}**" if best else text
    return text if len(values) < 2 else f"{text} +- {statistics.stdev(values):.{digits}f}"
