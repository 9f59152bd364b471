"""The loop: exact resume, interruption, full disks, several processes; and its parts."""

from __future__ import annotations

import os
import signal
from pathlib import Path
from types import SimpleNamespace

import numpy as np
import pytest
import torch
from torch.utils._python_dispatch import TorchDispatchMode
from torchrun import in_two_processes

import gan_topdis.training.checkpoint as checkpoint_module
from gan_topdis import tensors
from gan_topdis.losses import orthogonalise
from gan_topdis.training import (
    Batches,
    Compute,
    CSVLog,
    apply_gradients,
    gradients_of,
    load_checkpoint,
    save_checkpoint,
    start_compute,
    train,
)
from gan_topdis.training.csv_log import read_log


class Regression:
    """y = 3 x by Adam on batches of four, gradients averaged over processes."""

    def __init__(self, compute: Compute) -> None:
        self.compute = compute
        self.x = torch.linspace(-1, 1, 24)[:, None]
        self.weight = torch.zeros(1, 1, requires_grad=True)
        self.optimizer = torch.optim.Adam([self.weight], lr=0.1)
        self.batches = Batches(24, 4, 0, rank=compute.rank, world_size=compute.world_size)
        self.stop_at = -1

    def step(self, number, *, log_due):
        if number == self.stop_at:
            os.kill(os.getpid(), signal.SIGTERM)
        x = self.x[torch.from_numpy(self.batches.at(number))]
        loss = (x @ self.weight - 3 * x).square().mean()
        gradients = self.compute.mean(gradients_of(loss, [self.weight]))
        norm = apply_gradients(self.optimizer, [self.weight], gradients)
        return {"loss": float(loss.detach()), "norm": norm}

    def state_dict(self):
        return {"weight": self.weight.detach(), "optimizer": self.optimizer.state_dict()}

    def load_state_dict(self, state):
        with torch.no_grad():
            self.weight.copy_(state["weight"])
        self.optimizer.load_state_dict(state["optimizer"])


@pytest.fixture
def compute():
    return start_compute("cpu")


FEW = {"log_every": 5, "checkpoint_every": 10, "settings": {"seed": 0}}


def test_training_learns_logs_and_tells(tmp_path, compute):
    task, seen = Regression(compute), []
    train(task, 120, compute, outdir=tmp_path, on_progress=seen.append, **FEW)
    assert float(task.weight.detach()) == pytest.approx(3, abs=0.05)
    assert [p.done for p in seen] == list(range(1, 121)) and seen[-1].total == 120
    log = read_log(tmp_path / "log.csv")
    assert log["step"] == list(range(5, 121, 5))
    assert log["loss"][-1] == pytest.approx(seen[-1].logs["loss"], rel=1e-5)
    assert {path.name for path in tmp_path.iterdir()} == {"log.csv", "checkpoint.pt"}


@pytest.mark.parametrize("stop", [16, 19])
def test_interrupted_and_resumed_equals_uninterrupted(tmp_path, compute, stop):
    whole = Regression(compute)
    train(whole, 40, compute, outdir=tmp_path / "whole", **FEW)
    first = Regression(compute)
    first.stop_at = stop
    with pytest.raises(KeyboardInterrupt):
        train(first, 40, compute, outdir=tmp_path / "out", **FEW)
    assert load_checkpoint(tmp_path / "out" / "checkpoint.pt")["step"] == stop + 1
    # a line that the checkpoint does not know, as after a kill, and half of another
    with open(tmp_path / "out" / "log.csv", "a") as file:
        file.write("25,9,9\n30,")
    second = Regression(compute)
    train(second, 40, compute, outdir=tmp_path / "out", resume=True, **FEW)
    assert torch.equal(second.weight, whole.weight)
    assert (tmp_path / "out" / "log.csv").read_text() == (tmp_path / "whole" / "log.csv").read_text()


