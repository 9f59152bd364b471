"""What the connectivity loss adds to a training step of its autoencoder.

Batch 100, 16 branches of 10, 32 x 32 colour, one process. Three things by turns: a step without the loss, a
step with it, and the loss with its gradient alone. Medians and quartiles after a warm-up; the requirement is
that the loss costs at most a tenth of the step without it.

    OMP_NUM_THREADS=1 python benchmarks/connectivity_step_cost.py --write docs/connectivity.md
    python benchmarks/connectivity_step_cost.py --device cuda
"""

from __future__ import annotations

import argparse
from collections.abc import Callable
from pathlib import Path

import torch
from marked_page import write_between_marks
from timing import Timing, load_average, processor, timed, versions

from gan_topdis.connectivity import ConnectivityAutoencoder
from gan_topdis.connectivity.fit import ConnectivityTask
from gan_topdis.losses import ConnectivityLoss
from gan_topdis.training import image_source, start_compute

BATCH, BRANCHES, DIM, SIDE, CHANNELS = 100, 16, 10, 32, 3
WARM_UP = 20
WANTED = 0.1


def measured(device: str, *, seconds: float, rounds: int) -> dict[str, Timing]:
    """Milliseconds of each task."""
    compute = start_compute(device)
    images = torch.rand(1000, CHANNELS, SIDE, SIDE, generator=torch.Generator().manual_seed(0))
    source = image_source(images)
    loss = ConnectivityLoss(branches=BRANCHES)
    tasks = {}
    for weight in (0.0, 20.0):
        model = ConnectivityAutoencoder(CHANNELS, SIDE, branches=BRANCHES, branch_dim=DIM, seed=0)
        tasks[weight] = ConnectivityTask(
            model.to(compute.device),
            source,
            compute,
            loss=loss,
            weight=weight,
            batch_size=BATCH,
            learning_rate=1e-3,
            seed=0,
        )
    codes = torch.randn(BATCH, BRANCHES * DIM, generator=torch.Generator().manual_seed(1))
    codes = codes.to(compute.device).requires_grad_()

    def step(weight: float) -> Callable[[], object]:
        def run() -> None:
            tasks[weight].step(0, log_due=False)
            _finish(compute.device)

        return run

    def loss_alone() -> None:
        torch.autograd.grad(loss(codes), codes)
        _finish(compute.device)

    work = {"step without": step(0.0), "step with": step(20.0), "loss alone": loss_alone}
    for _ in range(WARM_UP):
        for run in work.values():
            run()
    # a turn is one run: what else the machine does meets all alike
    return timed(work, seconds=seconds, rounds=rounds, turn=0.0)


def _finish(device: torch.device) -> None:
    if device.type == "cuda":
        torch.cuda.synchronize(device)


def table(times: dict[str, Timing], device: str) -> str:
    """Markdown, with the machine."""
    own = times["step without"].median
    share, added = times["loss alone"].median / own, times["step with"].median / own - 1
    name = torch.cuda.get_device_name() if device.startswith("cuda") else processor()
    verdict = "At most a tenth, as wanted" if max(share, added) <= WANTED else "More than a tenth"
    return "\n".join(
        [
            "| what | milliseconds, median (quartiles) | of the step without |",
            "|---|---|---|",
            f"| step of the autoencoder without the loss | {times['step without']} | 1 |",
            f"| step with the loss | {times['step with']} | {1 + added:.3f} |",
            f"| loss and its gradient alone | {times['loss alone']} | {share:.3f} |",
            "",
            f"{verdict}. Batch {BATCH}, {BRANCHES} branches of {DIM}, {SIDE} x {SIDE} colour, "
            f"{name}, {torch.get_num_threads()} thread(s), load average {load_average():.1f}, "
            f"{versions(['torch'])}; by turns in one run.",
        ]
    )


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--device", default="cpu")
    parser.add_argument("--seconds", type=float, default=40.0)
    parser.add_argument("--rounds", type=int, default=30)
    parser.add_argument("--write", type=Path, metavar="MD", help="put the table into this file")
    arguments = parser.parse_args()
    times = measured(arguments.device, seconds=arguments.seconds, rounds=arguments.rounds)
    text = table(times, arguments.device)
    print(text)
    if arguments.write is not None:
        write_between_marks(arguments.write, text, mark="step cost")


if __name__ == "__main__":
    main()
