"""`gan-topdis export` and `gan-topdis import`: files, what they say, and what they refuse."""

from __future__ import annotations

import pickle

import numpy as np
import pytest
import torch
from command import contents, error_line, run, tiny_generator, usage_error, use_generator

from gan_topdis.cli.import_ import READ_FORMATS, WRITTEN_FORMATS
from gan_topdis.directions import Directions
from gan_topdis.directions.formats import FORMATS, NATIVE, formats
from gan_topdis.generators import from_callable


@pytest.fixture(autouse=True)
def tiny(monkeypatch):
    generator = tiny_generator()
    use_generator(monkeypatch, generator)
    monkeypatch.setattr("gan_topdis.directions.formats.deviation.SAMPLES", 500)
    return generator


@pytest.fixture
def file(tmp_path, tiny):
    """Directions along latents 0 and 1 of the tiny network."""
    path = tmp_path / "directions.npz"
    Directions(
        vectors=np.eye(2, 4, dtype=np.float32),
        names=("tint", "tilt"),
        scores=np.array([0.25, 0.5]),
        layers=np.ones((2, 1), dtype=bool),
        scale=np.array([0.5, 2.0], dtype=np.float32),
        w_mean=np.zeros(4, dtype=np.float32),
        space="z",
        score_name="rtd",
        meta={"generator": {"name": "tiny", "fingerprint": tiny.fingerprint}},
    ).save(path)
    return path


def test_the_verbs_offer_every_format():
    assert set(READ_FORMATS) == set(formats())
    assert set(WRITTEN_FORMATS) == {NATIVE, *(name for name, f in FORMATS.items() if f.write is not None)}


def test_export_then_import(file, tmp_path):
    exported = run("export", "--directions", file, "--format", "sefa", "--outdir", tmp_path / "out")
    assert exported.stdout == f"{tmp_path / 'out' / 'sefa.npy'}\n"
    assert exported.stderr.splitlines()[0] == (
        "sefa: not kept: scale, mean, names, layers, scores, provenance"
    )
    imported = run(
        *("import", tmp_path / "out" / "sefa.npy", "--format", "sefa", "--space", "z"),
        *("--scale", "0.5,2", "--name", "1=lean", "--outdir", tmp_path / "in"),
    )
    assert imported.stdout == f"{tmp_path / 'in' / 'directions.npz'}\n"
    assert imported.stderr == (
        f"{tmp_path / 'out' / 'sefa.npy'}: read as sefa: space z, unit raw, edits before truncation, "
        "layers all, standard deviations from the option\n"
    )
    before, after = Directions.load(file), Directions.load(tmp_path / "in" / "directions.npz")
    np.testing.assert_array_equal(after.vectors, before.vectors)
    np.testing.assert_array_equal(after.scale, before.scale)
    assert after.names == ("direction 0", "lean")


def test_an_imported_file_is_drawn_like_the_one_exported(file, tmp_path):
    """The report, the sheet and the tables take directions without scores."""
    run("export", "--directions", file, "--format", "ganspace_edit", "--outdir", tmp_path / "out",
        "--model-name", "tiny", "--output-class", "none")  # fmt: skip
    edit = pickle.loads((tmp_path / "out" / "tilt.pkl").read_bytes())
    assert edit["latent_space"] == "Z" and edit["lat_stdev"] == 2.0
    result = run("import", tmp_path / "out", "--format", "ganspace-edit", "--network", "any",
                 "--out", tmp_path / "d.npz")  # fmt: skip
    assert result.exit_code == 0, result.output
    pictures = []
    for source, folder in ((file, "a"), (tmp_path / "d.npz", "b")):
        result = run("traverse", "--directions", source, "--outdir", tmp_path / folder, "--seeds", "3",
                     "--steps", "3")  # fmt: skip
        assert result.exit_code == 0, result.output
        pictures.append((tmp_path / folder / "seed0003.png").read_bytes())
        assert "grid.png" in contents(tmp_path / folder)
    assert pictures[0] == pictures[1]