def test_resuming_a_finished_run_does_nothing_and_a_longer_one_goes_on(tmp_path, compute):
    train(Regression(compute), 20, compute, outdir=tmp_path, **FEW)
    task = Regression(compute)
    task.stop_at = 5
    told = []
    train(task, 20, compute, outdir=tmp_path, resume=True, on_checkpoint=told.append, **FEW)
    assert told == [20]  # for pictures, which an interruption may have missed
    whole, longer = Regression(compute), Regression(compute)
    train(whole, 30, compute, **FEW)
    train(longer, 30, compute, outdir=tmp_path, resume=True, **FEW)
    assert torch.equal(longer.weight, whole.weight)


def test_a_run_is_not_replaced_by_another(tmp_path, compute):
    train(Regression(compute), 20, compute, outdir=tmp_path, **FEW)
    before = {path.name: path.read_bytes() for path in tmp_path.iterdir()}
    with pytest.raises(ValueError, match="has the checkpoint of a run; resume it, remove it, or use another"):
        train(Regression(compute), 20, compute, outdir=tmp_path, **FEW)
    assert {path.name: path.read_bytes() for path in tmp_path.iterdir()} == before


def test_other_settings_are_refused(tmp_path, compute):
    train(Regression(compute), 10, compute, outdir=tmp_path, **FEW)
    with pytest.raises(ValueError, match="has seed 0, this one 1; use the same settings"):
        train(Regression(compute), 10, compute, outdir=tmp_path, resume=True, settings={"seed": 1})


def test_fewer_steps_than_the_run_has_are_refused(tmp_path, compute):
    train(Regression(compute), 10, compute, outdir=tmp_path, **FEW)
    before = {path.name: path.read_bytes() for path in tmp_path.iterdir()}
    task = Regression(compute)
    with pytest.raises(
        ValueError, match="trained to 10 steps, more than the 9 asked for; ask for at least as"
    ):
        train(task, 9, compute, outdir=tmp_path, resume=True, **FEW)
    assert float(task.weight.detach()) == 0
    assert {path.name: path.read_bytes() for path in tmp_path.iterdir()} == before


def test_a_process_waits_for_the_others_unless_it_failed(monkeypatch):
    called = []
    monkeypatch.setattr("atexit.unregister", lambda function: called.append(f"no {function.__name__}"))
    fabric = SimpleNamespace(barrier=lambda: called.append("waited"))
    compute = Compute(fabric, torch.device("cpu"), 0, 2)
    with pytest.raises(ValueError, match="mine"), compute:
        raise ValueError("mine")
    assert called == ["no _leave"]
    with compute as entered:
        assert entered is compute
    assert called == ["no _leave", "waited"]


def test_a_full_disk_keeps_the_last_checkpoint(tmp_path, compute, monkeypatch):
    path = tmp_path / "checkpoint.pt"
    train(Regression(compute), 10, compute, outdir=tmp_path, **FEW)
    before = path.read_bytes()

    def full(*_, **__):
        raise RuntimeError("[enforce fail at inline_container.cc:664] . unexpected pos 64 vs 0\nmore")

    monkeypatch.setattr(checkpoint_module.torch, "save", full)
    with pytest.raises(OSError, match=r"checkpoint.pt cannot be written: \[enforce fail"):
        train(Regression(compute), 20, compute, outdir=tmp_path, resume=True, **FEW)
    assert path.read_bytes() == before
    assert sorted(p.name for p in tmp_path.iterdir()) == ["checkpoint.pt", "log.csv"]


def test_checkpoints_run_nothing_and_damage_is_told(tmp_path):
    path = tmp_path / "checkpoint.pt"

    class Payload:
        def __reduce__(self):
            return os.mkdir, (str(tmp_path / "ran"),)

    torch.save({"gan_topdis_checkpoint": 1, "x": Payload()}, path)
    with pytest.raises(ValueError, match="is no checkpoint, or a damaged one"):
        load_checkpoint(path)
    assert not (tmp_path / "ran").exists()
    save_checkpoint(path, {"step": 3, "list": [1.5, "a", None, torch.arange(3)]})
    state = load_checkpoint(path)
    assert state["step"] == 3 and state["list"][:3] == [1.5, "a", None]
    path.write_bytes(path.read_bytes()[:100])
    with pytest.raises(ValueError, match="is no checkpoint, or a damaged one"):
        load_checkpoint(path)
    torch.save([1], path)
    with pytest.raises(ValueError, match="no checkpoint of gan_topdis"):
        load_checkpoint(path)
    with pytest.raises(FileNotFoundError):
        load_checkpoint(tmp_path / "none.pt")


