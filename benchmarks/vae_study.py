"""What TopDis does for VAEs: objectives with and without it at equal steps, on sets with known factors.

    python benchmarks/vae_study.py --outdir runs/vae_study                  # CPU: hours; cuda: minutes
    python benchmarks/vae_study.py --outdir runs/vae_study --share 1/8 &    # one of eight processes
    python benchmarks/vae_study.py --outdir runs/vae_study --write docs/vae_study.md

Every model has a folder in --outdir with its log, checkpoint and pictures; a model whose result.json is there
is not trained again. --write computes nothing: it puts tables of what is there between two marks of the page,
and a line for each model into results.csv in the folder beside it.
"""

from __future__ import annotations

import argparse
import csv
import json
import time
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import numpy as np
import torch
import yaml
from marked_page import write_between_marks
from timing import processor, versions
from torch.nn import functional
from vae_study_tables import study_tables

from gan_topdis import data, metrics, vae
from gan_topdis.report import vae_sheets
from gan_topdis.vae.latent_traversal import encoded_means

ROOT = Path(__file__).resolve().parents[1]
MAKERS = {"procedural-dsprites": data.procedural_dsprites, "room-scenes": data.room_scenes}
VARIANTS: Mapping[str, Mapping[str, bool]] = {
    "base": {"topdis": False, "orthogonalise": True, "lazy": False},
    "topdis": {"topdis": True, "orthogonalise": True, "lazy": False},
    "topdis-raw": {"topdis": True, "orthogonalise": False, "lazy": False},
    "topdis-lazy": {"topdis": True, "orthogonalise": True, "lazy": True},
}
RECONSTRUCTED = 4096
AT_ONCE = 512


@dataclass(frozen=True)
class Model:
    """One training of the study."""

    data: str
    objective: str
    variant: str
    seed: int

    @property
    def name(self) -> str:
        return f"{self.data}.{self.objective}.{self.variant}.seed{self.seed}"


def models(study: Mapping[str, Any]) -> list[Model]:
    """Seeds outermost, so that a study cut short has some of everything."""
    return [
        Model(name, objective, variant, seed)
        for seed in study["seeds"]
        for variant in study["variants"]
        for name in study["sets"]
        for objective in study["objectives"]
    ]


@dataclass(frozen=True)
class DataSet:
    """Images (n, C, H, W) uint8 on the device that trains, and the grid they are on."""

    images: torch.Tensor
    grid: metrics.FactorGrid
    name: str


