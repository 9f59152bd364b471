"""A pickle reader that can build plain data and nothing else.

Python's own unpickler imports and calls what the file names. This one is a small stack machine of its own
for the opcodes that network files use: it never imports, never calls anything but the functions of the
table it is given, and refuses every other opcode. `pickletools` says what argument an opcode has.

Each limit below bounds time or memory; published networks stay far under all of them.
"""

from __future__ import annotations

import pickletools
from collections.abc import Callable, Mapping
from dataclasses import dataclass

from gan_topdis.generators.bounded_reader import BoundedReader
from gan_topdis.generators.checkpoint_error import CheckpointError
from gan_topdis.generators.unknown_global import Stub, UnknownGlobal, unknown_global

Value = object
GlobalTable = Mapping[tuple[str, str], Callable[..., Value]]

# A 32-pixel snapshot has 17,000 opcodes, and each doubling adds some 4,000; a million takes 3 s and 300 MB.
MAX_OPCODES = 1_000_000
# MARKs open at the same time; snapshots have about 60.
MAX_NESTING = 1_000
# One text: the source code of a module has about 40,000 characters.
MAX_TEXT_BYTES = 16 * 2**20
# Numbers beyond 64 bits occur only as the magic number of torch's older format (80 bits).
MAX_INTEGER_BITS = 128


class _KnownGlobal:
    """A name of the table on the stack, so that no callable of ours is ever data."""

    __slots__ = ("construct", "label")

    def __init__(self, label: str, construct: Callable[..., Value]) -> None:
        self.label = label
        self.construct = construct


class Dictionary(dict[Value, Value]):
    """A dict of the file; a class of its own so that BUILD may follow (torch's `_metadata`)."""


def read_pickle(
    reader: BoundedReader, table: GlobalTable, *, persistent_load: Callable[[Value], Value] | None = None
) -> Value:
    """The value of one pickle, made of plain data and of what the functions in `table` return.

    Args:
        reader: at the first opcode; afterwards behind the last one.
        table: (module, name), compared exactly, to the function called in its place.
        persistent_load: turns a persistent id into a value; None: such an id is refused.

    Returns:
        None, bool, int, float, str, bytes, tuple, list, set, `Dictionary`, `Stub`, `UnknownGlobal`, or
        a value of a table function. The same object may occur in several places, and in itself.

    Raises:
        CheckpointError: an opcode, a name, a size or the order of opcodes is not that of a network file.
    """
    machine = _Machine(table, persistent_load)
    try:
        for _ in range(MAX_OPCODES):
            if not machine.step(*_next_opcode(reader)):
                return machine.result()
        raise CheckpointError(
            f"the pickle has more than {MAX_OPCODES} opcodes; no network file needs as many"
        )
    except CheckpointError:
        raise
    except (ValueError, UnicodeDecodeError, OverflowError) as error:  # an argument is damaged
        raise CheckpointError(f"damaged or not a pickle ({error}); copy or download the file again") from None
    except (IndexError, TypeError, KeyError, AttributeError, AssertionError) as error:
        raise CheckpointError(
            f"the pickle is malformed near byte {reader.tell()} ({type(error).__name__}); "
            "copy or download the file again"
        ) from None


def _next_opcode(reader: BoundedReader) -> tuple[str, object]:
    """Name and argument of the next opcode; that of a refused opcode is not even parsed."""
    position = reader.tell()
    opcode = _OPCODES.get(reader.read(1).decode("latin-1"))
    if opcode is None:
        raise CheckpointError(
            f"damaged or not a pickle (at byte {position}); copy or download the file again"
        )
    if opcode.name not in ALLOWED_OPCODES:
        raise CheckpointError(
            f"it uses the pickle opcode {opcode.name} at byte {position}, which no network file needs and "
            "which may run code; nothing was run, do not load it by other means"
        )
    if opcode.name == "GLOBAL":
        return opcode.name, (_line(reader), _line(reader))
    if opcode.arg is None:
        return opcode.name, None
    return opcode.name, opcode.arg.reader(reader)  # type: ignore[arg-type]


def _line(reader: BoundedReader) -> str:
    """A line of text, as GLOBAL has two."""
    line = reader.readline()
    if not line.endswith(b"\n"):
        raise CheckpointError("the pickle has a name without an end; copy or download the file again")
    return line[:-1].decode()


