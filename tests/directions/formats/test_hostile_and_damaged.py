"""Files of strangers: nothing in them runs, and what is damaged is refused as such."""

from __future__ import annotations

import io
import os
import pickle
import zipfile

import numpy as np
import pytest
import torch
from format_cases import needed, some_directions, written

from gan_topdis.directions import Directions
from gan_topdis.directions.formats import FORMATS, read_latents
from gan_topdis.directions.formats.array_pickle import read_array_pickle
from gan_topdis.directions.formats.torch_file import read_torch

TORCH_FORMATS = ("factor", "pti", "pti_pca", "gan_latent_discovery", "latentclr", "warped")
SETTINGS = {"space": "w", "layers": "all", "num_ws": 4, "scale": 1.0, "order": "after"}


class Runs:
    """Unpickling it makes a folder."""

    def __init__(self, folder):
        self.folder = str(folder)

    def __reduce__(self):
        return os.mkdir, (self.folder,)


def hostile_payloads(folder):
    return [Runs(folder), {"lat_comp": Runs(folder)}, [np.zeros(3), Runs(folder)], {Runs: Runs(folder)}]


@pytest.mark.parametrize("which", range(4))
def test_a_hostile_pickle_is_refused_and_does_not_run(tmp_path, which):
    folder = tmp_path / "owned"
    payload = hostile_payloads(folder)[which]
    (tmp_path / "smile.pkl").write_bytes(pickle.dumps(payload))
    with pytest.raises(ValueError, match="nothing was run"):
        Directions.read(tmp_path / "smile.pkl", "ganspace_edit", num_ws=4)
    assert not folder.exists()
    pickle.loads(pickle.dumps(Runs(folder)))  # the payload itself works
    assert folder.exists()


@pytest.mark.parametrize("format", TORCH_FORMATS)
@pytest.mark.parametrize("zipped", [True, False])
def test_a_hostile_torch_file_is_refused_and_does_not_run(tmp_path, format, zipped):
    folder = tmp_path / "owned"
    path = tmp_path / "file.pt"
    torch.save({"eigvec": Runs(folder)}, path, _use_new_zipfile_serialization=zipped)
    options = {"code": np.zeros(5)} if format == "warped" else {}
    with pytest.raises(ValueError, match="nothing was run"):
        Directions.read(path, format, **options, num_ws=4, scale=1.0)
    with pytest.raises(ValueError, match="nothing was run"):
        read_latents(path, num_ws=4, w_dim=5)
    assert not folder.exists()


@pytest.mark.parametrize("format", ["sefa", "interfacegan", "steerability"])
def test_arrays_of_objects_are_refused_and_do_not_run(tmp_path, format):
    folder = tmp_path / "owned"
    np.save(tmp_path / "d.npy", np.array([Runs(folder)], dtype=object), allow_pickle=True)
    with pytest.raises(ValueError, match=r"should be a \.npy file of numbers"):
        Directions.read(tmp_path / "d.npy", format, **SETTINGS)
    np.savez(tmp_path / "d.npz", lat_comp=np.array([Runs(folder)], dtype=object))
    with pytest.raises(ValueError, match="without objects inside"):
        Directions.read(tmp_path / "d.npz", "ganspace", num_ws=4, layers="all", space="w")
    assert not folder.exists()


def edit_bytes(tmp_path):
    path = written(tmp_path, "ganspace_edit", some_directions(1)) / "direction 0.pkl"
    return path.read_bytes()


@pytest.mark.parametrize("protocol", [2, 4])
def test_every_cut_and_flip_of_a_pickle_is_a_value_error(tmp_path, protocol):
    """No other exception, and no array beyond its bytes, whatever byte changes."""
    data = pickle.dumps(pickle.loads(edit_bytes(tmp_path)), protocol=protocol)
    rng = np.random.default_rng(0)
    path = tmp_path / "damaged.pkl"
    damaged = [data[:cut] for cut in range(0, len(data), 7)]
    for position in range(len(data)):
        flipped = bytearray(data)
        flipped[position] ^= 1 << int(rng.integers(8))
        damaged.append(bytes(flipped))
    refused = 0
    for content in damaged:
        path.write_bytes(content)
        try:
            Directions.read(path, "ganspace_edit", num_ws=4)
        except ValueError:
            refused += 1
    assert refused > len(damaged) // 2  # a flip inside a number or a name goes unseen


