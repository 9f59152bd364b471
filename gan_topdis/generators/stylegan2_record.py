"""From a saved record of a StyleGAN2-ADA generator to a network of our own.

The configuration comes from the attributes that each saved module carries, not from defaults, which differ
between repositories (`conv_clamp` is None in StyleGAN2-ADA and 256 in StyleGAN3's StyleGAN2). Names and
shapes of all tensors, and all gains, are then compared with what that configuration implies.
"""

from __future__ import annotations

import math
from collections.abc import Sequence

import torch

from gan_topdis.generators.checkpoint_error import CheckpointError
from gan_topdis.generators.persistent_record import (
    LOAD_WITH_CODE,
    PersistentRecord,
    describe,
    named_modules,
    named_tensors,
    refuse_unknown,
)
from gan_topdis.generators.safe_pickle import Value
from gan_topdis.generators.stylegan2_ada import (
    MAX_ELEMENTS,
    MAX_FEATURES,
    MAX_FILTER_TAPS,
    MAX_IMAGE_CHANNELS,
    MAX_RESOLUTION,
    StyleGAN2ADAGenerator,
    generator_from_tensors,
)
from gan_topdis.generators.torch_storage import StoredTensor
from third_party import stylegan2_ada_pytorch as stylegan2

_CLASS_NAMES = {
    stylegan2.Generator: "Generator",
    stylegan2.MappingNetwork: "MappingNetwork",
    stylegan2.SynthesisNetwork: "SynthesisNetwork",
    stylegan2.SynthesisBlock: "SynthesisBlock",
    stylegan2.SynthesisLayer: "SynthesisLayer",
    stylegan2.ToRGBLayer: "ToRGBLayer",
    stylegan2.ResidualBranch: "Conv2dLayer",
    stylegan2.FullyConnectedLayer: "FullyConnectedLayer",
}


def generator_from_record(
    root: PersistentRecord, *, name: str, device: torch.device
) -> StyleGAN2ADAGenerator:
    """The adapter of a saved generator.

    Raises:
        CheckpointError: it is of another family, or its attributes and tensors do not fit together.
    """
    modules = named_modules(root)
    _refuse_other_families(root, modules)
    refuse_unknown(root)
    tensors = named_tensors(modules)
    total = sum(tensor.size for tensor in tensors.values())
    if total > MAX_ELEMENTS:
        raise CheckpointError(f"the generator has {total} numbers, more than the limit of {MAX_ELEMENTS}")
    configuration = _Reading(modules, tensors).configuration()
    generator = generator_from_tensors(configuration, tensors, name=name, device=device)
    _check_modules(generator.network, modules)
    return generator


def _refuse_other_families(root: PersistentRecord, modules: dict[str, PersistentRecord]) -> None:
    if "synthesis.input" in modules:
        mapping = modules.get("mapping")
        embed = modules.get("mapping.embed")
        xl = "mapping.embed_proj" in modules or (embed is not None and embed.class_name == "Embedding")
        if mapping is not None:
            w_avg = mapping.own_tensors().get("w_avg")
            xl = xl or (w_avg is not None and len(w_avg.shape) == 2)
        family = "StyleGAN-XL" if xl else "StyleGAN3"
        raise CheckpointError(
            f"it is a {family} generator, which safe loading does not support yet; {LOAD_WITH_CODE}"
        )
    if "synthesis.b4" not in modules or "mapping" not in modules:
        children = ", ".join(ascii(child[:40]) for child in list(root.children())[:8]) or "none"
        raise CheckpointError(
            f"it is not a StyleGAN2-ADA generator: {describe(root)} with sub-modules {children}; "
            + LOAD_WITH_CODE
        )


