"""The two stacks: parameter counts written out layer by layer, shapes, initial weights, refusals."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from small_vaes import small_vae
from torch import nn

from gan_topdis.vae import VAE
from gan_topdis.vae.architectures import stage_widths


def conv(inside, outside, kernel=4):
    return inside * outside * kernel**2 + outside


# Layer by layer from the table of Kim and Mnih (S) and the chain 32-64-128-256-512 (L), at 64 pixels
S_GREY = [
    [conv(1, 32), conv(32, 32), conv(32, 64), conv(64, 64), conv(64, 128), conv(128, 20, 1)],
    [conv(10, 128, 1), conv(128, 64), conv(64, 64), conv(64, 32), conv(32, 32), conv(32, 1)],
]
S_COLOUR = [
    [conv(3, 32), conv(32, 32), conv(32, 64), conv(64, 64), conv(64, 256), conv(256, 20, 1)],
    [conv(10, 256, 1), conv(256, 64), conv(64, 64), conv(64, 32), conv(32, 32), conv(32, 3)],
]
L_GREY = [
    [conv(1, 32), conv(32, 64), conv(64, 128), conv(128, 256), conv(256, 512), conv(512, 20, 1)],
    [conv(10, 512, 1), conv(512, 256), conv(256, 128), conv(128, 64), conv(64, 32), conv(32, 1)],
]


def layer_counts(network):
    return [
        sum(p.numel() for p in layer.parameters())
        for layer in network
        if any(True for _ in layer.parameters())
    ]


@pytest.mark.parametrize(
    ("channels", "architecture", "published", "total"),
    [(1, "S", S_GREY, 497_045), (3, "S", S_COLOUR, 765_335), (1, "L", L_GREY, 5_588_949)],
)
def test_published_stacks_at_64_pixels(channels, architecture, published, total):
    vae = VAE(channels, 64, architecture=architecture)
    assert [layer_counts(vae.encoder), layer_counts(vae.decoder)] == published
    assert sum(p.numel() for p in vae.parameters()) == total
    images = torch.rand(2, channels, 64, 64)
    mu, logvar = vae.posterior(images)
    assert mu.shape == logvar.shape == (2, 10)
    assert vae.logits(mu).shape == vae.decode(mu).shape == vae(images).shape == images.shape


def test_3d_faces_are_grey_with_the_width_of_colour():
    assert VAE(1, 64, hidden=256).settings["hidden"] == 256
    assert layer_counts(VAE(1, 64, hidden=256).encoder)[1:] == S_COLOUR[0][1:]


@pytest.mark.parametrize(
    ("architecture", "resolution", "widths"),
    [
        ("S", 16, (64, 64)),
        ("S", 32, (32, 64, 64)),
        ("S", 64, (32, 32, 64, 64)),
        ("S", 256, (32, 32, 32, 32, 64, 64)),
        ("L", 16, (128, 256)),
        ("L", 128, (32, 32, 64, 128, 256)),
    ],
)
def test_stages_come_and_go_next_to_the_image(architecture, resolution, widths):
    assert stage_widths(architecture, resolution) == widths


@pytest.mark.parametrize("resolution", [16, 32, 128])
@pytest.mark.parametrize("channels", [1, 3])
def test_shapes_at_other_sizes(channels, resolution):
    vae = VAE(channels, resolution, 4, hidden=8)
    images = torch.rand(2, channels, resolution, resolution)
    codes = vae.encode(images)
    assert codes.shape == (2, 4)
    decoded = vae.decode(codes)
    assert decoded.shape == images.shape
    assert decoded.min() >= 0 and decoded.max() <= 1


def test_relu_stands_between_all_layers_and_nowhere_else():
    """k layers have k - 1 ReLU between them; outputs of both networks take both signs."""
    for network in (VAE(1, 64).encoder, VAE(1, 64).decoder):
        kinds = [type(layer) for layer in network if not isinstance(layer, nn.Flatten | nn.Unflatten)]
        assert kinds[1::2] == [nn.ReLU] * 5
        assert len(kinds) == 11 and nn.ReLU not in kinds[::2]


def test_encode_is_the_mean_and_decode_the_sigmoid_of_the_logits():
    vae, images = small_vae(decoder="gaussian"), torch.rand(3, 1, 16, 16)
    mu, logvar = vae.posterior(images)
    assert torch.equal(vae.encode(images), mu)
    assert torch.equal(torch.cat([mu, logvar], dim=1), vae.encoder(images))
    torch.testing.assert_close(vae.decode(mu), 1 / (1 + (-vae.logits(mu)).exp()))


def test_first_layer_norms_belong_to_input_coordinates():
    """A coordinate whose weights are set to 0, and one whose weights are 2 at 16 outputs: 0 and 8."""
    vae = small_vae()
    layer = vae.decoder[1]
    with torch.no_grad():
        layer.weight[:, 0] = 0
        layer.weight[:, 1] = 2
    norms = vae.first_decoder_layer_norms()
    assert norms.shape == (3,) and not norms.requires_grad
    assert norms[:2].tolist() == [0, 8]
    # what the norm says: with weight 0 a change of the coordinate changes no image
    z = torch.zeros(2, 3)
    z[1, 0] = 5
    assert torch.equal(*vae.logits(z))


def test_reference_weights_leave_transposed_convolutions_alone():
    torch.manual_seed(3)
    vae = VAE(1, 64, architecture="L", init="reference")
    for layer in [*vae.encoder, *vae.decoder]:
        if isinstance(layer, nn.Conv2d):
            assert not layer.bias.any()
            # standard error of a standard deviation from m draws is 1 / sqrt(2 m); 5 of them
            assert float(layer.weight.detach().std()) == pytest.approx(
                0.02, rel=5 / (2 * layer.weight.numel()) ** 0.5
            )
        elif isinstance(layer, nn.ConvTranspose2d):
            assert layer.bias.any()
            # PyTorch: uniform within 1 / sqrt(fan in), fan in of (in, out, 4, 4) being 16 out
            bound = (16 * layer.weight.shape[1]) ** -0.5
            assert 0.9 * bound < float(layer.weight.detach().abs().max()) <= bound


def test_settings_make_the_same_model():
    vae = VAE(3, 32, 5, architecture="L", hidden=7, init="reference", decoder="gaussian")
    again = VAE(**vae.settings)
    again.load_state_dict(vae.state_dict())
    assert again.settings == vae.settings
    images = torch.rand(2, 3, 32, 32)
    assert torch.equal(again.encode(images), vae.encode(images))


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ((1, 48), "power of two from 16, got 48"),
        ((1, 8), "power of two from 16, got 8"),
        ((0, 64), "channels and latent should be >= 1, got 0"),
        ((1, 64, 0), "got 1 and 0"),
    ],
)
def test_refused_sizes(arguments, message):
    with pytest.raises(ValueError, match=message):
        VAE(*arguments)


@pytest.mark.parametrize(
    ("option", "message"),
    [
        ({"architecture": "M"}, "architecture should be one of S, L, got 'M'"),
        ({"hidden": 0}, "hidden should be >= 1"),
        ({"init": "xavier"}, "init should be one of default, reference"),
        ({"decoder": "laplace"}, "decoder should be one of bernoulli, gaussian"),
    ],
)
def test_refused_options(option, message):
    with pytest.raises(ValueError, match=message):
        VAE(1, 64, **option)


def test_refused_inputs():
    vae = small_vae()
    with pytest.raises(
        TypeError, match=r"should be a torch.Tensor, got ndarray; use torch.as_tensor\(images"
    ):
        vae.encode(np.zeros((2, 1, 16, 16), dtype=np.float32))
    with pytest.raises(
        TypeError, match=r"codes should be a torch.Tensor, got list; use torch.as_tensor\(cod"
    ):
        vae.decode([[0.0, 0.0, 0.0]])
    elsewhere = r"should be on the device of the model, cpu, got meta; use \w+.to\(\"cpu\"\)"
    with pytest.raises(ValueError, match=f"images {elsewhere}"):
        vae.encode(torch.zeros(2, 1, 16, 16, device="meta"))
    with pytest.raises(ValueError, match=f"codes {elsewhere}"):
        vae.decode(torch.zeros(2, 3, device="meta"))
    with pytest.raises(TypeError, match=r"use x.float\(\) / 255"):
        vae.encode(torch.zeros(2, 1, 16, 16, dtype=torch.uint8))
    for shape in [(2, 3, 16, 16), (2, 1, 32, 32), (1, 16, 16), (0, 1, 16, 16)]:
        with pytest.raises(ValueError, match=r"images should have shape \(n, 1, 16, 16\)"):
            vae.encode(torch.zeros(shape))
    with pytest.raises(ValueError, match=r"codes should have shape \(n, 3\), got \(2, 4\)"):
        vae.decode(torch.zeros(2, 4))
