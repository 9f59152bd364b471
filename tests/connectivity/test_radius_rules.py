"""Radii by rule: each rule is the report at its radius; a baseline of another scale is judged alike."""

from __future__ import annotations

import numpy as np
import pytest
import torch

from gan_topdis.connectivity import best_radius, one_class_by_rule, one_class_report

SHARES = (0.5, 1.0, 2.0)


def classes(n: int, seed: int) -> tuple[torch.Tensor, np.ndarray]:
    """Codes of two branches of 2, classes 0 and 4, the second twice as wide and elsewhere."""
    codes = torch.randn(n, 4, generator=torch.Generator().manual_seed(seed), dtype=torch.float64)
    second = torch.arange(n) % 2
    return codes * (1 + second[:, None]) + 2 * second[:, None], 4 * second.numpy()


REFERENCE, KNOWN = classes(120, 0)
CODES, LABELS = classes(100, 1)
OPTIONS = {"branches": 2, "sizes": (5, 30), "repeats": 2, "seed": 3}


def by_rule(unit: float = 1.0, **options):
    return one_class_by_rule(
        REFERENCE * unit, KNOWN, CODES * unit, LABELS, shares=SHARES, batch_size=50, **OPTIONS | options
    )


def test_each_rule_is_the_report_at_its_radius():
    found = by_rule(eta=1.5)
    assert list(found) == ["eta", "matched", "best"]
    for rule, areas in found.items():
        assert areas.rule == rule and areas.sizes == (5, 30)
        for s, radius in enumerate(areas.radii):
            alone = one_class_report(None, REFERENCE, KNOWN, CODES, LABELS, radius=radius, **OPTIONS)
            assert np.array_equal(areas.per_class[s], alone.per_class[s])
            assert np.array_equal(areas.per_class_spread[s], alone.per_class_spread[s])
            assert areas.mean[s] == alone.mean[s] and areas.spread[s] == alone.spread[s]
    assert found["eta"].radii == (1.5, 1.5)
    matched = one_class_report(
        None, REFERENCE, KNOWN, CODES, LABELS, radius="matched", batch_size=50, **OPTIONS
    )
    assert found["matched"].radii == (matched.radius,) * 2
    assert found["eta"].classes.tolist() == [0, 4]


def test_the_best_radius_is_chosen_on_references_for_each_size():
    found = by_rule()
    matched = found["matched"].radii[0]
    for s, size in enumerate((5, 30)):
        best = best_radius(
            REFERENCE,
            KNOWN,
            branches=2,
            radii=[share * matched for share in SHARES],
            size=size,
            repeats=2,
            seed=3,
        )
        assert found["best"].radii[s] == best.radius


def test_another_unit_changes_only_eta():
    one, large = by_rule(), by_rule(1024.0)
    for rule in ("matched", "best"):
        assert np.array_equal(one[rule].per_class, large[rule].per_class)
        assert tuple(1024 * radius for radius in one[rule].radii) == large[rule].radii
    assert (large["eta"].per_class == 0.5).all() and (one["eta"].mean > 0.6).all()


def test_refusals():
    assert list(by_rule(rules=("best",))) == ["best"]
    with pytest.raises(ValueError, match="rules should be some of eta, matched, best, got worst"):
        by_rule(rules=("eta", "worst"))
    with pytest.raises(ValueError, match="got none"):
        by_rule(rules=())
    with pytest.raises(ValueError, match="sizes should be at least 1"):
        by_rule(sizes=())
