"""The synthesis network: one block per resolution."""

from __future__ import annotations

from collections.abc import Iterator
from math import sqrt

import torch
from torch import Tensor, nn

from third_party.stylegan2_ada_pytorch.configuration import GeneratorConfiguration
from third_party.stylegan2_ada_pytorch.resampling import normalised_filter, upsample
from third_party.stylegan2_ada_pytorch.synthesis_layers import ResidualBranch, SynthesisLayer, ToRGBLayer

NOISE_MODES = ("random", "const", "none")


class SynthesisBlock(nn.Module):
    """All layers of one resolution.

    The first block (4x4) starts from a learned constant and has one convolution; the others have two, of
    which the first upsamples.

    Args:
        resolution: height and width of the result.
        in_channels: feature maps of the block before; 0 for the first block.
        out_channels: feature maps of this block.
        is_last: whether the result is the final image.
        configuration: of the generator.
    """

    const: Tensor  # (o, 4, 4), first block only
    resample_filter: Tensor  # (k, k) or (k,)

    def __init__(
        self,
        *,
        resolution: int,
        in_channels: int,
        out_channels: int,
        is_last: bool,
        configuration: GeneratorConfiguration,
    ) -> None:
        super().__init__()
        synthesis = configuration.synthesis
        w_dim = configuration.w_dim
        self.resolution = resolution
        self.in_channels = in_channels
        self.is_first = in_channels == 0
        self.is_last = is_last
        self.architecture = synthesis.architecture
        self.has_torgb = is_last or self.architecture == "skip"
        self.has_skip = not self.is_first and self.architecture == "resnet"
        if self.is_first:
            self.const = nn.Parameter(torch.randn(out_channels, resolution, resolution))
        self.register_buffer("resample_filter", normalised_filter(synthesis.resample_filter))
        if not self.is_first:
            self.conv0 = SynthesisLayer(
                in_channels, out_channels, w_dim=w_dim, resolution=resolution, up=2, configuration=synthesis
            )
        self.conv1 = SynthesisLayer(
            out_channels, out_channels, w_dim=w_dim, resolution=resolution, up=1, configuration=synthesis
        )
        if self.has_torgb:
            self.torgb = ToRGBLayer(
                out_channels, configuration.img_channels, w_dim=w_dim, conv_clamp=synthesis.conv_clamp
            )
        if self.has_skip:
            self.skip = ResidualBranch(in_channels, out_channels, resample_filter=synthesis.resample_filter)

    @property
    def first_index(self) -> int:
        """Position in ws of the block's first latent: 2 log2(r) - 5, and 0 in the first block."""
        return max(0, 2 * (self.resolution.bit_length() - 1) - 5)

    def layers(self) -> Iterator[tuple[int, str]]:
        """(position in ws, layer name) of every layer with a style."""
        first = self.first_index
        names = ["conv1"] if self.is_first else ["conv0", "conv1"]
        if self.has_torgb:
            names.append("torgb")
        for offset, name in enumerate(names):
            yield first + offset, name

    def forward(
        self, x: Tensor | None, image: Tensor | None, ws: Tensor, *, noise_mode: str
    ) -> tuple[Tensor, Tensor | None]:
        """Features and image so far, both (n, c, r/2, r/2) or None, and all of ws, to those at r."""
        first = self.first_index
        if self.is_first:
            const = self.const.expand(ws.shape[0], *self.const.shape)  # (n, o, 4, 4)
            x = self.conv1(const, ws[:, first], noise_mode=noise_mode)
            last_used = first
        else:
            assert x is not None
            branch = self.skip(x, gain=sqrt(0.5)) if self.has_skip else None
            x = self.conv0(x, ws[:, first], noise_mode=noise_mode)
            gain = 1.0 if branch is None else sqrt(0.5)
            x = self.conv1(x, ws[:, first + 1], noise_mode=noise_mode, gain=gain)
            if branch is not None:
                x = x + branch
            last_used = first + 1
        assert x is not None
        if image is not None:
            image = upsample(image, self.resample_filter)
        if self.has_torgb:
            colour = self.torgb(x, ws[:, last_used + 1])
            image = colour if image is None else image + colour
        return x, image


class SynthesisNetwork(nn.Module):
    """ws (n, num_ws, w_dim) to images (n, img_channels, r, r), about [-1, 1], not clamped.

    Attributes:
        w_dim, num_ws, img_resolution, img_channels: sizes.
        block_resolutions: 4, 8, ..., img_resolution; block r is the attribute `b{r}`.
    """

    def __init__(self, configuration: GeneratorConfiguration) -> None:
        super().__init__()
        self.w_dim = configuration.w_dim
        self.num_ws = configuration.num_ws
        self.img_resolution = configuration.img_resolution
        self.img_channels = configuration.img_channels
        self.block_resolutions = [4 * 2**k for k in range(len(configuration.synthesis.channels))]
        in_channels = 0
        for resolution, channels in zip(
            self.block_resolutions, configuration.synthesis.channels, strict=True
        ):
            block = SynthesisBlock(
                resolution=resolution,
                in_channels=in_channels,
                out_channels=channels,
                is_last=resolution == self.img_resolution,
                configuration=configuration,
            )
            self.add_module(f"b{resolution}", block)
            in_channels = channels

    def blocks(self) -> Iterator[tuple[str, SynthesisBlock]]:
        """(name, block) from 4x4 upwards."""
        for name, block in self.named_children():
            assert isinstance(block, SynthesisBlock)
            yield name, block

    def forward(self, ws: Tensor, *, noise_mode: str = "random", force_fp32: bool = True) -> Tensor:
        """Images of latents.

        Args:
            ws: (n, num_ws, w_dim).
            noise_mode: `random` (fresh, torch's global generator), `const` (stored maps), `none`.
            force_fp32: accepted because callers of this interface pass it; half precision is never used.

        Returns:
            (n, img_channels, r, r) in the precision of the parameters, differentiable in `ws`.

        Raises:
            ValueError: the shape of ws or the noise mode is wrong.
        """
        if ws.ndim != 3 or ws.shape[1:] != (self.num_ws, self.w_dim):
            raise ValueError(f"ws should have shape (n, {self.num_ws}, {self.w_dim}), got {tuple(ws.shape)}")
        if noise_mode not in NOISE_MODES:
            raise ValueError(f"noise_mode should be one of {', '.join(NOISE_MODES)}, got {noise_mode!r}")
        x: Tensor | None = None
        image: Tensor | None = None
        for _, block in self.blocks():
            ws = ws.to(block.conv1.weight.dtype)
            x, image = block(x, image, ws, noise_mode=noise_mode)
        assert image is not None
        return image
