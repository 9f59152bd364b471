"""WarpedGANSpace support sets, `models/support_sets.pt`: directions that depend on where one stands.

`SUPPORT_SETS (K, 2 N d)`, `ALPHAS (K, 2 N)`, `LOGGAMMA (K, 1)` of K warpings
f(x) = sum_i alpha_i exp(-gamma |x - s_i|^2); the direction at x is the unit gradient of f there. Read only,
at one latent. Source: chi0tzp/WarpedGANSpace, Apache-2.0 (layout); arXiv:2109.13357, eq. 2 and 3.
"""

from __future__ import annotations

from pathlib import Path

import numpy as np

from gan_topdis.directions.formats.arrays_file import finite_numbers
from gan_topdis.directions.formats.contents import FileContents
from gan_topdis.directions.formats.torch_file import entries, numbers, read_torch


def read(path: Path, *, code: np.ndarray) -> FileContents:
    """Unit gradients of all warpings at one latent.

    Args:
        code: (d,), the latent at which the directions are taken.

    Raises:
        ValueError: sizes do not match, or a gradient is 0.
    """
    saved = entries(read_torch(path), ("SUPPORT_SETS", "ALPHAS", "LOGGAMMA"), path)
    support, alphas, log_gamma = (numbers(saved[key], f"{key} of {path}") for key in saved)
    at = finite_numbers(np.asarray(code), "code").reshape(-1)
    count, size = len(alphas), len(at)
    if (
        alphas.ndim != 2
        or support.shape != (count, alphas.shape[1] * size)
        or log_gamma.shape not in ((count, 1), (1, 1))
    ):
        raise ValueError(
            f"{path} should hold SUPPORT_SETS (K, 2 N d), ALPHAS (K, 2 N) and LOGGAMMA (K, 1) with "
            f"d = {size} of the code, got {support.shape}, {alphas.shape} and {log_gamma.shape}"
        )
    away = at - support.reshape(count, -1, size)  # (K, 2N, d)
    gamma = np.exp(np.broadcast_to(log_gamma, (count, 1)))
    exponents = -gamma * np.square(away).sum(axis=2)  # (K, 2N)
    # a common factor of a row cancels in the unit vector, and far away all would underflow
    weights = alphas * np.exp(exponents - exponents.max(axis=1, keepdims=True))
    gradients = -np.einsum("ki,kid->kd", weights, away)  # (K, d), over 2 gamma
    if not np.abs(gradients).max(axis=1).all():
        raise ValueError(f"{path}: a warping is flat at this code and has no direction there; choose another")
    unit = gradients / np.linalg.norm(gradients, axis=1, keepdims=True)
    return FileContents(vectors=unit, unit="raw", layers="all", facts={"code": at.tolist()})
