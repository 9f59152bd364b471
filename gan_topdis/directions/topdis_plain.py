"""The plain sequential search of the TopDis paper, as far as it is recalled: a baseline.

Codes are filtered to their leading principal components, Z = mean + P P^T (w - mean). Each direction
starts at random in the span of P, is orthogonal to those before it, and minimises

    RTD(F(Z), F(Z + c n))     power 1, both clouds over their 0.9 quantiles,

at one constant c. Nothing keeps it from directions that do nothing: their RTD is 0 (docs/discovery.md).

Source: Balabin et al., Disentanglement Learning via Topology, arXiv:2308.12696, experiments on StyleGAN: 32
    components as in GANSpace, random start, Gram-Schmidt. Recalled, not checked; c, optimiser and steps are
    unknown. Ours: c is the rms standard deviation of the components, Adam and steps as in `topdis`, and
    Gram-Schmidt by searching in the orthogonal complement, where the last step is one of Gram-Schmidt.
"""

from __future__ import annotations

from collections.abc import Iterator

import torch
from jaxtyping import Float
from torch import Tensor

from gan_topdis.directions.descent import descend, unit_vectors
from gan_topdis.directions.options import TopDisOptions
from gan_topdis.directions.search import PLAIN, Method, Search
from gan_topdis.generators import Generator
from gan_topdis.losses.rtd_loss import normalised_distances
from gan_topdis.persistence import rtd

COMPONENTS = 32


def plain_directions(search: Search, found: Float[Tensor, "k w_dim"]) -> Iterator[Float[Tensor, " w_dim"]]:
    """Yield directions k, k + 1, ... count - 1, unit vectors in the span of the leading components."""
    variances, axes = torch.linalg.eigh(search.statistics.covariance)
    components = axes.flip(1)[:, :COMPONENTS].T  # P^T, (K, w_dim) orthonormal rows
    shift = float(variances.flip(0)[:COMPONENTS].mean().sqrt())  # c
    for index in range(len(found), search.count):
        inside = found.cpu().double() @ components.T
        frame = torch.linalg.svd(inside, full_matrices=True).Vh[len(found) :] @ components  # (K - k, w_dim)
        vector = _descended(search, components, frame.to(found), shift, search.rng(PLAIN, index))
        found = torch.cat([found, vector[None]])
        yield vector


def _descended(
    search: Search, components: Tensor, frame: Tensor, shift: float, rng: torch.Generator
) -> Float[Tensor, " w_dim"]:
    """One descent from a random start among unit combinations of the frame's orthonormal rows."""
    sampler, options = search.sampler, search.options
    projection = (components.T @ components).to(frame)

    def cost_of(coordinates: Tensor, step: int) -> Tensor:
        ws = sampler.draw(options.points, rng)
        mean = search.statistics.mean.to(ws)
        filtered = mean + (ws - mean) @ projection  # (n, num_ws, w_dim)
        with torch.no_grad():
            before = sampler.features(filtered)
        after = sampler.features(filtered, shift * unit_vectors(coordinates, frame).expand(len(ws), -1))
        return rtd(normalised_distances(before)[0], normalised_distances(after)[0])[None]

    start = torch.nn.functional.normalize(torch.randn(1, len(frame), generator=rng), dim=1).to(frame)
    end = descend(cost_of, start, steps=options.steps, patience=options.patience, on_step=search.on_step)
    return unit_vectors(end, frame)[0]


def _steps(options: TopDisOptions, generator: Generator, directions: int) -> int:
    return options.steps * directions


TOPDIS_PLAIN = Method(plain_directions, steps=_steps, in_subspace=False)
