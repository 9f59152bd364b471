"""Contact sheets, strips and animations, checked at single pixels."""

from __future__ import annotations

import base64
import io
import warnings

import few_directions
import numpy as np
import pytest
from PIL import Image

from gan_topdis.report import (
    RowLabel,
    contact_sheet,
    direction_label,
    direction_sheet,
    printable,
    save_animation,
    strength_label,
    strip,
)
from gan_topdis.report.animation import swing
from gan_topdis.report.printable import drawable
from gan_topdis.report.strip import data_uri

WHITE = (255, 255, 255)


def coloured(rows: int, columns: int, side: int = 40, channels: int = 3) -> np.ndarray:
    """Flat pictures; the first channel counts rows, the second columns."""
    pixels = np.full((rows, columns, side, side, channels), 60, dtype=np.uint8)
    for row in range(rows):
        for column in range(columns):
            pixels[row, column, ..., 0] = 10 + row
            if channels > 1:
                pixels[row, column, ..., 1] = 100 + column
    return pixels


def colours(sheet: Image.Image) -> set[tuple[int, ...]]:
    return {colour for _, colour in sheet.convert("RGB").getcolors(1 << 20)}


def cells(sheet: Image.Image) -> dict[tuple[int, int], tuple[int, int, int, int]]:
    """(row, column) of `coloured` to the box of its pixels."""
    found = {}
    image = np.asarray(sheet)
    for row, column in {(r - 10, g - 100) for r, g, b in colours(sheet) if b == 60 and g >= 100}:
        y, x = np.nonzero((image == (10 + row, 100 + column, 60)).all(axis=-1))
        found[row, column] = (int(x.min()), int(y.min()), int(x.max()) + 1, int(y.max()) + 1)
    return found


def test_every_picture_is_whole_and_in_its_row_and_column():
    sheet = contact_sheet(
        coloured(2, 3), [RowLabel("a"), RowLabel("b")], ["-1", "0", "+1"], smallest=80, largest=256
    )
    boxes = cells(sheet)
    assert set(boxes) == {(r, c) for r in range(2) for c in range(3)}
    assert {(x1 - x0, y1 - y0) for x0, y0, x1, y1 in boxes.values()} == {(80, 80)}
    assert all(boxes[0, c][0] == boxes[1, c][0] for c in range(3))
    assert all(boxes[r, 0][1] == boxes[r, 2][1] for r in range(2))
    assert boxes[0, 0][0] < boxes[0, 1][0] < boxes[0, 2][0] and boxes[0, 0][1] < boxes[1, 0][1]


def test_labels_are_drawn_left_of_rows_and_above_columns():
    with_labels = contact_sheet(coloured(1, 1), [RowLabel("name", ("detail",))], ["+1 sd"])
    x0, y0, *_ = cells(with_labels)[0, 0]
    image = np.asarray(with_labels)
    assert (image[y0:, :x0] != 255).any() and (image[:y0, x0:] != 255).any()
    without = contact_sheet(coloured(1, 1), [RowLabel("")], [""])
    assert colours(without) == {WHITE, (10, 100, 60)}


def test_only_the_marked_column_has_a_bar():
    labels = [RowLabel("")]
    sheet = contact_sheet(coloured(1, 3), labels, ["", "", ""], marked_column=1)
    boxes = cells(sheet)
    above = np.asarray(sheet)[boxes[0, 0][1] - 4]
    marked = np.nonzero((above != 255).any(axis=-1))[0]
    assert (marked.min(), marked.max() + 1) == (boxes[0, 1][0], boxes[0, 1][2])


def test_grey_and_transparent_pictures():
    grey = contact_sheet(coloured(1, 1, channels=1), [RowLabel("")], [""])
    assert (10, 10, 10) in colours(grey)
    clear = coloured(1, 1, channels=4)
    clear[..., 3] = 0
    assert (10, 100, 60) not in colours(contact_sheet(clear, [RowLabel("")], [""]))


def test_a_long_name_does_not_push_the_pictures_away():
    sheet = contact_sheet(coloured(1, 1), [RowLabel("long " * 100)], ["0"], title="t " * 2000)
    assert cells(sheet)[0, 0][0] < 500 and sheet.width < 1700


def test_letters_that_the_font_lacks():
    assert drawable("café, 3σ, 中\n\x1b[31m") == "cafe, 3?, ?\\n\\x1b[31m"
    assert printable("a" * 10, 5) == "aaaa…"


