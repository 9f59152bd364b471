"""Writes StyleGAN2 snapshots opcode by opcode, sound or deliberately broken, for tests of the reader.

The container is that of the project's format note (sections 1-5, 7) and of the fixtures in
tests/fixtures/stylegan2_ada; no StyleGAN code is imported. Because every opcode is emitted by
hand, the same writer makes files that pickle.dump refuses to make: a `Raw` node puts any
opcodes at any place, a `SavedTensor` may lie about its storage, modules may contain themselves.

    tensors = random_tensors(configuration, seed=0)
    network = generator_module(configuration, tensors)
    network.find("synthesis.b8").attributes["resolution"] = 2**20        # break something
    path.write_bytes(snapshot(network, TORCH_1_7))
"""

from __future__ import annotations

import struct
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np
from stylegan2_oracle import StyleGAN2Configuration

FILTER = (1, 3, 3, 1)
FRAME_BREAK = 64 * 1024  # CPython writes longer byte strings outside of frames


@dataclass(frozen=True)
class Layout:
    """What depends on the versions of Python, torch and numpy that wrote the file."""

    protocol: int
    ordered: bool
    numpy_module: str
    more_hooks: bool


TORCH_1_7 = Layout(protocol=3, ordered=True, numpy_module="numpy.core.multiarray", more_hooks=False)
TORCH_2_13 = Layout(protocol=4, ordered=False, numpy_module="numpy._core.multiarray", more_hooks=True)
MIXED = Layout(protocol=4, ordered=True, numpy_module="numpy.core.multiarray", more_hooks=False)


@dataclass(frozen=True)
class Global:
    module: str
    name: str


@dataclass(frozen=True)
class Call:
    """REDUCE of a global."""

    function: Any
    arguments: tuple[Any, ...]


@dataclass(frozen=True)
class Raw:
    """Opcodes written as they are; together they should push one object. They may not memoise."""

    opcodes: bytes


@dataclass(frozen=True)
class EasyDict:
    items: dict[str, Any]


@dataclass(frozen=True)
class NumpyFloat:
    value: float


@dataclass(frozen=True)
class Container:
    """Parameters, buffers, modules or hooks: OrderedDict or dict, by layout."""

    items: dict[str, Any]
    always_ordered: bool = False


@dataclass
class SavedTensor:
    """A tensor and the lies it may tell; None means the truth."""

    array: np.ndarray
    parameter: bool = True
    channels_last: bool = False
    offset: Any = 0
    size: Any = None
    stride: Any = None
    storage: bytes | None = None
    storage_type: str = "FloatStorage"


@dataclass
class Module:
    """A persistent object."""

    class_name: str
    parameters: dict[str, Any] = field(default_factory=dict)
    buffers: dict[str, Any] = field(default_factory=dict)
    modules: dict[str, Any] = field(default_factory=dict)
    attributes: dict[str, Any] = field(default_factory=dict)
    init_args: Any = ()
    init_kwargs: Any = field(default_factory=dict)
    module_src: str = ""
    version: Any = 6
    type: Any = "class"

    def find(self, path: str) -> Module:
        """The module at a dotted path."""
        module = self
        for name in path.split("."):
            module = module.modules[name]
        return module

    def set_tensor(self, path: str, value: Any) -> None:
        """Replace the parameter or buffer at a dotted path."""
        module, _, name = path.rpartition(".")
        owner = self.find(module)
        (owner.parameters if name in owner.parameters else owner.buffers)[name] = value

    def drop_tensor(self, path: str) -> None:
        module, _, name = path.rpartition(".")
        owner = self.find(module)
        del (owner.parameters if name in owner.parameters else owner.buffers)[name]

    def tensor(self, path: str) -> SavedTensor:
        module, _, name = path.rpartition(".")
        owner = self.find(module)
        return (owner.parameters | owner.buffers)[name]


# --- a snapshot -----------------------------------------------------------------------------


