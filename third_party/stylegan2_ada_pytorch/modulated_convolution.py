"""The convolution whose input channels are scaled by a style, per sample."""

from __future__ import annotations

import torch
from torch import Tensor
from torch.nn import functional as F

from third_party.stylegan2_ada_pytorch.resampling import convolve, upsampling_margin

EPSILON = 1e-8


def modulated_convolution(
    x: Tensor,
    weight: Tensor,
    styles: Tensor,
    *,
    demodulate: bool = True,
    upsample_taps: Tensor | None = None,
) -> Tensor:
    """Convolution with kernel s_i w_oikk, normalised to unit length per output channel.

    Scaling the input by s, applying the shared kernel and scaling the output is the same function as a
    kernel per sample, and needs no copies of the kernel.

    Args:
        x: features (n, i, h, w).
        weight: (o, i, k, k), k odd.
        styles: s, (n, i).
        demodulate: divide output channel o by sqrt(sum_ik (s_i w_oik)^2 + 1e-8).
        upsample_taps: low-pass filter; given, the result is twice as large (k = 3).

    Returns:
        (n, o, h, w), or (n, o, 2h, 2w).

    Source: arXiv:1912.04958, equations 1 and 3.
    """
    x = x * styles[:, :, None, None]  # (n, i, h, w)
    if upsample_taps is None:
        x = F.conv2d(x, weight, padding=weight.shape[2] // 2)  # (n, o, h, w)
    else:
        x = F.conv_transpose2d(x, weight.transpose(0, 1), stride=2)  # (n, o, 2h + 1, 2w + 1)
        # the 3x3 kernel has moved its centre by one pixel, which the margin gives back
        before = upsampling_margin(upsample_taps) - 1
        after = upsample_taps.shape[-1] - 2 - before
        x = convolve(x, upsample_taps, before=before, after=after, gain=4.0)  # (n, o, 2h, 2w)
    if demodulate:
        energy = styles.square() @ weight.square().sum(dim=(2, 3)).t()  # (n, o)
        x = x * torch.rsqrt(energy + EPSILON)[:, :, None, None]  # eq. 3
    return x
