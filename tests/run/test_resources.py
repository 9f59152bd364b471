"""Time and memory of a piece of work."""

import time

import numpy as np
import pytest

from gan_topdis.run.resources import measured


def test_seconds():
    with measured() as resources:
        time.sleep(0.05)
    assert 0.05 <= resources.seconds < 2


def test_memory_is_that_of_this_work_alone():
    """200 MB inside, though 400 MB were taken and given back before."""
    np.ones(50_000_000).sum()
    with measured() as resources:
        np.ones(25_000_000).sum()
    if resources.peak_megabytes is None:
        pytest.skip("this system does not tell")
    assert 180 < resources.peak_megabytes < 260
    with measured() as idle:
        pass
    assert idle.peak_megabytes < 20


def test_a_failure_is_measured_and_passes_through():
    with pytest.raises(KeyError), measured() as resources:
        raise KeyError("x")
    assert resources.seconds >= 0
