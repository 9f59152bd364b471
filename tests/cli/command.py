"""Running the command in this process, on a generator small enough for a test."""

from __future__ import annotations

import re
from pathlib import Path

import numpy as np
import torch
from click.testing import CliRunner, Result
from torch import Tensor

from gan_topdis.cli import main
from gan_topdis.generators import Generator, KnownFactors, from_callable

TINY_SEARCH = (
    *("--count", "3", "--points", "8", "--search-steps", "3", "--restarts", "2"),
    *("--second-steps", "2"),
    *("--evaluation-points", "16", "--feature-size", "8", "--seeds", "0,2", "--steps", "3"),
)
"""Settings of `discover` that take a second."""


def run(*arguments: object) -> Result:
    """`gan-topdis` with these arguments; an unexpected error is raised, as a traceback would be shown."""
    return CliRunner().invoke(main, [str(argument) for argument in arguments], catch_exceptions=False)


def tiny_generator(channels: int = 3) -> Generator:
    """Pictures of 8 pixels in which latent 0 tints, 1 tilts and 2 ramps; known factors."""
    x = torch.linspace(-1, 1, 8)

    def synthesize(z: Tensor) -> Tensor:
        tint, tilt, ramp = (torch.tanh(z[:, i])[:, None, None] for i in range(3))
        plane = 0.5 * tint + 0.3 * tilt * x[None, None, :] + 0.2 * ramp * x[None, :, None]
        return torch.stack([plane * weight for weight in (1.0, 0.8, 0.6, 0.9)[:channels]], dim=1)

    known = KnownFactors(("tint", "tilt", "ramp"), np.eye(3, 4))
    return from_callable(synthesize, 4, name="tiny", known_factors=known)


def use_generator(monkeypatch, generator: Generator) -> None:
    """Let `--network` be this generator, whatever its value."""
    monkeypatch.setattr("gan_topdis.cli.network.load_generator", lambda *_, **__: generator)


def error_line(result: Result, exit_code: int = 1) -> str:
    """The one line on stderr of a refused command."""
    assert result.exit_code == exit_code, result.output
    (line,) = result.stderr.strip().splitlines()
    return line


def usage_error(result: Result) -> str:
    """The last line on stderr of a command that was typed wrong."""
    assert result.exit_code == 2, result.output
    return re.sub(r"\s+", " ", result.stderr.split("Error: ")[-1]).strip()


def contents(folder: Path) -> set[str]:
    """Names of the files in a folder."""
    return {path.name for path in folder.iterdir()}
