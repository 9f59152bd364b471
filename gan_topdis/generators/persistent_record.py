"""NVIDIA's "persistent" modules as plain records, and the names a network file may use.

Each module of a StyleGAN2-ADA file is saved as a class name, a dict of attributes and the source text of its
class. Official code runs the text; we keep the first two.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np

from gan_topdis.generators.checkpoint_error import CheckpointError
from gan_topdis.generators.safe_pickle import Dictionary, GlobalTable, ScalarType, Value
from gan_topdis.generators.torch_storage import (
    StoredTensor,
    load_from_bytes,
    rebuild_parameter,
    rebuild_tensor,
)
from gan_topdis.generators.unknown_global import Stub, UnknownGlobal

PERSISTENCE_VERSION = 6
LOAD_WITH_CODE = (
    "if you trust its author, load it with the code that wrote it: trust_pickle=True and stylegan_repo=DIR, "
    "which runs code from the file"
)
SCALAR_TYPES = frozenset(["b1", "i1", "i2", "i4", "i8", "u1", "u2", "u4", "u8", "f2", "f4", "f8"])
# StyleGAN2 at 1024 pixels: 4 levels, about 70 modules.
MAX_DEPTH = 16
MAX_MODULES = 4096


@dataclass(eq=False)
class PersistentRecord:
    """One saved module.

    Attributes:
        class_name: of the class it was; only a name, no such class is imported.
        state: its instance attributes.
    """

    class_name: str
    state: Dictionary

    def children(self) -> dict[str, Value]:
        """Sub-modules by name."""
        return self._named("_modules")

    def own_tensors(self) -> dict[str, StoredTensor]:
        """Parameters, then buffers, that are not None."""
        tensors: dict[str, StoredTensor] = {}
        for group in ("_parameters", "_buffers"):
            for name, tensor in self._named(group).items():
                if tensor is None:
                    continue
                if not isinstance(tensor, StoredTensor):
                    raise CheckpointError(
                        f"{name[:80]!a} of a {self.class_name[:80]!a} is {describe(tensor)} instead of a "
                        "tensor; copy or download the file again"
                    )
                tensors[name] = tensor
        return tensors

    def _named(self, key: str) -> dict[str, Value]:
        group = self.state.get(key)
        if not isinstance(group, Dictionary) or any(type(name) is not str for name in group):
            raise CheckpointError(
                f"a saved {self.class_name[:80]!a} has no {key}; save the network with the official code"
            )
        return {name: value for name, value in group.items() if isinstance(name, str)}


def reconstruct(meta: Value) -> PersistentRecord:
    """A record from the one argument of NVIDIA's persistence hook."""
    if not isinstance(meta, Dictionary) or meta.get("type") != "class":
        raise CheckpointError("a persistent object that is no class; save the network with the official code")
    if meta.get("version") != PERSISTENCE_VERSION:
        version = meta.get("version")
        shown = version if type(version) is int else type(version).__name__
        raise CheckpointError(
            f"persistence version {shown} is not supported, only {PERSISTENCE_VERSION}; save the "
            "network with a public release of StyleGAN2-ADA or StyleGAN3"
        )
    class_name, state = meta.get("class_name"), meta.get("state")
    if type(class_name) is not str or not isinstance(state, Dictionary):
        raise CheckpointError("a persistent object without a class name and state; copy the file again")
    return PersistentRecord(class_name, state)


def named_modules(root: PersistentRecord) -> dict[str, PersistentRecord]:
    """All modules by dotted path, the root as ''.

    Raises:
        CheckpointError: something else stands where a module should, a module occurs twice (a cycle
            included), or there are too many.
    """
    found: dict[str, PersistentRecord] = {}
    seen: set[int] = set()
    pending: list[tuple[str, int, Value]] = [("", 0, root)]
    while pending:
        path, depth, record = pending.pop()
        if record is None:
            continue
        if not isinstance(record, PersistentRecord):
            raise CheckpointError(f"{path[:200]!a} is {describe(record)} instead of a saved module")
        if id(record) in seen:
            raise CheckpointError(
                f"module {path[:200]!a} occurs twice: damaged or hostile; copy the file again"
            )
        if depth > MAX_DEPTH or len(found) >= MAX_MODULES:
            raise CheckpointError("its modules are nested too deep or too many for a generator")
        seen.add(id(record))
        found[path] = record
        prefix = f"{path}." if path else ""
        pending.extend((f"{prefix}{name}", depth + 1, child) for name, child in record.children().items())
    return found


def named_tensors(modules: dict[str, PersistentRecord]) -> dict[str, StoredTensor]:
    """All tensors by the names torch's `state_dict` gives them."""
    return {
        f"{path}.{name}" if path else name: tensor
        for path, record in modules.items()
        for name, tensor in record.own_tensors().items()
    }


