"""What a shape matching leaves: the way of the cloud, its curve, and the settings."""

from __future__ import annotations

import csv
import io
import json
import os
import zipfile
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np

from gan_topdis.shapes.diagram_curve import COLUMNS, DiagramCurve
from gan_topdis.training.whole_file import whole_file

FORMAT = "gan_topdis.shapes 1"


@dataclass(frozen=True)
class ShapeMatch:
    """Attributes:
    reference: float32 (n, d), the cloud that was to be matched.
    steps: (k,) numbers of steps done when a cloud was kept; the first is 0.
    clouds: float32 (k, m, d), the moving cloud at these steps.
    curve: distances of diagrams at the same steps; None where none was asked for.
    settings: what produced it, plain values.
    """

    reference: np.ndarray
    steps: np.ndarray
    clouds: np.ndarray
    curve: DiagramCurve | None
    settings: Mapping[str, Any]

    def save(self, path: str | os.PathLike[str]) -> None:
        """Write one `.npz` without pickle.

        Raises:
            OSError: it cannot be written; an earlier file is as it was.
        """
        content: dict[str, Any] = {
            "format": np.array(FORMAT),
            "reference": self.reference,
            "steps": self.steps,
            "clouds": self.clouds,
            "settings": np.array(json.dumps(dict(self.settings))),
        }
        if self.curve is not None:
            content |= {"curve": self.curve.values, "curve_columns": np.array(COLUMNS)}
        with whole_file(path) as file:
            np.savez_compressed(file, **content)

    @staticmethod
    def load(path: str | os.PathLike[str]) -> ShapeMatch:
        """What `save` wrote. Nothing in the file is executed.

        Raises:
            ValueError: another file, or a damaged one.
            OSError: it cannot be read.
        """
        try:
            with np.load(path, allow_pickle=False) as file:
                content = dict(file)
            if str(content["format"]) != FORMAT:
                raise KeyError("format")
            steps = content["steps"]
            curve = DiagramCurve(steps, content["curve"]) if "curve" in content else None
            settings = json.loads(str(content["settings"]))
            return ShapeMatch(content["reference"], steps, content["clouds"], curve, settings)
        except (ValueError, KeyError, TypeError, EOFError, zipfile.BadZipFile):
            raise ValueError(f"{path} should be a file of match-shapes, shapes.npz") from None

    def curve_csv(self) -> str:
        """The curve as CSV text: step, then `COLUMNS`; the heading alone where there is no curve."""
        text = io.StringIO()
        writer = csv.writer(text, lineterminator="\n")
        writer.writerow(("step", *COLUMNS))
        if self.curve is not None:
            for step, row in zip(self.curve.steps, self.curve.values, strict=True):
                writer.writerow((int(step), *(f"{value:.6g}" for value in row)))
        return text.getvalue()
