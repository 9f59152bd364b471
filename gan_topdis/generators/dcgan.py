"""Generators without a mapping network, recognised by the shapes of their weights, whatever the names.

DCGAN: a chain of transposed convolutions with a batch norm in every gap. MLP: a chain of dense layers.
A state dict says nothing about strides and activations; what is assumed is written at each function.
"""

from __future__ import annotations

import itertools
import math
from collections.abc import Iterable, Mapping
from dataclasses import dataclass

import torch
from torch import Tensor, nn

from gan_topdis.generators.checkpoint_error import CheckpointError
from gan_topdis.generators.fingerprint import tensor_fingerprint
from gan_topdis.generators.protocol import Generator, LayerRow

MAX_ELEMENTS = 2**28
MAX_SIDE = 4096
SMALLEST_SIDE = 8
LEAKY_SLOPE = 0.2  # of the MLP's activations


@dataclass(frozen=True)
class Chain:
    """A recognised generator.

    Attributes:
        family: `dcgan` or `mlp`.
        layers: per weighted layer, its tensors by kind (`weight`, `bias`).
        norms: per gap of a DCGAN, the tensors of its batch norm; empty for an MLP.
        resolution: (height, width) in pixels.
        channels: of the image.
    """

    family: str
    layers: tuple[dict[str, str], ...]
    norms: tuple[dict[str, str], ...]
    resolution: tuple[int, int]
    channels: int


class SequentialGenerator(Generator):
    """A DCGAN or MLP generator: z is the latent, `num_ws` is 1, `map` repeats nothing.

    Args:
        network: (n, z_dim) to (n, channels, height, width); taken over, frozen, in evaluation mode.
        chain: what was recognised.
        name: what the user called it.
        load_mode: `safe` when it was read from a file without running anything.
        device: where it computes.
    """

    c_dim = 0
    num_ws = 1

    def __init__(
        self,
        network: nn.Sequential,
        chain: Chain,
        *,
        name: str,
        load_mode: str = "safe",
        device: torch.device,
    ) -> None:
        self.network = network.eval().requires_grad_(False).to(device)
        self.family = chain.family
        self.name = name
        self.load_mode = load_mode
        self.device = device
        self.resolution = chain.resolution
        self.channels = chain.channels
        first = self._first_weight()
        self.z_dim = self.w_dim = first.shape[0]
        self.fingerprint = tensor_fingerprint(network.state_dict())

    @property
    def has_mapping(self) -> bool:
        return False

    def _map(self, z: Tensor, c: Tensor | None) -> Tensor:
        return z.to(self.device, torch.float32).unsqueeze(1)  # (n, 1, z_dim)

    def _synthesize(self, ws: Tensor, noise_mode: str) -> Tensor:
        images: Tensor = self.network(ws[:, 0].to(self.device, torch.float32))
        return images

    def feature_layers(self) -> tuple[str, ...]:
        """`layer0`, `layer1`, ...: what each layer but the last gives, after its activation."""
        return tuple(
            name.replace("relu", "layer") for name, _ in self.network.named_children() if "relu" in name
        )

    def _layer_features(self, ws: Tensor, layer: str) -> Tensor:
        x = ws[:, 0].to(self.device, torch.float32)
        for name, module in self.network.named_children():
            x = module(x)
            if name == layer.replace("layer", "relu"):
                break
        return x if x.ndim == 4 else x[:, :, None, None]  # dense layers: maps of one pixel

    def truncation_centre(self) -> Tensor:
        """The mean of the input noise: 0, (z_dim,)."""
        return torch.zeros(self.z_dim, device=self.device)

    def layer_table(self) -> list[LayerRow]:
        kind = "conv" if self.family == "dcgan" else "dense"
        return [LayerRow(index=0, resolution=max(self.resolution), kind=kind, modules=("layer0",))]

    def style_weights(self) -> list[Tensor]:
        """The first layer's weight as one matrix (outputs, z_dim), for the single position of ws.

        Source: Shen and Zhou, SeFa, arXiv:2007.06600, section 3.1.
        """
        return [self._first_weight().t().contiguous()]

    def _first_weight(self) -> Tensor:
        """(z_dim, outputs)."""
        layer = self.network.get_submodule("layer0")
        assert isinstance(layer, nn.ConvTranspose2d | nn.Linear)
        weight = layer.weight.detach()
        return weight.flatten(1) if isinstance(layer, nn.ConvTranspose2d) else weight.t()


def recognise(shapes: Mapping[str, tuple[int, ...]]) -> Chain | None:
    """What generator the tensors are, or None.

    Args:
        shapes: of every tensor, by name; the part after the last dot says its kind.

    Raises:
        CheckpointError: a chain of layers was found, with kernels or an image size that the shapes alone do
            not explain.
    """
    groups: dict[str, dict[str, str]] = {}
    for name in shapes:
        prefix, _, kind = name.rpartition(".")
        groups.setdefault(prefix, {})[kind] = name
    norms = [group for group in groups.values() if "running_mean" in group]
    layers = [group for group in groups.values() if "running_mean" not in group]
    if len(layers) < 2 or any(set(layer) - {"weight", "bias"} or "weight" not in layer for layer in layers):
        return None
    weights = [shapes[layer["weight"]] for layer in layers]
    if any(not shape or 0 in shape for shape in weights):
        return None
    if all(len(shape) == 4 for shape in weights):
        return _dcgan(shapes, layers, norms)
    if all(len(shape) == 2 for shape in weights) and not norms:
        return _mlp(shapes, layers)
    return None


