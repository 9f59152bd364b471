"""`gan-topdis evaluate`: what it prints and writes, and what it refuses."""

from __future__ import annotations

import json

import numpy as np
import pytest
import torch
from command import TINY_SEARCH, contents, error_line, run, tiny_generator, usage_error, use_generator

from gan_topdis.directions import Directions
from gan_topdis.directions.scores import Estimate
from gan_topdis.generators import from_callable
from gan_topdis.report.evaluation import with_error

FEW = ("--points", "16", "--steps", "5", "--feature-size", "8")
FILES = {"scores.json", "report.html", "results.jsonl", "run.json"}


@pytest.fixture(autouse=True)
def tiny(monkeypatch):
    """Latents 0 to 2 change the picture, latent 3 does not."""
    generator = tiny_generator()
    use_generator(monkeypatch, generator)
    return generator


def save(path, vectors, **meta):
    rows = np.asarray(vectors, dtype=np.float32)
    Directions(
        vectors=rows,
        names=tuple(f"direction {index}" for index in range(len(rows))),
        scores=np.zeros(len(rows)),
        layers=np.ones((len(rows), 1), dtype=bool),
        scale=np.ones(len(rows), dtype=np.float32),
        w_mean=np.zeros(rows.shape[1], dtype=np.float32),
        space="z",
        score_name="rtd",
        meta=meta,
    ).save(path)
    return path


@pytest.fixture
def file(tmp_path):
    """Tint, tilt, tint backwards, and nothing."""
    axes = np.eye(4)
    return save(tmp_path / "directions.npz", [axes[0], axes[1], -axes[0], axes[3]])


def evaluate(file, folder, *arguments):
    return run("evaluate", "--directions", file, "--outdir", folder, *FEW, *arguments)


def test_table_files_and_last_line(file, tmp_path):
    result = evaluate(file, tmp_path / "out")
    assert result.exit_code == 0
    assert contents(tmp_path / "out") == FILES
    lines = result.stdout.splitlines()
    columns = "# name t* rtd / random consistency monotone realism at max variance repeats"
    assert " ".join(lines[0].split()) == columns
    assert lines[3].split()[-1] == "0" and " inert " in lines[4]
    text = "\n".join(lines)
    assert "directions, mean of 2 " in text and "random, mean of 16 " in text and "random, spread " in text
    assert "PCA of w: n/a, tiny has no mapping network" in text
    assert "SeFa: n/a, tiny (family callable) has no style weights" in text
    assert "noise only: n/a, tiny has no noise inputs" in text
    assert "n = 16 for t*, rtd," in text and "n = 10000 for variance" in text
    assert "1 of 4 directions change pictures too little within 3 sd: direction 3." in lines
    assert "1 of 4 directions repeat an earlier one: direction 2." in lines
    assert lines[-1].startswith("Best baseline: random, mean rtd ") and lines[-1].endswith(
        ("beaten by more than the error (two standard errors).", ": not beaten.")
    )


def test_records_hold_the_numbers_of_the_table(file, tmp_path):
    result = evaluate(file, tmp_path / "out")
    scores = json.loads((tmp_path / "out" / "scores.json").read_text())
    first = scores["directions"]["rows"][0]["rtd"]
    assert first["n"] == 16 and with_error(Estimate(**first)) in result.stdout
    lines = [json.loads(line) for line in (tmp_path / "out" / "results.jsonl").read_text().splitlines()]
    assert [line["set"] for line in lines] == ["directions"] * 4 + ["random"] * 16
    assert lines[0]["rtd"] == first and lines[3]["inert"] is True
    page = (tmp_path / "out" / "report.html").read_text()
    for text in ("RTD between the edited clouds", "direction 3", "Best baseline: random"):
        assert text in page
    record = json.loads((tmp_path / "out" / "run.json").read_text())
    assert record["verb"] == "evaluate" and record["sessions"][-1]["status"] == "complete"


def test_the_same_seed_gives_the_same_scores(file, tmp_path):
    for name, seed in (("a", 3), ("b", 3), ("c", 4)):
        assert evaluate(file, tmp_path / name, "--seed", seed).exit_code == 0
    a, b, c = (json.loads((tmp_path / name / "scores.json").read_text()) for name in "abc")
    assert a == b
    assert a["directions"]["rows"][0] != c["directions"]["rows"][0]


def test_stability_against_another_file(file, tmp_path):
    axes = np.eye(4)
    first = save(tmp_path / "first.npz", axes[:2])
    other = save(tmp_path / "other.npz", axes[2:])
    result = evaluate(first, tmp_path / "out", "--again", first, "--again", other)
    assert "Stability: 0.50 ±0.50 over 2 other runs (0: the same span, 1: orthogonal)." in result.stdout


