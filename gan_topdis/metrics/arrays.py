"""Codes and factors as the metrics want them: checked arrays, recoded factors, random rows."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
from jaxtyping import Float, Int


@dataclass(frozen=True)
class Labelled:
    """Codes with their factors.

    Attributes:
        codes: float64 (n, d).
        factors: int64 (n, k), each column recoded to 0 .. m - 1 in the order of its values.
        columns: (k,), where the factors stood in what was given: columns of one value are left out.
        notes: on columns left out.
    """

    codes: Float[np.ndarray, "n d"]
    factors: Int[np.ndarray, "n k"]
    columns: tuple[int, ...]
    notes: tuple[str, ...]

    def __len__(self) -> int:
        return len(self.codes)

    def rows(self, chosen: Int[np.ndarray, " m"]) -> Labelled:
        return Labelled(self.codes[chosen], self.factors[chosen], self.columns, self.notes)


def labelled(codes: Any, factors: Any) -> Labelled:
    """Checked codes and recoded factors.

    Args:
        codes: (n, d) numbers, numpy or torch; the encoder's means.
        factors: (n, k) whole numbers, numpy or torch.

    Raises:
        ValueError: shapes that do not fit, values that are not finite, factors that are no whole numbers,
            or no factor with two values.
    """
    z = code_array(codes)
    return Labelled(z, *factor_array(factors, len(z)))


def code_array(codes: Any, name: str = "codes") -> Float[np.ndarray, "n d"]:
    """float64 (n, d). Raises: ValueError: of another shape, empty or not finite."""
    z = _array(codes).astype(np.float64)
    if z.ndim != 2 or 0 in z.shape:
        raise ValueError(f"{name} should have shape (n, d), one row per image, got {z.shape}")
    if not np.isfinite(z).all():
        raise ValueError(f"{name} should be finite, got NaN or infinity in {_bad_rows(z)} rows")
    return z


def factor_array(factors: Any, n: int | None = None) -> tuple[np.ndarray, tuple[int, ...], tuple[str, ...]]:
    """Recoded factors int64 (n, k), the columns they stood in, notes on columns left out.

    Args:
        factors: (n, k) whole numbers.
        n: how many rows the codes have, when there are codes.
    """
    f = _array(factors)
    if f.ndim != 2 or 0 in f.shape:
        raise ValueError(f"factors should have shape (n, k), one row per image, got {f.shape}")
    if n is not None and len(f) != n:
        hint = "; transpose the factors" if f.shape[1] == n else ""
        raise ValueError(f"codes and factors should have as many rows, got {n} and {len(f)}{hint}")
    if f.dtype.kind == "f":
        if not np.isfinite(f).all():
            raise ValueError(f"factors should be finite, got NaN or infinity in {_bad_rows(f)} rows")
        if (f != np.rint(f)).any():
            raise ValueError(
                "factors should be whole numbers (classes), got fractions; bin them first, or use "
                "sap(..., continuous=True)"
            )
    elif f.dtype.kind not in "iub":
        raise ValueError(f"factors should be whole numbers, got {f.dtype}")
    recoded = [np.unique(column, return_inverse=True)[1].ravel() for column in f.T]
    kept = [j for j, column in enumerate(recoded) if column.max() > 0]
    if not kept:
        raise ValueError("factors should have at least one column with two values, got constants only")
    dropped = sorted(set(range(f.shape[1])) - set(kept))
    notes = tuple(f"factor {j} has one value and is left out" for j in dropped)
    return np.stack([recoded[j] for j in kept], axis=1).astype(np.int64), tuple(kept), notes


def continuous_factor_array(factors: Any, n: int) -> Float[np.ndarray, "n k"]:
    """float64 (n, k) of any finite numbers."""
    f = code_array(factors, "factors")
    if len(f) != n:
        raise ValueError(f"codes and factors should have as many rows, got {n} and {len(f)}")
    return f


def some_rows(data: Labelled, count: int, rng: np.random.Generator) -> Labelled:
    """`count` random rows without replacement; all of them, in order, when there are no more."""
    if len(data) <= count:
        return data
    return data.rows(rng.choice(len(data), count, replace=False))


def train_and_test(
    data: Labelled, train: int, test: int, rng: np.random.Generator
) -> tuple[Labelled, Labelled]:
    """Random rows for training and other random rows for testing, never a stretch of an ordered grid.

    With fewer than train + test rows, all are used, in the same proportion.
    """
    order = rng.permutation(len(data))
    if len(data) < train + test:
        train = min(max(1, round(len(data) * train / (train + test))), len(data) - 1)
        test = len(data) - train
    return data.rows(order[:train]), data.rows(order[train : train + test])


def _array(values: Any) -> np.ndarray:
    if hasattr(values, "detach"):  # a torch tensor; numpy alone does not read those that carry gradient
        values = values.detach().cpu().numpy()
    return np.asarray(values)


def _bad_rows(values: np.ndarray) -> int:
    return int((~np.isfinite(values)).any(axis=1).sum())
