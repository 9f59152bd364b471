"""The one-class report: perfect and blind codes, draws, clamping, encoders, refusals."""

from __future__ import annotations

import numpy as np
import pytest
import torch

from gan_topdis.connectivity import (
    auc,
    matched_radius,
    one_class_report,
    one_class_reports,
    one_class_scores,
)
from gan_topdis.connectivity.ball_counting import drawn_scores


def clusters(n: int, seed: int, distance: float = 3.0) -> tuple[torch.Tensor, np.ndarray]:
    """Codes of two branches of 3; labels 2, 5, 9 in turn, moved along another axis each."""
    codes = torch.randn(n, 6, generator=torch.Generator().manual_seed(seed), dtype=torch.float64)
    labels = np.array([2, 5, 9])[np.arange(n) % 3]
    for k, label in enumerate((2, 5, 9)):
        codes[torch.from_numpy(labels == label), k] += distance
    return codes, labels


REFERENCE, KNOWN = clusters(90, 1)
CODES, LABELS = clusters(60, 2)


def report(encode=None, reference=REFERENCE, known=KNOWN, codes=CODES, labels=LABELS, **options):
    options = {"branches": 2, "radius": 3.0, "sizes": (5, 20), "repeats": 3} | options
    return one_class_report(encode, reference, known, codes, labels, **options)


def test_separate_classes_are_perfect():
    codes, labels = clusters(60, 2, distance=1000.0)
    reference, known = clusters(90, 1, distance=1000.0)
    # branch 2 is the same noise for all: score by the greatest count, in a ball that holds a whole class
    found = report(None, reference[:, :3], known, codes[:, :3], labels, branches=1, radius=50.0)
    assert (found.areas == 1).all()
    assert found.spread.tolist() == [0, 0]


def test_blind_codes_are_chance():
    found = report(radius=1e6)
    assert (found.areas == 0.5).all()


def test_shapes_and_averages():
    found = report(seed=4)
    assert found.classes.tolist() == [2, 5, 9]
    assert found.areas.shape == (2, 3, 3)
    assert found.sizes == (5, 20)
    assert found.references.tolist() == [[5] * 3, [20] * 3]
    assert found.mean == pytest.approx(found.areas.mean(axis=(1, 2)))
    assert found.per_class == pytest.approx(found.areas.mean(axis=2))
    assert found.spread == pytest.approx(found.areas.std(axis=2).mean(axis=1))
    assert (found.per_class_spread > 0).all()
    assert found.settings["seed"] == 4 and found.settings["repeats"] == 3
    assert 0.7 < found.mean[0] < found.mean[1] < 1  # more references help


def test_a_whole_class_has_no_spread_and_is_the_plain_score():
    """30 codes of a class: 30 and 500 both draw it whole, whatever the order."""
    found = report(sizes=(30, 500))
    assert found.references.tolist() == [[30] * 3, [30] * 3]
    assert (found.per_class_spread == 0).all()
    for c, label in enumerate((2, 5, 9)):
        scores = one_class_scores(REFERENCE[label == KNOWN], CODES, branches=2, radius=3.0)
        assert found.per_class[0, c] == found.per_class[1, c] == auc(scores, label == LABELS)


def test_a_small_class_clamps_itself_alone():
    keep = np.flatnonzero((KNOWN != 5) | (np.arange(90) < 30))
    found = report(None, REFERENCE[keep], KNOWN[keep], sizes=(20,))
    assert found.references.tolist() == [[20, 10, 20]]


def test_draws_are_from_the_class_without_replacement(monkeypatch):
    from gan_topdis.connectivity import one_class

    seen = []

    def recorded(reference, codes, draws, **options):
        seen.append([reference[rows] for rows in draws])
        return drawn_scores(reference, codes, draws, **options)

    monkeypatch.setattr(one_class, "drawn_scores", recorded)
    rows = torch.arange(90.0)[:, None]  # the code of a reference is its row
    report(None, rows, KNOWN, torch.rand(60, 1), LABELS, branches=1, radius=1e6)
    assert [len(of_class) for of_class in seen] == [3 * 2] * 3
    for label, of_class in zip((2, 5, 9), seen, strict=True):
        for k, drawn in enumerate(of_class):
            numbers = drawn.flatten().int().tolist()
            assert set(KNOWN[numbers]) == {label}
            assert len(set(numbers)) == len(numbers) == (5, 20)[k % 2]
        assert torch.equal(of_class[0], of_class[1][:5])  # nested
        assert not torch.equal(of_class[1], of_class[3])  # another draw


