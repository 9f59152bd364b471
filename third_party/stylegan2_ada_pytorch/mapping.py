"""The mapping network: input noise and label to the intermediate latent w."""

from __future__ import annotations

import torch
from torch import Tensor, nn

from third_party.stylegan2_ada_pytorch.configuration import GeneratorConfiguration
from third_party.stylegan2_ada_pytorch.fully_connected import FullyConnectedLayer


def unit_second_moment(x: Tensor) -> Tensor:
    """Rows of (n, d) divided by the root of their mean square (arXiv:1710.10196, section 4.2)."""
    return x * torch.rsqrt(x.square().mean(dim=1, keepdim=True) + 1e-8)


class MappingNetwork(nn.Module):
    """z (n, z_dim) and label (n, c_dim) to ws (n, num_ws, w_dim), with truncation.

    Attributes:
        z_dim, c_dim, w_dim, num_ws, num_layers, w_avg_beta: from the configuration.
        w_avg: (w_dim,), running mean of w; absent when w_avg_beta is None.

    Source: arXiv:1812.04948, section 2 and appendix B (truncation); arXiv:2006.06676, appendix D
        (label embedding).
    """

    w_avg: Tensor

    def __init__(self, configuration: GeneratorConfiguration) -> None:
        super().__init__()
        mapping = configuration.mapping
        self.z_dim = configuration.z_dim
        self.c_dim = configuration.c_dim
        self.w_dim = configuration.w_dim
        self.num_ws = configuration.num_ws
        self.num_layers = mapping.num_layers
        self.w_avg_beta = mapping.w_avg_beta
        embedded = mapping.embed_features or self.w_dim
        hidden = mapping.layer_features or self.w_dim
        if self.c_dim > 0:
            self.embed = FullyConnectedLayer(self.c_dim, embedded)
        widths = [self.z_dim + (embedded if self.c_dim > 0 else 0)]
        widths += [hidden] * (self.num_layers - 1) + [self.w_dim]
        for index in range(self.num_layers):
            layer = FullyConnectedLayer(
                widths[index],
                widths[index + 1],
                activation=mapping.activation,
                lr_multiplier=mapping.lr_multiplier,
            )
            self.add_module(f"fc{index}", layer)
        if self.w_avg_beta is not None:
            self.register_buffer("w_avg", torch.zeros(self.w_dim))

    def forward(
        self,
        z: Tensor,
        c: Tensor | None = None,
        truncation_psi: float = 1.0,
        truncation_cutoff: int | None = None,
        skip_w_avg_update: bool = False,
    ) -> Tensor:
        """Latents for every layer.

        Args:
            z: (n, z_dim).
            c: labels (n, c_dim); ignored when c_dim is 0.
            truncation_psi: ws = w_avg + psi (ws - w_avg); 1 leaves them alone.
            truncation_cutoff: only positions below it are truncated; None: all.
            skip_w_avg_update: in training mode, leave `w_avg` as it is.

        Returns:
            (n, num_ws, w_dim), a new tensor in the precision of the parameters.

        Raises:
            ValueError: a shape is wrong, a label is missing, or the network keeps no w_avg to truncate to.
        """
        if z.ndim != 2 or z.shape[1] != self.z_dim:
            raise ValueError(f"z should have shape (n, {self.z_dim}), got {tuple(z.shape)}")
        first = self.get_submodule("fc0")
        assert isinstance(first, FullyConnectedLayer)
        x = unit_second_moment(z.to(first.weight.dtype))  # (n, z_dim)
        if self.c_dim > 0:
            if c is None or c.shape != (z.shape[0], self.c_dim):
                got = None if c is None else tuple(c.shape)
                raise ValueError(f"c should have shape ({z.shape[0]}, {self.c_dim}), got {got}")
            embedded = unit_second_moment(self.embed(c.to(first.weight.dtype)))  # (n, e)
            x = torch.cat([x, embedded], dim=1)
        for index in range(self.num_layers):
            x = self.get_submodule(f"fc{index}")(x)
        if self.training and self.w_avg_beta is not None and not skip_w_avg_update:
            with torch.no_grad():
                self.w_avg.lerp_(x.mean(dim=0).to(self.w_avg.dtype), 1.0 - self.w_avg_beta)
        ws = x.unsqueeze(1).repeat(1, self.num_ws, 1)  # (n, num_ws, w_dim)
        if truncation_psi == 1:
            return ws
        if self.w_avg_beta is None:
            raise ValueError("this network keeps no w_avg, so truncation_psi should be 1")
        cutoff = self.num_ws if truncation_cutoff is None else truncation_cutoff
        head = self.w_avg + truncation_psi * (ws[:, :cutoff] - self.w_avg)
        return torch.cat([head, ws[:, cutoff:]], dim=1)
