"""Tiny-ImageNet: 200 classes of photographs of 64 pixels, decoded when they are asked for.

Classes of the training split are its folders; those of the validation split stand in a text file.

Source: Le and Yang, Tiny ImageNet Visual Recognition Challenge, 2015; layout of tiny-imagenet-200.zip.
"""

from __future__ import annotations

from pathlib import Path

import numpy as np

from gan_topdis.data.data_file import StrPath
from gan_topdis.data.image_folder import ImageFiles, image_files
from gan_topdis.data.labelled_images import LabelledImages

ANNOTATIONS = "val_annotations.txt"


def read_tiny_imagenet(
    folder: StrPath, *, split: str = "train", size: int = 64, grey: bool = False
) -> LabelledImages:
    """Images with one factor, the class: its place among the sorted names of the folders of train/.

    Args:
        folder: tiny-imagenet-200, with train/n*/images/ and, for val, val/images/ and
            val/val_annotations.txt. The published test split has no labels.
        split: train or val.
        size: pixels of each side, resized where it is not 64; connectivity experiments use 32.
        grey: 1 channel instead of 3.

    Raises:
        FileNotFoundError: a folder, the text file, or a picture that it lists is not there.
        ValueError: an unknown split, a size below 1, or a line of the text file that cannot be meant.
    """
    if split not in ("train", "val"):
        raise ValueError(f"split should be train or val, got {split!r}")
    if size < 1:
        raise ValueError(f"size should be at least 1 pixel, got {size}")
    root = Path(folder)
    train = root / "train"
    classes = sorted(path.name for path in train.iterdir() if path.is_dir()) if train.is_dir() else []
    if not classes:
        raise FileNotFoundError(
            f"Tiny-ImageNet not found: expected train/n*/images/ and val/{ANNOTATIONS} in {root}; "
            "room_scenes() needs no file"
        )
    if split == "train":
        found = [(file, c) for c, name in enumerate(classes) for file in image_files(train / name)]
    else:
        found = _annotated(root / "val", {name: c for c, name in enumerate(classes)})
    if not found:
        raise FileNotFoundError(f"Tiny-ImageNet: expected pictures in {root / split}, found none")
    files, labels = zip(*found, strict=True)
    return LabelledImages(
        ImageFiles(list(files), size, None, grey),
        np.array(labels, dtype=np.int64)[:, None],
        ("class",),
        None,
        f"Tiny-ImageNet {split} {size} px",
    )


def _annotated(folder: Path, classes: dict[str, int]) -> list[tuple[Path, int]]:
    """Pictures and classes in the order of the text file: name, class, and a box that is not used."""
    file = folder / ANNOTATIONS
    if not file.is_file():
        raise FileNotFoundError(f"Tiny-ImageNet: expected the labels of val in {file}")
    try:
        lines = file.read_text(encoding="utf-8").splitlines()
    except UnicodeDecodeError:
        raise ValueError(f"{file} should be text, name and class in each line; copy it again") from None
    present = {path.name for path in (folder / "images").glob("*")}
    found = []
    for number, line in enumerate(lines, start=1):
        name, _, rest = line.partition("\t")
        label = rest.partition("\t")[0]
        if label not in classes:
            raise ValueError(
                f"{file}, line {number}, should be a picture and one of {len(classes)} classes of train/, "
                f"got {label[:40]!r}"
            )
        if name not in present:
            raise FileNotFoundError(f"{file}, line {number}: there is no picture {name[:40]!r} in images/")
        found.append((folder / "images" / name, classes[label]))
    return found
