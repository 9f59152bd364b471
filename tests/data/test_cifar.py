"""CIFAR in small files of the published layout, as Python 2 wrote them, and files that mean harm."""

from __future__ import annotations

import os
import pickle
import tarfile

import numpy as np
import pytest

from gan_topdis.data import read_cifar

RNG = np.random.default_rng(0)
PIXELS = RNG.integers(256, size=(4, 3072), dtype=np.uint8)


def text(value: bytes) -> bytes:
    """SHORT_BINSTRING or BINSTRING, Python 2's text."""
    if len(value) < 256:
        return b"U" + bytes([len(value)]) + value
    return b"T" + len(value).to_bytes(4, "little") + value


def whole(value: int) -> bytes:
    return b"J" + value.to_bytes(4, "little", signed=True)


def array(values: np.ndarray, code: bytes = b"u1") -> bytes:
    """What Python 2 with numpy 1 wrote for an array."""
    shape = b"".join(map(whole, values.shape))
    dtype = b"cnumpy\ndtype\n(" + text(code) + b"K\x00K\x01tR(K\x03" + text(b"|") + b"NNN" + whole(-1) * 2
    dtype += b"K\x00tb"
    start = b"cnumpy.core.multiarray\n_reconstruct\n(cnumpy\nndarray\n(K\x00t" + text(b"b") + b"tR"
    return start + b"(K\x01(" + shape + b"t" + dtype + b"\x89" + text(values.tobytes()) + b"tb"


def batch(**entries: bytes) -> bytes:
    """A dictionary at protocol 2."""
    items = b"".join(text(key.encode()) + value for key, value in entries.items())
    return b"\x80\x02}(" + items + b"u."


def numbers(*values: int) -> bytes:
    return b"](" + b"".join(map(whole, values)) + b"e"


def write(folder, name, content):
    folder.mkdir(exist_ok=True)
    (folder / name).write_bytes(content)


@pytest.fixture
def cifar10(tmp_path):
    folder = tmp_path / "cifar-10-batches-py"
    for k in range(1, 6):
        write(folder, f"data_batch_{k}", batch(data=array(PIXELS[: k - 1]), labels=numbers(*range(k - 1))))
    write(folder, "test_batch", batch(data=array(PIXELS), labels=numbers(9, 0, 3, 9), batch_label=text(b"x")))
    return tmp_path


@pytest.fixture
def cifar100(tmp_path):
    entries = {"coarse_labels": numbers(4, 0, 19, 4), "fine_labels": numbers(99, 20, 3, 98)}
    for split in ("train", "test"):
        write(tmp_path / "cifar-100-python", split, batch(**entries, data=array(PIXELS)))
    return tmp_path


def test_the_writer_of_this_test_is_readable_by_python():
    """Its bytes are what numpy itself unpickles."""
    content = pickle.loads(batch(data=array(PIXELS), labels=numbers(5)), encoding="bytes")
    assert np.array_equal(content[b"data"], PIXELS) and content[b"labels"] == [5]


def test_cifar10(cifar10):
    data = read_cifar(cifar10, split="test")
    assert data.images.shape == (4, 3, 32, 32) and data.name == "CIFAR-10 test"
    assert data.factors.tolist() == [[9], [0], [3], [9]] and data.factor_names == ("class",)
    # rows are red, then green, then blue, each line by line
    assert data.images[2, 1, 5, 7] == PIXELS[2, 1024 + 5 * 32 + 7]
    train = read_cifar(cifar10 / "cifar-10-batches-py")
    assert train.factors[:, 0].tolist() == [0, 0, 1, 0, 1, 2, 0, 1, 2, 3]  # batches in their order
    assert np.array_equal(train.images[6:].reshape(4, -1), PIXELS)


def test_cifar20_has_the_coarse_labels(cifar100):
    fine, coarse = (read_cifar(cifar100, name=name) for name in ("cifar100", "cifar20"))
    assert fine.factors[:, 0].tolist() == [99, 20, 3, 98]
    assert coarse.factors[:, 0].tolist() == [4, 0, 19, 4]
    assert coarse.name == "CIFAR-20 train" and np.array_equal(fine.images, coarse.images)


