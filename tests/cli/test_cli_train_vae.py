"""`gan-topdis train-vae`: files, resume, and what it refuses."""

from __future__ import annotations

import json

import numpy as np
import pytest
import torch
from command import contents, error_line, run, usage_error
from PIL import Image
from torchrun import in_two_processes

import gan_topdis.config.train_vae as settings
from gan_topdis.data import procedural_dsprites
from gan_topdis.training import PRECISIONS
from gan_topdis.vae import OBJECTIVES, latent_traversal, load
from gan_topdis.vae.architectures import WIDTHS
from gan_topdis.vae.training_task import CODES, SAMPLERS

SMALL = (
    *("--resolution", "16", "--every", "1,3,20,16,16", "--latent", "3", "--batch-size", "8"),
    *("--log-every", "2", "--checkpoint-every", "3", "--device", "cpu", "--objective", "beta"),
)
FILES = {
    *("vae.safetensors", "checkpoint.pt", "log.csv", "traversals.png", "reconstructions.png", "codes.npz"),
    *("run.json", "results.jsonl"),
}


def train(folder, *arguments):
    return run("train-vae", *SMALL, "--outdir", folder, *arguments)


def test_names_are_those_of_the_library():
    assert tuple(OBJECTIVES) == settings.OBJECTIVES
    assert tuple(WIDTHS) == settings.ARCHITECTURES
    assert tuple(PRECISIONS) == settings.PRECISIONS
    assert (SAMPLERS, CODES) == (settings.SAMPLERS, settings.CODES)


def test_files_codes_and_words(tmp_path):
    result = train(tmp_path, "--steps", 6, "--topdis-weight", 1, "--topdis-start", 2)
    assert result.exit_code == 0, result.output
    assert contents(tmp_path) == FILES
    data = procedural_dsprites(resolution=16, every=(1, 3, 20, 16, 16))
    assert f"{data.name}: {len(data)} images, 6 steps" in result.stdout
    vae = load(tmp_path / "vae.safetensors")
    with np.load(tmp_path / "codes.npz", allow_pickle=False) as file:
        assert set(file) == {"codes", "factors", "factor_names"}
        with torch.no_grad():
            expected = vae.encode(data.batch(np.arange(len(data)))).numpy()
        np.testing.assert_allclose(file["codes"], expected, atol=1e-6)
        np.testing.assert_array_equal(file["factors"], data.factors)
    for name in ("traversals.png", "reconstructions.png"):
        with Image.open(tmp_path / name) as sheet:
            assert min(sheet.size) > 200
    (line,) = (tmp_path / "results.jsonl").read_text().splitlines()
    assert json.loads(line)["step"] == 6 and json.loads(line)["topdis"] >= 0
    scores = run(
        "metrics", "--codes", tmp_path / "codes.npz", "--only", "mig", "--outdir", tmp_path / "metrics"
    )
    assert scores.exit_code == 0 and scores.stdout.startswith("MIG 0.")


def test_interrupted_and_resumed_equals_uninterrupted(tmp_path, monkeypatch):
    assert train(tmp_path / "whole", "--steps", 8).exit_code == 0
    import gan_topdis.vae.training_task as task

    original = task.VAETask.step

    def stops(self, number, *, log_due):
        if number == 5:
            raise KeyboardInterrupt
        return original(self, number, log_due=log_due)

    with monkeypatch.context() as patched:
        patched.setattr(task.VAETask, "step", stops)
        line = error_line(train(tmp_path / "out", "--steps", 8), exit_code=130)
    assert line.startswith(
        f"Interrupted: a checkpoint is in {tmp_path / 'out'}; continue with: gan-topdis train-vae"
    )
    assert json.loads((tmp_path / "out" / "run.json").read_text())["sessions"][-1]["status"] == "interrupted"
    sheets = ("traversals.png", "reconstructions.png")
    drawn = {name: (tmp_path / "out" / name).read_bytes() for name in sheets}
    assert train(tmp_path / "out", "--steps", 8, "--resume").exit_code == 0
    for name, before in drawn.items():  # those of the checkpoint after 3 steps say so in their titles
        assert before != (tmp_path / "out" / name).read_bytes()
    for name in ("vae.safetensors", "log.csv", "traversals.png"):
        assert (tmp_path / "out" / name).read_bytes() == (tmp_path / "whole" / name).read_bytes(), name
    line = error_line(train(tmp_path / "out", "--steps", 8, "--resume", "--seed", 1))
    assert "has seed 0, this one 1" in line
    other = ("--resume", "--topdis-sampler", "weight_norm", "--topdis-codes", "mean")
    line = error_line(train(tmp_path / "out", "--steps", 8, *other))
    assert "has topdis_codes at its default, this one mean" in line
    line = error_line(train(tmp_path / "out", "--steps", 8, "--resume", "--topdis-interval", 2))
    assert "has topdis_interval at its default, this one 2" in line


