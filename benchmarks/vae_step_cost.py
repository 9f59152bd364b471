"""What TopDis adds to a step of a VAE: batch 64, 64 x 64 pixels, architecture S.

    python benchmarks/vae_step_cost.py                 # CPU, as many threads as OMP_NUM_THREADS
    python benchmarks/vae_step_cost.py --device cuda   # times include waiting for the GPU

All kinds of steps take turns in one run, after a warm-up of each. A step of lazy TopDis is the mean of its
interval. Prints a table in Markdown.
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
INTERVAL = 4
# TopDis or not, orthogonalised or not, how many steps from one TopDis to the next
KINDS = {
    "base": (False, True, 1),
    "raw": (True, False, 1),
    "orthogonalised": (True, True, 1),
    "raw, lazy": (True, False, INTERVAL),
    "orthogonalised, lazy": (True, True, INTERVAL),
}
IMAGES = 1024


def steps(
    objective: str, topdis: bool, orthogonalise: bool, interval: int, channels: int, compute: Compute
) -> Callable[[], None]:
    """A function that trains for one more interval of steps and waits until they are done."""
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
        schedule=TopDisSchedule(5.0 * topdis, orthogonalise=orthogonalise, interval=interval),
        seed=0,
    )
    done = 0

    def run() -> None:
        nonlocal done
        for _ in range(interval):
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
    parser.add_argument("--seconds", type=float, default=60.0, help="per number of channels")
    arguments = parser.parse_args()
    compute = start_compute(arguments.device)
    machine = torch.cuda.get_device_name() if arguments.device == "cuda" else processor()
    print(
        f"{machine}, {torch.get_num_threads()} threads, load {load_average():.1f}; {versions(('torch',))}\n"
    )
    print(
        "| objective | channels | step, ms | "
        + " | ".join(f"{kind}, ratio" for kind in list(KINDS)[1:])
        + " |"
    )
    print("|---|---|---|" + "---|" * (len(KINDS) - 1))
    for channels in (1, 3):
        tasks = {
            f"{objective} {kind}": steps(objective, *choice, channels, compute)
            for objective in OBJECTIVES
            for kind, choice in KINDS.items()
        }
        found = timed(tasks, seconds=arguments.seconds, rounds=5)
        for objective in OBJECTIVES:
            base = found[f"{objective} base"]
            ratios = [
                f"{found[f'{objective} {kind}'].median / interval / base.median:.2f}"
                for kind, (topdis, _, interval) in KINDS.items()
                if topdis
            ]
            print(f"| {objective} | {channels} | {base} | " + " | ".join(ratios) + " |", flush=True)


if __name__ == "__main__":
    main()
