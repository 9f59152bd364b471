"""Plots of connectivity: what is drawn is what was given."""

from __future__ import annotations

import numpy as np
import pytest
import torch

from gan_topdis.connectivity import (
    density_toy,
    measured_densification,
    room_for_batches,
    smallest_support_radius,
)
from gan_topdis.report.connectivity_plots import batch_size_plot, densification_plot, density_toy_plot

CODES = torch.randn(60, 4, generator=torch.Generator().manual_seed(0))


def lines(axes) -> dict[str, np.ndarray]:
    return {line.get_label(): np.asarray(line.get_ydata()) for line in axes.get_lines()}


def test_densification():
    found = measured_densification(CODES, (5, 30, 60), branches=2, batch_size=20, batches=5)
    figure = densification_plot({"noise": found, "again": found})
    assert len(figure.axes) == 2
    drawn = lines(figure.axes[0])
    assert drawn["promised, m - b + 1"].tolist() == [0, 11, 41]
    assert drawn["fewest of any code and branch"].tolist() == list(found.fewest)
    assert drawn["median"].tolist() == list(found.median)
    assert figure.axes[0].get_title().startswith(f"noise\nlargest edge seen {found.beta:.2f}")


def test_batch_sizes(tmp_path):
    radii = {d: [smallest_support_radius(b, d) for b in (10, 100)] for d in (2, 10)}
    rooms = {"wide": room_for_batches(20 * CODES, 2), "narrow": room_for_batches(CODES / 20, 2)}
    figure = batch_size_plot((10, 100), radii, eta=2.0, batch_size=100, rooms=rooms)
    left, right = figure.axes
    assert lines(left)["2 dimensions"].tolist() == radii[2]
    assert [text.get_text() for text in right.get_yticklabels()] == ["wide", "narrow"]
    spans = [line.get_xdata() for line in right.get_lines() if line.get_linewidth() == 3]
    assert spans[1].tolist() == [1, 1] and spans[0][1] == 60
    figure.savefig(tmp_path / "plot.png")
    assert (tmp_path / "plot.png").stat().st_size > 5000


@pytest.mark.parametrize("dimension", [1, 2])
def test_density_toy(dimension):
    toy = density_toy(dimension, sizes=(5, 8), points=20, steps=2, repeats=2)
    figure = density_toy_plot(toy)
    before, after, areas = figure.axes
    assert f"mean tree edge {toy.mean_death[1]:.2f}" in after.get_title()
    assert len(before.collections) == 3
    drawn = [container[0].get_ydata() for container in areas.containers]
    expected = [toy.areas[stage, rule].mean(axis=1) for rule in (0, 1) for stage in (0, 1)]
    assert np.allclose(drawn, expected)
