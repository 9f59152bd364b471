"""From a file to inert values: what kind of file it is, by its first bytes, and its contents.

Pickles, files of `torch.save` (both formats), safetensors, and one such file inside a wheel or zip.
"""

from __future__ import annotations

import io
import zipfile
import zlib
from pathlib import Path
from typing import BinaryIO

from gan_topdis.generators.bounded_reader import BoundedReader
from gan_topdis.generators.checkpoint_error import CheckpointError
from gan_topdis.generators.persistent_record import NETWORK_TABLE
from gan_topdis.generators.safe_pickle import Value, read_pickle
from gan_topdis.generators.safetensors_file import is_safetensors, read_safetensors
from gan_topdis.generators.torch_storage import (
    LEGACY_MAGIC_BYTES,
    item_size,
    read_legacy,
    read_without_numbers,
)

ZIP_MAGIC = b"PK\x03\x04"
HEAD_BYTES = 512
# A member is expanded only if the archive as a whole stays within this multiple of the file: weights
# hardly compress (wheels: 1.1), a zip bomb expands about a thousand times.
MAX_EXPANSION = 20
GRACE_BYTES = 2**20
MAX_MEMBERS = 20_000


def read_network_file(path: Path, member: str | None = None) -> Value:
    """The contents of a network file as inert values; nothing in it runs.

    Args:
        path: any file.
        member: which file of a wheel or zip; needed when it holds several networks.

    Raises:
        CheckpointError: the file cannot be read, is damaged, hostile, or no network file.
    """
    try:
        with path.open("rb") as stream:
            size = stream.seek(0, io.SEEK_END)
            stream.seek(0)
            return _read_stream(stream, size, member, inside_archive=False)
    except OSError as error:
        raise CheckpointError(f"cannot be read ({error.strerror or error})") from None


def file_kind(head: bytes) -> str:
    """`zip`, `torch` (older format), `pickle`, `safetensors`, or '' from the first bytes of a file."""
    if head.startswith(ZIP_MAGIC):
        return "zip"
    if head.startswith(LEGACY_MAGIC_BYTES):
        return "torch"
    if len(head) > 2 and head[0] == 0x80 and head[1] in (2, 3, 4, 5):
        return "pickle"
    if is_safetensors(head):
        return "safetensors"
    return ""


def _read_stream(stream: BinaryIO, size: int, member: str | None, *, inside_archive: bool) -> Value:
    if size == 0:
        raise CheckpointError("the file is empty; copy or download it again")
    head = stream.read(HEAD_BYTES)
    stream.seek(0)
    kind = file_kind(head)
    if kind == "zip":
        return _read_zip(stream, size, member, inside_archive=inside_archive)
    if member is not None:
        raise CheckpointError(f"it is not a wheel or zip, so it has no member {member!a}")
    reader = BoundedReader(stream, size)
    if kind == "torch":
        return read_legacy(reader, NETWORK_TABLE)
    if kind == "pickle":
        value = read_pickle(reader, NETWORK_TABLE)
        if reader.remaining():
            raise CheckpointError(
                f"{reader.remaining()} bytes follow the pickle: damaged or hostile; copy or download it again"
            )
        return value
    if kind == "safetensors":
        return read_safetensors(reader)
    raise CheckpointError(f"not a network file ({_first_bytes(head)}); {_EXPECTED}")


_EXPECTED = "expected a pickle (.pkl), a file of torch.save, safetensors, or a wheel that holds one"


def _first_bytes(head: bytes) -> str:
    known = {
        b"\x1f\x8b": "it is compressed with gzip, unpack it first",
        b"7z": "it is a 7z archive, unpack it first",
        b"\x89HDF": "it is an HDF5 file",
        b"<": "it is a web page: the download failed",
        b"version https://git-lfs": "it is a Git LFS pointer: run git lfs pull",
    }
    for start, meaning in known.items():
        if head.lstrip().startswith(start):
            return meaning
    return f"it begins with {head[:8].hex(' ')}"


