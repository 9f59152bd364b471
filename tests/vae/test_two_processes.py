"""One run in two processes of torchrun (gloo): weights and what objectives keep are alike in both."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import torch
from torchrun import in_two_processes

from gan_topdis.training.csv_log import read_log
from gan_topdis.vae import OBJECTIVES, fit, load

STEPS = 4
FEW = {
    "steps": STEPS,
    "batch_size": 16,
    "latent": 3,
    "model_options": {"hidden": 8},
    "topdis_weight": 2.0,
    "topdis_start": 1,
    "device": "cpu",
    "log_every": 1,
    "checkpoint_every": 2,
}


def pictures():
    return np.random.default_rng(0).integers(256, size=(40, 1, 16, 16), dtype=np.uint8)


SCRIPT = """
import os, sys
sys.path.insert(0, {tests!r})
import torch
from test_two_processes import FEW, OBJECTIVES, fit, pictures
module = sys.modules["gan_topdis.vae.fit"]  # the package has a function of that name

class Kept(module.VAETask):
    def __init__(self, *arguments, **options):
        super().__init__(*arguments, **options)
        tasks.append(self)

module.VAETask = Kept
for objective in OBJECTIVES:
    tasks = []
    fit(pictures(), objective=objective, **FEW, outdir={out!r} + "/" + objective)
    torch.save(tasks[0].state_dict(), {out!r} + "/" + objective + "/state" + os.environ["RANK"])
"""


def flat(state, name=""):
    """Every tensor and number of a state, by where it stands."""
    if isinstance(state, dict):
        return {k: v for key, part in state.items() for k, v in flat(part, f"{name}.{key}").items()}
    if isinstance(state, list | tuple):
        return {k: v for key, part in enumerate(state) for k, v in flat(part, f"{name}.{key}").items()}
    return {name: state}


def test_states_are_alike_in_both_processes(tmp_path):
    """Networks, discriminators, moments of Adam and the controller, for every objective, with TopDis on; and
    gradients of both took part, since no process alone makes such a model."""
    script = tmp_path / "script.py"
    script.write_text(SCRIPT.format(tests=str(Path(__file__).parent), out=str(tmp_path)))
    in_two_processes(str(script), timeout=300)
    for objective in OBJECTIVES:
        folder = tmp_path / objective
        assert read_log(folder / "log.csv")["step"] == list(range(1, STEPS + 1))
        first, second = (flat(torch.load(folder / f"state{rank}", weights_only=True)) for rank in (0, 1))
        assert first.keys() == second.keys()
        for name, value in first.items():
            alike = (
                torch.equal(value, second[name]) if isinstance(value, torch.Tensor) else value == second[name]
            )
            assert alike, f"{objective}: {name}"
        saved = load(folder / "vae.safetensors").state_dict()
        assert all(torch.equal(value, first[f".vae.{name}"]) for name, value in saved.items())
    # half of each batch with the noise of the first process is not what was trained on
    half = fit(pictures(), objective="vae", **{**FEW, "batch_size": 8})
    both = load(tmp_path / "vae" / "vae.safetensors")
    assert not all(torch.equal(a, b) for a, b in zip(half.parameters(), both.parameters(), strict=True))
