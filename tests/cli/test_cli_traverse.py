"""`gan-topdis traverse`: which pictures it writes, and what it refuses."""

from __future__ import annotations

import json

import numpy as np
import pytest
import torch
from command import contents, error_line, run, tiny_generator, usage_error, use_generator
from PIL import Image

from gan_topdis.directions import Directions
from gan_topdis.generators import from_callable
from gan_topdis.report import to_pixels


@pytest.fixture(autouse=True)
def tiny(monkeypatch):
    generator = tiny_generator()
    use_generator(monkeypatch, generator)
    return generator


@pytest.fixture
def file(tmp_path, tiny):
    """Directions along latents 0 and 1."""
    path = tmp_path / "directions.npz"
    Directions(
        vectors=np.eye(2, 4, dtype=np.float32),
        names=("direction 0", "direction 1"),
        scores=np.array([0.25, 0.5]),
        layers=np.ones((2, 1), dtype=bool),
        scale=np.ones(2, dtype=np.float32),
        w_mean=np.zeros(4, dtype=np.float32),
        space="z",
        score_name="rtd",
        meta={"generator": {"name": "tiny", "fingerprint": tiny.fingerprint}},
    ).save(path)
    return path


def traverse(file, folder, *arguments):
    return run(
        "traverse", "--directions", file, "--outdir", folder, "--seeds", "3,1", "--steps", "3", *arguments
    )


def test_pictures_go_straight_into_outdir(file, tmp_path):
    result = traverse(file, tmp_path / "out")
    assert result.exit_code == 0
    names = ["grid.png", "seed0003.png", "seed0001.png", "dir000.png", "dir001.png"]
    assert result.stdout.splitlines() == [str(tmp_path / "out" / name) for name in names]
    assert contents(tmp_path / "out") == {*names, "run.json"}


def test_unedited_pictures_are_those_of_the_seeds(file, tmp_path, tiny):
    traverse(file, tmp_path / "out")
    expected = to_pixels(tiny.synthesize(tiny.map(tiny.latents([3]))))[0]
    assert np.array_equal(np.asarray(Image.open(tmp_path / "out" / "seed0003.png")), expected)


def test_rows_are_seeds_and_columns_strengths(file, tmp_path, tiny):
    traverse(file, tmp_path / "out", "--max-strength", "2")
    sheet = np.asarray(Image.open(tmp_path / "out" / "dir001.png"))
    places = np.empty((2, 3, 2), dtype=int)
    for row, seed in enumerate((3, 1)):
        for column, strength in enumerate((-2.0, 0.0, 2.0)):
            z = tiny.latents([seed])
            z[0, 1] += strength
            picture = to_pixels(tiny.synthesize(tiny.map(z)))[0].repeat(14, axis=0).repeat(14, axis=1)
            corners = [
                (y, x)
                for y, x in np.argwhere((sheet == picture[0, 0]).all(axis=-1))
                if np.array_equal(sheet[y : y + 112, x : x + 112], picture)
            ]
            assert len(corners) == 1
            places[row, column] = corners[0]
    assert (np.diff(places[..., 1], axis=1) > 112).all() and (np.diff(places[..., 0], axis=1) == 0).all()
    assert (np.diff(places[..., 0], axis=0) > 112).all() and (np.diff(places[..., 1], axis=0) == 0).all()


def test_truncation_moves_pictures_to_the_centre(file, tmp_path, tiny):
    traverse(file, tmp_path / "out", "--trunc", "0")
    centre = to_pixels(tiny.synthesize(torch.zeros(1, 1, 4)))[0]
    assert np.array_equal(np.asarray(Image.open(tmp_path / "out" / "seed0003.png")), centre)


def test_animations(file, tmp_path):
    assert traverse(file, tmp_path / "out", "--media", "gif").exit_code == 0
    assert contents(tmp_path / "out") == {"dir000.gif", "dir001.gif", "run.json"}
    with Image.open(tmp_path / "out" / "dir000.gif") as animation:
        assert animation.n_frames == 48 and animation.size == (256, 128)


