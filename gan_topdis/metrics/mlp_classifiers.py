"""Many small classifiers that train side by side, one per draw of labels, as one batched network."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from itertools import pairwise

import torch
from jaxtyping import Float, Int
from torch import Tensor

from gan_topdis.seeding import seeded_generator

HIDDEN = (512, 512, 512)
SLOPE = 0.1
LEARNING_RATE, BETAS = 1e-4, (0.1, 0.99)
"""Of Adam."""
BATCH_SIZE = 192
_WEIGHTS, _ORDER = 0, 1
"""Purposes of random numbers."""


class MLPClassifiers:
    """Classifiers d -> 512 -> 512 -> 512 -> classes with LeakyReLU .1, as many as there are draws.

    Adam works on each number by itself, so that training them together changes nothing in any of them.

    Args:
        draws: how many; number i starts the same whatever the others.
        sizes: numbers of inputs, hidden units and classes.
        seed: of the weights, uniform within 1 / sqrt(inputs) as `nn.Linear` starts.

    Source: Wong, Lee, Yan, ICLR 2025, section on semi-supervised learning; released settings.
    """

    def __init__(
        self, draws: int, sizes: Sequence[int], *, seed: int, device: str | torch.device = "cpu"
    ) -> None:
        generators = [seeded_generator(seed, _WEIGHTS, draw) for draw in range(draws)]
        self.parameters: list[Tensor] = []
        for inputs, outputs in pairwise(sizes):
            for shape in ((inputs, outputs), (1, outputs)):
                start = [(2 * torch.rand(shape, generator=g) - 1) / inputs**0.5 for g in generators]
                self.parameters.append(torch.stack(start).to(device).requires_grad_())

    def logits(self, features: Float[Tensor, "draws n d"]) -> Float[Tensor, "draws n classes"]:
        """Rows of draw i go through classifier i."""
        x = features
        for layer in range(0, len(self.parameters), 2):
            x = torch.baddbmm(self.parameters[layer + 1], x, self.parameters[layer])
            if layer + 2 < len(self.parameters):
                x = torch.nn.functional.leaky_relu(x, SLOPE)
        return x

    @torch.no_grad()
    def accuracy(
        self, features: Float[Tensor, "draws n d"], classes: Int[Tensor, "draws n"], *, at_once: int = 1024
    ) -> Float[Tensor, " draws"]:
        """Share of rows whose class has the largest output; every draw has its rows."""
        right = [
            (self.logits(x).argmax(dim=2) == y).sum(dim=1)
            for x, y in zip(features.split(at_once, dim=1), classes.split(at_once, dim=1), strict=True)
        ]
        return torch.stack(right).sum(dim=0).cpu().double() / features.shape[1]

    def snapshot(self) -> list[Tensor]:
        """Weights as they are now."""
        return [parameter.detach().clone() for parameter in self.parameters]

    @torch.no_grad()
    def restore(self, snapshot: Sequence[Tensor]) -> None:
        for parameter, saved in zip(self.parameters, snapshot, strict=True):
            parameter.copy_(saved)


def epochs_of(
    classifiers: MLPClassifiers,
    features: Float[Tensor, "draws n d"],
    classes: Int[Tensor, "draws n"],
    epochs: int,
    *,
    seed: int,
) -> Iterator[int]:
    """Train; after every epoch, its number from 1.

    An epoch sees the rows of a draw in random order, in batches of 192, or of all rows when there are fewer;
    what does not fill a batch is dropped. The loss is the mean negative log-likelihood of a draw, summed over
    draws.
    """
    draws, n = classes.shape
    batch = min(BATCH_SIZE, n)
    generators = [seeded_generator(seed, _ORDER, draw) for draw in range(draws)]
    optimizer = torch.optim.Adam(classifiers.parameters, lr=LEARNING_RATE, betas=BETAS)
    every = torch.arange(draws, device=features.device)[:, None]
    for epoch in range(1, epochs + 1):
        order = torch.stack([torch.randperm(n, generator=g) for g in generators]).to(features.device)
        for first in range(0, n - batch + 1, batch):
            rows = order[:, first : first + batch]  # (draws, batch)
            logits = classifiers.logits(features[every, rows])
            loss = torch.nn.functional.cross_entropy(
                logits.flatten(0, 1), classes[every, rows].flatten(), reduction="sum"
            )
            optimizer.zero_grad()
            (loss / batch).backward()
            optimizer.step()
        yield epoch