def snapshot(
    g_ema: Any, layout: Layout = TORCH_1_7, *, g: Any = None, d: Any = None, augment_pipe: Any = None
) -> bytes:
    """The training snapshot of a network; G and D default to tiny networks that nobody should use."""
    return document(
        {
            "training_set_kwargs": {"class_name": "training.dataset.ImageFolderDataset", "max_size": 10},
            "G": tiny_module("Generator") if g is None else g,
            "D": tiny_module("Discriminator") if d is None else d,
            "G_ema": g_ema,
            "augment_pipe": augment_pipe,
        },
        layout,
    )


def document(value: Any, layout: Layout = TORCH_1_7) -> bytes:
    """A whole pickle of one value."""
    writer = PickleWriter(layout)
    writer.write(value)
    return writer.finish()


def tiny_module(class_name: str) -> Module:
    """A module with one small layer."""
    layer = Module(
        "FullyConnectedLayer",
        parameters={"weight": SavedTensor(np.ones((1, 2))), "bias": SavedTensor(np.zeros(1))},
        attributes={"activation": "linear", "weight_gain": NumpyFloat(0.5), "bias_gain": 1},
        init_args=(2, 1),
    )
    return Module(class_name, modules={"out": layer}, attributes={"img_resolution": 4})


# --- a random network -----------------------------------------------------------------------


