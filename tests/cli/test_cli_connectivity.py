"""`gan-topdis train-connectivity` and `one-class`: files, tables, resume, and what they refuse."""

from __future__ import annotations

import csv
import json
import os
import signal
from importlib import import_module

import numpy as np
import pytest
import torch
from command import contents, error_line, run, usage_error
from PIL import Image
from torchrun import in_two_processes

import gan_topdis.config.one_class as one_class_settings
import gan_topdis.config.train_connectivity as settings
from gan_topdis.connectivity import auc, load, one_class_report
from gan_topdis.connectivity.branched_linear import BLOCK_INITS
from gan_topdis.connectivity.radius_rules import RULES
from gan_topdis.data import read_image_folder
from gan_topdis.losses.connectivity import OVER_BRANCHES
from gan_topdis.report import one_class_text
from gan_topdis.training import PRECISIONS

FILES = {
    *("autoencoder.safetensors", "checkpoint.pt", "log.csv", "reconstructions.png", "codes.npz"),
    *("run.json", "results.jsonl"),
}
SMALL = (
    *("--resolution", "16", "--grey", "--branches", "4", "--branch-dim", "3", "--batch-size", "8"),
    *("--log-every", "2", "--checkpoint-every", "3", "--device", "cpu"),
)


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    """Bars lying and standing, 14 each, over noise: two classes."""
    root = tmp_path_factory.mktemp("bars")
    rng = np.random.default_rng(0)
    for name in ("lying", "standing"):
        (root / name).mkdir()
        for k in range(14):
            pixels = rng.integers(0, 60, size=(16, 16), dtype=np.uint8)
            pixels[k : k + 3] = 255
            Image.fromarray(pixels if name == "lying" else pixels.T).save(root / name / f"{k:02}.png")
    return root


def train(data, outdir, *arguments):
    return run("train-connectivity", *SMALL, "--data", data, "--outdir", outdir, *arguments)


@pytest.fixture(scope="module")
def trained(folder, tmp_path_factory):
    outdir = tmp_path_factory.mktemp("trained") / "out"
    result = train(folder, outdir, "--steps", 6)
    assert result.exit_code == 0, result.output
    return outdir, result


def test_names_are_those_of_the_library():
    assert settings.OVER_BRANCHES == OVER_BRANCHES and settings.BLOCK_INITS == BLOCK_INITS
    assert tuple(PRECISIONS) == settings.PRECISIONS and one_class_settings.RULES == RULES


def test_files_codes_and_words(folder, trained):
    outdir, result = trained
    assert contents(outdir) == FILES
    assert "28 images, 6 steps" in result.stdout and "mean_edge" in result.stdout
    assert f"gan-topdis one-class --model {outdir / 'autoencoder.safetensors'}" in result.stdout
    model, data = load(outdir / "autoencoder.safetensors"), read_image_folder(folder, size=16, grey=True)
    with np.load(outdir / "codes.npz", allow_pickle=False) as file, torch.no_grad():
        expected = model.encode(data.batch(np.arange(28))).numpy()
        np.testing.assert_allclose(file["codes"], expected, atol=1e-5)
        assert file["branches"] == 4 and file["factor_names"].tolist() == ["folder"]
        np.testing.assert_array_equal(file["factors"], data.factors)
    with Image.open(outdir / "reconstructions.png") as sheet:
        assert min(sheet.size) > 200
    (line,) = (outdir / "results.jsonl").read_text().splitlines()
    assert json.loads(line)["step"] == 6 and json.loads(line)["connectivity"] > 0


