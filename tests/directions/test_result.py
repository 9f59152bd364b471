"""Directions files: round trip, and refusal of everything else."""

import json

import numpy as np
import pytest

from gan_topdis.directions import Directions


def some_directions(count=3, w_dim=5, num_ws=4):
    rng = np.random.default_rng(0)
    vectors = rng.normal(size=(count, w_dim))
    return Directions(
        vectors=(vectors / np.linalg.norm(vectors, axis=1, keepdims=True)).astype(np.float32),
        names=tuple(f"direction {i}" for i in range(count)),
        scores=rng.random(count),
        layers=rng.random((count, num_ws)) < 0.5,
        scale=(0.5 + rng.random(count)).astype(np.float32),
        w_mean=rng.normal(size=w_dim).astype(np.float32),
        space="w",
        score_name="distortion",
        table={"consistency": rng.random(count), "found_at": np.arange(count, dtype=float)},
        meta={"seed": 3, "generator": {"name": "π <b>"}},
    )


def test_round_trip_keeps_every_field(tmp_path):
    before = some_directions()
    before.save(tmp_path / "d.npz")
    after = Directions.load(tmp_path / "d.npz")
    for name in ("vectors", "scores", "layers", "scale", "w_mean"):
        np.testing.assert_array_equal(getattr(before, name), getattr(after, name))
        assert getattr(before, name).dtype == getattr(after, name).dtype
    assert (after.names, after.space, after.score_name) == (before.names, "w", "distortion")
    assert after.meta == before.meta
    assert list(after.table) == list(before.table)
    np.testing.assert_array_equal(after.table["consistency"], before.table["consistency"])


def test_file_opens_without_pickle_and_has_the_documented_keys(tmp_path):
    some_directions().save(tmp_path / "d.npz")
    with np.load(tmp_path / "d.npz", allow_pickle=False) as archive:
        assert archive["directions"].shape == (3, 5)
        assert int(archive["format_version"]) == 1
        assert str(archive["space"]) == "w"
        assert json.loads(str(archive["meta"]))["seed"] == 3


def test_a_failed_save_leaves_the_old_file(tmp_path, monkeypatch):
    some_directions().save(tmp_path / "d.npz")
    old = (tmp_path / "d.npz").read_bytes()

    def disk_full(file, **arrays):
        file.write(b"half")
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(np, "savez", disk_full)
    with pytest.raises(OSError, match="No space left"):
        some_directions(count=2).save(tmp_path / "d.npz")
    assert (tmp_path / "d.npz").read_bytes() == old
    assert [path.name for path in tmp_path.iterdir()] == ["d.npz"]


def test_pickled_arrays_are_refused(tmp_path):
    np.savez(tmp_path / "d.npz", directions=np.array([{}], dtype=object))
    with pytest.raises(ValueError, match="without objects inside"):
        Directions.load(tmp_path / "d.npz")


@pytest.mark.parametrize("content", [b"", b"not a zip", b"PK\x03\x04 truncated"])
def test_damaged_files_are_refused(tmp_path, content):
    (tmp_path / "d.npz").write_bytes(content)
    with pytest.raises(ValueError, match=r"should be a directions \.npz"):
        Directions.load(tmp_path / "d.npz")


def test_a_single_array_and_bad_provenance_are_refused(tmp_path):
    np.save(tmp_path / "d.npy", np.zeros((3, 5)))
    with pytest.raises(ValueError, match="it holds a single array"):
        Directions.load(tmp_path / "d.npy")
    some_directions().save(tmp_path / "d.npz")
    with np.load(tmp_path / "d.npz") as archive:
        arrays = dict(archive)
    for bad in ("{", "3"):
        np.savez(tmp_path / "bad.npz", **{**arrays, "meta": np.asarray(bad)})
        with pytest.raises(ValueError, match="provenance in meta as a JSON object"):
            Directions.load(tmp_path / "bad.npz")
    np.savez(tmp_path / "bad.npz", **{**arrays, "score_table": np.zeros((3, 1))})
    with pytest.raises(ValueError, match=r"one column of score_table per name \(2\)"):
        Directions.load(tmp_path / "bad.npz")


def test_missing_file_and_missing_keys(tmp_path):
    with pytest.raises(FileNotFoundError, match="no directions file at"):
        Directions.load(tmp_path / "none.npz")
    np.savez(tmp_path / "d.npz", w=np.zeros((1, 4, 5)))
    with pytest.raises(ValueError, match="missing: format_version, directions"):
        Directions.load(tmp_path / "d.npz")


def test_newer_format_is_refused(tmp_path):
    some_directions().save(tmp_path / "d.npz")
    with np.load(tmp_path / "d.npz") as archive:
        arrays = dict(archive)
    arrays["format_version"] = np.asarray(2)
    np.savez(tmp_path / "d.npz", **arrays)
    with pytest.raises(ValueError, match="reads up to 1; update gan_topdis"):
        Directions.load(tmp_path / "d.npz")


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"vectors": 2 * some_directions().vectors}, "unit rows, got norms 2"),
        ({"names": ("one",)}, "names should have one entry per direction"),
        ({"scale": np.zeros(3, np.float32)}, "scale should be greater than 0"),
        ({"w_mean": np.zeros(4, np.float32)}, "w_mean"),
        ({"vectors": np.full((3, 5), np.nan, np.float32)}, "finite"),
    ],
)
def test_contradictory_fields_are_refused(change, message):
    fields = {**some_directions().__dict__, **change}
    with pytest.raises(ValueError, match=message):
        Directions(**fields)
