"""What TopDis adds to a step of a VAE: batch 64, 64 x 64 pixels, architecture S.

    python benchmarks/vae_step_cost.py                 # CPU, as many threads as OMP_NUM_THREADS
    python benchmarks/vae_step_cost.py --device cuda   # times include waiting for the GPU

All kinds of steps take turns in one run, after a warm-up of each. Prints a table in Markdown.
"""

from __future__ import annotations

import argparse
from collections.abc import Callable

import numpy as np
import torch
from timing import load_average, processor, timed, versions

from gan_topdis.losses import TopDisLoss
from gan_topdis.training import Compute, image_source, start_compute
from gan_topdis.vae import VAE
from gan_topdis.vae.objectives import build_objective
from gan_topdis.vae.training_task import TopDisSchedule, VAETask

BATCH, PIXELS = 64, 64
OBJECTIVES = ("vae", "beta_tc", "factor", "dava")
WARM_UP = 5
IMAGES = 1024


def steps(
    objective: str, weight: float, orthogonalise: bool, channels: int, compute: Compute
) -> Callable[[], None]:
    """A function that trains for one more step and waits until it is done."""
    rng = np.random.default_rng(0)
    images = torch.from_numpy(rng.integers(256, size=(IMAGES, channels, PIXELS, PIXELS), dtype=np.uint8))
    torch.manual_seed(0)
    vae = VAE(channels, PIXELS)
    task = VAETask(
        vae.to(compute.device),
        build_objective(objective, vae, IMAGES).to(compute.device),
        image_source(images.to(compute.device)),
        compute,
        batch_size=BATCH,
        learning_rate=None,
        topdis=TopDisLoss(),
        schedule=TopDisSchedule(weight, orthogonalise=orthogonalise),
        seed=0,
    )
    done = 0

    def run() -> None:
        nonlocal done
        task.step(done, log_due=False)
        done += 1
        if compute.device.type == "cuda":
            torch.cuda.synchronize()

    for _ in range(WARM_UP):
        run()
    return run


def main() -> None:
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--device", default="cpu", choices=("cpu", "cuda"))
    parser.add_argument("--seconds", type=float, default=20.0, help="per number of channels")
    arguments = parser.parse_args()
    compute = start_compute(arguments.device)
    machine = torch.cuda.get_device_name() if arguments.device == "cuda" else processor()
    print(
        f"{machine}, {torch.get_num_threads()} threads, load {load_average():.1f}; {versions(('torch',))}\n"
    )
    print("| objective | channels | step, ms | with TopDis, ms | ratio | orthogonalised, ms | ratio |")
    print("|---|---|---|---|---|---|---|")
    for channels in (1, 3):
        kinds = {
            (objective, kind): steps(objective, 5.0 * (kind > 0), kind == 2, channels, compute)
            for objective in OBJECTIVES
            for kind in range(3)
        }
        found = timed(
            {f"{objective} {kind}": run for (objective, kind), run in kinds.items()},
            seconds=arguments.seconds,
            rounds=5,
        )
        for objective in OBJECTIVES:
            base, raw, orthogonal = (found[f"{objective} {kind}"] for kind in range(3))
            print(
                f"| {objective} | {channels} | {base} | {raw} | {raw.median / base.median:.2f} | "
                f"{orthogonal} | {orthogonal.median / base.median:.2f} |",
                flush=True,
            )


if __name__ == "__main__":
    main()
