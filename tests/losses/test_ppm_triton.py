"""PPM-Reg as on a GPU, all orders in one function, against the path of the CPU."""

from __future__ import annotations

import math

import pytest
import torch
from triton_devices import DEVICES

from gan_topdis.losses import PPMRegularizer, ppm_regularizer

pytest.importorskip("triton")

pytestmark = pytest.mark.parametrize("device", DEVICES)

SETTINGS = (
    {"weights": (1.0, 2.0)},
    {"weights": (1.0, 2.0), "convention": "reference", "replacement": False, "pool": 400},
    {"weights": (0.0, 3.0)},
    {"weights": (1.0, 3.0), "all_pairs": True},
)


def value_and_gradients(options, *clouds: torch.Tensor) -> list[torch.Tensor]:
    x, y = (cloud.clone().requires_grad_() for cloud in clouds)
    regularizer = PPMRegularizer(bandwidth=0.3, subsamples=40, **options)
    value = regularizer(x, y, generator=torch.Generator().manual_seed(0))
    return [value.detach(), *torch.autograd.grad(3 * value, [x, y])]


@pytest.fixture
def by_triton(monkeypatch):
    """What a CUDA tensor takes, also for the CPU tensors of the interpreter."""

    def switch() -> None:
        monkeypatch.setattr(ppm_regularizer, "kernels_for", lambda tensor: "triton")

    return switch


@pytest.mark.parametrize("options", SETTINGS, ids=range(len(SETTINGS)))
@pytest.mark.parametrize("dtype", [torch.float64, torch.float32, torch.bfloat16])
def test_equal_to_the_cpu(device, dtype, options, generator, by_triton):
    x = torch.randn(14, 3, generator=generator).to(dtype)
    y = (1.2 * torch.randn(11, 3, generator=generator)).to(dtype)
    expected = value_and_gradients(options, x, y)
    by_triton()
    found = value_and_gradients(options, x.to(device), y.to(device))
    assert expected[0] > 1e-3 and all(part.abs().max() > 1e-3 for part in expected[1:])
    # the same numbers summed in another order in float64, then rounded; a gradient in bfloat16 twice
    tolerance = {torch.float64: 1e-13, torch.float32: 3e-6, torch.bfloat16: 0.02}[dtype]
    for one, other in zip(found, expected, strict=True):
        assert one.dtype == other.dtype == dtype
        torch.testing.assert_close(
            one.cpu(), other, rtol=tolerance, atol=tolerance * float(other.abs().max())
        )


def test_a_point_that_is_not_finite_makes_all_nan(device, by_triton, monkeypatch):
    """Also one that no tuple has: of 200 points, one tuple of each order and cloud."""
    monkeypatch.setattr(
        ppm_regularizer, "require_points", lambda points, name: None
    )  # which looks on the CPU
    by_triton()
    x, y = torch.randn(200, 2), torch.randn(200, 2)
    x[17, 1] = math.nan
    x, y = (cloud.to(device).requires_grad_() for cloud in (x, y))
    value = PPMRegularizer(subsamples=1)(x, y)
    value.backward()
    assert value.isnan() and x.grad.isnan().all() and y.grad.isnan().all()


def test_six_points_go_order_by_order(device, by_triton, generator):
    """Kernels take tuples of 2 or 4 points; q = 2 is computed as before."""
    x, y = (torch.randn(9, 3, generator=generator, dtype=torch.float64) for _ in range(2))
    expected = value_and_gradients({"weights": (1.0, 0.0, 9.0)}, x, y)
    by_triton()
    found = value_and_gradients({"weights": (1.0, 0.0, 9.0)}, x.to(device), y.to(device))
    for one, other in zip(found, expected, strict=True):
        torch.testing.assert_close(one.cpu(), other, rtol=1e-12, atol=1e-13)


def test_gradient_of_a_gradient_is_refused(device, by_triton):
    by_triton()
    x, y = (torch.randn(8, 2).to(device).requires_grad_() for _ in range(2))
    value = PPMRegularizer(subsamples=20)(x, y)
    with pytest.raises(RuntimeError, match="first derivatives only"):
        torch.autograd.grad(value, x, create_graph=True)