def test_interrupted_and_resumed_equals_uninterrupted(folder, trained, tmp_path, monkeypatch):
    fit = import_module("gan_topdis.connectivity.fit")  # the package has a function of this name
    original = fit.ConnectivityTask.step

    def stops(self, number, **options):
        if number == 4:
            os.kill(os.getpid(), signal.SIGINT)  # the step goes on to its end
        return original(self, number, **options)

    with monkeypatch.context() as patched:
        patched.setattr(fit.ConnectivityTask, "step", stops)
        line = error_line(train(folder, tmp_path / "out", "--steps", 6), exit_code=130)
    assert line.startswith(f"Interrupted: a checkpoint is in {tmp_path / 'out'}; continue with: gan-topdis")
    assert train(folder, tmp_path / "out", "--steps", 6, "--resume").exit_code == 0
    for name in ("autoencoder.safetensors", "log.csv", "reconstructions.png"):
        assert (tmp_path / "out" / name).read_bytes() == (trained[0] / name).read_bytes(), name
    line = error_line(train(folder, tmp_path / "out", "--steps", 6, "--resume", "--weight", 1))
    assert "has weight 20.0, this one 1.0" in line


def test_a_frame_where_sides_are_no_multiple_of_8(folder, tmp_path):
    result = train(folder, tmp_path / "out", "--steps", 1, "--resolution", 12)
    assert result.exit_code == 0 and "framed to 16 x 16" in result.stdout


def test_dry_run_and_refusals(folder, tmp_path):
    dry = train(folder, tmp_path / "out", "--dry-run", "--weight", 3)
    assert "weight: 3" in dry.stdout and "branch-dim: 3" in dry.stdout and not (tmp_path / "out").exists()
    assert "there is no nothing" in error_line(train("nothing", tmp_path / "out"))
    assert "branches should divide the 512 features" in error_line(
        train(folder, tmp_path / "out", "--branches", 7)
    )
    assert "is not in the range" in usage_error(train(folder, tmp_path / "out", "--eta", 0))
    line = error_line(train("cifar10:val", tmp_path / "out"))
    assert "data should be cifar10:train or cifar10:test, got cifar10:val" in line


