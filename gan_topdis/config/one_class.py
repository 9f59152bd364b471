"""Settings of `gan-topdis one-class`."""

from __future__ import annotations

from dataclasses import dataclass

from gan_topdis.config.ranges import DEVICES, require_above, require_at_least, require_one_of

# Spelled out here, since the modules that own them import torch; tests hold them equal.
RULES = ("eta", "matched", "best")


@dataclass(frozen=True)
class OneClassConfig:
    """What `one-class` is told; keys in a YAML file are the option names of the command line.

    Attributes:
        model: an autoencoder.safetensors of `train-connectivity`.
        data: images with classes: references, and tests too where `test_data` is None.
        test_data: images with the same classes, all of which are tests.
        of_a_class: without `test_data`, references of a class at most, and tests at most.
        resolution, grey: of folders, and of Tiny-ImageNet.
        radius: of `RULES`, see `connectivity.one_class_by_rule`.
        eta: the radius of that name.
        sizes: comma-separated numbers of references.
        repeats, seed: draws of references.
        device: where images are encoded.
    """

    model: str = ""
    data: str = ""
    test_data: str | None = None
    of_a_class: int = 500
    resolution: int = 32
    grey: bool = False
    radius: tuple[str, ...] = RULES
    eta: float = 2.0
    sizes: str = "10,50,120,500"
    repeats: int = 5
    seed: int = 0
    device: str = "auto"

    def __post_init__(self) -> None:
        require_one_of("device", self.device.partition(":")[0], DEVICES)
        require_above("eta", self.eta, 0)
        if not self.radius:
            raise ValueError(f"radius should name at least one of {', '.join(RULES)}, got none")
        for rule in self.radius:
            require_one_of("radius", rule, RULES)
        for option, value, least in (
            ("of-a-class", self.of_a_class, 1),
            ("resolution", self.resolution, 8),
            ("repeats", self.repeats, 1),
            ("seed", self.seed, 0),
        ):
            require_at_least(option, value, least)
        self.counts  # noqa: B018  refuses what is no list of numbers

    @property
    def counts(self) -> tuple[int, ...]:
        """`sizes` as numbers."""
        parts = [part.strip() for part in self.sizes.split(",")]
        if not all(part.isdecimal() and int(part) > 0 for part in parts):
            raise ValueError(f"sizes should be comma-separated numbers such as 10,50,120, got {self.sizes!r}")
        return tuple(map(int, parts))
