"""A renderer behind a mixing, as a generator."""

from __future__ import annotations

import torch
from jaxtyping import Float
from torch import Tensor

from gan_topdis.generators.analytic.drawing import SIZE, Scene
from gan_topdis.generators.analytic.mixing import Mixing
from gan_topdis.generators.fingerprint import tensor_fingerprint
from gan_topdis.generators.protocol import Generator, KnownFactors, LayerRow


class AnalyticGenerator(Generator):
    """Pictures of 32 x 32 pixels by a formula of known factors.

    Args:
        scene: renderer and names of factors.
        mixing: from z to w to factors, made for as many factors.
        name: what reports call it.
        device: of the mixing.
    """

    family = "analytic"
    load_mode = "builtin"
    c_dim = 0
    num_ws = 1
    channels = 3
    resolution = (SIZE, SIZE)

    def __init__(self, scene: Scene, mixing: Mixing, *, name: str, device: torch.device) -> None:
        self.name = name
        self.device = device
        self.scene = scene
        self.mixing = mixing
        self.z_dim = self.w_dim = mixing.axes.shape[1]
        self.known_factors = KnownFactors(scene.factors, mixing.axes)
        probes = torch.linspace(-1.5, 1.5, 3 * self.w_dim, device=device).reshape(3, self.w_dim)
        with torch.no_grad():
            pictures = self._synthesize(self._map(probes, None), "const").round(decimals=3)
        self.fingerprint = tensor_fingerprint(
            {"axes": torch.from_numpy(mixing.axes).round(decimals=6), "probes": pictures}
        )

    @property
    def has_mapping(self) -> bool:
        return self.mixing.has_mapping

    def factors(self, ws: Float[Tensor, "n 1 d"]) -> Float[Tensor, "n k"]:
        """True factors of latents, each uniform in [0, 1] over latents of standard normal z."""
        return torch.special.ndtr(self.mixing.coordinates(ws[:, 0].float()))

    def _map(self, z: Tensor, c: Tensor | None) -> Tensor:
        return self.mixing.w(z.float())[:, None]

    def _synthesize(self, ws: Tensor, noise_mode: str) -> Tensor:
        return self.scene.render(self.factors(ws))

    def truncation_centre(self) -> Tensor:
        return self.mixing.centre()

    def layer_table(self) -> list[LayerRow]:
        return [LayerRow(0, SIZE, "all", (self.name,))]
