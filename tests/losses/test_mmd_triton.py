"""MMD^2 by Triton: value against the plain formula, gradient against its autograd, and closed forms."""

from __future__ import annotations

import math

import pytest
import torch
from triton_devices import DEVICES

pytest.importorskip("triton")

from gan_topdis.losses.mmd_triton import COLUMNS, ROWS, value_and_gradient

pytestmark = pytest.mark.parametrize("device", DEVICES)


def plain(
    birth: torch.Tensor, lifetime: torch.Tensor, weight: torch.Tensor, width: float
) -> tuple[torch.Tensor, torch.Tensor, torch.Tensor]:
    """The double sum as it is written, in float64, and its gradient by autograd."""
    b, l = (part.double().requires_grad_() for part in (birth, lifetime))  # noqa: E741
    a = weight.double() * l
    distance = (b[:, None] - b).square() + (l[:, None] - l).square()
    value = (a[:, None] * a * (-distance / width).exp()).sum()
    return value.detach(), *torch.autograd.grad(value, [b, l])


def bars(s: int, present: float, generator: torch.Generator) -> tuple[torch.Tensor, ...]:
    """Random bars of two measures of a third and two thirds of s tuples, a share of them present."""
    birth = torch.rand(s, generator=generator, dtype=torch.float64)
    lifetime = torch.rand(s, generator=generator, dtype=torch.float64)
    lifetime[torch.rand(s, generator=generator) >= present] = 0
    first = max(1, s // 3)
    weight = torch.full((s,), -1.0 / max(1, s - first), dtype=torch.float64)
    weight[:first] = 1 / first
    return birth, lifetime, weight


def assert_equal_to_plain(device: str, width: float, *given: torch.Tensor) -> None:
    found = value_and_gradient(*(part.to(device) for part in given), width)
    scale = given[2].abs().sum()
    for one, other in zip(found, plain(*given, width), strict=True):
        # float64 sums of s^2 terms of size w_i w_j
        torch.testing.assert_close(one.cpu(), other, rtol=1e-12, atol=1e-14 * float(scale))


@pytest.mark.parametrize("present", [1.0, 0.1, 0.0])
@pytest.mark.parametrize("s", [1, 2, ROWS - 1, ROWS, ROWS + 1, 3 * COLUMNS + 5])
def test_value_and_gradient_of_the_plain_formula(device, s, present, generator):
    assert_equal_to_plain(device, 0.3, *bars(s, present, generator))


@pytest.mark.parametrize("width", [1e-3, 0.1, 50.0])
def test_widths(device, width, generator):
    assert_equal_to_plain(device, width, *bars(40, 0.7, generator))


def test_the_comparison_can_fail(device, generator):
    birth, lifetime, weight = bars(40, 0.7, generator)
    with pytest.raises(AssertionError):
        found = value_and_gradient(birth.to(device), lifetime.to(device), weight.to(device), 0.3)
        torch.testing.assert_close(
            found[0].cpu(), plain(birth, lifetime, weight, 0.3001)[0], rtol=1e-6, atol=0
        )


def test_two_bars_by_hand(device):
    """l1^2 + l2^2 - 2 l1 l2 e with b = (0, .1), l = (1, 2), width .5: e = exp(-(.01 + 1) / .5)."""
    e = math.exp(-1.01 / 0.5)
    given = (
        torch.tensor(part, dtype=torch.float64, device=device) for part in ([0, 0.1], [1.0, 2], [1.0, -1])
    )
    value, by_birth, by_lifetime = value_and_gradient(*given, 0.5)
    assert value.dtype == torch.float64 and value.ndim == 0
    assert value.item() == pytest.approx(5 - 4 * e, rel=1e-14)
    # d/db_1 = -2 l1 l2 e (-2 (b1 - b2) / width)
    assert by_birth.tolist() == pytest.approx([-1.6 * e, 1.6 * e], rel=1e-13)
    # d/dl_1 = 2 l1 - 2 l2 e - 2 l1 l2 e (-2 (l1 - l2) / width)
    assert by_lifetime.tolist() == pytest.approx([2 - 4 * e - 16 * e, 4 - 2 * e + 16 * e], rel=1e-13)


def test_equal_measures_and_absent_bars(device):
    bar = torch.tensor([0.2, 0.2], device=device), torch.tensor([0.5, 0.5], device=device)
    value, by_birth, by_lifetime = value_and_gradient(*bar, torch.tensor([1.0, -1.0], device=device), 0.1)
    assert value.item() == 0
    assert by_birth.tolist() == [0, 0] and by_lifetime.tolist() == [0, 0]
    nothing = torch.zeros(3, device=device)
    assert [part.abs().sum().item() for part in value_and_gradient(nothing, nothing, nothing + 1, 0.1)] == [
        0,
        0,
        0,
    ]


def test_float32_in_float64_sums(device, generator):
    """Terms of size 1 cancel to a value a million times smaller, which float32 sums would lose."""
    birth = torch.rand(100, generator=generator)
    lifetime = 1 + torch.rand(100, generator=generator)
    birth, lifetime = birth.repeat(2), lifetime.repeat(2)
    lifetime[100:] += 1e-4
    weight = torch.full((200,), 0.01)
    weight[100:] *= -1
    value, by_birth, _ = value_and_gradient(birth.to(device), lifetime.to(device), weight.to(device), 0.5)
    expected, expected_by_birth, _ = plain(birth, lifetime, weight, 0.5)
    assert 0 < expected < 1e-6
    assert value.item() == pytest.approx(expected.item(), rel=1e-6)
    assert by_birth.dtype == torch.float32
    torch.testing.assert_close(by_birth.cpu(), expected_by_birth.float(), rtol=1e-5, atol=1e-12)


def test_repeatable(device, generator):
    given = [part.to(device) for part in bars(100, 0.5, generator)]
    first, second = (value_and_gradient(*given, 0.1) for _ in range(2))
    assert all(torch.equal(one, other) for one, other in zip(first, second, strict=True))


def test_no_bars_at_all(device):
    empty = torch.zeros(0, device=device)
    value, by_birth, by_lifetime = value_and_gradient(empty, empty, empty, 0.1)
    assert value.item() == 0 and by_birth.shape == by_lifetime.shape == (0,)