@pytest.mark.parametrize("zipped", [True, False])
def test_every_cut_of_a_torch_file_is_a_value_error(tmp_path, zipped):
    stream = io.BytesIO()
    torch.save({"ckpt": "", "eigvec": torch.eye(5)}, stream, _use_new_zipfile_serialization=zipped)
    data = stream.getvalue()
    for cut in range(0, len(data), 5):
        (tmp_path / "factor.pt").write_bytes(data[:cut])
        with pytest.raises(ValueError):
            Directions.read(tmp_path / "factor.pt", "factor", num_ws=4, scale=1.0)


@pytest.mark.parametrize("suffix", [".npz", ".npy"])
def test_flips_in_arrays_are_value_errors(tmp_path, suffix):
    """Also in the native file, whose archive is that of numpy."""
    stream = io.BytesIO()
    (np.savez if suffix == ".npz" else np.save)(stream, np.ones((1, 4, 5), np.float32))
    data = stream.getvalue().replace(b"arr_0", b"abcdw")
    rng = np.random.default_rng(0)
    refused = 0
    for position in [*range(len(data))] * 2:
        flipped = bytearray(data)
        flipped[position] ^= 1 << int(rng.integers(8))
        (tmp_path / f"w{suffix}").write_bytes(flipped)
        try:
            read_latents(tmp_path / f"w{suffix}", num_ws=4, w_dim=5, key="abcdw")
        except ValueError:
            refused += 1
        with pytest.raises(ValueError):
            Directions.load(tmp_path / f"w{suffix}")
    assert refused > len(data) / 3


def array_pickle(shape, code="f4", data=b"\0" * 16, order="<"):
    """A numpy array as numpy pickles it, with lies."""
    return pickle.dumps(_Lie(shape, code, data, order), protocol=3)


class _Lie:
    def __init__(self, shape, code, data, order):
        self.state = (shape, code, data, order)

    def __reduce__(self):
        shape, code, data, order = self.state
        real = np.zeros(1).__reduce__()
        return real[0], real[1], (1, shape, _Type(code, order), False, data)


class _Type:
    def __init__(self, code, order):
        self.code, self.order = code, order

    def __reduce__(self):
        return np.dtype, (self.code, False, True), (3, self.order, None, None, None, -1, -1, 0)


def test_an_honest_array_by_the_same_writer_is_read(tmp_path):
    (tmp_path / "a.pkl").write_bytes(array_pickle((2, 2), data=np.arange(4, dtype="<f4").tobytes()))
    np.testing.assert_array_equal(read_array_pickle(tmp_path / "a.pkl").array, [[0, 1], [2, 3]])


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (array_pickle((2**39, 2**39)), "shape does not match its bytes"),
        (array_pickle((-1, -4)), "shape does not match its bytes"),
        (array_pickle((3,)), "shape does not match its bytes"),
        (array_pickle((1,) * 9), "strange shape"),
        (array_pickle((2,), code="O8"), "something else than numbers"),
        (array_pickle((2,), code="V8"), "something else than numbers"),
        (array_pickle((4,), order="?"), "unknown byte order"),
        (pickle.dumps(np.array(["text"])), "something else than numbers"),
        (pickle.dumps(np.zeros(2)) + b"more", "4 bytes follow the pickle"),
        (b"", "the file is empty"),
        (b"text", "it is no pickle"),
    ],
)
def test_arrays_that_lie_are_refused(tmp_path, content, message):
    (tmp_path / "a.pkl").write_bytes(content)
    with pytest.raises(ValueError, match=message):
        read_array_pickle(tmp_path / "a.pkl")


