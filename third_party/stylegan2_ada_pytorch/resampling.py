"""The low-pass filter of the generator, and upsampling by two with it."""

from __future__ import annotations

from math import sqrt

import torch
from torch import Tensor
from torch.nn import functional as F

from third_party.stylegan2_ada_pytorch.configuration import FilterTaps

# A separable filter this long is kept as one row and applied along one axis after the other.
SEPARABLE_FROM_TAPS = 8


def normalised_filter(taps: FilterTaps) -> Tensor:
    """The filter with sum 1: (k, k), or (k,) for a row of `SEPARABLE_FROM_TAPS` taps and more.

    Raises:
        ValueError: no taps, taps that sum to 0, or a matrix that is not square.
    """
    if not taps or any(isinstance(row, tuple) and len(row) != len(taps) for row in taps):
        raise ValueError(f"resample_filter should be (k,) or (k, k), got {taps}")
    if sum(sum(row) if isinstance(row, tuple) else row for row in taps) == 0:
        raise ValueError("resample_filter should not sum to 0")
    values = torch.tensor(taps, dtype=torch.float32)
    if values.ndim == 1 and len(values) < SEPARABLE_FROM_TAPS:
        values = torch.outer(values, values)
    return values / values.sum()


def convolve(x: Tensor, taps: Tensor, *, before: int, after: int, gain: float) -> Tensor:
    """True convolution (kernel flipped) of every channel with the same filter.

    Args:
        x: (n, c, h, w).
        taps: (k, k) or, separable, (k,).
        before, after: zero rows and columns added at either end of both axes; negative ones crop.
        gain: factor of the result.

    Returns:
        (n, c, h', w'), h' = h + before + after - k + 1.
    """
    channels = x.shape[1]
    if 0 <= before == after:
        padding = before
    else:
        x = F.pad(x, (before, after, before, after))
        padding = 0
    if taps.ndim == 2:
        return F.conv2d(x, _per_channel(taps.flip(0, 1) * gain, channels), padding=padding, groups=channels)
    row = (taps.flip(0) * sqrt(gain))[None]  # (1, k)
    x = F.conv2d(x, _per_channel(row, channels), padding=(0, padding), groups=channels)
    return F.conv2d(x, _per_channel(row.t(), channels), padding=(padding, 0), groups=channels)


def upsampling_margin(taps: Tensor) -> int:
    """Zeros before the first sample when a zero-inserted image is filtered.

    Pixel i covers output pixels 2i and 2i + 1, so its centre is at 2i + 1/2, and a filter of k taps has
    its own centre at (k - 1) / 2: the margin is k / 2. For odd k that is half a pixel from either
    neighbour; we take the upper one.
    """
    return (taps.shape[-1] + 1) // 2


def upsample(x: Tensor, taps: Tensor) -> Tensor:
    """Twice the height and width: zeros between the samples, then the filter times 4.

    Args:
        x: (n, c, h, w).
        taps: (k, k) or (k,), sum 1.

    Returns:
        (n, c, 2h, 2w).

    Source: arXiv:1912.04958, section 4.1 and figure 7 (upsampling in skip and residual connections).
    """
    channels = x.shape[1]
    if taps.ndim == 2:
        x = F.conv_transpose2d(x, _per_channel(4.0 * taps, channels), stride=2, groups=channels)
    else:
        row = (2.0 * taps)[None]  # (1, k)
        x = F.conv_transpose2d(x, _per_channel(row, channels), stride=(1, 2), groups=channels)
        x = F.conv_transpose2d(x, _per_channel(row.t(), channels), stride=(2, 1), groups=channels)
    # (n, c, 2h - 2 + k, 2w - 2 + k): true convolution of the zero-inserted image, of which we want a part
    before = upsampling_margin(taps) - taps.shape[-1] + 1
    after = 1 - upsampling_margin(taps)
    return F.pad(x, (before, after, before, after))  # (n, c, 2h, 2w); negative numbers crop


def _per_channel(kernel: Tensor, channels: int) -> Tensor:
    """The same (k, l) kernel for each of `channels` groups."""
    return kernel.expand(channels, 1, *kernel.shape)
