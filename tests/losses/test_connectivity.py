"""Connectivity loss: hand-made cases, the authors' numbers, its properties, gradient, refusals."""

from __future__ import annotations

import math
from itertools import combinations

import numpy as np
import pytest
import torch
from torch import nn

from gan_topdis.losses import ConnectivityLoss
from gan_topdis.persistence import h0_deaths, pairwise_distances

FOUR = torch.tensor([[0, 0], [1, 0], [0, 0.5], [1, 1.5]], dtype=torch.float64)  # deaths 0.5, 1, 1.5


def codes(n: int, width: int, generator: torch.Generator) -> torch.Tensor:
    return torch.randn(n, width, generator=generator, dtype=torch.float64)


# --- values ---


def test_four_points():
    assert ConnectivityLoss()(FOUR) == 1.5 + 1 + 0.5
    assert ConnectivityLoss(eta=1.0)(FOUR) == 1
    assert ConnectivityLoss(eta=0.5)(FOUR) == 1.5


def test_branches_are_runs_of_columns():
    """Branch 1 is the four points, branch 2 twice as large: deaths 1, 2, 3."""
    both = torch.cat([FOUR, 2 * FOUR], dim=1)
    assert ConnectivityLoss(branches=2, over_branches="sum")(both) == 3 + 2
    assert ConnectivityLoss(branches=2)(both) == 2.5
    assert ConnectivityLoss(branches=2).deaths(both).tolist() == [[0.5, 1, 1.5], [1, 2, 3]]
    assert ConnectivityLoss()(both) == 0.5 + 1 + 2.5  # deaths 1.5, 3, 4.5


@pytest.mark.parametrize("dtype", [torch.float32, torch.float64])
def test_equal_to_the_deaths_of_each_branch(dtype, generator):
    batch = codes(50, 40, generator).to(dtype)
    expected = torch.stack(
        [(h0_deaths(pairwise_distances(part, p=1.0)) - 2).abs().sum() for part in batch.split(10, dim=1)]
    )
    for over_branches in ("mean", "sum"):
        loss = ConnectivityLoss(branches=4, over_branches=over_branches)(batch)
        assert loss.dtype == dtype
        torch.testing.assert_close(loss, getattr(expected, over_branches)())


@pytest.mark.parametrize(
    ("task", "expected"),
    [
        ("spacing", [15.35, 5.85, 3.74, 2.66, 2.00, 1.69]),
        ("shrink", [14.74, 7.25, 5.65, 4.87, 4.43, 4.10]),
        ("grow", [-14.74, -26.88, -33.22, -38.43, -43.28, -47.87]),
    ],
)
def test_optimised_input(task, expected):
    """Losses stored in the authors' InputOptim notebook (corel.md 5.1), printed with two decimals."""
    points = torch.from_numpy(np.random.RandomState(1234).rand(300, 2)).requires_grad_()
    optimizer = torch.optim.Adam([points], lr=0.01)
    connectivity = ConnectivityLoss(eta=0.1)
    losses = []
    for _ in range(100):
        if task == "spacing":
            loss = connectivity(points)
        else:
            loss = connectivity.deaths(points).sum() * (1 if task == "shrink" else -1)
        optimizer.zero_grad()
        loss.backward()
        losses.append(loss.item())
        optimizer.step()
    found = [losses[i - 1] for i in (1, 20, 40, 60, 80, 100)]
    assert found == pytest.approx(expected, abs=0.005)


@pytest.mark.slow  # 1500 steps each
@pytest.mark.parametrize("seed", [0, 1, 2])
def test_three_gaussians_spread_out(seed):
    """The authors' ToyDiffVR: 37.76 in the last epoch, (alpha, eps-bar, beta) = (.22, 1.60, 3.88).

    It has no seed; the ranges are those of corel.md 5.2, around five seeds of another implementation.
    """
    generator = torch.Generator().manual_seed(seed)
    gaussians = [((4, 4), (1, 1)), ((3, 3), (3, 3)), ((0, 0.5), (0.5, 0.5))]
    points = torch.cat(
        [
            torch.randn(500, 2, generator=generator) * torch.tensor(sigma) - torch.tensor(mu)
            for mu, sigma in gaussians
        ]
    )
    torch.manual_seed(seed)
    layers = [nn.Linear(2, 10), nn.LeakyReLU(0.01), nn.Linear(10, 10), nn.LeakyReLU(0.01), nn.Linear(10, 2)]
    network = nn.Sequential(*layers)
    optimizer = torch.optim.Adam(network.parameters())
    connectivity = ConnectivityLoss()

    def batches() -> tuple[torch.Tensor, ...]:
        return points[torch.randperm(1500, generator=generator)].split(50)

    for epoch in range(50):
        optimizer.param_groups[0]["lr"] = 0.01 if epoch < 20 else 0.001 if epoch < 40 else 0.0001
        losses = []
        for batch in batches():
            loss = connectivity(network(batch))
            optimizer.zero_grad()
            loss.backward()
            optimizer.step()
            losses.append(loss.item())
    assert 36 < np.mean(losses) < 42
    found = [connectivity.describe(network(batch)) for _ in range(10) for batch in batches()]
    assert 0.18 < np.mean([each.smallest.item() for each in found]) < 0.26
    assert 1.55 < np.mean([each.mean.item() for each in found]) < 1.70
    assert 3.6 < np.mean([each.largest.item() for each in found]) < 4.6


