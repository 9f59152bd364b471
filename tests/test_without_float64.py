"""What computes on a device runs on one without float64, such as Apple's MPS, and finds what the CPU finds:
losses with their gradients, trainings, searches. The device is simulated, in a process of its own."""

from __future__ import annotations

import json
import subprocess
import sys
import traceback
from collections.abc import Callable
from contextlib import nullcontext
from importlib import import_module
from pathlib import Path
from types import SimpleNamespace

import numpy as np
import pytest
import torch

from gan_topdis import connectivity, gan, losses, persistence, shapes, vae
from gan_topdis.directions import discover, evaluate_directions, traverse
from gan_topdis.directions.ground_truth_ceiling import supervised_directions
from gan_topdis.directions.ground_truth_factors import factor_meter
from gan_topdis.directions.ground_truth_response import factor_response
from gan_topdis.directions.scores import EvaluationSettings
from gan_topdis.generators import Generator
from gan_topdis.generators.load import BUILT_IN
from gan_topdis.losses.cramer_distance import paired_critic_gain
from gan_topdis.shapes.regularizers import build_regularizer
from gan_topdis.training import Compute


def rng() -> torch.Generator:
    return torch.Generator().manual_seed(0)


def apart(x: torch.Tensor) -> torch.Tensor:
    """Another cloud on the same device."""
    return torch.randn(x.shape, generator=torch.Generator().manual_seed(1)).to(x.device)


LOSSES: dict[str, Callable[[torch.Tensor], torch.Tensor]] = {
    "pairwise_distances": lambda x: persistence.pairwise_distances(x),
    "h0_deaths": lambda x: persistence.h0_deaths(persistence.pairwise_distances(x)),
    "rtd": lambda x: persistence.rtd(*(persistence.pairwise_distances(y) for y in (x, apart(x)))),
    "vietoris_rips": lambda x: persistence.vietoris_rips(persistence.pairwise_distances(x)).bars(1),
    "principal_persistence": lambda x: torch.stack(
        persistence.principal_persistence(x, 1, 99, generator=rng())
    ),
    "vr_persistence_l1": lambda x: persistence.vr_persistence_l1(x, 1, 0)[0][0],
    "ConnectivityLoss": lambda x: losses.ConnectivityLoss(branches=2)(x),
    "CramerDistance": lambda x: losses.CramerDistance()(x, apart(x)),
    "paired Cramer": lambda x: paired_critic_gain(x, apart(x)),
    "PPMRegularizer": lambda x: losses.PPMRegularizer()(x, apart(x), generator=rng()),
    "mmd_squared": lambda x: losses.mmd_squared((x[:, 0], x[:, 1] ** 2), (x[:, 2], x[:, 3] ** 2), width=1.0),
    "RTDLoss": lambda x: losses.RTDLoss()(x, apart(x)),
    "TopDisLoss": lambda x: losses.TopDisLoss()(
        x, lambda codes: codes.sin() @ codes.new_ones(4, 4), generator=rng()
    ),
    "orthogonalise": lambda x: x * losses.orthogonalise([x.detach()], [-apart(x)]).gradients[0],
    **{
        name: lambda x, name=name: build_regularizer(name)(x, apart(x), generator=rng())
        for name in ("w-ppm", "pd")
    },
}


def with_gradient(loss: Callable[[torch.Tensor], torch.Tensor], device: str) -> list[np.ndarray]:
    points = torch.randn(24, 4, generator=rng()).to(device).requires_grad_()
    value = loss(points)
    value.sum().backward()
    assert points.grad.device == points.device
    return [value.detach().cpu().numpy(), points.grad.cpu().numpy()]


def pictures(channels: int, size: int) -> np.ndarray:
    return np.random.default_rng(0).integers(256, size=(32, channels, size, size), dtype=np.uint8)


def weights(model: torch.nn.Module) -> list[np.ndarray]:
    return [parameter.detach().cpu().numpy() for parameter in model.parameters()]


def on(device: str) -> None:
    """Every training that asks for a device gets this one."""
    fabric = SimpleNamespace(autocast=nullcontext, barrier=lambda: None)
    compute = Compute(fabric, torch.device(device), 0, 1)
    for name in ("vae.fit", "gan.fit", "gan.feature_classifier", "connectivity.fit", "shapes.match"):
        sys.modules[f"gan_topdis.{name}"].start_compute = lambda *_: compute


def trained_vae(objective: str) -> Callable[[str], list[np.ndarray]]:
    def train(device: str) -> list[np.ndarray]:
        on(device)
        options = {"steps": 3, "batch_size": 16, "latent": 3, "model_options": {"hidden": 8}}
        return weights(
            vae.fit(pictures(1, 16), objective=objective, topdis_weight=2.0, topdis_start=0, **options)
        )

    return train


def trained_autoencoder(device: str) -> list[np.ndarray]:
    on(device)
    model = connectivity.fit(pictures(1, 16), branches=2, branch_dim=3, steps=3, batch_size=16)
    codes = model.encode(torch.rand(20, 1, 16, 16, generator=rng()).to(device)).detach()
    radius = connectivity.matched_radius(codes, branches=2)
    scores = connectivity.one_class_scores(codes[:10], codes[10:], branches=2, radius=radius)
    return [*weights(model), np.float64(radius), torch.as_tensor(scores).cpu().numpy()]


