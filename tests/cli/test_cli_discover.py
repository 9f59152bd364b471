"""`gan-topdis discover` from end to end, with the real search in small."""

from __future__ import annotations

import errno
import json
import os

import numpy as np
import pytest
from command import TINY_SEARCH, contents, error_line, run, tiny_generator, usage_error, use_generator
from PIL import Image

import gan_topdis.directions
from gan_topdis.directions import Directions, traverse
from gan_topdis.report import to_pixels

OUTPUTS = {"directions.npz", "grid.png", "report.html", "run.json", "results.jsonl"}


@pytest.fixture(autouse=True)
def tiny(monkeypatch):
    generator = tiny_generator()
    use_generator(monkeypatch, generator)
    return generator


def discover(folder, *arguments):
    return run("discover", "--outdir", folder, *TINY_SEARCH, *arguments)


def interrupt_after(monkeypatch, steps: int) -> None:
    """Ctrl-C at a step of the search."""

    def pressed(display, progress):
        if progress.done == steps:
            raise KeyboardInterrupt

    monkeypatch.setattr("gan_topdis.cli.progress.ProgressDisplay.__call__", pressed)


def assert_same_directions(first: Directions, second: Directions) -> None:
    assert first.names == second.names and first.meta == second.meta
    for name in ("vectors", "scores", "layers", "scale", "w_mean"):
        assert np.array_equal(getattr(first, name), getattr(second, name)), name
    assert first.table.keys() == second.table.keys()
    assert all(np.array_equal(first.table[name], second.table[name]) for name in first.table)


def test_everything_is_written_straight_into_outdir(tmp_path):
    result = discover(tmp_path / "out")
    assert result.exit_code == 0 and contents(tmp_path / "out") == OUTPUTS
    found = Directions.load(tmp_path / "out" / "directions.npz")
    assert len(found) == 3 and found.meta["complete"] is True
    assert np.allclose(found.vectors @ found.vectors.T, np.eye(3), atol=1e-5)

    lines = result.stdout.splitlines()
    assert lines[0].split()[:3] == ["#", "name", found.score_name]
    assert [line.split()[0] for line in lines[1:4]] == ["0", "1", "2"]
    assert "3 known factors" in result.stdout
    assert result.stdout.splitlines()[-3:] == [
        str(tmp_path / "out" / name) for name in ("grid.png", "report.html", "directions.npz")
    ]


def test_the_sheet_shows_the_first_seed_along_every_direction(tmp_path, tiny):
    discover(tmp_path)
    found = Directions.load(tmp_path / "directions.npz")
    sheet = np.asarray(Image.open(tmp_path / "grid.png"))
    ws = tiny.map(tiny.latents([0]))
    for index in range(3):
        (row,) = to_pixels(traverse(tiny, found, ws, index=index, strengths=[-3.0, 0.0, 3.0]))
        for picture in row:
            enlarged = picture.repeat(14, axis=0).repeat(14, axis=1)  # 8 pixels to 112
            first = np.argwhere((sheet == enlarged[0, 0]).all(axis=-1))
            assert any(np.array_equal(sheet[y : y + 112, x : x + 112], enlarged) for y, x in first), (index,)


def test_the_record_says_what_was_run(tmp_path, tiny):
    discover(tmp_path, "--seed", "5")
    record = json.loads((tmp_path / "run.json").read_text())
    assert record["verb"] == "discover"
    assert record["config"]["seed"] == 5 and record["config"]["seeds"] == "0,2"
    assert record["network"]["fingerprint"] == tiny.fingerprint
    assert record["command_line"][:2] == ["gan-topdis", "discover"]
    assert [session["status"] for session in record["sessions"]] == ["complete"]