def test_batches_are_epochs_of_all_rows_and_shares_of_processes():
    batches = Batches(10, 4, seed=3)
    epochs = [np.concatenate([batches.at(2 * e), batches.at(2 * e + 1)]) for e in range(3)]
    assert all(len(set(rows)) == 8 for rows in epochs)
    assert not np.array_equal(epochs[0], epochs[1])
    # in any order of asking, in any process
    again = [Batches(10, 4, seed=3, rank=rank, world_size=2) for rank in (0, 1)]
    for step in (5, 0, 3):
        shares = [b.at(step) for b in again]
        assert np.array_equal(np.concatenate(shares), batches.at(step))
    assert not np.array_equal(Batches(10, 4, seed=3, stream=1).at(0), batches.at(0))
    with pytest.raises(ValueError, match=r"batch_size should be in 1 .. 10 \(images\), got 11"):
        Batches(10, 11, 0)
    with pytest.raises(ValueError, match="multiple of the 3 processes"):
        Batches(10, 4, 0, world_size=3)


def test_gradients_are_summed_clipped_and_checked():
    a, b, c = (torch.tensor([value], requires_grad=True) for value in (1.0, 2.0, 5.0))
    parameters = [a, b, c]
    first = gradients_of((3 * a).sum(), parameters)
    assert [None if g is None else float(g) for g in first] == [3.0, None, None]
    assert gradients_of(torch.tensor(1.0), parameters) == [None] * 3
    optimizer = torch.optim.SGD(parameters, lr=1.0)
    norm = apply_gradients(optimizer, parameters, first, gradients_of((4 * b).sum(), parameters), clip=1.0)
    assert norm == pytest.approx(5)
    assert [float(p.detach()) for p in parameters] == pytest.approx([1 - 0.6, 2 - 0.8, 5])
    with pytest.raises(ValueError, match="the gradient should be finite"):
        apply_gradients(optimizer, parameters, [torch.tensor([float("nan")]), None, None])
    assert float(a.detach()) == pytest.approx(0.4)
    # a sum within the norm goes to the optimiser as it is, not as a product with 1
    given, seen = [torch.tensor([0.5]), None, None], []
    optimizer.register_step_pre_hook(lambda one, *_: seen.append(one.param_groups[0]["params"][0].grad))
    apply_gradients(optimizer, parameters, given, clip=1.0)
    assert seen[0] is given[0]


def test_devices_without_float64_add_in_float32(monkeypatch):
    """As on Apple's MPS, which is not here: no float64 is made of a gradient."""
    assert tensors.widest_float(torch.device("mps")) == torch.float32
    assert tensors.widest_float(torch.device("cuda")) == torch.float64

    class Refusing(TorchDispatchMode):
        def __torch_dispatch__(self, function, types, arguments=(), named=None):
            made = function(*arguments, **(named or {}))
            assert getattr(made, "dtype", None) != torch.float64, function
            return made

    weight = torch.ones(3, requires_grad=True)
    optimizer = torch.optim.Adam([weight], lr=0.1)
    with Refusing(), pytest.raises(AssertionError):
        apply_gradients(optimizer, [weight], [torch.full((3,), 2.0)])
    for module in ("training.gradients", "losses.gradient_orthogonalisation"):
        monkeypatch.setattr(f"gan_topdis.{module}.widest_float", lambda device: torch.float32)
    with Refusing():
        result = orthogonalise([torch.tensor([1.0, -2.0, 0.0])], [torch.tensor([0.0, 1.0, 0.0])])
        norm = apply_gradients(optimizer, [weight], result.gradients)
    assert result.inner_before == -2 and norm == 1
    # few numbers go to the CPU instead
    monkeypatch.setattr(tensors, "widest_float", lambda device: torch.float32)
    x = torch.full((2,), 0.1, requires_grad=True)
    wide = tensors.as_float64(x)
    assert wide.dtype == torch.float64 and wide.device.type == "cpu"
    assert torch.equal(torch.autograd.grad(wide.sum(), x)[0], torch.ones(2))


