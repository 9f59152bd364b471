"""Traversals: strength 0, layers, units, and directions that do not fit."""

import numpy as np
import pytest
import torch

from gan_topdis.directions import Directions, symmetric_strengths, traverse
from gan_topdis.directions.traversal import shifted_latents
from gan_topdis.generators.scenes import ScenesGenerator


def along_first_axis(generator, *, scale=1.0, space="z", num_ws=1):
    axis = generator.known_factors.axes[:1].astype(np.float32)
    return Directions(
        vectors=axis,
        names=("x",),
        scores=np.zeros(1),
        layers=np.ones((1, num_ws), bool),
        scale=np.full(1, scale, np.float32),
        w_mean=np.zeros(axis.shape[1], np.float32),
        space=space,
        score_name="none",
    )


@pytest.fixture
def scenes():
    return ScenesGenerator(resolution=16)


def test_strength_zero_is_the_unedited_picture(scenes):
    ws = scenes.map(scenes.latents([0, 1]))
    images = traverse(scenes, along_first_axis(scenes), ws, index=0, strengths=[-1, 0, 1])
    assert images.shape == (2, 3, 3, 16, 16)
    assert torch.equal(images[:, 1], scenes.synthesize(ws))
    assert not torch.allclose(images[:, 0], images[:, 2], atol=0.1)


def test_batch_split_does_not_matter(scenes):
    ws = scenes.map(scenes.latents(range(3)))
    directions = along_first_axis(scenes)
    whole = traverse(scenes, directions, ws, index=0, strengths=[-1, 0, 1])
    split = traverse(scenes, directions, ws, index=0, strengths=[-1, 0, 1], max_batch=2)
    torch.testing.assert_close(whole, split, atol=1e-6, rtol=0)


def test_strength_is_in_standard_deviations_and_on_chosen_layers_only():
    vector = np.array([[0.6, 0.8]], np.float32)
    directions = Directions(
        vectors=vector,
        names=("d",),
        scores=np.zeros(1),
        layers=np.array([[True, False, True]]),
        scale=np.array([2.0], np.float32),
        w_mean=np.zeros(2, np.float32),
        space="w",
        score_name="none",
    )
    moved = shifted_latents(torch.zeros(1, 3, 2), directions, 0, 1.5)
    expected = torch.tensor([[[1.8, 2.4], [0.0, 0.0], [1.8, 2.4]]])  # 1.5 * 2.0 * vector
    torch.testing.assert_close(moved, expected)


def test_directions_of_another_space_are_refused(scenes):
    ws = scenes.map(scenes.latents([0]))
    with pytest.raises(ValueError, match="space should be z, got w"):
        traverse(scenes, along_first_axis(scenes, space="w"), ws, index=0, strengths=[0])
    with pytest.raises(ValueError, match="num_ws should be 1, got 3"):
        traverse(scenes, along_first_axis(scenes, num_ws=3), ws, index=0, strengths=[0])
    other = ScenesGenerator(resolution=16, z_dim=12)
    with pytest.raises(ValueError, match="w_dim should be 12, got 10"):
        traverse(other, along_first_axis(scenes), other.map(other.latents([0])), index=0, strengths=[0])
    with pytest.raises(IndexError, match=r"in 0 \.\. 0, got 1"):
        traverse(scenes, along_first_axis(scenes), ws, index=1, strengths=[0])


def test_strengths_are_symmetric_and_show_zero():
    assert symmetric_strengths(3, 7) == [-3, -2, -1, 0, 1, 2, 3]
    with pytest.raises(ValueError, match="odd"):
        symmetric_strengths(3, 6)
    with pytest.raises(ValueError, match="greater than 0"):
        symmetric_strengths(0, 7)
