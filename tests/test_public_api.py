"""Names, arguments and shapes that users rely on (api.md), as far as they exist."""

from __future__ import annotations

import inspect
from collections.abc import Callable
from importlib import import_module

import numpy as np
import pytest
import torch

SIGNATURES = {
    "gan_topdis.persistence:pairwise_distances": "(points, p=2.0)",
    "gan_topdis.persistence:cross_barcode": "(lower, upper)",
    "gan_topdis.persistence:rtd": "(a, b, *, sides='minmax', symmetric=True, power=1)",
    "gan_topdis.persistence:h0_deaths": "(distances)",
    "gan_topdis.persistence:principal_persistence": (
        "(points, dimension, subsamples, *, replacement=True, generator=None)"
    ),
    "gan_topdis.persistence:vr_persistence": "(distance_matrix, max_dimension, max_ball_diameter=0.0)",
    "gan_topdis.persistence:vr_persistence_l1": "(points, max_dimension, max_ball_diameter=0.0)",
    "gan_topdis.losses:ConnectivityLoss": "(eta=2.0, branches=1, over_branches='mean')",
    "gan_topdis.losses:ConnectivityLoss.forward": "(self, codes)",
    "gan_topdis.losses:CramerDistance": "()",
    "gan_topdis.losses:CramerDistance.forward": "(self, x, y)",
    "gan_topdis.losses:PPMRegularizer": (
        "(weights=(1.0, 1.0), bandwidth=0.1, subsamples=1024, convention='paper', replacement=True)"
    ),
    "gan_topdis.losses:PPMRegularizer.forward": "(self, x, y, *, generator=None)",
    "gan_topdis.losses:mmd_squared": "(x, y, *, width)",
    "gan_topdis.losses:RTDLoss": "(sides='minmax', symmetric=True, power=1, normalize='quantile')",
    "gan_topdis.losses:RTDLoss.forward": "(self, x, y)",
    "gan_topdis.generators:load_generator": (
        "(source, *, device='auto', trust_pickle=False, stylegan_repo=None)"
    ),
    "gan_topdis.generators:from_callable": "(synthesize, latent_dim, *, sample=None, name='callable')",
    "gan_topdis.generators:Generator.latents": "(self, seeds)",
    "gan_topdis.generators:Generator.map": "(self, z, c=None, *, truncation_psi=1.0, truncation_cutoff=None)",
    "gan_topdis.generators:Generator.synthesize": "(self, ws, *, noise_mode='const')",
    "gan_topdis.directions:discover": "(generator, count, *, method='topdis', seed=0, **options)",
    "gan_topdis.directions:methods": "()",
    "gan_topdis.directions:Directions.save": "(self, path)",
    "gan_topdis.directions:Directions.load": "(path)",
    "gan_topdis.directions:Directions.export": "(self, path, format, *, generator=None, **options)",
    "gan_topdis.directions:Directions.read": "(path, format='native', *, generator=None, **options)",
    "gan_topdis.metrics:mig": "(codes, factors)",
    "gan_topdis.metrics:sap": "(codes, factors, continuous=False)",
    "gan_topdis.metrics:dci": "(codes, factors)",
    "gan_topdis.metrics:factor_vae_score": "(encode, dataset)",
    "gan_topdis.vae:fit": "(images, *, objective='beta_tc', topdis_weight=0.0, seed=0)",
    "gan_topdis.vae:load": "(path)",
    "gan_topdis.vae:VAE.encode": "(self, x)",
    "gan_topdis.vae:VAE.decode": "(self, z)",
    "gan_topdis.vae:VAE.save": "(self, path)",
    "gan_topdis.connectivity:fit": "(images, *, branches=16, branch_dim=10, eta=2.0, weight=20.0)",
    "gan_topdis.connectivity:ConnectivityAutoencoder.encode": "(self, images)",
    "gan_topdis.connectivity:ConnectivityAutoencoder.decode": "(self, codes)",
    "gan_topdis.connectivity:one_class_scores": "(reference_codes, codes, *, branches, radius)",
    "gan_topdis.gan:fit": "(images, *, ppm_weight=0.0)",
    "gan_topdis.gan:CramerGAN.features": "(self, x)",
}


