"""Export, then import, is the identity up to float32, given what the format lacks."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
from format_cases import KEEPS_MEAN, KEEPS_NAMES, LACKS, needed, renamed, some_directions, written

from gan_topdis.directions import Directions
from gan_topdis.directions.formats import FORMATS, NATIVE, formats

WRITTEN = [name for name, format in FORMATS.items() if format.write is not None]


CASES = [
    (name, space)
    for name in WRITTEN
    for space in FORMATS[name].spaces
    if (name, space) != ("steerability", "w")  # becomes w+, see below
]


def test_the_table_of_cases_is_complete():
    assert set(LACKS) == set(WRITTEN)
    assert formats() == (NATIVE, *FORMATS)
    assert set(FORMATS) - set(WRITTEN) == {"warped"}


@pytest.mark.parametrize(("format", "space"), CASES)
def test_export_then_import_is_the_identity(tmp_path, format, space):
    before = some_directions(5, space=space, num_ws=1 if space == "z" else 4)
    after = Directions.read(written(tmp_path, format, before), format, **needed(format, before))
    # one rounding to float32 of a unit vector, and one of its norm
    np.testing.assert_allclose(after.vectors, before.vectors, atol=2e-7)
    np.testing.assert_allclose(after.scale, before.scale, rtol=3e-7)
    np.testing.assert_array_equal(after.layers, before.layers)
    assert (after.space, after.names) == (before.space, before.names)
    if format in KEEPS_MEAN:
        np.testing.assert_array_equal(after.w_mean, before.w_mean)
    else:
        assert np.isnan(after.w_mean).all()
    assert np.isnan(after.scores).all()


@pytest.mark.parametrize("format", WRITTEN)
def test_a_second_round_trip_changes_nothing(tmp_path, format):
    space = FORMATS[format].spaces[-1]
    first = some_directions(space=space)
    second = Directions.read(written(tmp_path, format, first), format, **needed(format, first))
    (tmp_path / "again").mkdir()
    third = Directions.read(written(tmp_path / "again", format, second), format, **needed(format, first))
    np.testing.assert_allclose(third.vectors, second.vectors, atol=2e-7)
    assert third.meta["imported"]["space"] == second.space


@pytest.mark.parametrize("format", [name for name in WRITTEN if name in KEEPS_NAMES])
def test_names_survive(tmp_path, format):
    """As a set: files of a folder come in the order of their names."""
    before = renamed(some_directions(space=FORMATS[format].spaces[-1]), "smile", "age", "pose")
    after = Directions.read(written(tmp_path, format, before), format, **needed(format, before))
    assert sorted(after.names) == ["age", "pose", "smile"]
    for name in before.names:
        row, again = before.names.index(name), after.names.index(name)
        if format in ("ganspace_edit", "gan_latent_discovery"):
            assert row == again
        np.testing.assert_allclose(after.vectors[again], before.vectors[row], atol=2e-7)


def test_files_are_named_after_directions_and_never_collide(tmp_path):
    names = ("../../smile", "smile ", "SMILE", "", "a" * 1000)
    before = renamed(some_directions(5), *names)
    files = before.export(tmp_path / "out", "pti")
    assert {file.parent for file in files} == {tmp_path / "out"}
    assert len({file.name.casefold() for file in files}) == 5
    assert [file.name for file in files[:2]] == ["_.._smile.pt", "smile.pt"]


def test_directions_10_and_2_keep_their_order(tmp_path):
    before = some_directions(12)
    before.export(tmp_path / "out", "interfacegan")
    options = {"space": "w", "layers": before.layers, "order": "after", "scale": before.scale}
    after = Directions.read(tmp_path / "out", "interfacegan", **options)
    assert after.names[9:] == ("direction 9", "direction 10", "direction 11")


def test_signs_of_a_file_are_kept(tmp_path):
    before = some_directions()
    before = replace(before, vectors=-before.vectors)
    path = written(tmp_path, "sefa", before)
    after = Directions.read(path, "sefa", **needed("sefa", before))
    np.testing.assert_allclose(after.vectors, before.vectors, atol=2e-7)


def test_w_directions_become_a_row_per_layer(tmp_path):
    """Strength 1 in raw units moves each chosen layer by the same unit vector, others not at all."""
    layers = np.array([[True, False, True, False]] * 3)
    before = replace(some_directions(), layers=layers)
    path = written(tmp_path, "steerability", before)
    rows = np.load(path / "direction 1.npy")
    np.testing.assert_array_equal(rows, layers[1][:, None] * before.vectors[1])
    after = Directions.read(path, "steerability", order="after", scale=1.0)
    assert after.space == "w+"
    np.testing.assert_array_equal(after.layers, layers)
    np.testing.assert_allclose(after.meta["imported"]["lengths"], [2**0.5] * 3, rtol=1e-6)


def test_native_w_plus_and_pairs_and_unknown_entries(tmp_path):
    before = replace(
        some_directions(space="w+"),
        rtd=np.arange(9.0).reshape(3, 3),
        extra={"from_the_future": np.array([1, 2]), "text": np.array("π")},
    )
    before.export(tmp_path / "d.npz", "native")
    again = Directions.read(tmp_path / "d.npz")
    again.save(tmp_path / "d.npz")
    after = Directions.load(tmp_path / "d.npz")
    assert after.vectors.shape == (3, 4, 5) and (after.w_dim, after.num_ws) == (5, 4)
    np.testing.assert_array_equal(after.vectors, before.vectors)
    np.testing.assert_array_equal(after.rtd, before.rtd)
    assert set(after.extra) == {"from_the_future", "text"}
    assert str(after.extra["text"]) == "π"
    np.testing.assert_array_equal(after.extra["from_the_future"], [1, 2])


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"space": "w"}, r"directions in w should have vectors \(count, w_dim\)"),
        ({"space": "s"}, "space should be one of z, w, w\\+, got 's'"),
        ({"rtd": np.zeros((2, 3))}, r"rtd should have shape \(3, 3\)"),
        ({"extra": {"scale": np.zeros(3)}}, r"other entries than those of the format, got \['scale'\]"),
        ({"layers": np.ones((3, 5), bool)}, r"\(count, num_ws, w_dim\)"),
    ],
)
def test_contradictory_w_plus_directions_are_refused(change, message):
    with pytest.raises(ValueError, match=message):
        replace(some_directions(space="w+"), **change)


def test_format_version_has_to_be_a_number(tmp_path):
    some_directions().save(tmp_path / "d.npz")
    with np.load(tmp_path / "d.npz") as archive:
        arrays = dict(archive)
    for bad in (np.array([1, 1]), np.array("1")):
        np.savez(tmp_path / "bad.npz", **{**arrays, "format_version": bad})
        with pytest.raises(ValueError, match="one whole number as format_version"):
            Directions.load(tmp_path / "bad.npz")


def test_chosen_directions_alone_are_exported(tmp_path):
    before = some_directions()
    before.export(tmp_path / "d.npz", "native", indices=[2, 0])
    np.testing.assert_array_equal(Directions.load(tmp_path / "d.npz").vectors, before.vectors[[2, 0]])
    (file,) = before.export(tmp_path / "smile.pt", "pti", indices=[1])
    assert file == tmp_path / "smile.pt"
    with pytest.raises(ValueError, match="one direction a file, and there are 3: give a folder"):
        before.export(tmp_path / "smile.pt", "pti")
    with pytest.raises(IndexError, match=r"direction should be in 0 \.\. 2, got 3"):
        before.export(tmp_path / "d.npz", "native", indices=[3])
