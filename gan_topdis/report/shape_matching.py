"""Pictures of shape matching: clouds over their reference, curves of diagram distances, animations."""

from __future__ import annotations

import math
import os
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
from PIL import Image, ImageDraw, ImageFont

from gan_topdis.report.printable import drawable

if TYPE_CHECKING:  # the report needs no torch
    from gan_topdis.shapes import ShapeMatch

_PAPER, _INK, _GREY, _FAINT = "#ffffff", "#16181d", "#6a7180", "#e4e7ed"
REFERENCE_COLOUR, MOVING_COLOUR, OTHER_COLOUR = "#aeb4c0", "#2f6fde", "#d9741a"
FRAMES = 90
"""Frames of an animation, at most."""
FRAME_MILLISECONDS = 60
_HOLD_MILLISECONDS = 1500
_MARGIN, _GAP, _PANEL = 28, 20, 260
_FINE = 2
"""Panels are drawn so many times larger and averaged down: smooth edges."""
_DOT = 1.8  # radius, pixels
_TITLE, _TEXT = 22, 14  # font sizes, pixels


@dataclass(frozen=True)
class Series:
    """One line of a chart. Attributes: its name in the legend, none when empty; x and y; its colour."""

    name: str
    x: np.ndarray
    y: np.ndarray
    colour: str = MOVING_COLOUR


def cloud_panel(
    reference: np.ndarray,
    moving: np.ndarray | None,
    *,
    reach: float,
    title: str = "",
    colour: str = MOVING_COLOUR,
    size: int = _PANEL,
) -> Image.Image:
    """Points over those of the reference, first two coordinates, in a square centred on the reference.

    Args:
        reference, moving: (n, d), (m, d); one-dimensional clouds lie on a line.
        reach: half the side of the square, in the unit of the points, see `reach_of`; points outside are
            not drawn.
    """
    fine = size * _FINE
    panel = Image.new("RGB", (fine, fine), _PAPER)
    pen = ImageDraw.Draw(panel)
    centre = _plane(reference).mean(axis=0)
    for points, ink in ((reference, REFERENCE_COLOUR), (moving, colour)):
        if points is None:
            continue
        places = (_plane(points) - centre) / reach * (1, -1) * fine / 2 + fine / 2  # y upwards
        radius = _DOT * _FINE
        for x, y in places[((places >= 0) & (places <= fine)).all(axis=1)]:
            pen.ellipse((x - radius, y - radius, x + radius, y + radius), fill=ink)
    pen.rectangle((0, 0, fine - 1, fine - 1), outline=_FAINT, width=_FINE)
    return _titled(panel.resize((size, size), Image.Resampling.BOX), title)


def reach_of(*clouds: np.ndarray) -> float:
    """Half the side of a square around the first cloud that holds 99 % of the points of every cloud."""
    centre = _plane(clouds[0]).mean(axis=0)
    reach = max(float(np.quantile(np.abs(_plane(cloud) - centre).max(axis=1), 0.99)) for cloud in clouds)
    return 1.1 * reach if reach > 0 else 1.0


def chart(
    series: Sequence[Series],
    *,
    title: str,
    x_title: str = "step",
    size: tuple[int, int] = (2 * _PANEL, _PANEL),
) -> Image.Image:
    """Lines over common axes that begin at 0; values that are not finite are left out.

    Raises:
        ValueError: there are no finite values.
    """
    values = np.concatenate([line.y[np.isfinite(line.y)] for line in series]) if series else np.zeros(0)
    if not len(values):
        raise ValueError("a chart should have finite values, got none")
    x_top = max(float(line.x.max()) for line in series) or 1.0
    x_step, _ = _axis(x_top)
    y_step, y_top = _axis(float(values.max()))
    width, height = (side * _FINE for side in size)
    left, bottom, top, right = 52 * _FINE, height - 40 * _FINE, 10 * _FINE, width - 14 * _FINE
    panel = Image.new("RGB", (width, height), _PAPER)
    pen, font = ImageDraw.Draw(panel), ImageFont.load_default(_TEXT * _FINE)

    def place(x: float, y: float) -> tuple[float, float]:
        return left + (right - left) * x / x_top, bottom - (bottom - top) * y / y_top

    for y in np.arange(0, y_top + y_step / 2, y_step):
        pen.line((*place(0, y), *place(x_top, y)), fill=_FAINT, width=_FINE)
        pen.text((left - 8 * _FINE, place(0, y)[1]), f"{y:.4g}", fill=_GREY, font=font, anchor="rm")
    for x in np.arange(0, x_top * 1.001, x_step):
        anchor = "ra" if x > 0.97 * x_top else "ma"
        pen.text((place(x, 0)[0], bottom + 5 * _FINE), f"{x:.6g}", fill=_GREY, font=font, anchor=anchor)
    pen.text((left, bottom + 21 * _FINE), x_title, fill=_GREY, font=font, anchor="la")
    for line in series:
        finite = np.isfinite(line.y)
        path = [place(x, y) for x, y in zip(line.x[finite], line.y[finite], strict=True)]
        if len(path) > 1:
            pen.line(path, fill=line.colour, width=round(1.5 * _FINE), joint="curve")
    named = [line for line in series if line.name]
    # where the right half of the chart is emptier: above the lines or below them
    late = np.concatenate([line.y[line.x > x_top / 2] for line in series])
    low = bool(len(late)) and float(np.nanmean(late)) > y_top / 2
    first = bottom - (10 + 18 * (len(named) - 1)) * _FINE if low else top + 10 * _FINE
    for row, line in enumerate(named):
        y = first + 18 * row * _FINE
        end = right - 8 * _FINE
        pen.text((end, y), drawable(line.name), fill=line.colour, font=font, anchor="rm")
    return _titled(panel.resize(size, Image.Resampling.BOX), title)


