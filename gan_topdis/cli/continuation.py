"""How to go on with an interrupted run."""

from __future__ import annotations

import shlex
from collections.abc import Sequence


def continuation(arguments: Sequence[str]) -> str:
    """The command as it was typed, to be typed again with `--resume`."""
    kept = [argument for argument in arguments if argument not in ("--overwrite", "--resume")]
    return shlex.join(["gan-topdis", *kept, "--resume"])