def test_names_are_shown_and_saved(file, tmp_path):
    assert traverse(file, tmp_path / "out", "--name", "1=tilt, to the left").exit_code == 0
    saved = Directions.load(tmp_path / "out" / "directions.npz")
    assert saved.names == ("direction 0", "tilt, to the left")
    assert np.array_equal(saved.vectors, Directions.load(file).vectors)


@pytest.mark.parametrize("text", ["tilt", "x=tilt", "1=", "-1=tilt"])
def test_names_need_index_and_text(file, tmp_path, text):
    assert f"should be INDEX=TEXT such as 3=smile, got {text!r}" in usage_error(
        traverse(file, tmp_path / "out", "--name", text)
    )


def test_names_of_directions_that_are_not_there(file, tmp_path):
    line = error_line(traverse(file, tmp_path / "out", "--name", "7=tilt"))
    assert line == "Error: name should be of a direction 0 .. 1, got 7=tilt"


def test_another_network_of_the_same_sizes_is_a_warning(file, tmp_path, tiny, monkeypatch):
    other = tiny_generator(channels=1)
    use_generator(monkeypatch, other)
    result = traverse(file, tmp_path / "out")
    assert result.exit_code == 0
    assert result.stderr == (
        "Warning: these directions were found on another network (tiny, fingerprint "
        f"{tiny.fingerprint[:12]}; this is tiny, {other.fingerprint[:12]}): "
        "they may mean something else here\n"
    )


def test_another_latent_space_is_an_error(file, tmp_path, monkeypatch):
    use_generator(monkeypatch, from_callable(lambda z: z[:, :3, None, None].tanh(), 5, name="wide"))
    line = error_line(traverse(file, tmp_path / "out"))
    assert line == "Error: these directions do not fit wide: w_dim should be 5, got 4"
    assert not (tmp_path / "out").exists()


def test_a_missing_file_is_one_line(tmp_path):
    line = error_line(traverse(tmp_path / "none.npz", tmp_path / "out"))
    assert line == f"Error: no directions file at {tmp_path / 'none.npz'}; gan-topdis discover writes one"


def test_a_file_of_another_kind_is_one_line(tmp_path):
    path = tmp_path / "notes.npz"
    path.write_text("notes")
    assert f"Error: {path} should be a directions .npz" in error_line(traverse(path, tmp_path / "out"))


def test_directions_are_required(tmp_path):
    assert usage_error(run("traverse", "--outdir", tmp_path)) == "Missing option '--directions'."


def test_results_of_discover_are_not_touched(file, tmp_path):
    (tmp_path / "out").mkdir()
    (tmp_path / "out" / "grid.png").write_bytes(b"old")
    assert error_line(traverse(file, tmp_path / "out")) == (
        f"Error: {tmp_path / 'out'} holds grid.png; replace it with --overwrite, or choose another --outdir"
    )
    assert (tmp_path / "out" / "grid.png").read_bytes() == b"old"


@pytest.mark.parametrize("options", [(), ("--overwrite",)])
def test_the_folder_of_the_directions_is_refused(file, tmp_path, options):
    assert error_line(traverse(file, tmp_path, *options)) == (
        "Error: outdir should be another folder than that of the directions file, such as "
        f"{tmp_path / 'traverse'}"
    )
    assert contents(tmp_path) == {"directions.npz"}


def test_media_are_known(file, tmp_path):
    assert "should be of png, gif, got 'mp4'" in usage_error(traverse(file, tmp_path, "--media", "mp4"))


def test_the_record_says_what_was_run(file, tmp_path, tiny):
    traverse(file, tmp_path / "out")
    record = json.loads((tmp_path / "out" / "run.json").read_text())
    assert record["verb"] == "traverse" and record["config"]["directions"] == str(file)
    assert record["network"]["fingerprint"] == tiny.fingerprint
    assert [session["status"] for session in record["sessions"]] == ["complete"]


def test_ctrl_c_ends_with_one_line(file, tmp_path, monkeypatch):
    def pressed(*_):
        raise KeyboardInterrupt

    monkeypatch.setattr("gan_topdis.cli.progress.ProgressDisplay.__call__", pressed)
    assert error_line(traverse(file, tmp_path / "out"), 130) == "Interrupted: nothing more was written"
    record = json.loads((tmp_path / "out" / "run.json").read_text())
    assert record["sessions"][-1]["status"] == "interrupted"
