"""Distances by the definition, and a gradient that survives coincident points."""

from __future__ import annotations

import math

import pytest
import torch

from gan_topdis.persistence import distances, pairwise_distances

INF = math.inf
NORMS = (1.0, 2.0, INF)


def by_definition(points: torch.Tensor, p: float) -> torch.Tensor:
    difference = (points[..., :, None, :] - points[..., None, :, :]).abs()
    if p == INF:
        return difference.amax(-1)
    return difference.sum(-1) if p == 1 else difference.square().sum(-1).sqrt()


def cloud(*shape: int, generator: torch.Generator, dtype: torch.dtype = torch.float64) -> torch.Tensor:
    return torch.randn(*shape, generator=generator, dtype=dtype)


# --- values ---


@pytest.mark.parametrize(("p", "expected"), [(1, 7.0), (2, 5.0), (INF, 4.0)])
def test_three_four_five(p, expected):
    distances = pairwise_distances(torch.tensor([[0.0, 0], [3, -4]]), p=float(p))
    assert distances.tolist() == [[0, expected], [expected, 0]]


@pytest.mark.parametrize("p", NORMS)
@pytest.mark.parametrize(
    "shape", [(7, 3), (40, 5), (2, 3, 30, 4), (26, 1000), (1, 4), (2, 9), (3, 9), (4, 9), (5, 1), (6, 9)]
)
def test_equal_to_the_definition(p, shape, generator):
    points = cloud(*shape, generator=generator)
    # sums of up to 1000 terms in another order
    torch.testing.assert_close(pairwise_distances(points, p), by_definition(points, p), rtol=1e-13, atol=0)


@pytest.mark.parametrize("p", NORMS)
@pytest.mark.parametrize("dtype", [torch.float32, torch.float64])
@pytest.mark.parametrize(("n", "d"), [(26, 3), (33, 37), (64, 3072), (130, 1)])
def test_exactly_symmetric_with_zero_diagonal(p, dtype, n, d, generator):
    """What torch.cdist gives up above 25 points, where it multiplies matrices."""
    distances = pairwise_distances(100 + cloud(n, d, generator=generator, dtype=dtype), p)
    assert distances.dtype == dtype
    assert torch.equal(distances, distances.mT)
    assert not distances.diagonal().any()


def test_the_matrix_product_would_fail_here(generator):
    """The trap that the function exists to avoid, shown on the same points."""
    points = 100 + cloud(64, 3, generator=generator, dtype=torch.float32)
    shortcut = torch.cdist(points, points, compute_mode="use_mm_for_euclid_dist")
    assert shortcut.diagonal().max() > 1e-3
    exact = pairwise_distances(points)
    # float32: a distance near 1 of coordinates near 100 keeps its 24 bits, as differences are exact
    torch.testing.assert_close(exact.double(), by_definition(points.double(), 2), rtol=1e-6, atol=0)


@pytest.mark.parametrize(
    ("shape", "result"), [((0, 3), (0, 0)), ((2, 0, 3), (2, 0, 0)), ((0, 4, 3), (0, 4, 4))]
)
@pytest.mark.parametrize("p", NORMS)
def test_no_points(shape, result, p):
    points = torch.zeros(shape, requires_grad=True)
    distances = pairwise_distances(points, p)
    assert distances.shape == result
    distances.sum().backward()
    assert points.grad.shape == shape


def test_no_coordinates():
    assert not pairwise_distances(torch.zeros(4, 0)).any()


@pytest.mark.parametrize("p", NORMS)
def test_isometries_and_scaling(p, generator):
    points = cloud(20, 4, generator=generator)
    distances = pairwise_distances(points, p)
    order = torch.randperm(20, generator=generator)
    assert torch.equal(pairwise_distances(points[order], p), distances[order][:, order])
    assert torch.equal(pairwise_distances(-4 * points, p), 4 * distances)
    # one rounding of each coordinate
    torch.testing.assert_close(pairwise_distances(points + 3, p), distances, rtol=0, atol=1e-14)


@pytest.mark.parametrize("p", NORMS)
@pytest.mark.parametrize("place", [0, 1])
def test_not_finite_points_are_not_hidden(p, place):
    points = torch.tensor([[0.0, 0], [1, 1], [2, 2]])
    points[1, place] = float("nan")
    assert pairwise_distances(points, p).isnan().tolist()[0] == [False, True, False]


@pytest.mark.parametrize("p", NORMS)
def test_memory_layout_does_not_matter(p, generator):
    points = cloud(6, 3, 4, generator=generator)
    moved, copied = points.transpose(0, 1), points.transpose(0, 1).contiguous()
    assert torch.equal(pairwise_distances(moved, p), pairwise_distances(copied, p))
    one = points[0].expand(5, 3, 4)
    assert torch.equal(pairwise_distances(one, p), pairwise_distances(points[0], p).expand(5, 3, 3))


# --- gradient ---


