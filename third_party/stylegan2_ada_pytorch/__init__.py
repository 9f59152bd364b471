"""The StyleGAN2-ADA generator: an independent implementation from the papers, see README.md."""

from third_party.stylegan2_ada_pytorch.activations import ACTIVATIONS, Activation
from third_party.stylegan2_ada_pytorch.configuration import (
    ARCHITECTURES,
    GeneratorConfiguration,
    MappingConfiguration,
    SynthesisConfiguration,
    channels_by_resolution,
)
from third_party.stylegan2_ada_pytorch.fully_connected import FullyConnectedLayer
from third_party.stylegan2_ada_pytorch.generator import Generator
from third_party.stylegan2_ada_pytorch.mapping import MappingNetwork
from third_party.stylegan2_ada_pytorch.modulated_convolution import modulated_convolution
from third_party.stylegan2_ada_pytorch.resampling import normalised_filter, upsample
from third_party.stylegan2_ada_pytorch.synthesis import NOISE_MODES, SynthesisBlock, SynthesisNetwork
from third_party.stylegan2_ada_pytorch.synthesis_layers import ResidualBranch, SynthesisLayer, ToRGBLayer

__all__ = [
    "ACTIVATIONS",
    "ARCHITECTURES",
    "NOISE_MODES",
    "Activation",
    "FullyConnectedLayer",
    "Generator",
    "GeneratorConfiguration",
    "MappingConfiguration",
    "MappingNetwork",
    "ResidualBranch",
    "SynthesisBlock",
    "SynthesisConfiguration",
    "SynthesisLayer",
    "SynthesisNetwork",
    "ToRGBLayer",
    "channels_by_resolution",
    "modulated_convolution",
    "normalised_filter",
    "upsample",
]
