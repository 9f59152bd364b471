"""Where training computes: device, precision, and the processes that share a batch.

Lightning Fabric does the work: it knows the environments that start processes (torchrun, SLURM) and leaves
the loop to us. Its wrappers of modules are not used: our losses need gradients term by term (`gradients_of`),
which would pass by the hooks of DistributedDataParallel, so gradients are averaged here.
"""

from __future__ import annotations

import atexit
import os
from collections.abc import Sequence
from contextlib import AbstractContextManager
from dataclasses import dataclass
from typing import Any, Literal

import torch
from torch import Tensor

from gan_topdis.tensors import widest_float

PRECISIONS: dict[str, Literal["32-true", "bf16-mixed"]] = {"32": "32-true", "mixed": "bf16-mixed"}
"""`mixed` computes networks in bfloat16, which needs no scaling of losses; weights stay float32."""


@dataclass(frozen=True)
class Compute:
    """Device, precision and processes.

    At the end of a `with` block processes wait for each other: one that just exits may abort the others. When
    an error is on its way it does not wait for the others, which may never come. The connection stays for the
    next training of the script: a second one would find the addresses of the first in the store of torchrun.

    Attributes: the fabric; device; this process and how many there are.
    """

    fabric: Any
    device: torch.device
    rank: int
    world_size: int

    def __enter__(self) -> Compute:
        return self

    def __exit__(self, error: type[BaseException] | None, *_: object) -> None:
        if self.world_size == 1:
            return
        if error is None:
            self.fabric.barrier()
        else:
            atexit.unregister(_leave)

    def autocast(self) -> AbstractContextManager[None]:
        """Inside, networks compute in the precision that was asked for."""
        context: AbstractContextManager[None] = self.fabric.autocast()
        return context

    def mean(self, gradients: Sequence[Tensor | None]) -> list[Tensor | None]:
        """Means over processes; None where no process has a gradient, which must be alike in all."""
        if self.world_size == 1:
            return list(gradients)
        present = [gradient for gradient in gradients if gradient is not None]
        if not present:
            return list(gradients)
        flat = torch.cat([gradient.flatten() for gradient in present])
        parts = iter(self.fabric.all_reduce(flat, reduce_op="mean").split([g.numel() for g in present]))
        return [None if g is None else next(parts).view_as(g) for g in gradients]

    def mean_of(self, values: dict[str, float]) -> dict[str, float]:
        """Means of numbers over processes, all of which have the same names."""
        if self.world_size == 1:
            return values
        row = torch.tensor(list(values.values()), dtype=widest_float(self.device), device=self.device)
        return dict(zip(values, self.fabric.all_reduce(row, reduce_op="mean").tolist(), strict=True))

    def any(self, here: bool) -> bool:
        """Whether it holds in some process, which all then know; waits for them and for the device."""
        if self.world_size == 1:
            return here
        count = torch.tensor(float(here), device=self.device)
        return bool(self.fabric.all_reduce(count, reduce_op="sum") > 0)

    def average_buffers(self, module: torch.nn.Module) -> None:
        """Floating-point buffers, which each process changed by its own part of the batch, become alike."""
        if self.world_size > 1:
            for buffer in module.buffers():
                if buffer.is_floating_point():
                    buffer.copy_(self.fabric.all_reduce(buffer.detach().clone(), reduce_op="mean"))

    def barrier(self) -> None:
        self.fabric.barrier()


def start_compute(device: str = "auto", precision: str = "32") -> Compute:
    """Device and processes of this run; under `torchrun` one process of those that it started.

    Args:
        device: auto, cpu, cuda, mps.
        precision: of `PRECISIONS`.

    Raises:
        ValueError: unknown, or there is no such device.
    """
    from lightning_fabric import Fabric

    if precision not in PRECISIONS:
        raise ValueError(f"precision should be one of {', '.join(PRECISIONS)}, got {precision!r}")
    if device not in ("auto", "cpu", "cuda", "mps"):
        raise ValueError(f"device should be auto, cpu, cuda or mps, got {device!r}")
    if device == "cuda" and not torch.cuda.is_available():
        raise ValueError("device cuda was asked for, but PyTorch finds no CUDA device; use cpu")
    if device == "mps" and not torch.backends.mps.is_available():
        raise ValueError("device mps was asked for, but PyTorch finds none; use cpu")
    processes = int(os.environ.get("LOCAL_WORLD_SIZE", "1"))
    fabric = Fabric(
        accelerator=device,
        devices=processes,
        num_nodes=max(1, int(os.environ.get("WORLD_SIZE", "1")) // processes),
        strategy="ddp" if int(os.environ.get("WORLD_SIZE", "1")) > 1 else "auto",
        precision=PRECISIONS[precision],
    )
    connected = torch.distributed.is_available() and torch.distributed.is_initialized()
    fabric.launch()
    if fabric.world_size > 1 and not connected:
        atexit.register(_leave)
    return Compute(fabric, fabric.device, fabric.global_rank, fabric.world_size)


def _leave() -> None:
    if torch.distributed.is_initialized():
        torch.distributed.destroy_process_group()
