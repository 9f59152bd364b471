"""The page, its summary, and the plain table."""

from __future__ import annotations

import base64
import io
import re
import subprocess
import sys
from html.parser import HTMLParser

import few_directions
import numpy as np
import pytest
from PIL import Image

import gan_topdis.report
from gan_topdis.report import render_report, summary, text_table

HOSTILE = "<script>alert(1)</script><img src=x onerror='alert(2)'>"


def pixels(count: int = 2) -> np.ndarray:
    """(count, 1 seed, 3 strengths, 4, 6, RGB), direction and strength as colour."""
    values = np.zeros((count, 1, 3, 4, 6, 3), dtype=np.uint8)
    values[..., 0] = 10 * np.arange(count)[:, None, None, None, None]
    values[..., 1] = 10 * np.arange(3)[None, None, :, None, None]
    return values


def page(**meta) -> str:
    return render_report(
        few_directions.directions(**meta),
        pixels(),
        seeds=[5],
        strengths=[-3.0, 0.0, 3.0],
        settings={"network": meta.get("generator", {}).get("name", "tiny")},
    )


class Elements(HTMLParser):
    """Names, attributes and text of a page."""

    def __init__(self, text: str) -> None:
        super().__init__()
        self.found: list[tuple[str, dict[str, str | None]]] = []
        self.text = ""
        self.feed(text)

    def handle_starttag(self, tag, attrs):
        self.found.append((tag, dict(attrs)))

    def handle_data(self, data):
        self.text += data + " "


def test_the_strips_are_those_of_the_directions_in_order():
    sources = [attrs["src"] for tag, attrs in Elements(page()).found if tag == "img"]
    assert len(sources) == 2
    for index, source in enumerate(sources):
        picture = Image.open(io.BytesIO(base64.b64decode(source.partition(",")[2])))
        assert np.array_equal(np.asarray(picture), np.concatenate(list(pixels()[index, 0]), axis=1))


def test_the_page_refers_to_nothing_outside():
    elements = Elements(page())
    links = [
        value
        for _, attrs in elements.found
        for name, value in attrs.items()
        if name in ("src", "href", "data", "action", "srcset")
    ]
    assert links and all(link.startswith("data:image/") for link in links)
    assert not re.search(r"url\(|@import|https?:", page())
    assert "script" not in [tag for tag, _ in elements.found]


def test_numbers_factors_and_settings_are_shown():
    text = " ".join(Elements(page(**few_directions.TRUTH)).text.split())
    assert "smile hue, cosine -0.99 rtd 0.25 rtd to random 0.25 found at 1" in text
    assert "direction 1 size, cosine +0.50 rtd 1.05 rtd to random n/a found at 0" in text
    assert "-3 sd 0 +3 sd" in text and "seed 5" in text
    assert "method topdis seed 7" in text


def test_only_factors_that_were_found_are_marked():
    classes = [attrs.get("class") for _, attrs in Elements(page(**few_directions.TRUTH)).found]
    assert classes.count("factor found") == 1 and classes.count("factor") == 1


@pytest.mark.parametrize("place", ["network", "factor"])
def test_hostile_names_stay_text(place):
    if place == "network":
        text = page(generator={"name": HOSTILE})
    else:
        text = page(known_factors=[{"factor": HOSTILE, "cosine": 1.0}] * 2)
    elements = Elements(text)
    assert "script" not in [tag for tag, _ in elements.found]
    assert not any("onerror" in attrs for _, attrs in elements.found)
    assert HOSTILE in elements.text


def test_control_characters_are_spelled_out():
    assert "\\x1b[31m" in page(generator={"name": "\x1b[31m"})


def test_numbers_of_pictures_have_to_fit():
    with pytest.raises(ValueError, match="pixels should have 2 directions, 1 seeds and 3 strengths"):
        render_report(
            few_directions.directions(), pixels(3), seeds=[5], strengths=[-3.0, 0.0, 3.0], settings={}
        )


def test_summary_compares_with_random_directions_and_the_truth():
    sentences = summary(few_directions.directions(**few_directions.BASELINE, **few_directions.TRUTH))
    assert sentences == [
        "Beside 16 random directions (rtd 1 ± 0.1), of the 2 directions found 1 score better (lower) and "
        "1 about the same: 0.25 to 1.05.",
        "Of 2 known factors, 1 found: hue (0.99); not found: size (0.50). In brackets the largest |cosine| "
        "with the true axis, 0.74 on average; from 0.9 on a factor counts as found.",
    ]


def test_summary_says_when_directions_are_no_better():
    baseline = {"random_baseline": {"mean": 0.1, "std": 0.01, "count": 16}}
    (sentence,) = summary(few_directions.directions(**baseline))
    assert "of the 2 directions found 2 worse (higher)" in sentence


def test_summary_says_that_a_search_was_interrupted():
    interrupted, truth = summary(few_directions.directions(complete=False, **few_directions.TRUTH))
    assert interrupted == (
        "The search was interrupted after 2 directions; gan-topdis discover --resume continues it."
    )
    assert "; not found yet: size (0.50). " in truth


def test_summary_without_anything_to_compare_is_empty():
    assert summary(few_directions.directions()) == []


def test_the_table():
    assert text_table(few_directions.directions(**few_directions.TRUTH)).splitlines() == [
        "#  name          rtd  rtd to random  found at  nearest factor (cosine)",
        "0  smile        0.25           0.25         1  hue (-0.99)",
        "1  direction 1  1.05            n/a         0  size (+0.50)",
    ]
    assert text_table(few_directions.directions()).splitlines()[0] == (
        "#  name          rtd  rtd to random  found at"
    )


def test_reports_need_no_torch():
    code = "import sys, gan_topdis.report; print(sorted({'torch', 'numba'} & set(sys.modules)))"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "[]"


def test_public_names_exist():
    assert all(hasattr(gan_topdis.report, name) for name in gan_topdis.report.__all__)
