"""Settings of `gan-topdis apply`."""

from __future__ import annotations

from dataclasses import dataclass, field

from gan_topdis.config.ranges import require_at_least, require_one_of, require_picture_settings
from gan_topdis.config.seeds import parse_seeds

ORDERS = ("after", "before")
INTERPRETATIONS = ("w", "w+")


@dataclass(frozen=True)
class ApplyConfig:
    """What `apply` is told; keys in a YAML file are the option names of the command line.

    Attributes:
        network: a file or a built-in name.
        directions: the directions file that edits are from.
        edits: `NAME_OR_INDEX=SIGMA` each (`edit`), added up.
        seed_list: pictures to edit by number (`seeds`), as text such as `0-7,12`.
        projected_w: file of latents to edit instead.
        interpret: what a two-dimensional array in that file is, where its shape does not tell.
        class_index: class of the seeds (`class`).
        layers: positions of ws to move instead of those stored with the directions.
        trunc, trunc_cutoff: of the seeds, as in NVIDIA's `generate.py`.
        edit_order: edits `after` truncation, or `before` it as some programs do: truncated layers then
            move trunc times as far.
        noise_mode: of the pictures.
        seed: of the noise maps when noise_mode is `random`.
        max_batch: images synthesized at a time; by the resolution when None.
        device: where to compute.
        trust_pickle, stylegan_repo: whether a file may run code; on the command line only.
    """

    network: str = "scenes"
    directions: str = ""
    edits: tuple[str, ...] = field(default=(), metadata={"key": "edit"})
    seed_list: str | None = field(default=None, metadata={"key": "seeds"})
    projected_w: str | None = None
    interpret: str | None = None
    class_index: int | None = field(default=None, metadata={"key": "class"})
    layers: str | None = None
    trunc: float = 1.0
    trunc_cutoff: int | None = None
    edit_order: str = "after"
    noise_mode: str = "const"
    seed: int = 0
    max_batch: int | None = None
    device: str = "auto"
    trust_pickle: bool = field(default=False, metadata={"command_line_only": True})
    stylegan_repo: str | None = field(default=None, metadata={"command_line_only": True})

    def __post_init__(self) -> None:
        require_at_least("seed", self.seed, 0)
        require_one_of("edit-order", self.edit_order, ORDERS)
        if self.interpret is not None:
            require_one_of("interpret", self.interpret, INTERPRETATIONS)
        require_picture_settings(
            seeds=(0,) if self.seed_list is None else self.seeds,
            trunc=self.trunc,
            trunc_cutoff=self.trunc_cutoff,
            class_index=self.class_index,
            noise_mode=self.noise_mode,
            max_strength=1.0,
            steps=3,
            max_batch=self.max_batch,
            device=self.device,
        )

    @property
    def seeds(self) -> tuple[int, ...]:
        """Pictures by number; none when latents come from a file."""
        return () if self.seed_list is None else parse_seeds(self.seed_list)
