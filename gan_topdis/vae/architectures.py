"""The two convolutional VAEs of the disentanglement literature, S and L, for any power of two pixels.

Source: Kim and Mnih, Disentangling by Factorising, arXiv:1802.05983, appendix (S); Balabin et al.,
    Disentanglement Learning via Topology, arXiv:2308.12696 (L for dSprites). Both are published at 64 pixels;
    the rule for other sizes is ours.
"""

from __future__ import annotations

import os
from itertools import pairwise
from typing import final

import torch
from jaxtyping import Float
from torch import Tensor, nn

WIDTHS = {"S": (32, 32, 64, 64), "L": (32, 64, 128, 256)}
"""Channels after each halving of a 64-pixel image, down to 4 x 4."""
INITS = ("default", "reference")
DECODERS = ("bernoulli", "gaussian")
SMALLEST = 16


def stage_widths(architecture: str, resolution: int) -> tuple[int, ...]:
    """Channels after each halving from `resolution` down to 4 x 4 pixels.

    Stages are added or dropped next to the image, so that the deep ones are the published ones: S has
    64-64 at 16 pixels, 32-32-64-64 at 64, 32-32-32-64-64 at 128.

    Raises:
        ValueError: unknown architecture, or a resolution that is no power of two from 16.
    """
    if architecture not in WIDTHS:
        raise ValueError(f"architecture should be one of {', '.join(WIDTHS)}, got {architecture!r}")
    if resolution < SMALLEST or resolution & (resolution - 1):
        raise ValueError(f"resolution should be a power of two from {SMALLEST}, got {resolution}; resize")
    published = WIDTHS[architecture]
    missing = resolution.bit_length() - 3 - len(published)
    return (published[0],) * missing + published if missing >= 0 else published[-missing:]


def default_hidden(architecture: str, channels: int) -> int:
    """Width between the convolutions and the codes: 512 in L; 128 in S, 256 where it sees colour."""
    return 512 if architecture == "L" else 128 if channels == 1 else 256


def encoder_stack(
    architecture: str, channels: int, resolution: int, hidden: int, outputs: int, *, norm: bool = False
) -> nn.Sequential:
    """Images (n, channels, resolution, resolution) to (n, outputs): halvings, then a 4 x 4 and a 1 x 1 layer.

    Args:
        norm: instance norm after each ReLU, batch norm after the last, both without learnt or running
            values except the affine map of the batch norm; for discriminators. The batch norm has
            no running statistics because a discriminator sees nothing but training batches.
    """
    layers: list[nn.Module] = []
    widths = stage_widths(architecture, resolution)
    for inside, outside in pairwise((channels, *widths)):
        layers += [nn.Conv2d(inside, outside, 4, stride=2, padding=1), nn.ReLU()]
        layers += [nn.InstanceNorm2d(outside)] if norm else []
    layers += [nn.Conv2d(widths[-1], hidden, 4), nn.ReLU()]  # (n, hidden, 1, 1)
    layers += [nn.BatchNorm2d(hidden, track_running_stats=False)] if norm else []
    layers += [nn.Conv2d(hidden, outputs, 1), nn.Flatten()]
    return nn.Sequential(*layers)


def decoder_stack(
    architecture: str, channels: int, resolution: int, hidden: int, latent: int
) -> nn.Sequential:
    """Codes (n, latent) to logits (n, channels, resolution, resolution): the encoder mirrored."""
    widths = stage_widths(architecture, resolution)[::-1]
    layers: list[nn.Module] = [
        nn.Unflatten(1, (latent, 1, 1)),
        nn.Conv2d(latent, hidden, 1),
        nn.ReLU(),
        nn.ConvTranspose2d(hidden, widths[0], 4),  # (n, width, 4, 4)
    ]
    # S reads H-64-64-32-32-nc: the 4 x 4 map has the width of the encoder's last stage
    for inside, outside in pairwise((*widths, channels)):
        layers += [nn.ReLU(), nn.ConvTranspose2d(inside, outside, 4, stride=2, padding=1)]
    return nn.Sequential(*layers)