def _read_zip(stream: BinaryIO, size: int, member: str | None, *, inside_archive: bool) -> Value:
    try:
        with zipfile.ZipFile(stream) as archive:
            members = {info.filename: info for info in archive.infolist() if not info.is_dir()}
            if len(members) > MAX_MEMBERS:
                raise CheckpointError(f"the archive has more than {MAX_MEMBERS} members; no network file has")
            budget = _Budget(archive, MAX_EXPANSION * size + GRACE_BYTES)
            mains = [name for name in members if name.count("/") == 1 and name.endswith("/data.pkl")]
            if len(mains) == 1 and member is None:
                return _read_torch_zip(budget, members, mains[0].removesuffix("data.pkl"))
            if inside_archive:
                raise CheckpointError("an archive inside an archive; unpack it first")
            name = _choose_member(budget, members, member)
            data = budget.read(members[name])
            return _read_stream(io.BytesIO(data), len(data), None, inside_archive=True)
    except (
        zipfile.BadZipFile,
        zlib.error,
        EOFError,
        NotImplementedError,
        RuntimeError,
        UnicodeDecodeError,
    ) as e:
        raise CheckpointError(f"the archive is damaged ({e}); copy or download it again") from None


class _Budget:
    """Reads members of an archive while their sizes stay within a total."""

    def __init__(self, archive: zipfile.ZipFile, total: int) -> None:
        self._archive = archive
        self._left = total

    def read(self, info: zipfile.ZipInfo) -> bytes:
        """All bytes of a member, never more than its header announces."""
        self._left -= info.file_size
        if self._left < 0:
            raise CheckpointError(
                f"its members would expand to more than {MAX_EXPANSION} times the file: damaged or a zip bomb"
            )
        _check_compression(info)
        with self._archive.open(info) as opened:
            data = opened.read(info.file_size)
        if len(data) != info.file_size:
            raise CheckpointError(f"member {info.filename[:200]!a} ends early; copy or download it again")
        return data

    def head(self, info: zipfile.ZipInfo) -> bytes:
        """The first bytes of a member."""
        _check_compression(info)
        with self._archive.open(info) as opened:
            return opened.read(HEAD_BYTES)


def _check_compression(info: zipfile.ZipInfo) -> None:
    """LZMA and bzip2 reserve whatever memory their header asks for; wheels and torch use neither."""
    if info.compress_type not in (zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED):
        raise CheckpointError(
            f"member {info.filename[:120]!a} is compressed by an unusual method; unpack the archive"
        )


def _choose_member(budget: _Budget, members: dict[str, zipfile.ZipInfo], member: str | None) -> str:
    if member is not None:
        if member not in members:
            raise CheckpointError(f"the archive has no member {member!a}; {_listing(list(members))}")
        return member
    networks = [name for name, info in members.items() if _holds_network(budget.head(info))]
    if len(networks) != 1:
        if not networks:
            raise CheckpointError(f"the archive holds no network file; {_listing(list(members))}")
        raise CheckpointError(
            f"the archive holds {len(networks)} networks, choose one as FILE::MEMBER; {_listing(networks)}"
        )
    return networks[0]


def _holds_network(head: bytes) -> bool:
    kind = file_kind(head)
    if kind == "zip":  # torch writes data.pkl first; its name stands in the first header
        length = int.from_bytes(head[26:28], "little")
        return head[30 : 30 + length].endswith(b"/data.pkl")
    return kind != ""


def _listing(names: list[str]) -> str:
    shown = ", ".join(ascii(name[:120]) for name in names[:12])
    return f"it has {shown}{', ...' if len(names) > 12 else ''}"


def _read_torch_zip(budget: _Budget, members: dict[str, zipfile.ZipInfo], prefix: str) -> Value:
    if f"{prefix}constants.pkl" in members or any(name.startswith(f"{prefix}code/") for name in members):
        raise CheckpointError(
            "it is a TorchScript program, which only torch can run; save the state_dict() instead"
        )
    order = members.get(f"{prefix}byteorder")
    if order is not None and budget.read(order) != b"little":
        raise CheckpointError("written on a big-endian machine; save it again on a little-endian one")
    main = BoundedReader(budget.read(members[f"{prefix}data.pkl"]))
    value, storages = read_without_numbers(main, NETWORK_TABLE)
    for key, storage in storages.items():
        info = members.get(f"{prefix}data/{key}")
        if info is None:
            raise CheckpointError(
                f"the numbers of tensor storage {key[:40]!a} are missing; copy the file again"
            )
        if info.file_size != storage.length * item_size(storage.code):
            raise CheckpointError(
                f"tensor storage {key[:40]!a} should have {storage.length} numbers and has "
                f"{info.file_size} bytes; copy or download the file again"
            )
        storage.fill(budget.read(info))
    return value
