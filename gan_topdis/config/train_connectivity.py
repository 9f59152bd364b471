"""Settings of `gan-topdis train-connectivity`."""

from __future__ import annotations

from dataclasses import dataclass

from gan_topdis.config.ranges import DEVICES, require_above, require_at_least, require_one_of

# Spelled out here, since the modules that own them import torch; tests hold them equal.
OVER_BRANCHES = ("mean", "sum")
BLOCK_INITS = ("published", "block")
PRECISIONS = ("32", "mixed")
SPLITS = {
    "cifar10": ("train", "test"),
    "cifar20": ("train", "test"),
    "cifar100": ("train", "test"),
    "tiny-imagenet": ("train", "val"),
    "fashion-mnist": ("train", "test"),
}
"""Data sets of several splits; NAME alone is the first, NAME:test another."""


@dataclass(frozen=True)
class TrainConnectivityConfig:
    """What `train-connectivity` is told; keys in a YAML file are the option names of the command line.

    Attributes:
        data: of `SPLITS`, a data set of `train-vae` or `train-gan`, or a folder of images. Labels are unused.
        resolution: of data sets that are made, of folders, and of Tiny-ImageNet.
        grey: whether images of a folder, and of Tiny-ImageNet, become grey.
        branches, branch_dim, eta, weight, over_branches, block_init: see `connectivity.fit`.
        steps, batch_size, learning_rate, seed, precision, device: see `connectivity.fit`.
        log_every, checkpoint_every: steps.
    """

    data: str = "fashion-mnist"
    resolution: int = 32
    grey: bool = False
    branches: int = 16
    branch_dim: int = 10
    eta: float = 2.0
    weight: float = 20.0
    over_branches: str = "mean"
    block_init: str = "published"
    steps: int = 25_000
    batch_size: int = 100
    learning_rate: float = 1e-3
    seed: int = 0
    precision: str = "32"
    device: str = "auto"
    log_every: int = 100
    checkpoint_every: int = 1_000

    def __post_init__(self) -> None:
        require_one_of("over-branches", self.over_branches, OVER_BRANCHES)
        require_one_of("block-init", self.block_init, BLOCK_INITS)
        require_one_of("precision", self.precision, PRECISIONS)
        require_one_of("device", self.device.partition(":")[0], DEVICES)
        require_above("eta", self.eta, 0)
        require_above("learning-rate", self.learning_rate, 0)
        for option, value, least in (
            ("resolution", self.resolution, 8),
            ("branches", self.branches, 1),
            ("branch-dim", self.branch_dim, 1),
            ("weight", self.weight, 0),
            ("steps", self.steps, 1),
            ("batch-size", self.batch_size, 1),
            ("seed", self.seed, 0),
            ("log-every", self.log_every, 1),
            ("checkpoint-every", self.checkpoint_every, 1),
        ):
            require_at_least(option, value, least)
