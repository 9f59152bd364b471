"""The real face generator of PyPI, end to end."""

import numpy as np
import pytest
import torch

from gan_topdis.directions import discover, traverse
from gan_topdis.generators import load_generator


@pytest.mark.slow
@pytest.mark.needs_data("gan-face-generate")
def test_directions_of_the_face_generator_are_visible_and_different(gan_face_generate):
    generator = load_generator(gan_face_generate, device="cpu")
    found = discover(generator, 3, steps=20, second_steps=6, restarts=2, points=32, evaluation_points=64)
    ws = generator.map(generator.latents(range(4)))
    changes = []
    for index in range(3):
        images = traverse(generator, found, ws, index=index, strengths=[-3, 0, 3])
        changes.append((images[:, 2] - images[:, 0]).flatten())
        # root mean square over pixels in [-1, 1]; random directions reach 0.2 at strength 3 (data notes)
        assert changes[-1].square().mean().sqrt() > 0.2
    cosines = torch.corrcoef(torch.stack(changes)).fill_diagonal_(0)
    assert cosines.abs().max() < 0.7, "no two rows show the same change"
    assert found.scores[0] < found.meta["random_baseline"]["mean"]
    np.testing.assert_allclose(found.vectors @ found.vectors.T, np.eye(3), atol=1e-5)
