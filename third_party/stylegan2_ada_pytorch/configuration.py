"""Every size and switch of the generator; nothing is guessed from a file name or a default elsewhere."""

from __future__ import annotations

from dataclasses import dataclass, field

from third_party.stylegan2_ada_pytorch.activations import ACTIVATIONS

ARCHITECTURES = ("skip", "resnet", "orig")

# taps of the low-pass filter: one row (separable), or a square matrix
FilterTaps = tuple[float, ...] | tuple[tuple[float, ...], ...]


def channels_by_resolution(
    img_resolution: int, *, channel_base: int = 32768, channel_max: int = 512
) -> tuple[int, ...]:
    """Feature maps at 4, 8, ..., `img_resolution`: min(channel_base / r, channel_max).

    Source: arXiv:1912.04958, configuration F (32768, 512); the smaller networks of arXiv:2006.06676
        use 16384.
    """
    resolutions = [2**k for k in range(2, img_resolution.bit_length())]
    return tuple(min(channel_base // resolution, channel_max) for resolution in resolutions)


@dataclass(frozen=True)
class MappingConfiguration:
    """The mapping network.

    Attributes:
        num_layers: fully connected layers, at least 1.
        embed_features: width of the label embedding; None: w_dim.
        layer_features: width of the layers between the first and the last; None: w_dim.
        activation: name in `ACTIVATIONS`.
        lr_multiplier: learning rate relative to the other layers (0.01 in arXiv:1812.04948).
        w_avg_beta: decay of the running mean of w in training; None: no mean is kept, and
            truncation is impossible.
    """

    num_layers: int = 8
    embed_features: int | None = None
    layer_features: int | None = None
    activation: str = "lrelu"
    lr_multiplier: float = 0.01
    w_avg_beta: float | None = 0.995

    def __post_init__(self) -> None:
        if self.num_layers < 1:
            raise ValueError(f"num_layers should be at least 1, got {self.num_layers}")
        if not self.lr_multiplier > 0:
            raise ValueError(f"lr_multiplier should be positive, got {self.lr_multiplier}")
        _check_activation(self.activation)


@dataclass(frozen=True)
class SynthesisConfiguration:
    """The synthesis network.

    Attributes:
        channels: feature maps at 4, 8, ..., img_resolution.
        architecture: `skip` (sum of upsampled images), `resnet` (residual blocks), `orig` (neither).
        conv_clamp: features are clamped to +-conv_clamp after each activation; None: not at all.
        use_noise: whether every convolution adds noise.
        activation: name in `ACTIVATIONS`.
        resample_filter: taps of the low-pass filter of every upsampling, normalised by the network.
    """

    channels: tuple[int, ...]
    architecture: str = "skip"
    conv_clamp: float | None = None
    use_noise: bool = True
    activation: str = "lrelu"
    resample_filter: FilterTaps = (1.0, 3.0, 3.0, 1.0)

    def __post_init__(self) -> None:
        if self.architecture not in ARCHITECTURES:
            raise ValueError(
                f"architecture should be one of {', '.join(ARCHITECTURES)}, got {self.architecture!r}"
            )
        if self.conv_clamp is not None and not self.conv_clamp >= 0:
            raise ValueError(f"conv_clamp should be None or at least 0, got {self.conv_clamp}")
        _check_activation(self.activation)


@dataclass(frozen=True)
class GeneratorConfiguration:
    """A whole generator.

    Attributes:
        z_dim: length of the input noise.
        c_dim: length of the label; 0: unconditional.
        w_dim: length of an intermediate latent.
        img_resolution: height and width in pixels, a power of two from 4.
        img_channels: 1 grey, 3 RGB, 4 RGBA, or any other number.
        synthesis, mapping: the two networks.
    """

    z_dim: int
    c_dim: int
    w_dim: int
    img_resolution: int
    img_channels: int
    synthesis: SynthesisConfiguration
    mapping: MappingConfiguration = field(default_factory=MappingConfiguration)

    def __post_init__(self) -> None:
        r = self.img_resolution
        if r < 4 or r & (r - 1):
            raise ValueError(f"img_resolution should be a power of two from 4, got {r}")
        if min(self.z_dim, self.w_dim, self.img_channels) < 1 or self.c_dim < 0:
            raise ValueError("z_dim, w_dim and img_channels should be positive and c_dim at least 0")
        blocks = r.bit_length() - 2
        if len(self.synthesis.channels) != blocks or min(self.synthesis.channels) < 1:
            raise ValueError(
                f"synthesis.channels should hold {blocks} positive numbers for {r} pixels, "
                f"got {self.synthesis.channels}"
            )

    @property
    def num_ws(self) -> int:
        """Latents that synthesis takes: two per resolution (arXiv:1812.04948, section 2)."""
        return 2 * len(self.synthesis.channels)


def _check_activation(name: str) -> None:
    if name not in ACTIVATIONS:
        raise ValueError(f"activation should be one of {', '.join(ACTIVATIONS)}, got {name!r}")
