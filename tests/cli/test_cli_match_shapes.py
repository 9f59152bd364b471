"""`gan-topdis match-shapes`: files, resume, point files, and what it refuses."""

from __future__ import annotations

import json
import os
import signal
import sys

import numpy as np
import pytest
from command import contents, error_line, run, usage_error
from PIL import Image

import gan_topdis.config.match_shapes as settings
from gan_topdis.config import read_config
from gan_topdis.shapes import LOSSES, REGULARIZERS, SHAPES, ShapeMatch
from gan_topdis.shapes.match import LOSS_WEIGHTS
from gan_topdis.shapes.point_file import ENDINGS
from gan_topdis.shapes.regularizers import DEFAULT_WEIGHTS

SMALL = ("--subsamples", 50, "--keep-every", 2, "--checkpoint-every", 2, "--device", "cpu")
FILES = {"shapes.npz", "figure.png", "animation.gif", "checkpoint.pt", "log.csv", "run.json", "results.jsonl"}


@pytest.fixture
def points(tmp_path):
    """A file of 20 points on a circle of radius 100 around (1000, 0)."""
    angles = np.arange(20) * np.pi / 10
    path = tmp_path / "points.csv"
    np.savetxt(path, 100 * np.stack([np.cos(angles) + 10, np.sin(angles)], axis=1), delimiter=",")
    return path


def matching(folder, *arguments):
    return run("match-shapes", *SMALL, "--outdir", folder, *arguments)


def test_choices_are_those_of_the_library():
    assert tuple(SHAPES) == settings.SHAPES and settings.LOSSES == LOSSES
    assert settings.REGULARIZERS == REGULARIZERS and settings.POINT_FILES == ENDINGS


def test_published_settings_are_the_defaults():
    values = read_config("configs/match_shapes.yaml", settings.MatchShapesConfig)
    config = settings.MatchShapesConfig(**values)
    assert config.weights == DEFAULT_WEIGHTS["ppm"] and config.loss_weight == LOSS_WEIGHTS["mmd"]
    plain = settings.MatchShapesConfig(reference="two-circles", loss="mmd")
    for name in ("kernel_width", "width", "subsamples", "steps", "learning_rate", "momentum", "keep_every"):
        assert getattr(config, name) == getattr(plain, name), name


def test_files_of_a_run(tmp_path, points):
    out = tmp_path / "out"
    result = matching(out, "--reference", points, "--steps", 5)
    assert result.exit_code == 0, result.output
    assert contents(out) == FILES | {"curve.csv"}
    kept = ShapeMatch.load(out / "shapes.npz")
    assert kept.steps.tolist() == [0, 2, 4, 5] and kept.clouds.shape == (4, 20, 2)
    # scaled to the size of a unit circle, and what was done is on record
    assert np.linalg.norm(kept.reference, axis=1) == pytest.approx(np.ones(20), abs=1e-5)
    record = json.loads((out / "run.json").read_text())
    assert record["config"]["centre-of-file"] == pytest.approx([1000, 0], abs=1e-3)
    assert record["config"]["size-of-file"] == pytest.approx(100, rel=1e-5)
    rows = (out / "curve.csv").read_text().splitlines()
    assert [row.split(",")[0] for row in rows] == ["step", "0", "2", "4", "5"]
    last = dict(zip(rows[0].split(","), rows[-1].split(","), strict=True))
    assert f"w2_euclidean_h1: {float(last['w2_euclidean_h1']):.4g}" in result.stdout
    with Image.open(out / "animation.gif") as animation:
        assert animation.n_frames == 4
    with Image.open(out / "figure.png") as figure:
        pixels = np.asarray(figure.convert("RGB")).reshape(-1, 3)
    blue = np.array([0x2F, 0x6F, 0xDE])
    assert (pixels == blue).all(axis=1).sum() > 100  # moving points are drawn


def test_resume_gives_the_same_bytes(tmp_path, points):
    whole, out = tmp_path / "whole", tmp_path / "out"
    assert matching(whole, "--reference", points, "--steps", 5).exit_code == 0
    assert matching(out, "--reference", points, "--steps", 2).exit_code == 0
    result = matching(out, "--reference", points, "--steps", 5, "--resume")
    assert result.exit_code == 0, result.output
    for name in ("curve.csv", "figure.png", "animation.gif"):
        assert (out / name).read_bytes() == (whole / name).read_bytes(), name
    line = error_line(matching(out, "--reference", points, "--steps", 5, "--resume", "--seed", 1))
    assert "has seed 0, this one 1" in line or "start_sha256" in line


@pytest.mark.parametrize("at_once", [False, True])
def test_interruption_says_how_to_go_on(tmp_path, points, monkeypatch, at_once):
    from gan_topdis.shapes.matching_task import MatchingTask

    original = MatchingTask.step

    def step(self, number, *, log_due):
        if at_once:
            raise KeyboardInterrupt
        if number == 3:
            os.kill(os.getpid(), signal.SIGINT)
        return original(self, number, log_due=log_due)

    monkeypatch.setattr(MatchingTask, "step", step)
    line = error_line(matching(tmp_path / "out", "--reference", points, "--steps", 5), exit_code=130)
    assert line.startswith(f"Interrupted: {'no' if at_once else 'a'} checkpoint is in {tmp_path / 'out'}; ")
    assert "continue with: gan-topdis match-shapes" in line and line.endswith("--resume")
    monkeypatch.undo()
    assert matching(tmp_path / "out", "--reference", points, "--steps", 5, "--resume").exit_code == 0
    record = json.loads((tmp_path / "out" / "run.json").read_text())
    assert [session["status"] for session in record["sessions"]] == ["interrupted", "complete"]


def test_without_scipy_and_without_curve(tmp_path, points, monkeypatch):
    monkeypatch.setitem(sys.modules, "scipy.optimize", None)
    result = matching(tmp_path / "out", "--reference", points, "--steps", 2, "--no-curve", "--keep-units")
    assert result.exit_code == 0, result.output
    assert contents(tmp_path / "out") == FILES
    assert ShapeMatch.load(tmp_path / "out" / "shapes.npz").reference[0] == pytest.approx([1100, 0])
    line = error_line(matching(tmp_path / "other", "--reference", points, "--steps", 2))
    assert "pip install 'gan_topdis[shapes]'" in line


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (("--reference", "torus"), "reference should be one of circle, two-circles or a file ending in .npy"),
        (("--reference", "absent.csv"), "absent.csv: No such file or directory"),
        (("--weight-h0", 1), "weight-h0 and weight-h1 should be given both or not at all"),
        (
            ("--regularizer", "none", "--weight-h0", 1, "--weight-h1", 1),
            "weight-h0 and weight-h1 are of a regularizer, and there is none",
        ),
        (("--points", 7), "points should be even for loss cramer, which pairs them, got 7"),
    ],
)
def test_refusals(tmp_path, arguments, message):
    assert message in error_line(matching(tmp_path / "out", *arguments))


def test_usage(tmp_path):
    assert "is not one of" in usage_error(matching(tmp_path, "--loss", "hinge"))
    dry = matching(tmp_path / "out", "--dry-run", "--reference", "two-circles")
    assert "reference: two-circles" in dry.stdout and not (tmp_path / "out").exists()
