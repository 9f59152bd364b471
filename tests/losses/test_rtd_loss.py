"""RTD as a loss: normalisation, collapsed clouds, few points, gradient."""

from __future__ import annotations

import pytest
import torch

from gan_topdis.losses import RTDLoss
from gan_topdis.losses.rtd_loss import distance_quantile, normalised_distances
from gan_topdis.persistence import pairwise_distances, rtd


def clouds(n: int, generator: torch.Generator, d: int = 3) -> tuple[torch.Tensor, torch.Tensor]:
    x, y = torch.randn(2, n, d, generator=generator, dtype=torch.float64)
    return x, y


# --- normalisation ---


@pytest.mark.parametrize("n", [1, 2, 3, 4, 5, 11, 64])
def test_quantile_is_linearly_interpolated_over_all_entries(n, generator):
    """torch.quantile is the second implementation; ours also serves more than 2**24 entries."""
    distances = pairwise_distances(torch.randn(3, n, 2, generator=generator, dtype=torch.float64))
    expected = torch.quantile(distances.flatten(1), 0.9, dim=1)
    torch.testing.assert_close(distance_quantile(distances), expected, rtol=1e-14, atol=1e-14)


def test_quantile_counts_the_diagonal():
    """Four entries 0, 0, d, d: position 2.7 lies between the two d."""
    assert distance_quantile(torch.tensor([[0.0, 5], [5, 0]])) == 5
    # nine entries, three of them 0: position 7.2 of 0 0 0 1 1 2 2 4 4
    three = torch.tensor([[0.0, 1, 2], [1, 0, 4], [2, 4, 0]])
    assert distance_quantile(three) == 4
    # ten of 100 entries are 0 and one distance is far: position 89.1 of 10 zeros, 72 ones, 18 nines
    star = 1 - torch.eye(10, dtype=torch.float64)
    star[0, 1:] = star[1:, 0] = 9
    assert distance_quantile(star) == 9
    star[0, 5:] = star[5:, 0] = 1  # 8 nines at positions 92 .. 99
    assert distance_quantile(star) == 1


