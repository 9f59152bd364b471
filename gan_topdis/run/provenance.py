"""With what a run was made: versions, source commit, hash of the network file."""

from __future__ import annotations

import hashlib
import platform
import subprocess
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from typing import Any

import gan_topdis

_PACKAGES = ("torch", "numpy", "numba", "pillow")


def versions() -> dict[str, str]:
    """Versions of gan_topdis, Python and the packages that decide numbers; `absent` when not installed."""
    found = {"gan_topdis": gan_topdis.__version__, "python": platform.python_version()}
    for name in _PACKAGES:
        try:
            found[name] = version(name)
        except PackageNotFoundError:
            found[name] = "absent"
    return found


def source_commit() -> str | None:
    """Commit of the checkout this package runs from, with `+changes` when files differ from it.

    None when the package is not run from a git checkout of its own; a virtual environment inside some
    other repository does not count.
    """
    folder = Path(gan_topdis.__file__).parent
    if _git(folder, "ls-files", "--error-unmatch", "__init__.py") is None:
        return None
    commit = _git(folder, "rev-parse", "HEAD")
    if commit is None:
        return None
    changed = _git(folder, "status", "--porcelain", "--untracked-files=no", ".")
    return commit + ("+changes" if changed else "")


def network_file(source: str) -> dict[str, Any] | None:
    """Absolute path, bytes and SHA-256 of the file behind `--network`; None for a built-in name."""
    path = Path(source)
    if not path.is_file():
        path = Path(source.partition("::")[0])  # FILE::MEMBER
    if not path.is_file():
        return None
    digest = hashlib.sha256()
    with open(path, "rb") as file:
        while block := file.read(1 << 20):
            digest.update(block)
    return {"path": str(path.resolve()), "bytes": path.stat().st_size, "sha256": digest.hexdigest()}


def _git(folder: Path, *arguments: str) -> str | None:
    try:
        done = subprocess.run(
            ["git", "-C", str(folder), *arguments], capture_output=True, text=True, timeout=10, check=False
        )
    except (OSError, subprocess.TimeoutExpired):
        return None
    return done.stdout.strip() if done.returncode == 0 else None
