"""How long a step of shape matching takes: PPM-Reg, W-PPM-Reg and PD-Reg, ours and by established libraries.

Circle, Cramer loss (paired) and a regulariser, forward, backward and step, as timed by Wong, Lee, Yan,
ICLR 2025: N points, s tuples of each cloud and dimension. The start is half of the way: 0.6 times the circle
and noise. Each cell is the median of at least three steps, after one that is not counted; a cell guessed to
take longer than --longest seconds a step is left out.

- W-PPM-Reg by POT: `ot.emd2` on the cost matrix of all s tuples. Values are compared with ours first.
- PD-Reg by torch-topological: `VietorisRipsComplex` and `WassersteinDistance(q=2)` (GUDHI and POT), the
  diagrams of the reference computed once, as ours are. It has another norm, so values are not compared.

    python benchmarks/ppm_timing.py                    # needs the extras shapes and benchmark, and POT
    python benchmarks/ppm_timing.py --device cuda      # both clouds and the regulariser on the GPU
"""

from __future__ import annotations

import argparse
import platform
import statistics
import time
import warnings
from collections.abc import Callable

import torch
from torch import Tensor

from gan_topdis.persistence import principal_persistence
from gan_topdis.shapes import reference_shape
from gan_topdis.shapes.matching_task import paired_cramer
from gan_topdis.shapes.regularizers import build_regularizer

SIZES = (128, 256, 512, 1024)
TUPLES = (512, 1024, 2048)
LEAST_STEPS, SECONDS = 3, 2.0
Term = Callable[[Tensor, Tensor], Tensor]


def ours(name: str, tuples: int) -> Term:
    regularizer = build_regularizer(name, subsamples=tuples)
    assert regularizer is not None
    rng = torch.Generator().manual_seed(0)
    return lambda moving, reference: regularizer(moving, reference, generator=rng)


def measures_by_pot(tuples: int) -> Term:
    """W-PPM-Reg with weights 1 and 3: all tuples, one POT problem per dimension; the plan is held."""
    import ot

    rng = torch.Generator().manual_seed(0)

    def term(moving: Tensor, reference: Tensor) -> Tensor:
        total = 0.0 * moving.sum()
        for q, weight in enumerate((1.0, 3.0)):
            (b, k), (c, m) = (
                principal_persistence(points, q, tuples, generator=rng) for points in (moving, reference)
            )
            over_the_edge = k[:, None] + m[None]  # (s, s)
            # its gradient is infinite where both are 0, and NaN after a product with 0
            direct = ((b[:, None] - c[None]).square() + (k[:, None] - m[None]).square() + 1e-20).sqrt()
            present = (k[:, None] > 0) & (m[None] > 0)
            costs = torch.where(present, torch.minimum(direct, over_the_edge), over_the_edge).square()
            uniform = torch.full((tuples,), 1 / tuples, device=costs.device)
            total = total + weight * (ot.emd2(uniform, uniform, costs, numItermax=10_000_000) + 1e-20).sqrt()
        return total

    return term


def diagrams_by_torch_topological() -> Term:
    from torch_topological.nn import VietorisRipsComplex, WassersteinDistance

    rips, distance = VietorisRipsComplex(dim=1), WassersteinDistance(q=2)
    kept: list[object] = []

    def term(moving: Tensor, reference: Tensor) -> Tensor:
        if not kept:
            kept.append(rips(reference))
        return 0.05 * distance(rips(moving), kept[0]).sum()

    return term


COLUMNS: dict[str, Callable[[int], Term]] = {
    "PPM-Reg": lambda s: ours("ppm", s),
    "W-PPM-Reg": lambda s: ours("w-ppm", s),
    "W-PPM-Reg by POT": measures_by_pot,
    "PD-Reg": lambda s: ours("pd", s),
    "PD-Reg by torch-topological": lambda s: diagrams_by_torch_topological(),
}
"""Titles and what makes the term for s tuples; PD-Reg has none."""
WITHOUT_TUPLES = ("PD-Reg", "PD-Reg by torch-topological")


def seconds_per_step(term: Term, points: int, device: str, longest: float) -> float:
    """Median over steps; that of the first alone where it took longer than `longest`."""
    reference = reference_shape("circle", points).to(device)
    noise = 0.1 * torch.randn(points, 2, generator=torch.Generator().manual_seed(1))
    moving = (0.6 * reference + noise.to(device)).requires_grad_()
    optimizer = torch.optim.SGD([moving], lr=1e-4, momentum=0.9)

    def step(number: int) -> float:
        began = time.perf_counter()
        (1.6 * paired_cramer(reference, moving, 0, number) + term(moving, reference)).backward()
        optimizer.step()
        optimizer.zero_grad()
        if device == "cuda":
            torch.cuda.synchronize()
        return time.perf_counter() - began

    first = step(0)
    if first > longest:
        return first
    times: list[float] = []
    while len(times) < LEAST_STEPS or sum(times) < SECONDS:
        times.append(step(len(times) + 1))
    return statistics.median(times)


def check_pot() -> None:
    """Raises SystemExit where W-PPM-Reg by POT is another number than ours."""
    cloud = reference_shape("circle", 64)
    values = [float(term(0.7 * cloud, cloud)) for term in (ours("w-ppm", 128), measures_by_pot(128))]
    if abs(values[0] - values[1]) > 1e-4 * values[0]:
        raise SystemExit(f"W-PPM-Reg is {values[0]} by us and {values[1]} by POT: no times of wrong numbers")


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--device", default="cpu", choices=("cpu", "cuda"))
    parser.add_argument("--longest", type=float, default=20.0, metavar="SECONDS")
    parser.add_argument("--only", nargs="+", default=list(COLUMNS), choices=list(COLUMNS))
    given = parser.parse_args()
    warnings.simplefilter("ignore")  # peers use what newer libraries deprecate
    if "W-PPM-Reg by POT" in given.only:
        check_pot()
    where = torch.cuda.get_device_name() if given.device == "cuda" else f"{torch.get_num_threads()} thread(s)"
    print(f"Seconds per 100 steps; {platform.machine()}, {where}, torch {torch.__version__}\n")
    cells = [(c, s) for c in given.only for s in ((0,) if c in WITHOUT_TUPLES else TUPLES)]
    print("| N | " + " | ".join(c + (f", s = {s}" if s else "") for c, s in cells) + " |")
    print("|---|" + "---|" * len(cells))
    guess: dict[tuple[str, int], float] = {}
    for points in SIZES:
        row = []
        for column, tuples in cells:
            # full diagrams grow with the cube of N at most eightfold per doubling; tuples hardly with N
            growth = 8.0 if column in WITHOUT_TUPLES else 1.0
            if growth * guess.get((column, tuples), 0.0) > given.longest:
                row.append("-")
                guess[column, tuples] = float("inf")
                continue
            took = seconds_per_step(COLUMNS[column](max(tuples, 1)), points, given.device, given.longest)
            guess[column, tuples] = took
            row.append(f"{100 * took:.3g}")
        print(f"| {points} | " + " | ".join(row) + " |", flush=True)


if __name__ == "__main__":
    main()