def refuse_unknown(root: PersistentRecord) -> None:
    """Raises CheckpointError, with the name, if anything of an unknown class is reachable from `root`."""
    for value in reachable(root):
        if isinstance(value, Stub | UnknownGlobal):
            origin = value.origin if isinstance(value, Stub) else value
            raise CheckpointError(
                f"the generator contains {describe(value)}, which StyleGAN2-ADA does not have; "
                + advice_about(origin)
            )


def advice_about(origin: UnknownGlobal) -> str:
    """What to do about an unknown name.

    torch and numpy have functions that run text or programs, and no generator needs one of them, so there
    the advice is not to run the file.
    """
    if origin.module.partition(".")[0] in ("torch", "numpy"):
        return "nothing was run; ask for a file saved with the official code, or for the state_dict()"
    return LOAD_WITH_CODE


def reachable(root: Value) -> Iterator[Value]:
    """Every value inside `root`, each once, in the order of the file."""
    seen: set[int] = set()
    pending: list[Value] = [root]
    while pending:
        value = pending.pop()
        if id(value) in seen:
            continue
        seen.add(id(value))
        yield value
        if isinstance(value, PersistentRecord):
            pending.append(value.state)
        elif isinstance(value, Dictionary):
            pending.extend(reversed(value.values()))
        elif isinstance(value, list | tuple):
            pending.extend(reversed(value))


def describe(value: Value) -> str:
    """What a value is, in a few words: its type, never its contents."""
    if isinstance(value, Stub):
        return f"an object of {str(value)[:160]}"
    if isinstance(value, UnknownGlobal):
        return f"the name {str(value)[:160]}"
    if isinstance(value, PersistentRecord):
        return f"a saved module of class {value.class_name[:80]!a}"
    if isinstance(value, StoredTensor):
        return f"a tensor of shape {value.shape}"
    if isinstance(value, Dictionary):
        keys = [key if type(key) is str else type(key).__name__ for key in list(value)[:8]]
        more = ", ..." if len(value) > 8 else ""
        return f"a dict of {len(value)} ({', '.join(ascii(key[:60]) for key in keys)}{more})"
    return f"a {type(value).__name__}"


def _ordered_dict(*pairs: Value) -> Dictionary:
    if not pairs:
        return Dictionary()
    (items,) = pairs  # Python 2 wrote the items as an argument
    if not isinstance(items, list) or any(type(item) is not list or len(item) != 2 for item in items):
        raise TypeError
    if any(type(item[0]) is not str for item in items):
        raise TypeError
    return Dictionary((item[0], item[1]) for item in items)


def _easy_dict() -> Dictionary:
    return Dictionary()


def _set(items: Value) -> set[Value]:
    if not isinstance(items, list) or any(type(item) is not str for item in items):
        raise TypeError
    return set(items)


def _scalar_type(code: Value, *_: Value) -> ScalarType:
    if type(code) is not str or code not in SCALAR_TYPES:
        raise CheckpointError("a numpy data type that is not a plain number; copy or download the file again")
    return ScalarType(code)


def _scalar(kind: Value, data: Value) -> Value:
    if not isinstance(kind, ScalarType) or not isinstance(data, bytes):
        raise TypeError
    values = np.frombuffer(data, dtype=f"<{kind.code}")
    if len(values) != 1:
        raise CheckpointError("a numpy scalar of the wrong length; copy or download the file again")
    number: Value = values[0].item()
    return number


def _size(items: Value) -> Value:
    if type(items) is not tuple:
        raise TypeError
    return items


# Every name that a StyleGAN2(-ADA) snapshot or a state dict uses, and what stands for it here.
NETWORK_TABLE: GlobalTable = {
    ("torch_utils.persistence", "_reconstruct_persistent_obj"): reconstruct,
    ("collections", "OrderedDict"): _ordered_dict,
    ("builtins", "set"): _set,
    ("__builtin__", "set"): _set,
    ("dnnlib.util", "EasyDict"): _easy_dict,
    ("numpy", "dtype"): _scalar_type,
    ("numpy.core.multiarray", "scalar"): _scalar,
    ("numpy._core.multiarray", "scalar"): _scalar,
    ("torch", "Size"): _size,
    ("torch._utils", "_rebuild_parameter"): rebuild_parameter,
    ("torch._utils", "_rebuild_tensor"): rebuild_tensor,
    ("torch._utils", "_rebuild_tensor_v2"): rebuild_tensor,
    ("torch.storage", "_load_from_bytes"): load_from_bytes,
}
