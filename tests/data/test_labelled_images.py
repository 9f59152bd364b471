"""Data sets with factors: what is refused, what a batch is, and that metrics and DataLoaders take them."""

from __future__ import annotations

import ast
from pathlib import Path

import numpy as np
import pytest
import torch
from torch.utils.data import DataLoader

import gan_topdis.data
from gan_topdis.data import LabelledImages, LazyImages
from gan_topdis.data.factor_grid import grid_factors, thinned_values
from gan_topdis.data.labelled_images import on_grid
from gan_topdis.metrics import factor_vae_score

SIZES = (2, 3, 4)
NAMES = ("a", "b", "c")


class Counted(LazyImages):
    """Image r is full of the number r; counts how often it is asked."""

    def __init__(self, n: int) -> None:
        super().__init__((n, 1, 2, 2))
        self.calls = 0

    def _rows(self, rows):
        self.calls += 1
        return np.broadcast_to(rows[:, None, None, None], (len(rows), 1, 2, 2)).astype(np.uint8)


@pytest.fixture
def dataset() -> LabelledImages:
    return on_grid(Counted(24), NAMES, SIZES, "counted")


def test_grid_is_the_mixed_radix_number():
    weights = np.array([12, 4, 1])
    factors = grid_factors(SIZES)
    assert np.array_equal(factors @ weights, np.arange(24))
    assert np.array_equal(grid_factors(SIZES, np.array([23, 5])), [[1, 2, 3], [0, 1, 1]])


def test_thinned_values():
    assert [kept.tolist() for kept in thinned_values((5, 4), (2, 3))] == [[0, 2, 4], [0, 3]]
    with pytest.raises(ValueError, match=r"every should be 2 steps of at least 1, got \(2, 0\)"):
        thinned_values((5, 4), (2, 0))


def test_batch_is_float_in_the_unit_interval(dataset):
    batch = dataset.batch([3, 0, 3])
    assert batch.dtype == torch.float32
    assert batch.shape == (3, 1, 2, 2)
    assert torch.equal(batch[:, 0, 0, 0], torch.tensor([3.0, 0.0, 3.0]) / 255)
    assert dataset.images.calls == 1


def test_white_is_one():
    binary = LabelledImages(np.ones((1, 1, 2, 2), np.uint8), np.zeros((1, 0), int), (), None, "x", white=1)
    assert torch.equal(binary.batch([0]), torch.ones(1, 1, 2, 2))


@pytest.mark.parametrize(
    ("indices", "rows"),
    [
        (slice(20, 40), [20, 21, 22, 23]),
        ([-1, 0], [23, 0]),
        (torch.tensor([5]), [5]),
        (np.array([7], np.uint8), [7]),
        ([], []),
    ],
)
def test_rows_by_any_name(dataset, indices, rows):
    assert torch.equal(dataset.batch(indices)[:, 0, 0, 0] * 255, torch.tensor(rows, dtype=torch.float32))


@pytest.mark.parametrize(
    ("indices", "error", "message"),
    [
        ([24], IndexError, "indices should be below 24, got 24 to 24"),
        ([-25], IndexError, "below 24"),
        ([0.5], TypeError, "whole numbers"),
        (np.ones(24, bool), TypeError, r"whole numbers \(m,\), got bool"),
    ],
)
def test_rows_that_do_not_exist(dataset, indices, error, message):
    with pytest.raises(error, match=message):
        dataset.batch(indices)


def test_dataloader_reads_batches(dataset):
    images, factors = next(iter(DataLoader(dataset, batch_size=6)))
    assert dataset.images.calls == 1
    assert torch.equal(images, dataset.batch(range(6)))
    assert torch.equal(factors, torch.from_numpy(dataset.factors[:6]))
    image, row = dataset[5]
    assert image.shape == (1, 2, 2)
    assert row.tolist() == [0, 1, 1]
    assert len(list(dataset)) == 24  # the end of a sequence is an IndexError


def test_take_and_in_memory(dataset):
    some = dataset.take([5, 5, 1])
    assert some.factor_sizes is None
    assert some.factors.tolist() == [[0, 1, 1], [0, 1, 1], [0, 0, 1]]
    assert torch.equal(some.batch([0, 2]), dataset.batch([5, 1]))
    assert torch.equal(some.take([2]).batch([0]), dataset.batch([1]))
    assert dataset.take(slice(None)).factor_sizes == SIZES
    whole = dataset.in_memory(at_once=5)
    assert isinstance(whole.images, np.ndarray)
    assert np.array_equal(whole.images, dataset.images[:])


def test_factor_vae_score_takes_it(dataset):
    """An encoder that reads the factors off the image is perfect, one that mixes them is not."""

    def ideal(images):
        return grid_factors(SIZES, np.asarray(images)[:, 0, 0, 0].astype(int)).astype(float)

    counts = {"group": 16, "train_votes": 200, "eval_votes": 200}
    assert factor_vae_score(ideal, dataset, **counts) == 1.0

    def from_floats(images):
        assert isinstance(images, torch.Tensor)
        assert images.max() <= 1
        return ideal((images * 255).round().numpy())

    assert factor_vae_score(from_floats, dataset.as_floats(), **counts) == 1.0
    mixing = np.array([[1.0, 1, 1], [1, 1, 1], [1, 1, 1]])
    assert factor_vae_score(lambda images: ideal(images) @ mixing, dataset, **counts) < 0.8


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"images": np.zeros((24, 2, 2), np.uint8)}, r"images should be uint8 \(n, C, H, W\)"),
        ({"images": np.zeros((24, 1, 2, 2), np.float32)}, "got float32"),
        ({"factors": grid_factors(SIZES)[:-1]}, r"factors should be whole numbers \(24, k\)"),
        ({"factors": grid_factors(SIZES) / 2}, "whole numbers"),
        ({"factor_names": ("a", "b")}, "factor_names should have 3 names"),
        ({"factors": grid_factors(SIZES)[::-1]}, r"complete grid of the sizes \(2, 3, 4\)"),
        ({"factor_sizes": (2, 3, 5)}, "complete grid"),
        ({"white": 0}, "white should be in 1 .. 255, got 0"),
    ],
)
def test_what_does_not_fit_is_refused(change, message):
    right = {
        "images": np.zeros((24, 1, 2, 2), np.uint8),
        "factors": grid_factors(SIZES),
        "factor_names": NAMES,
        "factor_sizes": SIZES,
        "name": "x",
    }
    LabelledImages(**right)
    with pytest.raises(ValueError, match=message):
        LabelledImages(**(right | change))


def test_data_imports_no_network_and_no_loss():
    """Of gan_topdis, this layer may use tensors and seeding only."""
    folder = Path(gan_topdis.data.__file__).parent
    for file in folder.glob("*.py"):
        for node in ast.walk(ast.parse(file.read_text())):
            if isinstance(node, ast.ImportFrom) and (node.module or "").startswith("gan_topdis."):
                assert node.module.split(".")[1] in ("data", "tensors", "seeding"), file