class _Machine:
    """Stack and memo of one pickle."""

    def __init__(self, table: GlobalTable, persistent_load: Callable[[Value], Value] | None) -> None:
        self._table = table
        self._persistent_load = persistent_load
        self._stack: list[Value] = []
        self._marks: list[int] = []  # stack heights
        self._memo: dict[int, Value] = {}
        self._globals: dict[tuple[str, str], Value] = {}

    def result(self) -> Value:
        if len(self._stack) != 1:
            raise CheckpointError("the pickle leaves no single value; copy or download the file again")
        return self._checked(self._stack[0])

    def step(self, opcode: str, argument: object) -> bool:
        """One allowed opcode; False after the last one."""
        if opcode in _CONSTANTS:
            self._stack.append(_CONSTANTS[opcode])
        elif opcode in _LITERALS:
            self._stack.append(_checked_literal(argument))
        elif opcode in _EMPTY:
            self._stack.append(_EMPTY[opcode]())
        elif opcode in ("PROTO", "FRAME"):
            if opcode == "PROTO" and argument not in (2, 3, 4, 5):
                raise CheckpointError(f"pickle protocol {argument} is not supported; save it with 2 to 5")
        elif opcode in _HANDLERS:
            _HANDLERS[opcode](self, argument)
        return opcode != "STOP"

    # stack

    def _pop(self) -> Value:
        floor = self._marks[-1] if self._marks else 0
        if len(self._stack) <= floor:
            raise IndexError("stack underflow")
        return self._stack.pop()

    def _top(self) -> Value:
        floor = self._marks[-1] if self._marks else 0
        if len(self._stack) <= floor:
            raise IndexError("stack underflow")
        return self._stack[-1]

    def _mark(self, _: object) -> None:
        if len(self._marks) >= MAX_NESTING:
            raise CheckpointError(f"the pickle is nested more than {MAX_NESTING} deep; no network file is")
        self._marks.append(len(self._stack))

    def _pop_to_mark(self) -> list[Value]:
        height = self._marks.pop()
        items = self._stack[height:]
        del self._stack[height:]
        return items

    # containers

    def _tuple(self, _: object) -> None:
        self._stack.append(tuple(map(self._checked, self._pop_to_mark())))

    def _short_tuple(self, length: int) -> None:
        items = [self._checked(self._pop()) for _ in range(length)]
        self._stack.append(tuple(reversed(items)))

    def _append(self, _: object) -> None:
        self._extend_list([self._pop()])

    def _appends(self, _: object) -> None:
        self._extend_list(self._pop_to_mark())

    def _extend_list(self, items: list[Value]) -> None:
        target = self._top()
        if isinstance(target, Stub):
            return
        if type(target) is not list:
            raise TypeError
        target.extend(map(self._checked, items))

    def _additems(self, _: object) -> None:
        items = self._pop_to_mark()
        target = self._top()
        if type(target) is not set:
            raise TypeError
        target.update(_checked_key(item) for item in items)

    def _setitem(self, _: object) -> None:
        value = self._pop()
        self._set_items([self._pop(), value])

    def _setitems(self, _: object) -> None:
        self._set_items(self._pop_to_mark())

    def _set_items(self, items: list[Value]) -> None:
        target = self._top()
        if len(items) % 2:
            raise IndexError
        if isinstance(target, Stub):
            return
        if type(target) is not Dictionary:
            raise TypeError
        for key, value in zip(items[::2], items[1::2], strict=True):
            target[_checked_key(key)] = self._checked(value)

    # memo

    def _put(self, argument: object) -> None:
        assert isinstance(argument, int)
        if argument > MAX_OPCODES:
            raise CheckpointError(f"the pickle asks for memo place {argument}; no network file needs as many")
        self._memo[argument] = self._top()

    def _memoize(self, _: object) -> None:
        self._memo[len(self._memo)] = self._top()

    def _get(self, argument: object) -> None:
        assert isinstance(argument, int)
        self._stack.append(self._memo[argument])

    # names and calls

    def _global(self, argument: object) -> None:
        assert isinstance(argument, tuple)
        self._push_global(*argument)

    def _stack_global(self, _: object) -> None:
        name = self._pop()
        module = self._pop()
        if type(name) is not str or type(module) is not str:
            raise TypeError
        self._push_global(module, name)

    def _push_global(self, module: str, name: str) -> None:
        key = (module, name)
        if key not in self._globals:
            self._globals[key] = self._resolve(module, name)
        self._stack.append(self._globals[key])

    def _resolve(self, module: str, name: str) -> Value:
        construct = self._table.get((module, name))
        if construct is not None:
            return _KnownGlobal(f"{module}.{name}", construct)
        return unknown_global(module, name)

    def _reduce(self, _: object) -> None:
        arguments = self._pop()
        self._call(self._pop(), arguments)

    def _newobj(self, _: object) -> None:
        arguments = self._pop()
        self._call(self._pop(), arguments)

    def _call(self, function: Value, arguments: Value) -> None:
        if type(arguments) is not tuple:
            raise TypeError
        if isinstance(function, UnknownGlobal):
            self._stack.append(Stub(function))
        elif isinstance(function, _KnownGlobal):
            try:
                self._stack.append(function.construct(*arguments))
            except TypeError:
                raise CheckpointError(
                    f"{function.label} is called with {len(arguments)} arguments of unexpected types; "
                    "copy or download the file again"
                ) from None
        else:
            raise CheckpointError(f"it calls a {type(function).__name__}; no network file does that")

    def _build(self, _: object) -> None:
        self._pop()
        if not isinstance(self._top(), Stub | Dictionary | ScalarType):
            raise TypeError

    def _binpersid(self, _: object) -> None:
        identity = self._pop()
        if self._persistent_load is None:
            raise CheckpointError(
                "it uses persistent ids, which only files of torch.save do; nothing was run, "
                "do not load it by other means"
            )
        self._stack.append(self._persistent_load(identity))

    def _checked(self, value: Value) -> Value:
        """A value that may be stored: names of the table become inert."""
        if isinstance(value, _KnownGlobal):
            module, _, name = value.label.rpartition(".")
            return UnknownGlobal(module, name)
        return value


