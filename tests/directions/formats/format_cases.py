"""Directions to write in every format, and what reading each one back needs."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import torch

from gan_topdis.directions import Directions
from gan_topdis.generators import Generator, from_callable

COUNT, NUM_WS, W_DIM = 3, 4, 5
SUFFIX = {
    "native": ".npz",
    "ganspace": ".npz",
    "sefa": ".npy",
    "factor": ".pt",
    "pti_pca": ".pt",
    "latentclr": ".pt",
}
"""Of formats of one file; the others are folders here."""
WRITTEN_WITH = {"ganspace_edit": {"model_name": "StyleGAN2", "output_class": "ffhq"}}
SPACE, LAYERS, ORDER, SCALE = "space", "layers", "order", "scale"
LACKS = {
    "ganspace": (SPACE, LAYERS),
    "ganspace_edit": (),
    "sefa": (SPACE, LAYERS, SCALE),
    "factor": (SCALE,),
    "interfacegan": (SPACE, LAYERS, ORDER, SCALE),
    "pti": (SCALE,),
    "pti_pca": (LAYERS,),
    "gan_latent_discovery": (SPACE, SCALE),
    "latentclr": (SPACE, SCALE),
    "steerability": (ORDER, SCALE),
}
"""What each format does not say besides num_ws, by section 4 of the format table."""
KEEPS_MEAN = ("ganspace", "pti_pca")
KEEPS_NAMES = ("ganspace_edit", "interfacegan", "pti", "gan_latent_discovery", "steerability")


def some_directions(count: int = COUNT, *, space: str = "w", num_ws: int = NUM_WS) -> Directions:
    """Random unit directions on all layers; nothing is zero, one or shared."""
    rng = np.random.default_rng(7)
    rows = rng.normal(size=(count, num_ws, W_DIM) if space == "w+" else (count, W_DIM))
    norms = np.linalg.norm(rows.reshape(count, -1), axis=1).reshape(-1, *[1] * (rows.ndim - 1))
    return Directions(
        vectors=(rows / norms).astype(np.float32),
        names=tuple(f"direction {i}" for i in range(count)),
        scores=rng.random(count),
        layers=np.ones((count, num_ws), dtype=bool),
        scale=(0.5 + rng.random(count)).astype(np.float32),
        w_mean=rng.normal(size=W_DIM).astype(np.float32),
        space=space,
        score_name="distortion",
    )


def needed(format: str, directions: Directions) -> dict[str, object]:
    """The options without which a file of this format cannot be read, from the directions it was made of."""
    values = {SPACE: directions.space, LAYERS: directions.layers, ORDER: "after", SCALE: directions.scale}
    return {"num_ws": directions.num_ws, **{name: values[name] for name in LACKS[format]}}


def written(tmp_path, format: str, directions: Directions):
    """Where the directions are after an export."""
    path = tmp_path / f"{format}{SUFFIX.get(format, '')}"
    directions.export(path, format, **WRITTEN_WITH.get(format, {}))
    return path


def renamed(directions: Directions, *names: str) -> Directions:
    return replace(directions, names=names)


def small_generator(latent_dim: int = W_DIM) -> Generator:
    """Latents are standard normal times 1, 2, ..., so that scale is known."""

    def synthesize(z: torch.Tensor) -> torch.Tensor:
        return torch.tanh(z[:, :1, None, None]).expand(-1, 3, 4, 4)

    return from_callable(synthesize, latent_dim, name="small")
