"""The adapter around a StyleGAN2-ADA network of our own, and the network from a configuration and tensors."""

from __future__ import annotations

import torch
from torch import Tensor

from gan_topdis.generators.checkpoint_error import CheckpointError
from gan_topdis.generators.fingerprint import tensor_fingerprint
from gan_topdis.generators.persistent_record import LOAD_WITH_CODE
from gan_topdis.generators.protocol import Generator, LayerRow
from gan_topdis.generators.torch_storage import StoredTensor
from third_party import stylegan2_ada_pytorch as stylegan2

# Upper limits, all well above published networks (1024 pixels, 512 channels, 30 million parameters).
MAX_RESOLUTION = 4096
MAX_FEATURES = 65_536
MAX_IMAGE_CHANNELS = 256
MAX_ELEMENTS = 2**28
MAX_FILTER_TAPS = 64


class StyleGAN2ADAGenerator(Generator):
    """A StyleGAN2(-ADA) generator in float32, frozen, in evaluation mode.

    Args:
        network: taken over: it is frozen and moved to `device`.
        name: what the user called it.
        load_mode: `safe` when it was read from a file without running anything.
        device: where it computes.
    """

    family = "stylegan2-ada"

    def __init__(
        self, network: stylegan2.Generator, *, name: str, load_mode: str = "safe", device: torch.device
    ) -> None:
        self.network = network.eval().requires_grad_(False).to(device)
        self.name = name
        self.load_mode = load_mode
        self.device = device
        self.z_dim = network.z_dim
        self.c_dim = network.c_dim
        self.w_dim = network.w_dim
        self.num_ws = network.num_ws
        self.resolution = (network.img_resolution, network.img_resolution)
        self.channels = network.img_channels
        self.reads_noise = network.configuration.synthesis.use_noise
        self.fingerprint = tensor_fingerprint(network.state_dict())

    @property
    def has_mapping(self) -> bool:
        return True

    def _map(self, z: Tensor, c: Tensor | None) -> Tensor:
        ws: Tensor = self.network.mapping(z.to(self.device), None if c is None else c.to(self.device))
        return ws

    def _synthesize(self, ws: Tensor, noise_mode: str) -> Tensor:
        images: Tensor = self.network.synthesis(ws.to(self.device), noise_mode=noise_mode)
        return images

    def feature_layers(self) -> tuple[str, ...]:
        """`b4`, `b8`, ...: feature maps (not the picture so far) at the end of each block."""
        return tuple(name for name, _ in self.network.synthesis.blocks())

    def _layer_features(self, ws: Tensor, layer: str) -> Tensor:
        x = image = None
        for name, block in self.network.synthesis.blocks():
            x, image = block(x, image, ws.to(self.device, torch.float32), noise_mode="const")
            if name == layer:
                return x
        raise AssertionError(layer)  # layer_features has checked it

    def truncation_centre(self) -> Tensor:
        """`w_avg`, the running mean of w from training, (w_dim,); the same for all classes.

        Raises:
            ValueError: the network was trained without one.
        """
        if self.network.mapping.w_avg_beta is None:
            raise ValueError(f"{self.name} keeps no mean latent, so truncation_psi should be 1")
        return self.network.mapping.w_avg

    def layer_table(self) -> list[LayerRow]:
        """One row per position of ws; a colour layer and the next block's first convolution share one."""
        fed: list[list[str]] = [[] for _ in range(self.num_ws)]
        for block_name, block in self.network.synthesis.blocks():
            for index, layer in block.layers():
                fed[index].append(f"{block_name}.{layer}")
        return [
            LayerRow(
                index=index,
                resolution=4 * 2 ** (index // 2),
                kind="conv" if any("conv" in module for module in modules) else "rgb",
                modules=tuple(modules),
            )
            for index, modules in enumerate(fed)
        ]

    def style_weights(self) -> list[Tensor]:
        """Per position of ws, the stacked style matrices (C, w_dim) of the layers it feeds, gains included.

        Source: Shen and Zhou, SeFa, arXiv:2007.06600, section 3.2.
        """
        stacks: list[list[Tensor]] = [[] for _ in range(self.num_ws)]
        for _, block in self.network.synthesis.blocks():
            for index, layer in block.layers():
                affine = block.get_submodule(f"{layer}.affine")
                assert isinstance(affine, stylegan2.FullyConnectedLayer)
                stacks[index].append(affine.weight.detach() * affine.weight_gain)
        return [torch.cat(stack) for stack in stacks]


def generator_from_tensors(
    configuration: stylegan2.GeneratorConfiguration,
    tensors: dict[str, StoredTensor],
    *,
    name: str,
    device: torch.device,
) -> StyleGAN2ADAGenerator:
    """The adapter of a configuration and the tensors that belong to it.

    Raises:
        CheckpointError: names or shapes are not what the configuration implies, or a number is not finite.
    """
    with torch.device("meta"):  # names and shapes only: no memory, no random numbers
        network = stylegan2.Generator(configuration)
    _check_shapes(network, tensors)
    state = {key: tensors[key].float32() for key in network.state_dict()}
    for key, values in state.items():
        if not torch.isfinite(values).all():
            raise CheckpointError(
                f"{key} holds NaN or infinity: the training diverged; take an earlier snapshot"
            )
    network.load_state_dict(state, assign=True)
    return StyleGAN2ADAGenerator(network, name=name, device=device)


def _check_shapes(network: stylegan2.Generator, tensors: dict[str, StoredTensor]) -> None:
    """All tensors have the names and shapes that the configuration implies."""
    expected = {key: tuple(tensor.shape) for key, tensor in network.state_dict().items()}
    missing = [key for key in expected if key not in tensors]
    unexpected = [key for key in tensors if key not in expected]
    if missing or unexpected:
        words = [f"{len(missing)} missing ({missing[0]})"] if missing else []
        words += [f"{len(unexpected)} unexpected ({unexpected[0][:120]!a})"] if unexpected else []
        raise CheckpointError(
            f"the tensors are not those of StyleGAN2-ADA: {', '.join(words)}; {LOAD_WITH_CODE}"
        )
    for key, shape in expected.items():
        if tensors[key].shape != shape:
            raise CheckpointError(
                f"tensor {key} should have shape {shape}, got {tensors[key].shape}; {LOAD_WITH_CODE}"
            )