def test_fine_labels_do_not_pass_for_coarse_ones(cifar100):
    content = batch(data=array(PIXELS), coarse_labels=numbers(4, 20, 3, 1), fine_labels=numbers(0, 1, 2, 3))
    write(cifar100 / "cifar-100-python", "train", content)
    with pytest.raises(ValueError, match=r"coarse_labels, a list of whole numbers 0 \.\. 19"):
        read_cifar(cifar100, name="cifar20")
    assert len(read_cifar(cifar100, name="cifar100")) == 4


def test_archive_as_downloaded_and_python_3(cifar10, tmp_path):
    path = tmp_path / "cifar-10-python.tar.gz"
    with tarfile.open(path, "w:gz") as archive:
        archive.add(cifar10 / "cifar-10-batches-py", "cifar-10-batches-py")
    assert np.array_equal(read_cifar(path).images, read_cifar(cifar10).images)
    again = pickle.dumps({"data": PIXELS, "labels": [1, 2, 3, 4]}, protocol=3)
    write(tmp_path / "cifar-10-batches-py", "test_batch", again)
    assert read_cifar(tmp_path, split="test").factors[:, 0].tolist() == [1, 2, 3, 4]


class Hostile:
    def __reduce__(self):
        return (os.mkdir, (os.environ["HOSTILE_FOLDER"],))


@pytest.mark.parametrize("protocol", [0, 2, 4])
def test_nothing_in_a_file_is_executed(cifar10, tmp_path, monkeypatch, protocol):
    made = tmp_path / "made"
    monkeypatch.setenv("HOSTILE_FOLDER", str(made))
    content = pickle.dumps({"data": Hostile(), "labels": []}, protocol=protocol)
    write(tmp_path / "cifar-10-batches-py", "test_batch", content)
    with pytest.raises(ValueError, match=r"it names (posix|nt)\.mkdir, which no array needs"):
        read_cifar(cifar10, split="test")
    assert not made.exists()
    pickle.loads(content)  # the file would have
    assert made.exists()


GOOD = {"data": array(PIXELS), "labels": numbers(0, 1, 2, 3)}


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (batch(**GOOD)[:-20], "should hold data .n, 3072. uint8 and labels .n,. of CIFAR-10, but"),
        (b"", "Ran out of input"),
        (b"no pickle", "test_batch should hold"),
        (batch(**GOOD | {"data": array(PIXELS[:, :-1])}), r"got \(4, 3071\) and 4 labels"),
        (batch(**GOOD | {"data": array(PIXELS[:3])}), r"got \(3, 3072\) and 4 labels"),
        (batch(**GOOD | {"data": numbers(1)}), r"got \(0,\) and 4 labels"),
        (batch(**GOOD | {"data": array(PIXELS.view(np.float32), b"f4")}), "it has the type 'f4'"),
        (batch(**GOOD | {"labels": numbers(0, 1, 2, 10)}), r"whole numbers 0 \.\. 9"),
        (batch(**GOOD | {"labels": numbers(0, -1, 2, 1)}), r"whole numbers 0 \.\. 9"),
        (batch(**GOOD | {"labels": text(b"abcd")}), r"whole numbers 0 \.\. 9"),
        (batch(data=GOOD["data"]), "got data"),
        (batch(fine_labels=GOOD["labels"], data=GOOD["data"]), "got fine_labels, data"),
        (b"\x80\x02}.", "got nothing"),
        (b"\x80\x02" + numbers(1) + b".", "got a list"),
    ],
)
def test_another_content(cifar10, content, message):
    write(cifar10 / "cifar-10-batches-py", "test_batch", content)
    with pytest.raises(ValueError, match=message):
        read_cifar(cifar10, split="test")


def test_missing_and_unknown(cifar10):
    with pytest.raises(
        FileNotFoundError, match=r"cifar-100-python/train not found: expected data \(n, 3072\)"
    ):
        read_cifar(cifar10, name="cifar20")
    (cifar10 / "cifar-10-batches-py" / "data_batch_3").unlink()
    with pytest.raises(FileNotFoundError, match="cifar-10-batches-py/data_batch_3 not found"):
        read_cifar(cifar10)
    with pytest.raises(ValueError, match="name should be one of cifar10, cifar100, cifar20, got 'cifar'"):
        read_cifar(cifar10, name="cifar")
    with pytest.raises(ValueError, match="split should be train or test, got 'val'"):
        read_cifar(cifar10, split="val")
