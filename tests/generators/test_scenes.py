"""The built-in generator: its factors are what the axes say, and nothing else moves the picture."""

import numpy as np
import pytest
import torch

from gan_topdis.generators import load_generator
from gan_topdis.generators.scenes import FACTORS, ScenesGenerator, render


@pytest.fixture(scope="module")
def scenes():
    return load_generator("scenes", device="cpu")


def along(generator, axis, strength, seed=3):
    z = generator.latents([seed]) + strength * torch.from_numpy(axis).float()
    with torch.no_grad():
        return generator.synthesize(generator.map(z))[0]


def test_sizes_and_axes(scenes):
    assert (scenes.family, scenes.load_mode, scenes.resolution, scenes.channels) == (
        "scenes",
        "builtin",
        (64, 64),
        3,
    )
    axes = scenes.known_factors.axes
    assert axes.shape == (6, scenes.z_dim) == (6, 10)
    np.testing.assert_allclose(axes @ axes.T, np.eye(6), atol=1e-12)
    assert np.abs(axes).max() < 0.95, "no factor lies along a coordinate"


def test_dead_coordinates_change_nothing_and_every_factor_does(scenes):
    axes = scenes.known_factors.axes
    dead = np.linalg.svd(axes)[2][6:]
    here = along(scenes, axes[0], 0.0)
    for vector in dead:
        torch.testing.assert_close(along(scenes, vector, 2.0), here, atol=1e-5, rtol=0)
    for vector in axes:
        assert (along(scenes, vector, 1.0) - here).abs().max() > 0.1


def test_factors_do_what_their_names_say():
    """Read off the pictures: position and size of the ball (its saturated pixels), hue, wall, horizon."""
    middle = torch.full((1, 6), 0.5)

    def picture(factor, value):
        factors = middle.clone()
        factors[0, FACTORS.index(factor)] = value
        return (render(factors, 64)[0] + 1) / 2  # (3, 64, 64) in [0, 1]

    def ball(image):
        spread = image.max(dim=0).values - image.min(dim=0).values
        return (spread > 0.35).nonzero().float()  # rows (y, x)

    assert (
        ball(picture("horizontal position", 0.9))[:, 1].mean()
        > ball(picture("horizontal position", 0.1))[:, 1].mean() + 20
    )
    assert ball(picture("elevation", 0.9))[:, 0].mean() < ball(picture("elevation", 0.1))[:, 0].mean() - 10
    assert len(ball(picture("size", 0.9))) > 3 * len(ball(picture("size", 0.1)))
    red, blue = (ball_colour(picture("hue", value), ball) for value in (0.0, 1.0))
    assert red.argmax() == 0
    assert blue.argmax() == 2
    wall = [picture("wall brightness", value)[:, 2, 2].mean() for value in (0.1, 0.9)]
    assert wall[1] > wall[0] + 0.4
    floor = [
        (image[0, :, 1] > image[2, :, 1] + 0.15).sum()
        for image in (picture("horizon", value) for value in (0.1, 0.9))
    ]
    assert floor[0] > floor[1] + 10, "a lower horizon leaves less floor"


def ball_colour(image, ball):
    rows = ball(image).long()
    return image[:, rows[:, 0], rows[:, 1]].mean(dim=1)


def test_pictures_are_in_range_and_independent_of_the_batch(scenes):
    z = scenes.latents(range(6))
    images = scenes.synthesize(scenes.map(z))
    assert images.shape == (6, 3, 64, 64)
    assert images.dtype == torch.float32
    assert images.abs().max() <= 1
    torch.testing.assert_close(scenes.synthesize(scenes.map(z[4:5]))[0], images[4], atol=1e-5, rtol=0)
    doubled = scenes.synthesize(scenes.map(z.double()))
    torch.testing.assert_close(doubled, images, atol=1e-5, rtol=0)


def test_gradient_is_that_of_finite_differences():
    factors = torch.rand(2, 6, dtype=torch.float64, generator=torch.Generator().manual_seed(0)) * 0.8 + 0.1
    weights = torch.randn(2, 3, 8, 8, dtype=torch.float64, generator=torch.Generator().manual_seed(1))

    def value(f):
        return (render(f, 8) * weights).sum()

    variable = factors.clone().requires_grad_()
    value(variable).backward()
    step = 1e-6
    for index in range(6):
        change = torch.zeros_like(factors)
        change[:, index] = step
        quotient = (value(factors + change) - value(factors - change)) / (2 * step)
        # float32 colour constants limit nothing here: both sides share them
        assert float(variable.grad[:, index].sum()) == pytest.approx(float(quotient), rel=1e-4, abs=1e-4)


def test_rotation_and_resolution_name_different_networks():
    assert ScenesGenerator().fingerprint == ScenesGenerator().fingerprint
    others = [ScenesGenerator(rotation_seed=1), ScenesGenerator(resolution=32), ScenesGenerator(z_dim=12)]
    assert len({ScenesGenerator().fingerprint, *(g.fingerprint for g in others)}) == 4


def test_impossible_sizes_are_refused():
    with pytest.raises(ValueError, match="z_dim should be at least 6, got 5"):
        ScenesGenerator(z_dim=5)
    with pytest.raises(ValueError, match="resolution should be at least 4 pixels, got 2"):
        ScenesGenerator(resolution=2)
