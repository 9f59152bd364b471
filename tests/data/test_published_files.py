"""Readers of dSprites, 3D Shapes and MPI3D on small files of the published layout, right and wrong."""

from __future__ import annotations

import os
import pickle
import zipfile
from pathlib import Path

import h5py
import numpy as np
import pytest

from gan_topdis.data import extract_npy, read_dsprites, read_mpi3d, read_shapes3d
from gan_topdis.data.factor_grid import grid_factors

DSPRITES_SIZES = (3, 2, 1, 2, 2)
SHAPES3D_SIZES = (2, 1, 2, 2, 1, 3)
MPI3D_SIZES = (2, 1, 2, 1, 1, 2, 2)
DSPRITES_FILE = "dsprites_ndarray_co1sh3sc6or40x32y32_64x64.npz"


def pictures(n: int, *shape: int, levels: int = 256) -> np.ndarray:
    return np.random.default_rng(n).integers(levels, size=(n, *shape), dtype=np.uint8)


class Executes:
    """Would leave a folder behind if it were unpickled."""

    def __init__(self, path: Path) -> None:
        self.path = path

    def __reduce__(self):
        return os.mkdir, (str(self.path),)


@pytest.fixture
def dsprites(tmp_path) -> dict[str, np.ndarray]:
    """The arrays of the published file, small."""
    return {
        "imgs": pictures(24, 64, 64, levels=2),
        "latents_classes": np.insert(grid_factors(DSPRITES_SIZES), 0, 0, axis=1),
        "latents_values": np.zeros((24, 6)),
        "metadata": np.array(Executes(tmp_path / "executed"), dtype=object),
    }


def test_dsprites(tmp_path, dsprites):
    np.savez_compressed(tmp_path / DSPRITES_FILE, **dsprites)
    data = read_dsprites(tmp_path, factor_sizes=DSPRITES_SIZES)
    assert data.factor_names == ("shape", "scale", "orientation", "x", "y")
    assert np.array_equal(data.factors, grid_factors(DSPRITES_SIZES))
    assert np.array_equal(data.images[:, 0], dsprites["imgs"])
    assert set(np.unique(data.batch([0, 5]))) == {0.0, 1.0}
    assert not (tmp_path / "executed").exists()
    with pytest.raises(ValueError, match="Python objects"):  # the trap is one
        extract_npy(tmp_path / DSPRITES_FILE, "metadata", tmp_path / "metadata.npy")
    pickle.loads(pickle.dumps(Executes(tmp_path / "executed")))
    assert (tmp_path / "executed").exists()  # and would have shown


def test_dsprites_under_another_name_and_from_hdf5(tmp_path, dsprites):
    np.savez(tmp_path / "mine.npz", imgs=dsprites["imgs"])
    with h5py.File(tmp_path / "mine.hdf5", "w") as file:
        file["imgs"] = dsprites["imgs"]
    for name in ("mine.npz", "mine.hdf5"):
        data = read_dsprites(tmp_path / name, factor_sizes=DSPRITES_SIZES)
        assert np.array_equal(data.images[:][:, 0], dsprites["imgs"])


def test_environment_is_searched(tmp_path, dsprites, monkeypatch):
    (tmp_path / "dsprites").mkdir()
    np.savez(tmp_path / "dsprites" / DSPRITES_FILE, **dsprites)
    monkeypatch.delenv("GAN_TOPDIS_DATA", raising=False)
    monkeypatch.setenv("DISENTANGLEMENT_LIB_DATA", str(tmp_path))
    assert len(read_dsprites(factor_sizes=DSPRITES_SIZES)) == 24
    monkeypatch.delenv("DISENTANGLEMENT_LIB_DATA")
    with pytest.raises(FileNotFoundError, match=r"\$GAN_TOPDIS_DATA \(not set\)"):
        read_dsprites()
    monkeypatch.setenv("GAN_TOPDIS_DATA", str(tmp_path / "dsprites"))
    assert len(read_dsprites(factor_sizes=DSPRITES_SIZES)) == 24