@pytest.mark.parametrize(
    ("pixels", "message"),
    [
        (coloured(2, 3), "there should be labels of 2 rows and 3 columns, got 1 and 1"),
        (coloured(1, 1)[0], "pixels should be uint8 of shape (rows, columns, H, W, C), got uint8"),
        (
            coloured(1, 1).astype(float),
            "pixels should be uint8 of shape (rows, columns, H, W, C), got float64",
        ),
        (coloured(1, 1)[:0], "pixels should be uint8 of shape (rows, columns, H, W, C), got uint8"),
    ],
)
def test_pictures_of_another_kind_are_refused(pixels, message):
    with pytest.raises(ValueError) as error:
        contact_sheet(pixels, [RowLabel("")], [""])
    assert str(error.value).startswith(message)


def test_strength_labels():
    assert [strength_label(s) for s in (-3.0, -0.833, 0.0, -1e-9, 1.5, 12.0)] == [
        "-3 sd",
        "-0.83 sd",
        "0",
        "0",
        "+1.5 sd",
        "+12 sd",
    ]


def test_labels_of_directions():
    found = few_directions.directions(**few_directions.TRUTH)
    assert direction_label(found, 0) == RowLabel(
        "0  smile", ("rtd 0.25", "0.25 of random", "hue (cos -0.99)")
    )
    assert direction_label(found, 1).name == "direction 1"  # it has its number already


def test_the_sheet_of_directions_has_a_row_each():
    sheet = direction_sheet(few_directions.directions(), coloured(2, 3), seed=4, strengths=[-1.0, 0.0, 1.0])
    assert set(cells(sheet)) == {(r, c) for r in range(2) for c in range(3)}


def test_a_strip_is_its_pictures_side_by_side():
    pixels = np.random.default_rng(0).integers(0, 256, (3, 4, 5, 3), dtype=np.uint8)
    assert np.array_equal(np.asarray(strip(pixels)), np.concatenate(list(pixels), axis=1))


def test_a_strip_of_grey_pictures_is_grey():
    assert strip(np.zeros((2, 4, 4, 1), dtype=np.uint8)).mode == "L"


def decoded(uri: str, kind: str) -> Image.Image:
    head, _, content = uri.partition(",")
    assert head == f"data:image/{kind};base64"
    return Image.open(io.BytesIO(base64.b64decode(content)))


def test_small_pictures_are_embedded_without_loss():
    pixels = np.random.default_rng(0).integers(0, 256, (64, 64, 3), dtype=np.uint8)
    assert np.array_equal(np.asarray(decoded(data_uri(Image.fromarray(pixels)), "png")), pixels)


def test_large_pictures_are_embedded_as_the_smaller_file():
    noise = np.random.default_rng(0).integers(0, 256, (256, 256, 3), dtype=np.uint8)
    assert decoded(data_uri(Image.fromarray(noise)), "jpeg").size == (256, 256)
    assert decoded(data_uri(Image.new("RGB", (256, 256))), "png").size == (256, 256)


@pytest.mark.parametrize(("strengths", "order"), [(3, [1, 2, 1, 0]), (5, [2, 3, 4, 3, 2, 1, 0, 1])])
def test_a_swing_passes_every_strength_and_closes(strengths, order):
    assert swing(strengths) == order
    steps = np.abs(np.diff([*order, order[0]]))
    assert steps.tolist() == [1] * len(order)


def test_an_animation_starts_unedited_and_loops(tmp_path):
    pixels = np.zeros((2, 3, 8, 8, 3), dtype=np.uint8)
    for moment, level in enumerate((0, 120, 240)):
        pixels[:, moment] = level
    save_animation(tmp_path / "a.gif", pixels, smallest=16, largest=64)
    with warnings.catch_warnings(), Image.open(tmp_path / "a.gif") as animation:
        assert animation.size == (32, 16) and animation.n_frames == 4 and animation.info["loop"] == 0
        levels = []
        for frame in range(animation.n_frames):
            animation.seek(frame)
            levels.append(animation.convert("L").getpixel((3, 3)))
    assert levels == pytest.approx([120, 240, 120, 0], abs=4)  # 256 colours for all frames


def test_an_animation_needs_a_middle(tmp_path):
    with pytest.raises(ValueError, match="there should be an odd number of strengths, got 2"):
        save_animation(tmp_path / "a.gif", np.zeros((1, 2, 8, 8, 3), dtype=np.uint8))
