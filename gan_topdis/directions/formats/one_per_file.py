"""Formats that hold one direction a file: a file, or a folder of them named by direction."""

from __future__ import annotations

import re
from collections.abc import Callable, Sequence
from pathlib import Path

from gan_topdis.directions.formats.contents import FileContents, stacked


def read_file_or_folder(
    path: Path,
    suffix: str,
    read: Callable[[Path], FileContents],
    *,
    position: Callable[[FileContents], int] = lambda _: 0,
) -> FileContents:
    """One file of one direction, or all files of a folder, in the order of their names.

    Args:
        position: of a direction among those of its folder, where files say so; comes before the name.

    Raises:
        FileNotFoundError: there is no such file, or none in the folder.
        ValueError: as `read`, or the files do not belong together.
    """
    if not path.is_dir():
        return stacked([read(path)], [path.stem])
    files = sorted(path.glob(f"*{suffix}"), key=lambda file: _natural(file.stem))
    if not files:
        raise FileNotFoundError(f"no {suffix} file in {path}")
    found = sorted([(read(file), file.stem) for file in files], key=lambda pair: position(pair[0]))
    return stacked([part for part, _ in found], [stem for _, stem in found])


def write_file_or_folder(
    path: Path, suffix: str, names: Sequence[str], write: Callable[[Path, int], None]
) -> list[Path]:
    """`write(file, i)` for each direction: to `path` itself if it ends in the suffix, else in that folder.

    Raises:
        ValueError: several directions and the name of one file.
    """
    if path.suffix == suffix and not path.is_dir():
        if len(names) != 1:
            raise ValueError(
                f"this format has one direction a file, and there are {len(names)}: give a folder instead of "
                f"{path.name}, or choose one with indices= (--index)"
            )
        write(path, 0)
        return [path]
    path.mkdir(parents=True, exist_ok=True)
    files = [path / f"{stem}{suffix}" for stem in file_stems(names)]
    for index, file in enumerate(files):
        write(file, index)
    return files


def file_stems(names: Sequence[str]) -> list[str]:
    """File names of direction names: letters, digits, space, dot, dash and underscore, 100 at most; no two
    alike."""
    stems: list[str] = []
    taken: set[str] = set()
    for index, name in enumerate(names):
        stem = re.sub(r"[^\w .-]", "_", name[:100]).strip(" .") or f"direction {index}"
        if stem.casefold() in taken:
            stem = f"{stem}_{index}"
        while stem.casefold() in taken:
            stem += "_"
        taken.add(stem.casefold())
        stems.append(stem)
    return stems


def _natural(name: str) -> list[tuple[bool, int, str]]:
    """Sorts numbers in names by value: `direction 2` before `direction 10`."""
    return [
        (not part.isdecimal(), int(part) if part.isdecimal() else 0, part)
        for part in re.split(r"(\d+)", name)
        if part
    ]