def test_quantile_has_the_gradient_of_its_one_or_two_entries(generator):
    """n = 6: position 31.5 of 36 entries, halfway between two; n = 5: 21.6; n = 11: 108 exactly."""
    for n, shares in ((6, [0.5, 0.5]), (5, [0.4, 0.6]), (11, [1.0])):
        upper = torch.rand(n * (n - 1) // 2, generator=generator, dtype=torch.float64)
        i, j = torch.triu_indices(n, n, offset=1)
        distances = torch.zeros(n, n, dtype=torch.float64)
        distances[i, j] = upper
        # entries that differ across the diagonal, so that each has a place of its own
        distances = (distances + 1.001 * distances.T).requires_grad_()
        distance_quantile(distances).backward()
        assert sorted(distances.grad[distances.grad != 0].tolist()) == pytest.approx(shares)


def test_quantile_that_normalises_is_detached(generator):
    distances, quantile = normalised_distances(clouds(6, generator)[0].requires_grad_())
    assert distances.requires_grad
    assert not quantile.requires_grad


def test_normalised_distances(generator):
    x, _ = clouds(20, generator)
    both = torch.stack([x, 100 * x])
    distances, quantiles = normalised_distances(both)
    raw = pairwise_distances(x)
    quantile = torch.quantile(raw.flatten(), 0.9)
    torch.testing.assert_close(distances[0], raw / quantile, rtol=1e-14, atol=0)
    torch.testing.assert_close(distances[1], distances[0], rtol=1e-13, atol=0)
    torch.testing.assert_close(quantiles, torch.stack([quantile, 100 * quantile]), rtol=1e-13, atol=0)


def test_loss_is_rtd_of_normalised_distances(generator):
    x, y = clouds(25, generator)
    scaled = [d / torch.quantile(d.flatten(), 0.9) for d in map(pairwise_distances, (x, y))]
    for options in ({}, {"sides": "min"}, {"symmetric": False, "sides": "max"}, {"power": 2}):
        torch.testing.assert_close(RTDLoss(**options)(x, y), rtd(*scaled, **options), rtol=1e-12, atol=0)
    raw = rtd(pairwise_distances(x), pairwise_distances(y))
    assert torch.equal(RTDLoss(normalize="none")(x, y), raw)
    assert abs(RTDLoss()(x, y) - raw) > 1e-2


def test_invariant_to_the_scale_of_each_cloud(generator):
    x, y = clouds(25, generator)
    value = RTDLoss()(x, y)
    # one rounding per coordinate
    torch.testing.assert_close(RTDLoss()(1e-3 * x, 700 * y), value, rtol=1e-12, atol=0)
    torch.testing.assert_close(RTDLoss()(-x, y + 5), value, rtol=1e-12, atol=0)
    assert RTDLoss()(x, 700 * x).item() < 1e-12
    assert RTDLoss(normalize="none")(x, 700 * x) > 100


@pytest.mark.parametrize("power", [1, 2])
def test_homogeneous_without_normalisation(power, generator):
    x, y = clouds(15, generator)
    loss = RTDLoss(normalize="none", power=power)
    torch.testing.assert_close(loss(4 * x, 4 * y), 4.0**power * loss(x, y), rtol=1e-14, atol=0)


def test_symmetric_and_relabelled(generator):
    x, y = clouds(20, generator)
    order = torch.randperm(20, generator=generator)
    value = RTDLoss()(x, y)
    torch.testing.assert_close(RTDLoss()(y, x), value, rtol=1e-13, atol=0)
    torch.testing.assert_close(RTDLoss()(x[order], y[order]), value, rtol=1e-13, atol=0)
    assert abs(RTDLoss()(x[order], y) - value) > 1e-2


def test_pictures_are_flattened(generator):
    x, y = torch.rand(2, 12, 3, 4, 5, generator=generator)
    assert torch.equal(RTDLoss()(x, y), RTDLoss()(x.flatten(1), y.flatten(1)))


def test_clouds_may_differ_in_dimension(generator):
    x, _ = clouds(12, generator)
    embedded = torch.cat([x, torch.zeros(12, 4, dtype=torch.float64)], dim=1)
    assert RTDLoss()(x, embedded).item() < 1e-12


def test_an_nn_module_without_state():
    loss = RTDLoss()
    assert isinstance(loss, torch.nn.Module)
    assert not loss.state_dict()
    assert not list(loss.parameters())


# --- gradient ---


def test_gradient_is_that_of_fixed_normalisers(generator):
    """gradcheck of the loss as differentiated: both quantiles held at their values."""
    x, y = (cloud.requires_grad_() for cloud in clouds(8, generator))
    quantiles = [distance_quantile(pairwise_distances(cloud)).detach() for cloud in (x, y)]

    def fixed(x: torch.Tensor, y: torch.Tensor) -> torch.Tensor:
        return rtd(pairwise_distances(x) / quantiles[0], pairwise_distances(y) / quantiles[1])

    assert torch.autograd.gradcheck(fixed, (x, y))
    expected = torch.autograd.grad(fixed(x, y), (x, y))
    found = torch.autograd.grad(RTDLoss()(x, y), (x, y))
    torch.testing.assert_close(found, expected, rtol=1e-10, atol=1e-12)


def test_gradcheck_without_normalisation(generator):
    x, y = (cloud.requires_grad_() for cloud in clouds(7, generator))
    assert torch.autograd.gradcheck(RTDLoss(normalize="none"), (x, y))


@pytest.mark.parametrize("normalize", ["quantile", "none"])
def test_gradient_also_shrinks_the_clouds(normalize, generator):
    """Euler: <gradient, points> is the value (power 1), so descent contracts; topdis.md, section 2."""
    x, y = (cloud.requires_grad_() for cloud in clouds(20, generator))
    value = RTDLoss(normalize=normalize)(x, y)
    value.backward()
    total = (x.grad * x).sum() + (y.grad * y).sum()
    torch.testing.assert_close(total, value, rtol=1e-12, atol=0)


def test_gradcheck_rejects_the_normalised_loss(generator):
    """The detached quantile is no part of the gradient, and the checker notices."""
    x, y = (cloud.requires_grad_() for cloud in clouds(8, generator))
    with pytest.raises(RuntimeError, match="Jacobian mismatch"):
        torch.autograd.gradcheck(RTDLoss(), (x, y))


def test_coincident_points(generator):
    x, y = clouds(20, generator)
    x[5:9] = x[4]
    y[2] = y[3]
    x, y = x.requires_grad_(), y.requires_grad_()
    RTDLoss()(x, y).backward()
    assert x.grad.isfinite().all()
    assert y.grad.isfinite().all()
    assert x.grad.any()


# --- collapsed clouds and few points ---


@pytest.mark.parametrize(
    "make",
    [
        lambda x: torch.zeros_like(x),
        lambda x: torch.ones_like(x) * 3,
        lambda x: torch.cat([x[:1], x[1:2].expand(len(x) - 1, -1)]),  # 5 % of the distances are not 0
    ],
)
def test_collapsed_clouds_give_zero(make, generator):
    """topdis.md, section 2: no scale, so loss 0, connected to the graph, and no gradient."""
    x, y = clouds(40, generator)
    for pair in ((make(x), y), (y, make(x)), (make(x), make(y))):
        first, second = (cloud.clone().requires_grad_() for cloud in pair)
        value = RTDLoss()(first, second)
        value.backward()
        assert value == 0
        assert not first.grad.any()
        assert not second.grad.any()


def test_a_quantile_of_a_millionth_counts_as_collapsed():
    """One distant point among 40 that nearly coincide: quantile <= 1e-6 of the largest distance."""
    near = torch.linspace(0, 1, 40, dtype=torch.float64)[:, None]
    other = near.square() + near
    for far, collapsed in ((1e5, False), (1e7, True)):
        cloud = near.clone()
        cloud[0] = -far
        assert (normalised_distances(cloud)[1] == 0).item() is collapsed
        assert (RTDLoss()(cloud, other) == 0).item() is collapsed
    assert not normalised_distances(cloud)[0].any()


def test_only_the_collapsed_cloud_of_a_batch_is_set_to_zero(generator):
    x, _ = clouds(10, generator)
    distances, quantiles = normalised_distances(torch.stack([x, torch.zeros_like(x)]))
    assert torch.equal(distances[0], normalised_distances(x)[0])
    assert quantiles[0] > 0
    assert quantiles[1] == 0
    assert not distances[1].any()


@pytest.mark.parametrize("normalize", ["quantile", "none"])
@pytest.mark.parametrize("n", [0, 1])
def test_fewer_than_two_points(n, normalize):
    x, y = (torch.ones(n, 3, requires_grad=True) for _ in range(2))
    value = RTDLoss(normalize=normalize)(x, y)
    value.backward()
    assert value == 0
    assert value.shape == ()
    assert not x.grad.any()
    assert not y.grad.any()


@pytest.mark.parametrize("normalize", ["quantile", "none"])
def test_two_points(normalize):
    """Normalised, two points have no shape but their distance, which is 1."""
    x, y = torch.tensor([[0.0], [1.0]]), torch.tensor([[0.0], [3.0]])
    assert RTDLoss(normalize=normalize)(x, y).item() == pytest.approx(0 if normalize == "quantile" else 2)


def test_integer_points_with_many_ties(generator):
    """Value and gradient exist where distances tie."""
    x, y = torch.randint(0, 3, (2, 20, 2), generator=generator).double()
    x.requires_grad_()
    value = RTDLoss()(x, y)
    value.backward()
    assert value > 0
    assert x.grad.isfinite().all()


# --- refusals ---


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"sides": "middle"}, "^sides should be one of min, max, minmax, got 'middle'"),
        ({"normalize": "max"}, "^normalize should be quantile or none, got 'max'"),
    ],
)
def test_options_are_refused(options, message):
    with pytest.raises(ValueError, match=message):
        RTDLoss(**options)


def test_power_is_refused_when_used(generator):
    with pytest.raises(ValueError, match=r"^power should be greater than 0, got 0"):
        RTDLoss(power=0)(*clouds(4, generator))


@pytest.mark.usefixtures("as_users_run")
def test_unequal_numbers_of_points():
    with pytest.raises(ValueError, match=r"with the same n and at least two axes, got \(3, 2\) and \(4, 2\)"):
        RTDLoss()(torch.zeros(3, 2), torch.zeros(4, 2))


@pytest.mark.usefixtures("as_users_run")
def test_integer_points():
    with pytest.raises(TypeError, match=r"should be a floating-point torch\.Tensor"):
        RTDLoss()(torch.zeros(3, 2).long(), torch.zeros(3, 2).long())


@pytest.mark.parametrize("normalize", ["quantile", "none"])
@pytest.mark.parametrize("value", [float("nan"), float("inf")])
def test_points_that_are_no_numbers(normalize, value, generator):
    """Nothing is hidden: a diverged generator is an error, not a loss of 0."""
    x, y = clouds(10, generator)
    x[3, 1] = value
    with pytest.raises(ValueError, match=r"^x should be finite, got NaN or infinity"):
        RTDLoss(normalize=normalize)(x, y)
