"""A device of its own memory and without float64, as Apple's MPS is, simulated on the CPU.

Tensors on it refuse float64, `numpy()`, and work with tensors of the CPU, as those of MPS do. Registering it
cannot be undone, so that it belongs into a process of its own; test_without_float64.py starts one.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import torch
from torch.overrides import TorchFunctionMode
from torch.utils import backend_registration
from torch.utils._python_dispatch import TorchDispatchMode
from torch.utils._pytree import tree_leaves, tree_map

NAME = "nodouble"
DEVICE = f"{NAME}:0"
# of these torch allows indices, or sources and scalars, on the CPU
MIXED = ("aten::copy_", "aten::_to_copy", "aten::index", "aten::index_put_", "aten::_index_put_impl_")


def register() -> None:
    backend_registration._setup_privateuseone_for_python_backend(NAME)


class TensorThere(torch.Tensor):
    """A tensor on the device; `held` is its content on the CPU."""

    held: torch.Tensor

    @staticmethod
    def __new__(cls, held: torch.Tensor) -> TensorThere:
        return torch.Tensor._make_wrapper_subclass(
            cls,
            held.shape,
            strides=held.stride(),
            storage_offset=held.storage_offset(),
            dtype=held.dtype,
            device=torch.device(DEVICE),
        )

    def __init__(self, held: torch.Tensor) -> None:
        self.held = held

    def __repr__(self) -> str:
        return f"TensorThere({self.held!r})"

    __torch_function__ = torch._C._disabled_torch_function_impl

    @classmethod
    def __torch_dispatch__(
        cls,
        function: Any,
        types: Any,
        arguments: Sequence[Any] = (),
        options: Mapping[str, Any] | None = None,
    ) -> Any:
        return _run(function, arguments, options or {})


class Simulated:
    """A context in which torch knows the device."""

    def __enter__(self) -> None:
        # modes belong to a thread, and autograd has one for each device
        self._modes = (_Dispatch(), _Functions(), torch.autograd.set_multithreading_enabled(False))
        for mode in self._modes:
            mode.__enter__()

    def __exit__(self, *error: Any) -> None:
        for mode in reversed(self._modes):
            mode.__exit__(*error)


class _Dispatch(TorchDispatchMode):
    def __torch_dispatch__(self, function: Any, types: Any, arguments: Any = (), options: Any = None) -> Any:
        return _run(function, arguments, options or {})


class _Functions(TorchFunctionMode):
    """What does its work below what a dispatch mode sees."""

    def __torch_function__(self, function: Any, types: Any, arguments: Any = (), options: Any = None) -> Any:
        options = dict(options or {})
        if function in (torch.tensor, torch.as_tensor) and _is_there(options.get("device")):
            device = options.pop("device")
            return function(*arguments, **options).to(device)
        if function is torch.Tensor.tolist:
            return arguments[0].cpu().tolist()
        return function(*arguments, **options)


def _is_there(device: Any) -> bool:
    return device is not None and torch.device(device).type == NAME


def _run(function: Any, arguments: Sequence[Any], options: Mapping[str, Any]) -> Any:
    name = function._schema.name
    leaves = tree_leaves((list(arguments), dict(options)))
    there = [leaf for leaf in leaves if isinstance(leaf, TensorThere)]
    here = [leaf for leaf in leaves if type(leaf) is torch.Tensor and leaf.ndim]
    if there and here and name not in MIXED:
        raise RuntimeError(f"Expected all tensors to be on the same device, but {name} got {DEVICE} and cpu")
    if there and options.get("dtype") == torch.float64:
        raise TypeError(f"{name}: the device has no float64; move to the CPU first")
    goes = _is_there(options.get("device"))
    stays = options.get("device") is None and bool(there)
    result = function(*tree_map(_held, tuple(arguments)), **tree_map(_held, dict(options)))
    if name == "aten::copy_":
        return arguments[0]
    known = {id(tensor.held): tensor for tensor in there}

    def moved(value: Any) -> Any:
        if not isinstance(value, torch.Tensor):
            return value
        if value.dtype in (torch.float64, torch.complex128):
            raise TypeError(f"{name}: the device has no float64; use float32 instead")
        return known[id(value)] if id(value) in known else TensorThere(value)

    return tree_map(moved, result) if goes or stays else result


def _held(value: Any) -> Any:
    if isinstance(value, TensorThere):
        return value.held
    return torch.device("cpu") if isinstance(value, torch.device) and _is_there(value) else value
