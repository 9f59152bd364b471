"""A number that names a network by its tensors, so that re-saving the file keeps it."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping

import numpy as np
from torch import Tensor


def tensor_fingerprint(tensors: Mapping[str, Tensor]) -> str:
    """SHA-256 over sorted (name, shape, float32 little-endian bytes) of the tensors, hexadecimal."""
    digest = hashlib.sha256()
    for name in sorted(tensors):
        values = tensors[name].detach().cpu().float().contiguous().numpy().astype("<f4", copy=False)
        digest.update(f"{name}{tuple(values.shape)}".encode())
        digest.update(np.ascontiguousarray(values).tobytes())
    return digest.hexdigest()
