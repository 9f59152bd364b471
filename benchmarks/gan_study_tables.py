"""Tables of gan_study.py: lines of results.jsonl to Markdown."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any

import numpy as np

ARMS = {
    "pixels": "pixels, no network",
    "labels_only": "labels only (critic and classifier together)",
    "untrained": "critic, untrained",
    "cramer": "critic, Cramer",
    "ppm": "critic, Cramer + PPM-Reg",
    "train_images": "training images",
}
QUALITY = {
    "frechet": ("Frechet", "{:.3f}", 1.0),
    "mmd_unbiased": ("1000 MMD^2", "{:.2f}", 1000.0),
    "precision": ("precision", "{:.3f}", 1.0),
    "recall": ("recall", "{:.3f}", 1.0),
}
Line = Mapping[str, Any]


def study_tables(lines: Sequence[Line]) -> str:
    """Accuracies, image quality and paired differences of every data set and number of steps.

    Raises:
        ValueError: no lines, or one set, number of steps, arm and seed twice.
    """
    if not lines:
        raise ValueError("there should be results.jsonl in OUTDIR/DATASET/RUN, got none")
    keys = [(line["dataset"], line["steps"], line["arm"], line["seed"]) for line in lines]
    if len(set(keys)) < len(keys):
        twice = next(key for key in keys if keys.count(key) > 1)
        raise ValueError(f"every run should be there once, got {twice} twice")
    parts: list[str] = []
    for dataset in dict.fromkeys(line["dataset"] for line in lines):
        here = [line for line in lines if line["dataset"] == dataset]
        baselines = [line for line in here if not line["steps"]]
        milestones = sorted({line["steps"] for line in here if line["steps"]})
        parts += [f"### {dataset}", _setting(here)]
        for steps in milestones or [0]:
            shown = baselines + [line for line in here if steps and line["steps"] == steps]
            parts.append(f"**{steps} steps of the GAN**" if steps else "**No GAN yet**")
            parts += [table for make in (_accuracies, _qualities) if (table := make(shown))]
            parts += [table for table in (_differences(shown),) if table]
    return "\n\n".join(parts)


def _setting(lines: Sequence[Line]) -> str:
    devices = ", ".join(sorted({line["device"] for line in lines}))
    commits = ", ".join(sorted({str(line["commit"])[:7] for line in lines}))
    protocols = {tuple(map(str, line["protocol"].items())) for line in lines}
    first, protocol = lines[0], lines[0]["protocol"]
    text = (
        f"{first['train_images']} training and {first['test_images']} test images; GANs on batches of "
        f"{protocol['batch_size']} at precision {protocol['precision']}; {protocol['draws']} label "
        f"draws, {protocol['epochs']} epochs of the probe, {protocol['label_only_epochs']} of labels only, "
        f"{protocol['held_out']} held-out rows. Device: {devices}. Commit: {commits}."
    )
    accuracies = {q["feature_accuracy"] for line in lines if (q := line.get("quality"))}
    if accuracies:
        shares = ", ".join(f"{100 * accuracy:.2f} %" for accuracy in sorted(accuracies))
        text += f" The classifier behind the quality measures has {shares} of the test images right."
    if len(protocols) > 1:
        text += f" **Runs follow {len(protocols)} different protocols; that of the first is named.**"
    return text


def _accuracies(lines: Sequence[Line]) -> str:
    """Test accuracies in percent; rows are arms, columns probes."""
    measured = {name.replace("labels_only", "mlp") for line in lines for name in line.get("probes", {})}
    names = sorted(measured, key=lambda name: (name.split("-")[0], int(name.split("-")[1])))
    rows = []
    for arm in ARMS:
        of_arm = [line for line in lines if line["arm"] == arm and "probes" in line]
        if not of_arm:
            continue
        cells, last = [], []
        for name in names:
            # a network trained on labels only has the same classifier as the probe mlp
            key = name.replace("mlp", "labels_only") if arm == "labels_only" else name
            found = [line["probes"][key] for line in of_arm if key in line["probes"]]
            cells.append(_cell([100 * p["mean"] for p in found], [100 * p["spread"] for p in found]))
            if name.startswith("mlp"):
                values = [100 * float(np.mean(p["unselected"])) for p in found]
                last.append(_cell(values, [100 * float(np.std(p["unselected"], ddof=1)) for p in found]))
        rows.append([ARMS[arm], str(len(of_arm)), *cells, *last])
    if not rows:
        return ""
    last_names = [f"{name}, last epoch" for name in names if name.startswith("mlp")]
    heading = ["features", "runs", *(f"{name} labels" for name in names), *last_names]
    return (
        "Test accuracy, %. Over several runs: mean +- standard deviation over seeds of the means over draws; "
        "of one run: mean (+- over draws).\n\n" + _table(heading, rows)
    )


def _qualities(lines: Sequence[Line]) -> str:
    rows, samples = [], set()
    for arm in ARMS:
        found = [line["quality"] for line in lines if line["arm"] == arm and "quality" in line]
        samples |= {tuple(q["samples"]) for q in found}
        if found:
            cells = []
            for key, (_, form, scale) in QUALITY.items():
                cells.append(_cell([scale * q[key] for q in found], [], form))
            rows.append([ARMS[arm].replace("critic, ", ""), str(len(found)), *cells])
    if not rows:
        return ""
    counts = ", ".join(f"{n} against {m}" for n, m in sorted(samples))
    return f"Images against test images ({counts}).\n\n" + _table(
        ["images", "runs", *(heading for heading, _, _ in QUALITY.values())], rows
    )


def _differences(lines: Sequence[Line]) -> str:
    """PPM-Reg minus Cramer alone, seed by seed."""
    gans = [line for line in lines if line["arm"] in ("cramer", "ppm")]
    pairs = {
        seed: {line["arm"]: line for line in gans if line["seed"] == seed}
        for seed in sorted({line["seed"] for line in gans})
    }
    both = {seed: (pair["cramer"], pair["ppm"]) for seed, pair in pairs.items() if len(pair) == 2}
    if not both:
        return ""
    rows = []

    def add(name: str, value: Callable[[Line], float], form: str) -> None:
        found = np.array([value(ppm) - value(cramer) for cramer, ppm in both.values()])
        signed = form.replace("{:", "{:+")
        each = " ".join(signed.format(difference) for difference in found)
        rows.append([name, _cell(found, [], signed), each, f"{int((found > 0).sum())} of {len(found)}"])

    for name in next(iter(both.values()))[0]["probes"]:
        add(f"{name} labels, %", lambda line, name=name: 100 * line["probes"][name]["mean"], "{:.2f}")
    for key, (heading, form, scale) in QUALITY.items():
        add(heading, lambda line, key=key, scale=scale: scale * line["quality"][key], form)
    seeds = " ".join(map(str, both))
    return f"With PPM-Reg minus without, same seed, same label draws (seeds {seeds}).\n\n" + _table(
        ["difference in", "mean +- over seeds", "each seed", "above 0"], rows
    )


def _cell(values: Sequence[float] | np.ndarray, spreads: Sequence[float], form: str = "{:.2f}") -> str:
    """Mean and standard deviation over runs, or one value with its own spread."""
    if len(values) == 0:
        return ""
    mean = form.format(float(np.mean(values)))
    if len(values) > 1:
        return f"{mean} +- {form.replace('+', '').format(float(np.std(values, ddof=1)))}"
    return f"{mean} (+- {form.format(spreads[0])})" if len(spreads) == 1 else mean


def _table(heading: Sequence[str], rows: Sequence[Sequence[str]]) -> str:
    lines = [heading, ["---"] * len(heading), *rows]
    return "\n".join(f"| {' | '.join(line)} |" for line in lines)
