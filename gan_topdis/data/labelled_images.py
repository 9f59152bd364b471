"""Images with the factors that made them: what VAEs train on and disentanglement metrics ask about."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Any

import numpy as np
import torch
from jaxtyping import Float, Int
from torch import Tensor
from torch.utils.data import Dataset

from gan_topdis.data.factor_grid import grid_factors, grid_size, is_grid
from gan_topdis.data.lazy_images import ChosenRows, row_numbers


@dataclass(frozen=True, eq=False)
class LabelledImages(Dataset[tuple[Tensor, Tensor]]):
    """A data set with factors; also a `torch.utils.data.Dataset` of (image in [0, 1], factors).

    Attributes:
        images: (n, C, H, W) uint8: an array, a memory map or `LazyImages`.
        factors: (n, k) whole numbers; k = 0 where nothing is known.
        factor_names: of the k columns.
        factor_sizes: number of values of each factor when the rows are their complete grid, last factor
            fastest; None when combinations are missing, repeated or in another order.
        name: for tables and messages; it says what was done to the images.
        white: the value of `images` that `batch` maps to 1: 255, or 1 for binary images of {0, 1}.
        class_names: of the values of the class factor, where the files name them; see `class_labels`.

    Raises:
        ValueError: shapes, types, names or sizes that do not fit each other.
    """

    images: Any
    factors: Int[np.ndarray, "n k"]
    factor_names: tuple[str, ...]
    factor_sizes: tuple[int, ...] | None
    name: str
    white: int = 255
    class_names: tuple[str, ...] | None = None

    def __post_init__(self) -> None:
        if len(self.images.shape) != 4 or self.images.dtype != np.uint8:
            raise ValueError(
                f"images should be uint8 (n, C, H, W), got {self.images.dtype} {tuple(self.images.shape)}"
            )
        n = len(self.images)
        if self.factors.ndim != 2 or self.factors.dtype.kind not in "iu" or len(self.factors) != n:
            raise ValueError(
                f"factors should be whole numbers ({n}, k), one row per image, "
                f"got {self.factors.dtype} {self.factors.shape}"
            )
        if len(self.factor_names) != self.factors.shape[1]:
            raise ValueError(
                f"factor_names should have {self.factors.shape[1]} names, one per column of the factors, "
                f"got {', '.join(self.factor_names) or 'none'}"
            )
        if self.factor_sizes is not None and not is_grid(self.factors, self.factor_sizes):
            raise ValueError(
                f"factors should be the complete grid of the sizes {tuple(self.factor_sizes)}, last factor "
                "fastest; use factor_sizes=None for other rows"
            )
        if not 1 <= self.white <= 255:
            raise ValueError(f"white should be in 1 .. 255, got {self.white}")

    def __len__(self) -> int:
        return len(self.images)

    def batch(self, indices: Any) -> Float[Tensor, "m c h w"]:
        """Images of a slice or of row numbers (m,), in their order, as float32 in [0, 1]."""
        rows = np.ascontiguousarray(self.images[row_numbers(indices, len(self))])
        return torch.from_numpy(rows).float().div_(self.white)

    def __getitem__(self, index: int) -> tuple[Float[Tensor, "c h w"], Int[Tensor, " k"]]:
        return self.__getitems__([index])[0]

    def __getitems__(self, indices: list[int]) -> list[tuple[Tensor, Tensor]]:
        """What a DataLoader asks for: the rows of a batch are read together."""
        factors = torch.from_numpy(self.factors[row_numbers(indices, len(self))].astype(np.int64))
        return list(zip(self.batch(indices), factors, strict=True))

    def take(self, indices: Any) -> LabelledImages:
        """The data set of some rows, e.g. those of `correlated_rows`; images stay where they are."""
        rows = row_numbers(indices, len(self))
        whole = np.array_equal(rows, np.arange(len(self)))
        return replace(
            self,
            images=ChosenRows(self.images, rows),
            factors=self.factors[rows],
            factor_sizes=self.factor_sizes if whole else None,
        )

    def in_memory(self, *, at_once: int = 1024) -> LabelledImages:
        """The same with all images in one array: n * C * H * W bytes, filled `at_once` rows at a time."""
        images = np.empty(tuple(self.images.shape), dtype=np.uint8)
        for first in range(0, len(self), at_once):
            images[first : first + at_once] = self.images[first : first + at_once]
        return replace(self, images=images)

    def as_floats(self) -> FloatView:
        """What metrics take whose encoder expects images in [0, 1], as after training on `batch`."""
        return FloatView(FloatImages(self), self.factors)


@dataclass(frozen=True, eq=False)
class FloatImages:
    """`dataset.batch` under square brackets: `images[0:256]` is a float32 tensor in [0, 1]."""

    dataset: LabelledImages

    def __len__(self) -> int:
        return len(self.dataset)

    def __getitem__(self, indices: Any) -> Float[Tensor, "m c h w"]:
        return self.dataset.batch(indices)


@dataclass(frozen=True, eq=False)
class FloatView:
    """`images` and `factors` of a data set, images as float32 tensors in [0, 1] on access."""

    images: FloatImages
    factors: Int[np.ndarray, "n k"]


def on_grid(
    images: Any, factor_names: tuple[str, ...], factor_sizes: tuple[int, ...], name: str, *, white: int = 255
) -> LabelledImages:
    """A data set whose images are those of the complete grid, last factor fastest.

    Raises:
        ValueError: not one image per combination.
    """
    if len(images) != grid_size(factor_sizes):
        raise ValueError(
            f"{name} should have {grid_size(factor_sizes)} images, the product of the factor sizes "
            f"{tuple(factor_sizes)}, got {len(images)}"
        )
    return LabelledImages(
        images, grid_factors(factor_sizes), factor_names, tuple(factor_sizes), name, white=white
    )