def test_cross_polytope_has_no_loss():
    """The 2 d points +-(eta / 2) e_i are exactly eta apart in l1."""
    for eta, d in ((2.0, 10), (0.5, 3)):
        points = torch.cat([torch.eye(d), -torch.eye(d)]) * (eta / 2)
        loss = ConnectivityLoss(eta=eta)
        assert loss(points) == 0
        assert loss.deaths(points).tolist() == [[eta] * (2 * d - 1)]
        assert ConnectivityLoss(eta=eta + 1)(points) == 2 * d - 1


def test_description_is_that_of_the_deaths(generator):
    batch = torch.cat([FOUR, codes(4, 2, generator)], dim=1)
    found = ConnectivityLoss(branches=2).describe(batch.requires_grad_())
    assert (found.smallest[0], found.mean[0], found.largest[0]) == (0.5, 1, 1.5)
    assert not found.mean.requires_grad
    distances = pairwise_distances(batch[:, 2:].detach(), p=1.0)
    # alpha, the smallest death, is the smallest distance of all
    assert found.smallest[1].item() == pytest.approx(distances[distances > 0].min().item(), rel=1e-14)


def test_densification(generator):
    """If every b-subset of m points is beta-connected, each has m - b + 1 others within beta."""
    m, b = 8, 5
    loss = ConnectivityLoss()
    for _ in range(3):
        points = codes(m, 2, generator)
        beta = max(loss.describe(points[list(subset)]).largest.item() for subset in combinations(range(m), b))
        distances = pairwise_distances(points, p=1.0)
        within = (distances <= beta * (1 + 1e-12)).sum(dim=1) - 1
        assert within.min() >= m - b + 1
        assert (distances <= 0.3 * beta).sum(dim=1).min() - 1 < m - b + 1  # the count can fail


# --- gradient ---


def by_formula(points: torch.Tensor, eta: float) -> torch.Tensor:
    """sign(eps_t - eta) sign(z_i - z_j) at i, the negative at j, over tree edges found by Kruskal."""
    n = len(points)
    gradient = torch.zeros_like(points)
    component = list(range(n))
    edges = [(float((points[i] - points[j]).abs().sum()), i, j) for i, j in combinations(range(n), 2)]
    for length, i, j in sorted(edges):
        if component[i] != component[j]:
            component = [component[i] if c == component[j] else c for c in component]
            share = torch.sign(points[i] - points[j]) * float(np.sign(length - eta))
            gradient[i] += share
            gradient[j] -= share
    return gradient


@pytest.fixture(params=["compiled", "general"])
def way(request, monkeypatch):
    """Both ways to the loss: compiled for CPU tensors, and that of other devices and half precision."""
    if request.param == "general":
        monkeypatch.setattr("gan_topdis.losses.connectivity.kernels_for", lambda codes: "triton")


@pytest.mark.usefixtures("way")
@pytest.mark.parametrize("over_branches", ["mean", "sum"])
def test_gradient_by_formula(over_branches, generator):
    batch = codes(20, 6, generator).requires_grad_()
    ConnectivityLoss(branches=2, over_branches=over_branches)(batch).backward()
    expected = torch.cat([by_formula(part, 2.0) for part in batch.detach().split(3, dim=1)], dim=1)
    assert torch.equal(batch.grad, expected / (2 if over_branches == "mean" else 1))


@pytest.mark.usefixtures("way")
def test_gradient_on_ties(generator):
    """Whole numbers: equal lengths, equal coordinates and deaths of exactly eta."""
    for _ in range(10):
        points = torch.randint(0, 4, (9, 3), generator=generator).double().requires_grad_()
        ConnectivityLoss()(points).backward()
        assert torch.equal(points.grad, by_formula(points.detach(), 2.0))


