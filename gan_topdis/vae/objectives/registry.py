"""Objectives by the names that users write."""

from __future__ import annotations

import inspect
from typing import Any

from gan_topdis.vae.architectures import VAE
from gan_topdis.vae.objectives.beta import BetaVAE
from gan_topdis.vae.objectives.beta_tc import BetaTCVAE
from gan_topdis.vae.objectives.control import ControlVAE
from gan_topdis.vae.objectives.dava import DAVA
from gan_topdis.vae.objectives.factor import FactorVAE
from gan_topdis.vae.objectives.objective import Objective
from gan_topdis.vae.objectives.plain import PlainVAE

OBJECTIVES: dict[str, type[Objective]] = {
    "vae": PlainVAE,
    "beta": BetaVAE,
    "factor": FactorVAE,
    "beta_tc": BetaTCVAE,
    "control": ControlVAE,
    "dava": DAVA,
}
# What for_model reads from the model and the data: no options of the user's
_DERIVED = ("latent", "dataset_size", "channels", "resolution")


def build_objective(name: str, vae: VAE, dataset_size: int, **options: Any) -> Objective:
    """The objective of this name for a model and a data set.

    Args:
        name: of `OBJECTIVES`.
        vae: gives sizes to networks of the objective.
        dataset_size: number of training images.
        options: arguments of the objective's constructor, e.g. `beta`.

    Raises:
        ValueError: unknown name or option, which lists the known; or what the constructor refuses.
    """
    if name not in OBJECTIVES:
        raise ValueError(f"objective should be one of {', '.join(OBJECTIVES)}, got {name!r}")
    kind = OBJECTIVES[name]
    # A class without a constructor of its own has nn.Module's, which takes no options by name
    own = inspect.signature(kind).parameters.values() if "__init__" in vars(kind) else ()
    known = [parameter.name for parameter in own if parameter.name not in _DERIVED]
    for option in options:
        if option not in known:
            raise ValueError(f"options of {name} are: {', '.join(known) or 'none'}; got {option!r}")
    return kind.for_model(vae, dataset_size, **options)