class _Reading:
    """Configuration of a saved generator from its attributes and shapes."""

    def __init__(self, modules: dict[str, PersistentRecord], tensors: dict[str, StoredTensor]) -> None:
        self._modules = modules
        self._tensors = tensors

    def configuration(self) -> stylegan2.GeneratorConfiguration:
        resolution = self._integer("", "img_resolution", 4, MAX_RESOLUTION)
        if resolution & (resolution - 1):
            raise CheckpointError(f"img_resolution is {resolution}, not a power of two; {LOAD_WITH_CODE}")
        names = [f"synthesis.b{2**k}" for k in range(2, resolution.bit_length())]
        for path in names:
            self._module(path)
        w_dim = self._integer("", "w_dim", 1, MAX_FEATURES)
        num_ws = self._integer("", "num_ws", 1, 2 * len(names))
        if num_ws != 2 * len(names):
            raise CheckpointError(
                f"num_ws is {num_ws}; a generator of {resolution} pixels has {2 * len(names)}; "
                + LOAD_WITH_CODE
            )
        return stylegan2.GeneratorConfiguration(
            z_dim=self._integer("", "z_dim", 1, MAX_FEATURES),
            c_dim=self._integer("", "c_dim", 0, MAX_FEATURES),
            w_dim=w_dim,
            img_resolution=resolution,
            img_channels=self._integer("", "img_channels", 1, MAX_IMAGE_CHANNELS),
            mapping=self._mapping(),
            synthesis=self._synthesis(names),
        )

    def _mapping(self) -> stylegan2.MappingConfiguration:
        layers = [path for path in self._modules if path.startswith("mapping.fc")]
        num_layers = self._integer("mapping", "num_layers", 1, len(layers))
        beta = self._attribute("mapping", "w_avg_beta")
        if not (beta is None or (isinstance(beta, float | int) and 0 <= beta <= 1)):
            raise CheckpointError("mapping.w_avg_beta should be None or in 0 .. 1; copy the file again")
        embed = "mapping.embed" in self._modules
        return stylegan2.MappingConfiguration(
            num_layers=num_layers,
            embed_features=self._shape("mapping.embed.weight", 2)[0] if embed else None,
            layer_features=self._shape("mapping.fc0.weight", 2)[0] if num_layers > 1 else None,
            activation=self._text("mapping.fc0", "activation", tuple(stylegan2.ACTIVATIONS)),
            lr_multiplier=self._positive("mapping.fc0", "bias_gain"),
            w_avg_beta=None if beta is None or "mapping.w_avg" not in self._tensors else float(beta),
        )

    def _synthesis(self, blocks: list[str]) -> stylegan2.SynthesisConfiguration:
        use_noise = self._attribute("synthesis.b4.conv1", "use_noise")
        if type(use_noise) is not bool:
            raise CheckpointError("synthesis.b4.conv1.use_noise should be True or False; copy the file again")
        clamp = self._attribute("synthesis.b4.conv1", "conv_clamp")
        if clamp is not None:
            clamp = self._positive("synthesis.b4.conv1", "conv_clamp")
        return stylegan2.SynthesisConfiguration(
            channels=tuple(self._shape(f"{path}.conv1.weight", 4)[0] for path in blocks),
            architecture=self._text("synthesis.b4", "architecture", stylegan2.ARCHITECTURES),
            conv_clamp=clamp,
            use_noise=use_noise,
            activation=self._text("synthesis.b4.conv1", "activation", tuple(stylegan2.ACTIVATIONS)),
            resample_filter=self._filter("synthesis.b4.resample_filter"),
        )

    def _filter(self, key: str) -> tuple[float, ...] | tuple[tuple[float, ...], ...]:
        tensor = self._tensors.get(key)
        if tensor is None or len(tensor.shape) not in (1, 2) or not 0 < max(tensor.shape) <= MAX_FILTER_TAPS:
            raise CheckpointError(
                f"{key} should be a filter of at most {MAX_FILTER_TAPS} taps; {LOAD_WITH_CODE}"
            )
        if len(tensor.shape) == 2 and tensor.shape[0] != tensor.shape[1]:
            raise CheckpointError(f"{key} should be square, got {tensor.shape}; {LOAD_WITH_CODE}")
        taps = tensor.float32().tolist()
        total = sum(map(sum, taps)) if len(tensor.shape) == 2 else sum(taps)
        if not math.isfinite(total) or total == 0:
            raise CheckpointError(f"{key} should have a finite sum other than 0; copy the file again")
        return tuple(tuple(row) for row in taps) if len(tensor.shape) == 2 else tuple(taps)

    def _module(self, path: str) -> PersistentRecord:
        if path not in self._modules:
            raise CheckpointError(f"module {path} is missing; {LOAD_WITH_CODE}")
        return self._modules[path]

    def _attribute(self, path: str, name: str) -> Value:
        state = self._module(path).state
        if name not in state:
            raise CheckpointError(f"module {path or 'G'} has no attribute {name}; {LOAD_WITH_CODE}")
        return state[name]

    def _integer(self, path: str, name: str, low: int, high: int) -> int:
        value = self._attribute(path, name)
        if not isinstance(value, int) or type(value) is bool or not low <= value <= high:
            shown = value if type(value) is int else type(value).__name__
            raise CheckpointError(
                f"{path or 'G'}: {name} should be in {low} .. {high}, got {shown}; {LOAD_WITH_CODE}"
            )
        return value

    def _positive(self, path: str, name: str) -> float:
        value = self._attribute(path, name)
        if not isinstance(value, float | int) or not 0 < value < math.inf:
            raise CheckpointError(f"{path}.{name} should be a positive number; {LOAD_WITH_CODE}")
        return float(value)

    def _text(self, path: str, name: str, known: Sequence[str]) -> str:
        value = self._attribute(path, name)
        if not isinstance(value, str) or value not in known:
            shown = ascii(value[:40]) if isinstance(value, str) else f"a {type(value).__name__}"
            raise CheckpointError(
                f"{path}.{name} should be one of {', '.join(known)}, got {shown}; {LOAD_WITH_CODE}"
            )
        return value

    def _shape(self, key: str, dimensions: int) -> tuple[int, ...]:
        tensor = self._tensors.get(key)
        if tensor is None or len(tensor.shape) != dimensions or not 0 < max(tensor.shape) <= MAX_FEATURES:
            found = "missing" if tensor is None else f"of shape {tensor.shape}"
            raise CheckpointError(f"tensor {key} is {found}, expected {dimensions} sizes; {LOAD_WITH_CODE}")
        if min(tensor.shape) < 1:
            raise CheckpointError(f"tensor {key} is empty; copy or download the file again")
        return tensor.shape


