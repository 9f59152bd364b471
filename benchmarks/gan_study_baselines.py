"""What learns from the drawn labels alone: the critic's network with a classifier on top, trained together.

As published, but the epoch is chosen by held-out training rows, and epochs are fewer.
"""

from __future__ import annotations

import numpy as np
import torch
from torch import nn

from gan_topdis.gan.critics import Critic28
from gan_topdis.metrics import LabelProbe, stratified_draws
from gan_topdis.metrics.mlp_classifiers import BATCH_SIZE, BETAS, HIDDEN, LEARNING_RATE, SLOPE
from gan_topdis.seeding import seeded_generator

AT_ONCE = 2_048


def label_only_network(classes: int) -> nn.Sequential:
    """Critic of 28 pixels to 64 latents, and the probe's network on them, from torch's global generator."""
    layers: list[nn.Module] = [Critic28()]
    inside = Critic28.features_dim
    for width in HIDDEN:
        layers += [nn.Linear(inside, width), nn.LeakyReLU(SLOPE)]
        inside = width
    return nn.Sequential(*layers, nn.Linear(inside, classes))


def label_only_probe(
    train: np.ndarray,
    train_classes: np.ndarray,
    test: np.ndarray,
    test_classes: np.ndarray,
    *,
    labels: int,
    draws: int,
    epochs: int,
    check_every: int,
    held_out: int,
    seed: int,
    device: str,
) -> LabelProbe:
    """Accuracies of networks that see the labelled images only; rows and rules are those of `label_probe`.

    Args:
        train, test: uint8 (n, 1, 28, 28).
    """
    rows = stratified_draws(train_classes, labels, draws, held_out=held_out, seed=seed)
    images, images_test, images_choose = (
        torch.from_numpy(each).to(device).float() / 255
        for each in (train[rows.labelled.ravel()], test, train[rows.held_out])
    )
    images = images.unflatten(0, rows.labelled.shape)
    y, y_test, y_choose = (
        torch.from_numpy(each).long().to(device)
        for each in (train_classes[rows.labelled], test_classes, train_classes[rows.held_out])
    )
    results = []
    for draw in range(draws):
        with torch.random.fork_rng(devices=[]):
            torch.manual_seed(seeded_generator(seed, 2, draw).initial_seed() % 2**63)
            network = label_only_network(int(train_classes.max()) + 1).to(device)
        orders = seeded_generator(seed, 3, draw)
        adam = torch.optim.Adam(network.parameters(), lr=LEARNING_RATE, betas=BETAS)
        best, selected, kept = -1.0, 0, network.state_dict()
        batch = min(BATCH_SIZE, labels)
        for epoch in range(1, epochs + 1):
            order = torch.randperm(labels, generator=orders).to(device)
            for chosen in order[: labels // batch * batch].split(batch):
                loss = nn.functional.cross_entropy(network(images[draw, chosen]), y[draw, chosen])
                adam.zero_grad()
                loss.backward()
                adam.step()
            if epoch % check_every == 0 or epoch == epochs:
                accuracy = _accuracy(network, images_choose, y_choose)
                if accuracy > best:
                    best, selected = accuracy, epoch
                    kept = {name: value.clone() for name, value in network.state_dict().items()}
        last = _accuracy(network, images_test, y_test)
        network.load_state_dict(kept)
        results.append((_accuracy(network, images_test, y_test), last, best, selected))
    settings = {
        "probe": "labels_only",
        "labels": labels,
        "draws": draws,
        "seed": seed,
        "validation": "held_out",
        "validation_rows": held_out,
        "epochs": epochs,
        "check_every": check_every,
    }
    accuracy, last, best, selected = np.array(results, dtype=np.float64).T
    return LabelProbe(accuracy, last, best, selected, settings)


@torch.no_grad()
def _accuracy(network: nn.Module, images: torch.Tensor, classes: torch.Tensor) -> float:
    right = sum(
        int((network(x).argmax(dim=1) == y).sum())
        for x, y in zip(images.split(AT_ONCE), classes.split(AT_ONCE), strict=True)
    )
    return right / len(images)