def test_restarts_repeat_the_search(tmp_path):
    found = run("discover", "--network", "any", "--outdir", tmp_path / "found", *TINY_SEARCH)
    assert found.exit_code == 0
    result = evaluate(tmp_path / "found" / "directions.npz", tmp_path / "out", "--restarts", "1")
    assert result.exit_code == 0
    stability = json.loads((tmp_path / "out" / "scores.json").read_text())["stability"]
    assert stability["n"] == 1 and 0 <= stability["value"] < 1 and stability["error"] is None


def test_restarts_need_to_know_the_search(file, tmp_path):
    assert error_line(evaluate(file, tmp_path / "out", "--restarts", "1")) == (
        f"Error: {file} does not say by which search its directions were found, so it cannot be restarted; "
        "give what other runs found with --again"
    )
    assert not (tmp_path / "out").exists()


def test_files_that_do_not_fit_are_refused_before_anything_is_written(file, tmp_path, monkeypatch):
    other = save(tmp_path / "other.npz", np.eye(4)[:1])
    assert error_line(evaluate(file, tmp_path / "out", "--again", other)) == (
        "Error: sets of directions should be of equal number and size, got (4, 4) and (1, 4)"
    )
    use_generator(monkeypatch, from_callable(lambda z: z[:, :3, None, None].tanh(), 5, name="wide"))
    line = error_line(evaluate(file, tmp_path / "out"))
    assert line == "Error: these directions do not fit wide: w_dim should be 5, got 4"
    assert error_line(evaluate(tmp_path / "none.npz", tmp_path / "out")) == (
        f"Error: no directions file at {tmp_path / 'none.npz'}; gan-topdis discover writes one"
    )
    assert not (tmp_path / "out").exists()


def test_a_class_is_needed_by_conditional_generators(file, tmp_path, tiny):
    tiny.c_dim = 3
    line = error_line(evaluate(file, tmp_path / "out"))
    assert line == "Error: tiny is conditional: choose a class with --class 0 .. 2"
    assert not (tmp_path / "out").exists()


def test_pictures_that_diverge_end_in_one_line(file, tmp_path, monkeypatch):
    def synthesize(z):
        return torch.where(z.abs() > 6, torch.nan, z)[:, :3, None, None].tanh()

    use_generator(monkeypatch, from_callable(synthesize, 4, name="fragile"))
    line = error_line(evaluate(file, tmp_path / "out", "--max-strength", "9"))
    assert line.startswith("Error: features of pictures should be finite, got NaN or infinity")
    assert json.loads((tmp_path / "out" / "run.json").read_text())["sessions"][-1]["status"] == "failed"


def test_earlier_results_are_kept(file, tmp_path):
    (tmp_path / "out").mkdir()
    (tmp_path / "out" / "scores.json").write_text("old")
    assert "holds scores.json; replace it with --overwrite" in error_line(evaluate(file, tmp_path / "out"))
    assert (tmp_path / "out" / "scores.json").read_text() == "old"


def test_a_dry_run_prints_settings_that_can_be_read_back(file, tmp_path):
    result = evaluate(file, tmp_path / "out", "--seeds", "0-9", "--again", file, "--dry-run")
    assert not (tmp_path / "out").exists()
    (tmp_path / "settings.yaml").write_text(result.stdout)
    again = run("evaluate", "--config", tmp_path / "settings.yaml", "--outdir", tmp_path / "out", "--dry-run")
    assert again.stdout == result.stdout
    assert "seeds: 0-9" in result.stdout and f"- {file}" in result.stdout


@pytest.mark.parametrize(
    ("options", "message"),
    [
        (("--seeds", "6-4"), "a range of seeds should ascend, got 6-4; did you mean 4-6?"),
        (("--points", "7"), "7 is not in the range x>=8"),
        (("--random-directions", "3"), "3 is not in the range x>=16"),
    ],
)
def test_mistakes_of_typing(file, tmp_path, options, message):
    assert message in usage_error(evaluate(file, tmp_path / "out", *options))


def test_too_few_seeds(file, tmp_path):
    assert error_line(evaluate(file, tmp_path / "out", "--seeds", "0-3,0-3")) == (
        "Error: seeds should name at least 8 pictures to score directions by, got 4"
    )


def test_directions_are_required(tmp_path):
    assert usage_error(run("evaluate", "--outdir", tmp_path)) == "Missing option '--directions'."
