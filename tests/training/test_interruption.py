"""Real signals in the middle of a step: nothing is lost, and nothing half done is kept."""

from __future__ import annotations

import os
import signal
import threading
from importlib import import_module

import numpy as np
import pytest
import torch
from test_training import FEW, Regression

from gan_topdis import gan, vae
from gan_topdis.training import load_checkpoint, start_compute, train
from gan_topdis.training.csv_log import read_log
from gan_topdis.training.interruption import interruption


def send(number=signal.SIGINT):
    os.kill(os.getpid(), number)


class Signalled(Regression):
    """Sends itself signals between the optimiser's step and the end of the task's."""

    def __init__(self, compute, at, *numbers):
        super().__init__(compute)
        self.at, self.numbers = at, numbers

    def step(self, number, *, log_due):
        logs = super().step(number, log_due=log_due)
        if number == self.at:
            for one in self.numbers:
                send(one)
        return logs


@pytest.fixture
def compute():
    return start_compute("cpu")


@pytest.fixture(autouse=True)
def handlers():
    """Those of the tests are there again at the end."""
    before = [signal.getsignal(number) for number in (signal.SIGINT, signal.SIGTERM)]
    yield
    assert [signal.getsignal(number) for number in (signal.SIGINT, signal.SIGTERM)] == before


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
@pytest.mark.parametrize("at", [16, 9, 14])
def test_a_signal_waits_for_the_end_of_the_step(tmp_path, compute, number, at):
    """In a step of no consequence, in one that is kept anyway, and in one that is logged."""
    whole = Regression(compute)
    train(whole, 40, compute, outdir=tmp_path / "whole", **FEW)
    out, seen = tmp_path / "out", []
    with pytest.raises(KeyboardInterrupt):
        train(Signalled(compute, at, number), 40, compute, outdir=out, on_progress=seen.append, **FEW)
    assert load_checkpoint(out / "checkpoint.pt")["step"] == at + 1 == seen[-1].done
    assert read_log(out / "log.csv")["step"] == list(range(5, at + 2, 5))
    resumed = Regression(compute)
    train(resumed, 40, compute, outdir=out, resume=True, **FEW)
    assert torch.equal(resumed.weight, whole.weight)
    assert (out / "log.csv").read_text() == (tmp_path / "whole" / "log.csv").read_text()


def test_a_signal_in_the_last_step_keeps_it_too(tmp_path, compute):
    with pytest.raises(KeyboardInterrupt):
        train(Signalled(compute, 11, signal.SIGINT), 12, compute, outdir=tmp_path, **FEW)
    assert load_checkpoint(tmp_path / "checkpoint.pt")["step"] == 12


def test_a_second_signal_does_not_wait_and_keeps_nothing_half_done(tmp_path, compute):
    with pytest.raises(KeyboardInterrupt):
        train(Signalled(compute, 16, signal.SIGINT, signal.SIGTERM), 40, compute, outdir=tmp_path, **FEW)
    assert load_checkpoint(tmp_path / "checkpoint.pt")["step"] == 10
    whole, resumed = Regression(compute), Regression(compute)
    train(whole, 40, compute, **FEW)
    train(resumed, 40, compute, outdir=tmp_path, resume=True, **FEW)
    assert torch.equal(resumed.weight, whole.weight)


@pytest.mark.parametrize("error", [KeyboardInterrupt, ValueError])
def test_what_a_step_raises_keeps_nothing(tmp_path, compute, error):
    class Failing(Regression):
        def step(self, number, *, log_due):
            logs = super().step(number, log_due=log_due)
            if number == 16:
                raise error
            return logs

    with pytest.raises(error):
        train(Failing(compute), 40, compute, outdir=tmp_path, **FEW)
    assert load_checkpoint(tmp_path / "checkpoint.pt")["step"] == 10


