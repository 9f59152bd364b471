"""Contact sheets: pictures in rows and columns with labels, for any number of either."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from PIL import Image, ImageDraw, ImageFont

from gan_topdis.report.picture import fitted, require_pixels, to_picture
from gan_topdis.report.printable import drawable

_PAPER, _INK, _GREY, _FAINT, _ACCENT = "#ffffff", "#16181d", "#6a7180", "#eef0f4", "#2f6fde"
_MARGIN = 32
_GAP = 4
_TITLE, _NAME, _DETAIL = 26, 18, 14  # font sizes, pixels
_LONGEST = 400
"""Pixels that a row label may be wide; longer text is cut off."""
_LONGEST_HEADING = 1600
"""Pixels up to which a heading widens the sheet."""


@dataclass(frozen=True)
class RowLabel:
    """Attributes: name of a row, and lines of detail under it."""

    name: str
    details: tuple[str, ...] = ()


def contact_sheet(
    pixels: np.ndarray,
    rows: Sequence[RowLabel],
    columns: Sequence[str],
    *,
    title: str = "",
    subtitle: str = "",
    marked_column: int | None = None,
    smallest: int = 112,
    largest: int = 256,
) -> Image.Image:
    """Pictures in labelled rows and columns.

    Args:
        pixels: uint8 (rows, columns, H, W, C), see `to_pixels`.
        rows, columns: labels.
        title, subtitle: one line each above the sheet; none when empty.
        marked_column: the column of the unedited pictures; its label and a bar above it stand out.
        smallest, largest: the longer side of a cell, pixels: small pictures are enlarged by a whole
            factor, large ones averaged down.

    Raises:
        ValueError: `pixels` is of another kind, or the numbers of labels and pictures differ.
    """
    require_pixels(pixels, "rows", "columns")
    if pixels.shape[:2] != (len(rows), len(columns)):
        raise ValueError(
            f"there should be labels of {pixels.shape[0]} rows and {pixels.shape[1]} columns, "
            f"got {len(rows)} and {len(columns)}"
        )
    cells = [[fitted(to_picture(cell), smallest, largest) for cell in row] for row in pixels]
    width, height = cells[0][0].size
    name_font, detail_font, title_font = (ImageFont.load_default(size) for size in (_NAME, _DETAIL, _TITLE))

    names = [_shortened(row.name, name_font) for row in rows]
    details = [[_shortened(line, detail_font) for line in row.details] for row in rows]
    label_width = max(
        [name_font.getlength(name) for name in names]
        + [detail_font.getlength(line) for lines in details for line in lines]
    )
    text_height = max(_line(_NAME) + len(lines) * _line(_DETAIL) for lines in details)
    row_height = max(height, int(text_height))
    left = _MARGIN + int(label_width) + 20
    heading = [
        (text, font, fill, size)
        for text, font, fill, size in (
            (title, title_font, _INK, _TITLE),
            (subtitle, detail_font, _GREY, _DETAIL),
        )
        if text
    ]
    # column labels shrink to their columns where cells are narrow
    column_size = _DETAIL
    while column_size > 8 and any(
        ImageFont.load_default(column_size).getlength(drawable(text)) > width for text in columns
    ):
        column_size -= 1
    column_font = ImageFont.load_default(column_size)
    top = _MARGIN + sum(_line(size) for *_, size in heading) + (14 if heading else 0) + _line(_DETAIL) + 8

    heading_width = max((font.getlength(drawable(text)) for text, font, *_ in heading), default=0.0)
    sheet_width = max(
        left + len(columns) * (width + _GAP) - _GAP + _MARGIN,
        2 * _MARGIN + min(_LONGEST_HEADING, round(heading_width) + 1),
    )
    sheet_height = top + len(rows) * (row_height + _GAP) - _GAP + _MARGIN
    sheet = Image.new("RGB", (sheet_width, sheet_height), _PAPER)
    draw = ImageDraw.Draw(sheet)

    y = _MARGIN
    for text, font, fill, size in heading:
        draw.text((_MARGIN, y), _shortened(text, font, sheet_width - 2 * _MARGIN), font=font, fill=fill)
        y += _line(size)
    for index, text in enumerate(columns):
        x = left + index * (width + _GAP)
        marked = index == marked_column
        draw.text(
            (x + width / 2, top - 10),
            drawable(text),
            font=column_font,
            fill=_ACCENT if marked else _GREY,
            anchor="ms",
        )
        if marked:
            draw.rectangle((x, top - 5, x + width - 1, top - 3), fill=_ACCENT)
    for number, (name, lines, pictures) in enumerate(zip(names, details, cells, strict=True)):
        y = top + number * (row_height + _GAP)
        block = _line(_NAME) + len(lines) * _line(_DETAIL)
        text_y = y + (row_height - block) / 2
        draw.text((_MARGIN, text_y), name, font=name_font, fill=_INK)
        for index, line in enumerate(lines):
            draw.text(
                (_MARGIN, text_y + _line(_NAME) + index * _line(_DETAIL)), line, font=detail_font, fill=_GREY
            )
        for index, picture in enumerate(pictures):
            place = (left + index * (width + _GAP), y + (row_height - height) // 2)
            if picture.mode == "RGBA":
                draw.rectangle((*place, place[0] + width - 1, place[1] + height - 1), fill=_FAINT)
                sheet.paste(picture, place, mask=picture)
            else:
                sheet.paste(picture, place)
    return sheet


def _line(size: int) -> int:
    """Height of a line of text, pixels."""
    return round(size * 1.35)


def _shortened(text: str, font: Any, limit: float = _LONGEST) -> str:
    """The text as the font can draw it, its end cut off where it is wider than `limit` pixels."""
    text = drawable(text)
    if font.getlength(text) <= limit:
        return text
    while text and font.getlength(text + "…") > limit:
        text = text[:-1]
    return text + "…"
