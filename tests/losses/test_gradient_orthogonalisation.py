"""Orthogonalised gradients: the formula, what is left alone, parameters that only one loss reaches."""

from __future__ import annotations

import pytest
import torch

from gan_topdis.losses import orthogonalise


def flat(gradients, shapes):
    return torch.cat(
        [
            torch.zeros(shape).flatten() if g is None else g.flatten()
            for g, shape in zip(gradients, shapes, strict=True)
        ]
    )


def test_the_part_against_the_reference_is_taken_away():
    shapes = [(3, 2), (4,), (2,), (1,)]
    torch.manual_seed(0)
    r = [torch.randn(3, 2), torch.randn(4), None, torch.randn(1)]
    g = [-r[0] + 0.3 * torch.randn(3, 2), torch.randn(4), torch.randn(2), None]
    result = orthogonalise(g, r)
    a, b = flat(g, shapes).double(), flat(r, shapes).double()
    expected = a - (a @ b) / (b @ b) * b
    torch.testing.assert_close(flat(result.gradients, shapes).double(), expected, atol=1e-6, rtol=1e-5)
    assert result.inner_before == pytest.approx(float(a @ b), rel=1e-6) and result.inner_before < 0
    assert abs(result.inner_after) <= 1e-6 * float(a.norm() * b.norm())
    assert torch.equal(result.gradients[2], g[2]), "the reference does not reach it"
    assert result.gradients[3] is not None, "only the reference reaches it"


def test_what_does_not_work_against_it_is_left_alone():
    g, r = [torch.tensor([1.0, 2.0]), None], [torch.tensor([1.0, 0.0]), torch.ones(3)]
    result = orthogonalise(g, r)
    assert result.gradients[0] is g[0] and result.gradients[1] is None
    assert result.inner_before == result.inner_after == 1.0
    orthogonal = orthogonalise([torch.tensor([0.0, 2.0])], [torch.tensor([1.0, 0.0])])
    assert orthogonal.inner_before == 0


def test_a_reference_of_zero_changes_nothing():
    g = [torch.tensor([1.0, 2.0])]
    assert orthogonalise(g, [torch.zeros(2)]).gradients[0] is g[0]
    assert orthogonalise(g, [None]).gradients[0] is g[0]


def test_lists_that_do_not_fit_are_refused():
    with pytest.raises(ValueError, match="of the same parameters, got 1 and 2"):
        orthogonalise([torch.zeros(1)], [torch.zeros(1), None])
    with pytest.raises(ValueError, match=r"parameter 0 should have one shape, got \(1,\) and \(2,\)"):
        orthogonalise([torch.zeros(1)], [torch.zeros(2)])
