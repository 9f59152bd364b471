"""Files inside packages, read in place: a wheel, an npm archive, or the folder it was unpacked to."""

from __future__ import annotations

import tarfile
import zipfile
import zlib
from collections.abc import Callable
from pathlib import Path

from gan_topdis.data.data_file import StrPath

MAX_MEMBER_BYTES = 2**28
"""No file read here has a tenth of it."""


def read_member(package: StrPath, member: str, expected: str) -> bytes:
    """The bytes of one file of a package; nothing is unpacked to disk, installed or imported.

    Args:
        package: `.whl`, `.zip`, `.tgz`, `.tar.gz`, or a folder.
        member: its path in the package, with forward slashes; a folder may start below its first part, as
            `site-packages` and `node_modules` do.
        expected: what it holds, for the message.

    Raises:
        FileNotFoundError: no such package or member; says what was expected.
        ValueError: no archive, or a member above `MAX_MEMBER_BYTES`.
    """
    path = Path(package)
    try:
        if path.is_dir():
            content = _from_folder(path, member)
        elif path.is_file():
            reader: Callable[[Path, str], bytes] = _from_zip if path.suffix in (".whl", ".zip") else _from_tar
            content = reader(path, member)
        else:
            raise KeyError(member)
    except (KeyError, FileNotFoundError):
        raise FileNotFoundError(f"{member} not found: expected {expected} in {path}") from None
    except (zipfile.BadZipFile, tarfile.TarError, EOFError, zlib.error) as error:
        raise ValueError(f"{path} is damaged or no package ({error}); fetch it again") from error
    return content


def _from_folder(path: Path, member: str) -> bytes:
    whole, below = path / member, path / member.partition("/")[2]
    file = whole if whole.is_file() else below
    _require_small(file.stat().st_size, file.name)
    return file.read_bytes()


def _from_zip(path: Path, member: str) -> bytes:
    with zipfile.ZipFile(path) as archive:
        _require_small(archive.getinfo(member).file_size, member)
        return archive.read(member)


def _from_tar(path: Path, member: str) -> bytes:
    with tarfile.open(path) as archive:
        found = archive.getmember(member)
        _require_small(found.size, member)
        file = archive.extractfile(found)
        if file is None:
            raise KeyError(member)
        return file.read()


def _require_small(size: int, name: str) -> None:
    if size > MAX_MEMBER_BYTES:
        raise ValueError(f"{name} should have at most {MAX_MEMBER_BYTES} bytes, got {size}")
