"""One verb for every method: sample, find the informative subspace, search, score, rank."""

from __future__ import annotations

import platform
from collections.abc import Callable, Iterator, Sequence
from dataclasses import asdict
from typing import Any

import numpy as np
import torch
from torch import Tensor

import gan_topdis
from gan_topdis.directions.informative_subspace import effect_chunks, informative_subspace, mean_effect
from gan_topdis.directions.jacobian import jacobian_directions
from gan_topdis.directions.latent_samples import LatentSampler
from gan_topdis.directions.progress import Progress, ProgressCallback
from gan_topdis.directions.random_directions import random_orthonormal, random_unit
from gan_topdis.directions.result import Directions
from gan_topdis.directions.shift_objective import ShiftCost, ShiftObjective
from gan_topdis.directions.topdis import TopDisOptions, second_pass, topdis_directions
from gan_topdis.generators import Generator
from gan_topdis.seeding import seeded_generator

STATISTICS_SAMPLES = 10_000
EFFECT_IMAGES = 128
RANDOM_DIRECTIONS = 16
"""Random directions of the same subspace, scored like the rest, behind `rtd_to_random`."""
METHODS = ("topdis", "jacobian", "random")
SCORE_NAME = "distortion"

_STATISTICS, _EFFECT, _EVALUATION, _SEARCH, _BASELINE = range(5)  # purposes of random generators


def methods() -> tuple[str, ...]:
    """Names that `discover` takes as `method`."""
    return METHODS


def discover(
    generator: Generator,
    count: int,
    *,
    method: str = "topdis",
    seed: int = 0,
    class_index: int | None = None,
    layers: np.ndarray | Sequence[bool] | None = None,
    on_progress: ProgressCallback | None = None,
    on_direction: Callable[[Directions], None] | None = None,
    found: Directions | None = None,
    **options: Any,
) -> Directions:
    """Latent directions of a pretrained generator, ranked by topological distortion.

    Args:
        generator: from `load_generator` or `from_callable`; it is not changed.
        count: how many directions.
        method: `topdis`, or a baseline: `jacobian`, `random`.
        seed: the same seed gives the same directions on CPU.
        class_index: class of all samples; needed for a conditional generator.
        layers: bool (num_ws,), positions of ws that directions move; all when None.
        on_progress: called after every step.
        on_direction: called after every direction with what there is so far, which `save`s and can be
            given back as `found`.
        found: what an interrupted call of the same settings had found; the result is that of an
            uninterrupted call.
        options: of `TopDisOptions`.

    Returns:
        `Directions` with orthonormal rows, lowest distortion first. `scores` is the distortion of
        `shift_objective`, dimensionless; `table` holds `rtd_to_random` (the score over the geometric
        mean score of random directions), `displacement` (visible change by the shift, as a share of
        the median distance between pictures), `consistency` (mean cosine between the changes of
        different pictures), `found_at` (order of discovery).

    Raises:
        ValueError: unknown method or option, a missing class, more directions than the generator has
            informative ones, or `found` of other settings.
    """
    with torch.inference_mode(False), torch.enable_grad():  # whatever mode the caller is in
        return _discover(
            generator,
            count,
            method,
            seed,
            class_index,
            layers,
            on_progress,
            on_direction,
            found,
            _settings(generator, count, method, options),
        )


def _discover(
    generator: Generator,
    count: int,
    method: str,
    seed: int,
    class_index: int | None,
    layers: np.ndarray | Sequence[bool] | None,
    on_progress: ProgressCallback | None,
    on_direction: Callable[[Directions], None] | None,
    found: Directions | None,
    settings: TopDisOptions,
) -> Directions:
    mask = _layer_mask(generator, layers)
    generator.label(class_index, 1)  # refuses a missing or wrong class before any work
    fingerprint = {
        "generator": generator.description(),
        "method": method,
        "count": count,
        "seed": seed,
        "class_index": class_index,
        "layers": mask.tolist(),
        "options": {name: value for name, value in asdict(settings).items() if name != "max_batch"},
    }
    vectors = _continue_from(found, fingerprint, generator)
    if found is not None and found.meta.get("complete"):
        return found

    max_batch = settings.max_batch or generator.images_at_once
    effect_steps = effect_chunks(EFFECT_IMAGES, max_batch)
    first_steps = settings.steps * (count - len(vectors)) if method == "topdis" else 0
    second_steps = settings.second_steps * count if method == "topdis" and count > 1 else 0
    ticks = _Ticks(on_progress, total=effect_steps + 1 + first_steps + second_steps)
    sampler = LatentSampler(
        generator,
        layers=mask,
        class_index=class_index,
        feature_size=settings.feature_size,
        max_batch=max_batch,
    )
    ticks.stage = "subspace"
    statistics = sampler.statistics(STATISTICS_SAMPLES, seeded_generator(seed, _STATISTICS))
    effect = mean_effect(sampler, seeded_generator(seed, _EFFECT), images=EFFECT_IMAGES, on_step=ticks.tick)
    subspace = informative_subspace(effect, statistics, settings.subspace)
    if count > len(subspace.basis):
        raise ValueError(
            f"count should be at most {len(subspace.basis)}: the informative subspace of {generator.name} "
            f"has no more dimensions (--subspace {settings.subspace}), got {count}"
        )
    objective = ShiftObjective(sampler, statistics)
    evaluation = objective.cloud(settings.evaluation_points, seeded_generator(seed, _EVALUATION))

    def cost(candidates: Tensor) -> ShiftCost:
        return objective.evaluate(evaluation, candidates, settings.evaluation_points).cpu()

    ticks.stage = "scoring"
    baseline = cost(random_unit(subspace.basis, RANDOM_DIRECTIONS, seeded_generator(seed, _BASELINE)))
    ticks.tick()
    provenance = {
        **fingerprint,
        "subspace": {"dimension": len(subspace.basis), "share_of_effect": subspace.share},
        "random_baseline": {
            "count": RANDOM_DIRECTIONS,
            "mean": float(baseline.log_distortion.exp().mean()),
            "std": float(baseline.log_distortion.exp().std()),
            "geometric_mean": float(baseline.log_distortion.mean().exp()),
        },
        "versions": {
            "gan_topdis": gan_topdis.__version__,
            "torch": torch.__version__,
            "numpy": np.__version__,
            "python": platform.python_version(),
        },
    }

    def candidates() -> Iterator[Tensor]:
        if method == "topdis":
            start = vectors.to(generator.device)
            yield from topdis_directions(
                objective,
                subspace,
                evaluation,
                count=count,
                options=settings,
                seed=seed,
                found=start,
                on_step=ticks.tick,
            )
        elif method == "jacobian":
            yield from jacobian_directions(subspace, count)[len(vectors) :]
        else:
            rng = seeded_generator(seed, _SEARCH)
            yield from random_orthonormal(subspace.basis, count, rng)[len(vectors) :]

    rows = list(vectors)
    costs = [cost(row[None]) for row in rows]

    def result(complete: bool) -> Directions:
        return _ranked(generator, torch.stack(rows), costs, mask, statistics, provenance, complete)

    ticks.stage = f"direction {len(rows) + 1} of {count}"
    for vector in candidates():
        rows.append(_canonical(vector.detach().cpu().float()))
        costs.append(cost(rows[-1][None]))
        ticks.stage = f"direction {min(len(rows) + 1, count)} of {count}"
        if on_direction is not None:
            on_direction(result(complete=False))
    if second_steps:
        ticks.stage = "second pass"
        again = second_pass(
            objective,
            subspace,
            evaluation,
            torch.stack(rows),
            options=settings,
            seed=seed,
            on_step=ticks.tick,
        )
        rows = [_canonical(row) for row in again.cpu().float()]
        costs = [cost(row[None]) for row in rows]
    return result(complete=True)


