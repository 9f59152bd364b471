"""The StyleGAN2 generator in plain float64 numpy: a second implementation to test against.

Every step is written the slow, direct way of the papers: upsampling inserts zeros, pads and
convolves; a convolution is a sum over kernel taps; modulation scales the kernel of each sample.
Nothing is fused, nothing is reordered for speed.

Sources: Karras et al., A Style-Based Generator Architecture (arXiv:1812.04948): mapping,
truncation, noise; Analyzing and Improving the Image Quality of StyleGAN (arXiv:1912.04958):
weight demodulation (eqs. 1-3), skip and residual generators (fig. 7); for what the papers leave
open, the project's format note, section 6. No code of any StyleGAN repository was read.

Largest difference from the outputs of the official float32 implementation
(tests/fixtures/stylegan2_ada, checked in test_stylegan2_architectures.py): 2.7e-6 in images,
2.2e-6 in ws.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np

Array = np.ndarray

EPSILON = 1e-8


@dataclass(frozen=True)
class StyleGAN2Configuration:
    """What the tensors alone do not say.

    Attributes:
        conv_clamp: bound of every layer's output, None for none.
        lr_multiplier: learning-rate multiplier of the mapping layers, part of their run-time gain.
        activation: of the mapping layers.
    """

    z_dim: int = 12
    c_dim: int = 0
    w_dim: int = 10
    img_resolution: int = 16
    img_channels: int = 3
    architecture: str = "skip"
    conv_clamp: float | None = None
    mapping_layers: int = 2
    lr_multiplier: float = 0.01
    activation: str = "lrelu"

    @property
    def block_resolutions(self) -> list[int]:
        return [2**k for k in range(2, int(np.log2(self.img_resolution)) + 1)]

    @property
    def num_ws(self) -> int:
        return 2 * int(np.log2(self.img_resolution)) - 2


class StyleGAN2Oracle:
    """Mapping and synthesis of named float tensors."""

    def __init__(self, tensors: Mapping[str, Array], configuration: StyleGAN2Configuration) -> None:
        self.tensors = {name: np.asarray(value, dtype=np.float64) for name, value in tensors.items()}
        self.configuration = configuration

    def map(
        self,
        z: Array,
        c: Array | None = None,
        *,
        truncation_psi: float = 1.0,
        truncation_cutoff: int | None = None,
    ) -> Array:
        """ws (n, num_ws, w_dim) of z (n, z_dim) and c (n, c_dim)."""
        settings = self.configuration
        x = unit_second_moment(np.asarray(z, dtype=np.float64))
        if settings.c_dim:
            embedded = self._dense("mapping.embed", np.asarray(c, dtype=np.float64))
            x = np.concatenate([x, unit_second_moment(embedded)], axis=1)
        for layer in range(settings.mapping_layers):
            x = self._dense(f"mapping.fc{layer}", x, settings.lr_multiplier)
            x = activate(x, settings.activation)
        ws = np.stack([x] * settings.num_ws, axis=1)
        if truncation_psi != 1:
            centre = self.tensors["mapping.w_avg"]
            cutoff = settings.num_ws if truncation_cutoff is None else truncation_cutoff
            ws[:, :cutoff] = centre + truncation_psi * (ws[:, :cutoff] - centre)
        return ws

    def synthesize(self, ws: Array, noise_mode: str = "const") -> Array:
        """Images (n, channels, r, r) of ws (n, num_ws, w_dim)."""
        settings = self.configuration
        ws = np.asarray(ws, dtype=np.float64)
        x = np.stack([self.tensors["synthesis.b4.const"]] * len(ws))  # (n, ch(4), 4, 4)
        image: Array | None = None
        for resolution in settings.block_resolutions:
            block = f"synthesis.b{resolution}"
            k = int(np.log2(resolution))
            entering = x
            residual = settings.architecture == "resnet" and resolution > 4
            if resolution > 4:
                x = self._convolution(f"{block}.conv0", x, ws[:, 2 * k - 5], noise_mode, up=True)
            x = self._convolution(
                f"{block}.conv1", x, ws[:, 2 * k - 4], noise_mode, gain=np.sqrt(0.5) if residual else 1.0
            )
            if residual:
                kernel = self.tensors[f"{block}.skip.weight"]  # (o, i, 1, 1)
                side = correlate(entering, kernel / np.sqrt(kernel.shape[1]))
                x = x + np.sqrt(0.5) * upsample(side, self.tensors[f"{block}.skip.resample_filter"])
            if image is not None:
                image = upsample(image, self.tensors[f"{block}.resample_filter"])
            if settings.architecture == "skip" or resolution == settings.img_resolution:
                colours = self._to_rgb(f"{block}.torgb", x, ws[:, 2 * k - 3])
                image = colours if image is None else image + colours
        assert image is not None
        return image

    def _dense(self, name: str, x: Array, lr_multiplier: float = 1.0) -> Array:
        """Fully connected, equalised learning rate."""
        weight = self.tensors[f"{name}.weight"]
        gain = lr_multiplier / np.sqrt(weight.shape[1])
        return x @ (weight * gain).T + self.tensors[f"{name}.bias"] * lr_multiplier

    def _convolution(
        self, name: str, x: Array, w: Array, noise_mode: str, up: bool = False, gain: float = 1.0
    ) -> Array:
        """Modulated and demodulated 3x3 convolution, noise, bias, leaky ReLU, clamp."""
        styles = self._dense(f"{name}.affine", w)  # (n, i)
        weight = self.tensors[f"{name}.weight"]  # (o, i, 3, 3)
        modulated = weight[None] * styles[:, None, :, None, None]  # (n, o, i, 3, 3), eq. 1
        norms = np.sqrt((modulated**2).sum(axis=(2, 3, 4), keepdims=True) + EPSILON)
        kernels = modulated / norms  # eq. 3
        rows = []
        for sample, kernel in zip(x, kernels, strict=True):
            if up:
                filter_ = self.tensors[f"{name}.resample_filter"]
                wide = transposed_convolution(sample[None], kernel)  # 2r + 1 pixels
                rows.append(convolve_channels(pad(wide, 1, 1), 4 * filter_)[0])
            else:
                rows.append(correlate(pad(sample[None], 1, 1), kernel)[0])
        y = np.stack(rows)
        if noise_mode == "const" and f"{name}.noise_const" in self.tensors:
            y = y + self.tensors[f"{name}.noise_strength"] * self.tensors[f"{name}.noise_const"]
        y = y + self.tensors[f"{name}.bias"][:, None, None]
        return self._clamp(activate(y, "lrelu") * gain, gain)

    def _to_rgb(self, name: str, x: Array, w: Array) -> Array:
        """Modulated 1x1 convolution without demodulation, bias, clamp."""
        weight = self.tensors[f"{name}.weight"]  # (channels, i, 1, 1)
        styles = self._dense(f"{name}.affine", w) / np.sqrt(weight.shape[1])
        kernels = weight[None] * styles[:, None, :, None, None]  # (n, channels, i, 1, 1)
        y = np.stack([correlate(row[None], kernel)[0] for row, kernel in zip(x, kernels, strict=True)])
        return self._clamp(y + self.tensors[f"{name}.bias"][:, None, None], 1.0)

    def _clamp(self, y: Array, gain: float) -> Array:
        bound = self.configuration.conv_clamp
        return y if bound is None else np.clip(y, -bound * gain, bound * gain)


def unit_second_moment(x: Array) -> Array:
    """Each row divided by its root mean square."""
    return x / np.sqrt((x**2).mean(axis=1, keepdims=True) + EPSILON)


def activate(x: Array, activation: str) -> Array:
    """Activation times the gain that keeps the second moment."""
    if activation == "lrelu":
        return np.sqrt(2) * np.where(x > 0, x, 0.2 * x)
    if activation == "relu":
        return np.sqrt(2) * np.maximum(x, 0)
    if activation == "swish":
        return np.sqrt(2) * x / (1 + np.exp(-x))
    if activation == "linear":
        return x
    raise ValueError(activation)


def pad(x: Array, before: int, after: int) -> Array:
    """Zeros around the last two axes."""
    return np.pad(x, ((0, 0), (0, 0), (before, after), (before, after)))


def correlate(x: Array, kernel: Array) -> Array:
    """Cross-correlation without padding: what deep learning calls a convolution.

    x (n, i, h, w), kernel (o, i, a, b): out[o, y, x] = sum over i, dy, dx of
    kernel[o, i, dy, dx] * x[i, y + dy, x + dx].
    """
    height, width = x.shape[2] - kernel.shape[2] + 1, x.shape[3] - kernel.shape[3] + 1
    out = np.zeros((x.shape[0], kernel.shape[0], height, width))
    for dy in range(kernel.shape[2]):
        for dx in range(kernel.shape[3]):
            window = x[:, :, dy : dy + height, dx : dx + width]
            out += np.einsum("oi,nihw->nohw", kernel[:, :, dy, dx], window)
    return out


def convolve(x: Array, kernel: Array) -> Array:
    """True convolution without padding: correlation with the kernel turned by half a circle."""
    return correlate(x, kernel[:, :, ::-1, ::-1])


def convolve_channels(x: Array, filter_: Array) -> Array:
    """True convolution of each channel alone with one 2-D filter."""
    n, channels, height, width = x.shape
    out = convolve(x.reshape(n * channels, 1, height, width), filter_[None, None])
    return out.reshape(n, channels, *out.shape[2:])


def insert_zeros(x: Array) -> Array:
    """Twice the size: samples at even positions, zeros at odd ones."""
    wide = np.zeros((*x.shape[:2], 2 * x.shape[2], 2 * x.shape[3]))
    wide[:, :, ::2, ::2] = x
    return wide


def transposed_convolution(x: Array, kernel: Array) -> Array:
    """Stride 2, no padding: zeros inserted between samples, then the full true convolution.

    (r, r) to (2r + a - 2, 2r + a - 2) for an a x a kernel: 2r + 1 for 3 x 3.
    """
    between = insert_zeros(x)[:, :, :-1, :-1]  # 2r - 1: no zero after the last sample
    margin = kernel.shape[2] - 1
    return convolve(pad(between, margin, margin), kernel)


def upsample(x: Array, filter_: Array) -> Array:
    """2x upsampling of images with a 4-tap filter of sum 1; the 4 makes up for the zeros."""
    return convolve_channels(pad(insert_zeros(x), 2, 1), 4 * filter_)
