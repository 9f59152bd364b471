"""Where pictures are compared: layers of generators, and searches that use them."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from small_networks import dcgan_network, stylegan2_network

from gan_topdis.directions import discover
from gan_topdis.directions.latent_samples import LatentSampler
from gan_topdis.generators.scenes import ScenesGenerator

TINY = {"points": 16, "steps": 3, "second_steps": 0, "restarts": 2, "evaluation_points": 24, "probes": 128}


def recorded(module, run):
    """What a module returned during a run; None if it did not compute."""
    outputs = []
    handle = module.register_forward_hook(lambda _, __, output: outputs.append(output))
    run()
    handle.remove()
    return outputs[0] if outputs else None


def test_stylegan2_layers_are_the_features_of_its_blocks():
    generator = stylegan2_network()
    assert generator.feature_layers() == ("b4", "b8", "b16")
    ws = generator.map(generator.latents([0, 1]))
    for layer, shape in (("b4", (2, 6, 4, 4)), ("b8", (2, 5, 8, 8)), ("b16", (2, 4, 16, 16))):
        features = generator.layer_features(ws, layer)
        assert features.shape == shape
        block = getattr(generator.network.synthesis, layer)
        expected, _ = recorded(block, lambda: generator.synthesize(ws))
        torch.testing.assert_close(features, expected, atol=0, rtol=0)
    later = generator.network.synthesis.b16
    assert recorded(later, lambda: generator.layer_features(ws, "b8")) is None, "later blocks do not compute"


def test_a_layer_depends_on_the_latents_up_to_it():
    generator = stylegan2_network()
    ws = generator.map(generator.latents([0])).requires_grad_()
    generator.layer_features(ws, "b8").square().sum().backward()
    per_position = ws.grad.abs().sum(dim=(0, 2))
    # position 1 feeds b8.conv0 and a colour layer, position 2 b8.conv1
    assert (per_position[:3] > 0).all()
    assert (per_position[3:] == 0).all()


def test_dcgan_layers_are_its_activations():
    generator = dcgan_network()
    assert generator.feature_layers() == ("layer0",)
    ws = generator.map(generator.latents([0, 1]))
    expected = recorded(generator.network.relu0, lambda: generator.synthesize(ws))
    torch.testing.assert_close(generator.layer_features(ws, "layer0"), expected, atol=0, rtol=0)


@pytest.mark.parametrize(
    ("generator", "message"),
    [
        (stylegan2_network(), "random weights should be one of pixels, b4, b8, b16, got 'b32'"),
        (dcgan_network(), "dcgan should be one of pixels, layer0, got 'b32'"),
        (ScenesGenerator(resolution=16), "scenes should be pixels: no inner layer is accessible, got 'b32'"),
    ],
    ids=lambda value: getattr(value, "family", ""),
)
def test_unknown_layers_are_answered_with_those_there_are(generator, message):
    with pytest.raises(ValueError, match=f"the feature layer of {message}"):
        discover(generator, 1, feature_layer="b32", **TINY)
    with pytest.raises(ValueError, match=f"the feature layer of {message}"):
        generator.layer_features(generator.map(generator.latents([0])), "b32")


def test_wrong_shape_is_refused():
    with pytest.raises(ValueError, match=r"ws should have shape \(n, 6, 6\)"):
        stylegan2_network().layer_features(torch.zeros(1, 2, 6), "b4")


def test_a_search_at_a_layer_differs_from_one_in_pixels():
    generator = stylegan2_network()
    at_layer = discover(generator, 2, feature_layer="b8", **TINY)
    in_pixels = discover(generator, 2, **TINY)
    np.testing.assert_allclose(at_layer.vectors @ at_layer.vectors.T, np.eye(2), atol=2e-6)
    assert not np.allclose(np.abs(at_layer.vectors), np.abs(in_pixels.vectors), atol=0.05)
    assert at_layer.meta["options"]["feature_layer"] == "b8"


def test_large_maps_are_averaged_and_chunks_change_nothing():
    generator = stylegan2_network()
    ws = generator.map(generator.latents(range(5)))
    mask = torch.ones(6, dtype=torch.bool)
    features = [
        LatentSampler(
            generator, layers=mask, class_index=None, feature_size=4, max_batch=batch, feature_layer="b16"
        ).features(ws)
        for batch in (2, 8)
    ]
    assert features[0].shape == (5, 4 * 4 * 4)
    torch.testing.assert_close(features[0], features[1], atol=1e-6, rtol=1e-5)
