"""GANSpace: principal components of the latent, and of features regressed to the latent.

Source: Harkonen et al., GANSpace: Discovering Interpretable GAN Controls, arXiv:2004.02546: section 2.1 (PCA
    of w), section 2.2 (PCA of an early layer of BigGAN, transferred to z by least squares).
"""

from __future__ import annotations

import math

import torch
from jaxtyping import Float
from torch import Tensor

from gan_topdis.directions.options import TopDisOptions
from gan_topdis.directions.search import FEATURES, Method, Search
from gan_topdis.generators import Generator

FITTED_SAMPLES = 1024
"""Pictures whose features are held together to find the components."""
_LEAST_SAMPLES, _SAMPLES_PER_DIMENSION = 2048, 16


def principal_axes(covariance: Float[Tensor, "w_dim w_dim"]) -> Float[Tensor, "w_dim w_dim"]:
    """Eigenvectors, as rows, of the latent's covariance, largest variance first."""
    return torch.linalg.eigh(covariance).eigenvectors.flip(1).T.float()


def latent_components(search: Search, found: Tensor) -> Float[Tensor, "left w_dim"]:
    """`principal_axes`, the first as many as there are to be.

    Where there is no mapping network the latent is isotropic, and these are arbitrary.
    """
    return principal_axes(search.statistics.covariance)[len(found) : search.count]


def feature_components(search: Search, found: Tensor) -> Float[Tensor, "left w_dim"]:
    """Latent directions, by least squares, of the features' principal components, largest variance first.

    With x_j the coordinates of the features of latent w_j along the components, U minimises the sum of
    |U x_j - (w_j - mean)|^2; its columns, made unit vectors, are the directions. They are not orthogonal.
    Components come from the first `FITTED_SAMPLES` pictures, U from all.
    """
    rng = search.rng(FEATURES)
    coordinates: list[Tensor] = []
    latents: list[Tensor] = []
    components = mean = torch.zeros(0)
    for part in torch.arange(sample_count(search.generator)).split(FITTED_SAMPLES):
        ws = search.sampler.draw(len(part), rng)
        with torch.no_grad():
            features = search.sampler.features(ws)  # (n, p)
        if not latents:
            mean = features.mean(dim=0)
            # right singular vectors through the smaller Gram matrix of the samples
            centred = features - mean
            variances, left = torch.linalg.eigh((centred @ centred.T).cpu().double())
            keep = variances.flip(0)[: search.count].clamp_min(1e-24).rsqrt()
            components = (left.flip(1)[:, : search.count] * keep).T.to(features) @ centred  # (count, p)
        coordinates.append(((features - mean) @ components.T).cpu().double())
        latents.append(search.sampler.latent(ws).cpu().double())
        search.on_step()
    x = torch.cat(coordinates)  # (n, count)
    w = torch.cat(latents)  # (n, w_dim)
    solution = torch.linalg.lstsq(x - x.mean(dim=0), w - w.mean(dim=0)).solution  # U^T (count, w_dim)
    return torch.nn.functional.normalize(solution, dim=1)[len(found) :].float()


def sample_count(generator: Generator) -> int:
    """Pictures behind `feature_components`: a regression has to beat the noise of w_dim coordinates."""
    return max(_LEAST_SAMPLES, _SAMPLES_PER_DIMENSION * generator.w_dim)


def _steps(options: TopDisOptions, generator: Generator, directions: int) -> int:
    return math.ceil(sample_count(generator) / FITTED_SAMPLES) if directions else 0


GANSPACE = Method(latent_components, in_subspace=False)
GANSPACE_FEATURES = Method(feature_components, steps=_steps, in_subspace=False, orthonormal=False)