def test_zip_bombs_are_refused(tmp_path):
    with zipfile.ZipFile(tmp_path / "b.npz", "w", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr("lat_comp.npy", b"\0" * (80 * 2**20))
    with pytest.raises(ValueError, match="zip bomb"):
        Directions.read(tmp_path / "b.npz", "ganspace", num_ws=4, layers="all", space="w")
    with zipfile.ZipFile(tmp_path / "b.pt", "w", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr("a/data.pkl", b"\0" * (8 * 2**20))
    with pytest.raises(ValueError, match="zip bomb"):
        read_torch(tmp_path / "b.pt")


def test_an_array_larger_than_its_file_is_refused(tmp_path):
    header = io.BytesIO()
    np.lib.format.write_array_header_1_0(
        header, {"descr": "<f4", "fortran_order": False, "shape": (2**40, 5)}
    )
    (tmp_path / "d.npy").write_bytes(header.getvalue())
    with pytest.raises(ValueError, match=r"should be a \.npy file of numbers"):
        Directions.read(tmp_path / "d.npy", "steerability", order="after", scale=1.0)


@pytest.mark.parametrize("format", [name for name in FORMATS if name != "warped"])
def test_empty_and_missing_files(tmp_path, format):
    suffix = {"ganspace": ".npz", "ganspace_edit": ".pkl"}.get(format, ".pt")
    if format in ("sefa", "interfacegan", "steerability"):
        suffix = ".npy"
    path = tmp_path / f"d{suffix}"
    with pytest.raises(FileNotFoundError, match="no file or folder at"):
        Directions.read(path, format)
    path.write_bytes(b"")
    with pytest.raises(ValueError, match=r"should be a|empty"):
        Directions.read(path, format)


@pytest.mark.parametrize("bad", [np.nan, np.inf])
@pytest.mark.parametrize("format", ["sefa", "factor", "pti_pca", "latentclr", "ganspace"])
def test_nan_is_refused(tmp_path, format, bad):
    directions = some_directions()
    directions.vectors[1, 2] = bad  # after the check of Directions
    path = written(tmp_path, format, directions)
    with pytest.raises(ValueError, match="finite numbers, got NaN or infinity"):
        Directions.read(path, format, **needed(format, directions))


def test_no_direction_and_no_length(tmp_path):
    np.save(tmp_path / "none.npy", np.zeros((0, 1, 5)))
    with pytest.raises(ValueError, match=r"should hold numbers, got shape \(0, 1, 5\)"):
        Directions.read(tmp_path / "none.npy", "sefa", space="w", layers="all", num_ws=4, scale=1.0)
    rows = np.ones((3, 1, 5))
    rows[1] = 0
    np.save(tmp_path / "zero.npy", rows)
    with pytest.raises(ValueError, match="direction 1 has length 0"):
        Directions.read(tmp_path / "zero.npy", "sefa", space="w", layers="all", num_ws=4, scale=1.0)
    torch.save({"ckpt": "", "eigvec": torch.zeros(5, 5)}, tmp_path / "factor.pt")
    with pytest.raises(ValueError, match="holds no direction"):
        Directions.read(tmp_path / "factor.pt", "factor", num_ws=4, scale=1.0)
    (tmp_path / "folder").mkdir()
    with pytest.raises(FileNotFoundError, match=r"no \.pt file in"):
        Directions.read(tmp_path / "folder", "pti", num_ws=4, scale=1.0)
    with pytest.raises(ValueError, match="there is no direction to export"):
        some_directions().export(tmp_path / "x.npy", "sefa", indices=[])


def test_torchscript_and_other_zips_are_refused(tmp_path):
    with zipfile.ZipFile(tmp_path / "a.pt", "w") as archive:
        archive.writestr("a/data.pkl", pickle.dumps({}))
        archive.writestr("a/constants.pkl", pickle.dumps(()))
    with pytest.raises(ValueError, match="TorchScript"):
        read_torch(tmp_path / "a.pt")
    with zipfile.ZipFile(tmp_path / "b.pt", "w") as archive:
        archive.writestr("readme.txt", "hello")
    with pytest.raises(ValueError, match=r"not one of torch\.save"):
        read_torch(tmp_path / "b.pt")
