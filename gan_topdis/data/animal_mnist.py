"""10,000 silhouettes of animals out of the package `animal-mnist` 0.4 (PyPI, MIT).

Its files are pickles, read by `pickled_arrays`: nothing in them is executed.
"""

from __future__ import annotations

import gzip
import io
import zlib

import numpy as np

from gan_topdis.data.data_file import StrPath
from gan_topdis.data.labelled_images import LabelledImages
from gan_topdis.data.package_member import MAX_MEMBER_BYTES, read_member
from gan_topdis.data.pickled_arrays import ArrayRecord, read_pickled

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
    except (ValueError, EOFError, OSError, zlib.error) as error:
        raise ValueError(f"{member} should hold {_EXPECTED}, but {error}") from error
    array = read_pickled(unpacked, member, _EXPECTED)
    if not isinstance(array, ArrayRecord):
        raise ValueError(f"{member} should hold {_EXPECTED}, but it holds a {type(array).__name__}")
    try:
        return array.bytes_array()
    except ValueError as error:
        raise ValueError(f"{member} should hold {_EXPECTED}, but {error}") from error
