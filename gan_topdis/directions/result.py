"""A set of latent directions and everything needed to use it again: `Directions`, one `.npz`."""

from __future__ import annotations

import json
import os
import tokenize
import zipfile
import zlib
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

if TYPE_CHECKING:  # the formats import this module
    from gan_topdis.generators import Generator

FORMAT_VERSION = 1
_UNIT_TOLERANCE = 1e-3
_REQUIRED = ("format_version", "directions", "scale", "layers", "names", "scores", "space", "meta")
_OPTIONAL = ("w_mean", "score_table", "score_names", "rtd")
SPACES = ("z", "w", "w+")
_DAMAGED = (
    *(ValueError, OSError, EOFError, KeyError, MemoryError),
    *(zipfile.BadZipFile, zlib.error, NotImplementedError, RuntimeError),  # an archive that is none
    *(SyntaxError, TypeError, tokenize.TokenError),  # a header that is no Python literal
)
"""What numpy and zipfile raise for damaged files."""


@dataclass(frozen=True)
class Directions:
    """Latent directions, best first, with the settings that produced them.

    Attributes:
        vectors: float32 (count, w_dim), unit rows; in space `w+` (count, num_ws, w_dim), unit Frobenius
            norm. Of discovered ones the component of largest magnitude is positive; imported ones keep
            the sign of their file.
        names: one per direction.
        scores: float64 (count,), the method's own score; see `score_name`, lower is better unless the
            method says otherwise.
        layers: bool (count, num_ws): the positions of ws that a direction moves.
        scale: float32 (count,) > 0: standard deviation of the latent along each direction, so that
            strength t means t * scale * vector.
        w_mean: float32 (w_dim,), mean of the latent over the samples behind `scale`; NaN where unknown.
        space: `w`, `z` or `w+`.
        score_name: what `scores` holds.
        table: further columns, name -> float64 (count,); NaN where a number does not apply.
        meta: provenance, plain JSON: fingerprint, family, sizes, seed, method, its options, baselines,
            versions.
        rtd: float64 (count, count), RTD between the effects of pairs, or None.
        extra: entries of the file that this version does not know, kept when it is written again.
    """

    vectors: np.ndarray
    names: tuple[str, ...]
    scores: np.ndarray
    layers: np.ndarray
    scale: np.ndarray
    w_mean: np.ndarray
    space: str
    score_name: str
    table: dict[str, np.ndarray] = field(default_factory=dict)
    meta: dict[str, Any] = field(default_factory=dict)
    rtd: np.ndarray | None = None
    extra: dict[str, np.ndarray] = field(default_factory=dict)

    def __post_init__(self) -> None:
        count = len(self.vectors)
        if self.space not in SPACES:
            raise ValueError(f"space should be one of {', '.join(SPACES)}, got {self.space!r}")
        axes = 3 if self.space == "w+" else 2
        if (
            self.vectors.ndim != axes
            or self.layers.ndim != 2
            or self.w_mean.shape != self.vectors.shape[-1:]
            or (axes == 3 and self.vectors.shape[1] != self.layers.shape[1])
        ):
            raise ValueError(
                f"directions in {self.space} should have vectors (count, {'num_ws, ' if axes == 3 else ''}"
                "w_dim), layers (count, num_ws) and w_mean (w_dim,), "
                f"got {self.vectors.shape}, {self.layers.shape} and {self.w_mean.shape}"
            )
        if self.rtd is not None and self.rtd.shape != (count, count):
            raise ValueError(f"rtd should have shape ({count}, {count}), got {self.rtd.shape}")
        known = [name for name in self.extra if name in (*_REQUIRED, *_OPTIONAL)]
        if known:
            raise ValueError(f"extra should hold other entries than those of the format, got {known}")
        lengths = {
            "names": len(self.names),
            "scores": len(self.scores),
            "layers": len(self.layers),
            "scale": len(self.scale),
            **{name: len(column) for name, column in self.table.items()},
        }
        for name, length in lengths.items():
            if length != count:
                raise ValueError(f"{name} should have one entry per direction ({count}), got {length}")
        if not np.isfinite(self.vectors).all() or not np.isfinite(self.scale).all():
            raise ValueError("vectors and scale should be finite")
        norms = np.linalg.norm(self.vectors.reshape(count, self.vectors[0].size if count else 0), axis=1)
        if count and np.abs(norms - 1).max() > _UNIT_TOLERANCE:
            raise ValueError(
                f"vectors should have unit rows, got norms {norms.min():.4g} to {norms.max():.4g}"
            )
        if (self.scale <= 0).any():
            raise ValueError("scale should be greater than 0")

    def __len__(self) -> int:
        return len(self.vectors)

    @property
    def w_dim(self) -> int:
        return int(self.vectors.shape[-1])

    @property
    def num_ws(self) -> int:
        return int(self.layers.shape[1])

    def save(self, path: str | os.PathLike[str]) -> None:
        """Write one `.npz` without pickled objects; an existing file is replaced only when complete."""
        target = Path(path)
        arrays: dict[str, Any] = {
            "format_version": np.asarray(FORMAT_VERSION),
            "directions": self.vectors.astype(np.float32),
            "scale": self.scale.astype(np.float32),
            "w_mean": self.w_mean.astype(np.float32),
            "layers": self.layers.astype(bool),
            "scores": self.scores.astype(np.float64),
            "score_table": np.stack([*self.table.values()], axis=1).astype(np.float64)
            if self.table
            else np.zeros((len(self), 0)),
            "score_names": np.asarray([*self.table], dtype=np.str_),
            "names": np.asarray(self.names, dtype=np.str_),
            "space": np.asarray(self.space),
            "meta": np.asarray(json.dumps({**self.meta, "score_name": self.score_name})),
            **({} if self.rtd is None else {"rtd": self.rtd.astype(np.float64)}),
            **self.extra,
        }
        unfinished = target.with_name(target.name + ".part")
        try:
            with open(unfinished, "wb") as file:
                np.savez(file, **arrays)
            os.replace(unfinished, target)
        finally:
            unfinished.unlink(missing_ok=True)

    @classmethod
    def load(cls, path: str | os.PathLike[str]) -> Directions:
        """Read what `save` wrote. Nothing in the file is executed.

        Raises:
            FileNotFoundError: there is no such file.
            ValueError: the file is no directions file, is damaged, or was written by a newer version.
        """
        target = Path(path)
        if not target.is_file():
            raise FileNotFoundError(f"no directions file at {target}; gan-topdis discover writes one")
        try:
            with open(target, "rb") as file:
                archive = np.load(file, allow_pickle=False)
                if not isinstance(archive, np.lib.npyio.NpzFile):
                    raise ValueError("it holds a single array")
                with archive:
                    arrays = {name: archive[name] for name in archive.files}
        except _DAMAGED as error:
            raise ValueError(
                f"{target} should be a directions .npz without objects inside: {error}"
            ) from error
        missing = [name for name in _REQUIRED if name not in arrays]
        if missing:
            raise ValueError(f"{target} should hold {', '.join(_REQUIRED)}; missing: {', '.join(missing)}")
        if arrays["format_version"].shape != () or arrays["format_version"].dtype.kind not in "iu":
            raise ValueError(f"{target} should hold one whole number as format_version")
        if int(arrays["format_version"]) > FORMAT_VERSION:
            raise ValueError(
                f"{target} has format version {int(arrays['format_version'])}, this program reads up to "
                f"{FORMAT_VERSION}; update gan_topdis"
            )
        try:
            meta = dict(json.loads(str(arrays["meta"])))
        except (ValueError, TypeError) as error:
            raise ValueError(
                f"{target} should hold its provenance in meta as a JSON object: {error}"
            ) from error
        score_names = [str(name) for name in arrays.get("score_names", ())]
        columns = arrays.get("score_table", np.zeros((len(arrays["directions"]), 0)))
        if columns.ndim != 2 or columns.shape[1] != len(score_names):
            raise ValueError(
                f"{target} should hold one column of score_table per name ({len(score_names)}), "
                f"got shape {columns.shape}"
            )
        return cls(
            vectors=arrays["directions"].astype(np.float32),
            names=tuple(str(name) for name in arrays["names"]),
            scores=arrays["scores"].astype(np.float64),
            layers=arrays["layers"].astype(bool),
            scale=arrays["scale"].astype(np.float32),
            w_mean=arrays.get("w_mean", np.zeros(arrays["directions"].shape[-1])).astype(np.float32),
            space=str(arrays["space"]),
            score_name=str(meta.pop("score_name", "score")),
            table={name: columns[:, i] for i, name in enumerate(score_names)},
            meta=meta,
            rtd=arrays["rtd"].astype(np.float64) if "rtd" in arrays else None,
            extra={name: array for name, array in arrays.items() if name not in (*_REQUIRED, *_OPTIONAL)},
        )

    def export(
        self,
        path: str | os.PathLike[str],
        format: str,
        *,
        generator: Generator | None = None,
        **options: Any,
    ) -> tuple[Path, ...]:
        """Write the directions as another program keeps them; `gan_topdis.directions.formats` lists how.

        Args:
            path: file, or folder for formats of one direction a file.
            format: `ganspace`, `sefa`, `factor`, `pti`, ... : one of `formats()`.
            generator: refuses directions of another network.
            options: `indices`, and those of the format; see `write_directions`.

        Returns:
            The files written. What the format does not keep is logged, and listed in docs/formats.md.

        Raises:
            ValueError: unknown format or option, or the format cannot hold these directions.
        """
        from gan_topdis.directions.formats import write_directions

        return write_directions(self, path, format, generator=generator, **options).files

    @classmethod
    def read(
        cls,
        path: str | os.PathLike[str],
        format: str = "native",
        *,
        generator: Generator | None = None,
        **options: Any,
    ) -> Directions:
        """Read directions of another program; nothing in the file is executed.

        Args:
            path: file, or folder for formats of one direction a file.
            format: one of `formats()`; `native` is what `save` writes.
            generator: refuses a file of another network, and measures standard deviations where the
                format has none.
            options: `space`, `layers`, `num_ws`, `order`, `scale`, `names`: what the format lacks has to
                be given; see `read_directions`.

        Returns:
            Directions whose `meta["imported"]` states format, space, unit, order and layers.

        Raises:
            ValueError: as `read_directions`.
            FileNotFoundError: there is no such file.
        """
        from gan_topdis.directions.formats import read_directions

        return read_directions(path, format, generator=generator, **options)
