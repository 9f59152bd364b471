"""Training of a GAN: resume, files, several processes, interruptions and full disks, refusals."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import torch
from safetensors.torch import load_file, save_file
from small_gans import some_images
from torchrun import in_two_processes

import gan_topdis.training.checkpoint as checkpoint_module
from gan_topdis.gan import CramerGAN, fit, fresh_scenes, load
from gan_topdis.generators import CheckpointError, load_generator
from gan_topdis.training.csv_log import read_log

FEW = {"steps": 4, "batch_size": 8, "device": "cpu", "log_every": 1, "checkpoint_every": 2}
PPM = {"ppm_weight": 0.1, "ppm_subsamples": 64, "critic_steps": 1}
KINDS = {
    "28": (lambda: some_images(20, 1, 28), PPM),
    "32": (lambda: some_images(20, 3, 32), PPM),
    "stylegan2": (
        lambda: some_images(20, 3, 8),
        {"network": "stylegan2", "width": 4, "latent": 4, **PPM},
    ),
    "logistic": (
        lambda: fresh_scenes(8),
        {"network": "stylegan2", "objective": "logistic", "width": 4, "latent": 4},
    ),
}


def same(a, b):
    states = a.state_dict(), b.state_dict()
    return all(torch.equal(states[0][key], states[1][key]) for key in states[0])


def stop_after(step):
    def callback(progress):
        if progress.done == step:
            raise KeyboardInterrupt

    return callback


@pytest.mark.parametrize("kind", KINDS)
def test_interrupted_and_resumed_equals_uninterrupted(kind, tmp_path):
    """Both networks, the average, moments of Adam, what the log remembers; and the file reopens the same."""
    images, options = KINDS[kind][0](), {**FEW, **KINDS[kind][1], "seed": 3, "average_images": 20.0}
    whole = fit(images, **options, outdir=tmp_path / "whole")
    with pytest.raises(KeyboardInterrupt):
        fit(images, **options, outdir=tmp_path / "out", on_progress=stop_after(3))
    torch.manual_seed(99)  # nothing global matters
    resumed = fit(images, **options, outdir=tmp_path / "out", resume=True)
    assert same(resumed, whole)
    assert (tmp_path / "out" / "log.csv").read_text() == (tmp_path / "whole" / "log.csv").read_text()
    log = read_log(tmp_path / "whole" / "log.csv")
    assert log["step"] == [1, 2, 3, 4] and all(np.isfinite(log["generator_loss"][1:]))
    assert {path.name for path in (tmp_path / "out").iterdir()} == {
        *("gan.safetensors", "generator.safetensors", "checkpoint.pt", "log.csv")
    }
    again = load(tmp_path / "out" / "gan.safetensors")
    assert again.settings == whole.settings and torch.equal(again.sample(3), whole.sample(3))
    network = load_generator(tmp_path / "out" / "generator.safetensors", device="cpu")
    assert network.resolution == (whole.resolution, whole.resolution) and network.z_dim == whole.z_dim
    published = kind in ("28", "32")
    assert (network.num_ws == 1) is published
    z = network.latents([0, 1, 2])
    given = torch.erf(z / 2**0.5) if kind == "32" else z  # uniform from normal: 2 Phi - 1
    with torch.no_grad():
        pictures = whole.generator(given, **({} if published else {"noise_mode": "const"}))
    expected = 2 * pictures - 1 if kind == "28" else pictures
    assert torch.equal(network.synthesize(network.map(z)), expected)


def test_seeds_decide_and_training_learns_from_the_images():
    images, options = KINDS["stylegan2"][0](), {**FEW, **KINDS["stylegan2"][1]}
    first = fit(images, **options)
    assert same(first, fit(images, **options))
    assert not same(first, fit(images, **options, seed=1))
    assert not same(first, fit(255 - images, **options))
    without = fit(images, **{**options, "ppm_weight": 0.0})
    assert not same(first, without)


@pytest.mark.slow
def test_the_generator_moves_towards_a_constant_image():
    """All images white: after 60 steps the mean of the samples has risen from about a half."""
    images = np.full((16, 1, 28, 28), 255, dtype=np.uint8)
    options = {**FEW, "learning_rate": 2e-3, "critic_steps": 2, "average_images": 0.0}
    before = fit(images, **{**options, "steps": 1}).sample(8).mean()
    after = fit(images, **{**options, "steps": 60}).sample(8).mean()
    assert 0.4 < before < 0.6 and after > before + 0.1


def test_callbacks_see_the_model_and_logs(tmp_path):
    images, options = KINDS["stylegan2"][0](), {**FEW, **KINDS["stylegan2"][1]}
    seen = []
    made = fit(images, **options, on_checkpoint=lambda done, gan: seen.append((done, gan.sample(1), gan)))
    assert [done for done, *_ in seen] == [2, 4]
    assert seen[-1][2] is made and not torch.equal(seen[0][1], seen[1][1])
    assert torch.equal(seen[1][1], made.sample(1))


def test_a_full_disk_keeps_the_last_checkpoint(tmp_path, monkeypatch):
    images, options = KINDS["stylegan2"][0](), {**FEW, **KINDS["stylegan2"][1]}
    fit(images, **options, outdir=tmp_path)
    before = (tmp_path / "checkpoint.pt").read_bytes()

    def full(*_, **__):
        raise RuntimeError("[enforce fail at inline_container.cc:664] . unexpected pos 64 vs 0")

    monkeypatch.setattr(checkpoint_module.torch, "save", full)
    with pytest.raises(OSError, match=r"checkpoint.pt cannot be written"):
        fit(images, **{**options, "steps": 6}, outdir=tmp_path, resume=True)
    assert (tmp_path / "checkpoint.pt").read_bytes() == before


def test_mixed_precision_trains():
    images, options = KINDS["28"][0](), {**FEW, **KINDS["28"][1]}
    mixed, full = (fit(images, **options, precision=precision) for precision in ("mixed", "32"))
    assert all(torch.isfinite(p).all() for p in mixed.parameters()) and not same(mixed, full)
    torch.testing.assert_close(mixed.sample(2), full.sample(2), atol=0.05, rtol=0)


@pytest.mark.parametrize(
    ("images", "options", "message"),
    [
        (np.zeros((20, 1, 20, 20)), {}, "take images of 28 or 32 pixels a side, got 20"),
        (np.zeros((20, 1, 28, 32)), {}, "should be square, got 28 x 32"),
        (np.full((20, 1, 28, 28), np.nan), {}, "should be finite, got NaN"),
        (np.full((20, 1, 28, 28), 255.0), {}, r"in \[0, 1\], got 255 to 255; rescale them"),
        (some_images(20, 1, 28), {"batch_size": 7}, "should be even, since losses pair its halves, got 7"),
        (some_images(20, 1, 28), {"batch_size": 30}, r"batch_size should be in 1 .. 20 \(images\), got 30"),
        (some_images(20, 1, 28), {"batch_size": 2, "ppm_weight": 1.0}, "at least 4 images, got 2"),
        (some_images(1, 1, 28), {"batch_size": None}, "at least 2 images, got 0; give more images"),
        (some_images(20, 1, 28), {"ppm_weight": -1.0}, "ppm_weight should be at least 0, got -1.0"),
        (some_images(20, 1, 28), {"learning_rate": 0.0}, "learning_rate should be greater than 0"),
        (some_images(20, 1, 28), {"ppm_weight": 1.0, "ppm_weights": (1.0,)}, "two numbers, lambda_0 and"),
        (some_images(20, 1, 28), {"ppm_weight": 1.0, "ppm_bandwidth": 0.0}, "bandwidth should be"),
        (some_images(20, 1, 28), {"resume": True}, "resume needs the outdir"),
        (some_images(20, 1, 28), {"objective": "logistic"}, "the logistic objective trains stylegan2"),
        (some_images(20, 1, 28), {"objective_options": {"mixing": 1}}, "are those of the logistic"),
    ],
)
def test_refused(images, options, message):
    with pytest.raises(ValueError, match=message):
        fit(images, **{**FEW, **options})


def test_options_of_the_logistic_objective():
    logistic = {**FEW, "objective": "logistic", "network": "stylegan2", "width": 4}
    with pytest.raises(ValueError, match="ppm_weight is of the cramer objective"):
        fit(some_images(8, 1, 8), **logistic, ppm_weight=1.0)
    with pytest.raises(ValueError, match=r"mixing should be a probability, got 1\.5"):
        fit(some_images(8, 1, 8), **logistic, objective_options={"mixing": 1.5})
    with pytest.raises(ValueError, match="r1_interval should be greater than 0, got 0"):
        fit(some_images(8, 1, 8), **logistic, objective_options={"r1_interval": 0})
    with pytest.raises(TypeError, match="r2"):
        fit(some_images(8, 1, 8), **logistic, objective_options={"r2": 1})


def test_an_image_that_is_damaged_later_is_told_when_it_is_read():
    images = np.zeros((20, 1, 28, 28))
    images[5:] = np.nan
    with pytest.raises(ValueError, match="images should be finite"):
        fit(images, **FEW)


def test_other_settings_are_refused_on_resume(tmp_path):
    images, options = KINDS["stylegan2"][0](), {**FEW, **KINDS["stylegan2"][1]}
    fit(images, **options, outdir=tmp_path)
    with pytest.raises(ValueError, match=r"has gradient_penalty 10\.0, this one 5\.0"):
        fit(images, **options, gradient_penalty=5.0, outdir=tmp_path, resume=True)
    with pytest.raises(ValueError, match="the run to continue has images_sha256"):
        fit(255 - images, **options, outdir=tmp_path, resume=True)


def test_generator_files_that_are_damaged(tmp_path):
    gan, path = CramerGAN(1, 28), tmp_path / "generator.safetensors"
    gan.save_generator(path)
    tensors, key = load_file(path), "gan_topdis.cramer_generator"
    good = '{"resolution": 28, "channels": 1, "latent": 64}'

    def message(content, metadata):
        save_file(content, path, metadata={key: metadata})
        with pytest.raises(CheckpointError) as error:
            load_generator(path, device="cpu")
        return str(error.value)

    assert "settings under gan_topdis.cramer_generator are damaged (JSONDecodeError" in message(tensors, "{")
    assert "are damaged (KeyError" in message(tensors, "{}")
    assert "a size is not one of these networks'" in message(tensors, good.replace("28", "64"))
    assert "sizes should be whole numbers" in message(tensors, good.replace("64", "64.0"))
    assert "dense.0.weight should have shape (128, 32)" in message(tensors, good.replace("64", "32"))
    assert "its tensors are not those of its settings: 'dense.0.bias'" in message(
        {name: tensor for name, tensor in tensors.items() if name != "dense.0.bias"}, good
    )
    assert "dense.0.bias holds NaN or infinity" in message(
        {**tensors, "dense.0.bias": torch.full((128,), torch.nan)}, good
    )
    gan.save_generator(path)
    assert load_generator(path, device="cpu").family == "cramer-gan"
    with pytest.raises(ValueError, match="holds no GAN of gan_topdis"):
        load(path)


def test_style_weights_are_the_first_layer(tmp_path):
    for channels, resolution in ((1, 28), (3, 32)):
        gan = CramerGAN(channels, resolution)
        gan.save_generator(tmp_path / "g.safetensors")
        (weight,) = load_generator(tmp_path / "g.safetensors", device="cpu").style_weights()
        dense = gan.generator.dense
        assert torch.equal(weight, dense.weight if resolution == 32 else dense[0].weight)


SCRIPT = """
import os
import sys
import torch
sys.path.insert(0, {tests!r})
from test_gan_fit import FEW, KINDS
from gan_topdis.gan import fit
kind = {kind!r}
gan = fit(KINDS[kind][0](), **FEW, **KINDS[kind][1], outdir={out!r})
torch.save(gan.state_dict(), {out!r} + "/weights" + os.environ["RANK"])
"""


@pytest.mark.slow
@pytest.mark.parametrize("kind", ["32", "logistic"])
def test_two_processes_share_a_run(tmp_path, kind):
    """torchrun with gloo: weights are alike in both, averaged over halves of each batch.

    Losses pair halves of each process' share, so that the run is not that of one process.
    """
    script = tmp_path / "script.py"
    script.write_text(SCRIPT.format(tests=str(Path(__file__).parent), out=str(tmp_path / "out"), kind=kind))
    in_two_processes(str(script), timeout=180)
    assert read_log(tmp_path / "out" / "log.csv")["step"] == [1, 2, 3, 4]
    first, second = (torch.load(tmp_path / "out" / f"weights{rank}", weights_only=True) for rank in (0, 1))
    saved = load(tmp_path / "out" / "gan.safetensors").state_dict()
    for name, tensor in first.items():
        assert torch.equal(tensor, second[name]) and torch.equal(tensor, saved[name]), name
