"""The formats by name: whose they are, what they say and what they keep."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from gan_topdis.directions.formats import (
    factor,
    gan_latent_discovery,
    ganspace,
    ganspace_edit,
    interfacegan,
    latentclr,
    pti,
    pti_pca,
    sefa,
    steerability,
    warped,
)
from gan_topdis.directions.formats.contents import FileContents

NATIVE = "native"


@dataclass(frozen=True)
class Format:
    """One way in which a program keeps directions.

    Attributes:
        name: by which it is chosen.
        program: whose it is.
        file: what the file is called.
        read: from a path and options of the format to what the file says.
        write: from a path, directions and options of the format to the files written; None: not written.
        spaces: of which directions are written.
        order: whether its program edits before or after truncation; None where it does either.
        layers: which layers its program moves: `all`, `chosen` (when editing), `stored` in the file.
        stores: what else the file keeps, of scale, mean and names.
    """

    name: str
    program: str
    file: str
    read: Callable[..., FileContents]
    write: Callable[..., list[Path]] | None
    spaces: tuple[str, ...]
    order: str | None
    layers: str
    stores: tuple[str, ...] = ()

    @property
    def lost(self) -> str:
        """What an export does not keep, in words."""
        parts = [what for what in ("scale", "mean", "names") if what not in self.stores]
        if self.layers != "stored":
            parts.append("layers")
        return ", ".join([*parts, "scores, provenance"])


_FORMATS = (
    Format(
        "ganspace",
        "GANSpace",
        "cache/components/*.npz",
        ganspace.read,
        ganspace.write,
        ("z", "w"),
        "before",
        "chosen",
        ("scale", "mean"),
    ),
    Format(
        "ganspace_edit",
        "GANSpace",
        "out/directions/*.pkl",
        ganspace_edit.read,
        ganspace_edit.write,
        ("z", "w"),
        "before",
        "stored",
        ("scale", "names"),
    ),
    Format("sefa", "SeFa", "sefa_*.npy", sefa.read, sefa.write, ("z", "w"), "after", "chosen"),
    Format("factor", "rosinality", "factor.pt", factor.read, factor.write, ("w",), "before", "all"),
    Format(
        "interfacegan",
        "InterFaceGAN",
        "boundary.npy",
        interfacegan.read,
        interfacegan.write,
        ("z", "w"),
        None,
        "chosen",
        ("names",),
    ),
    Format(
        "pti",
        "PTI, e4e",
        "interfacegan_directions/*.pt",
        pti.read,
        pti.write,
        ("w",),
        "after",
        "all",
        ("names",),
    ),
    Format(
        "pti_pca",
        "PTI, e4e",
        "ganspace_pca/*.pt",
        pti_pca.read,
        pti_pca.write,
        ("w",),
        "after",
        "chosen",
        ("scale", "mean"),
    ),
    Format(
        "gan_latent_discovery",
        "GANLatentDiscovery",
        "models/deformator_*.pt",
        gan_latent_discovery.read,
        gan_latent_discovery.write,
        ("z", "w"),
        "after",
        "all",
        ("names",),
    ),
    Format(
        "latentclr",
        "LatentCLR",
        "best_model.pt",
        latentclr.read,
        latentclr.write,
        ("z", "w"),
        "before",
        "all",
    ),
    Format("warped", "WarpedGANSpace", "models/support_sets.pt", warped.read, None, ("z", "w"), None, "all"),
    Format(
        "steerability",
        "GAN steerability",
        "*.npy",
        steerability.read,
        steerability.write,
        ("w", "w+"),
        None,
        "stored",
        ("names",),
    ),
)
FORMATS = {format.name: format for format in _FORMATS}


def formats() -> tuple[str, ...]:
    """Names that `Directions.read` and `Directions.export` take as `format`; `warped` is read only."""
    return (NATIVE, *FORMATS)


def named(format: str) -> Format:
    """A format of another program.

    Raises:
        ValueError: there is none of this name; the message lists the known ones.
    """
    if format not in FORMATS:
        raise ValueError(f"format should be one of {', '.join(formats())}, got {format!r}")
    return FORMATS[format]