def rows_of_panels(rows: Sequence[Sequence[Image.Image]], *, title: str, subtitle: str = "") -> Image.Image:
    """Panels in rows under a title."""
    large, small = ImageFont.load_default(_TITLE), ImageFont.load_default(_TEXT)
    title, subtitle = drawable(title), drawable(subtitle)
    head = _MARGIN + _TITLE + 8 + (_TEXT + 10 if subtitle else 0) + 6
    inner = max(sum(panel.width + _GAP for panel in row) - _GAP for row in rows)
    inner = max(inner, int(large.getlength(title)), int(small.getlength(subtitle)))
    heights = [max(panel.height for panel in row) for row in rows]
    sheet = Image.new(
        "RGB", (inner + 2 * _MARGIN, head + sum(heights) + _GAP * (len(rows) - 1) + _MARGIN), _PAPER
    )
    pen = ImageDraw.Draw(sheet)
    pen.text((_MARGIN, _MARGIN - 6), title, fill=_INK, font=large)
    pen.text((_MARGIN, _MARGIN + _TITLE + 4), subtitle, fill=_GREY, font=small)
    y = head
    for row, height in zip(rows, heights, strict=True):
        x = _MARGIN
        for panel in row:
            sheet.paste(panel, (x, y))
            x += panel.width + _GAP
        y += height + _GAP
    return sheet


def matching_figure(result: ShapeMatch, *, title: str, moments: int = 4) -> Image.Image:
    """Clouds at a few moments, and under them both curves where there are any.

    Args:
        moments: clouds shown, from the start to the end, more of them early.
    """
    last = len(result.steps) - 1
    shown = sorted({round(last * (share / max(1, moments - 1)) ** 2) for share in range(moments)})
    reach = reach_of(result.reference, result.clouds[-1])
    rows = [
        [
            cloud_panel(result.reference, result.clouds[k], reach=reach, title=f"step {result.steps[k]}")
            for k in shown
        ]
    ]
    if result.curve is not None:
        width = max(sum(panel.width + _GAP for panel in rows[0]) - _GAP, 2 * _PANEL)
        rows.append(
            [
                chart(
                    [Series("", result.curve.steps, result.curve.column(name))],
                    title=text,
                    size=((width - _GAP) // 2, _PANEL),
                )
                for name, text in CURVE_TITLES.items()
            ]
        )
    subtitle = "grey: reference, blue: the cloud that moves"
    if result.reference.shape[1] > 2:
        subtitle += f"; first two of {result.reference.shape[1]} coordinates"
    return rows_of_panels(rows, title=title, subtitle=subtitle)


CURVE_TITLES = {
    "w2_euclidean_h1": "W of order 2, Euclidean, H1",
    "w1_maximum_h0_h1": "W of order 1, maximum norm, H0 + H1",
}
"""Columns of a curve that are drawn, and what is written above them."""


def save_matching_animation(path: str | os.PathLike[str], result: ShapeMatch, *, size: int = 320) -> None:
    """Write a looping GIF of the moving cloud over its reference; the last frame stays a while.

    Raises:
        OSError: the file cannot be written.
    """
    count = len(result.steps)
    shown = np.unique(np.linspace(0, count - 1, min(FRAMES, count)).round().astype(int))
    reach = reach_of(result.reference, result.clouds[-1])
    frames = [
        cloud_panel(
            result.reference, result.clouds[k], reach=reach, title=f"step {result.steps[k]}", size=size
        )
        for k in shown
    ]
    palette = frames[-1].quantize(32, method=Image.Quantize.MEDIANCUT)
    flat = [frame.quantize(palette=palette, dither=Image.Dither.NONE) for frame in frames]
    durations = [FRAME_MILLISECONDS] * (len(flat) - 1) + [_HOLD_MILLISECONDS]
    flat[0].save(Path(path), format="GIF", save_all=True, append_images=flat[1:], duration=durations, loop=0)


def _plane(points: np.ndarray) -> np.ndarray:
    """(n, 2): the first two coordinates, 0 where there is no second one."""
    if points.shape[1] == 1:
        return np.hstack([points, np.zeros_like(points)])
    return points[:, :2]


def _axis(largest: float) -> tuple[float, float]:
    """Distance of ticks, a round number, and the end of an axis that begins at 0."""
    if not largest > 0:
        return 1.0, 1.0
    rough = largest / 4
    power = 10.0 ** math.floor(math.log10(rough))
    step = next(factor * power for factor in (1, 2, 5, 10) if factor * power >= rough * (1 - 1e-9))
    return step, step * math.ceil(largest / step * (1 - 1e-9))


def _titled(panel: Image.Image, title: str) -> Image.Image:
    if not title:
        return panel
    font = ImageFont.load_default(_TEXT)
    high = _TEXT + 8
    whole = Image.new("RGB", (panel.width, panel.height + high), _PAPER)
    ImageDraw.Draw(whole).text((0, 0), drawable(title), fill=_INK, font=font)
    whole.paste(panel, (0, high))
    return whole
