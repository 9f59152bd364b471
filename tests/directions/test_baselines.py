"""GANSpace and SeFa against closed forms and a second implementation."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from small_networks import dcgan_network, stylegan2_network

from gan_topdis.directions import discover
from gan_topdis.generators import from_callable
from gan_topdis.generators.scenes import ScenesGenerator
from gan_topdis.seeding import seeded_generator

TINY = {"points": 8, "evaluation_points": 16, "probes": 128}


def in_order_of_discovery(found):
    return found.vectors[np.argsort(found.table["found_at"])]


def linear_generator(spread, gains):
    """Latents with independent coordinates of the given standard deviations; picture = A w with A^T A =
    diag(gains^2)."""
    columns = torch.linalg.qr(torch.randn(48, len(gains), generator=seeded_generator(1))).Q
    matrix = (columns * torch.tensor(gains)).T

    def sample(seeds):
        z = [torch.randn(len(spread), generator=torch.Generator().manual_seed(seed)) for seed in seeds]
        return torch.stack(z) * torch.tensor(spread)

    return from_callable(
        lambda z: (z @ matrix).reshape(-1, 3, 4, 4), len(gains), sample=sample, name="linear"
    )


def test_ganspace_is_the_pca_of_the_latent():
    generator = linear_generator([1.0, 3.0, 0.5, 2.0], [0.1, 0.1, 0.4, 0.2])
    vectors = in_order_of_discovery(discover(generator, 3, method="ganspace", **TINY))
    # 10,000 latents: an axis is off by about sqrt(ratio of variances / 10,000) < 0.02 radian
    np.testing.assert_allclose(vectors, np.eye(4)[[1, 3, 0]], atol=0.03)


def test_ganspace_of_features_follows_what_is_seen():
    """Variance of feature k is (gain * spread)^2, so the order is that of the products 0.1, 0.3, 0.2, 0.4."""
    generator = linear_generator([1.0, 3.0, 0.5, 2.0], [0.1, 0.1, 0.4, 0.2])
    vectors = in_order_of_discovery(discover(generator, 3, method="ganspace-features", **TINY))
    # components come from 1024 pictures and mix by about ratio / sqrt(1024); the latent shares the mixture,
    # weighted by its own spread
    assert (np.abs(vectors[[0, 1, 2], [3, 1, 2]]) > 0.9).all(), vectors


def test_sefa_is_the_eigenvectors_of_normalised_style_rows():
    """Second implementation: a loop over the tensors of the state dict, in numpy."""
    generator = stylegan2_network()
    # positions 1 and 2 of ws feed b4.torgb and b8.conv0, and b8.conv1
    layers = np.array([False, True, True, False, False, False])
    found = discover(generator, 4, method="sefa", layers=layers, **TINY)
    state = generator.network.state_dict()
    gram = np.zeros((6, 6))
    for name in ("b4.torgb", "b8.conv0", "b8.conv1"):
        for row in state[f"synthesis.{name}.affine.weight"].numpy().astype(np.float64):
            gram += np.outer(row, row) / (row @ row)
    expected = np.linalg.eigh(gram)[1][:, ::-1].T[:4]
    cosines = np.abs(np.sum(in_order_of_discovery(found) * expected, axis=1))
    np.testing.assert_allclose(cosines, 1, atol=1e-5)
    everywhere = discover(generator, 4, method="sefa", **TINY)
    cosines = np.abs(np.sum(in_order_of_discovery(everywhere) * expected, axis=1))
    assert cosines.min() < 0.99, "the layers matter"


def test_sefa_of_a_dcgan_uses_its_first_layer():
    generator = dcgan_network()
    vectors = in_order_of_discovery(discover(generator, 2, method="sefa", **TINY))
    rows = generator.network.layer0.weight.flatten(1).T.numpy().astype(np.float64)
    rows /= np.linalg.norm(rows, axis=1, keepdims=True)
    expected = np.linalg.svd(rows)[2][:2]
    np.testing.assert_allclose(np.abs(np.sum(vectors * expected, axis=1)), 1, atol=1e-5)


@pytest.mark.parametrize("options", [{"method": "sefa"}, {"method": "topdis", "warm_start": "sefa"}])
def test_sefa_without_weights_is_refused_before_any_work(options):
    def progress(_):
        raise AssertionError("work has begun")

    with pytest.raises(ValueError, match=r"scenes \(family scenes\) has no style weights to factorise"):
        discover(ScenesGenerator(resolution=16), 2, **options, on_progress=progress)


def test_whole_space_methods_give_more_directions_than_the_informative_subspace_has():
    generator = ScenesGenerator(resolution=16)  # 6 informative dimensions of 10
    assert len(discover(generator, 8, method="ganspace", **TINY)) == 8
