"""Seeds in the grammar of StyleGAN3."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gan_topdis.config import format_seeds, parse_seeds


@pytest.mark.parametrize(
    ("text", "seeds"),
    [
        ("0", (0,)),
        ("0,1,4-6", (0, 1, 4, 5, 6)),
        ("4-6,0", (4, 5, 6, 0)),
        (" 7 , 2-2 ", (7, 2)),
        ("1,1", (1, 1)),
        ("4294967295", (4294967295,)),
    ],
)
def test_numbers_and_inclusive_ranges_in_the_order_given(text, seeds):
    assert parse_seeds(text) == seeds


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("6-4", "a range of seeds should ascend, got 6-4; did you mean 4-6?"),
        ("", "seeds should be numbers and ranges such as 0,1,4-6, got ''"),
        ("0,,1", "seeds should be numbers and ranges such as 0,1,4-6, got ''"),
        ("r10", "seeds should be numbers and ranges such as 0,1,4-6, got 'r10'"),
        ("-1", "seeds should be numbers and ranges such as 0,1,4-6, got '-1'"),
        ("1.5", "seeds should be numbers and ranges such as 0,1,4-6, got '1.5'"),
        ("1-2-3", "seeds should be numbers and ranges such as 0,1,4-6, got '1-2-3'"),
        ("٣", "seeds should be numbers and ranges such as 0,1,4-6, got '٣'"),
        ("4294967296", "a seed should be at most 4294967295, got 4294967296"),
        ("0-4294967295", "there should be at most 10000 seeds, got more in '0-4294967295'"),
    ],
)
def test_anything_else_is_refused(text, message):
    with pytest.raises(ValueError) as error:
        parse_seeds(text)
    assert str(error.value) == message


@given(st.lists(st.integers(0, 2**32 - 1), min_size=1, max_size=20))
def test_formatting_is_undone_by_parsing(seeds):
    assert parse_seeds(format_seeds(seeds)) == tuple(seeds)


def test_runs_are_written_as_ranges():
    assert format_seeds([0, 1, 2, 7, 9, 10, 9]) == "0-2,7,9-10,9"