def test_sets_that_are_not_there(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("GAN_TOPDIS_DATA", str(tmp_path / "mine"))
    for name, file in (("cifar20", "cifar-100-python"), ("tiny-imagenet:val", "tiny-imagenet-200")):
        line = error_line(train(name, tmp_path / "out"))
        assert f"not found: expected {file}" in line and f"in {tmp_path / 'mine'}, data" in line


# --- one-class ---


def one_class(trained, data, outdir, *arguments):
    model = trained[0] / "autoencoder.safetensors"
    return run("one-class", "--model", model, "--data", data, "--outdir", outdir, *arguments, *ONE_CLASS)


ONE_CLASS = ("--resolution", 16, "--grey", "--sizes", "2,5", "--repeats", 3, "--device", "cpu")


def areas_of(outdir):
    return list(csv.DictReader((outdir / "areas.csv").read_text().splitlines()))


def test_areas_of_split_classes(folder, trained, tmp_path):
    result = one_class(trained, folder, tmp_path / "out", "--of-a-class", 6)
    assert result.exit_code == 0, result.output
    assert contents(tmp_path / "out") == {"areas.csv", "one_class.html", "run.json", "results.jsonl"}
    assert "12 references, 12 tests" in result.stdout
    rows = areas_of(tmp_path / "out")
    assert len(rows) == 3 * 2 * 3  # rules, sizes, two classes and their mean
    lines = [json.loads(line) for line in (tmp_path / "out" / "results.jsonl").read_text().splitlines()]
    for rule in RULES:
        assert f"{rule}, radius" in result.stdout
        for n in (2, 5):
            of_both = [row for row in rows if (row["rule"], row["n"]) == (rule, str(n))]
            mean = float(of_both[2]["area"])
            assert mean == pytest.approx(np.mean([float(row["area"]) for row in of_both[:2]]), abs=1e-6)
            (line,) = [line for line in lines if (line["rule"], line["n"]) == (rule, n)]
            assert line["area"] == pytest.approx(mean, abs=1e-6)
            assert f"{mean:.3f} ±" in result.stdout
    page = (tmp_path / "out" / "one_class.html").read_text()
    assert page.count("<h2>") == 3 and f"{float(rows[0]['area']):.3f} ±" in page and "http" not in page


def test_all_tests_of_another_set(folder, trained, tmp_path):
    """The same numbers as the library's from the same codes."""
    result = one_class(
        trained, folder, tmp_path / "out", "--test-data", folder, "--radius", "eta", "--eta", 0.3
    )
    assert result.exit_code == 0 and "28 references" in result.stdout and "28 tests" in result.stdout
    model, data = load(trained[0] / "autoencoder.safetensors"), read_image_folder(folder, size=16, grey=True)
    with torch.no_grad():
        codes = model.encode(data.batch(np.arange(28)))
    labels = data.factors[:, 0]
    alone = one_class_report(
        None, codes, labels, codes, labels, branches=4, radius=0.3, sizes=(2, 5), repeats=3
    )
    rows = areas_of(tmp_path / "out")
    found = [float(row["area"]) for row in rows if row["class"] != "mean"]
    assert found == pytest.approx(alone.per_class.ravel(), abs=1e-6)
    assert "matched, radius" not in result.stdout


def test_text_names_each_radius_once():
    from gan_topdis.connectivity import one_class_by_rule

    codes = torch.arange(20.0)[:, None] * torch.tensor([1.0, 1.0])
    labels = np.arange(20) // 10
    areas = one_class_by_rule(codes, labels, codes, labels, branches=1, rules=("eta",), sizes=(3, 4))
    lines = one_class_text(areas).splitlines()
    assert lines[0] == "eta, radius 2" and lines[1].split() == ["class", "n", "3", "n", "4"]
    assert [line.split()[0] for line in lines[2:]] == ["mean", "0", "1"]
    assert auc([3, 2, 1, 0], [1, 1, 0, 0]) == 1


def test_refusals_of_one_class(folder, trained, tmp_path):
    out = tmp_path / "out"
    assert "Missing option '--data'" in usage_error(run("one-class", "--model", "x", "--outdir", out))
    assert "Missing option '--model'" in usage_error(run("one-class", "--data", "x", "--outdir", out))
    line = error_line(one_class(trained, folder / "lying", out))
    assert "should have classes, a factor named class or folder, got none" in line
    other = run(
        *("one-class", "--model", trained[0] / "autoencoder.safetensors", "--data", folder, "--outdir", out),
        *("--resolution", 16, "--device", "cpu"),
    )
    assert "should have images of shape (1, 16, 16)" in error_line(other)
    assert "sizes should be comma-separated numbers" in error_line(
        run("one-class", "--model", "x", "--data", folder, "--sizes", "5,x", "--outdir", out)
    )
    assert "should be of eta, matched, best" in usage_error(one_class(trained, folder, out, "--radius", "x"))
    assert not out.exists()


@pytest.mark.slow
def test_two_processes_of_torchrun_share_one_run(folder, tmp_path):
    """The first writes and talks, the other helps; tree edges are those of each one's half of the batch."""
    command = ("-m", "gan_topdis.cli", "train-connectivity", *SMALL, "--data", str(folder), "--steps", "4")
    said = in_two_processes(*command, "--outdir", str(tmp_path / "out"), timeout=180)
    assert said.count("4 steps") == 1
    assert contents(tmp_path / "out") == FILES
    assert [line.split(",")[0] for line in (tmp_path / "out" / "log.csv").read_text().splitlines()] == [
        *("step", "2", "4")
    ]
    # without the loss, halves of a batch average to what the whole batch gives, up to rounding
    assert train(folder, tmp_path / "alone", "--steps", 4, "--weight", 0).exit_code == 0
    in_two_processes(*command, "--outdir", str(tmp_path / "halves"), "--weight", "0", timeout=180)
    one, two = (load(tmp_path / name / "autoencoder.safetensors") for name in ("alone", "halves"))
    for a, b in zip(one.parameters(), two.parameters(), strict=True):
        torch.testing.assert_close(a, b, atol=1e-4, rtol=1e-3)
