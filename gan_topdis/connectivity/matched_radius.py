"""The radius at which a latent space would be judged fairly: its own tree edges instead of eta."""

from __future__ import annotations

import numpy as np
import torch
from torch import Tensor

from gan_topdis.losses import ConnectivityLoss


@torch.no_grad()
def matched_radius(
    codes: np.ndarray | Tensor,
    branches: int,
    *,
    quantile: float = 0.5,
    batch_size: int | None = None,
) -> float:
    """A quantile, the median by default, of the l1 tree edges of all branches of the codes.

    The connectivity loss drives these edges to eta. Where it was not trained, or not to the end, their
    median takes the place of eta as the radius of `one_class_scores`: codes times 10 have 10 times the
    radius and the same scores.

    Args:
        codes: (n, branches * d), floating point; a mixture of classes, as in the training batches.
        quantile: in [0, 1]; between edges it is interpolated linearly.
        batch_size: more points have shorter edges, and eta refers to batches of the training size; codes
            are cut, in their order, into batches of this size and the remainder is dropped. One batch of all
            codes when None.

    Returns:
        A length in the unit of the codes; 0 where at least that share of the edges joins equal codes.

    Raises:
        TypeError: not floating point.
        ValueError: shape does not fit, a code is not finite, fewer than two codes or than one batch.
    """
    if not 0 <= quantile <= 1:
        raise ValueError(f"quantile should be in [0, 1], got {quantile}")
    values = torch.from_numpy(np.array(codes)) if isinstance(codes, np.ndarray) else codes
    loss = ConnectivityLoss(branches=branches)
    size = len(values) if batch_size is None else batch_size
    if size < 2:
        raise ValueError(f"a tree edge needs at least two codes in a batch, got {size}")
    if len(values) < size:
        raise ValueError(
            f"codes should fill one batch of {size}, got {len(values)}; use a smaller batch_size"
        )
    batches = len(values) // size
    edges = [loss.deaths(values[size * b : size * (b + 1)]).flatten() for b in range(batches)]
    # numpy, since torch refuses quantiles of more than 2^24 values
    return float(np.quantile(torch.cat(edges).cpu().double().numpy(), quantile))
