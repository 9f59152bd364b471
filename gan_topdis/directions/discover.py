"""One verb for every method: sample, find the informative subspace, search, score, rank."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import asdict, replace
from typing import Any

import numpy as np
import torch
from torch import Tensor

from gan_topdis.directions.informative_subspace import effect_chunks, informative_subspace, mean_effect
from gan_topdis.directions.latent_samples import LatentSampler
from gan_topdis.directions.options import TopDisOptions
from gan_topdis.directions.progress import Progress, ProgressCallback
from gan_topdis.directions.random_directions import random_unit
from gan_topdis.directions.ranking import SCORE_NAME, canonical, continue_from, ranked, versions
from gan_topdis.directions.registry import METHODS, methods, require_supported
from gan_topdis.directions.result import Directions
from gan_topdis.directions.search import BASELINE, EFFECT, EVALUATION, STATISTICS, Search
from gan_topdis.directions.shift_objective import ShiftCost, ShiftObjective
from gan_topdis.generators import Generator
from gan_topdis.seeding import seeded_generator

__all__ = ["SCORE_NAME", "discover", "methods"]

STATISTICS_SAMPLES = 10_000
EFFECT_IMAGES = 128
RANDOM_DIRECTIONS = 16
"""Random directions of the same subspace, scored like the rest, behind `rtd_to_random`."""


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
        method: one of `methods()`: `topdis`; its variants `topdis-plain` and `topdis-joint`; the baselines
            `ganspace`, `ganspace-features`, `sefa`, `jacobian`, `random`.
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
        `Directions` with unit rows, lowest distortion first; orthonormal but for `ganspace-features`.
        `scores` is the distortion of `shift_objective`, dimensionless; `table` holds `rtd_to_random` (the
        score over the geometric mean score of random directions), `displacement` (visible change by the
        shift, as a share of the median distance between pictures), `consistency` (mean cosine between the
        changes of different pictures), `found_at` (order of discovery). `meta["gain"]` compares the result
        with random directions and with a baseline: by how much the mean logarithm of the distortion is
        lower.

    Raises:
        ValueError: unknown method or option, a missing class, more directions than the generator has
            informative ones, a method or feature layer that the generator has not, or `found` of other
            settings.
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
    way = METHODS[method]
    reference = settings.warm_start
    mask = _layer_mask(generator, layers)
    generator.label(class_index, 1)  # refuses a missing or wrong class before any work
    require_supported(generator, method, warm_start=settings.warm_start, feature_layer=settings.feature_layer)
    fingerprint = {
        "generator": generator.description(),
        "method": method,
        "count": count,
        "seed": seed,
        "class_index": class_index,
        "layers": mask.tolist(),
        "options": {name: value for name, value in asdict(settings).items() if name != "max_batch"},
    }
    vectors = continue_from(found, fingerprint, generator)
    if found is not None and found.meta.get("complete"):
        return found

    max_batch = settings.max_batch or generator.images_at_once
    ticks = _Ticks(
        on_progress,
        total=effect_chunks(EFFECT_IMAGES, max_batch)
        + 1
        + METHODS[reference].steps(settings, generator, count)
        + way.steps(settings, generator, count - len(vectors))
        + way.refine_steps(settings, generator, count),
    )
    sampler = LatentSampler(
        generator,
        layers=mask,
        class_index=class_index,
        feature_size=settings.feature_size,
        max_batch=max_batch,
        feature_layer=settings.feature_layer,
        temperature=settings.temperature,
    )
    search = _prepared(sampler, settings, seed, count, ticks)
    if way.in_subspace and count > len(search.subspace.basis):
        raise ValueError(
            f"count should be at most {len(search.subspace.basis)}: the informative subspace of "
            f"{generator.name} has no more dimensions (--subspace {settings.subspace}), got {count}"
        )

    ticks.stage = "scoring"
    baseline = search.evaluate(
        random_unit(search.subspace.basis, RANDOM_DIRECTIONS, search.rng(BASELINE))
    ).cpu()
    compared = torch.stack([*METHODS[reference].find(search, vectors[:0])]).to(generator.device)
    compared_cost = search.evaluate(compared).cpu()
    search = replace(search, starts=compared)
    ticks.tick()
    typical = float(baseline.log_distortion.mean().exp())
    provenance = {
        **fingerprint,
        "subspace": {"dimension": len(search.subspace.basis), "share_of_effect": search.subspace.share},
        "random_baseline": {
            "count": RANDOM_DIRECTIONS,
            "mean": float(baseline.log_distortion.exp().mean()),
            "std": float(baseline.log_distortion.exp().std()),
            "geometric_mean": typical,
        },
        "statistics_samples": search.statistics.samples,
        "versions": versions(),
    }
    rows = list(vectors)
    costs = [search.evaluate(row[None]).cpu() for row in rows]

    def result(complete: bool) -> Directions:
        cost = ShiftCost.joined(costs)
        meta: dict[str, Any] = {**provenance, "complete": complete}
        if complete:
            mean = cost.log_distortion.mean()
            others = {"random": baseline, reference: compared_cost}
            meta["gain"] = {name: float(other.log_distortion.mean() - mean) for name, other in others.items()}
        return ranked(
            generator,
            torch.stack(rows),
            cost,
            layers=mask,
            statistics=search.statistics,
            typical=typical,
            meta=meta,
        )

    ticks.stage = f"direction {len(rows) + 1} of {count}"
    for vector in way.find(search, vectors.to(generator.device)):
        rows.append(canonical(vector.detach().cpu().float()))
        costs.append(search.evaluate(rows[-1][None]).cpu())
        ticks.stage = f"direction {min(len(rows) + 1, count)} of {count}"
        if on_direction is not None:
            on_direction(result(complete=False))
    if way.refine is not None and way.refine_steps(settings, generator, count):
        ticks.stage = "second pass"
        rows = [canonical(row) for row in way.refine(search, torch.stack(rows)).cpu().float()]
        costs = [search.evaluate(row[None]).cpu() for row in rows]
    return result(complete=True)


def _prepared(
    sampler: LatentSampler, settings: TopDisOptions, seed: int, count: int, ticks: _Ticks
) -> Search:
    """Statistics, effect, subspace and evaluation cloud of a request."""
    ticks.stage = "subspace"
    statistics = sampler.statistics(STATISTICS_SAMPLES, seeded_generator(seed, STATISTICS))
    effect = mean_effect(
        sampler,
        seeded_generator(seed, EFFECT),
        images=EFFECT_IMAGES,
        probes=settings.probes,
        on_step=ticks.tick,
    )
    objective = ShiftObjective(sampler, sampler.drawn_statistics(statistics), ppm_weight=settings.ppm_weight)
    return Search(
        sampler=sampler,
        statistics=statistics,
        effect=effect,
        subspace=informative_subspace(effect, statistics, settings.subspace),
        objective=objective,
        evaluation=objective.cloud(settings.evaluation_points, seeded_generator(seed, EVALUATION)),
        options=settings,
        seed=seed,
        count=count,
        on_step=ticks.tick,
        starts=torch.zeros(0, sampler.generator.w_dim),
    )


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
