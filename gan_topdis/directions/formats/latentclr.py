"""LatentCLR checkpoints, `best_model.pt`: `model["params"] (K, d)`, rows, normalised at use.

An edit adds alpha (0.1 by default) times the row, before truncation; raw units. Only the model with fixed
directions has any; the conditional ones compute them per latent and are refused. Source:
catlab-team/latentclr (layout); Yuksel et al., arXiv:2104.00820.
"""

from __future__ import annotations

from pathlib import Path

from gan_topdis.directions.formats.contents import FileContents
from gan_topdis.directions.formats.torch_file import as_tensor, entries, numbers, read_torch, write_torch
from gan_topdis.directions.result import Directions
from gan_topdis.generators.persistent_record import describe
from gan_topdis.generators.safe_pickle import Dictionary


def read(path: Path) -> FileContents:
    """Rows of `params`; their lengths mean nothing.

    Raises:
        ValueError: the model is a conditional one.
    """
    model = entries(read_torch(path), ("model",), path)["model"]
    if not isinstance(model, Dictionary) or set(model) != {"params"}:
        raise ValueError(
            f"{path} should hold a model with params alone, got {describe(model)}: conditional models have a "
            "direction per latent, not a fixed one"
        )
    rows = numbers(model["params"], f"params of {path}")
    if rows.ndim != 2:
        raise ValueError(f"params of {path} should have shape (K, d), got {rows.shape}")
    return FileContents(vectors=rows, unit="raw", order="before", layers="all")


def write(path: Path, directions: Directions) -> list[Path]:
    """`model["params"]` alone: enough to edit with, not to train on."""
    write_torch(path, {"model": {"params": as_tensor(directions.vectors)}})
    return [path]