@pytest.mark.parametrize("p", NORMS)
@pytest.mark.parametrize("shape", [(6, 3), (2, 5, 2)])
def test_gradcheck(p, shape, generator):
    points = cloud(*shape, generator=generator).requires_grad_()
    assert torch.autograd.gradcheck(lambda x: pairwise_distances(x, p), (points,))


def few(shape: tuple[int, ...], generator: torch.Generator) -> torch.Tensor:
    """Weights of distances, about two of them in a row, as trees and bars have."""
    keep = torch.rand(shape, generator=generator) < 2 / shape[-1]
    return torch.randn(shape, generator=generator, dtype=torch.float64) * keep


def every(shape: tuple[int, ...], generator: torch.Generator) -> torch.Tensor:
    return torch.randn(shape, generator=generator, dtype=torch.float64)


@pytest.mark.parametrize("p", [1.0, INF])
@pytest.mark.parametrize("weights_of", [few, every])
@pytest.mark.parametrize(("b", "n", "d"), [(3, 40, 5), (1, 97, 2), (2, 33, 1)])
def test_gradient_of_few_and_of_all_distances(p, weights_of, b, n, d, generator):
    """By torch from the definition; whole numbers, so that coordinates and largest differences tie too.

    torch's amax divides its gradient among ties, so that p = inf is compared off ties.
    """
    points = torch.randint(-4, 5, (b, n, d), generator=generator).double()
    if p == INF:
        points = points + cloud(b, n, d, generator=generator)
    weights = weights_of((b, n, n), generator)
    ours, theirs = points.clone().requires_grad_(), points.clone().requires_grad_()
    (pairwise_distances(ours, p) * weights).sum().backward()
    (by_definition(theirs, p) * weights).sum().backward()
    # sums of 2 n weights in another order
    torch.testing.assert_close(ours.grad, theirs.grad, rtol=0, atol=1e-12)


def test_gradient_at_ties_of_the_largest_difference():
    """The sign in every coordinate of largest difference, whether few or all distances have a gradient."""
    points = torch.tensor([[0.0, 0, 0], [2, -2, 1]] + [[9.0, 9, 9]] * 14, requires_grad=True)
    for weights in (torch.zeros(16, 16), torch.full((16, 16), 1e-30)):
        weights[0, 1] = 3
        points.grad = None
        (pairwise_distances(points, INF) * weights).sum().backward()
        torch.testing.assert_close(points.grad[:2], torch.tensor([[-3.0, 3, 0], [3, -3, 0]]))


@pytest.mark.usefixtures("two_threads")
@pytest.mark.parametrize("p", NORMS)
@pytest.mark.parametrize("weights_of", [few, every])
@pytest.mark.parametrize(("b", "n"), [(1, 41), (3, 20)])
def test_threads_do_not_matter(p, weights_of, b, n, generator, monkeypatch):
    points = cloud(b, n, 3, generator=generator).requires_grad_()
    weights = weights_of((b, n, n), generator)
    results = []
    for share in (distances.SMALLEST_SHARE, 1):
        monkeypatch.setattr(distances, "SMALLEST_SHARE", share)
        points.grad = None
        found = pairwise_distances(points, p)
        (found * weights).sum().backward()
        results.append((found.detach(), points.grad))
    assert torch.equal(results[0][0], results[1][0])
    assert torch.equal(results[0][1], results[1][1])


def test_gradcheck_rejects_another_gradient(generator):
    """Half the gradient, as from reading one triangle of a symmetric matrix twice too little."""
    points = cloud(5, 2, generator=generator).requires_grad_()
    with pytest.raises(RuntimeError, match="Jacobian mismatch"):
        torch.autograd.gradcheck(lambda x: pairwise_distances(0.5 * x + 0.5 * x.detach()), (points,))


def test_euclidean_gradient_is_the_unit_difference():
    points = torch.tensor([[0.0, 0], [3, 4], [10, 0]], requires_grad=True)
    pairwise_distances(points)[0, 1].backward()
    # exact numbers but for the division by 5
    torch.testing.assert_close(points.grad, torch.tensor([[-0.6, -0.8], [0.6, 0.8], [0, 0]]))


@pytest.mark.parametrize("p", NORMS)
def test_coincident_points_have_gradient_zero(p):
    points = torch.tensor([[1.0, 2], [1, 2], [1, 2]], requires_grad=True)
    pairwise_distances(points, p).sum().backward()
    assert not points.grad.any()


@pytest.mark.parametrize("p", NORMS)
def test_coincident_points_leave_the_others_alone(p):
    """The gradient of a cloud with a double point is finite and that of the distances that exist."""
    points = torch.tensor([[0.0, 0], [0, 0], [3, 4]], dtype=torch.float64, requires_grad=True)
    pairwise_distances(points, p).sum().backward()
    direction = {1.0: [1, 1], 2.0: [0.6, 0.8], INF: [0, 1]}[p]
    expected = torch.tensor([[-2 * x for x in direction]] * 2 + [[4 * x for x in direction]])
    torch.testing.assert_close(points.grad, expected.double())