def _dcgan(
    shapes: Mapping[str, tuple[int, ...]], layers: list[dict[str, str]], norms: list[dict[str, str]]
) -> Chain | None:
    """Transposed convolutions: weights (in, out, k, k). Assumed: ReLU between, tanh at the end.

    The first takes a 1x1 image (stride 1, padding 0), every other doubles it (k 4, stride 2, padding 1).
    Source: Radford, Metz, Chintala, arXiv:1511.06434, section 3 and figure 1.
    """
    weights = [shapes[layer["weight"]] for layer in layers]
    if any(after[0] != before[1] for before, after in itertools.pairwise(weights)):
        return None
    if len(norms) != len(layers) - 1:
        return None
    for norm, weight in zip(norms, weights, strict=False):
        kinds = {"weight", "bias", "running_mean", "running_var"}
        if not kinds <= set(norm) <= kinds | {"num_batches_tracked"}:
            return None
        if any(shapes[norm[kind]] != (weight[1],) for kind in kinds):
            return None
    for layer, weight in zip(layers, weights, strict=True):
        if "bias" in layer and shapes[layer["bias"]] != (weight[1],):
            return None
    for index, (_, _, height, width) in enumerate(weights):
        if height != width or (index > 0 and height != 4):
            wanted = "4x4" if index else "square"
            raise CheckpointError(
                f"a DCGAN whose layer {index} has a {height}x{width} kernel, expected {wanted}: stride "
                "and padding do not follow from the tensors; wrap it with gan_topdis.generators.from_callable"
            )
    side = weights[0][2] * 2 ** (len(weights) - 1)
    if side > MAX_SIDE:
        raise CheckpointError(f"a DCGAN of {side} pixels, more than the limit of {MAX_SIDE}")
    return Chain("dcgan", tuple(layers), tuple(norms), (side, side), weights[-1][1])


def _mlp(shapes: Mapping[str, tuple[int, ...]], layers: list[dict[str, str]]) -> Chain | None:
    """Dense layers: weights (out, in). Assumed: LeakyReLU 0.2 between, tanh at the end, a square image.

    The last width is s^2 for a grey image of side s, or 3 s^2 for a colour one; no number is both.
    """
    weights = [shapes[layer["weight"]] for layer in layers]
    if any(after[1] != before[0] for before, after in itertools.pairwise(weights)):
        return None
    for layer, weight in zip(layers, weights, strict=True):
        if "bias" in layer and shapes[layer["bias"]] != (weight[0],):
            return None
    width = weights[-1][0]
    for channels in (1, 3):
        side = math.isqrt(width // channels)
        if channels * side * side == width and SMALLEST_SIDE <= side <= MAX_SIDE:
            return Chain("mlp", tuple(layers), (), (side, side), channels)
    return None


def build(chain: Chain, tensors: Mapping[str, Tensor]) -> nn.Sequential:
    """The network of a recognised chain with its tensors: z (n, z_dim) to images in [-1, 1].

    Args:
        chain: from `recognise`.
        tensors: float32, by the names in `chain`.
    """
    network = nn.Sequential()
    with torch.device("meta"):  # no memory, no random numbers
        if chain.family == "dcgan":
            network.add_module("image", nn.Unflatten(1, (-1, 1, 1)))
        last = len(chain.layers) - 1
        for index, layer in enumerate(chain.layers):
            weight, bias = tensors[layer["weight"]], "bias" in layer
            if chain.family == "dcgan":
                stride, padding = (1, 0) if index == 0 else (2, 1)
                network.add_module(
                    f"layer{index}",
                    nn.ConvTranspose2d(
                        weight.shape[0], weight.shape[1], weight.shape[2], stride, padding, bias=bias
                    ),
                )
                if index < last:
                    network.add_module(f"norm{index}", nn.BatchNorm2d(weight.shape[1]))
                    network.add_module(f"relu{index}", nn.ReLU())
            else:
                network.add_module(f"layer{index}", nn.Linear(weight.shape[1], weight.shape[0], bias=bias))
                if index < last:
                    network.add_module(f"relu{index}", nn.LeakyReLU(LEAKY_SLOPE))
        network.add_module("tanh", nn.Tanh())
        if chain.family == "mlp":
            network.add_module("image", nn.Unflatten(1, (chain.channels, *chain.resolution)))
    state = {
        f"{kind_of_layer}{index}.{kind}": tensors[name]
        for kind_of_layer, group in (("layer", chain.layers), ("norm", chain.norms))
        for index, names in enumerate(group)
        for kind, name in names.items()
        if kind != "num_batches_tracked"
    }
    for index in range(len(chain.norms)):  # how long it was trained: not used in evaluation
        state[f"norm{index}.num_batches_tracked"] = torch.zeros((), dtype=torch.long)
    network.load_state_dict(state, assign=True)
    return network.eval()


def describe_shapes(shapes: Mapping[str, tuple[int, ...]]) -> str:
    """The first tensors in words, for an error."""
    shown: Iterable[str] = (f"{name[:60]!a} {shape}" for name, shape in list(shapes.items())[:6])
    return ", ".join(shown) + (f", ... ({len(shapes)} tensors)" if len(shapes) > 6 else "")
