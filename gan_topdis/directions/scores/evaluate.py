"""Scores of directions without labels, with the baselines in the same table."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from dataclasses import replace

import numpy as np
import torch
from torch import Tensor

from gan_topdis.directions.features import image_features
from gan_topdis.directions.latent_samples import LatentSampler, LatentStatistics
from gan_topdis.directions.progress import Progress, ProgressCallback
from gan_topdis.directions.result import Directions
from gan_topdis.directions.scores.baselines import pca_baseline, random_baseline, sefa_baseline
from gan_topdis.directions.scores.consistency import consistency
from gan_topdis.directions.scores.duplicates import duplicates
from gan_topdis.directions.scores.equal_displacement import displacements, equal_displacement
from gan_topdis.directions.scores.estimate import Estimate, ratio
from gan_topdis.directions.scores.evaluation import (
    NOISE,
    PCA,
    RANDOM,
    SEFA,
    Evaluation,
    EvaluationSettings,
    ScoreRow,
    ScoreSet,
)
from gan_topdis.directions.scores.monotone import monotone
from gan_topdis.directions.scores.picture_cloud import Features, PictureCloud
from gan_topdis.directions.scores.realism import Realism
from gan_topdis.directions.scores.stability import stability
from gan_topdis.directions.scores.topology import topological_change, topology_matrix
from gan_topdis.directions.traversal import require_compatible
from gan_topdis.generators import Generator
from gan_topdis.persistence import pairwise_distances
from gan_topdis.seeding import seeded_generator

_STATISTICS, _PICTURES, _REFERENCE, _RANDOM, _NOISE = range(5)  # purposes of random generators


def evaluate_directions(
    generator: Generator,
    directions: Directions,
    settings: EvaluationSettings | None = None,
    *,
    restarts: Sequence[Directions] = (),
    features: Features | None = None,
    on_progress: ProgressCallback | None = None,
) -> Evaluation:
    """Scores directions of any generator beside random directions, PCA of w, SeFa and new noise maps.

    All of them edit the same pictures, on the layers that any of `directions` moves (baselines) or that
    each states (`directions`), and are compared at the same mean displacement: the median over random
    directions at one standard deviation. A direction that does not get that far within
    `settings.max_strength` is inert. See docs/scores.md for the columns.

    Args:
        generator: from `load_generator` or `from_callable`; it is not changed.
        directions: of this generator's latent space, at least one.
        settings: defaults when None.
        restarts: what other runs of the same search found, for the stability.
        features: images (n, C, H, W) to features (n, p) in which pictures are compared; area-averaged
            pixels of at most `settings.feature_size` when None.
        on_progress: called after every direction.

    Raises:
        ValueError: the directions do not fit the generator, there is none, random directions change
            nothing, or a class is missing.
    """
    settings = EvaluationSettings() if settings is None else settings
    require_evaluable(generator, directions, settings, restarts)
    with torch.no_grad():
        return _evaluate(generator, directions, settings, restarts, features, on_progress)


def require_evaluable(
    generator: Generator,
    directions: Directions,
    settings: EvaluationSettings,
    restarts: Sequence[Directions] = (),
) -> None:
    """What `evaluate_directions` refuses before it synthesizes anything.

    Raises:
        ValueError: the directions do not fit the generator or the restarts, there is none, they move no
            layer, or a class or the truncation cutoff is out of range.
    """
    if not len(directions):
        raise ValueError("there should be at least one direction to evaluate, got none")
    for each in (directions, *restarts):
        require_compatible(generator, each)
    if not directions.layers.any():
        raise ValueError("directions should move at least one layer, got none")
    stability(_shifts(directions), [_shifts(other) for other in restarts])
    with torch.no_grad():
        _latents(generator, (0,), settings)


def _evaluate(
    generator: Generator,
    directions: Directions,
    settings: EvaluationSettings,
    restarts: Sequence[Directions],
    features: Features | None,
    on_progress: ProgressCallback | None,
) -> Evaluation:
    layers = torch.from_numpy(directions.layers.any(axis=0))
    sampler = LatentSampler(
        generator,
        layers=layers,
        class_index=settings.class_index,
        feature_size=settings.feature_size,
        max_batch=settings.max_batch or generator.images_at_once,
    )
    statistics = sampler.statistics(settings.statistics_samples, seeded_generator(settings.seed, _STATISTICS))

    seeds = settings.seeds or _drawn_seeds(settings.points, seeded_generator(settings.seed, _PICTURES))
    cloud = PictureCloud(
        generator,
        _latents(generator, seeds, settings),
        features=features or (lambda images: image_features(images, settings.feature_size)),
        max_batch=sampler.max_batch,
    )
    others = _drawn_seeds(len(seeds), seeded_generator(settings.seed, _REFERENCE))
    realism = Realism(cloud.features_of(_latents(generator, others, settings)), settings.neighbours)

    chance = random_baseline(
        generator, statistics, layers, settings.random_directions, seeded_generator(settings.seed, _RANDOM)
    )
    count = min(len(directions), generator.w_dim)
    pca, no_pca = _available(lambda: pca_baseline(generator, statistics, layers, count))
    sefa, no_sefa = _available(lambda: sefa_baseline(generator, statistics, layers, count))
    sets = {"directions": directions, RANDOM: chance, PCA: pca, SEFA: sefa}
    done, total = 0, 1 + sum(len(each) for each in sets.values() if each is not None)

    def tick(stage: str) -> None:
        nonlocal done
        done += 1
        if on_progress is not None:
            on_progress(Progress(stage, done, total))

    displacement = float(
        np.median(
            [
                float(displacements(cloud.edited(chance, index, 1.0), cloud.features).mean())
                for index in range(len(chance))
            ]
        )
    )
    tick("common displacement")
    typical = float(cloud.distances[torch.ones_like(cloud.distances).triu(1) > 0].median())
    if not displacement > 1e-6 * typical:
        raise ValueError(
            f"random directions do not change the pictures of {generator.name} on these layers: "
            "there is nothing to compare directions at"
        )

    def scored(name: str, of: Directions | None, unavailable: str) -> tuple[ScoreSet, Tensor]:
        if of is None:
            return ScoreSet(name, (), unavailable), torch.zeros(0)
        rows, clouds, changes = [], [], []
        for index in range(len(of)):
            row, distances, change = _score(cloud, realism, of, index, displacement, settings, statistics)
            rows.append(row)
            clouds.append(distances)
            changes.append(change)
            tick(name)
        if name == RANDOM:  # an independent draw stands for chance, also where it resembles another
            return ScoreSet(name, tuple(rows)), torch.stack(clouds)
        repeats = duplicates(_shifts(of), torch.stack(changes).cpu().numpy())
        marked = [replace(row, duplicate_of=earlier) for row, earlier in zip(rows, repeats, strict=True)]
        return ScoreSet(name, tuple(marked)), torch.stack(clouds)

    found, clouds = scored("directions", directions, "")
    baselines = [
        scored(name, sets[name], why)[0] for name, why in ((RANDOM, ""), (PCA, no_pca), (SEFA, no_sefa))
    ]
    chance_rtd = baselines[0].mean("rtd")
    return Evaluation(
        directions=_beside(found, chance_rtd),
        baselines=tuple(_beside(each, chance_rtd) for each in baselines),
        noise=_beside(_noise_only(cloud, realism, settings.seed), chance_rtd),
        topology=topology_matrix(clouds),
        displacement=displacement,
        displacement_share=displacement / typical,
        unedited_realism=realism(cloud.features),
        stability=stability(_shifts(directions), [_shifts(other) for other in restarts]),
        settings=settings,
        meta={"generator": generator.description(), "layers": layers.tolist(), "pictures": list(seeds)},
    )


def _score(
    cloud: PictureCloud,
    realism: Realism,
    directions: Directions,
    index: int,
    displacement: float,
    settings: EvaluationSettings,
    statistics: LatentStatistics,
) -> tuple[ScoreRow, Tensor, Tensor]:
    """Scores of one direction, distances (n, n) of its edited cloud and its mean change (p,); both NaN
    when it is inert."""
    side = np.linspace(0, settings.max_strength, settings.steps // 2 + 1)[1:].tolist()
    below = [displacements(cloud.edited(directions, index, -strength), cloud.features) for strength in side]
    above = []
    for strength in side:
        farthest = cloud.edited(directions, index, strength)
        above.append(displacements(farthest, cloud.features))
    scores = {"realism_at_max": realism(farthest), "variance": _variance(directions, index, statistics)}
    if any(bool((moved > 0).any()) for moved in (*below, *above)):
        scores["monotone"] = monotone(torch.stack(below, dim=1), torch.stack(above, dim=1))
    equal = equal_displacement(
        lambda strength: cloud.edited(directions, index, strength),
        cloud.features,
        displacement,
        [(strength, float(moved.mean())) for strength, moved in zip(side, above, strict=True)],
    )
    name = directions.names[index]
    if equal is None:
        nothing = torch.full_like(cloud.distances, torch.nan)
        return ScoreRow(name, scores, inert=True), nothing, torch.full_like(cloud.features[0], torch.nan)
    change = equal.features - cloud.features
    distances = pairwise_distances(equal.features)
    scores |= {
        "t_star": equal.strength,
        "rtd": topological_change(cloud.distances, distances),
        "consistency": consistency(change),
        "realism": realism(equal.features),
    }
    return ScoreRow(name, scores), distances, change.mean(dim=0)


def _noise_only(cloud: PictureCloud, realism: Realism, seed: int) -> ScoreSet:
    if not cloud.generator.reads_noise:
        return ScoreSet(NOISE, (), f"{cloud.generator.name} has no noise inputs")
    rng = seeded_generator(seed, _NOISE)
    edited = cloud.with_new_noise(int(torch.randint(2**62, (1,), generator=rng)))
    scores = {
        "rtd": topological_change(cloud.distances, pairwise_distances(edited)),
        "consistency": consistency(edited - cloud.features),
        "realism": realism(edited),
    }
    return ScoreSet(NOISE, (ScoreRow(NOISE, scores),))


def _beside(scores: ScoreSet, chance: Estimate) -> ScoreSet:
    """The same set with its rtd also as a ratio to that of random directions."""
    rows = [
        replace(row, scores={**row.scores, "rtd_to_random": ratio(row["rtd"], chance)}) for row in scores.rows
    ]
    return replace(scores, rows=tuple(rows))


def _variance(directions: Directions, index: int, statistics: LatentStatistics) -> Estimate:
    """Share of the latent's variance that lies along a direction; its error as for Gaussian latents.

    Of a W+ direction, the mean over the layers it moves.
    """
    rows = directions.vectors[index].reshape(-1, directions.w_dim)
    unit = torch.nn.functional.normalize(
        torch.from_numpy(rows[np.linalg.norm(rows, axis=1) > 0]).double(), dim=1
    )
    share = statistics.standard_deviation(unit).square() / statistics.covariance.trace()
    value = float(share.mean())
    return Estimate(value, value * math.sqrt(2 / (statistics.samples - 1)), statistics.samples)


def _shifts(directions: Directions) -> np.ndarray:
    """Shifts of ws at strength 1 over their scale, flattened: (k, num_ws * w_dim)."""
    vectors = directions.vectors if directions.vectors.ndim == 3 else directions.vectors[:, None]
    return (vectors * directions.layers[:, :, None]).reshape(len(directions), -1)


def _latents(generator: Generator, seeds: Sequence[int], settings: EvaluationSettings) -> Tensor:
    return generator.map(
        generator.latents(seeds),
        generator.label(settings.class_index, len(seeds)),
        truncation_psi=settings.truncation_psi,
        truncation_cutoff=settings.truncation_cutoff,
    )


def _drawn_seeds(count: int, rng: torch.Generator) -> tuple[int, ...]:
    return tuple(torch.randint(2**32, (count,), generator=rng, dtype=torch.int64).tolist())


def _available(make: Callable[[], Directions]) -> tuple[Directions | None, str]:
    """A baseline, or why the family cannot give it."""
    try:
        return make(), ""
    except ValueError as error:
        return None, str(error)