def departures(promised: str, function: Callable[..., object]) -> list[str]:
    """How a function departs from a signature: arguments may be added behind, by keyword, with a default."""
    namespace: dict[str, Callable[..., object]] = {}
    exec(f"def promise{promised}: ...", namespace)
    expected = inspect.signature(namespace["promise"]).parameters
    found = inspect.signature(function).parameters
    complaints = [f"{name} is missing" for name in expected if name not in found]
    for name, parameter in found.items():
        if name not in expected:
            if parameter.default is parameter.empty and parameter.kind is not parameter.VAR_KEYWORD:
                complaints.append(f"{name} has no default")
            continue
        promise = expected[name]
        if (parameter.kind, parameter.default) != (promise.kind, promise.default):
            complaints.append(f"{name} is {parameter}, promised {promise}")
    by_position = [
        name for name, parameter in found.items() if parameter.kind is parameter.POSITIONAL_OR_KEYWORD
    ]
    promised_order = [
        name for name, parameter in expected.items() if parameter.kind is parameter.POSITIONAL_OR_KEYWORD
    ]
    if not complaints and by_position[: len(promised_order)] != promised_order:
        complaints.append(f"order is {by_position}, promised {promised_order}")
    return complaints


@pytest.mark.parametrize(("place", "promised"), SIGNATURES.items(), ids=SIGNATURES)
def test_signature(place, promised):
    module, _, name = place.partition(":")
    function = import_module(module)
    for part in name.split("."):
        function = getattr(function, part)
    assert departures(promised, function) == []


@pytest.mark.parametrize(
    ("function", "complaint"),
    [
        (lambda points: 0, "p is missing"),
        (lambda points, p=1.0: 0, "p is p=1.0, promised p=2.0"),
        (lambda points, *, p=2.0: 0, "p is p=2.0, promised p=2.0"),
        (lambda points, p=2.0, *, chunk: 0, "chunk has no default"),
        (lambda points=None, p=2.0: 0, "points is points=None, promised points"),
    ],
)
def test_a_departure_is_found(function, complaint):
    assert departures("(points, p=2.0)", function) == [complaint]


def test_another_order_is_found():
    assert departures("(x, y)", lambda y, x: 0) == ["order is ['y', 'x'], promised ['x', 'y']"]
    assert departures("(x, y=1)", lambda x, y=1, z=2, **rest: 0) == []


def test_bars():
    from gan_topdis.persistence import Bars, cross_barcode

    bars = cross_barcode(torch.zeros(2, 3, 4, 4), torch.ones(2, 3, 4, 4) - torch.eye(4))
    assert isinstance(bars, Bars)
    assert bars.birth.shape == bars.death.shape == bars.lengths.shape == (2, 3, 3)


def test_errors_of_files_are_value_errors():
    from gan_topdis.generators import CheckpointError

    assert issubclass(CheckpointError, ValueError)


def _pictures(z: torch.Tensor) -> torch.Tensor:
    return torch.tanh(z[:, :, None, None] * torch.linspace(-1, 1, 4)).expand(-1, -1, 4, 4)[:, :3]


def _generators():
    from gan_topdis.generators import from_callable, load_generator

    return {
        "scenes": lambda: load_generator("scenes", device="cpu"),
        "callable": lambda: from_callable(_pictures, 5),
    }


@pytest.mark.parametrize("name", ["scenes", "callable"])
def test_every_generator_keeps_the_protocol(name):
    """Attributes and shapes; without a mapping network ws is z."""
    generator = _generators()[name]()
    assert generator.family == name
    assert isinstance(generator.fingerprint, str)
    sizes = [generator.z_dim, generator.c_dim, generator.w_dim, generator.num_ws, generator.channels]
    assert all(isinstance(size, int) for size in sizes)
    z = generator.latents([0, 7])
    assert z.shape == (2, generator.z_dim)
    assert torch.equal(z[1:], generator.latents([7]))
    # seed N of the StyleGAN family
    assert np.array_equal(z[1], np.random.RandomState(7).randn(generator.z_dim).astype(np.float32))
    ws = generator.map(z)
    assert ws.shape == (2, generator.num_ws, generator.w_dim)
    assert (generator.num_ws, generator.w_dim) == (1, generator.z_dim)
    assert torch.equal(ws[:, 0], z)
    images = generator.synthesize(ws)
    height, width = generator.resolution
    assert images.shape == (2, generator.channels, height, width)
    assert images.dtype == torch.float32
    assert images.abs().max() <= 1 + 1e-5


def test_methods_of_discovery():
    from gan_topdis.directions import methods

    assert "topdis" in methods()
    assert "random" in methods()
