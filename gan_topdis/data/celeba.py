"""CelebA from the user's copy of the folder: aligned faces with 40 attributes.

Source: Liu et al., Deep Learning Face Attributes in the Wild, arXiv:1411.7766.
"""

from __future__ import annotations

from pathlib import Path

import numpy as np
from jaxtyping import Int

from gan_topdis.data.data_file import StrPath
from gan_topdis.data.image_folder import ImageFiles, image_files, read_image_folder
from gan_topdis.data.labelled_images import LabelledImages

SPLITS = ("train", "valid", "test")
"""0, 1 and 2 in list_eval_partition.txt."""
ATTRIBUTES_FILE = "list_attr_celeba.txt"
SPLIT_FILE = "list_eval_partition.txt"
FOLDER = "img_align_celeba"


def read_celeba(
    root: StrPath, *, size: int = 64, crop: int | None = None, split: str | None = None
) -> LabelledImages:
    """Faces 3 x size x size, sorted by file name, with their attributes (0 or 1) as factors where listed.

    Args:
        root: holds img_align_celeba/*.jpg (202,599 of 178 x 218), or a folder celeba/ that does, as
            torchvision has it; beside it list_attr_celeba.txt and list_eval_partition.txt, if they are
            there. Without attributes there are no factors.
        size, crop: see `read_image_folder`; TopDis resizes to 64 without crop.
        split: train, valid or test of list_eval_partition.txt; all images when None.

    Raises:
        FileNotFoundError: images, or the list of splits when a split is asked for, are not there.
        ValueError: an unknown split, or a list that does not name every image.
    """
    if split is not None and split not in SPLITS:
        raise ValueError(f"split should be one of {', '.join(SPLITS)}, got {split!r}")
    base = Path(root) / "celeba" if (Path(root) / "celeba" / FOLDER).is_dir() else Path(root)
    if not image_files(base / FOLDER):
        raise FileNotFoundError(
            f"CelebA not found: expected {FOLDER}/*.jpg (202599 of 178 x 218 pixels) in {root} or its folder "
            "celeba; room_scenes() needs no file"
        )
    every = read_image_folder(base / FOLDER, size=size, crop=crop, name="CelebA")
    files: list[Path] = list(every.images.files)
    names: tuple[str, ...] = ()
    factors = np.zeros((len(files), 0), dtype=np.int64)
    if (base / ATTRIBUTES_FILE).is_file():
        names, factors = _attributes(base / ATTRIBUTES_FILE, files)
    chosen = np.arange(len(files))
    if split is not None:
        chosen = np.flatnonzero(_splits(base / SPLIT_FILE, files) == SPLITS.index(split))
    images = ImageFiles([files[row] for row in chosen], size, crop, grey=False)
    name = every.name if split is None else f"{every.name}, {split}"
    return LabelledImages(images, factors[chosen], names, None, name)


def _attributes(path: Path, files: list[Path]) -> tuple[tuple[str, ...], Int[np.ndarray, "n k"]]:
    """Names in the second line, then a file name and -1 or 1 for each."""
    lines = path.read_text(encoding="utf-8").splitlines()
    names = tuple(lines[1].split()) if len(lines) > 1 else ()
    values = _listed(path, lines[2:], files, len(names))
    if not np.isin(values, (-1, 1)).all():
        raise ValueError(f"{path} should hold -1 or 1 for each attribute, got other values")
    return names, (values + 1) // 2


def _splits(path: Path, files: list[Path]) -> Int[np.ndarray, " n"]:
    if not path.is_file():
        raise FileNotFoundError(f"{path} not found: expected lines of a file name and 0, 1 or 2")
    return _listed(path, path.read_text(encoding="utf-8").splitlines(), files, 1)[:, 0]


def _listed(path: Path, lines: list[str], files: list[Path], columns: int) -> Int[np.ndarray, "n k"]:
    """The whole numbers behind each file's name."""
    rows = {words[0]: words[1:] for words in map(str.split, lines) if words}
    try:
        values = np.array([rows[file.name] for file in files], dtype=np.int64)
    except KeyError as error:
        raise ValueError(f"{path} should name every image, got none for {error.args[0]}") from None
    except ValueError as error:
        raise ValueError(f"{path} should hold {columns} whole numbers per image ({error})") from None
    if values.shape != (len(files), columns):
        raise ValueError(f"{path} should hold {columns} whole numbers per image, got {values.shape[1]}")
    return values
