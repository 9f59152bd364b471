"""A discovery as one self-contained page: pictures, scores, and what they say, in `report.html`."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

import numpy as np

from gan_topdis.report.page import render_page
from gan_topdis.report.picture import require_pixels
from gan_topdis.report.printable import printable
from gan_topdis.report.strengths import strength_label
from gan_topdis.report.strip import data_uri, strip
from gan_topdis.report.summary import FOUND_COSINE, known_factor, summary
from gan_topdis.report.text_table import score_cells, score_columns

if TYPE_CHECKING:  # the report needs no torch
    from gan_topdis.directions import Directions

_EXPLAINED = {
    "distortion": "topological change of the picture cloud (RTD) per visible change; lower is better",
    "rtd": "topological change (RTD) between the pictures before and after; lower is better",
    "rtd_to_random": "score over the typical score of random directions; below 1 beats chance",
    "displacement": "visible change by the shift, as a share of the median distance between pictures",
    "consistency": "1: the same change in every picture; 0: unrelated changes",
    "found_at": "order of discovery",
}
"""What columns mean, shown below the table; columns without an entry are shown without."""


def render_report(
    directions: Directions,
    pixels: np.ndarray,
    *,
    seeds: Sequence[int],
    strengths: Sequence[float],
    settings: Mapping[str, Any],
) -> str:
    """The page as text; it refers to nothing outside itself.

    Args:
        directions: `meta` says which network, method and seed, see `directions.discover`.
        pixels: uint8 (count, seeds, strengths, H, W, C): pictures of every direction.
        seeds: of the pictures.
        strengths: of the pictures, standard deviations of the latent along the direction.
        settings: shown as they are at the end of the page.

    Raises:
        ValueError: `pixels` is of another kind, or its shape differs from the numbers of directions,
            seeds and strengths.
    """
    require_pixels(pixels, "directions", "seeds", "strengths")
    if pixels.shape[:3] != (len(directions), len(seeds), len(strengths)):
        raise ValueError(
            f"pixels should have {len(directions)} directions, {len(seeds)} seeds and {len(strengths)} "
            f"strengths, got {pixels.shape[:3]}"
        )
    generator = directions.meta.get("generator", {})
    columns = score_columns(directions)
    cards = []
    for index, name in enumerate(directions.names):
        factor = known_factor(directions, index)
        cards.append(
            {
                "index": index,
                "name": printable(name, 80),
                "numbered": str(index) in name.split(),  # `direction 3` needs no 3 before it
                "numbers": list(zip(columns, score_cells(directions, index), strict=True)),
                "factor": factor and printable(factor[0], 80),
                "cosine": factor and f"{factor[1]:+.2f}",
                "found": factor is not None and abs(factor[1]) >= FOUND_COSINE,
                "strips": [
                    (seed, data_uri(strip(row))) for seed, row in zip(seeds, pixels[index], strict=True)
                ],
            }
        )
    return render_page(
        "report.html",
        network=printable(str(generator.get("name", "unknown network")), 120),
        facts=_facts(directions, generator),
        sentences=summary(directions),
        cards=cards,
        columns=[(name, _EXPLAINED.get(name, "")) for name in columns],
        labels=[strength_label(strength) for strength in strengths],
        middle=next((i for i, strength in enumerate(strengths) if round(strength, 2) == 0), None),
        aspect=pixels.shape[4] / pixels.shape[3],
        small=max(pixels.shape[3:5]) < 128,
        settings=[(key, printable(str(value), 300)) for key, value in settings.items()],
        versions=directions.meta.get("versions", {}),
    )


def _facts(directions: Directions, generator: Mapping[str, Any]) -> list[tuple[str, str]]:
    """What stands at the head of the page; facts that are not recorded are left out."""
    height, width = generator.get("resolution", (0, 0))
    meta = directions.meta
    layers = "1 layer" if directions.num_ws == 1 else f"{directions.num_ws} layers"
    facts = [
        ("family", generator.get("family")),
        ("loaded", generator.get("load_mode")),
        ("pictures", f"{width} x {height}, {generator.get('channels')} channels" if height else None),
        ("latent space", f"{directions.space}, {directions.w_dim} dimensions, {layers}"),
        ("method", meta.get("method")),
        ("seed", meta.get("seed")),
        ("class", meta.get("class_index")),
        ("fingerprint", generator.get("fingerprint")),
    ]
    return [(name, printable(str(value))) for name, value in facts if value is not None]
