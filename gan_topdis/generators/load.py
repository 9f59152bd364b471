"""`load_generator`: from a file, a name or a live module to a `Generator`."""

from __future__ import annotations

import logging
import os
from collections.abc import Callable, Iterator
from importlib import import_module
from importlib.metadata import entry_points
from pathlib import Path

import torch
from torch import nn

from gan_topdis.generators.checkpoint_error import CheckpointError
from gan_topdis.generators.cramer_gan_file import SETTINGS_KEY as CRAMER_SETTINGS_KEY
from gan_topdis.generators.cramer_gan_file import cramer_generator_from_file
from gan_topdis.generators.dcgan import MAX_ELEMENTS, SequentialGenerator, build, describe_shapes, recognise
from gan_topdis.generators.network_file import read_network_file
from gan_topdis.generators.object_module import ModuleGenerator, load_with_code
from gan_topdis.generators.persistent_record import (
    LOAD_WITH_CODE,
    PersistentRecord,
    advice_about,
    describe,
    reachable,
)
from gan_topdis.generators.protocol import Generator
from gan_topdis.generators.safe_pickle import Dictionary, Value
from gan_topdis.generators.safetensors_file import NamedTensors
from gan_topdis.generators.stylegan2_file import SETTINGS_KEY, stylegan2_from_file
from gan_topdis.generators.stylegan2_record import generator_from_record
from gan_topdis.generators.torch_storage import StoredTensor
from gan_topdis.generators.unknown_global import Stub, UnknownGlobal

ENTRY_POINT_GROUP = "gan_topdis.generators"
DEVICES = ("auto", "cpu", "cuda", "mps")
# name to "module:class"; imported when asked for
BUILT_IN = {
    "scenes": "gan_topdis.generators.scenes:ScenesGenerator",
    "demo": "gan_topdis.generators.demo:load_demo",
    **{
        name: f"gan_topdis.generators.analytic.catalogue:{name.replace('-', '_')}"
        for name in ("sprites", "blobs", "drawn-faces", "street", "waves", "correlated-sprites")
    },
}

_log = logging.getLogger(__name__)


def load_generator(
    source: str | os.PathLike[str] | nn.Module,
    *,
    device: str | torch.device = "auto",
    trust_pickle: bool = False,
    stylegan_repo: str | os.PathLike[str] | None = None,
) -> Generator:
    """A generator from a file, a built-in or registered name, or a live module.

    Files are recognised by their contents, never by their names. Unless `trust_pickle` is set, nothing in a
    file is executed.

    Args:
        source: one of
            a path: StyleGAN2-ADA network pickle; a GAN trained with this package (safetensors); state
            dict of a DCGAN or MLP generator (`torch.save`, safetensors); a wheel or zip that holds one such
            file, or `FILE::MEMBER` of several;
            a name: `scenes`, `demo`, or an entry point of the group `gan_topdis.generators`, which is a
            callable that takes `device` (a torch.device) as keyword and returns a `Generator`;
            a live module with `mapping` and `synthesis`, or a `Generator`, which is returned as it is.
        device: `auto` (CUDA, else MPS, else CPU), `cpu`, `cuda`, `cuda:N`, `mps`.
        trust_pickle: unpickle the file natively, which RUNS CODE FROM THE FILE.
        stylegan_repo: with `trust_pickle`, the checkout of the program that wrote the file.

    Raises:
        CheckpointError: the file cannot be read safely or is of an unsupported family.
        ValueError: the device is unknown or absent.
        TypeError: `source` is none of these.
    """
    if isinstance(source, Generator):
        return source
    if stylegan_repo is not None and not trust_pickle:
        raise CheckpointError(
            "stylegan_repo runs code from the network file; allow it with trust_pickle=True (--trust-pickle) "
            "if you trust the file"
        )
    place = resolve_device(device)
    if isinstance(source, nn.Module):
        return ModuleGenerator(source, name=type(source).__name__, load_mode="object", device=place)
    if not isinstance(source, str | os.PathLike):
        raise TypeError(
            f"source should be a path, a name, or a module, got {type(source).__name__}; "
            "for a function use gan_topdis.generators.from_callable"
        )
    text = os.fspath(source)
    if isinstance(source, str) and text in BUILT_IN:
        module, _, attribute = BUILT_IN[text].partition(":")
        return _made_by(text, getattr(import_module(module), attribute), place)
    if isinstance(source, str) and text in _registered():
        (entry,) = list(entry_points(group=ENTRY_POINT_GROUP, name=text))[:1]
        return _made_by(text, entry.load(), place)
    return _from_path(text, place, trust_pickle, stylegan_repo)