@pytest.mark.parametrize("kernels", ["cpu", "triton"])
def test_tensors_elsewhere_never_meet_the_compiled_loss(kernels, monkeypatch):
    """As on Apple's GPUs, or on CUDA without Triton, where kernels of the CPU serve the trees."""
    monkeypatch.setattr("gan_topdis.losses.connectivity.kernels_for", lambda codes: kernels)
    monkeypatch.setattr("gan_topdis.losses.connectivity.l1_tree_edges", lambda points: points.new_empty(2, 3))
    assert ConnectivityLoss(branches=2)(torch.empty(4, 6, device="meta")).device.type == "meta"


@pytest.mark.cuda
@pytest.mark.parametrize("variable", ["", "cpu"])
def test_same_on_a_gpu(variable, generator, monkeypatch):
    if variable:
        monkeypatch.setenv("GAN_TOPDIS_KERNELS", variable)
    here = codes(30, 6, generator).requires_grad_()
    there = here.detach().cuda().requires_grad_()
    losses = [ConnectivityLoss(branches=2)(batch) for batch in (here, there)]
    for loss in losses:
        loss.backward()
    torch.testing.assert_close(losses[1].cpu(), losses[0])
    torch.testing.assert_close(there.grad.cpu(), here.grad)


@pytest.mark.parametrize("over_branches", ["mean", "sum"])
def test_gradcheck(over_branches, generator):
    batch = codes(8, 6, generator).requires_grad_()
    loss = ConnectivityLoss(eta=1.5, branches=2, over_branches=over_branches)
    assert torch.autograd.gradcheck(loss, (batch,))


# --- degenerate input, layouts ---


def test_one_code_and_identical_codes():
    for n, expected in ((1, 0.0), (5, 8.0)):
        batch = torch.ones(n, 6, requires_grad=True)
        loss = ConnectivityLoss(branches=3)(batch)
        loss.backward()
        assert loss == expected
        assert not batch.grad.any()
    found = ConnectivityLoss(branches=3).describe(torch.ones(1, 6))
    assert found.mean.isnan().tolist() == [True] * 3


def test_more_branches_than_codes(generator):
    batch = codes(2, 16, generator)
    expected = ((batch[0] - batch[1]).abs() - 2).abs().mean()
    torch.testing.assert_close(ConnectivityLoss(branches=16)(batch), expected)


def test_memory_layout_does_not_matter(generator):
    batch = codes(12, 24, generator)
    loss = ConnectivityLoss(branches=2)
    assert loss(batch.T.contiguous().T) == loss(batch)
    wide = torch.zeros(24, 24, dtype=torch.float64)
    wide[::2] = batch
    assert loss(wide[::2]) == loss(batch)


# --- refusals ---


@pytest.mark.parametrize(
    ("options", "text"),
    [
        ({"eta": 0.0}, "eta should be finite and greater than 0, got 0.0"),
        ({"eta": math.nan}, "eta should be finite and greater than 0, got nan"),
        ({"branches": 0}, "branches should be at least 1, got 0"),
        ({"over_branches": "max"}, "over_branches should be one of mean, sum, got 'max'"),
    ],
)
def test_wrong_options(options, text):
    with pytest.raises(ValueError, match=f"^{text}"):
        ConnectivityLoss(**options)


@pytest.mark.parametrize(
    ("batch", "text"),
    [
        (torch.zeros(4, 7), r"codes should have shape \(n, 2 \* d\) with n, d >= 1, got \(4, 7\)"),
        (torch.zeros(4), r"codes should have shape \(n, 2 \* d\) with n, d >= 1, got \(4,\)"),
        (torch.zeros(0, 4), r"codes should have shape \(n, 2 \* d\) with n, d >= 1, got \(0, 4\)"),
        (torch.zeros(3, 0), r"codes should have shape \(n, 2 \* d\) with n, d >= 1, got \(3, 0\)"),
        (torch.tensor([[0.0, math.nan]]), "codes should be finite, got NaN or infinity"),
        (torch.tensor([[0.0, 0], [0, math.inf]]), "codes should be finite, got NaN or infinity"),
        (torch.tensor([[0.0, -3e38], [0, 3e38]]), "codes should be finite, got NaN or infinity"),
    ],
)
@pytest.mark.usefixtures("as_users_run")
def test_refused(batch, text):
    with pytest.raises(ValueError, match=f"^{text}"):
        ConnectivityLoss(branches=2)(batch)


@pytest.mark.usefixtures("as_users_run")
def test_not_floating_point():
    with pytest.raises(TypeError, match=r"^codes should be a floating-point torch\.Tensor"):
        ConnectivityLoss()(torch.zeros(3, 2, dtype=torch.int64))
