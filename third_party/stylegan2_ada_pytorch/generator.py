"""Mapping and synthesis as one module."""

from __future__ import annotations

from torch import Tensor, nn

from third_party.stylegan2_ada_pytorch.configuration import GeneratorConfiguration
from third_party.stylegan2_ada_pytorch.mapping import MappingNetwork
from third_party.stylegan2_ada_pytorch.synthesis import SynthesisNetwork


class Generator(nn.Module):
    """StyleGAN2-ADA generator with randomly initialised weights.

    Attributes:
        synthesis, mapping: the two networks.
        z_dim, c_dim, w_dim, num_ws, img_resolution, img_channels: sizes.
        configuration: what it was built from.
    """

    def __init__(self, configuration: GeneratorConfiguration) -> None:
        super().__init__()
        self.configuration = configuration
        self.z_dim = configuration.z_dim
        self.c_dim = configuration.c_dim
        self.w_dim = configuration.w_dim
        self.num_ws = configuration.num_ws
        self.img_resolution = configuration.img_resolution
        self.img_channels = configuration.img_channels
        self.synthesis = SynthesisNetwork(configuration)
        self.mapping = MappingNetwork(configuration)

    def forward(
        self,
        z: Tensor,
        c: Tensor | None = None,
        truncation_psi: float = 1.0,
        truncation_cutoff: int | None = None,
        *,
        noise_mode: str = "random",
        force_fp32: bool = True,
    ) -> Tensor:
        """Images (n, img_channels, r, r) of z (n, z_dim) and labels c (n, c_dim)."""
        ws = self.mapping(z, c, truncation_psi=truncation_psi, truncation_cutoff=truncation_cutoff)
        return self.synthesis(ws, noise_mode=noise_mode, force_fp32=force_fp32)
