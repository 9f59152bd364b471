"""What PPM-Reg adds to a step of the Cramer GAN: batch 192, s = 1024, both published networks.

    OMP_NUM_THREADS=1 python benchmarks/gan_step_cost.py   # CPU: processor time, whatever else runs
    python benchmarks/gan_step_cost.py --device cuda       # time by the clock, the GPU waited for

A cycle is five steps of the critic and one of the generator, with everything that training does but
checkpoints; cycles with and without PPM-Reg take turns in one run, after a warm-up of each. Prints a table in
Markdown, and exits with 1 where the ratio of medians is above 1.15.
"""

from __future__ import annotations

import argparse
import time
from collections.abc import Callable

import numpy as np
import torch
from timing import Timing, load_average, processor, timing, versions

from gan_topdis.gan.cramer_gan import CramerGAN
from gan_topdis.gan.cramer_task import CramerSettings, CramerTask
from gan_topdis.gan.published_regularizer import published_regularizer
from gan_topdis.gan.real_images import real_images
from gan_topdis.training import Compute, start_compute

BATCH, SUBSAMPLES = 192, 1024
MOST = 1.15
WEIGHTS = {28: 0.025, 32: 1.0}
WARM_UP = 1


def cycles(resolution: int, channels: int, ppm_weight: float, compute: Compute) -> Callable[[], None]:
    """A function that trains for one more cycle and waits until it is done."""
    rng = np.random.default_rng(0)
    images = rng.integers(256, size=(4 * BATCH, channels, resolution, resolution), dtype=np.uint8)
    torch.manual_seed(0)
    settings = CramerSettings(ppm_weight=ppm_weight)
    task = CramerTask(
        CramerGAN(channels, resolution).to(compute.device),
        real_images(images, BATCH, 0, compute),
        compute,
        batch_size=BATCH,
        settings=settings,
        ppm=published_regularizer(resolution, subsamples=SUBSAMPLES),
        seed=0,
    )
    done = 0

    def run() -> None:
        nonlocal done
        for _ in range(settings.critic_steps + 1):
            task.step(done, log_due=False)
            done += 1
        if compute.device.type == "cuda":
            torch.cuda.synchronize()

    for _ in range(WARM_UP):
        run()
    return run


def by_turns(
    tasks: dict[str, Callable[[], None]], clock: Callable[[], float], *, seconds: float, rounds: int
) -> dict[str, Timing]:
    """Milliseconds a cycle of each task, one cycle at a time."""
    runs: dict[str, list[float]] = {name: [] for name in tasks}
    end = time.perf_counter() + seconds
    while len(runs["with"]) < rounds or time.perf_counter() < end:
        for name, task in tasks.items():
            start = clock()
            task()
            runs[name].append(1000 * (clock() - start))
    return {name: timing(times) for name, times in runs.items()}


def main() -> None:
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--device", default="cpu", help="cpu or cuda")
    parser.add_argument("--precision", default="32", help="32 or mixed")
    parser.add_argument("--seconds", type=float, default=20.0, help="for each network")
    parser.add_argument("--rounds", type=int, default=5, help="least number of turns")
    arguments = parser.parse_args()
    compute = start_compute(arguments.device, arguments.precision)
    cuda = compute.device.type == "cuda"
    machine = torch.cuda.get_device_name() if cuda else processor()
    print(f"{machine}, {torch.get_num_threads()} threads, precision {arguments.precision}, ", end="")
    print(f"{versions(['torch'])}, load {load_average():.1f}\n")
    print("| network | ms a cycle without | with PPM-Reg | ratio |\n|---|---|---|---|")
    worst = 0.0
    for resolution, channels in ((28, 1), (32, 3)):
        tasks = {
            "without": cycles(resolution, channels, 0.0, compute),
            "with": cycles(resolution, channels, WEIGHTS[resolution], compute),
        }
        clock = time.perf_counter if cuda else time.process_time
        times = by_turns(tasks, clock, seconds=arguments.seconds, rounds=arguments.rounds)
        ratio = times["with"].median / times["without"].median
        worst = max(worst, ratio)
        shape = f"{channels} x {resolution} x {resolution}"
        print(f"| {shape} | {times['without']} | {times['with']} | {ratio:.3f} |", flush=True)
    raise SystemExit(worst > MOST)


if __name__ == "__main__":
    main()