class _Ticks:
    """Counts steps and tells the callback."""

    def __init__(self, callback: ProgressCallback | None, total: int) -> None:
        self.stage = ""
        self._callback = callback
        self._total = total
        self._done = 0

    def tick(self) -> None:
        self._done += 1
        if self._callback is not None:
            self._callback(Progress(self.stage, self._done, self._total))


def _settings(generator: Generator, count: int, method: str, options: dict[str, Any]) -> TopDisOptions:
    if method not in METHODS:
        raise ValueError(f"method should be one of {', '.join(METHODS)}, got {method!r}")
    if not 1 <= count <= generator.w_dim:
        raise ValueError(f"count should be in 1 .. {generator.w_dim} (w_dim), got {count}")
    known = TopDisOptions.__dataclass_fields__
    unknown = [name for name in options if name not in known]
    if unknown:
        raise ValueError(f"unknown option {', '.join(unknown)}; known: {', '.join(known)}")
    return TopDisOptions(**options)


def _layer_mask(generator: Generator, layers: np.ndarray | Sequence[bool] | None) -> Tensor:
    if layers is None:
        return torch.ones(generator.num_ws, dtype=torch.bool)
    mask = torch.as_tensor(np.asarray(layers))
    if mask.shape != (generator.num_ws,) or mask.dtype != torch.bool:
        raise ValueError(
            f"layers should be {generator.num_ws} booleans, got {mask.dtype} {tuple(mask.shape)}"
        )
    if not mask.any():
        raise ValueError("layers should choose at least one position of ws")
    return mask


def _continue_from(found: Directions | None, fingerprint: dict[str, Any], generator: Generator) -> Tensor:
    """Rows of an interrupted run in order of discovery; (0, w_dim) when there are none."""
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


def _canonical(vector: Tensor) -> Tensor:
    """The sign in which the component of largest magnitude is positive."""
    return vector if vector[vector.abs().argmax()] >= 0 else -vector


def _ranked(
    generator: Generator,
    rows: Tensor,
    costs: list[ShiftCost],
    mask: Tensor,
    statistics: Any,
    provenance: dict[str, Any],
    complete: bool,
) -> Directions:
    scores = torch.cat([cost.log_distortion for cost in costs]).double().exp()
    order = scores.argsort(stable=True)
    vectors = rows[order]
    typical = provenance["random_baseline"]["geometric_mean"]
    meta: dict[str, Any] = {
        **provenance,
        "complete": complete,
        "statistics_samples": statistics.samples,
    }
    if generator.known_factors is not None:
        meta.update(_compare_with_truth(vectors, generator))
    table = {
        "rtd_to_random": (scores[order] / typical).numpy(),
        "displacement": torch.cat([cost.displacement for cost in costs])[order].double().numpy(),
        "consistency": torch.cat([cost.consistency for cost in costs])[order].double().numpy(),
        "found_at": order.double().numpy(),
    }
    return Directions(
        vectors=vectors.numpy(),
        names=tuple(f"direction {rank}" for rank in range(len(rows))),
        scores=scores[order].numpy(),
        layers=mask.numpy()[None].repeat(len(rows), axis=0),
        scale=statistics.standard_deviation(vectors).numpy(),
        w_mean=statistics.mean.float().numpy(),
        space=generator.latent_space,
        score_name=SCORE_NAME,
        table=table,
        meta=meta,
    )


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
