"""Plots of what the connectivity loss promises: densification, room for a batch, densities of few samples."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure

if TYPE_CHECKING:  # the report needs no torch
    from gan_topdis.connectivity import DensityToy, MeasuredDensification, Room

_COLOURS = ("#2f6fde", "#d9603b", "#2f9e68", "#8a5fc7")
_GREY = "#6a7180"


def densification_plot(measured: Mapping[str, MeasuredDensification]) -> Figure:
    """Neighbours that every code has within beta: promised, fewest and median found, by sample size.

    Args:
        measured: name of the codes, shown as a title, to `connectivity.measured_densification` of them.
    """
    figure = Figure(figsize=(4.2 * len(measured), 3.8), layout="constrained")
    for axes, (name, found) in zip(_row(figure, len(measured)), measured.items(), strict=True):
        axes.plot(found.samples, found.guaranteed, color=_GREY, ls="--", label="promised, m - b + 1")
        for values, colour, words in (
            (found.fewest, _COLOURS[0], "fewest of any code and branch"),
            (found.median, _COLOURS[1], "median"),
        ):
            axes.plot(found.samples, values, color=colour, marker="o", ms=4, label=words)
        axes.axvline(found.batch_size, color=_GREY, lw=0.8)
        axes.set_title(f"{name}\nlargest edge seen {found.beta:.2f}", fontsize=10)
        axes.set_xlabel(f"m, codes of the sample (line: batch size {found.batch_size})")
        axes.set_ylabel("other codes within the largest edge")
        axes.legend(fontsize=8, frameon=False)
    return figure


def batch_size_plot(
    batch_sizes: Sequence[int],
    smallest_radii: Mapping[int, Sequence[float]],
    *,
    eta: float,
    batch_size: int,
    rooms: Mapping[str, Room],
) -> Figure:
    """Left, the support that a batch needs at least; right, how many codes of trained models lie eta apart.

    Args:
        batch_sizes: (k,) of the curves.
        smallest_radii: dimension of a branch to (k,) `connectivity.smallest_support_radius`.
        eta: the scale.
        batch_size: of training, marked in both.
        rooms: name of the codes to `connectivity.room_for_batches` of them; a bar from the fewest to the most
            over branches, a dot at either mean.
    """
    figure = Figure(figsize=(10, 3.8), layout="constrained")
    left, right = _row(figure, 2)
    for (dimension, radii), colour in zip(smallest_radii.items(), _COLOURS, strict=False):
        left.plot(batch_sizes, radii, color=colour, label=f"{dimension} dimensions")
        # 2 d points eta apart fit into a ball of radius eta / 2
        left.plot([2 * dimension], [eta / 2], color=colour, marker="o", ls="none", ms=5)
    left.axvline(batch_size, color=_GREY, lw=0.8)
    left.set_xscale("log")
    left.set_yscale("log")
    left.set_xlabel("batch size (dots: 2 d points of a cross-polytope)")
    left.set_ylabel(f"smallest l1 radius of the support, eta = {eta:g}")
    left.legend(fontsize=8, frameon=False)
    for place, (_, room) in enumerate(rooms.items()):
        fewest, most = room.fewest.numpy(), room.most.numpy()
        right.plot([fewest.min(), most.max()], [place, place], color=_COLOURS[0], lw=3, alpha=0.4)
        right.plot([fewest.mean(), most.mean()], [place, place], color=_COLOURS[0], marker="o", ls="none")
    right.axvline(batch_size, color=_GREY, lw=0.8)
    right.set_xscale("log")
    right.set_yticks(range(len(rooms)), list(rooms))
    right.set_ylim(len(rooms) - 0.5, -0.5)
    right.set_xlabel(f"how many lie eta apart (line: batch size {batch_size})")
    return figure


def density_toy_plot(toy: DensityToy) -> Figure:
    """Codes before and after training, and areas under the ROC curve of both bandwidths by sample size."""
    figure = Figure(figsize=(13, 3.9), layout="constrained")
    before, after, areas = _row(figure, 3)
    labels, codes = toy.labels.numpy(), toy.codes.numpy()
    for axes, points, death, words in zip(
        (before, after), codes, toy.mean_death, ("before", "after"), strict=True
    ):
        for label in range(3):
            chosen = points[labels == label]
            heights = chosen[:, 1] if chosen.shape[1] > 1 else np.full(len(chosen), float(label))
            axes.scatter(chosen[:, 0], heights, s=4, color=_COLOURS[label], label=f"class {label}")
        axes.set_title(f"codes {words} training, mean tree edge {death:.2f}", fontsize=10)
        axes.set_aspect("equal" if points.shape[1] > 1 else "auto", adjustable="datalim")
    before.legend(fontsize=8, frameon=False)
    for r, rule in enumerate(("Scott's rule", f"fixed, eta = {toy.settings['eta']:g}")):
        for stage, style in enumerate(("--", "-")):
            values = toy.areas[stage, r]  # (sizes, repeats)
            areas.errorbar(
                toy.sizes,
                values.mean(axis=1),
                values.std(axis=1),
                color=_COLOURS[r],
                ls=style,
                marker="o",
                ms=4,
                capsize=2,
                label=f"{rule}, {('before', 'after')[stage]}",
            )
    areas.set_xscale("log")
    areas.set_xticks(toy.sizes, list(map(str, toy.sizes)), minor=False)
    areas.minorticks_off()
    areas.set_xlabel("samples of a class behind its density")
    areas.set_ylabel("area, class against others")
    areas.legend(fontsize=8, frameon=False)
    return figure


def _row(figure: Figure, count: int) -> list[Axes]:
    """Axes side by side, without a frame on the right and at the top."""
    row: list[Axes] = list(figure.subplots(1, count, squeeze=False)[0])
    for axes in row:
        axes.spines[["top", "right"]].set_visible(False)
    return row