def test_results_hold_the_scores(tmp_path):
    discover(tmp_path)
    found = Directions.load(tmp_path / "directions.npz")
    lines = [json.loads(line) for line in (tmp_path / "results.jsonl").read_text().splitlines()]
    assert [line["direction"] for line in lines] == [0, 1, 2]
    assert [line[found.score_name] for line in lines] == found.scores.tolist()
    assert {line["factor"] for line in lines} <= {"tint", "tilt", "ramp"}


def test_the_same_seed_gives_the_same_directions(tmp_path):
    discover(tmp_path / "a")
    discover(tmp_path / "b")
    assert_same_directions(*(Directions.load(tmp_path / name / "directions.npz") for name in "ab"))


def test_interrupted_and_resumed_equals_uninterrupted(tmp_path, monkeypatch):
    discover(tmp_path / "whole")
    whole = Directions.load(tmp_path / "whole" / "directions.npz")

    steps = 1 + 1 + 3 + 2  # images of the subspace, scoring, one direction, and two steps of the next
    with monkeypatch.context() as patched:
        interrupt_after(patched, steps)
        result = discover(tmp_path / "out")
    assert error_line(result, exit_code=130) == (
        f"Interrupted: 1 of 3 directions are in {tmp_path / 'out'}; continue with: gan-topdis discover "
        f"--outdir {tmp_path / 'out'} {' '.join(TINY_SEARCH)} --resume"
    )
    assert contents(tmp_path / "out") == OUTPUTS - {"results.jsonl"}
    partial = Directions.load(tmp_path / "out" / "directions.npz")
    assert len(partial) == 1 and partial.meta["complete"] is False
    assert "The search was interrupted after 1 direction;" in result.stdout
    assert "The search was interrupted" in (tmp_path / "out" / "report.html").read_text()

    assert discover(tmp_path / "out", "--resume").exit_code == 0
    assert_same_directions(Directions.load(tmp_path / "out" / "directions.npz"), whole)
    for name in ("grid.png", "report.html"):
        assert (tmp_path / "out" / name).read_bytes() == (tmp_path / "whole" / name).read_bytes()
    record = json.loads((tmp_path / "out" / "run.json").read_text())
    assert [session["status"] for session in record["sessions"]] == ["interrupted", "complete"]


def test_interrupted_before_the_first_direction(tmp_path, monkeypatch):
    with monkeypatch.context() as patched:
        interrupt_after(patched, 1)
        result = discover(tmp_path)
    assert error_line(result, exit_code=130).startswith(f"Interrupted: 0 of 3 directions are in {tmp_path};")
    assert contents(tmp_path) == {"run.json"}
    assert discover(tmp_path, "--resume").exit_code == 0
    assert contents(tmp_path) == OUTPUTS


def test_a_complete_run_is_drawn_again_without_a_search(tmp_path, monkeypatch):
    discover(tmp_path)
    before = Directions.load(tmp_path / "directions.npz")
    monkeypatch.setattr(gan_topdis.directions, "discover", None)
    result = discover(tmp_path, "--resume", "--max-strength", "2")
    assert result.exit_code == 0
    assert result.stderr == "All 3 directions were found before; drawing them again.\n"
    assert "+2 sd" in (tmp_path / "report.html").read_text()
    assert_same_directions(Directions.load(tmp_path / "directions.npz"), before)
    assert len((tmp_path / "results.jsonl").read_text().splitlines()) == 3


@pytest.mark.parametrize(
    ("changed", "words"),
    [
        (("--seed", "1"), "has --seed 0, this one 1"),
        (("--restarts", "1"), "has --restarts 2, this one 1"),
        (("--method", "random"), "has --method topdis, this one random"),
    ],
)
def test_resume_with_other_settings_is_refused(tmp_path, changed, words):
    discover(tmp_path)
    assert error_line(discover(tmp_path, "--resume", *changed)) == (
        f"Error: the run to continue {words}; use the same settings, or another --outdir"
    )


