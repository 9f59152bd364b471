"""Settings of `gan-topdis evaluate`."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

from gan_topdis.config.ranges import require_at_least, require_picture_settings
from gan_topdis.config.seeds import parse_seeds

LEAST_PICTURES = 8


@dataclass(frozen=True)
class EvaluateConfig:
    """What `evaluate` is told; keys in a YAML file are the option names of the command line.

    Attributes:
        network: a file or a built-in name.
        directions: the directions file to score.
        again: files of other runs of the same search, for the stability.
        restarts: other runs of the search to make now, for the stability.
        points: pictures that scores are computed from, when `seeds` are not given.
        seed: draws pictures, random directions and noise.
        seed_list: pictures by number (`seeds`), as text such as `0-127`.
        class_index: class of all pictures (`class`).
        layers: positions of ws to move instead of those stored with the directions.
        trunc, trunc_cutoff: of the pictures.
        max_strength: largest strength tried, standard deviations of the latent.
        steps: strengths from -max_strength to max_strength behind `monotone`, odd.
        feature_size: pixels a side to which pictures are averaged before they are compared.
        random_directions: of the random baseline.
        max_batch: images synthesized at a time; by the resolution when None.
        device: where to compute.
        trust_pickle, stylegan_repo: whether a file may run code; on the command line only.
    """

    network: str = "scenes"
    directions: str = ""
    again: tuple[str, ...] = ()
    restarts: int = 0
    points: int = 128
    seed: int = 0
    seed_list: str | None = field(default=None, metadata={"key": "seeds"})
    class_index: int | None = field(default=None, metadata={"key": "class"})
    layers: str | None = None
    trunc: float = 1.0
    trunc_cutoff: int | None = None
    max_strength: float = 3.0
    steps: int = 9
    feature_size: int = 64
    random_directions: int = 16
    max_batch: int | None = None
    device: str = "auto"
    trust_pickle: bool = field(default=False, metadata={"command_line_only": True})
    stylegan_repo: str | None = field(default=None, metadata={"command_line_only": True})

    def __post_init__(self) -> None:
        for option, value, least in (
            ("restarts", self.restarts, 0),
            ("points", self.points, LEAST_PICTURES),
            ("seed", self.seed, 0),
            ("steps", self.steps, 5),
            ("feature-size", self.feature_size, 1),
            ("random-directions", self.random_directions, 16),
        ):
            require_at_least(option, value, least)
        require_picture_settings(
            seeds=(0,) if self.seeds is None else self.seeds,
            trunc=self.trunc,
            trunc_cutoff=self.trunc_cutoff,
            class_index=self.class_index,
            noise_mode="const",
            max_strength=self.max_strength,
            steps=self.steps,
            max_batch=self.max_batch,
            device=self.device,
        )
        if self.seeds is not None and len(set(self.seeds)) < LEAST_PICTURES:
            raise ValueError(
                f"seeds should name at least {LEAST_PICTURES} pictures to score directions by, "
                f"got {len(set(self.seeds))}"
            )

    @property
    def seeds(self) -> tuple[int, ...] | None:
        """Pictures by number; None when they are drawn."""
        return None if self.seed_list is None else parse_seeds(self.seed_list)

    def evaluation_options(self) -> dict[str, Any]:
        """Fields of `gan_topdis.directions.scores.EvaluationSettings`, but for the class."""
        return {
            "points": self.points,
            "seed": self.seed,
            "seeds": self.seeds,
            "truncation_psi": self.trunc,
            "truncation_cutoff": self.trunc_cutoff,
            "max_strength": self.max_strength,
            "steps": self.steps,
            "feature_size": self.feature_size,
            "random_directions": self.random_directions,
            "max_batch": self.max_batch,
        }
