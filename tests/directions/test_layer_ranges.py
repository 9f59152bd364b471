"""Layer ranges as text."""

from __future__ import annotations

import numpy as np
import pytest

from gan_topdis.directions.layers import describe_layers, resolve_layers
from gan_topdis.generators import LayerRow


def table(num_ws: int) -> list[LayerRow]:
    """StyleGAN2: two positions of ws per resolution, from 4 pixels."""
    return [LayerRow(i, 4 * 2 ** (i // 2), "conv", (f"layer{i}",)) for i in range(num_ws)]


@pytest.mark.parametrize(
    ("text", "positions"),
    [
        ("all", range(14)),
        ("coarse", range(4)),  # ws 0-3, 4-7 and 8 on, as in stylegan3-fun
        ("middle", range(4, 8)),
        ("fine", range(8, 14)),
        ("0-6,9", [0, 1, 2, 3, 4, 5, 6, 9]),
        ("13", [13]),
        ("4x4-32x32", range(8)),
        ("16x16", [4, 5]),
        ("coarse, 9", [0, 1, 2, 3, 9]),
        ("3,3-4", [3, 4]),
    ],
)
def test_chosen_positions(text, positions):
    assert np.flatnonzero(resolve_layers(text, table(14))).tolist() == list(positions)


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("6-4", "a range of layers should ascend, got '6-4'"),
        ("32x32-4x4", "a range of resolutions should ascend, got '32x32-4x4'"),
        ("8", "layers should be in 0 .. 7, got '8'; there are 0-1 4x4, 2-3 8x8, 4-5 16x16, 6-7 32x32"),
        ("fine", "layers 'fine' chooses none of this network's: 0-1 4x4, 2-3 8x8, 4-5 16x16, 6-7 32x32"),
        ("5x5", "layers '5x5' chooses none of this network's: 0-1 4x4, 2-3 8x8, 4-5 16x16, 6-7 32x32"),
        (
            "top",
            "layers should be all, coarse, middle, fine, positions such as 0-6,9 or resolutions such as "
            "4x4-32x32, got 'top'; there are 0-1 4x4, 2-3 8x8, 4-5 16x16, 6-7 32x32",
        ),
    ],
)
def test_refusals_show_the_layers(text, message):
    with pytest.raises(ValueError) as error:
        resolve_layers(text, table(8))
    assert str(error.value) == message


@pytest.mark.parametrize("text", ["", "1,", "-1"])
def test_empty_and_negative_tokens_are_refused(text):
    with pytest.raises(ValueError, match="layers should be all, coarse"):
        resolve_layers(text, table(8))


def test_a_network_of_one_layer_has_all_or_position_0():
    one = [LayerRow(0, 64, "all", ("render",))]
    assert resolve_layers("all", one).tolist() == resolve_layers("0", one).tolist() == [True]
    with pytest.raises(ValueError, match="this network has one layer, so layers should be all, got 'fine'"):
        resolve_layers("fine", one)


def test_the_last_layer_alone_is_described_by_its_own_number():
    assert describe_layers(table(3)) == "0-1 4x4, 2 8x8"
