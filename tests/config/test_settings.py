"""Defaults and ranges of the commands' settings."""

from __future__ import annotations

from dataclasses import asdict

import pytest

from gan_topdis.config import DiscoverConfig, TraverseConfig
from gan_topdis.config.ranges import DEVICES, METHODS, NOISE_MODES, STARTING_METHODS
from gan_topdis.directions import methods
from gan_topdis.directions.options import STARTING_METHODS as KNOWN_STARTING_METHODS
from gan_topdis.directions.options import TopDisOptions
from gan_topdis.generators.load import DEVICES as KNOWN_DEVICES
from gan_topdis.generators.protocol import NOISE_MODES as KNOWN_NOISE_MODES


def test_defaults_of_the_search_are_those_of_the_library():
    assert DiscoverConfig().search_options() == asdict(TopDisOptions())


def test_choices_are_those_of_the_library():
    assert set(METHODS) == set(methods())
    assert set(STARTING_METHODS) == set(KNOWN_STARTING_METHODS)
    assert set(NOISE_MODES) == set(KNOWN_NOISE_MODES)
    assert set(DEVICES) == set(KNOWN_DEVICES)


@pytest.mark.parametrize(
    ("settings", "message"),
    [
        ({"count": 0}, "count should be at least 1, got 0"),
        ({"points": 7}, "points should be at least 8, got 7"),
        ({"method": "pca"}, f"method should be one of {', '.join(METHODS)}, got 'pca'"),
        ({"steps": 6}, "steps should be odd and at least 3, so that strength 0 is shown, got 6"),
        (
            {"warm_start": "topdis"},
            f"warm-start should be one of {', '.join(STARTING_METHODS)}, got 'topdis'",
        ),
        ({"temperature": 0.0}, "temperature should be greater than 0, got 0.0"),
        ({"ppm_weight": -1.0}, "ppm-weight should be at least 0, got -1.0"),
        ({"patience": 0}, "patience should be at least 1, got 0"),
        ({"max_strength": 0.0}, "max-strength should be greater than 0, got 0.0"),
        ({"max_strength": float("inf")}, "max-strength should be greater than 0, got inf"),
        ({"trunc": float("nan")}, "trunc should be finite, got nan"),
        ({"class_index": -1}, "class should be at least 0, got -1"),
        ({"noise_mode": "some"}, "noise-mode should be one of const, random, none, got 'some'"),
        ({"device": "tpu"}, "device should be one of auto, cpu, cuda, mps, got 'tpu'"),
        ({"seeds": ()}, "seeds should name at least one picture, got none"),
        ({"seeds": (2**32,)}, "seeds should be in 0 .. 4294967295, got 4294967296"),
    ],
)
def test_a_setting_out_of_range_is_named_as_its_option(settings, message):
    with pytest.raises(ValueError) as error:
        DiscoverConfig(**settings)
    assert str(error.value) == message


def test_media_are_known():
    with pytest.raises(ValueError, match="media should be one of png, gif, got 'mp4'"):
        TraverseConfig(media=("mp4",))


def test_a_device_may_have_a_number():
    assert DiscoverConfig(device="cuda:1").device == "cuda:1"
