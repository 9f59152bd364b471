"""Layers of a synthesis block: convolution with noise, colour layer, residual branch."""

from __future__ import annotations

from math import sqrt

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from third_party.stylegan2_ada_pytorch.activations import ACTIVATIONS, activate
from third_party.stylegan2_ada_pytorch.configuration import FilterTaps, SynthesisConfiguration
from third_party.stylegan2_ada_pytorch.fully_connected import FullyConnectedLayer
from third_party.stylegan2_ada_pytorch.modulated_convolution import modulated_convolution
from third_party.stylegan2_ada_pytorch.resampling import normalised_filter, upsample

# Network files hold this filter in layers that never use it, whatever filter the others have.
UNUSED_FILTER: FilterTaps = (1.0, 3.0, 3.0, 1.0)


class SynthesisLayer(nn.Module):
    """Modulated 3x3 convolution, noise, bias, activation, clamp; upsamples by two if `up` is 2.

    Args:
        in_channels, out_channels: feature maps.
        w_dim: length of the latent.
        resolution: height and width of the result.
        up: 1 or 2.
        configuration: noise, activation, clamp and filter.

    Source: arXiv:1912.04958, figure 2 (d).
    """

    weight: Tensor  # (o, i, 3, 3)
    noise_strength: Tensor  # ()
    bias: Tensor  # (o,)
    resample_filter: Tensor  # (k, k) or (k,)
    noise_const: Tensor  # (resolution, resolution)

    def __init__(
        self,
        in_channels: int,
        out_channels: int,
        *,
        w_dim: int,
        resolution: int,
        up: int,
        configuration: SynthesisConfiguration,
    ) -> None:
        super().__init__()
        self.resolution = resolution
        self.up = up
        self.use_noise = configuration.use_noise
        self.activation = configuration.activation
        self.conv_clamp = configuration.conv_clamp
        self.act_gain = ACTIVATIONS[self.activation].gain
        self.affine = FullyConnectedLayer(w_dim, in_channels, bias_init=1.0)
        self.weight = nn.Parameter(torch.randn(out_channels, in_channels, 3, 3))
        if self.use_noise:
            self.noise_strength = nn.Parameter(torch.zeros(()))
        self.bias = nn.Parameter(torch.zeros(out_channels))
        taps = configuration.resample_filter if up == 2 else UNUSED_FILTER
        self.register_buffer("resample_filter", normalised_filter(taps))
        if self.use_noise:
            self.register_buffer("noise_const", torch.randn(resolution, resolution))

    def forward(self, x: Tensor, w: Tensor, *, noise_mode: str, gain: float = 1.0) -> Tensor:
        """Features (n, i, h, w) and latent (n, w_dim) to features (n, o, up h, up w)."""
        taps = self.resample_filter if self.up == 2 else None
        x = modulated_convolution(x, self.weight, self.affine(w), upsample_taps=taps)
        offset = self.bias[None, :, None, None]  # (1, o, 1, 1)
        if self.use_noise and noise_mode == "const":
            x = x + self.noise_const * self.noise_strength
        elif self.use_noise and noise_mode == "random":
            noise = torch.randn(x.shape[0], 1, *x.shape[2:], dtype=x.dtype, device=x.device)
            x = x + noise * self.noise_strength
        return activate(x + offset, self.activation, gain=gain, clamp=self.conv_clamp)


class ToRGBLayer(nn.Module):
    """Modulated 1x1 convolution without demodulation, to image channels; no activation, no noise.

    Source: arXiv:1912.04958, appendix B (no demodulation in the output layers).
    """

    weight: Tensor  # (channels of the image, i, 1, 1)
    bias: Tensor  # (channels of the image,)

    def __init__(self, in_channels: int, img_channels: int, *, w_dim: int, conv_clamp: float | None) -> None:
        super().__init__()
        self.conv_clamp = conv_clamp
        self.weight_gain = 1.0 / sqrt(in_channels)
        self.affine = FullyConnectedLayer(w_dim, in_channels, bias_init=1.0)
        self.weight = nn.Parameter(torch.randn(img_channels, in_channels, 1, 1))
        self.bias = nn.Parameter(torch.zeros(img_channels))

    def forward(self, x: Tensor, w: Tensor) -> Tensor:
        """Features (n, i, h, w) and latent (n, w_dim) to an image (n, img_channels, h, w)."""
        styles = self.affine(w) * self.weight_gain  # (n, i)
        x = modulated_convolution(x, self.weight, styles, demodulate=False)
        return activate(x + self.bias[None, :, None, None], "linear", clamp=self.conv_clamp)


class ResidualBranch(nn.Module):
    """1x1 convolution and upsampling beside the two convolutions of a residual block.

    Source: arXiv:1912.04958, figure 7 (c).
    """

    weight: Tensor  # (o, i, 1, 1)
    resample_filter: Tensor  # (k, k) or (k,)

    def __init__(self, in_channels: int, out_channels: int, *, resample_filter: FilterTaps) -> None:
        super().__init__()
        self.weight_gain = 1.0 / sqrt(in_channels)
        self.weight = nn.Parameter(torch.randn(out_channels, in_channels, 1, 1))
        self.register_buffer("resample_filter", normalised_filter(resample_filter))

    def forward(self, x: Tensor, *, gain: float) -> Tensor:
        """(n, i, h, w) to (n, o, 2h, 2w)."""
        return upsample(F.conv2d(x, self.weight * (self.weight_gain * gain)), self.resample_filter)
