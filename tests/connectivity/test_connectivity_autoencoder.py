"""The branched layer and the autoencoder: blocks, counts, shapes, start, seeds, refusals."""

from __future__ import annotations

import math

import pytest
import torch
from torch import nn

from gan_topdis.connectivity import BranchedLinear, ConnectivityAutoencoder


def parameters(module: nn.Module) -> int:
    return sum(p.numel() for p in module.parameters())


def block_norms(jacobian: torch.Tensor, branches: int) -> torch.Tensor:
    """(outputs, inputs) to the largest entry of each of branches x branches blocks."""
    outputs, inputs = jacobian.shape
    blocks = jacobian.reshape(branches, outputs // branches, branches, inputs // branches)
    return blocks.abs().amax(dim=(1, 3))


def test_masked_dense_layer():
    """The authors' form: a dense matrix times a block mask."""
    layer = BranchedLinear(12, 6, 3)
    dense = torch.block_diag(*layer.weight)  # (6, 12)
    features = torch.randn(5, 12)
    torch.testing.assert_close(layer(features), nn.functional.linear(features, dense, layer.bias))


@pytest.mark.parametrize("branches", [1, 4, 16])
def test_branches_do_not_see_each_other(branches):
    """Jacobians of both linear ends of the autoencoder: blocks off the diagonal are exactly zero."""
    network = ConnectivityAutoencoder(1, 8, branches=branches, branch_dim=3, seed=0)
    for layer in (network.to_code, network.from_code):
        jacobian = torch.autograd.functional.jacobian(
            lambda x, layer=layer: layer(x[None])[0], torch.randn(layer.in_features)
        )
        norms = block_norms(jacobian, branches)
        assert (norms[~torch.eye(branches, dtype=torch.bool)] == 0).all()
        assert (norms.diagonal() > 0).all()


def test_a_dense_layer_would_be_found_out():
    assert (block_norms(torch.ones(6, 12), 3) > 0).all()


def test_a_branch_reads_whole_channels():
    """16 branches of 128 channels: branch 5 of the code reads channels 40 .. 47 of the last convolution."""
    network = ConnectivityAutoencoder(3, 32, seed=0)
    features = torch.randn(1, 128, 4, 4)
    changed = features.clone()
    changed[:, 40:48] += 1
    difference = network.to_code(changed.flatten(1)) - network.to_code(features.flatten(1))
    assert difference[0].nonzero().flatten().tolist() == list(range(50, 60))


def test_published_size():
    """corel.md 2: 229,539 parameters, which a dense matrix with a mask stores as 843,939."""
    network = ConnectivityAutoencoder(3, 32)
    assert parameters(network) == 229_539
    dense = [nn.Linear(2048, 160), nn.Linear(160, 2048)]
    branched = parameters(network.to_code) + parameters(network.from_code)
    assert parameters(network) - branched + sum(map(parameters, dense)) == 843_939
    assert parameters(ConnectivityAutoencoder(3, 32, branches=1, branch_dim=160)) == 843_939


def test_published_layers():
    network = ConnectivityAutoencoder(3, 32)
    convolutions = [m for m in network.modules() if isinstance(m, nn.Conv2d | nn.ConvTranspose2d)]
    assert [tuple(m.weight.shape) for m in convolutions] == [
        (32, 3, 3, 3),
        (64, 32, 3, 3),
        (128, 64, 3, 3),
        (128, 64, 3, 3),
        (64, 32, 3, 3),
        (32, 3, 3, 3),
    ]
    assert [type(m) for m in network.decoder][-1] is nn.ConvTranspose2d  # nothing behind it
    assert type(network.decoder[1]) is nn.ConvTranspose2d  # no activation behind the branched layer
    assert [m.negative_slope for m in network.modules() if isinstance(m, nn.LeakyReLU)] == [0.01] * 3
    assert sum(isinstance(m, nn.ReLU) for m in network.modules()) == 2


@pytest.mark.parametrize(
    ("channels", "resolution", "branches", "branch_dim", "size", "count"),
    [
        (3, 32, 16, 10, (32, 32), 229_539),
        (1, 32, 32, 5, (32, 32), 207_905),
        (1, 64, 8, 20, (64, 64), 521_249),
        (3, (16, 40), 5, 2, (16, 40), 192_781),
        (2, 8, 128, 1, (8, 8), 186_306),
    ],
)
def test_sizes(channels, resolution, branches, branch_dim, size, count):
    """Counts by hand: convolutions 184,640 + 577 c, layers 2 F D + B D + F with F = 128 h w / 64."""
    network = ConnectivityAutoencoder(channels, resolution, branches=branches, branch_dim=branch_dim, seed=0)
    features = 2 * size[0] * size[1]
    by_hand = 184_640 + 577 * channels + 2 * features * branch_dim + branches * branch_dim + features
    assert parameters(network) == by_hand == count
    images = torch.rand(2, channels, *size)
    codes = network.encode(images)
    assert codes.shape == (2, branches * branch_dim)
    assert network.decode(codes).shape == images.shape
    assert torch.equal(network(images), network.decode(codes))


def test_start_of_the_branched_layers():
    """Uniform in +-1 / sqrt(2048), as PyTorch starts a dense layer, or sqrt(16) times as far."""
    for block_init, bound in (("published", 1 / math.sqrt(2048)), ("block", 1 / math.sqrt(128))):
        layer = ConnectivityAutoencoder(3, 32, block_init=block_init, seed=0).to_code
        for values in (layer.weight, layer.bias):
            # the largest of 160 uniform values misses 0.95 of the bound with chance 3e-4
            assert 0.95 * bound < values.abs().max() <= bound
    dense = nn.Linear(2048, 160)
    assert 0.95 / math.sqrt(2048) < dense.bias.abs().max() <= 1 / math.sqrt(2048)


def test_codes_at_the_start_are_tiny():
    """corel.md 1: 99 deaths of about 0.012 against eta = 2 from pictures, a loss of about 197."""
    from gan_topdis.losses import ConnectivityLoss

    smooth = nn.functional.interpolate(torch.rand(100, 3, 4, 4), size=32, mode="bilinear")
    network = ConnectivityAutoencoder(3, 32, seed=0)
    loss = ConnectivityLoss(branches=16)
    deaths = loss.deaths(network.encode(smooth))
    assert 0.003 < deaths.mean() < 0.05  # random pictures are not CIFAR-10: the order of magnitude
    assert 193 < loss(network.encode(smooth)) < 198


def test_seed_makes_the_weights_and_leaves_the_global_generator():
    before = torch.get_rng_state()
    first, same, other = (ConnectivityAutoencoder(1, 8, seed=seed).state_dict() for seed in (3, 3, 4))
    assert torch.equal(torch.get_rng_state(), before)
    assert all(torch.equal(first[name], same[name]) for name in first)
    assert not any(torch.equal(first[name], other[name]) for name in first)
    ConnectivityAutoencoder(1, 8)
    assert not torch.equal(torch.get_rng_state(), before)


def test_every_parameter_has_a_gradient():
    network = ConnectivityAutoencoder(1, 8, seed=0)
    network(torch.rand(4, 1, 8, 8)).abs().sum().backward()
    assert all(p.grad is not None and p.grad.abs().sum() > 0 for p in network.parameters())


@pytest.mark.parametrize(
    ("arguments", "options", "message"),
    [
        ((3, 30), {}, "multiple of 8.*got 30; pad or resize to 32"),
        ((3, 0), {}, "got 0; pad or resize to 8"),
        ((3, (32, 28)), {}, "got 28; pad or resize to 32"),
        ((3, (32, 32, 3)), {}, r"one number or \(height, width\)"),
        ((0, 32), {}, "channels should be at least 1"),
        ((3, 32), {"branches": 0}, "branches should be at least 1"),
        ((3, 32), {"branch_dim": 0}, "branch_dim should be at least 1"),
        ((3, 32), {"branches": 10}, "divide the 2048 features of a 32 x 32 picture, got 10"),
        ((3, 32), {"block_init": "he"}, "one of published, block, got 'he'"),
    ],
)
def test_refusals(arguments, options, message):
    with pytest.raises(ValueError, match=message):
        ConnectivityAutoencoder(*arguments, **options)


def test_refused_inputs():
    network = ConnectivityAutoencoder(3, 32)
    with pytest.raises(ValueError, match=r"images should have shape \(n, 3, 32, 32\), got \(2, 1, 32, 32\)"):
        network.encode(torch.zeros(2, 1, 32, 32))
    with pytest.raises(ValueError, match=r"codes should have shape \(n, 160\), got \(2, 16\)"):
        network.decode(torch.zeros(2, 16))
    with pytest.raises(ValueError, match=r"in_features should be a multiple of branches \(3\), got 10"):
        BranchedLinear(10, 9, 3)
    with pytest.raises(ValueError, match=r"features should have shape \(n, 12\), got \(2, 9\)"):
        BranchedLinear(12, 9, 3)(torch.zeros(2, 9))
