"""Settings of `gan-topdis discover`."""

from __future__ import annotations

from dataclasses import dataclass, field

from gan_topdis.config.ranges import (
    METHODS,
    STARTING_METHODS,
    require_above,
    require_at_least,
    require_one_of,
    require_picture_settings,
)

SEARCH_OPTIONS = {
    "points": "points",
    "search_steps": "steps",
    "second_steps": "second_steps",
    "restarts": "restarts",
    "feature_size": "feature_size",
    "subspace": "subspace",
    "evaluation_points": "evaluation_points",
    "max_batch": "max_batch",
    "warm_start": "warm_start",
    "feature_layer": "feature_layer",
    "ppm_weight": "ppm_weight",
    "temperature": "temperature",
    "patience": "patience",
    "probes": "probes",
}
"""Settings that are options of `gan_topdis.directions.discover`, and their names there."""


@dataclass(frozen=True)
class DiscoverConfig:
    """What `discover` is told; keys in a YAML file are the option names of the command line.

    Attributes:
        network: a file or a built-in name.
        count: directions to find.
        method: how they are found.
        seed: of the search.
        class_index: class of all samples (`class`).
        layers: positions of ws that directions move, see `directions.layers`.
        points: latents per cloud and step of the search.
        search_steps: gradient steps per direction.
        second_steps: gradient steps per direction in the second pass; 0 leaves it out.
        restarts: starts per direction, the best of which is kept.
        feature_size: pixels a side to which pictures are averaged before they are compared.
        subspace: largest dimension of the space that is searched.
        evaluation_points: latents in the cloud that scores directions.
        max_batch: images synthesized at a time; by the resolution when None.
        warm_start: the baseline from whose directions the search starts.
        feature_layer: where pictures are compared: `pixels`, or a layer of the network.
        ppm_weight: of the regulariser that keeps the topology of the moved cloud near the unmoved one's.
        temperature: truncation of the latents of the search; 1 is none.
        patience: steps without progress after which a descent ends; never when None.
        probes: gradients behind the space that is searched; by the latent dimension when None.
        seeds: pictures shown; the search draws its own.
        trunc, trunc_cutoff, noise_mode: of the pictures shown.
        max_strength: of the pictures shown, standard deviations of the latent.
        steps: strengths shown per direction, odd.
        device: where to compute.
        trust_pickle, stylegan_repo: whether a file may run code; on the command line only.
    """

    network: str = "scenes"
    count: int = 6
    method: str = "topdis"
    seed: int = 0
    class_index: int | None = field(default=None, metadata={"key": "class"})
    layers: str = "all"
    points: int = 48
    search_steps: int = 40
    second_steps: int = 20
    restarts: int = 4
    feature_size: int = 32
    subspace: int = 16
    evaluation_points: int = 128
    max_batch: int | None = None
    warm_start: str = "jacobian"
    feature_layer: str = "pixels"
    ppm_weight: float = 0.0
    temperature: float = 1.0
    patience: int | None = None
    probes: int | None = None
    seeds: tuple[int, ...] = (0, 1, 2, 3)
    trunc: float = 1.0
    trunc_cutoff: int | None = None
    noise_mode: str = "const"
    max_strength: float = 3.0
    steps: int = 7
    device: str = "auto"
    trust_pickle: bool = field(default=False, metadata={"command_line_only": True})
    stylegan_repo: str | None = field(default=None, metadata={"command_line_only": True})

    def __post_init__(self) -> None:
        for option, value, least in (
            ("count", self.count, 1),
            ("seed", self.seed, 0),
            ("points", self.points, 8),
            ("search-steps", self.search_steps, 1),
            ("second-steps", self.second_steps, 0),
            ("restarts", self.restarts, 1),
            ("feature-size", self.feature_size, 1),
            ("subspace", self.subspace, 1),
            ("evaluation-points", self.evaluation_points, 8),
            ("ppm-weight", self.ppm_weight, 0),
            ("patience", self.patience, 1),
            ("probes", self.probes, 1),
        ):
            if value is not None:
                require_at_least(option, value, least)
        require_above("temperature", self.temperature, 0)
        require_one_of("method", self.method, METHODS)
        require_one_of("warm-start", self.warm_start, STARTING_METHODS)
        require_picture_settings(
            seeds=self.seeds,
            trunc=self.trunc,
            trunc_cutoff=self.trunc_cutoff,
            class_index=self.class_index,
            noise_mode=self.noise_mode,
            max_strength=self.max_strength,
            steps=self.steps,
            max_batch=self.max_batch,
            device=self.device,
        )

    def search_options(self) -> dict[str, int | float | str | None]:
        """Options of `gan_topdis.directions.discover`."""
        return {theirs: getattr(self, ours) for ours, theirs in SEARCH_OPTIONS.items()}