def channels_at(resolution: int) -> int:
    """min(channel_base / r, channel_max) with a base of 128 and a maximum of 12."""
    return min(128 // resolution, 12)


def random_tensors(
    configuration: StyleGAN2Configuration,
    seed: int,
    *,
    use_noise: bool = True,
    resample_filter: Sequence[float] = FILTER,
    layer_features: int | None = None,
    embed_features: int | None = None,
) -> dict[str, np.ndarray]:
    """Names to float32 arrays of a network that looks trained: nothing is zero, one or shared."""
    rng = np.random.default_rng(seed)
    tensors: dict[str, np.ndarray] = {}
    w_dim = configuration.w_dim

    def normal(name: str, *shape: int, std: float = 1.0, mean: float = 0.0) -> None:
        tensors[name] = (mean + std * rng.standard_normal(shape)).astype(np.float32)

    def filter_(name: str, taps: Sequence[float]) -> None:
        f = np.outer(taps, taps)
        tensors[name] = (f / f.sum()).astype(np.float32)

    def affine(name: str, rows: int) -> None:
        normal(f"{name}.affine.weight", rows, w_dim, std=0.7)
        normal(f"{name}.affine.bias", rows, mean=1.0, std=0.3)

    def convolution(name: str, ins: int, outs: int, resolution: int, taps: Sequence[float]) -> None:
        normal(f"{name}.weight", outs, ins, 3, 3)
        if use_noise:
            tensors[f"{name}.noise_strength"] = np.float32(rng.uniform(0.2, 0.5))
        normal(f"{name}.bias", outs, std=0.3)
        filter_(f"{name}.resample_filter", taps)
        if use_noise:
            normal(f"{name}.noise_const", resolution, resolution)
        affine(name, ins)

    for resolution in configuration.block_resolutions:
        block, outs = f"synthesis.b{resolution}", channels_at(resolution)
        ins = channels_at(resolution // 2)
        if resolution == 4:
            normal(f"{block}.const", outs, 4, 4)
        filter_(f"{block}.resample_filter", resample_filter)
        if resolution > 4:
            convolution(f"{block}.conv0", ins, outs, resolution, resample_filter)
        convolution(f"{block}.conv1", outs, outs, resolution, FILTER)
        if configuration.architecture == "skip" or resolution == configuration.img_resolution:
            normal(f"{block}.torgb.weight", configuration.img_channels, outs, 1, 1)
            normal(f"{block}.torgb.bias", configuration.img_channels, std=0.3)
            affine(f"{block}.torgb", outs)
        if configuration.architecture == "resnet" and resolution > 4:
            normal(f"{block}.skip.weight", outs, ins, 1, 1)
            filter_(f"{block}.skip.resample_filter", resample_filter)
    normal("mapping.w_avg", w_dim, std=0.3)
    embedding = 0
    if configuration.c_dim:
        embedding = embed_features or w_dim
        normal("mapping.embed.weight", embedding, configuration.c_dim)
        normal("mapping.embed.bias", embedding, std=0.3)
    hidden = layer_features or w_dim
    last = configuration.mapping_layers - 1
    for layer in range(configuration.mapping_layers):
        columns = configuration.z_dim + embedding if layer == 0 else hidden
        rows = w_dim if layer == last else hidden
        normal(f"mapping.fc{layer}.weight", rows, columns, std=1 / configuration.lr_multiplier)
        normal(f"mapping.fc{layer}.bias", rows, std=0.3 / configuration.lr_multiplier)
    return tensors


def generator_module(
    configuration: StyleGAN2Configuration,
    tensors: Mapping[str, np.ndarray],
    *,
    sg3_flavour: bool = False,
    num_fp16_res: int = 0,
    channels_last: bool = False,
    resample_filter: Sequence[float] = FILTER,
    module_src: str = "",
) -> Module:
    """The tree of persistent objects of a network.

    Args:
        sg3_flavour: as the StyleGAN3 repository writes StyleGAN2: synthesis options are keywords of
            the generator, defaults (clamp 256, 4 half-precision resolutions) are not stored there.
        num_fp16_res: number of highest resolutions marked for half precision.
        channels_last: store 4-D weights of those blocks channels last.
    """
    fp16_from = max(2 ** (len(configuration.block_resolutions) + 2 - num_fp16_res), 8)
    clamp, architecture = configuration.conv_clamp, configuration.architecture

    def saved(path: str, names: Sequence[str], parameter: bool, last: bool = False) -> dict[str, SavedTensor]:
        present = {name: tensors[f"{path}.{name}"] for name in names if f"{path}.{name}" in tensors}
        return {
            name: SavedTensor(array, parameter, channels_last=last and array.ndim == 4)
            for name, array in present.items()
        }

    def dense(path: str, activation: str = "linear", lr: float = 1) -> Module:
        rows, columns = tensors[f"{path}.weight"].shape
        more = {"in_features": columns, "out_features": rows} if sg3_flavour else {}
        return Module(
            "FullyConnectedLayer",
            parameters=saved(path, ("weight", "bias"), True),
            attributes=more
            | {"activation": activation, "weight_gain": NumpyFloat(lr / np.sqrt(columns)), "bias_gain": lr},
            init_args=(columns, rows),
            init_kwargs={"activation": activation, "lr_multiplier": lr} if lr != 1 else {},
        )

    def sizes(path: str) -> dict[str, int]:
        rows, columns = tensors[f"{path}.weight"].shape[:2]
        more = {"in_channels": columns, "out_channels": rows, "w_dim": configuration.w_dim}
        return more if sg3_flavour else {}

    def layer(path: str, resolution: int, up: int, last: bool) -> Module:
        return Module(
            "SynthesisLayer",
            parameters=saved(path, ("weight", "noise_strength", "bias"), True, last),
            buffers=saved(path, ("resample_filter", "noise_const"), False),
            modules={"affine": dense(f"{path}.affine")},
            attributes=sizes(path)
            | {
                "resolution": resolution,
                "up": up,
                "use_noise": f"{path}.noise_const" in tensors,
                "activation": "lrelu",
                "conv_clamp": clamp,
                "padding": 1,
                "act_gain": NumpyFloat(np.sqrt(2)),
            },
            init_args=tensors[f"{path}.weight"].shape[1::-1],
            init_kwargs={"w_dim": configuration.w_dim, "resolution": resolution, "conv_clamp": clamp},
        )

    def to_rgb(path: str, last: bool) -> Module:
        columns = tensors[f"{path}.weight"].shape[1]
        return Module(
            "ToRGBLayer",
            parameters=saved(path, ("weight", "bias"), True, last),
            modules={"affine": dense(f"{path}.affine")},
            attributes=sizes(path) | {"conv_clamp": clamp, "weight_gain": NumpyFloat(1 / np.sqrt(columns))},
            init_args=(columns, configuration.img_channels),
        )

    def skip(path: str, last: bool) -> Module:
        columns = tensors[f"{path}.weight"].shape[1]
        return Module(
            "Conv2dLayer",
            parameters=saved(path, ("weight",), True, last),
            buffers=saved(path, ("resample_filter",), False),
            attributes={
                "activation": "linear",
                "up": 2,
                "down": 1,
                "conv_clamp": None,
                "padding": 0,
                "weight_gain": NumpyFloat(1 / np.sqrt(columns)),
                "act_gain": 1,
                "bias": None,
            },
            init_args=tensors[f"{path}.weight"].shape[1::-1],
            init_kwargs={"kernel_size": 1, "bias": False, "up": 2},
        )

    def block(path: str, resolution: int) -> Module:
        use_fp16 = num_fp16_res > 0 and resolution >= fp16_from
        last = channels_last and use_fp16
        children: dict[str, Any] = {}
        if resolution > 4:
            children["conv0"] = layer(f"{path}.conv0", resolution, 2, last)
        children["conv1"] = layer(f"{path}.conv1", resolution, 1, last)
        if f"{path}.torgb.weight" in tensors:
            children["torgb"] = to_rgb(f"{path}.torgb", last)
        if f"{path}.skip.weight" in tensors:
            children["skip"] = skip(f"{path}.skip", last)
        ins = 0 if resolution == 4 else tensors[f"{path}.conv0.weight"].shape[1]
        return Module(
            "SynthesisBlock",
            parameters=saved(path, ("const",), True),
            buffers=saved(path, ("resample_filter",), False),
            modules=children,
            attributes={
                "in_channels": ins,
                "w_dim": configuration.w_dim,
                "resolution": resolution,
                "img_channels": configuration.img_channels,
                "is_last": resolution == configuration.img_resolution,
                "architecture": architecture,
                "use_fp16": use_fp16,
                "channels_last": last,
                **({"fused_modconv_default": "inference_only"} if sg3_flavour else {}),
                "num_conv": 1 if resolution == 4 else 2,
                "num_torgb": int("torgb" in children),
            },
            init_args=(ins, tensors[f"{path}.conv1.weight"].shape[0]),
            init_kwargs={"resolution": resolution, "use_fp16": use_fp16, "conv_clamp": clamp},
        )

    synthesis = Module(
        "SynthesisNetwork",
        modules={f"b{r}": block(f"synthesis.b{r}", r) for r in configuration.block_resolutions},
        attributes={
            "w_dim": configuration.w_dim,
            "img_resolution": configuration.img_resolution,
            "img_resolution_log2": len(configuration.block_resolutions) + 1,
            "img_channels": configuration.img_channels,
            **({"num_fp16_res": num_fp16_res} if sg3_flavour else {}),
            "block_resolutions": list(configuration.block_resolutions),
            "num_ws": configuration.num_ws,
        },
        init_kwargs={"w_dim": configuration.w_dim, "img_resolution": configuration.img_resolution},
    )
    mapping = Module(
        "MappingNetwork",
        buffers=saved("mapping", ("w_avg",), False),
        modules={
            **({"embed": dense("mapping.embed")} if configuration.c_dim else {}),
            **{
                f"fc{i}": dense(f"mapping.fc{i}", configuration.activation, configuration.lr_multiplier)
                for i in range(configuration.mapping_layers)
            },
        },
        attributes={
            "z_dim": configuration.z_dim,
            "c_dim": configuration.c_dim,
            "w_dim": configuration.w_dim,
            "num_ws": configuration.num_ws,
            "num_layers": configuration.mapping_layers,
            "w_avg_beta": 0.998 if sg3_flavour else 0.995,
        },
    )
    shape = {
        "c_dim": configuration.c_dim,
        "img_resolution": configuration.img_resolution,
        "img_channels": configuration.img_channels,
    }
    options: dict[str, Any] = {"channel_base": 128, "channel_max": 12}
    if architecture != "skip":
        options["architecture"] = architecture
    if tuple(resample_filter) != FILTER:
        options["resample_filter"] = list(resample_filter)
    if channels_last:
        options["fp16_channels_last"] = True
    if not sg3_flavour:
        options |= {"num_fp16_res": num_fp16_res, "conv_clamp": clamp}
        options = {"synthesis_kwargs": EasyDict(options)}
    head = {"z_dim": configuration.z_dim, "w_dim": configuration.w_dim}
    depth = {"mapping_kwargs": EasyDict({"num_layers": configuration.mapping_layers})}
    return Module(
        "Generator",
        modules={"synthesis": synthesis, "mapping": mapping},
        attributes={**head, **shape, "num_ws": configuration.num_ws},
        init_kwargs={**head, **depth, **options, **shape},
        module_src=module_src,
    )


# --- the bytes of one storage ---------------------------------------------------------------


def storage_parts(
    values: np.ndarray,
    *,
    storage_type: str = "FloatStorage",
    key: str = "94218060416448",
    claimed: int | None = None,
    counted: int | None = None,
) -> list[bytes]:
    """The five pickles and the counted data of torch's format before 1.6.

    Args:
        values: flat array whose dtype fits `storage_type`.
        claimed: number of elements in the persistent id; None for the truth.
        counted: number of elements in the eight bytes before the data; None for the truth.
    """

    def text(value: str) -> bytes:
        return b"X" + struct.pack("<I", len(value)) + value.encode()

    claimed = values.size if claimed is None else claimed
    counted = values.size if counted is None else counted
    return [
        bytes.fromhex("80028a0a6cfc9c46f9206aa850192e"),  # the magic number
        b"\x80\x02M\xe9\x03.",  # protocol 1001
        b"\x80\x02}q\x00(" + text("protocol_version") + b"q\x01M\xe9\x03"
        + text("little_endian") + b"q\x02\x88" + text("type_sizes") + b"q\x03}q\x04("
        + text("short") + b"q\x05K\x02" + text("int") + b"q\x06K\x04" + text("long") + b"q\x07K\x04uu.",
        b"\x80\x02(" + text("storage") + b"q\x00ctorch\n" + storage_type.encode() + b"\nq\x01" + text(key)
        + b"q\x02" + text("cpu") + b"q\x03" + integer(claimed) + b"Ntq\x04Q.",
        b"\x80\x02]q\x00" + text(key) + b"q\x01a.",
        struct.pack("<q", counted) + values.tobytes(),
    ]  # fmt: skip


def integer(value: int) -> bytes:
    """The opcode CPython uses for an int."""
    if 0 <= value < 2**8:
        return b"K" + bytes([value])
    if 0 <= value < 2**16:
        return b"M" + struct.pack("<H", value)
    if -(2**31) <= value < 2**31:
        return b"J" + struct.pack("<i", value)
    body = value.to_bytes(value.bit_length() // 8 + 1, "little", signed=True)
    return b"\x8a" + bytes([len(body)]) + body


# --- opcodes --------------------------------------------------------------------------------


class PickleWriter:
    """Appends the opcodes of nodes, in the dialect of a layout, memo included."""

    def __init__(self, layout: Layout) -> None:
        self.layout = layout
        self._segments: list[tuple[bool, bytearray]] = [(True, bytearray())]  # (inside a frame, opcodes)
        self._memo: dict[Any, int] = {}  # string, global, or id of a shared node, to memo index
        self._memo_size = 0
        self._alive: list[Any] = []  # keeps ids unique

    def finish(self) -> bytes:
        """The whole pickle."""
        self._emit(b".")
        out = bytearray(b"\x80" + bytes([self.layout.protocol]))
        for framed, opcodes in self._segments:
            if framed and len(opcodes) >= 4 and self.layout.protocol >= 4:
                out += b"\x95" + struct.pack("<Q", len(opcodes))
            out += opcodes
        return bytes(out)

    def write(self, value: Any) -> None:
        """Opcodes that push `value`."""
        if value is None:
            self._emit(b"N")
        elif isinstance(value, bool):
            self._emit(b"\x88" if value else b"\x89")
        elif isinstance(value, int | np.integer):
            self._emit(integer(int(value)))
        elif isinstance(value, float):
            self._emit(b"G" + struct.pack(">d", value))
        elif isinstance(value, str):
            self._string(value)
        elif isinstance(value, bytes):
            self._bytes(value)
        elif isinstance(value, tuple):
            self._tuple(value)
        elif isinstance(value, list):
            self._emit(b"]")
            self._put()
            if value:
                self._emit(b"(")
                for item in value:
                    self.write(item)
                self._emit(b"e")
        elif isinstance(value, dict):
            self._shared(value, b"}")
        elif isinstance(value, Container):
            self._container(value)
        elif isinstance(value, EasyDict):
            self.write(Global("dnnlib.util", "EasyDict"))
            self._emit(b")\x81")
            self._put()
            self._items(value.items)
        elif isinstance(value, Global):
            self._global(value)
        elif isinstance(value, Call):
            self.write(value.function)
            self.write(value.arguments)
            self._emit(b"R")
            self._put()
        elif isinstance(value, NumpyFloat):
            self._numpy_float(value.value)
        elif isinstance(value, SavedTensor):
            self._tensor(value)
        elif isinstance(value, Module):
            self._module(value)
        elif isinstance(value, Raw):
            self._emit(value.opcodes)
        else:
            raise TypeError(f"no opcodes for {type(value)}")

    def _emit(self, opcodes: bytes) -> None:
        self._segments[-1][1].extend(opcodes)

    def _put(self, key: Any = None) -> None:
        """Memoise the top of the stack."""
        if self.layout.protocol >= 4:
            self._emit(b"\x94")
        elif self._memo_size < 256:
            self._emit(b"q" + bytes([self._memo_size]))
        else:
            self._emit(b"r" + struct.pack("<I", self._memo_size))
        if key is not None:
            self._memo[key] = self._memo_size
        self._memo_size += 1

    def _get(self, key: Any) -> bool:
        """Fetch from the memo, if it is there."""
        if key not in self._memo:
            return False
        index = self._memo[key]
        self._emit(b"h" + bytes([index]) if index < 256 else b"j" + struct.pack("<I", index))
        return True

    def _string(self, value: str) -> None:
        if self._get(value):
            return
        raw = value.encode("utf-8", "surrogatepass")
        if self.layout.protocol >= 4 and len(raw) < 256:
            self._emit(b"\x8c" + bytes([len(raw)]) + raw)
        else:
            self._emit(b"X" + struct.pack("<I", len(raw)) + raw)
        self._put(value)

    def _bytes(self, value: bytes) -> None:
        head = b"C" + bytes([len(value)]) if len(value) < 256 else b"B" + struct.pack("<I", len(value))
        if len(value) >= FRAME_BREAK:
            self._segments += [(False, bytearray(head + value)), (True, bytearray())]
        else:
            self._emit(head + value)
        self._put()

    def _tuple(self, value: tuple[Any, ...]) -> None:
        if not value:
            self._emit(b")")
            return
        if len(value) > 3:
            self._emit(b"(")
        for item in value:
            self.write(item)
        self._emit(b"\x85\x86\x87"[len(value) - 1 : len(value)] if len(value) <= 3 else b"t")
        self._put()

    def _items(self, items: Mapping[Any, Any]) -> None:
        if not items:
            return
        if len(items) > 1:
            self._emit(b"(")
        for key, value in items.items():
            self.write(key)
            self.write(value)
        self._emit(b"u" if len(items) > 1 else b"s")

    def _shared(self, items: dict[Any, Any], opcodes: bytes) -> None:
        """A mapping, memoised before its items: the same object again, also inside, is fetched."""
        if self._get(("id", id(items))):
            return
        self._alive.append(items)
        self._emit(opcodes)
        self._put(("id", id(items)))
        self._items(items)

    def _container(self, value: Container) -> None:
        if not self.layout.ordered and not value.always_ordered:
            self._shared(value.items, b"}")
            return
        if self._get(("id", id(value.items))):
            return
        self.write(Global("collections", "OrderedDict"))
        self._shared(value.items, b")R")

    def _global(self, value: Global) -> None:
        if self._get(value):
            return
        if self.layout.protocol >= 4:
            self._string(value.module)
            self._string(value.name)
            self._emit(b"\x93")
        else:
            self._emit(f"c{value.module}\n{value.name}\n".encode())
        self._put(value)

    def _numpy_float(self, value: float) -> None:
        self.write(Global(self.layout.numpy_module, "scalar"))
        if not self._get("numpy float64"):
            self.write(Global("numpy", "dtype"))
            self.write(("f8", False, True))
            self._emit(b"R")
            self._put("numpy float64")
            self.write((3, "<", None, None, None, -1, -1, 0))
            self._emit(b"b")
        self.write(struct.pack("<d", value))
        self._emit(b"\x86")
        self._put()
        self._emit(b"R")
        self._put()

    def _tensor(self, value: SavedTensor) -> None:
        array = np.asarray(value.array)
        if array.dtype == np.float64:
            array = array.astype(np.float32)
        size, stride = array.shape, tuple(s // array.itemsize for s in np.ascontiguousarray(array).strides)
        if array.ndim == 0:
            stride = ()
        if value.channels_last:
            rows, columns, height, width = size
            stride = (rows and height * width * columns, 1, width * columns, columns)
            array = array.transpose(0, 2, 3, 1)
        flat = np.ascontiguousarray(array).ravel()
        storage = value.storage
        if storage is None:
            storage = b"".join(storage_parts(flat, storage_type=value.storage_type))
        tensor = Call(
            Global("torch._utils", "_rebuild_tensor_v2"),
            (
                Call(Global("torch.storage", "_load_from_bytes"), (storage,)),
                value.offset,
                size if value.size is None else value.size,
                stride if value.stride is None else value.stride,
                False,
                Call(Global("collections", "OrderedDict"), ()),
            ),
        )
        if value.parameter:
            empty = Call(Global("collections", "OrderedDict"), ())
            tensor = Call(Global("torch._utils", "_rebuild_parameter"), (tensor, False, empty))
        self.write(tensor)

    def _module(self, module: Module) -> None:
        if self._get(("id", id(module))):
            return
        self._alive.append(module)
        hooks = ["_backward_hooks", "_forward_hooks", "_forward_pre_hooks", "_state_dict_hooks"]
        if self.layout.more_hooks:
            hooks += ["_backward_pre_hooks", "_forward_hooks_with_kwargs", "_state_dict_pre_hooks"]
        empty_set = Raw(b"\x8f") if self.layout.protocol >= 4 else Call(Global("builtins", "set"), ([],))
        state: dict[str, Any] = {
            "training": False,
            "_parameters": Container(module.parameters),
            "_buffers": Container(module.buffers),
            "_non_persistent_buffers_set": empty_set,
            **{name: Container({}, always_ordered=True) for name in (*hooks, "_load_state_dict_pre_hooks")},
            **({"_is_full_backward_hook": None} if self.layout.more_hooks else {}),
            "_modules": Container(module.modules),
            **module.attributes,
            "_init_args": module.init_args,
            "_init_kwargs": module.init_kwargs,
        }
        meta = {
            "type": module.type,
            "version": module.version,
            "module_src": module.module_src,
            "class_name": module.class_name,
            "state": state,
        }
        self.write(Global("torch_utils.persistence", "_reconstruct_persistent_obj"))
        self.write((meta,))
        self._emit(b"R")
        self._put(("id", id(module)))
