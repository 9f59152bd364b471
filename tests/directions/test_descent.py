"""The descent: coordinates of equal effect, halving, patience."""

from __future__ import annotations

import torch

from gan_topdis.directions.descent import coordinates_in, descend, equal_effect_frame, unit_vectors
from gan_topdis.directions.informative_subspace import InformativeSubspace
from gan_topdis.seeding import seeded_generator


def subspace():
    """Four of six latent dimensions, effects 16, 4, 1 and 0.25, rotated."""
    basis = torch.linalg.qr(torch.randn(6, 4, generator=seeded_generator(0)).double()).Q.T
    turn = torch.linalg.qr(torch.randn(4, 4, generator=seeded_generator(1)).double()).Q
    effect = turn @ torch.diag(torch.tensor([16.0, 4, 1, 0.25]).double()) @ turn.T
    return InformativeSubspace(basis, effect, 1.0)


def test_a_frame_has_equal_effect_and_is_orthogonal_to_what_was_found():
    space = subspace()
    found = torch.nn.functional.normalize(torch.ones(1, 4).double() @ space.basis, dim=1)
    frame = equal_effect_frame(space, found)
    assert frame.shape == (3, 6)
    torch.testing.assert_close(frame @ found.T, torch.zeros(3, 1).double(), atol=1e-12, rtol=0)
    inside = frame @ space.basis.T
    torch.testing.assert_close(inside @ space.effect @ inside.T, torch.eye(3).double())


def test_coordinates_and_vectors_are_inverse():
    frame = equal_effect_frame(subspace(), torch.zeros(0, 6))
    coordinates = torch.nn.functional.normalize(torch.randn(5, 4, generator=seeded_generator(2)).double())
    torch.testing.assert_close(coordinates_in(unit_vectors(coordinates, frame), frame), coordinates)


def counted(cost, starts, **options):
    steps, sizes = [], []

    def cost_of(coordinates, step):
        sizes.append(len(coordinates))
        return cost(coordinates, step)

    ends = descend(cost_of, starts, on_step=lambda: steps.append(1), **options)
    return ends, len(steps), sizes


def test_the_worse_half_is_given_up_halfway_and_the_minimum_is_found():
    target = torch.tensor([0.6, 0.8, 0.0])
    starts = torch.tensor([[0.0, 0.0, 1.0], [0.0, 1.0, 0.0], [-0.6, -0.8, 0.0]])
    ends, steps, sizes = counted(
        lambda a, _: -(torch.nn.functional.normalize(a, dim=1) @ target), starts, steps=60, patience=None
    )
    assert steps == 60
    assert sizes == [3] * 30 + [2] * 30
    assert (ends @ target > 0.99).all()


def test_patience_ends_a_descent_that_does_not_progress():
    """The cost is the same everywhere until step 8, where it is lower for one step, then higher."""
    starts = torch.eye(3)[:1]

    def cost(a, step):
        return 0 * a.sum(dim=1) + (0.5 if step == 8 else 1.0 + 0.01 * step)

    _, steps, sizes = counted(cost, starts, steps=40, patience=10)
    assert steps == 40, "progress still reaches its total"
    assert len(sizes) == 8 + 1 + 10
    _, _, sizes = counted(cost, starts, steps=40, patience=None)
    assert len(sizes) == 40


def test_one_dimension_left_needs_no_cost():
    def fail(a, step):
        raise AssertionError("nothing to turn")

    ends, steps, _ = counted(fail, torch.ones(2, 1), steps=5, patience=None)
    assert steps == 5
    assert ends.tolist() == [[1.0]]
