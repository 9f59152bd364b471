"""The network that reads factors off pictures of scenes."""

import pytest
import torch

from gan_topdis.generators.scene_factors import WEIGHTS, scene_factor_accuracy, scene_factors
from gan_topdis.generators.scenes import FACTORS, render


def rendered(count, resolution=32):
    factors = torch.rand(count, len(FACTORS), generator=torch.Generator().manual_seed(7))
    return factors, render(factors, resolution)


def r_squared(found, factors):
    return 1 - (found - factors).square().mean(dim=0) / factors.var(dim=0)


def test_factors_of_new_pictures_are_found():
    """As well as training reported; 1000 pictures tell R^2 near 1 to well within 0.005."""
    factors, images = rendered(1000)
    found = r_squared(scene_factors(images), factors)
    reported = scene_factor_accuracy()
    assert tuple(reported) == FACTORS
    assert found.tolist() == pytest.approx(list(reported.values()), abs=0.005)
    assert (found > 0.98).all()
    permuted = r_squared(scene_factors(images.flip(0)), factors)
    assert (permuted < 0).all(), "another picture's factors are no better than the mean"


def test_larger_pictures_are_averaged():
    factors, images = rendered(300, resolution=64)
    # the formula's edges are half as wide at 64 pixels
    assert (r_squared(scene_factors(images), factors) > 0.98).all()


def test_factors_stay_in_their_range():
    found = scene_factors(torch.randn(8, 3, 32, 32, generator=torch.Generator().manual_seed(0)))
    assert found.shape == (8, 6)
    assert found.min() >= 0 and found.max() <= 1


def test_weights_are_small():
    assert WEIGHTS.stat().st_size < 300_000


@pytest.mark.parametrize("shape", [(1, 1, 32, 32), (1, 3, 32, 64), (3, 32, 32), (1, 3, 48, 48)])
def test_other_pictures_are_refused(shape):
    with pytest.raises(ValueError, match="images should have"):
        scene_factors(torch.zeros(shape))