def test_unknown_devices_and_precisions():
    with pytest.raises(ValueError, match="precision should be one of 32, mixed, got '16'"):
        start_compute("cpu", "16")
    with pytest.raises(ValueError, match="device should be auto, cpu, cuda or mps"):
        start_compute("tpu")
    if not torch.cuda.is_available():
        with pytest.raises(ValueError, match="finds no CUDA device"):
            start_compute("cuda")


def test_mixed_precision_computes_in_bfloat16():
    with start_compute("cpu", "mixed").autocast():
        assert (torch.ones(2, 2) @ torch.ones(2, 2)).dtype == torch.bfloat16


def test_an_unknown_column_is_refused(tmp_path):
    log = CSVLog(tmp_path / "log.csv")
    log.append(1, {"loss": 1.0})
    with pytest.raises(ValueError, match="other"):
        log.append(2, {"other": 1.0})


SCRIPT = """
import sys
sys.path.insert(0, {tests!r})
from test_training import FEW, Regression
from gan_topdis.training import load_checkpoint, start_compute, train
with start_compute("cpu") as compute:
    assert compute.world_size == 2, compute
    task = Regression(compute)
    task.stop_at = 11 if compute.rank else -1
    try:
        train(task, 30, compute, outdir={out!r}, **FEW)
    except KeyboardInterrupt:
        steps = load_checkpoint({out!r} + "/checkpoint.pt")["step"]  # all wait until it is there
    task = Regression(compute)
    train(task, 30, compute, outdir={out!r}, resume=True, **FEW)
    with open({out!r} + "/weight" + str(compute.rank), "w") as file:
        file.write(f"{{steps}} {{float(task.weight.detach())}}")
"""


def test_two_processes_train_as_one(tmp_path, compute):
    """torchrun with gloo: halves of every batch, averaged gradients; the same weights up to rounding.

    The second process gets a signal in its twelfth step: both stop after it, and go on together.
    """
    script = tmp_path / "script.py"
    script.write_text(SCRIPT.format(tests=str(Path(__file__).parent), out=str(tmp_path / "out")))
    in_two_processes(str(script), timeout=120)
    told = [(tmp_path / "out" / f"weight{rank}").read_text().split() for rank in (0, 1)]
    assert [steps for steps, _ in told] == ["12", "12"]
    weights = [float(weight) for _, weight in told]
    alone = Regression(compute)
    train(alone, 30, compute, **FEW)
    assert weights == pytest.approx([float(alone.weight.detach())] * 2, abs=1e-5)
    assert read_log(tmp_path / "out" / "log.csv")["step"] == [5, 10, 15, 20, 25, 30]


def test_tasks_hear_when_a_log_is_due_and_callers_when_a_checkpoint_was_written(tmp_path, compute):
    class Listening(Regression):
        def step(self, number, *, log_due):
            heard.append(log_due)
            return {**super().step(number, log_due=log_due), "number": float(number)} if log_due else {}

    heard, kept, seen = [], [], []

    def at_checkpoint(done):
        kept.append((done, load_checkpoint(tmp_path / "checkpoint.pt")["step"]))

    train(
        Listening(compute),
        23,
        compute,
        outdir=tmp_path,
        on_progress=seen.append,
        on_checkpoint=at_checkpoint,
        **FEW,
    )
    assert [number for number, due in enumerate(heard, 1) if due] == [5, 10, 15, 20, 23]
    assert kept == [(10, 10), (20, 20), (23, 23)]
    # between logs, the last ones
    assert [p.logs.get("number") for p in seen[3:11]] == [None, 4, 4, 4, 4, 4, 9, 9]