def test_extracted_array_is_mapped(tmp_path, dsprites):
    np.savez_compressed(tmp_path / "a.npz", **dsprites)
    extract_npy(tmp_path / "a.npz", "imgs", tmp_path / "a.npy")
    data = read_dsprites(tmp_path / "a.npy", factor_sizes=DSPRITES_SIZES)
    assert isinstance(data.images.base, np.memmap)
    assert np.array_equal(data.images[:, 0], dsprites["imgs"])
    assert sorted(path.name for path in tmp_path.iterdir()) == ["a.npy", "a.npz"]
    with pytest.raises(ValueError, match="should hold labels, got no such key"):
        extract_npy(tmp_path / "a.npz", "labels", tmp_path / "b.npy")


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"imgs": None}, "should hold imgs .24, 64, 64. uint8 .dSprites., got no such key"),
        ({"imgs": pictures(23, 64, 64, levels=2)}, r"got \(23, 64, 64\) uint8"),
        ({"imgs": np.zeros((24, 64, 64))}, r"got \(24, 64, 64\) float64"),
        ({"imgs": pictures(24, 64, 64)}, "should be 0 and 1, got values up to 255"),
        ({"imgs": np.zeros((24, 64, 64), np.uint8)}, "got values up to 0"),
        ({"latents_classes": np.zeros((24, 5))}, r"latents_classes \(24, 6\) of numbers"),
        ({"latents_classes": np.zeros((24, 6))}, "latents_classes should be the grid"),
    ],
)
def test_other_content_is_refused(tmp_path, dsprites, change, message):
    arrays = {key: value for key, value in (dsprites | change).items() if value is not None}
    np.savez(tmp_path / "a.npz", **arrays)
    with pytest.raises(ValueError, match=message):
        read_dsprites(tmp_path / "a.npz", factor_sizes=DSPRITES_SIZES)


def test_the_full_size_is_the_default(tmp_path, dsprites):
    np.savez(tmp_path / "a.npz", **dsprites)
    with pytest.raises(ValueError, match=r"should hold imgs \(737280, 64, 64\) uint8"):
        read_dsprites(tmp_path / "a.npz")