@final
class VAE(nn.Module):
    """Convolutional encoder to a diagonal Gaussian posterior, and its mirror as decoder.

    Convolutions of kernel 4 and stride 2 with ReLU between, no normalisation. The Linear layers that
    ControlVAE has at the latent ends compute the same as the 1 x 1 convolutions here. Initial weights
    come from torch's global generator, as for any module.

    Args:
        channels: 1 for grey, 3 for colour, or any number.
        resolution: height and width in pixels, a power of two from 16; see `stage_widths`.
        latent: number d of coordinates of a code.
        architecture: `S` or `L`.
        hidden: width next to the codes; `default_hidden` when None. Published S has 256 also for the
            grey pictures of 3D Faces.
        init: `default` is PyTorch's; `reference` draws the weights of Conv2d from N(0, 0.02^2) and sets
            their biases to 0, leaving ConvTranspose2d alone, as the authors' code does.
        decoder: what the reconstruction term reads from the logits: `bernoulli` pixels (cross-entropy)
            or `gaussian` pixels around the sigmoid (squared error).

    Attributes:
        settings: these arguments by name; `VAE(**vae.settings)` is the same model untrained.
    """

    def __init__(
        self,
        channels: int,
        resolution: int,
        latent: int = 10,
        *,
        architecture: str = "S",
        hidden: int | None = None,
        init: str = "default",
        decoder: str = "bernoulli",
    ) -> None:
        super().__init__()
        if channels < 1 or latent < 1:
            raise ValueError(f"channels and latent should be >= 1, got {channels} and {latent}")
        if hidden is not None and hidden < 1:
            raise ValueError(f"hidden should be >= 1, got {hidden}")
        if init not in INITS:
            raise ValueError(f"init should be one of {', '.join(INITS)}, got {init!r}")
        if decoder not in DECODERS:
            raise ValueError(f"decoder should be one of {', '.join(DECODERS)}, got {decoder!r}")
        stage_widths(architecture, resolution)  # refuses what it does not know
        hidden = default_hidden(architecture, channels) if hidden is None else hidden
        self.channels, self.resolution, self.latent = channels, resolution, latent
        self.pixels = decoder
        self.settings: dict[str, int | str] = {
            "channels": channels,
            "resolution": resolution,
            "latent": latent,
            "architecture": architecture,
            "hidden": hidden,
            "init": init,
            "decoder": decoder,
        }
        self.encoder = encoder_stack(architecture, channels, resolution, hidden, 2 * latent)
        self.decoder = decoder_stack(architecture, channels, resolution, hidden, latent)
        if init == "reference":
            self.apply(_reference_weights)

    def posterior(self, x: Float[Tensor, "n c h w"]) -> tuple[Float[Tensor, "n d"], Float[Tensor, "n d"]]:
        """Mean and log variance of the codes of images in [0, 1].

        Raises:
            TypeError: images are no tensor, or not floating point.
            ValueError: they are on another device than the model, or have not the shape it was made for.
        """
        self._require_here(x, "images")
        if not x.is_floating_point():
            raise TypeError(f"images should be floating point in [0, 1], got {x.dtype}; use x.float() / 255")
        shape = (self.channels, self.resolution, self.resolution)
        if x.ndim != 4 or x.shape[1:] != shape or len(x) == 0:
            raise ValueError(f"images should have shape (n, {str(shape)[1:-1]}), got {tuple(x.shape)}")
        # in the type of the images also under autocast, whose bfloat16 is too coarse for KL and distances
        mu, logvar = self.encoder(x).to(x.dtype).chunk(2, dim=1)  # (n, d) each
        return mu, logvar

    def encode(self, x: Float[Tensor, "n c h w"]) -> Float[Tensor, "n d"]:
        """Posterior means of images in [0, 1]; errors of `posterior`."""
        return self.posterior(x)[0]

    def logits(self, z: Float[Tensor, "n d"]) -> Float[Tensor, "n c h w"]:
        """What the decoder says before the sigmoid.

        Raises:
            TypeError: codes are no tensor.
            ValueError: they are on another device than the model, or not (n, d).
        """
        self._require_here(z, "codes")
        if z.ndim != 2 or z.shape[1] != self.latent:
            raise ValueError(f"codes should have shape (n, {self.latent}), got {tuple(z.shape)}")
        logits: Tensor = self.decoder(z).to(z.dtype)
        return logits

    def decode(self, z: Float[Tensor, "n d"]) -> Float[Tensor, "n c h w"]:
        """Images in [0, 1] of codes, for either kind of pixels; errors of `logits`."""
        return torch.sigmoid(self.logits(z))

    def forward(self, x: Float[Tensor, "n c h w"]) -> Float[Tensor, "n c h w"]:
        """Reconstructions of images through their posterior means."""
        return self.decode(self.encode(x))

    def save(self, path: str | os.PathLike[str]) -> None:
        """Write weights and settings to one safetensors file, which `vae.load` opens.

        Raises:
            OSError: it cannot be written; an earlier file of the name is as it was.
        """
        from gan_topdis.vae.model_file import save  # it makes models, and so imports this module

        save(self, path)

    def first_decoder_layer_norms(self) -> Float[Tensor, " d"]:
        """How much the decoder's first layer reads of each coordinate: l2 norm over its outputs, detached."""
        layer = self.decoder[1]
        assert isinstance(layer, nn.Conv2d)
        return layer.weight.detach().square().sum(dim=(0, 2, 3)).sqrt()  # weight (out, d, 1, 1)

    def _require_here(self, values: object, name: str) -> None:
        """Refuse anything but a tensor on the device of the model."""
        if not isinstance(values, Tensor):
            raise TypeError(
                f"{name} should be a torch.Tensor, got {type(values).__name__}; use torch.as_tensor({name})"
            )
        device = next(self.parameters()).device
        if values.device != device:
            raise ValueError(
                f"{name} should be on the device of the model, {device}, got {values.device}; "
                f'use {name}.to("{device}")'
            )


def _reference_weights(module: nn.Module) -> None:
    # ConvTranspose2d is no Conv2d: the authors' isinstance test passes it by, so it keeps its default
    if isinstance(module, nn.Conv2d):
        nn.init.normal_(module.weight, 0.0, 0.02)
        assert module.bias is not None
        nn.init.zeros_(module.bias)
