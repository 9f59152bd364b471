"""Live modules with StyleGAN's calling convention: given by the user, or unpickled with the user's checkout.

Unpickling runs code from the file. It happens only with consent (`trust_pickle=True`).
"""

from __future__ import annotations

import contextlib
import io
import pickle
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import torch
from torch import Tensor, nn

from gan_topdis.generators.checkpoint_error import CheckpointError
from gan_topdis.generators.fingerprint import tensor_fingerprint
from gan_topdis.generators.network_file import HEAD_BYTES, file_kind
from gan_topdis.generators.protocol import Generator, LayerRow

_SIZES = ("z_dim", "c_dim", "w_dim", "img_resolution", "img_channels")


class ModuleGenerator(Generator):
    """A live module with `mapping` and `synthesis`, as StyleGAN2-ADA, StyleGAN3 and their forks have them.

    The module stays the user's: around every call its modes and flags are set for evaluation and given
    back afterwards, also if it raises.

    Args:
        module: moved to `device`.
        name: what the user called it.
        load_mode: `object`, or `repo` if it came from a file with the code in it.
        device: where it computes.

    Raises:
        CheckpointError: the module lacks a part or a size of that convention.
    """

    def __init__(self, module: nn.Module, *, name: str, load_mode: str, device: torch.device) -> None:
        mapping, synthesis = getattr(module, "mapping", None), getattr(module, "synthesis", None)
        if not isinstance(mapping, nn.Module) or not isinstance(synthesis, nn.Module):
            raise CheckpointError(
                f"a {type(module).__name__} has no mapping and synthesis modules; "
                "wrap it with gan_topdis.generators.from_callable(synthesize, latent_dim)"
            )
        sizes = {}
        for size in _SIZES:
            value = getattr(module, size, None)
            if not isinstance(value, int):
                raise CheckpointError(
                    f"a {type(module).__name__} should have a whole number {size}; "
                    "wrap it with gan_topdis.generators.from_callable(synthesize, latent_dim)"
                )
            sizes[size] = value
        num_ws = getattr(module, "num_ws", getattr(mapping, "num_ws", None))
        if not isinstance(num_ws, int):
            raise CheckpointError(f"a {type(module).__name__} should have a whole number num_ws")
        self.module = module.to(device)
        self._mapping, self._synthesis = mapping, synthesis
        self.name = name
        self.load_mode = load_mode
        self.device = device
        self.z_dim, self.c_dim, self.w_dim = sizes["z_dim"], sizes["c_dim"], sizes["w_dim"]
        self.num_ws = num_ws
        self.resolution = (sizes["img_resolution"], sizes["img_resolution"])
        self.channels = sizes["img_channels"]
        self.family = _family(synthesis)
        self.reads_noise = any(key.endswith("noise_const") for key, _ in synthesis.named_buffers())
        self.fingerprint = tensor_fingerprint(module.state_dict())

    @property
    def has_mapping(self) -> bool:
        return True

    def _map(self, z: Tensor, c: Tensor | None) -> Tensor:
        with evaluation_of(self.module):
            ws: Tensor = self._mapping(
                z.to(self.device), None if c is None else c.to(self.device), truncation_psi=1
            )
        return ws.float()

    def _synthesize(self, ws: Tensor, noise_mode: str) -> Tensor:
        with evaluation_of(self.module):
            images: Tensor = self._synthesis(ws.to(self.device), noise_mode=noise_mode, force_fp32=True)
        return images.float()

    def truncation_centre(self) -> Tensor:
        """`mapping.w_avg`, (w_dim,).

        Raises:
            ValueError: the module has none, or one per class.
        """
        centre = getattr(self._mapping, "w_avg", None)
        if not isinstance(centre, Tensor) or centre.shape != (self.w_dim,):
            raise ValueError(f"{self.name} has no single mean latent w_avg, so truncation_psi should be 1")
        return centre.detach().float()

    def layer_table(self) -> list[LayerRow]:
        """One row per position of ws; for StyleGAN2 the blocks' layers, else the resolution of the image."""
        if self.family != "stylegan2-ada":
            names = ["input", *getattr(self._synthesis, "layer_names", [])]
            names += [""] * (self.num_ws - len(names))
            return [
                LayerRow(
                    index, self.resolution[0], "input" if name == "input" else "conv", (name,) if name else ()
                )
                for index, name in enumerate(names[: self.num_ws])
            ]
        fed: list[list[str]] = [[] for _ in range(self.num_ws)]
        for block_name, block in self._synthesis.named_children():
            first = max(0, 2 * (int(block_name[1:]).bit_length() - 1) - 5)
            present = [layer for layer in ("conv0", "conv1", "torgb") if hasattr(block, layer)]
            for offset, layer in enumerate(present):
                if first + offset < self.num_ws:
                    fed[first + offset].append(f"{block_name}.{layer}")
        return [
            LayerRow(
                index,
                4 * 2 ** (index // 2),
                "conv" if any("conv" in n for n in names) else "rgb",
                tuple(names),
            )
            for index, names in enumerate(fed)
        ]


def _family(synthesis: nn.Module) -> str:
    names = [name for name, _ in synthesis.named_children()]
    if "b4" in names and all(name[:1] == "b" and name[1:].isdigit() for name in names):
        return "stylegan2-ada"
    return "stylegan3" if "input" in names else "module"


@contextlib.contextmanager
def evaluation_of(module: nn.Module) -> Iterator[None]:
    """The module in evaluation mode without parameter gradients; modes and flags are given back."""
    training = [(part, part.training) for part in module.modules()]
    gradients = [(parameter, parameter.requires_grad) for parameter in module.parameters()]
    try:
        for part, _ in training:
            part.training = False
        for parameter, _ in gradients:
            parameter.requires_grad_(False)
        yield
    finally:
        for part, mode in training:
            part.training = mode
        for parameter, wanted in gradients:
            parameter.requires_grad_(wanted)


def load_with_code(
    path: Path, *, name: str, stylegan_repo: str | Path | None, device: torch.device
) -> ModuleGenerator:
    """Unpickles a file natively, which RUNS CODE FROM THE FILE, and wraps the generator in it.

    Args:
        path: a pickle, or a file of `torch.save`.
        name: what the user called it.
        stylegan_repo: folder with `torch_utils` and `dnnlib` of the program that wrote the file; it is first
            on `sys.path` during the load. None: what Python finds by itself.
        device: where it computes.

    Raises:
        CheckpointError: the code the file needs is not there, or no generator is in the file.
    """
    with _importing_from(stylegan_repo):
        try:
            value = _unpickle(path)
        except ModuleNotFoundError as error:
            raise CheckpointError(
                f"it needs the Python module {error.name}; give stylegan_repo=DIR, a checkout of the "
                "program that wrote the file (not torch_utils from PyPI, an unrelated package)"
            ) from error
        except (OSError, EOFError, ImportError, AttributeError, pickle.UnpicklingError) as error:
            raise CheckpointError(f"it cannot be unpickled ({error}); copy or download it again") from error
    if isinstance(value, nn.Module):
        module = value
    elif isinstance(value, dict):
        candidates = [value[key] for key in ("G_ema", "g_ema", "G") if isinstance(value.get(key), nn.Module)]
        if not candidates:
            keys = ", ".join(map(str, list(value)[:8]))
            raise CheckpointError(f"it holds no generator module (found {keys}); try it without trust_pickle")
        module = candidates[0]
    else:
        raise CheckpointError(f"it holds a {type(value).__name__} instead of a generator module")
    # ours from here on: nobody else holds it
    return ModuleGenerator(module.eval().requires_grad_(False), name=name, load_mode="repo", device=device)


class _OnCPU(pickle.Unpickler):
    """Python's unpickler, which puts tensors saved on a GPU into memory."""

    def find_class(self, module: str, name: str) -> Any:
        if (module, name) == ("torch.storage", "_load_from_bytes"):
            return lambda data: torch.load(io.BytesIO(data), map_location="cpu", weights_only=False)
        return super().find_class(module, name)


def _unpickle(path: Path) -> object:
    with path.open("rb") as stream:
        kind = file_kind(stream.read(HEAD_BYTES))
        stream.seek(0)
        if kind in ("zip", "torch"):
            return torch.load(stream, map_location="cpu", weights_only=False)
        return _OnCPU(stream).load()


@contextlib.contextmanager
def _importing_from(folder: str | Path | None) -> Iterator[None]:
    """The folder first on `sys.path`; the path is given back."""
    if folder is None:
        yield
        return
    root = Path(folder).resolve()
    if not (root / "torch_utils").is_dir():
        raise CheckpointError(
            f"stylegan_repo should be a checkout with a folder torch_utils, got {folder}; "
            "clone the repository of the program that wrote the file"
        )
    loaded = sys.modules.get("torch_utils")
    if loaded is not None:
        places = [Path(place).resolve() for place in getattr(loaded, "__path__", [])]
        if root / "torch_utils" not in places:
            raise CheckpointError(
                f"torch_utils was already imported from {places[0] if places else 'elsewhere'}; "
                "start a new Python process to use another stylegan_repo"
            )
    before = list(sys.path)
    sys.path.insert(0, str(root))
    try:
        yield
    finally:
        sys.path[:] = before