@pytest.mark.parametrize("suffix", ["npz", "npy", "h5"])
def test_damaged_files(tmp_path, dsprites, suffix):
    whole = tmp_path / f"whole.{suffix}"
    if suffix == "npz":
        np.savez_compressed(whole, imgs=dsprites["imgs"])
    elif suffix == "npy":
        np.save(whole, dsprites["imgs"])
    else:
        with h5py.File(whole, "w") as file:
            file["imgs"] = dsprites["imgs"]
    content = whole.read_bytes()
    read_dsprites(whole, factor_sizes=DSPRITES_SIZES)
    cut = tmp_path / f"cut.{suffix}"
    for damaged in (content[: len(content) // 2], content[:20], b"", b"<html>not found</html>"):
        cut.write_bytes(damaged)
        with pytest.raises(ValueError, match=r"cut\..* is damaged or of another format"):
            read_dsprites(cut, factor_sizes=DSPRITES_SIZES)


def test_objects_in_place_of_images(tmp_path):
    images = np.empty((24, 64, 64), dtype=object)
    images[:] = Executes(tmp_path / "executed")
    np.savez(tmp_path / "a.npz", imgs=images)
    with pytest.raises(ValueError, match=r"got \(24, 64, 64\) object"):
        read_dsprites(tmp_path / "a.npz", factor_sizes=DSPRITES_SIZES)
    assert not (tmp_path / "executed").exists()


def test_member_shorter_than_its_header_says(tmp_path, dsprites):
    np.save(tmp_path / "imgs.npy", dsprites["imgs"])
    with zipfile.ZipFile(tmp_path / "a.npz", "w") as archive:
        archive.writestr("imgs.npy", (tmp_path / "imgs.npy").read_bytes()[:-1])
    with pytest.raises(ValueError, match=r"a\.npz is damaged"):
        extract_npy(tmp_path / "a.npz", "imgs", tmp_path / "b.npy")
    assert not list(tmp_path.glob("b.npy*"))


@pytest.mark.parametrize(
    ("read", "words"),
    [
        (read_dsprites, (DSPRITES_FILE, "imgs (737280, 64, 64) uint8", "procedural_dsprites()")),
        (read_shapes3d, ("3dshapes.h5", "images (480000, 64, 64, 3) uint8", "room_scenes()")),
        (
            read_mpi3d,
            (
                "real3d_complicated_shapes_ordered.npz",
                "images (1036800, 64, 64, 3) or (460800, 64, 64, 3) uint8",
                "room_scenes()",
            ),
        ),
    ],
)
def test_a_missing_file_says_what_was_expected(tmp_path, read, words):
    with pytest.raises(FileNotFoundError) as caught:
        read(tmp_path)
    for word in (*words, str(tmp_path)):
        assert word in str(caught.value)
    assert "\n" not in str(caught.value)


# --- 3D Shapes ---


@pytest.fixture
def shapes3d(tmp_path) -> Path:
    ranges = (0.9, 0.9, 0.9, 0.5, 3.0, 60.0)
    with h5py.File(tmp_path / "3dshapes.h5", "w") as file:
        file.create_dataset("images", data=pictures(24, 64, 64, 3), chunks=(5, 64, 64, 3), compression="gzip")
        file["labels"] = grid_factors(SHAPES3D_SIZES) * np.array(ranges) - 0.25
    return tmp_path / "3dshapes.h5"


@pytest.mark.parametrize("rows", [[5], [7, 2, 7, 23, 0], list(range(3, 9)), []])
def test_shapes3d_rows_are_read_on_access(shapes3d, rows):
    data = read_shapes3d(shapes3d, factor_sizes=SHAPES3D_SIZES)
    assert not isinstance(data.images, np.ndarray)
    assert data.images.shape == (24, 3, 64, 64)
    expected = pictures(24, 64, 64, 3)[rows].transpose(0, 3, 1, 2)
    assert np.array_equal(data.images[rows], expected)
    assert np.array_equal(data.images[np.array(rows, int)], expected)
    # as workers of a DataLoader get it
    assert np.array_equal(pickle.loads(pickle.dumps(data)).images[rows], expected)


def test_shapes3d_other_copies(tmp_path):
    images = pictures(24, 64, 64, 3)
    np.save(tmp_path / "3dshapes_imgs.npy", images)
    np.savez(tmp_path / "lib.npz", images=images.reshape(*SHAPES3D_SIZES, 64, 64, 3))
    for path in (tmp_path, tmp_path / "lib.npz"):
        data = read_shapes3d(path, factor_sizes=SHAPES3D_SIZES)
        assert np.array_equal(data.images, images.transpose(0, 3, 1, 2))
        assert data.batch([3]).max() <= 1


def test_shapes3d_in_another_order_is_refused(shapes3d):
    with h5py.File(shapes3d, "r+") as file:
        file["labels"][...] = file["labels"][:][::-1]
    with pytest.raises(ValueError, match=r"labels should be the grid of \(2, 1, 2, 2, 1, 3\)"):
        read_shapes3d(shapes3d, factor_sizes=SHAPES3D_SIZES)


def test_shapes3d_without_h5py(shapes3d, monkeypatch):
    monkeypatch.setitem(__import__("sys").modules, "h5py", None)
    with pytest.raises(ModuleNotFoundError, match=r"pip install 'gan_topdis\[data\]'"):
        read_shapes3d(shapes3d, factor_sizes=SHAPES3D_SIZES)


# --- MPI3D ---


def test_mpi3d(tmp_path):
    images = pictures(16, 64, 64, 3)
    np.savez(tmp_path / "real3d_complicated_shapes_ordered.npz", images=images)
    data = read_mpi3d(tmp_path, factor_sizes=MPI3D_SIZES)
    assert np.array_equal(data.images, images.transpose(0, 3, 1, 2))
    assert data.name == "MPI3D (real3d_complicated_shapes_ordered)"
    assert data.factor_names[0] == "colour"
    np.savez(tmp_path / "mpi3d_toy.npz", images=images)
    with pytest.raises(ValueError, match=r"one version of MPI3D, got mpi3d_toy\.npz, real3d_complicated"):
        read_mpi3d(tmp_path, factor_sizes=MPI3D_SIZES)
    assert read_mpi3d(tmp_path / "mpi3d_toy.npz", factor_sizes=MPI3D_SIZES).name == "MPI3D (mpi3d_toy)"


@pytest.mark.parametrize(("n", "sizes"), [(3, (3, 1)), (4, (2, 2))])
def test_sizes_are_told_by_the_number_of_images(tmp_path, n, sizes):
    """As N = 1,036,800 and 460,800 do for MPI3D."""
    from gan_topdis.data.data_file import FileLayout, open_images

    layout = FileLayout("x", ("a.npy",), "images", (2, 2, 3), ((3, 1), (2, 2)), (), "")
    np.save(tmp_path / "a.npy", pictures(n, 2, 2, 3))
    images, found = open_images(layout, tmp_path / "a.npy")
    assert found == sizes
    assert images.shape == (n, 3, 2, 2)
