"""Names in a pickle that no table knows: remembered as text or refused, never imported."""

from __future__ import annotations

from dataclasses import dataclass

from gan_topdis.generators.checkpoint_error import CheckpointError

# Modules from which nothing is ever needed and whose functions start programs, open files or run text.
# Safety does not rest on this list: no global outside the table is called. It only makes the refusal plain.
HOSTILE_MODULES = frozenset(
    """__builtin__ _io _operator _posixsubprocess _thread asyncio atexit bdb builtins code codecs codeop
    commands concurrent cProfile ctypes doctest ensurepip ftplib http imp importlib io linecache marshal
    mmap multiprocessing nt ntpath operator os pdb pickle pip pkgutil platform popen2 posix posixpath
    profile pty pydoc requests runpy shelve shutil signal site smtplib socket sqlite3 ssl subprocess sys
    tarfile tempfile threading timeit trace urllib venv webbrowser xmlrpc zipfile zipimport""".split()  # noqa: SIM905
)
# The types among the built-in names, which discriminators and optimisers do contain.
BUILTIN_TYPES = frozenset(
    (
        bool,
        bytearray,
        bytes,
        complex,
        dict,
        float,
        frozenset,
        int,
        list,
        object,
        range,
        set,
        slice,
        str,
        tuple,
    )
)


@dataclass(frozen=True)
class UnknownGlobal:
    """A name that the table does not know: remembered, never imported."""

    module: str
    name: str

    def __str__(self) -> str:
        return f"{self.module}.{self.name}"


@dataclass(frozen=True)
class Stub:
    """What an unknown global would have built; its arguments and its state are forgotten."""

    origin: UnknownGlobal

    def __str__(self) -> str:
        return str(self.origin)


def unknown_global(module: str, name: str) -> UnknownGlobal:
    """The inert record of a name.

    Raises:
        CheckpointError: it is no plain name of a module and something in it, or of a module from which no
            network file needs anything.
    """
    shown = f"{module[:80]}.{name[:80]}"
    if "." in name or not f"{module.replace('.', '')}{name}".isidentifier():
        raise CheckpointError(f"it asks for {shown!a}, which no network file needs; nothing was run")
    builtin_type = module in ("builtins", "__builtin__") and name in {kind.__name__ for kind in BUILTIN_TYPES}
    if module.partition(".")[0] in HOSTILE_MODULES and not builtin_type:
        raise CheckpointError(
            f"it asks Python to use {shown}, which no network file needs: the file is hostile, or not a "
            "network; nothing was run, do not load it by other means"
        )
    return UnknownGlobal(module, name)