def resolve_device(device: str | torch.device) -> torch.device:
    """The torch device of a name; `auto` takes CUDA, else MPS, else the CPU.

    Raises:
        ValueError: the name is unknown, or this machine has no such device.
    """
    name = str(device)
    cuda, mps = torch.cuda.is_available(), torch.backends.mps.is_available()
    if name == "auto":
        return torch.device("cuda" if cuda else "mps" if mps else "cpu")
    kind, _, index = name.partition(":")
    if kind not in DEVICES[1:] or (index and not index.isdecimal()):
        raise ValueError(f"device should be one of {', '.join(DEVICES)}, got {name!r}")
    if kind == "cuda" and (not cuda or int(index or 0) >= torch.cuda.device_count()):
        raise ValueError(f"device {name} is not there: torch sees {torch.cuda.device_count()} GPUs; use cpu")
    if kind == "mps" and not mps:
        raise ValueError("device mps is not there: it needs a Mac with Apple silicon; use cpu")
    return torch.device(name)


def names() -> list[str]:
    """Names that `load_generator` knows besides files: built-in ones, then registered ones."""
    return [*BUILT_IN, *_registered()]


def _registered() -> list[str]:
    return sorted({entry.name for entry in entry_points(group=ENTRY_POINT_GROUP)} - set(BUILT_IN))


def _made_by(name: str, make: Callable[..., object], device: torch.device) -> Generator:
    generator = make(device=device)
    if not isinstance(generator, Generator):
        raise TypeError(
            f"{name!r} of the group {ENTRY_POINT_GROUP} should return a gan_topdis.generators.Generator, "
            f"got {type(generator).__name__}"
        )
    return generator


def _from_path(
    text: str, device: torch.device, trust_pickle: bool, stylegan_repo: str | os.PathLike[str] | None
) -> Generator:
    path, member = Path(text), None
    if "::" in text and not os.path.exists(path):
        before, _, member = text.partition("::")
        path = Path(before)
    if os.path.isdir(path):
        raise CheckpointError(f"{_printable(text)} is a folder; give the network file in it")
    if not os.path.isfile(path):
        raise CheckpointError(
            f"there is no file {_printable(text)}; names without a file: {', '.join(names())}"
        )
    try:
        if trust_pickle:
            if member is not None:
                raise CheckpointError("trust_pickle does not reach into archives; unpack it first")
            folder = None if stylegan_repo is None else Path(stylegan_repo)
            return load_with_code(path, name=path.name, stylegan_repo=folder, device=device)
        label = path.name if member is None else f"{path.name}::{member}"
        return _from_value(read_network_file(path, member), label, device)
    except CheckpointError as error:
        raise CheckpointError(_printable(f"{path.name}: {error}")) from error.__cause__


def _printable(text: str) -> str:
    """The text with escape sequences and line ends spelled out, so that no file name or file reaches the
    terminal with one."""
    return "".join(letter if letter.isprintable() else ascii(letter)[1:-1] for letter in text)


def _from_value(value: Value, name: str, device: torch.device) -> Generator:
    """The generator in the contents of a file."""
    _refuse_tensorflow(value)
    if isinstance(value, PersistentRecord):
        return generator_from_record(value, name=name, device=device)
    if isinstance(value, NamedTensors) and SETTINGS_KEY in value.metadata:
        return stylegan2_from_file(value, name=name, device=device)
    if isinstance(value, NamedTensors) and CRAMER_SETTINGS_KEY in value.metadata:
        return cramer_generator_from_file(value, name=name, device=device)
    if isinstance(value, Dictionary):
        ema, raw = value.get("G_ema"), value.get("G")
        if isinstance(ema, PersistentRecord):
            return generator_from_record(ema, name=name, device=device)
        if ema is None and isinstance(raw, PersistentRecord):
            _log.warning("%s has no G_ema; using G, whose pictures are less stable", name)
            return generator_from_record(raw, name=name, device=device)
        if ema is not None and not isinstance(ema, Dictionary | StoredTensor):
            raise CheckpointError(
                f"its G_ema is {describe(ema)} instead of a saved generator; {LOAD_WITH_CODE}"
            )
        return _from_state_dicts(value, name, device)
    if isinstance(value, Stub | UnknownGlobal):
        origin = value.origin if isinstance(value, Stub) else value
        raise CheckpointError(
            f"it holds {describe(value)} instead of a network or the state_dict() of one; "
            + advice_about(origin)
        )
    raise CheckpointError(
        f"it holds {describe(value)} instead of a network; expected a dict with G_ema, or a state dict"
    )


