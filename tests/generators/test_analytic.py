"""Analytic generators: factors are uniform and go with their axes, pictures with their factors."""

import numpy as np
import pytest
import torch

from gan_topdis.generators import from_callable, load_generator
from gan_topdis.generators.analytic import ANALYTIC, analytic_generator, with_hidden_axes
from gan_topdis.generators.analytic.mixing import CORRELATION, CurvedMixing
from gan_topdis.generators.load import BUILT_IN


@pytest.fixture(params=ANALYTIC)
def generator(request):
    return analytic_generator(request.param)


def latents(generator, count=2000):
    return generator.map(torch.randn(count, generator.z_dim, generator=torch.Generator().manual_seed(0)))


def test_names_can_be_loaded():
    assert set(ANALYTIC) < set(BUILT_IN)
    for name in ANALYTIC:
        loaded = load_generator(name, device="cpu")
        assert loaded.name == name
        assert loaded.fingerprint == analytic_generator(name).fingerprint
    assert len({analytic_generator(name).fingerprint for name in ANALYTIC}) == len(ANALYTIC)


def test_factors_are_uniform(generator):
    u = generator.factors(latents(generator))
    assert u.shape == (2000, len(generator.known_factors.names))
    # 2000 samples: standard error of the mean 0.0065, of the standard deviation about 0.003
    np.testing.assert_allclose(u.mean(dim=0), 0.5, atol=0.03)
    np.testing.assert_allclose(u.std(dim=0), 12**-0.5, atol=0.015)


def test_an_axis_changes_its_factor_alone_and_the_picture(generator):
    ws = latents(generator, 200)
    before, pictures = generator.factors(ws), generator.synthesize(ws)
    axes = generator.known_factors.axes
    np.testing.assert_allclose(axes @ axes.T, np.eye(len(axes)), atol=1e-12)
    for index, axis in enumerate(axes):
        moved = ws + torch.from_numpy(axis).float()
        change = (generator.factors(moved) - before).abs().mean(dim=0)
        assert change[index] > 0.1
        others = torch.cat([change[:index], change[index + 1 :]])
        assert others.max() < 1e-5
        assert (generator.synthesize(moved) - pictures).abs().amax(dim=(1, 2, 3)).mean() > 0.1


def test_dead_directions_change_nothing(generator):
    axes = generator.known_factors.axes
    dead = np.linalg.svd(axes)[2][len(axes) :]
    assert len(dead) >= 1
    ws = latents(generator, 20)
    for vector in dead:
        moved = generator.synthesize(ws + torch.from_numpy(vector).float())
        torch.testing.assert_close(moved, generator.synthesize(ws), atol=1e-4, rtol=0)


def test_truncation_goes_to_the_mean(generator):
    ws = latents(generator, 20_000)[:, 0]
    error = (ws.mean(dim=0) - generator.truncation_centre()).norm()
    # 20,000 samples of some ten coordinates of standard deviation near 1
    assert error < 0.05
    zero = generator.map(torch.ones(1, generator.z_dim), truncation_psi=0.0)
    torch.testing.assert_close(zero[0, 0], generator.truncation_centre())


def test_pictures_are_in_range_and_differentiable(generator):
    ws = latents(generator, 8).requires_grad_()
    pictures = generator.synthesize(ws)
    assert pictures.shape == (8, 3, 32, 32)
    assert pictures.detach().abs().max() < 2.1
    pictures.square().sum().backward()
    assert torch.isfinite(ws.grad).all() and ws.grad.abs().max() > 0


def test_correlated_factors_are_correlated_in_pairs():
    generator = analytic_generator("correlated-sprites")
    normal = generator.mixing.coordinates(latents(generator, 20_000)[:, 0]).numpy()
    expected = np.eye(6)
    for first in (0, 2, 4):
        expected[first, first + 1] = expected[first + 1, first] = CORRELATION
    np.testing.assert_allclose(np.corrcoef(normal.T), expected, atol=0.03)


def test_the_curved_mapping_bends_and_keeps_the_distribution():
    mixing = CurvedMixing(12, 8, 0, torch.device("cpu"))
    z = torch.randn(20_000, 12, generator=torch.Generator().manual_seed(1))
    normal = mixing.coordinates(mixing.w(z)).numpy()
    np.testing.assert_allclose(np.cov(normal.T), np.eye(8), atol=0.05)
    # no linear function of z explains a coordinate: R^2 of least squares
    fit = np.linalg.lstsq(z.numpy(), normal, rcond=None)[0]
    unexplained = (normal - z.numpy() @ fit).var(axis=0)
    assert (unexplained > 0.5).all(), unexplained


def test_another_seed_is_the_same_scene_behind_other_axes():
    one, other = (analytic_generator("street", seed=seed) for seed in (0, 1))
    assert one.fingerprint != other.fingerprint
    u = torch.full((1, 10), 0.3)
    torch.testing.assert_close(one.scene.render(u), other.scene.render(u))
    assert not np.allclose(one.known_factors.axes, other.known_factors.axes)


@pytest.mark.parametrize("name", ["scenes", "waves"])
def test_axes_can_be_hidden_elsewhere(name):
    generator = load_generator(name, device="cpu")
    one, again, other = (with_hidden_axes(generator, seed) for seed in (3, 3, 4))
    assert one.fingerprint == again.fingerprint != other.fingerprint
    assert one.known_factors.names == generator.known_factors.names
    assert one.resolution == generator.resolution
    ws = latents(one, 500)
    assert one.factors(ws).std(dim=0).numpy() == pytest.approx(12**-0.5, abs=0.03)


def test_a_generator_without_formula_stays_as_it_is():
    generator = from_callable(lambda z: torch.tanh(z)[:, :, None, None].expand(-1, 3, 4, 4), 3)
    assert with_hidden_axes(generator, 1) is generator


def test_unknown_names_list_the_known_ones():
    with pytest.raises(ValueError, match="name should be one of sprites, blobs"):
        analytic_generator("sprite")