@pytest.mark.slow
def test_two_processes_of_torchrun_share_one_run(tmp_path):
    """The first writes and talks, the other helps. Weights: tests/vae/test_two_processes.py."""
    arguments = ("train-vae", *SMALL, "--steps", "4", "--outdir", str(tmp_path / "out"))
    said = in_two_processes("-m", "gan_topdis.cli", *arguments, timeout=180)
    assert said.count("4 steps") == 1
    assert contents(tmp_path / "out") == FILES
    log = (tmp_path / "out" / "log.csv").read_text().splitlines()
    assert [line.split(",")[0] for line in log] == ["step", "2", "4"]


def test_traversals_set_one_coordinate_at_a_time():
    torch.manual_seed(0)
    from gan_topdis.vae import VAE

    vae = VAE(1, 16, 3, hidden=8).eval()
    image, spread = torch.rand(1, 1, 16, 16), torch.tensor([1.0, 2.0, 0.5])
    pictures = latent_traversal(vae, image, spread, [-1.0, 0.0, 2.0])
    assert pictures.shape == (3, 3, 1, 16, 16)
    with torch.no_grad():
        code = vae.encode(image)
        code[0, 1] = 2 * 2.0
        torch.testing.assert_close(pictures[1, 2], vae.decode(code)[0])
    with pytest.raises(ValueError, match="one image and 3 spreads, got 2 and"):
        latent_traversal(vae, torch.rand(2, 1, 16, 16), spread, [0.0])


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (("--data", "nothing.npz"), "every is for data sets that are made"),
        (("--data", "nothing.npz", "--every", ""), "every should be comma-separated steps"),
        (("--every", "1,x"), "every should be comma-separated steps such as 1,1,4,2,2, got '1,x'"),
        (("--objective", "vae", "--beta", 2), "beta is a setting of beta and beta_tc, not of vae"),
        (("--resolution", 20), "resolution should be a power of two from 16, got 20"),
    ],
)
def test_refusals(tmp_path, arguments, message):
    line = error_line(train(tmp_path / "out", *arguments))
    assert message in line


def test_data_that_is_not_there_or_unknown(tmp_path):
    few = ("train-vae", "--outdir", tmp_path / "out", "--data")
    assert "there is no nothing.npz" in error_line(run(*few, "nothing.npz"))
    other = tmp_path / "other.npz"
    np.savez(other, x=1)
    assert "should be a file of dSprites, 3D Shapes or MPI3D" in error_line(run(*few, other))
    assert not (tmp_path / "out").exists()
    assert "is not one of" in usage_error(run(*few, "room-scenes", "--objective", "gan"))
    dry = run(*few, "room-scenes", "--dry-run", "--topdis-weight", 3)
    assert "topdis-weight: 3" in dry.stdout and "data: room-scenes" in dry.stdout


def test_a_folder_of_images(tmp_path):
    folder = tmp_path / "images"
    folder.mkdir()
    for index in range(10):
        Image.new("RGB", (20, 16), (25 * index, 100, 0)).save(folder / f"{index}.png")
    result = run(
        *("train-vae", "--data", folder, "--resolution", 16, "--steps", 2, "--latent", 2, "--device", "cpu"),
        *("--outdir", tmp_path / "out"),
    )
    assert result.exit_code == 0, result.output
    assert "10 images" in result.stdout and "gan-topdis metrics" not in result.stdout
    assert load(tmp_path / "out" / "vae.safetensors").settings["channels"] == 3