def test_resume_on_another_network_is_refused(tmp_path, tiny, monkeypatch):
    discover(tmp_path)
    other = tiny_generator(channels=1)
    use_generator(monkeypatch, other)
    assert error_line(discover(tmp_path, "--resume")) == (
        f"Error: the run to continue is of another network (tiny, fingerprint {tiny.fingerprint[:12]}) "
        f"than this one (tiny, {other.fingerprint[:12]}); use the same settings, or another --outdir"
    )


def test_results_are_not_overwritten_unasked(tmp_path):
    discover(tmp_path)
    before = (tmp_path / "directions.npz").read_bytes()
    assert "of a run that is complete; continue it with --resume" in error_line(discover(tmp_path))
    assert (tmp_path / "directions.npz").read_bytes() == before
    assert discover(tmp_path, "--overwrite", "--count", "2").exit_code == 0
    assert len(Directions.load(tmp_path / "directions.npz")) == 2


def test_dry_run_prints_settings_and_makes_nothing(tmp_path):
    result = discover(tmp_path / "out", "--dry-run", "--class", "3")
    assert result.exit_code == 0 and not (tmp_path / "out").exists()
    assert f"# outdir: {tmp_path / 'out'}\nnetwork: scenes\ncount: 3\n" in result.stdout
    assert "class: 3\n" in result.stdout and "seeds: 0,2\n" in result.stdout


def test_options_win_over_the_settings_file(tmp_path):
    file = tmp_path / "settings.yaml"
    file.write_text("count: 5\nseed: 9\npoints: 20\n")
    result = run("discover", "--outdir", tmp_path, "--config", file, "--count", "6", "-n")
    assert "count: 6\n" in result.stdout  # the default too, when it is typed
    assert "seed: 9\n" in result.stdout and "points: 20\n" in result.stdout
    assert "restarts: " in result.stdout


def test_an_error_in_the_settings_file_is_one_line(tmp_path):
    file = tmp_path / "settings.yaml"
    file.write_text("pionts: 5\n")
    result = run("discover", "--outdir", tmp_path, "--config", file)
    assert error_line(result) == f"Error: {file}: unknown setting 'pionts'; did you mean 'points'?"


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (("--seeds", "6-4"), "a range of seeds should ascend, got 6-4; did you mean 4-6?"),
        (("--steps", "4"), "should be odd, so that strength 0 is shown, got 4"),
        (("--count", "0"), "0 is not in the range x>=1"),
        (("--device", "tpu"), "should be one of auto, cpu, cuda, mps, got 'tpu'"),
        (("--method", "pca"), "'pca' is not one of 'topdis', 'topdis-plain', 'topdis-joint', 'ganspace'"),
    ],
)
def test_wrong_options_are_usage_errors(tmp_path, arguments, words):
    assert words in usage_error(discover(tmp_path / "out", *arguments))
    assert not (tmp_path / "out").exists()


def test_outdir_is_required():
    assert usage_error(run("discover")) == "Missing option '--outdir'."


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (("--layers", "fine"), "this network has one layer, so layers should be all, got 'fine'"),
        (("--trunc-cutoff", "5"), "truncation_cutoff should be in 0 .. 1, got 5"),
    ],
)
def test_refusals_of_the_library_are_one_line_and_leave_no_directory(tmp_path, arguments, words):
    assert error_line(discover(tmp_path / "out", *arguments)) == f"Error: {words}"
    assert not (tmp_path / "out").exists()


def test_more_directions_than_dimensions_is_one_line(tmp_path):
    line = error_line(discover(tmp_path / "out", "--count", "5"))
    assert line == "Error: count should be in 1 .. 4 (w_dim), got 5"
    record = json.loads((tmp_path / "out" / "run.json").read_text())
    assert [session["status"] for session in record["sessions"]] == ["failed"]


def test_a_missing_network_is_one_line(tmp_path, monkeypatch):
    monkeypatch.undo()
    line = error_line(discover(tmp_path / "out", "--network", "absent.pkl"))
    assert line.startswith("Error: there is no file absent.pkl; names without a file: scenes")


