"""One-class areas at the three radii that one would think of: eta, the latent's own, and the best."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from jaxtyping import Float, Int

from gan_topdis.connectivity.best_radius import best_radii
from gan_topdis.connectivity.one_class import (
    MATCHED,
    SIZES,
    OneClassReport,
    one_class_reports,
    shuffled_matched_radius,
)

RULES = ("eta", MATCHED, "best")
SHARES = (0.25, 0.5, 0.75, 0.875, 1.0, 1.125, 1.25, 1.5, 2.0, 3.0)
"""Of the matched radius: what is tried for the best one. In units of eta the authors tried .25 to 2.5."""


@dataclass(frozen=True, eq=False)
class RuleAreas:
    """Areas under the ROC curve when the radius is chosen by one rule.

    Attributes:
        rule: of `RULES`.
        sizes: (s,) reference images asked for.
        radii: (s,), in the unit of the codes; only the best one depends on the size.
        reports: (s,) the reports of each size at its radius, each of one size.
    """

    rule: str
    sizes: tuple[int, ...]
    radii: tuple[float, ...]
    reports: tuple[OneClassReport, ...]

    @property
    def classes(self) -> Int[np.ndarray, " c"]:
        """Labels, ascending."""
        return self.reports[0].classes

    @property
    def per_class(self) -> Float[np.ndarray, "s c"]:
        """Mean area over the draws."""
        return np.concatenate([report.per_class for report in self.reports])

    @property
    def per_class_spread(self) -> Float[np.ndarray, "s c"]:
        """Standard deviation over the draws; 0 where a class is drawn whole."""
        return np.concatenate([report.per_class_spread for report in self.reports])

    @property
    def mean(self) -> Float[np.ndarray, " s"]:
        """`per_class`, averaged over classes: the published number."""
        return self.per_class.mean(axis=1)

    @property
    def spread(self) -> Float[np.ndarray, " s"]:
        """`per_class_spread`, averaged over classes."""
        return self.per_class_spread.mean(axis=1)


def one_class_by_rule(
    reference_codes: Any,
    reference_labels: Any,
    codes: Any,
    labels: Any,
    *,
    branches: int,
    rules: Sequence[str] = RULES,
    eta: float = 2.0,
    sizes: Sequence[int] = SIZES,
    repeats: int = 5,
    seed: int = 0,
    batch_size: int = 100,
    shares: Sequence[float] = SHARES,
) -> Mapping[str, RuleAreas]:
    """`one_class_report` of codes at several radii, on the same draws.

    The radius eta is the published one, which suits codes of the connectivity loss only. `matched` is the
    median tree edge of the codes themselves, `best` the one that is best when half of the references have to
    recognise the other half, for each size. A baseline without the loss should be judged by the last two.

    Args:
        reference_codes, reference_labels, codes, labels, branches, sizes, repeats, seed, batch_size: of
            `one_class_report`, with codes in place of images.
        rules: some of `RULES`.
        eta: > 0, the radius of that name.
        shares: tried for the best radius, in units of the matched one.

    Returns:
        Areas by rule, in the order of `rules`.

    Raises:
        TypeError, ValueError: those of `one_class_report` and `best_radius`; an unknown rule or none.
    """
    unknown = [rule for rule in rules if rule not in RULES]
    if unknown or not rules:
        raise ValueError(f"rules should be some of {', '.join(RULES)}, got {', '.join(unknown) or 'none'}")
    options: dict[str, Any] = {"branches": branches, "repeats": repeats, "seed": seed}
    asked: dict[str, list[float | str]] = {}
    for rule in rules:
        if rule == "eta":
            asked[rule] = [float(eta)] * len(sizes)
        elif rule == MATCHED:
            asked[rule] = [MATCHED] * len(sizes)
        else:
            matched = shuffled_matched_radius(reference_codes, branches, batch_size, seed)
            radii = [share * matched for share in shares]
            found = best_radii(reference_codes, reference_labels, radii=radii, sizes=sizes, **options)
            asked[rule] = [best.radius for best in found]
    distinct = list(dict.fromkeys(radius for radii in asked.values() for radius in radii))
    reports = one_class_reports(
        None,
        reference_codes,
        reference_labels,
        codes,
        labels,
        radii=distinct,
        sizes=sizes,
        batch_size=batch_size,
        **options,
    )
    by_radius = dict(zip(distinct, reports, strict=True))
    return {
        rule: RuleAreas(
            rule,
            tuple(sizes),
            tuple(by_radius[radius].radius for radius in radii),
            tuple(by_radius[radius].of_size(s) for s, radius in enumerate(radii)),
        )
        for rule, radii in asked.items()
    }
