"""The informative subspace on generators whose Jacobian is known."""

import pytest
import torch

from gan_topdis.directions.informative_subspace import effect_chunks, informative_subspace, mean_effect
from gan_topdis.directions.latent_samples import LatentSampler, LatentStatistics
from gan_topdis.generators import from_callable
from gan_topdis.seeding import seeded_generator


def linear_generator(gains, *, pixels=4):
    """Picture = A z with orthogonal columns of the given lengths: J^T J = diag(gains^2)."""
    columns = torch.linalg.qr(torch.randn(3 * pixels**2, len(gains), generator=seeded_generator(1))).Q
    matrix = (columns * torch.tensor(gains)).T  # (z, pixels)
    return from_callable(lambda z: (z @ matrix).reshape(-1, 3, pixels, pixels), len(gains), name="linear")


def sampler_of(generator, **changes):
    options = {"class_index": None, "feature_size": 8, "max_batch": 32, **changes}
    return LatentSampler(generator, layers=torch.ones(generator.num_ws, dtype=torch.bool), **options)


def unit_statistics(dim):
    return LatentStatistics(torch.zeros(dim).double(), torch.eye(dim).double(), 1)


def test_mean_effect_of_a_linear_generator_is_its_gram_matrix():
    gains = [1.0, 0.5, 0.2, 0.0]
    steps = []
    effect = mean_effect(
        sampler_of(linear_generator(gains)), seeded_generator(0), images=64, on_step=lambda: steps.append(1)
    )
    expected = torch.diag(torch.tensor(gains).double() ** 2)
    # 1024 Gaussian probes: relative error of a quadratic form about sqrt(2 / 1024) = 0.044; 5 of those
    torch.testing.assert_close(effect, expected, atol=0.22, rtol=0)
    assert effect[3].abs().max() == 0, "a dead coordinate has no effect at all"
    assert len(steps) == effect_chunks(64, 32) == 8


def test_dead_and_faint_directions_are_left_out():
    effect = torch.diag(torch.tensor([0.0, 4.0, 1e-4, 1.0]).double())
    subspace = informative_subspace(effect, unit_statistics(4), 8)
    assert subspace.basis.shape == (2, 4)
    torch.testing.assert_close(subspace.basis.abs(), torch.eye(4).double()[[1, 3]])
    torch.testing.assert_close(subspace.effect, torch.diag(torch.tensor([4.0, 1.0]).double()))


def test_variance_of_the_latent_counts():
    """A coordinate that varies ten times as much is a hundred times as informative."""
    statistics = LatentStatistics(
        torch.zeros(3).double(), torch.diag(torch.tensor([1.0, 100.0, 1.0]).double()), 1
    )
    subspace = informative_subspace(torch.eye(3).double(), statistics, 1)
    torch.testing.assert_close(subspace.basis.abs(), torch.tensor([[0.0, 1.0, 0.0]]).double())
    assert subspace.share == pytest.approx(100 / 102)


@torch.no_grad()
def without_gradient(z):
    return z[:, :1, None, None].expand(-1, 1, 4, 4)


@pytest.mark.parametrize("function", [without_gradient, lambda z: torch.zeros(len(z), 1, 4, 4)])
def test_pictures_without_a_gradient_are_refused(function):
    with pytest.raises(ValueError, match="mine should be differentiable: its pictures carry no gradient"):
        mean_effect(
            sampler_of(from_callable(function, 3, name="mine")),
            seeded_generator(0),
            images=8,
            on_step=lambda: None,
        )


def test_chunks_do_not_change_the_effect():
    generator = linear_generator([1.0, 0.5, 0.2])
    effects = [
        mean_effect(
            sampler_of(generator, max_batch=size), seeded_generator(3), images=20, on_step=lambda: None
        )
        for size in (4, 28, 400)
    ]
    for effect in effects[1:]:
        torch.testing.assert_close(effect, effects[0], atol=1e-6, rtol=0)


def test_a_generator_that_ignores_its_latent_is_refused():
    effect = mean_effect(
        sampler_of(from_callable(lambda z: 0 * z[:, :1, None, None].expand(-1, 1, 4, 4), 3)),
        seeded_generator(0),
        images=8,
        on_step=lambda: None,
    )
    with pytest.raises(ValueError, match="no latent direction changes the picture"):
        informative_subspace(effect, unit_statistics(3), 3)


def test_statistics_are_those_of_the_latent():
    generator = from_callable(
        lambda z: z.reshape(-1, 1, 1, 2),
        2,
        sample=lambda seeds: (
            torch.randn(len(seeds), 2, generator=torch.Generator().manual_seed(int(seeds[0])))
            * torch.tensor([1.0, 3.0])
            * 0.3
            + 0.5
        ),
    )
    statistics = sampler_of(generator).statistics(4000, seeded_generator(0))
    torch.testing.assert_close(statistics.mean, torch.full((2,), 0.5).double(), atol=0.1, rtol=0)
    spread = statistics.standard_deviation(torch.eye(2))
    torch.testing.assert_close(spread, torch.tensor([0.3, 0.9]), atol=0.05, rtol=0)


def test_chunks_and_recomputation_change_nothing():
    generator = linear_generator([1.0, 0.5, 0.2])
    ws = generator.map(generator.latents(range(7)))
    results = []
    for max_batch in (32, 3):
        shift = torch.zeros(7, 3, requires_grad=True)
        features = sampler_of(generator, max_batch=max_batch).features(ws, shift)
        features.square().sum().backward()
        results.append((features.detach(), shift.grad))
    torch.testing.assert_close(results[0][0], results[1][0])
    torch.testing.assert_close(results[0][1], results[1][1])