def _check_modules(network: stylegan2.Generator, modules: dict[str, PersistentRecord]) -> None:
    """The attributes of every saved module say what our module of that name does."""
    ours = dict(network.named_modules())
    extra = [path for path in modules if path not in ours]
    if extra:
        raise CheckpointError(f"module {extra[0][:120]!a} is not part of StyleGAN2-ADA; {LOAD_WITH_CODE}")
    for path, module in ours.items():
        record = modules.get(path)
        if record is None:
            raise CheckpointError(f"module {path} is missing; {LOAD_WITH_CODE}")
        class_name = _CLASS_NAMES[type(module)]
        if record.class_name != class_name:
            raise CheckpointError(
                f"module {path or 'G'} should be a {class_name}, got {describe(record)}; {LOAD_WITH_CODE}"
            )
        for name, wanted in _expected_attributes(module).items():
            if name not in record.state:
                raise CheckpointError(f"module {path or 'G'} has no attribute {name}; {LOAD_WITH_CODE}")
            found = record.state[name]
            if not _agree(found, wanted):
                shown = found if isinstance(found, float | int | None) else describe(found)
                raise CheckpointError(
                    f"{path or 'G'}: {name} should be {wanted}, got {shown}; {LOAD_WITH_CODE}"
                )


def _expected_attributes(module: torch.nn.Module) -> dict[str, float | str | None]:
    """Saved attributes that change the pictures, with the values our module computes with."""
    if isinstance(module, stylegan2.MappingNetwork):
        return {name: getattr(module, name) for name in ("z_dim", "c_dim", "w_dim", "num_ws", "num_layers")}
    if isinstance(module, stylegan2.SynthesisNetwork):
        return {name: getattr(module, name) for name in ("w_dim", "num_ws", "img_resolution", "img_channels")}
    if isinstance(module, stylegan2.SynthesisBlock):
        return {
            name: getattr(module, name) for name in ("resolution", "in_channels", "is_last", "architecture")
        }
    if isinstance(module, stylegan2.SynthesisLayer):
        names = ("resolution", "up", "use_noise", "activation", "conv_clamp", "act_gain")
        return {name: getattr(module, name) for name in names} | {"padding": 1}
    if isinstance(module, stylegan2.ToRGBLayer):
        return {"conv_clamp": module.conv_clamp, "weight_gain": module.weight_gain}
    if isinstance(module, stylegan2.ResidualBranch):
        resampling: dict[str, float | str | None] = {"up": 2, "down": 1, "weight_gain": module.weight_gain}
        return resampling | {"activation": "linear", "act_gain": 1.0, "conv_clamp": None}
    if isinstance(module, stylegan2.FullyConnectedLayer):
        return {name: getattr(module, name) for name in ("activation", "weight_gain", "bias_gain")}
    return {}


def _agree(found: Value, wanted: float | str | None) -> bool:
    if wanted is None or isinstance(wanted, str | bool):
        return type(found) is type(wanted) and found == wanted
    # gains pass through float32 or float64 arithmetic of other authors
    return isinstance(found, float | int) and math.isclose(found, wanted, rel_tol=1e-6)