@dataclass(frozen=True)
class ScalarType:
    """A numpy data type: numbers only, little endian."""

    code: str


def _checked_literal(argument: object) -> Value:
    if isinstance(argument, int):
        if argument.bit_length() > MAX_INTEGER_BITS:
            raise CheckpointError("it holds an integer of more than 128 bits; no network file does")
    elif isinstance(argument, str) and len(argument) > MAX_TEXT_BYTES:
        raise CheckpointError(f"it holds a text of {len(argument)} characters; no network file does")
    return argument


def _checked_key(key: Value) -> Value:
    """A key of a dict or set: text, a small integer, or None.

    Large integers, floats and tuples could be chosen so that all have one hash value.
    """
    if key is None or type(key) in (str, bool) or (type(key) is int and -(2**31) <= key < 2**31):
        return key
    raise CheckpointError(f"it has a dictionary key of type {type(key).__name__}; network files have text")


_OPCODES = {opcode.code: opcode for opcode in pickletools.opcodes}
_CONSTANTS: dict[str, Value] = {"NONE": None, "NEWTRUE": True, "NEWFALSE": False, "EMPTY_TUPLE": ()}
_LITERALS = frozenset(
    """BININT BININT1 BININT2 LONG1 BINFLOAT BINUNICODE SHORT_BINUNICODE BINUNICODE8 BINBYTES
    SHORT_BINBYTES BINBYTES8 BYTEARRAY8""".split()  # noqa: SIM905
)
_EMPTY: dict[str, Callable[[], Value]] = {"EMPTY_DICT": Dictionary, "EMPTY_LIST": list, "EMPTY_SET": set}
_HANDLERS: dict[str, Callable[[_Machine, object], None]] = {
    "MARK": _Machine._mark,
    "TUPLE": _Machine._tuple,
    "TUPLE1": lambda machine, _: machine._short_tuple(1),
    "TUPLE2": lambda machine, _: machine._short_tuple(2),
    "TUPLE3": lambda machine, _: machine._short_tuple(3),
    "APPEND": _Machine._append,
    "APPENDS": _Machine._appends,
    "ADDITEMS": _Machine._additems,
    "SETITEM": _Machine._setitem,
    "SETITEMS": _Machine._setitems,
    "BINPUT": _Machine._put,
    "LONG_BINPUT": _Machine._put,
    "MEMOIZE": _Machine._memoize,
    "BINGET": _Machine._get,
    "LONG_BINGET": _Machine._get,
    "GLOBAL": _Machine._global,
    "STACK_GLOBAL": _Machine._stack_global,
    "REDUCE": _Machine._reduce,
    "NEWOBJ": _Machine._newobj,
    "BUILD": _Machine._build,
    "BINPERSID": _Machine._binpersid,
}
ALLOWED_OPCODES = frozenset(
    {"PROTO", "FRAME", "STOP", *_CONSTANTS, *_LITERALS, *_EMPTY, *_HANDLERS},
)
