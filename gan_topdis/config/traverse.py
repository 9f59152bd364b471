"""Settings of `gan-topdis traverse`."""

from __future__ import annotations

from dataclasses import dataclass, field

from gan_topdis.config.ranges import MEDIA, require_at_least, require_one_of, require_picture_settings


@dataclass(frozen=True)
class TraverseConfig:
    """What `traverse` is told; keys in a YAML file are the option names of the command line.

    Attributes:
        network: a file or a built-in name.
        directions: the `directions.npz` of a discovery.
        seeds: pictures to edit, one per row.
        seed: of the noise maps when noise_mode is `random`.
        class_index: class of all pictures (`class`).
        layers: positions of ws to move instead of those stored with the directions.
        trunc, trunc_cutoff, noise_mode: of the pictures, as in NVIDIA's `generate.py`.
        max_strength: largest strength, standard deviations of the latent along the direction.
        steps: strengths from -max_strength to max_strength, odd so that 0 is one of them.
        media: kinds of file to write, `png` and `gif`.
        max_batch: images synthesized at a time; by the resolution when None.
        device: where to compute.
        trust_pickle, stylegan_repo: whether a file may run code; on the command line only.
    """

    network: str = "scenes"
    directions: str = ""
    seeds: tuple[int, ...] = (0, 1, 2, 3)
    seed: int = 0
    class_index: int | None = field(default=None, metadata={"key": "class"})
    layers: str | None = None
    trunc: float = 1.0
    trunc_cutoff: int | None = None
    noise_mode: str = "const"
    max_strength: float = 3.0
    steps: int = 7
    media: tuple[str, ...] = ("png",)
    max_batch: int | None = None
    device: str = "auto"
    trust_pickle: bool = field(default=False, metadata={"command_line_only": True})
    stylegan_repo: str | None = field(default=None, metadata={"command_line_only": True})

    def __post_init__(self) -> None:
        require_at_least("seed", self.seed, 0)
        if not self.media:
            raise ValueError(f"media should name at least one of {', '.join(MEDIA)}, got none")
        for kind in self.media:
            require_one_of("media", kind, MEDIA)
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
