"""From vectors and their costs to a ranked `Directions`."""

from __future__ import annotations

import platform
from typing import Any

import numpy as np
import torch
from torch import Tensor

import gan_topdis
from gan_topdis.directions.latent_samples import LatentStatistics
from gan_topdis.directions.result import Directions
from gan_topdis.directions.shift_objective import ShiftCost
from gan_topdis.generators import Generator

SCORE_NAME = "distortion"


def ranked(
    generator: Generator,
    vectors: Tensor,
    cost: ShiftCost,
    *,
    layers: Tensor,
    statistics: LatentStatistics,
    typical: float,
    meta: dict[str, Any],
) -> Directions:
    """Directions, lowest distortion first; on an equal footing, in order of discovery.

    Args:
        vectors: float32 (count, w_dim), on the CPU, in order of discovery.
        cost: of each, on the CPU.
        layers: bool (num_ws,), positions that they move.
        statistics: of the untruncated latent.
        typical: distortion that `rtd_to_random` is relative to.
        meta: provenance; the comparison with known factors is added where there are any.
    """
    scores = cost.log_distortion.double().exp()
    order = scores.argsort(stable=True)
    vectors = vectors[order]
    if generator.known_factors is not None:
        meta = {**meta, **_compare_with_truth(vectors, generator)}
    table = {
        "rtd_to_random": (scores[order] / typical).numpy(),
        "displacement": cost.displacement[order].double().numpy(),
        "consistency": cost.consistency[order].double().numpy(),
        "found_at": order.double().numpy(),
    }
    return Directions(
        vectors=vectors.numpy(),
        names=tuple(f"direction {rank}" for rank in range(len(vectors))),
        scores=scores[order].numpy(),
        layers=layers.numpy()[None].repeat(len(vectors), axis=0),
        scale=statistics.standard_deviation(vectors).numpy(),
        w_mean=statistics.mean.float().numpy(),
        space=generator.latent_space,
        score_name=SCORE_NAME,
        table=table,
        meta=meta,
    )


def canonical(vector: Tensor) -> Tensor:
    """The sign in which the component of largest magnitude is positive."""
    return vector if vector[vector.abs().argmax()] >= 0 else -vector


def versions() -> dict[str, str]:
    """Of what computed the numbers."""
    return {
        "gan_topdis": gan_topdis.__version__,
        "torch": torch.__version__,
        "numpy": np.__version__,
        "python": platform.python_version(),
    }


def continue_from(found: Directions | None, fingerprint: dict[str, Any], generator: Generator) -> Tensor:
    """Rows of an interrupted run in order of discovery; (0, w_dim) when there are none.

    Raises:
        ValueError: the run had other settings.
    """
    if found is None:
        return torch.zeros(0, generator.w_dim)
    for name, value in fingerprint.items():
        previous = found.meta.get(name)
        if name == "generator":  # a network is known by its tensors, not by where its file lies
            same = isinstance(previous, dict) and previous.get("fingerprint") == value["fingerprint"]
        else:
            same = previous == value
        if not same:
            raise ValueError(
                f"the interrupted run has another {name} ({previous}) than this one ({value}); "
                "use the same settings, or start anew in another folder"
            )
    order = np.argsort(found.table["found_at"], kind="stable")
    return torch.from_numpy(found.vectors[order].copy())


def _compare_with_truth(vectors: Tensor, generator: Generator) -> dict[str, Any]:
    """The nearest known factor of each direction, and how well each factor was found."""
    known = generator.known_factors
    assert known is not None
    cosines = vectors.double().numpy() @ known.axes.T  # (count, factors)
    nearest = np.abs(cosines).argmax(axis=1)
    return {
        "known_factors": [
            {"factor": known.names[factor], "cosine": float(cosines[row, factor])}
            for row, factor in enumerate(nearest)
        ],
        "best_cosine_per_factor": {
            name: float(np.abs(cosines[:, factor]).max()) for factor, name in enumerate(known.names)
        },
        "mean_abs_cosine": float(np.abs(cosines).max(axis=0).mean()),
    }