def test_several_radii_are_the_reports_of_each():
    radii = (0.5, 3.0, "matched", 1e6)
    several = one_class_reports(
        None, REFERENCE, KNOWN, CODES, LABELS, branches=2, radii=radii, sizes=(5, 20), repeats=3
    )
    for radius, found in zip(radii, several, strict=True):
        alone = report(radius=radius)
        assert np.array_equal(found.areas, alone.areas) and found.radius == alone.radius
        assert found.settings == alone.settings
    assert len({float(found.mean[1]) for found in several}) == 4


@pytest.mark.parametrize("over_branches", ["sum", "mean", "max"])
def test_scores_of_draws_are_those_of_their_codes(over_branches):
    """Also where blocks cut references and queries."""
    draws = [torch.tensor([3, 1, 70]), torch.arange(0, 40, 2), torch.arange(1)]
    for pairs in (1, 50, None):
        found = drawn_scores(
            REFERENCE,
            CODES,
            draws,
            branches=2,
            radii=(2.0, 4.0),
            over_branches=over_branches,
            pairs_at_once=pairs,
        )
        for radius, of_radius in zip((2.0, 4.0), found, strict=True):
            for rows, scores in zip(draws, of_radius, strict=True):
                options = {"branches": 2, "radius": radius, "over_branches": over_branches}
                assert torch.equal(scores, one_class_scores(REFERENCE[rows], CODES, **options))
                assert scores.max() > 0


def test_seeds():
    first = report(seed=1)
    assert np.array_equal(first.areas, report(seed=1).areas)
    assert not np.array_equal(first.areas, report(seed=2).areas)
    assert np.array_equal(first.areas[1:], report(seed=1, sizes=(20,)).areas)
    assert np.array_equal(first.areas[:, :, :2], report(seed=1, repeats=2).areas)


def test_labels_need_not_start_at_zero_nor_be_numpy():
    first = report()
    assert np.array_equal(first.areas, report(known=torch.from_numpy(KNOWN), labels=LABELS.tolist()).areas)
    assert np.array_equal(first.areas, report(None, REFERENCE.numpy(), codes=CODES.numpy()).areas)


@pytest.mark.parametrize("batch_size", [7, 100])
def test_encoder(batch_size):
    """Every image once, in batches, without gradient; the result is that of its codes."""
    weight = torch.eye(6, dtype=torch.float64).requires_grad_()
    counts = []

    def encode(images):
        assert not torch.is_grad_enabled()
        counts.append(len(images))
        return images @ weight

    found = report(encode, batch_size=batch_size)
    assert sum(counts) == 90 + 60
    assert max(counts) == min(batch_size, 90)
    assert np.array_equal(found.areas, report().areas)
    numpy = report(lambda x: x.numpy())
    assert np.array_equal(numpy.areas, found.areas)


def test_matched_radius_judges_every_unit_alike():
    """Codes divided by 256, exactly: eta finds nothing there, their own edge as much as before."""
    small = report(None, REFERENCE / 256, codes=CODES / 256, radius="matched", batch_size=50)
    large = report(radius="matched", batch_size=50)
    assert large.radius == 256 * small.radius
    assert np.array_equal(large.areas, small.areas)
    assert large.mean[1] > 0.7
    assert (report(None, REFERENCE / 256, codes=CODES / 256, radius=2.0).areas == 0.5).all()
    # close to the median of one batch in order; batches of 50 are shuffled
    assert large.radius == pytest.approx(matched_radius(REFERENCE, 2, batch_size=50), rel=0.15)
    assert large.settings["radius"] == "matched"


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"sizes": ()}, "sizes should be at least 1"),
        ({"sizes": (5, 0)}, "sizes should be at least 1"),
        ({"repeats": 0}, "repeats should be at least 1"),
        ({"batch_size": 0}, "batch_size should be at least 1"),
        ({"radius": "best"}, "a number or 'matched', got 'best'"),
        ({"radius": "matched", "metric": "l2"}, "a length in l1, got metric 'l2'; give a number"),
        ({"labels": LABELS[:5]}, "one per image, got 5 for 60 images"),
        ({"known": KNOWN[:5]}, "reference_labels should be one per image, got 5 for 90"),
        ({"labels": LABELS / 2}, "whole numbers of shape"),
        ({"labels": np.full(60, 2)}, r"at least two classes, got \[2\]"),
        ({"known": np.full(90, 2)}, r"but lack \[5, 9\]"),
        ({"encode": lambda x: x[:1]}, "one code per image, got 1 for 90 reference_images"),
        ({"branches": 4}, r"shape \(n, 4 \* d\)"),
    ],
)
def test_refusals(options, message):
    with pytest.raises(ValueError, match=message):
        report(**options)
