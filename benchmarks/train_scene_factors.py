"""Train the network that reads the six factors of `scenes` off a picture, and report its R^2.

    nice -n 19 python benchmarks/train_scene_factors.py            # trains, prints R^2, writes the weights
    python benchmarks/train_scene_factors.py --evaluate            # prints the R^2 of the packaged weights

Every picture is rendered afresh from uniform factors. Trained networks draw a little softer and noisier than
the formula, so that half of the training pictures are blurred and all get a little noise.
"""

from __future__ import annotations

import argparse
import json
import math
import time
from collections.abc import Callable

import torch
from safetensors.torch import save_file
from torch import Tensor
from torch.nn import functional as F

from gan_topdis.generators.scene_factors import (
    ACCURACY_KEY,
    RESOLUTION,
    WEIGHTS,
    SceneFactorNetwork,
    scene_factors,
)
from gan_topdis.generators.scenes import FACTORS, render

STEPS, BATCH, RATE = 4_000, 64, 2e-3
LARGEST_NOISE, LARGEST_BLUR = 0.06, 0.8
"""Standard deviations: of the noise, pictures in [-1, 1]; of the blur, pixels."""
HELD_OUT = 4_000


def softened(images: Tensor, rng: torch.Generator) -> Tensor:
    """Pictures with noise of a random strength; the second half of the batch blurred as well."""
    half = len(images) // 2
    width = LARGEST_BLUR * float(torch.rand((), generator=rng)) + 0.05
    taps = torch.exp(-(torch.arange(-2.0, 3.0) ** 2) / (2 * width**2))
    kernel = (taps / taps.sum()).expand(3, 1, 1, 5)
    blurred = F.pad(images[half:], (2, 2, 2, 2), mode="replicate")
    blurred = F.conv2d(F.conv2d(blurred, kernel, groups=3), kernel.transpose(2, 3), groups=3)
    images = torch.cat([images[:half], blurred])
    strength = LARGEST_NOISE * torch.rand(len(images), 1, 1, 1, generator=rng)
    return images + strength * torch.randn(images.shape, generator=rng)


def train(steps: int) -> SceneFactorNetwork:
    torch.manual_seed(0)
    rng = torch.Generator().manual_seed(1)
    network = SceneFactorNetwork()
    optimiser = torch.optim.Adam(network.parameters(), lr=RATE)
    start = time.perf_counter()
    for step in range(steps):
        for group in optimiser.param_groups:
            group["lr"] = RATE * 0.5 * (1 + math.cos(math.pi * step / steps))
        factors = torch.rand(BATCH, len(FACTORS), generator=rng)
        loss = F.mse_loss(network(softened(render(factors, RESOLUTION), rng)), factors)
        optimiser.zero_grad(set_to_none=True)
        loss.backward()
        optimiser.step()
        if (step + 1) % 500 == 0:
            print(
                f"{step + 1} steps, {time.perf_counter() - start:.0f} s, loss {loss.item():.5f}", flush=True
            )
    return network


def held_out_r2(factors_of: Callable[[Tensor], Tensor], noise: float) -> dict[str, float]:
    """R^2 by factor on pictures that training has not drawn."""
    rng = torch.Generator().manual_seed(2)
    factors = torch.rand(HELD_OUT, len(FACTORS), generator=rng)
    with torch.no_grad():
        found = torch.cat(
            [
                factors_of(images + noise * torch.randn(images.shape, generator=rng))
                for images in render(factors, RESOLUTION).split(500)
            ]
        )
    r2 = 1 - (found - factors).square().mean(dim=0) / factors.var(dim=0)
    return {name: round(value, 4) for name, value in zip(FACTORS, r2.tolist(), strict=True)}


def save(network: SceneFactorNetwork) -> None:
    """Half-precision weights and, beside them in the file, the R^2 on clean pictures."""
    rounded = {name: tensor.half() for name, tensor in network.state_dict().items()}
    network.load_state_dict({name: tensor.float() for name, tensor in rounded.items()})
    r2 = held_out_r2(lambda images: network(images).clamp(0, 1), noise=0.0)
    save_file(rounded, WEIGHTS, metadata={ACCURACY_KEY: json.dumps(r2)})


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawTextHelpFormatter)
    parser.add_argument("--steps", type=int, default=STEPS, metavar="N", help=f"of {BATCH} pictures")
    parser.add_argument("--evaluate", action="store_true", help="train nothing")
    arguments = parser.parse_args()
    if not arguments.evaluate:
        save(train(arguments.steps))
    for noise in (0.0, 0.05):
        print(f"R^2 on {HELD_OUT} pictures with noise {noise}: {held_out_r2(scene_factors, noise)}")


if __name__ == "__main__":
    main()
