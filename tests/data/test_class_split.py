"""Frames, copies, and the split of labelled images into references and tests."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from gan_topdis.data import LabelledImages, class_labels, distinct_images, framed, split_classes


def labelled(labels, *, side: int = 4, name: str = "class", images=None) -> LabelledImages:
    """Image k has every pixel k."""
    n = len(labels)
    if images is None:
        images = np.broadcast_to(np.arange(n, dtype=np.uint8)[:, None, None, None], (n, 1, side, side))
    return LabelledImages(np.array(images), np.array(labels)[:, None], (name,), None, "tiny")


def test_frame():
    data = labelled([0, 1, 0], side=28)
    wide = framed(data, multiple=8)
    assert wide.images.shape == (3, 1, 32, 32) and wide.name == "tiny, framed to 32 x 32"
    row = wide.images[2]
    assert (row[0, 2:30, 2:30] == 2).all() and row.sum() == 2 * 28 * 28
    assert np.array_equal(wide.images[[2, 0]], wide.images[:][[2, 0]])
    assert wide.batch([2]).max() == pytest.approx(2 / 255)
    assert framed(data, multiple=7) is data
    assert framed(labelled([0], side=6), multiple=8).images.shape == (1, 1, 8, 8)
    odd = framed(labelled([0, 9], side=27), multiple=8).images[1][0]
    assert odd.shape == (32, 32) and (odd[2:29, 2:29] == 1).all() and odd.sum() == 27 * 27
    with pytest.raises(ValueError, match="multiple should be at least 1"):
        framed(data, multiple=0)


def test_frame_of_another_width_than_height():
    images = np.full((1, 3, 12, 32), 7, np.uint8)
    wide = framed(labelled([0], images=images), multiple=8)
    assert wide.images.shape == (1, 3, 16, 32)
    assert (wide.images[0][:, [0, 1, 14, 15]] == 0).all() and (wide.images[0][:, 2:14] == 7).all()


def test_labels_of_classes_and_folders():
    assert class_labels(labelled([3, 1])).tolist() == [3, 1]
    assert class_labels(labelled([0, 1], name="folder")).tolist() == [0, 1]
    with pytest.raises(ValueError, match="should have classes, a factor named class or folder, got scale"):
        class_labels(labelled([0, 1], name="scale"))


def test_classes_of_another_set_go_by_name():
    """A folder of photographs numbers its classes by itself: b is 1 in one, 0 in the other."""
    references = replace(labelled([0, 1, 2]), class_names=("a", "b", "c"))
    tests = replace(labelled([0, 1, 1]), class_names=("b", "c"))
    assert class_labels(tests, like=references).tolist() == [1, 2, 2]
    assert class_labels(tests).tolist() == class_labels(tests, like=labelled([0, 1])).tolist() == [0, 1, 1]
    with pytest.raises(ValueError, match="tiny has classes that tiny has not: a"):
        class_labels(references, like=tests)


@pytest.mark.parametrize("at_once", [2, 1024])
def test_copies_are_left_out(at_once):
    images = np.array([5, 7, 5, 9, 7], dtype=np.uint8)[:, None, None, None] * np.ones((1, 1, 2, 2), np.uint8)
    found = distinct_images(labelled([0, 1, 2, 3, 4], images=images), at_once=at_once)
    assert found.factors[:, 0].tolist() == [0, 1, 3]
    assert [int(image.max()) for image in found.images[:]] == [5, 7, 9]
    assert distinct_images(found, at_once=at_once) is found


def test_split():
    labels = np.array([4] * 10 + [7] * 5 + [9] * 3)
    data = labelled(labels)
    references, tests = split_classes(data, of_a_class=4, seed=1)
    # 5 and 3 images: halves, the odd one is a test
    assert np.bincount(class_labels(references))[[4, 7, 9]].tolist() == [4, 2, 1]
    assert np.bincount(class_labels(tests))[[4, 7, 9]].tolist() == [4, 3, 2]
    first, second = (set(part.images[:].max(axis=(1, 2, 3)).tolist()) for part in (references, tests))
    assert not first & second and len(first) == 7 and len(second) == 9
    for part in (references, tests):  # labels belong to their images
        assert (labels[part.images[:].max(axis=(1, 2, 3))] == class_labels(part)).all()
    again = split_classes(data, of_a_class=4, seed=1)[0]
    other = split_classes(data, of_a_class=4, seed=2)[0]
    assert np.array_equal(again.images[:], references.images[:])
    assert not np.array_equal(other.images[:], references.images[:])


def test_refusals_of_the_split():
    with pytest.raises(ValueError, match="of_a_class should be at least 1"):
        split_classes(labelled([0, 0]), of_a_class=0)
    with pytest.raises(ValueError, match="at least two images to be split, 1 has one"):
        split_classes(labelled([0, 0, 1]), of_a_class=2)