def _refuse_tensorflow(value: Value) -> None:
    items = value if isinstance(value, tuple | list) else [value]
    if any(isinstance(item, Stub) and item.origin.module.startswith("dnnlib.tflib") for item in items):
        raise CheckpointError(
            "it is of the TensorFlow generation of StyleGAN; convert it with legacy.py of NVIDIA's "
            "stylegan2-ada-pytorch (--source OLD.pkl --dest NEW.pkl) and load the result"
        )


def _from_state_dicts(root: Dictionary, name: str, device: torch.device) -> Generator:
    """The one DCGAN or MLP generator among the state dicts in a file."""
    found = list(_state_dicts(root))
    for label, tensors in found:
        _refuse_known_families(label, tensors)
    recognised = []
    for label, tensors in found:
        chain = recognise({key: tensor.shape for key, tensor in tensors.items()})
        if chain is not None:
            recognised.append((label, chain, tensors))
    if not recognised:
        if not found:
            raise CheckpointError(
                f"it holds no network: {describe(root)}; expected a dict with G_ema, or a state dict"
            )
        listing = "; ".join(
            f"{ascii(label[:40]) + ': ' if label else ''}"
            f"{describe_shapes({key: tensor.shape for key, tensor in tensors.items()})}"
            for label, tensors in found[:3]
        )
        raise CheckpointError(
            "its tensors are no known generator (StyleGAN2-ADA pickle, DCGAN, MLP); wrap the network with "
            f"gan_topdis.generators.from_callable; found {listing}"
        )
    if len(recognised) > 1:
        labels = ", ".join(ascii(label[:40]) for label, _, _ in recognised)
        raise CheckpointError(
            f"it holds {len(recognised)} generators ({labels}); save the one to use by itself"
        )
    label, chain, tensors = recognised[0]
    if sum(tensor.size for tensor in tensors.values()) > MAX_ELEMENTS:
        raise CheckpointError(f"the generator has more than {MAX_ELEMENTS} numbers")
    values = {key: tensor.float32() for key, tensor in tensors.items()}
    for key, numbers in values.items():
        if not torch.isfinite(numbers).all():
            raise CheckpointError(f"{key[:80]!a} holds NaN or infinity: the training diverged")
    if label:
        _log.info("%s: using the tensors under %s", name, label)
    return SequentialGenerator(build(chain, values), chain, name=name, device=device)


def _state_dicts(root: Dictionary) -> Iterator[tuple[str, dict[str, StoredTensor]]]:
    """(key, tensors) of every dict of named tensors in a file; the key of the root is ''."""
    labels = {id(item): key for key, item in root.items() if isinstance(key, str)}
    for value in reachable(root):
        if not isinstance(value, Dictionary):
            continue
        tensors = {
            key: item
            for key, item in value.items()
            if isinstance(key, str) and isinstance(item, StoredTensor)
        }
        if len(tensors) >= 2:
            yield labels.get(id(value), ""), tensors


def _refuse_known_families(label: str, tensors: dict[str, StoredTensor]) -> None:
    where = f"under {label[:40]!a} " if label else ""
    if any(key.endswith("synthesis.b4.const") or key == "b4.const" for key in tensors):
        raise CheckpointError(
            f"{where}it holds the tensors of a StyleGAN2-ADA generator without its settings (conv_clamp, "
            "activation, ...); save the network pickle of the training program, or pass the module itself"
        )
    if any(key.endswith("synthesis.input.freqs") for key in tensors):
        raise CheckpointError(
            f"{where}it holds the tensors of a StyleGAN3 generator, which is not supported yet"
        )
    if "input.input" in tensors and "convs.0.conv.modulation.weight" in tensors:
        raise CheckpointError(
            f"{where}it holds a StyleGAN2 of rosinality's program, which is not supported yet; wrap the "
            "network with gan_topdis.generators.from_callable"
        )
    if "mapping.dense0.weight" in tensors or {"lod", "layer0.weight"} <= set(tensors):
        raise CheckpointError(
            f"{where}it holds a generator of genforce's program, which is not supported yet; wrap the "
            "network with gan_topdis.generators.from_callable"
        )
