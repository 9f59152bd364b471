"""Settings of `gan-topdis match-shapes`."""

from __future__ import annotations

from dataclasses import dataclass

from gan_topdis.config.ranges import DEVICES, require_above, require_at_least, require_one_of

# Spelled out here, since the modules that own them import torch; tests hold them equal.
SHAPES = ("circle", "two-circles")
POINT_FILES = (".npy", ".csv")
LOSSES = ("cramer", "cramer-all-pairs", "mmd")
REGULARIZERS = ("none", "ppm", "w-ppm", "pd")


@dataclass(frozen=True)
class MatchShapesConfig:
    """What `match-shapes` is told; keys in a YAML file are the option names of the command line.

    Attributes:
        reference: of `SHAPES`, or a point file (`POINT_FILES`).
        keep_units: whether points of a file stay as they are; else they are moved to the origin and scaled
            to the size of a unit circle, which the default weights and widths are made for.
        loss, loss_weight, kernel_width: see `shapes.match`.
        regularizer, weight_h0, weight_h1: the topological term, and its weights; defaults of the regulariser
            when None, both or none given.
        width, subsamples, points, steps, learning_rate, momentum, seed, device: see `shapes.match`.
        keep_every, checkpoint_every: steps.
        curve: whether diagrams are compared, which needs the extra `shapes`.
    """

    reference: str = "circle"
    keep_units: bool = False
    loss: str = "cramer"
    loss_weight: float | None = None
    kernel_width: float = 0.1
    regularizer: str = "ppm"
    weight_h0: float | None = None
    weight_h1: float | None = None
    width: float = 0.1
    subsamples: int = 2000
    points: int | None = None
    steps: int = 2420
    learning_rate: float = 0.05
    momentum: float = 0.9
    seed: int = 0
    device: str = "auto"
    keep_every: int = 20
    checkpoint_every: int = 200
    curve: bool = True

    def __post_init__(self) -> None:
        require_one_of("loss", self.loss, LOSSES)
        require_one_of("regularizer", self.regularizer, REGULARIZERS)
        require_one_of("device", self.device.partition(":")[0], DEVICES)
        if self.reference not in SHAPES and not self.reference.lower().endswith(POINT_FILES):
            raise ValueError(
                f"reference should be one of {', '.join(SHAPES)} or a file ending in "
                f"{' or '.join(POINT_FILES)}, got {self.reference!r}"
            )
        if (self.weight_h0 is None) != (self.weight_h1 is None):
            raise ValueError("weight-h0 and weight-h1 should be given both or not at all")
        if self.regularizer == "none" and self.weights is not None:
            raise ValueError("weight-h0 and weight-h1 are of a regularizer, and there is none")
        for option, value, least in (
            ("loss-weight", self.loss_weight, 0),
            ("weight-h0", self.weight_h0, 0),
            ("weight-h1", self.weight_h1, 0),
            ("subsamples", self.subsamples, 1),
            ("points", self.points, 4),
            ("steps", self.steps, 1),
            ("momentum", self.momentum, 0),
            ("seed", self.seed, 0),
            ("keep-every", self.keep_every, 1),
            ("checkpoint-every", self.checkpoint_every, 1),
        ):
            if value is not None:
                require_at_least(option, value, least)
        for option, number in (
            ("kernel-width", self.kernel_width),
            ("width", self.width),
            ("learning-rate", self.learning_rate),
        ):
            require_above(option, number, 0)
        if self.momentum >= 1:
            raise ValueError(f"momentum should be less than 1, got {self.momentum}")

    @property
    def weights(self) -> tuple[float, float] | None:
        """Of dimensions 0 and 1; None for the defaults of the regulariser."""
        if self.weight_h0 is None or self.weight_h1 is None:
            return None
        return self.weight_h0, self.weight_h1
