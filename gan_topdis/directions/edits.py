"""Named edits, `smile=1.5`, and latents moved by them."""

from __future__ import annotations

import difflib
import math
from collections.abc import Sequence
from dataclasses import dataclass

from jaxtyping import Float
from torch import Tensor

from gan_topdis.directions.result import Directions
from gan_topdis.directions.traversal import shifted_latents


@dataclass(frozen=True)
class Edit:
    """Attributes: which direction, and how far, in standard deviations of the latent along it."""

    index: int
    strength: float


def resolve_edit(text: str, names: Sequence[str]) -> Edit:
    """The edit that `NAME_OR_INDEX=SIGMA` asks for.

    Args:
        text: what follows the last `=` is the strength. A name goes before an index, so that a direction
            named `3` can be reached.
        names: of the directions.

    Raises:
        ValueError: the text is of another form, or there is no such direction, or more than one.
    """
    name, equals, amount = text.rpartition("=")
    name = name.strip()
    try:
        strength = float(amount)
    except ValueError:
        strength = math.nan
    if not equals or not name or not math.isfinite(strength):
        raise ValueError(f"edit should be NAME_OR_INDEX=SIGMA such as smile=1.5 or 3=-2, got {text!r}")
    places = [index for index, known in enumerate(names) if known == name]
    if len(places) > 1:
        listed = " and ".join(str(place) for place in places)
        raise ValueError(
            f"directions {listed} are both named {name!r}; give the index, such as {places[0]}={amount}"
        )
    if places:
        return Edit(places[0], strength)
    if name.isascii() and name.isdecimal():
        if int(name) >= len(names):
            raise ValueError(f"edit should be of a direction 0 .. {len(names) - 1}, got {text!r}")
        return Edit(int(name), strength)
    nearest = difflib.get_close_matches(name, names, n=1, cutoff=0.5)
    remedy = f"did you mean {nearest[0]!r}?" if nearest else f"known: {', '.join(map(repr, names))}"
    raise ValueError(f"there is no direction {name!r}; {remedy}")


def edited_latents(
    ws: Float[Tensor, "n num_ws w_dim"],
    directions: Directions,
    edits: Sequence[Edit],
    *,
    truncation_psi: float = 1.0,
    truncation_cutoff: int | None = None,
) -> Float[Tensor, "n num_ws w_dim"]:
    """ws moved along several directions, one after the other; strengths 0 return equal latents.

    Args:
        ws: latents, after truncation.
        truncation_psi, truncation_cutoff: what ws were truncated with, if the edits are to act as if
            made before it: layers below the cutoff then move psi times as far. 1 edits after truncation.
    """
    moved = ws
    for edit in edits:
        moved = shifted_latents(moved, directions, edit.index, edit.strength)
    if truncation_psi == 1.0:
        return moved
    cutoff = ws.shape[1] if truncation_cutoff is None else truncation_cutoff
    before = ws.clone()
    before[:, :cutoff] += truncation_psi * (moved[:, :cutoff] - ws[:, :cutoff])
    before[:, cutoff:] = moved[:, cutoff:]
    return before
