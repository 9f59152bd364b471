"""Moving average of weights."""

from __future__ import annotations

import torch
from torch import nn

START_SHARE = 0.05
"""Share of the images shown so far beyond which the half-life does not go, so that an average soon forgets
the untrained weights."""


def average_decay(batch: int, shown: int, half_life: float) -> float:
    """What is kept of the average at an update.

    Args:
        batch: images of an update.
        shown: images of the updates before it.
        half_life: images after which weights count half; 0 keeps no average.
    """
    return float(0.5 ** (batch / max(min(half_life, START_SHARE * shown), 1e-8)))


@torch.no_grad()
def update_average(average: nn.Module, network: nn.Module, decay: float) -> None:
    """average = decay average + (1 - decay) network; buffers, such as those of batch norm, are copied.

    Source: Karras et al., Progressive Growing of GANs, arXiv:1710.10196, section 5.
    """
    torch._foreach_lerp_(list(average.parameters()), list(network.parameters()), 1 - decay)
    for kept, new in zip(average.buffers(), network.buffers(), strict=True):
        kept.copy_(new)