def trained_gan(channels: int, size: int) -> Callable[[str], list[np.ndarray]]:
    def train(device: str) -> list[np.ndarray]:
        on(device)
        return weights(gan.fit(pictures(channels, size), steps=2, batch_size=8, ppm_weights=(1.0, 1.0)))

    return train


def matched(device: str) -> list[np.ndarray]:
    on(device)
    found = shapes.match(torch.randn(12, 2, generator=rng()), steps=3, keep_every=1)
    return [found.clouds, found.curve.values]


def classified(device: str) -> list[np.ndarray]:
    on(device)
    labels = np.arange(32) % 3
    model = gan.fit_feature_classifier(pictures(1, 28), labels, steps=2, batch_size=8)
    return [*weights(model), np.float64(gan.classifier_accuracy(model, pictures(1, 28), labels))]


def compared_with_truth(device: str) -> list[np.ndarray]:
    """Of a generator with known factors, what `gan-topdis benchmark` measures."""
    generator = generator_on("sprites", device)
    meter = factor_meter(generator)
    best = supervised_directions(generator, meter, samples=64)
    response = factor_response(generator, best, meter, samples=16)
    return [best.vectors, response.matrix, response.strengths]


def generator_on(name: str, device: str) -> Generator:
    module, _, attribute = BUILT_IN[name].partition(":")
    return getattr(import_module(module), attribute)(device=torch.device(device))


QUICK = {
    "points": 12,
    "steps": 2,
    "second_steps": 1,
    "restarts": 2,
    "feature_size": 8,
    "subspace": 4,
    "evaluation_points": 12,
    "probes": 8,
    "ppm_weight": 0.1,
}
FEW = EvaluationSettings(points=12, steps=5, statistics_samples=200, feature_size=8)


def synthesised(device: str) -> list[np.ndarray]:
    """Pictures of a StyleGAN2, their gradient, and what SeFa factorises."""
    generator = generator_on("demo", device)
    ws = generator.map(generator.latents([0, 1])).requires_grad_()
    images = generator.synthesize(ws)
    images.square().mean().backward()
    weights = [weight.detach().cpu().numpy() for weight in generator.style_weights()]
    return [images.detach().cpu().numpy(), ws.grad.cpu().numpy(), *weights]


def searched(method: str) -> Callable[[str], list[np.ndarray]]:
    """Directions found, edited pictures, and for one method scores."""

    def search(device: str) -> list[np.ndarray]:
        generator = generator_on("scenes", device)
        options = {
            name: QUICK[name]
            for name in QUICK
            if method.startswith("topdis") or name in ("probes", "feature_size")
        }
        found = discover(generator, 2, method=method, seed=0, **options)
        ws = generator.map(torch.randn(1, generator.z_dim, generator=rng()).to(device))
        images = traverse(generator, found, ws, index=0, strengths=[-1.0, 1.0])
        results = [found.vectors, found.scores, np.asarray(images)]
        return (
            results if method != "topdis" else [*results, evaluate_directions(generator, found, FEW).topology]
        )

    return search


SEARCHES = ("topdis", "topdis-joint", "ganspace-features", "jacobian")  # the others have nothing of their own
CASES: dict[str, Callable[[str], list[np.ndarray]]] = {
    **{name: lambda device, loss=loss: with_gradient(loss, device) for name, loss in LOSSES.items()},
    **{f"vae.fit {objective}": trained_vae(objective) for objective in ("vae", "factor", "dava")},
    "connectivity.fit": trained_autoencoder,
    "gan.fit 28": trained_gan(1, 28),
    "gan.fit 32": trained_gan(3, 32),
    "fit_feature_classifier": classified,
    "shapes.match": matched,
    "ground truth": compared_with_truth,
    **{f"discover {method}": searched(method) for method in SEARCHES},
    "StyleGAN2": synthesised,
}


def assert_close(there: np.ndarray, here: np.ndarray) -> None:
    """On average: where a gradient is rounding, a step of Adam may go either way."""
    assert there.shape == here.shape
    assert np.abs(there - here).mean() <= 1e-3 * np.abs(here).mean() + 1e-6, (there, here)


def outcomes() -> dict[str, str]:
    """Per case what went wrong, or an empty text."""
    from device_without_float64 import DEVICE, Simulated, register

    register()  # before autograd starts, which then counts devices
    expected = {name: case("cpu") for name, case in CASES.items()}
    told = {}
    with Simulated():
        for name, case in CASES.items():
            try:
                for there, here in zip(case(DEVICE), expected[name], strict=True):
                    assert_close(there, here)
                told[name] = ""
            except Exception:
                told[name] = traceback.format_exc()
    return told


@pytest.fixture(scope="module")
def told() -> dict[str, str]:
    command = [sys.executable, __file__]
    done = subprocess.run(command, capture_output=True, text=True, timeout=300, cwd=Path(__file__).parents[1])
    assert done.returncode == 0, done.stderr[-2000:]
    return json.loads(done.stdout.splitlines()[-1])


@pytest.mark.parametrize("case", CASES)
def test_a_device_without_float64_finds_what_the_cpu_finds(told, case):
    assert not told[case], told[case][-2000:]


if __name__ == "__main__":
    print(json.dumps(outcomes()), flush=True)
