"""Which kernels a device gets, and that going to the CPU is said once."""

from __future__ import annotations

import logging

import pytest
import torch

from gan_topdis.persistence import devices
from gan_topdis.persistence.devices import VARIABLE, kernels_for


class OnDevice:
    """As much of a tensor as `kernels_for` looks at, on a device that need not be there."""

    def __init__(self, device: str) -> None:
        self.device = torch.device(device)


@pytest.fixture(autouse=True)
def _nothing_said_or_set(monkeypatch, caplog):
    monkeypatch.setattr(devices, "_said", set())
    monkeypatch.delenv(VARIABLE, raising=False)
    caplog.set_level(logging.WARNING)


def install_triton(monkeypatch: pytest.MonkeyPatch, found: bool) -> None:
    monkeypatch.setattr(devices, "find_spec", lambda name: object() if found and name == "triton" else None)


@pytest.mark.parametrize("installed", [True, False])
def test_cpu_tensors_stay(installed, monkeypatch, caplog):
    install_triton(monkeypatch, installed)
    assert kernels_for(torch.zeros(1)) == "cpu"
    assert caplog.messages == []


def test_cuda_tensors_get_triton(monkeypatch, caplog):
    install_triton(monkeypatch, True)
    assert kernels_for(OnDevice("cuda:1")) == "triton"
    monkeypatch.setenv(VARIABLE, "auto")
    assert kernels_for(OnDevice("cuda:1")) == "triton"
    assert caplog.messages == []


@pytest.mark.parametrize("way", ["variable", "argument"])
def test_triton_can_be_forbidden(way, monkeypatch, caplog):
    install_triton(monkeypatch, True)
    if way == "variable":
        monkeypatch.setenv(VARIABLE, "cpu")
    choice = "cpu" if way == "argument" else None
    assert kernels_for(OnDevice("cuda:0"), choice=choice) == "cpu"
    assert caplog.messages == [
        "persistence of tensors on cuda:0 is computed on the CPU: "
        "Triton is forbidden, by GAN_TOPDIS_KERNELS=cpu or by an argument"
    ]


def test_the_argument_overrules_the_variable(monkeypatch):
    install_triton(monkeypatch, True)
    monkeypatch.setenv(VARIABLE, "cpu")
    assert kernels_for(OnDevice("cuda:0"), choice="auto") == "triton"


def test_each_device_and_reason_is_said_once(monkeypatch, caplog):
    install_triton(monkeypatch, False)
    for device in ("cuda:0", "cuda:0", "cuda:1", "mps", "mps", "cuda:1"):
        assert kernels_for(OnDevice(device)) == "cpu"
    reasons = [message.split(" is computed on the CPU: ") for message in caplog.messages]
    missing = "Triton is not installed; CUDA builds of torch bring it on Linux"
    assert reasons == [
        ["persistence of tensors on cuda:0", missing],
        ["persistence of tensors on cuda:1", missing],
        ["persistence of tensors on mps", "there are no kernels for mps"],
    ]


def test_unknown_choices_are_refused(monkeypatch):
    with pytest.raises(ValueError, match="choice should be one of auto, cpu, got 'gpu'"):
        kernels_for(torch.zeros(1), choice="gpu")
    monkeypatch.setenv(VARIABLE, "numba")
    with pytest.raises(ValueError, match="GAN_TOPDIS_KERNELS should be one of auto, cpu, got 'numba'"):
        kernels_for(torch.zeros(1))


@pytest.mark.cuda
def test_a_real_cuda_tensor_gets_triton():
    assert kernels_for(torch.zeros(1, device="cuda")) == "triton"


def test_a_way_to_the_cpu_of_its_own_is_said_once(caplog):
    for _ in range(2):
        devices.say_cpu(torch.device("cuda:0"), "a reason")
        devices.say_cpu(torch.device("cpu"), "a reason")
    assert caplog.messages == ["persistence of tensors on cuda:0 is computed on the CPU: a reason"]
