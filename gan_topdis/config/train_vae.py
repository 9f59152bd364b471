"""Settings of `gan-topdis train-vae`."""

from __future__ import annotations

from dataclasses import dataclass

from gan_topdis.config.ranges import DEVICES, require_at_least, require_one_of

# Spelled out here, since the modules that own them import torch; tests hold them equal.
OBJECTIVES = ("vae", "beta", "factor", "beta_tc", "control", "dava")
ARCHITECTURES = ("S", "L")
PRECISIONS = ("32", "mixed")
SAMPLERS = ("uniform", "weight_norm")
CODES = ("sampled", "mean")
MADE = ("procedural-dsprites", "room-scenes")
"""Data sets that need no file."""
PUBLISHED = ("dsprites", "3dshapes", "mpi3d")
"""Data sets whose files users have."""


@dataclass(frozen=True)
class TrainVAEConfig:
    """What `train-vae` is told; keys in a YAML file are the option names of the command line.

    Attributes:
        data: of `MADE`, `PUBLISHED` or `train_gan.PACKAGED`, a file of dSprites, 3D Shapes or MPI3D, or a
            folder of images or IDX files.
        resolution: of data sets that are made, and of folders.
        every: comma-separated steps through the values of each factor of data sets that are made; all
            values when None.
        grey: whether images of a folder become grey.
        objective, beta: the loss, and the weight of its regulariser where it has one (`beta` of beta and
            beta_tc; when None 6 for beta_tc, as published for dSprites, and 4 for beta, our choice from the
            usual 1 .. 16, since none is published with TopDis).
        topdis_weight, topdis_start, topdis_ramp, topdis_interval, topdis_sampler, topdis_codes,
            orthogonalise: see `vae.fit`.
        steps, batch_size, learning_rate, latent, architecture, seed, precision, device: see `vae.fit`.
        log_every, checkpoint_every: steps.
    """

    data: str = "procedural-dsprites"
    resolution: int = 64
    every: str | None = None
    grey: bool = False
    objective: str = "beta_tc"
    beta: float | None = None
    topdis_weight: float = 0.0
    topdis_start: int | None = None
    topdis_ramp: int = 0
    topdis_interval: int = 1
    topdis_sampler: str = "uniform"
    topdis_codes: str = "sampled"
    orthogonalise: bool = True
    steps: int = 10_000
    batch_size: int | None = None
    learning_rate: float | None = None
    latent: int = 10
    architecture: str = "S"
    seed: int = 0
    precision: str = "32"
    device: str = "auto"
    log_every: int = 100
    checkpoint_every: int = 1_000

    def __post_init__(self) -> None:
        require_one_of("objective", self.objective, OBJECTIVES)
        require_one_of("architecture", self.architecture, ARCHITECTURES)
        require_one_of("precision", self.precision, PRECISIONS)
        require_one_of("topdis-sampler", self.topdis_sampler, SAMPLERS)
        require_one_of("topdis-codes", self.topdis_codes, CODES)
        require_one_of("device", self.device.partition(":")[0], DEVICES)
        if self.beta is not None and self.objective not in ("beta", "beta_tc"):
            raise ValueError(f"beta is a setting of beta and beta_tc, not of {self.objective}")
        for option, value, least in (
            ("resolution", self.resolution, 16),
            ("topdis-weight", self.topdis_weight, 0),
            ("topdis-ramp", self.topdis_ramp, 0),
            ("topdis-interval", self.topdis_interval, 1),
            ("steps", self.steps, 1),
            ("latent", self.latent, 1),
            ("seed", self.seed, 0),
            ("log-every", self.log_every, 1),
            ("checkpoint-every", self.checkpoint_every, 1),
        ):
            require_at_least(option, value, least)
        self.strides  # noqa: B018  refuses what is no list of steps

    @property
    def strides(self) -> tuple[int, ...] | None:
        """`every` as numbers."""
        if self.every is None:
            return None
        parts = [part.strip() for part in self.every.split(",")]
        if not all(part.isdecimal() and int(part) > 0 for part in parts):
            raise ValueError(f"every should be comma-separated steps such as 1,1,4,2,2, got {self.every!r}")
        return tuple(map(int, parts))
