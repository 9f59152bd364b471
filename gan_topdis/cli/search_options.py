"""Options of a search for directions, beyond network, count, method and seed."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import click

from gan_topdis.cli.options import setting
from gan_topdis.config import DiscoverConfig
from gan_topdis.config.ranges import STARTING_METHODS


def search_options(function: Callable[..., Any]) -> Callable[..., Any]:
    """Adds them to a command, in the order of the fields of `DiscoverConfig`."""
    options = (
        setting(
            DiscoverConfig,
            "points",
            type=click.IntRange(min=8),
            metavar="PICTURES",
            help="Pictures per step of the search.",
        ),
        setting(
            DiscoverConfig,
            "search_steps",
            type=click.IntRange(min=1),
            metavar="STEPS",
            help="Gradient steps per direction.",
        ),
        setting(
            DiscoverConfig,
            "second_steps",
            type=click.IntRange(min=0),
            metavar="STEPS",
            help="Gradient steps per direction in the second pass; 0: no second pass.",
        ),
        setting(
            DiscoverConfig,
            "restarts",
            type=click.IntRange(min=1),
            metavar="COUNT",
            help="Starts per direction, of which the best is kept.",
        ),
        setting(
            DiscoverConfig,
            "feature_size",
            type=click.IntRange(min=1),
            metavar="PIXELS",
            help="Pictures are averaged to this size to be compared.",
        ),
        setting(
            DiscoverConfig,
            "subspace",
            type=click.IntRange(min=1),
            metavar="DIMENSIONS",
            help="Largest dimension of the space searched.",
        ),
        setting(
            DiscoverConfig,
            "evaluation_points",
            type=click.IntRange(min=8),
            metavar="PICTURES",
            help="Pictures by which directions are scored.",
        ),
        setting(
            DiscoverConfig,
            "warm_start",
            type=click.Choice(STARTING_METHODS),
            help="Baseline from whose directions the search starts.",
        ),
        setting(
            DiscoverConfig,
            "feature_layer",
            metavar="LAYER",
            help="Where pictures are compared: pixels, or a layer such as b64 or layer2.",
        ),
        setting(
            DiscoverConfig,
            "ppm_weight",
            type=click.FloatRange(min=0),
            metavar="WEIGHT",
            help="Keep the topology of moved pictures near that of unmoved ones; 0: do not.",
        ),
        setting(
            DiscoverConfig,
            "temperature",
            type=click.FloatRange(min=0, min_open=True),
            metavar="PSI",
            help="Truncation psi of the pictures the search compares.",
        ),
        setting(
            DiscoverConfig,
            "patience",
            type=click.IntRange(min=1),
            metavar="STEPS",
            default_text="never",
            help="End a descent after so many steps without progress.",
        ),
        setting(
            DiscoverConfig,
            "probes",
            type=click.IntRange(min=1),
            metavar="COUNT",
            default_text="by latent size",
            help="Gradients behind the space searched; fewer are faster and rougher.",
        ),
    )
    for option in reversed(options):
        function = option(function)
    return function
