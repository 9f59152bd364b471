"""What `--data` names: published sets by name, folder and content, IDX folders, the order of places."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
from command import error_line, run

from gan_topdis.cli import data_set, image_sets
from gan_topdis.cli.data_set import open_data_set
from gan_topdis.config.train_vae import PUBLISHED
from gan_topdis.data import dsprites, mpi3d, packaged, shapes3d
from gan_topdis.vae import load

SIZES = {"dsprites": (3, 2, 1, 2, 2), "3dshapes": (2, 1, 2, 2, 1, 3), "mpi3d": (2, 1, 2, 1, 1, 2, 2)}
MODULES = {"dsprites": dsprites, "3dshapes": shapes3d, "mpi3d": mpi3d}


def opened(name):
    return open_data_set(str(name), resolution=16, every=None, grey=False)


@pytest.fixture
def small(monkeypatch, tmp_path):
    """Published sets of few images; nothing is found by the environment; the folder is an empty one."""

    def sets():
        return {
            name: (
                replace(module.LAYOUT, sizes=(SIZES[name],)),
                lambda path, read=read, sizes=SIZES[name]: read(path, factor_sizes=sizes),
            )
            for name, (module, read) in {
                "dsprites": (dsprites, dsprites.read_dsprites),
                "3dshapes": (shapes3d, shapes3d.read_shapes3d),
                "mpi3d": (mpi3d, mpi3d.read_mpi3d),
            }.items()
        }

    monkeypatch.setattr(data_set, "_published_sets", sets)
    for variable in ("GAN_TOPDIS_DATA", "DISENTANGLEMENT_LIB_DATA"):
        monkeypatch.delenv(variable, raising=False)
    (tmp_path / "here").mkdir()
    monkeypatch.chdir(tmp_path / "here")


def write(path, name):
    """The array of a published set, small, as .npz or .npy."""
    layout = MODULES[name].LAYOUT
    images = np.random.default_rng(0).integers(2, size=(24, *layout.image_shape), dtype=np.uint8)
    images = images[: np.prod(SIZES[name])]
    path.parent.mkdir(exist_ok=True)
    if path.suffix == ".npy":
        np.save(path, images)
    else:
        np.savez(path, **{layout.key: images})
    return path


def test_names_are_all_there():
    assert tuple(data_set._published_sets()) == PUBLISHED


@pytest.mark.parametrize("name", PUBLISHED)
@pytest.mark.parametrize("place", ["variable", "disentanglement_lib", "here"])
def test_published_sets_by_name(small, tmp_path, monkeypatch, name, place):
    layout = MODULES[name].LAYOUT
    (file,) = [file for file in layout.files if file.endswith(".npz")][:1]
    folder = {"variable": "a", "disentanglement_lib": layout.folders[0], "here": "here/data"}[place]
    write(tmp_path / folder / file, name)
    if place == "variable":
        monkeypatch.setenv("GAN_TOPDIS_DATA", str(tmp_path / "a"))
    elif place == "disentanglement_lib":
        monkeypatch.setenv("DISENTANGLEMENT_LIB_DATA", str(tmp_path))
    data = opened(name)
    assert data.factor_names == MODULES[name].FACTOR_NAMES and data.factor_sizes == SIZES[name]
    assert opened(tmp_path / folder).name == data.name  # the folder by its path


@pytest.mark.parametrize("name", PUBLISHED)
@pytest.mark.parametrize("file", ["mine.npz", "mine.npy"])
def test_files_are_known_by_their_headers(small, tmp_path, name, file):
    data = opened(write(tmp_path / file, name))
    assert data.factor_names == MODULES[name].FACTOR_NAMES


def test_a_damaged_file_of_a_published_name_says_so(small, tmp_path):
    for file in ("dsprites.npz", "real3d_complicated_shapes_ordered.npz"):
        path = tmp_path / file
        path.write_bytes(b"PK nothing")
        with pytest.raises(ValueError, match=f"{file} is damaged or of another format"):
            opened(path)


def test_what_is_missing_names_itself_with_key_and_shape(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("GAN_TOPDIS_DATA", str(tmp_path / "elsewhere"))
    line = error_line(run("train-vae", "--data", "3dshapes", "--outdir", tmp_path / "out"))
    for words in (
        "3D Shapes not found: expected 3dshapes.h5 or",
        "with images (480000, 64, 64, 3) uint8",
        f"{tmp_path / 'elsewhere'}",
        f"{tmp_path / 'data'} was searched too",
    ):
        assert words in line
    assert not (tmp_path / "out").exists()


def idx(path, array):
    path.parent.mkdir(exist_ok=True)
    header = bytes([0, 0, 8, array.ndim]) + np.array(array.shape, dtype=">u4").tobytes()
    path.write_bytes(header + array.tobytes())


def fashion(folder, count=12):
    idx(folder / "train-images-idx3-ubyte", np.full((count, 28, 28), 200, np.uint8))
    idx(folder / "train-labels-idx1-ubyte", np.arange(count, dtype=np.uint8) % 3)
    return folder


def test_an_idx_folder_and_a_frame_for_a_vae(tmp_path):
    folder = fashion(tmp_path / "letters")
    data = opened(folder)
    assert (data.images.shape, data.name, data.factor_names) == ((12, 1, 28, 28), "letters train", ("class",))
    few = ("--steps", 1, "--latent", 2, "--batch-size", 4, "--device", "cpu", "--objective", "vae")
    result = run("train-vae", "--data", folder, *few, "--outdir", tmp_path / "out")
    assert result.exit_code == 0, result.output
    assert "letters train, framed to 32 x 32: 12 images" in result.stdout
    assert load(tmp_path / "out" / "vae.safetensors").settings["resolution"] == 32


def test_the_variable_goes_before_the_folder_of_the_package(tmp_path, monkeypatch):
    for folder in ("system", "mine"):
        (tmp_path / folder).mkdir()
        (tmp_path / folder / "train-images-idx3-ubyte.gz").touch()
    monkeypatch.setitem(packaged.SYSTEM_FOLDERS, "fashion-mnist", str(tmp_path / "system"))
    monkeypatch.delenv("GAN_TOPDIS_DATA", raising=False)
    for find in (
        lambda: data_set._package("fashion-mnist").parent,
        lambda: image_sets._place("fashion-mnist"),
    ):
        assert find() == tmp_path / "system"
        with monkeypatch.context() as told:
            told.setenv("GAN_TOPDIS_DATA", str(tmp_path / "mine"))
            assert find() == tmp_path / "mine"