@pytest.mark.parametrize("callback", ["on_progress", "on_checkpoint"])
def test_callers_are_between_steps(tmp_path, compute, callback):
    """What they raise is kept, and a signal while they work lets them finish."""
    ended = []

    def raises(told):
        if getattr(told, "done", told) == 20:
            raise KeyboardInterrupt

    def signals(told):
        if getattr(told, "done", told) == 20:
            send()
            ended.append(told)

    for name, call in (("raises", raises), ("signals", signals)):
        with pytest.raises(KeyboardInterrupt):
            train(Regression(compute), 40, compute, outdir=tmp_path / name, **{callback: call}, **FEW)
        assert load_checkpoint(tmp_path / name / "checkpoint.pt")["step"] == 20
    assert len(ended) == 1


def test_ignored_signals_stay_ignored_and_other_threads_have_none(compute):
    before = signal.signal(signal.SIGINT, signal.SIG_IGN)  # as below nohup
    try:
        task = Signalled(compute, 3, signal.SIGINT)
        train(task, 6, compute, **FEW)
    finally:
        signal.signal(signal.SIGINT, before)
    elsewhere = Regression(compute)
    thread = threading.Thread(target=train, args=(elsewhere, 6, compute), kwargs=FEW)
    thread.start()
    thread.join()
    assert torch.equal(elsewhere.weight, task.weight)


def test_a_signal_that_nobody_looked_at_is_not_lost():
    with pytest.raises(KeyboardInterrupt), interruption() as state:
        send(signal.SIGTERM)
        assert state.asked
    with interruption() as state:
        assert not state.asked


PIXELS = np.random.default_rng(0).integers(256, size=(20, 3, 32, 32), dtype=np.uint8)
TRAININGS = {
    "factor": (
        lambda **options: vae.fit(
            PIXELS[:, :1, ::2, ::2],
            objective="factor",
            objective_options={"width": 16, "depth": 2},
            topdis_weight=1.0,
            topdis_start=2,
            model_options={"hidden": 8},
            batch_size=8,
            latent=3,
            **options,
        ),
        "gan_topdis.vae.training_task",
        7,  # of two a step, the VAE's of step 4
    ),
    "cramer": (
        lambda **options: gan.fit(
            PIXELS, ppm_weight=0.1, ppm_subsamples=32, critic_steps=1, batch_size=8, **options
        ),
        "gan_topdis.gan.cramer_task",
        4,  # of one a step, the generator's of step 4
    ),
    "logistic": (
        lambda **options: gan.fit(
            PIXELS[:, :, ::4, ::4],
            objective="logistic",
            network="stylegan2",
            width=4,
            latent=4,
            batch_size=4,
            **options,
        ),
        "gan_topdis.gan.logistic_task",
        7,  # of two a step, the generator's of step 4
    ),
}


@pytest.mark.parametrize("kind", TRAININGS)
def test_interrupted_between_two_optimisers_and_resumed_equals_uninterrupted(kind, tmp_path, monkeypatch):
    fit, module, call = TRAININGS[kind]
    options = {"steps": 6, "device": "cpu", "seed": 3, "log_every": 2}
    whole = fit(outdir=tmp_path / "whole", **options)
    task = import_module(module)
    original, calls = task.apply_gradients, []

    def signals(*arguments, **named):
        norm = original(*arguments, **named)
        calls.append(norm)
        if len(calls) == call:
            send()
        return norm

    with monkeypatch.context() as patched:
        patched.setattr(task, "apply_gradients", signals)
        with pytest.raises(KeyboardInterrupt):
            fit(outdir=tmp_path / "out", **options)
    assert load_checkpoint(tmp_path / "out" / "checkpoint.pt")["step"] == 4
    assert read_log(tmp_path / "out" / "log.csv")["step"] == [2, 4]
    resumed = fit(outdir=tmp_path / "out", resume=True, **options)
    expected = whole.state_dict()
    assert all(torch.equal(tensor, expected[name]) for name, tensor in resumed.state_dict().items())
    assert (tmp_path / "out" / "log.csv").read_text() == (tmp_path / "whole" / "log.csv").read_text()