def test_sigma_is_measured_on_the_network(tmp_path):
    torch.save(torch.tensor([[0.0, 3.0, 0.0, 4.0]]), tmp_path / "smile.pt")
    np.save(tmp_path / "boundary.npy", np.array([[0.0, 3.0, 0.0, 4.0]]))
    result = run("import", tmp_path / "boundary.npy", "--format", "interfacegan", "--space", "z",
                 "--network", "any", "--out", tmp_path / "d.npz")  # fmt: skip
    assert result.exit_code == 0, result.output
    found = Directions.load(tmp_path / "d.npz")
    np.testing.assert_allclose(found.vectors, [[0, 0.6, 0, 0.8]], atol=1e-7)
    assert found.scale[0] == pytest.approx(1, rel=0.15)  # 500 samples of a standard normal
    assert found.meta["generator"]["name"] == "tiny"
    line = error_line(run("import", tmp_path / "smile.pt", "--format", "pti", "--network", "any",
                          "--out", tmp_path / "e.npz"))  # fmt: skip
    assert "does not fit tiny: it is of space w, and the network has no mapping" in line


def test_one_direction_to_one_file(file, tmp_path):
    result = run("export", "--directions", file, "--format", "interfacegan", "--index", "1",
                 "--out", tmp_path / "tilt.npy")  # fmt: skip
    assert result.stdout == f"{tmp_path / 'tilt.npy'}\n"
    assert np.load(tmp_path / "tilt.npy").tolist() == [[0, 1, 0, 0]]
    line = error_line(run("export", "--directions", file, "--format", "interfacegan",
                          "--out", tmp_path / "both.npy"))  # fmt: skip
    assert "there are 2: give a folder instead of both.npy, or choose one with indices= (--index)" in line
    assert not (tmp_path / "both.npy").exists()


def test_missing_options_are_named(file, tmp_path):
    run("export", "--directions", file, "--format", "sefa", "--outdir", tmp_path)
    line = error_line(run("import", tmp_path / "sefa.npy", "--format", "sefa", "--out", tmp_path / "d.npz"))
    assert line.endswith("sefa.npy does not say its space: give space= (--space), one of z, w, w+")
    line = error_line(
        run("export", "--directions", file, "--format", "ganspace_edit", "--outdir", tmp_path / "g")
    )
    assert line == "Error: ganspace_edit needs model_name= (--model-name)"


def test_existing_files_are_kept(file, tmp_path):
    arguments = ("export", "--directions", file, "--format", "sefa", "--outdir", tmp_path / "out")
    assert run(*arguments).exit_code == 0
    assert "replace what it holds with --overwrite" in error_line(run(*arguments))
    assert run(*arguments, "--overwrite").exit_code == 0
    arguments = ("import", file, "--format", "native", "--out", file)
    assert "directions.npz is there already; replace it with --overwrite" in error_line(run(*arguments))


def test_wrong_network(file, tmp_path, monkeypatch):
    other = from_callable(lambda z: z[:, :1, None, None].expand(-1, 3, 4, 4), 5, name="other")
    use_generator(monkeypatch, other)
    arguments = ("--network", "any", "--out", tmp_path / "x.npz")
    for verb in (("export", "--directions", file), ("import", file)):
        line = error_line(run(*verb, "--format", "native", *arguments))
        assert line == "Error: these directions do not fit other: w_dim should be 5, got 4"


def test_a_hostile_file_is_one_line(tmp_path):
    (tmp_path / "smile.pkl").write_bytes(b"\x80\x04\x8c\x02os\x8c\x06system\x93\x8c\x02id\x85R.")
    result = run("import", tmp_path / "smile.pkl", "--format", "ganspace_edit", "--num-ws", "1",
                 "--out", tmp_path / "d.npz")  # fmt: skip
    assert "it asks Python to use os.system" in error_line(result)
    assert not (tmp_path / "d.npz").exists()


def test_usage(file, tmp_path):
    known = ", ".join(WRITTEN_FORMATS)
    assert usage_error(run("export", "--directions", file, "--format", "stylespace", "--out", "x")) == (
        f"Invalid value for '--format': should be one of {known}, got 'stylespace'"
    )
    assert "should be one of" in usage_error(
        run("export", "--directions", file, "--format", "warped", "--out", "x")
    )
    for places in ((), ("--out", "x", "--outdir", tmp_path)):
        assert usage_error(run("import", file, "--format", "sefa", *places)) == (
            "Give one of '--out' and '--outdir'."
        )
    assert "Missing option '--format'" in usage_error(run("import", file, "--out", "x"))
    assert "number, or one per direction" in usage_error(
        run("import", file, "--format", "sefa", "--scale", "big", "--out", "x")
    )