@pytest.mark.parametrize("separation", [1e-1, 1e-2, 1e-3])
def test_float32_gradient_of_close_points(separation, generator):
    """Weights up to 1 / separation multiply coordinates near 1, rounded to float32: digits are lost."""
    points = cloud(32, 3, generator=generator, dtype=torch.float32)
    points[1] = points[0] + separation * cloud(3, generator=generator, dtype=torch.float32)
    weights = torch.rand(32, 32, generator=generator)
    narrow, broad = points.clone().requires_grad_(), points.double().requires_grad_()
    (pairwise_distances(narrow) * weights).sum().backward()
    (pairwise_distances(broad) * weights.double()).sum().backward()
    error = (narrow.grad.double() - broad.grad).abs().max()
    assert error < 20 * 1.2e-7 / separation


def test_gradient_far_from_the_origin(generator):
    """Centring: a cloud moved by 1000 keeps the gradient of its rounded coordinates."""
    points = (1000 + cloud(32, 3, generator=generator)).float()
    narrow, broad = points.clone().requires_grad_(), points.double().requires_grad_()
    pairwise_distances(narrow).sum().backward()
    pairwise_distances(broad).sum().backward()
    # a sum of 62 unit vectors in float32
    torch.testing.assert_close(narrow.grad.double(), broad.grad, rtol=0, atol=62 * 5e-6)


# --- refusals ---


@pytest.mark.usefixtures("as_users_run")
@pytest.mark.parametrize("points", [[[0.0]], torch.zeros(3, 2, dtype=torch.int64), torch.zeros(3, 2) + 0j])
def test_not_floating_point(points):
    with pytest.raises(TypeError, match=r"^points should be a floating-point torch\.Tensor"):
        pairwise_distances(points)


@pytest.mark.usefixtures("as_users_run")
def test_too_few_axes():
    with pytest.raises(ValueError, match=r"^points should have shape \(..., n, d\), got \(3,\)"):
        pairwise_distances(torch.zeros(3))


@pytest.mark.parametrize("p", [0.0, 3.0, -1.0, float("nan")])
def test_other_norms(p):
    with pytest.raises(ValueError, match=f"^p should be 1, 2 or inf, got {p}"):
        pairwise_distances(torch.zeros(3, 2), p)


# --- close points, second derivatives, sizes, half precision ---


@pytest.mark.parametrize("separation", [1e-3, 1e-5, 3e-7])
@pytest.mark.parametrize("batched", [False, True])
def test_gradient_of_close_points_in_float32(separation, batched, generator):
    """A unit vector, whatever the other points: products of coordinates would lose it below 1e-4."""
    points = torch.randn(128, 16, generator=generator)
    points[1] = points[0] + separation * torch.randn(16, generator=generator) / 4
    clouds = torch.stack([torch.randn(128, 16, generator=generator), points]) if batched else points
    clouds.requires_grad_()
    pairwise_distances(clouds)[..., 0, 1].sum().backward()
    gradient = clouds.grad[1] if batched else clouds.grad
    direction = (points[0] - points[1]).detach().double()
    # a few roundings of a unit vector
    torch.testing.assert_close(gradient[0].double(), direction / direction.norm(), rtol=0, atol=3e-7)
    assert torch.equal(gradient[0], -gradient[1])
    assert not gradient[2:].any()


def test_second_derivative(generator):
    points = torch.randn(6, 3, generator=generator, dtype=torch.float64, requires_grad=True)
    assert torch.autograd.gradgradcheck(pairwise_distances, (points,))
    x = torch.tensor([1.0, 2, 4], dtype=torch.float64, requires_grad=True)

    def total(cloud: torch.Tensor) -> torch.Tensor:
        return (cloud[:, None] - cloud[None]).square().sum(-1).add(torch.eye(3)).sqrt().triu(1).sum()

    second = []
    for distance_sum in (total, lambda cloud: pairwise_distances(cloud).triu(1).sum()):
        (first,) = torch.autograd.grad(
            distance_sum(torch.stack([x**2, x**3], dim=1)), x, create_graph=True
        )  # the incoming gradient is a constant here
        second.append(torch.autograd.grad(first.square().sum(), x)[0])
    torch.testing.assert_close(second[1], second[0], rtol=1e-10, atol=1e-10)


@pytest.mark.parametrize("size", [1e-30, 1e-15, 1e15, 1e30])
def test_lengths_whose_squares_do_not_fit(size, generator):
    points = torch.randn(9, 4, generator=generator)
    expected = pairwise_distances(points)
    torch.testing.assert_close(pairwise_distances(size * points) / size, expected, rtol=1e-5, atol=1e-6)


@pytest.mark.parametrize("p", [1.0, 2.0, math.inf])
@pytest.mark.parametrize("dtype", [torch.float16, torch.bfloat16])
def test_half_precision_is_computed_in_float32(dtype, p, generator):
    points = torch.randn(7, 3, generator=generator).to(dtype).requires_grad_()
    distances = pairwise_distances(points, p)
    assert torch.equal(distances, pairwise_distances(points.detach().float(), p).to(dtype))
    distances.sum().backward()
    assert points.grad.dtype == dtype
