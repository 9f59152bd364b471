"""The methods of `discover` by name, those of the paper first, then baselines."""

from __future__ import annotations

from gan_topdis.directions.ganspace import GANSPACE, GANSPACE_FEATURES
from gan_topdis.directions.jacobian import JACOBIAN
from gan_topdis.directions.random_directions import RANDOM_DIRECTIONS
from gan_topdis.directions.search import Method
from gan_topdis.directions.sefa import SEFA
from gan_topdis.directions.topdis import TOPDIS
from gan_topdis.directions.topdis_joint import TOPDIS_JOINT
from gan_topdis.directions.topdis_plain import TOPDIS_PLAIN

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
