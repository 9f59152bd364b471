"""Run by test_bounded_memory: a search in a random 1024-pixel StyleGAN2; prints peak memory in MiB.

python measure_memory.py PIXELS CHANNEL_BASE LAYER [MAX_BATCH]
"""

from __future__ import annotations

import json
import resource
import sys
import time

import torch
from small_networks import stylegan2_network

from gan_topdis.directions import discover
from third_party.stylegan2_ada_pytorch.configuration import channels_by_resolution


def peak() -> float:
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024  # Linux counts KiB


def main() -> None:
    pixels, base, layer = int(sys.argv[1]), int(sys.argv[2]), sys.argv[3]
    max_batch = int(sys.argv[4]) if len(sys.argv) > 4 else None
    torch.set_num_threads(1)
    generator = stylegan2_network(
        resolution=pixels,
        w_dim=512,
        channels=channels_by_resolution(pixels, channel_base=base),
        mapping_layers=8,
    )
    before, start = peak(), time.perf_counter()
    found = discover(
        generator,
        2,
        points=8,
        steps=2,
        second_steps=1,
        restarts=2,
        evaluation_points=8,
        probes=128,
        feature_layer=layer,
        max_batch=max_batch,
    )
    print(
        json.dumps(
            {
                "num_ws": generator.num_ws,
                "shape": found.vectors.shape,
                "before": round(before),
                "peak": round(peak()),
                "seconds": round(time.perf_counter() - start),
            }
        )
    )


if __name__ == "__main__":
    main()