def made(name: str, settings: Mapping[str, Any], device: str) -> DataSet:
    drawn = MAKERS[name](resolution=settings["resolution"], every=tuple(settings["every"])).in_memory()
    images = torch.from_numpy(drawn.images) * (255 // drawn.white)
    assert drawn.factor_sizes is not None
    return DataSet(images.to(device), metrics.FactorGrid(drawn.factor_sizes), drawn.name)


def run(model: Model, images: DataSet, study: Mapping[str, Any], folder: Path, device: str) -> None:
    """Train, score, draw; `result.json` comes last."""
    choice = VARIANTS[model.variant]
    start = time.perf_counter()
    trained = vae.fit(
        images.images,
        objective=model.objective,
        objective_options=study["objective-options"].get(model.objective),
        topdis_weight=study["topdis-weight"] if choice["topdis"] else 0.0,
        topdis_start=study["topdis-start"],
        topdis_interval=study["lazy-interval"] if choice["lazy"] else 1,
        orthogonalise=choice["orthogonalise"],
        steps=study["steps"],
        batch_size=study["batch-size"],
        learning_rate=study["learning-rate"],
        latent=study["latent"],
        architecture=study["architecture"],
        precision=study["precision"],
        seed=model.seed,
        device=device,
        outdir=folder,
        resume=True,
        log_every=200,
        checkpoint_every=2000,
    )
    seconds = time.perf_counter() - start
    count = len(images.images)
    means = encoded_means(
        trained, [images.images[first : first + AT_ONCE].float() / 255 for first in range(0, count, AT_ONCE)]
    )
    codes = means.numpy()
    found = metrics.evaluate(
        codes,
        images.grid,
        protocol=study["metrics"]["protocol"],
        seed=model.seed,
        only=study["metrics"]["names"],
    )
    entropy, squares = reconstruction_errors(trained, images.images)
    draw(trained, images, means, folder)
    result = {
        **asdict(model),
        **{name: float(score) for name, score in found.scores.items()},
        "cross_entropy": entropy,
        "squared_error": squares,
        "active": int((codes.std(axis=0) > 0.1).sum()),
        "steps": study["steps"],
        "seconds": seconds,
    }
    (folder / "result.json").write_text(json.dumps(result, indent=1) + "\n", encoding="utf-8")
    print(
        f"{model.name}: " + ", ".join(f"{k} {v:.3f}" for k, v in result.items() if isinstance(v, float)),
        flush=True,
    )


@torch.no_grad()
def reconstruction_errors(trained: vae.VAE, images: torch.Tensor) -> tuple[float, float]:
    """Cross-entropy in nats and squared error of an image, from its mean code; means over some images."""
    rows = torch.from_numpy(np.random.default_rng(0).permutation(len(images))[:RECONSTRUCTED])
    entropy = squares = 0.0
    for part in rows.split(AT_ONCE):
        x = images[part.to(images.device)].float() / 255
        logits = trained.logits(trained.encode(x))
        entropy += float(functional.binary_cross_entropy_with_logits(logits, x, reduction="sum"))
        squares += float((torch.sigmoid(logits) - x).square().sum())
    return entropy / len(rows), squares / len(rows)


def draw(trained: vae.VAE, images: DataSet, means: torch.Tensor, folder: Path) -> None:
    """Latent traversals from one image, and reconstructions of eight."""
    rows = torch.from_numpy(np.random.default_rng(1).permutation(len(images.images))[:8])
    shown = images.images[rows.to(images.images.device)].float() / 255
    sheets = vae_sheets(trained, shown, means.std(dim=0), trained=folder.name)
    for name, sheet in zip(("traversals.png", "reconstructions.png"), sheets, strict=True):
        sheet.save(folder / name)


def results(outdir: Path) -> Iterator[dict[str, Any]]:
    for path in sorted(outdir.glob("*/result.json")):
        yield json.loads(path.read_text(encoding="utf-8"))


def write_rows(path: Path, rows: Sequence[Mapping[str, Any]]) -> None:
    """One line for each model."""
    path.parent.mkdir(exist_ok=True)
    with path.open("w", encoding="utf-8", newline="") as file:
        writer = csv.DictWriter(file, list(rows[0]), lineterminator="\n")
        writer.writeheader()
        writer.writerows(rows)


def main() -> None:
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--config", type=Path, default=ROOT / "configs" / "vae_study.yaml", metavar="YAML")
    parser.add_argument("--outdir", type=Path, default=ROOT / "runs" / "vae_study", metavar="DIR")
    parser.add_argument("--device", default="cpu", choices=("cpu", "cuda"))
    parser.add_argument("--share", default="1/1", metavar="K/N", help="every Nth model, from the Kth")
    parser.add_argument("--steps", type=int, help="instead of those of the settings")
    parser.add_argument("--write", type=Path, metavar="PAGE", help="only write what is there into the page")
    arguments = parser.parse_args()
    study = yaml.safe_load(arguments.config.read_text(encoding="utf-8"))
    study["steps"] = arguments.steps or study["steps"]
    if arguments.write is not None:
        rows = list(results(arguments.outdir))
        write_between_marks(arguments.write, study_tables(rows, study), mark="vae study")
        write_rows(arguments.write.with_suffix("") / "results.csv", rows)
        return
    k, n = map(int, arguments.share.split("/"))
    sets: dict[str, DataSet] = {}
    for model in models(study)[k - 1 :: n]:
        folder = arguments.outdir / model.name
        if (folder / "result.json").exists():
            continue
        if model.data not in sets:
            sets[model.data] = made(model.data, study["sets"][model.data], arguments.device)
        run(model, sets[model.data], study, folder, arguments.device)
    machine = torch.cuda.get_device_name() if arguments.device == "cuda" else processor()
    (arguments.outdir / f"machine-{k}.txt").write_text(
        f"{machine}; {versions(('torch', 'numpy', 'scikit-learn'))}\n", encoding="utf-8"
    )


if __name__ == "__main__":
    main()
