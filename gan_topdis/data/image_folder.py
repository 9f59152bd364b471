"""Folders of photographs and drawings, one or two levels deep, decoded when they are asked for."""

from __future__ import annotations

from pathlib import Path

import numpy as np
from jaxtyping import Int, UInt8
from PIL import Image

from gan_topdis.data.data_file import StrPath
from gan_topdis.data.labelled_images import LabelledImages
from gan_topdis.data.lazy_images import LazyImages

SUFFIXES = (".jpg", ".jpeg", ".png", ".bmp", ".webp", ".tif", ".tiff")


def read_image_folder(
    folder: StrPath, *, size: int = 64, crop: int | None = None, grey: bool = False, name: str | None = None
) -> LabelledImages:
    """All images of a folder, sorted by path, at size x size pixels.

    Args:
        folder: holds images, or folders of images. Two or more folders are a factor, `folder`, in the order
            of their names, which are its `class_names`; otherwise there is no factor.
        size: pixels of each side.
        crop: side of the square that is cut from the middle before resizing, in pixels of the file; None
            resizes the whole image, which changes its aspect unless it is square (TopDis does so on CelebA).
        grey: 1 channel instead of 3.
        name: of the set, the folder's by default; size and crop are added to it.

    Raises:
        FileNotFoundError: no folder, or no image in it.
        ValueError: size or crop below 1.
    """
    if size < 1 or (crop is not None and crop < 1):
        raise ValueError(f"size and crop should be at least 1 pixel, got {size} and {crop}")
    root = Path(folder)
    files = image_files(root)
    if not files:
        raise FileNotFoundError(
            f"images not found: expected {', '.join(SUFFIXES)} files of any size in {root} or its folders; "
            "room_scenes() needs no file"
        )
    groups = sorted({file.parent for file in files})
    factors = np.zeros((len(files), 0), dtype=np.int64)
    if len(groups) > 1:
        factors = np.array([[groups.index(file.parent)] for file in files])
    return LabelledImages(
        ImageFiles(files, size, crop, grey),
        factors,
        ("folder",) * factors.shape[1],
        None,
        f"{name or root.name} {size} px, {'no crop' if crop is None else f'crop {crop}'}",
        class_names=tuple(group.name for group in groups) if len(groups) > 1 else None,
    )


def image_files(root: Path) -> list[Path]:
    """Image files directly in a folder and in its folders, sorted."""
    found = [*root.glob("*"), *root.glob("*/*")] if root.is_dir() else []
    return sorted(file for file in found if file.suffix.lower() in SUFFIXES and file.is_file())


class ImageFiles(LazyImages):
    """Files as images (n, 3 or 1, size, size); transparent ones lie on white.

    Args:
        files: of any mode and size.
        size: pixels of each side; shrinking averages (Lanczos), so that nothing aliases.
        crop, grey: see `read_image_folder`.
    """

    def __init__(self, files: list[Path], size: int, crop: int | None, grey: bool) -> None:
        super().__init__((len(files), 1 if grey else 3, size, size))
        self.files = tuple(files)
        self.crop = crop

    def broken(self) -> tuple[Path, ...]:
        """Files that do not decode, or are smaller than the crop; opens every one."""
        return tuple(file for row, file in enumerate(self.files) if not self._decodes(row))

    def _decodes(self, row: int) -> bool:
        try:
            self[row]
        except ValueError:
            return False
        return True

    def _rows(self, rows: Int[np.ndarray, " m"]) -> UInt8[np.ndarray, "m c h w"]:
        images = np.empty((len(rows), *self.shape[1:]), dtype=np.uint8)
        for place, row in enumerate(rows):
            images[place] = self._image(self.files[row])
        return images

    def _image(self, file: Path) -> UInt8[np.ndarray, "c h w"]:
        size = self.shape[-1]
        try:
            with Image.open(file) as opened:
                picture = _on_white(opened).convert("L" if self.shape[1] == 1 else "RGB")
        except (OSError, SyntaxError, ValueError, Image.DecompressionBombError) as error:
            if isinstance(error, FileNotFoundError):
                raise
            raise ValueError(f"{file} is no readable image ({error}); remove or replace it") from error
        if self.crop is not None:
            picture = _middle(picture, self.crop, file)
        if picture.size != (size, size):
            picture = picture.resize((size, size), Image.Resampling.LANCZOS)
        values = np.asarray(picture)
        return values[None] if values.ndim == 2 else values.transpose(2, 0, 1)


def _on_white(picture: Image.Image) -> Image.Image:
    if not picture.has_transparency_data:
        return picture
    drawn = picture.convert("RGBA")
    return Image.alpha_composite(Image.new("RGBA", drawn.size, "white"), drawn)


def _middle(picture: Image.Image, side: int, file: Path) -> Image.Image:
    width, height = picture.size
    if side > min(width, height):
        raise ValueError(f"{file} should have at least crop = {side} pixels a side, got {width} x {height}")
    left, top = (width - side) // 2, (height - side) // 2
    return picture.crop((left, top, left + side, top + side))
