"""The discriminator that StyleGAN2 is trained against: residual blocks down to 4x4."""

from __future__ import annotations

from math import sqrt

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from third_party.stylegan2_ada_pytorch.activations import activate
from third_party.stylegan2_ada_pytorch.fully_connected import FullyConnectedLayer
from third_party.stylegan2_ada_pytorch.resampling import convolve, normalised_filter


class _Convolution(nn.Module):
    """Convolution with equalised rate, bias and activation; halves the resolution where `down` is 2."""

    resample_filter: Tensor

    def __init__(
        self, in_channels: int, out_channels: int, size: int, *, down: int = 1, activation: str = "lrelu"
    ) -> None:
        super().__init__()
        self.down = down
        self.activation = activation
        self.weight_gain = 1.0 / sqrt(in_channels * size**2)
        self.weight = nn.Parameter(torch.randn(out_channels, in_channels, size, size))
        self.bias = nn.Parameter(torch.zeros(out_channels)) if activation != "linear" else None
        self.register_buffer("resample_filter", normalised_filter((1.0, 3.0, 3.0, 1.0)))

    def forward(self, x: Tensor, gain: float = 1.0) -> Tensor:
        weight = self.weight * self.weight_gain
        size = weight.shape[-1]
        if self.down == 2:
            taps = self.resample_filter.shape[-1]
            # filter first, so that the strided convolution sees no frequencies it would fold
            before = (taps + size - 2) // 2
            x = convolve(x, self.resample_filter, before=before, after=taps + size - 3 - before, gain=1.0)
            x = F.conv2d(x, weight, stride=2)
        else:
            x = F.conv2d(x, weight, padding=size // 2)
        if self.bias is None:
            return x * gain
        return activate(x + self.bias[None, :, None, None], self.activation, gain=gain)


class _Block(nn.Module):
    def __init__(self, in_channels: int, out_channels: int) -> None:
        super().__init__()
        self.conv0 = _Convolution(in_channels, in_channels, 3)
        self.conv1 = _Convolution(in_channels, out_channels, 3, down=2)
        self.skip = _Convolution(in_channels, out_channels, 1, down=2, activation="linear")

    def forward(self, x: Tensor) -> Tensor:
        """(n, i, h, w) to (n, o, h / 2, w / 2)."""
        return self.skip(x, gain=sqrt(0.5)) + self.conv1(self.conv0(x), gain=sqrt(0.5))


def minibatch_deviation(x: Tensor, group: int) -> Tensor:
    """x with one more feature map: standard deviation over groups of samples, averaged over features.

    Source: arXiv:1710.10196, section 3 (minibatch standard deviation).
    """
    n, _, h, w = x.shape
    group = next(size for size in range(min(group, n), 0, -1) if n % size == 0)
    grouped = x.reshape(group, n // group, -1)
    deviation = (grouped.var(dim=0, unbiased=False) + 1e-8).sqrt().mean(dim=1)  # (n / group,)
    return torch.cat([x, deviation.repeat(group)[:, None, None, None].expand(n, 1, h, w)], dim=1)


class Discriminator(nn.Module):
    """Images (n, img_channels, r, r) to logits (n, 1).

    Args:
        channels: feature maps at 4, 8, ..., r, as for the generator.
        img_channels: of the images.
        group: samples whose deviation is shown to the last layers.

    Source: arXiv:1912.04958, section 4.1 (residual discriminator).
    """

    def __init__(self, channels: tuple[int, ...], *, img_channels: int = 3, group: int = 4) -> None:
        super().__init__()
        self.group = group
        self.fromrgb = _Convolution(img_channels, channels[-1], 1)
        self.blocks = nn.Sequential(
            *(_Block(channels[k], channels[k - 1]) for k in range(len(channels) - 1, 0, -1))
        )
        self.conv = _Convolution(channels[0] + 1, channels[0], 3)
        self.fc = FullyConnectedLayer(channels[0] * 16, channels[0], activation="lrelu")
        self.out = FullyConnectedLayer(channels[0], 1)

    def forward(self, images: Tensor) -> Tensor:
        x = self.blocks(self.fromrgb(images))  # (n, c, 4, 4)
        x = self.conv(minibatch_deviation(x, self.group))
        logits: Tensor = self.out(self.fc(x.flatten(1)))
        return logits