def test_pictures_without_a_format_are_refused_before_the_search(tmp_path, monkeypatch):
    use_generator(monkeypatch, tiny_generator(channels=2))
    assert error_line(discover(tmp_path / "out")) == (
        "Error: pictures should have 1 (grey), 3 (RGB) or 4 (RGBA) channels, got 2"
    )


def test_a_class_for_an_unconditional_network_is_ignored_with_a_warning(tmp_path):
    result = discover(tmp_path, "--class", "3")
    assert result.exit_code == 0
    assert result.stderr == "Warning: --class is ignored: tiny is unconditional\n"


def test_a_full_disk_at_the_end_is_one_line_and_keeps_the_directions(tmp_path, monkeypatch):
    def full(*_, **__):
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))

    with monkeypatch.context() as patched:
        patched.setattr(Image.Image, "save", full)
        line = error_line(discover(tmp_path))
    assert line.startswith(
        f"Error: {tmp_path / 'grid.png'}: No space left on device; directions found are in "
        f"{tmp_path / 'directions.npz'}; continue with: gan-topdis discover "
    )
    assert len(Directions.load(tmp_path / "directions.npz")) == 3
    assert discover(tmp_path, "--resume").exit_code == 0
    assert contents(tmp_path) == OUTPUTS


def test_directions_that_cannot_be_saved_go_to_a_temporary_folder(tmp_path, monkeypatch):
    save = Directions.save

    def full(directions, path):
        if str(path).startswith(str(tmp_path / "out")):
            raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC), str(path))
        save(directions, path)

    monkeypatch.setattr(Directions, "save", full)
    monkeypatch.setattr("tempfile.tempdir", str(tmp_path))
    result = discover(tmp_path / "out")
    *warnings, line = result.stderr.strip().splitlines()
    assert result.exit_code == 1
    assert warnings[0].endswith("No space left on device; 1 directions are in memory only")
    spare = line.rpartition("the directions are in ")[2].removesuffix(" instead")
    assert len(Directions.load(spare)) == 3


def test_a_bug_shows_its_traceback(tmp_path, monkeypatch):
    def broken(*_, **__):
        return int("not a number")

    monkeypatch.setattr(gan_topdis.directions, "discover", broken)
    with pytest.raises(ValueError, match="invalid literal"):
        discover(tmp_path)
    assert json.loads((tmp_path / "run.json").read_text())["sessions"][-1]["status"] == "failed"


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (("--method", "sefa"), "tiny (family callable) has no style weights to factorise"),
        (("--warm-start", "sefa"), "tiny (family callable) has no style weights to factorise"),
        (
            ("--feature-layer", "b8"),
            "the feature layer of tiny should be pixels: no inner layer is accessible, got 'b8'",
        ),
    ],
)
def test_what_the_network_cannot_do_is_refused_before_anything_is_written(tmp_path, arguments, message):
    line = error_line(discover(tmp_path / "out", *arguments))
    assert line.startswith(f"Error: {message}")
    assert not (tmp_path / "out").exists()


def test_options_of_the_search_reach_it_and_the_gain_is_told(tmp_path):
    options = {"warm-start": "ganspace", "ppm-weight": 0.5, "temperature": 0.8, "patience": 2, "probes": 64}
    result = discover(tmp_path, *(word for key, value in options.items() for word in (f"--{key}", value)))
    found = Directions.load(tmp_path / "directions.npz")
    for key, value in options.items():
        assert found.meta["options"][key.replace("-", "_")] == value
    gain = found.meta["gain"]
    words = {name: f"{abs(g):.2f} {'lower' if g >= 0 else 'higher'}" for name, g in gain.items()}
    assert (
        f"Their mean log distortion is {words['random']} than that of random directions and "
        f"{words['ganspace']} than that of ganspace directions."
    ) in result.stdout
