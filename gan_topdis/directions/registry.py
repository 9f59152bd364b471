"""The methods of `discover` by name, those of the paper first, then baselines."""

from __future__ import annotations

from gan_topdis.directions.ganspace import GANSPACE, GANSPACE_FEATURES
from gan_topdis.directions.jacobian import JACOBIAN
from gan_topdis.directions.options import PIXELS
from gan_topdis.directions.random_directions import RANDOM_DIRECTIONS
from gan_topdis.directions.search import Method
from gan_topdis.directions.sefa import SEFA
from gan_topdis.directions.topdis import TOPDIS
from gan_topdis.directions.topdis_joint import TOPDIS_JOINT
from gan_topdis.directions.topdis_plain import TOPDIS_PLAIN
from gan_topdis.generators import Generator

METHODS: dict[str, Method] = {
    "topdis": TOPDIS,
    "topdis-plain": TOPDIS_PLAIN,
    "topdis-joint": TOPDIS_JOINT,
    "ganspace": GANSPACE,
    "ganspace-features": GANSPACE_FEATURES,
    "sefa": SEFA,
    "jacobian": JACOBIAN,
    "random": RANDOM_DIRECTIONS,
}


def methods() -> tuple[str, ...]:
    """Names that `discover` takes as `method`."""
    return tuple(METHODS)


def require_supported(
    generator: Generator, method: str, *, warm_start: str, feature_layer: str = PIXELS
) -> None:
    """Refuse what a generator cannot do, before any work.

    Raises:
        ValueError: the method, or the baseline to start from, needs weights that the generator has not;
            or there is no such feature layer.
    """
    for name in (method, warm_start):
        require = METHODS[name].require
        if require is not None:
            require(generator)
    if feature_layer != PIXELS:
        generator.require_feature_layer(feature_layer)
