"""Damaged and hostile files: each is refused in one line, runs nothing, and costs little.

A payload is a stream that touches a canary file when its global is called. That the canary can
die is shown first, with plain pickle. Files that attack memory, time or the C stack are read by
a forked child under limits, so that a failing reader fails a test and not the machine.
"""

from __future__ import annotations

import copyreg
import io
import json
import os
import pickle
import pickletools
import re
import struct
import subprocess
import sys
import types
import zipfile
import zlib
from collections.abc import Callable
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from pickle_writer import (
    MIXED,
    TORCH_1_7,
    TORCH_2_13,
    Call,
    EasyDict,
    Global,
    Layout,
    Module,
    Raw,
    SavedTensor,
    document,
    generator_module,
    random_tensors,
    snapshot,
    storage_parts,
    tiny_module,
)
from stylegan2_oracle import StyleGAN2Configuration

from gan_topdis.generators.checkpoint_error import CheckpointError
from gan_topdis.generators.load import load_generator
from gan_topdis.generators.protocol import Generator

SMALL = replace(StyleGAN2Configuration(), img_resolution=8, conv_clamp=None)


def load(path: Path) -> Generator:
    """Without the accelerator: its start-up is not what is tested here."""
    return load_generator(path, device="cpu")


def network(configuration: StyleGAN2Configuration = SMALL, seed: int = 0) -> Module:
    """A sound network, to be spoiled."""
    return generator_module(configuration, random_tensors(configuration, seed))


def write(tmp_path: Path, data: bytes) -> Path:
    path = tmp_path / "network.pkl"
    path.write_bytes(data)
    return path


def assert_refused(path: Path, mentions: str) -> str:
    """The message of the CheckpointError: one readable line that matches `mentions`."""
    with pytest.raises(CheckpointError) as caught:
        load(path)
    assert_good_message(str(caught.value), mentions)
    return str(caught.value)


def assert_good_message(message: str, mentions: str) -> None:
    assert "\n" not in message
    assert message.isprintable()  # no escape sequences of the file reach a terminal
    assert 15 < len(message) < 600, message
    assert re.search(mentions, message, re.IGNORECASE), f"{message!r} should mention {mentions}"


@pytest.fixture
def canary(tmp_path):
    """A path that nothing may touch while the test runs."""
    path = tmp_path / "canary"
    yield path
    assert not path.exists(), "the file ran code"


def test_the_network_to_be_spoiled_is_sound(tmp_path):
    """Otherwise every refusal below would be worth nothing."""
    for layout in (TORCH_1_7, TORCH_2_13, MIXED):
        generator = load(write(tmp_path, snapshot(network(), layout)))
        assert generator.num_ws == 4


# --- streams that run code under plain pickle --------------------------------------------------


def text(value: str) -> bytes:
    raw = value.encode()
    return b"X" + struct.pack("<I", len(raw)) + raw


def call(module: str, name: str, *arguments: bytes) -> bytes:
    """GLOBAL, arguments, REDUCE."""
    return f"c{module}\n{name}\n(".encode() + b"".join(arguments) + b"tR"


def stack_call(module: str, name: str, *arguments: bytes) -> bytes:
    return text(module) + text(name) + b"\x93(" + b"".join(arguments) + b"tR"


OS_SYSTEM = b"cos\nsystem\n"
EXTENSION_CODE = 0xE7  # of the range for private use


@dataclass(frozen=True)
class Payload:
    """Opcodes that push one object and touch a file on the way.

    Attributes:
        opcodes: from the file to touch.
        mentions: pattern for the message of the refusal.
        runs: whether plain pickle runs it; the others are attacks on hooks that a reader may have.
        stranger: the global could be the honest class of somebody's own program.
    """

    opcodes: Callable[[Path], bytes]
    mentions: str
    runs: bool = True
    stranger: bool = False
    layout: Layout = TORCH_1_7


def shell(path: Path) -> bytes:
    return text(f": > {path}")


def python(path: Path) -> bytes:
    return text(f"open({str(path)!r}, 'w').close()")


PAYLOADS = {
    "GLOBAL os.system": Payload(lambda p: call("os", "system", shell(p)), r"os.*system"),
    "GLOBAL posix.system": Payload(lambda p: call("posix", "system", shell(p)), r"posix.*system"),
    "STACK_GLOBAL os.system": Payload(
        lambda p: stack_call("os", "system", shell(p)), r"os.*system", layout=TORCH_2_13
    ),
    "STACK_GLOBAL builtins.exec": Payload(
        lambda p: stack_call("builtins", "exec", python(p)), r"builtins.*exec", layout=TORCH_2_13
    ),
    "builtins.eval": Payload(
        lambda p: call("builtins", "eval", text(f"open({str(p)!r}, 'w').close()")), r"builtins.*eval"
    ),
    "posix.mkdir": Payload(lambda p: call("posix", "mkdir", text(str(p))), r"posix.*mkdir"),
    "dotted name from an allowed module": Payload(
        lambda p: stack_call("torch._utils", "os.system", shell(p)), r"os\.system", layout=TORCH_2_13
    ),
    "long dotted name": Payload(
        lambda p: stack_call("torch._utils", "traceback.linecache.os.system", shell(p)),
        r"system",
        layout=TORCH_2_13,
    ),
    "dotted name in GLOBAL": Payload(
        lambda p: call("torch._utils", "os.system", shell(p)), r"os\.system", layout=TORCH_2_13
    ),
    "other name from an allowed module": Payload(
        lambda p: call("torch._utils", "_import_dotted_name", text("canary_module.x")), r"_import_dotted_name"
    ),
    "allowed package, other module": Payload(
        lambda p: call("torch.utils.collect_env", "run", shell(p)), r"collect_env"
    ),
    "numpy can exec": Payload(
        lambda p: call("numpy.testing._private.utils", "runstring", python(p), b"}"),
        r"runstring|numpy\.testing",
    ),
    "importing is running": Payload(lambda p: b"ccanary_module\nx\n", r"canary_module", stranger=True),
    "INST": Payload(lambda p: b"(" + shell(p) + b"ios\nsystem\n", r"INST|system"),
    "OBJ": Payload(lambda p: b"(" + OS_SYSTEM + shell(p) + b"o", r"OBJ|system"),
    "NEWOBJ": Payload(
        lambda p: b"cbuiltins\nbytes\ncbuiltins\nmap\n" + OS_SYSTEM + b"(" + shell(p) + b"l\x86\x81\x85\x81",
        r"builtins|NEWOBJ|system|opcode LIST",
    ),
    "NEWOBJ_EX": Payload(
        lambda p: (
            b"cbuiltins\nbytes\ncbuiltins\nmap\n" + OS_SYSTEM + b"(" + shell(p) + b"l\x86}\x92\x85}\x92"
        ),
        r"builtins|NEWOBJ_EX|system|opcode LIST",
        layout=TORCH_2_13,
    ),
    "BUILD calls __setstate__": Payload(
        lambda p: (
            b"ccollections\nOrderedDict\n)R}" + text("__setstate__") + OS_SYSTEM + b"sb" + shell(p) + b"b"
        ),
        r"BUILD|system",
    ),
    "result thrown away": Payload(lambda p: OS_SYSTEM + shell(p) + b"\x85R0N", r"POP|system"),
    "EXT1": Payload(lambda p: b"\x82" + bytes([EXTENSION_CODE]) + shell(p) + b"\x85R", r"EXT1"),
    "EXT2": Payload(lambda p: b"\x83" + struct.pack("<H", EXTENSION_CODE) + shell(p) + b"\x85R", r"EXT2"),
    "EXT4": Payload(lambda p: b"\x84" + struct.pack("<i", EXTENSION_CODE) + shell(p) + b"\x85R", r"EXT4"),
    "PERSID": Payload(lambda p: b"P: > " + str(p).encode() + b"\n", r"PERSID|persistent id", runs=False),
    "BINPERSID": Payload(lambda p: shell(p) + b"Q", r"BINPERSID|persistent id", runs=False),
}


def spoiled(payload: Payload, canary: Path, place: str = "G_ema") -> bytes:
    """A snapshot that carries the payload at a place."""
    raw, sound = Raw(payload.opcodes(canary)), network()
    if place == "G_ema":
        sound.attributes["w_dim"] = raw
        return snapshot(sound, payload.layout)
    if place == "instead of a tensor":
        sound.set_tensor("synthesis.b4.const", raw)
        return snapshot(sound, payload.layout)
    if place == "instead of a module":
        sound.find("synthesis").modules["b4"] = raw
        return snapshot(sound, payload.layout)
    if place == "D":
        return snapshot(sound, payload.layout, d=raw)
    if place == "whole file":
        return document(raw, payload.layout)
    raise ValueError(place)


@pytest.fixture
def canary_module(tmp_path, monkeypatch):
    """A module that touches the canary when imported."""
    folder = tmp_path / "modules"
    folder.mkdir()
    source = f"open({str(tmp_path / 'canary')!r}, 'w').close()\nx = 1\n"
    (folder / "canary_module.py").write_text(source)
    monkeypatch.syspath_prepend(folder)
    monkeypatch.delitem(sys.modules, "canary_module", raising=False)
    yield
    sys.modules.pop("canary_module", None)


@pytest.fixture
def registered_extension():
    """An extension code that means os.system to every unpickler of this process."""
    system = (os.system.__module__, "system")
    copyreg.add_extension(*system, EXTENSION_CODE)
    yield
    copyreg.remove_extension(*system, EXTENSION_CODE)
    copyreg._extension_cache.pop(EXTENSION_CODE, None)  # type: ignore[attr-defined]


@pytest.fixture
def stand_ins(monkeypatch):
    """The outside modules that plain pickle needs to get through a snapshot."""
    persistence = types.ModuleType("torch_utils.persistence")
    persistence._reconstruct_persistent_obj = lambda meta: meta  # type: ignore[attr-defined]
    util = types.ModuleType("dnnlib.util")
    util.EasyDict = type("EasyDict", (dict,), {})  # type: ignore[attr-defined]
    for name, module in (
        ("torch_utils", types.ModuleType("torch_utils")),
        ("dnnlib", types.ModuleType("dnnlib")),
    ):
        monkeypatch.setitem(sys.modules, name, module)
    monkeypatch.setitem(sys.modules, "torch_utils.persistence", persistence)
    monkeypatch.setitem(sys.modules, "dnnlib.util", util)


def run_plainly(data: bytes) -> None:
    """What the reader must not be; errors after the payload ran do not matter here."""
    try:
        pickle.loads(data)
    except Exception as error:
        assert not isinstance(error, ModuleNotFoundError | AttributeError), error


@pytest.mark.parametrize("name", [name for name, payload in PAYLOADS.items() if payload.runs])
def test_payloads_are_live(name, tmp_path, canary_module, registered_extension, stand_ins):
    """Plain pickle, fed the same file, kills the canary: the tests below can fail."""
    path = tmp_path / "canary"
    run_plainly(spoiled(PAYLOADS[name], path))
    assert path.exists()


@pytest.mark.parametrize("place", ["G_ema", "instead of a tensor", "instead of a module", "whole file"])
@pytest.mark.parametrize("name", PAYLOADS)
def test_payload_is_refused_by_name_and_not_run(
    name, place, tmp_path, canary, canary_module, registered_extension
):
    """The message names the global or the opcode, so that the user can judge the file."""
    payload = PAYLOADS[name]
    message = assert_refused(write(tmp_path, spoiled(payload, canary, place)), payload.mentions)
    if payload.stranger:
        assert "trust_pickle" not in message or "runs code" in message
    else:  # nobody should run such a file on our advice
        assert "trust_pickle" not in message
    assert "canary_module" not in sys.modules


@pytest.mark.parametrize("name", PAYLOADS)
def test_payload_outside_the_generator_is_not_run(
    name, tmp_path, canary, canary_module, registered_extension
):
    """D is not needed: refusing it and leaving it inert are both right."""
    payload = PAYLOADS[name]
    path = write(tmp_path, spoiled(payload, canary, "D"))
    try:
        load(path)
    except CheckpointError as error:
        assert_good_message(str(error), payload.mentions)
    assert "canary_module" not in sys.modules


# --- payloads inside the arguments of allowed globals ------------------------------------------


def storage_with_payload(part: int, canary: Path) -> bytes:
    """The bytes of a storage, one of whose five pickles runs a command first."""
    parts = storage_parts(np.zeros(16, dtype=np.float32))
    sound = parts[part]
    parts[part] = sound[:2] + OS_SYSTEM + shell(canary) + b"\x85R0" + sound[2:]
    return b"".join(parts)


@pytest.mark.parametrize("part", range(5))
def test_payload_in_storage_bytes_is_live_under_torch(part, tmp_path):
    path = tmp_path / "canary"
    try:
        torch.storage._load_from_bytes(storage_with_payload(part, path))  # type: ignore[no-untyped-call]
    except Exception as error:
        assert not isinstance(error, ModuleNotFoundError), error
    assert path.exists()


@pytest.mark.parametrize("place", ["G_ema", "D"])
@pytest.mark.parametrize("part", range(5))
def test_payload_in_storage_bytes(part, place, tmp_path, canary):
    """Each of the five pickles in front of the data is parsed, none is run."""
    tensor = SavedTensor(np.zeros((4, 4)), storage=storage_with_payload(part, canary))
    sound, d = network(), tiny_module("Discriminator")
    if place == "G_ema":
        sound.set_tensor("synthesis.b4.resample_filter", tensor)
        assert_refused(write(tmp_path, snapshot(sound)), r"tensor|storage|resample_filter|system")
    else:
        d.set_tensor("out.weight", tensor)
        try:
            load(write(tmp_path, snapshot(sound, d=d)))
        except CheckpointError as error:
            assert_good_message(str(error), r"tensor|storage|system")


def torch_zip(data_pkl: bytes, **records: bytes) -> bytes:
    """A file as torch.save writes it since 1.6."""
    stream = io.BytesIO()
    with zipfile.ZipFile(stream, "w", zipfile.ZIP_STORED) as archive:
        archive.writestr("archive/data.pkl", data_pkl)
        archive.writestr("archive/version", b"3\n")
        archive.writestr("archive/byteorder", b"little")
        for name, data in records.items():
            archive.writestr(f"archive/data/{name}", data)
    return stream.getvalue()


def zip_payload(canary: Path) -> bytes:
    return torch_zip(b"\x80\x02" + OS_SYSTEM + shell(canary) + b"\x85R.")


def test_zip_payload_is_live_under_torch(tmp_path):
    path = tmp_path / "canary"
    torch.load(io.BytesIO(zip_payload(path)), weights_only=False)
    assert path.exists()


def test_torch_zip_with_payload(tmp_path, canary):
    assert_refused(write(tmp_path, zip_payload(canary)), r"system")


def test_torch_zip_inside_storage_bytes(tmp_path, canary):
    """torch's reader of storage bytes accepts either format; the payload may come in the new one."""
    sound = network()
    tensor = SavedTensor(np.zeros((4, 4)), storage=zip_payload(canary))
    sound.set_tensor("synthesis.b4.resample_filter", tensor)
    mentions = r"tensor|storage|resample_filter|system|damaged|opcode"
    assert_refused(write(tmp_path, snapshot(sound)), mentions)


SCALARS: dict[str, tuple[Any, ...]] = {
    # arguments of numpy's scalar in place of (dtype('f8'), 8 bytes)
    "object dtype": (Call(Global("numpy", "dtype"), ("O", False, True)), b"\x80\x02cos\nsystem\n."),
    "object dtype as |O8": (Call(Global("numpy", "dtype"), ("|O8", False, True)), b"\0" * 8),
    "structured object dtype": (Call(Global("numpy", "dtype"), ([("x", "O")],)), b"\0" * 8),
    "string is no dtype": ("f8", b"\0" * 8),
    "too few bytes": (Call(Global("numpy", "dtype"), ("f8", False, True)), b"\0"),
    "too many bytes": (Call(Global("numpy", "dtype"), ("f8", False, True)), b"\0" * 9),
    "void of two gigabytes": (Call(Global("numpy", "dtype"), ("V2147483647", False, True)), b""),
    "no arguments": (),
}


@pytest.mark.parametrize("case", SCALARS)
@pytest.mark.parametrize("module", ["numpy.core.multiarray", "numpy._core.multiarray"])
def test_numpy_scalar_with_strange_arguments(case, module, tmp_path):
    sound = network()
    scalar = Call(Global(module, "scalar"), SCALARS[case])
    sound.find("synthesis.b8.conv1").attributes["act_gain"] = scalar
    assert_refused(write(tmp_path, snapshot(sound)), r"numpy|scalar|dtype|act_gain|damaged")


def test_numpy_object_array(tmp_path, canary):
    """An array of objects, built the way numpy pickles it, carrying a payload."""
    array = b"cnumpy.core.multiarray\n_reconstruct\ncnumpy\nndarray\nK\x00\x85C\x01b\x87R(K\x01K\x01\x85"
    dtype = call("numpy", "dtype", text("O8"), b"\x89", b"\x88")
    payload = OS_SYSTEM + shell(canary) + b"\x85R"
    raw = Raw(array + dtype + b"\x89](" + payload + b"etb")
    sound = network()
    sound.attributes["w_dim"] = raw
    assert_refused(write(tmp_path, snapshot(sound)), r"_reconstruct|numpy|system|dtype")


POLLUTION = {
    # opcodes that push an allowed global and change it with BUILD
    "defaults of a function": b"ctorch._utils\n_rebuild_parameter\nN}"
    + text("__defaults__")
    + b"(K\x07ts\x86b",
    "code of a function": b"ctorch._utils\n_rebuild_tensor_v2\nN}" + text("__code__") + b"Ns\x86b",
    "attribute of a function": b"ctorch_utils.persistence\n_reconstruct_persistent_obj\n}"
    + text("x")
    + b"K\x01sb",
    "method of a class": b"ccollections\nOrderedDict\nN}" + text("__setitem__") + b"Ns\x86b",
    "method of EasyDict": b"cdnnlib.util\nEasyDict\nN}" + text("__setitem__") + b"Ns\x86b",
    "instance attribute": b"cdnnlib.util\nEasyDict\n)\x81}" + text("__class__") + b"Nsb",
    "__dict__ of an object": b"ccollections\nOrderedDict\n)R}" + text("items") + b"Nsb",
    "class as instance": b"cdnnlib.util\nEasyDict\n}" + text("__module__") + b"Nsb",
}


@pytest.mark.parametrize("case", POLLUTION)
def test_build_cannot_change_what_other_files_use(case, tmp_path):
    """BUILD is refused or forgets its state, and the next sound file still loads."""
    sound = network()
    sound.attributes["w_dim"] = Raw(POLLUTION[case])
    assert_refused(write(tmp_path, snapshot(sound)), r"BUILD|malformed|w_dim")
    assert load(write(tmp_path, snapshot(network()))).num_ws == 4


MISUSES: dict[str, tuple[Any, str]] = {
    # name: (node, pattern): allowed globals used in other ways than the format does
    "global left on the stack": (Global("torch._utils", "_rebuild_parameter"), r"w_dim|_rebuild_parameter"),
    "set of something": (Call(Global("builtins", "set"), ([1, 2],)), r"set|w_dim"),
    "OrderedDict of pairs": (Call(Global("collections", "OrderedDict"), ([("a", 1)],)), r"OrderedDict|w_dim"),
    "meta is a string": (
        Call(Global("torch_utils.persistence", "_reconstruct_persistent_obj"), ("x",)),
        r"persistent|meta|_reconstruct_persistent_obj|w_dim",
    ),
    "meta lacks its state": (
        Call(Global("torch_utils.persistence", "_reconstruct_persistent_obj"), ({"type": "class"},)),
        r"persistent|meta|_reconstruct_persistent_obj|w_dim|state|persistence",
    ),
    "REDUCE of a string": (Raw(text("os.system") + text("true") + b"\x85R"), r"REDUCE|call|string|str"),
    "REDUCE with no tuple": (
        Raw(b"ccollections\nOrderedDict\nK\x01R"),
        r"REDUCE|OrderedDict|argument|tuple|malformed",
    ),
    "NEWOBJ of a function": (Raw(b"ctorch._utils\n_rebuild_parameter\n)\x81"), r"NEWOBJ|_rebuild_parameter"),
    "NEWOBJ with arguments": (Raw(b"cdnnlib.util\nEasyDict\n" + text("x") + b"\x85\x81"), r"NEWOBJ|EasyDict"),
    "tensor of nothing": (Call(Global("torch._utils", "_rebuild_tensor_v2"), ()), r"tensor"),
    "storage of a string": (Call(Global("torch.storage", "_load_from_bytes"), ("x",)), r"storage|bytes"),
    "APPENDS to a dict": (Raw(b"}(K\x01e"), r"APPENDS|list|damaged|w_dim|malformed"),
    "unhashable key": (Raw(b"}]Ns"), r"key|hash|damaged|w_dim|malformed"),
    "value missing": (Raw(b"}(K\x01u"), r"SETITEMS|odd|damaged|w_dim|value|pairs|malformed"),
    "stack underflow": (Raw(b"R" * 40), r"REDUCE|stack|damaged|underflow|call|malformed"),
    "unknown memo entry": (Raw(b"j\xff\xff\x00\x00"), r"memo|damaged|malformed"),
    "MARK missing": (Raw(b"t" * 60), r"MARK|TUPLE|stack|damaged|malformed"),
    "unknown opcode": (Raw(b"\xff"), r"opcode|damaged|pickle"),
}


@pytest.mark.parametrize("case", MISUSES)
def test_misuse_of_allowed_parts(case, tmp_path):
    node, mentions = MISUSES[case]
    sound = network()
    sound.attributes["w_dim"] = node
    assert_refused(write(tmp_path, snapshot(sound)), mentions)


def test_message_is_clean_whatever_the_names_in_the_file(tmp_path):
    """Terminal escapes, line breaks and very long names do not come through."""
    for name in ("\x1b[2J\x1b]0;owned\x07", "a\u2028b\u202ec", "x" * 100_000, "two\nlines"):
        sound = network()
        sound.attributes["w_dim"] = Raw(text("os") + text(name) + b"\x93")
        assert_refused(write(tmp_path, snapshot(sound, TORCH_2_13)), r"os")
        sound = network()
        sound.find("synthesis").attributes["img_resolution"] = name
        assert_refused(write(tmp_path, snapshot(sound)), r"img_resolution")
        sound = network()
        block = sound.find("synthesis.b8")
        block.parameters[name] = SavedTensor(np.ones(3))
        try:
            load(write(tmp_path, snapshot(sound)))
        except CheckpointError as error:
            assert_good_message(str(error), "")
        sound = network()
        sound.class_name = name
        assert_refused(write(tmp_path, snapshot(sound)), r"class|generator|network")
        sound = network()
        sound.find("synthesis.b8.conv1").class_name = name
        sound.set_tensor("synthesis.b8.conv1.weight", 7)
        assert_refused(write(tmp_path, snapshot(sound)), r"weight")
        sound = network()
        sound.find("synthesis.b8.conv1").class_name = name
        sound.find("synthesis.b8.conv1").attributes["_parameters"] = None
        assert_refused(write(tmp_path, snapshot(sound)), r"_parameters")


LINES = [b"x" * 5000, b"'" + b"x" * 5000, b"'\x1b[2J\\d'", b"9" * 5000, b"\x1b]0;a\x07"]


@pytest.mark.parametrize("line", LINES, ids=range(5))
@pytest.mark.parametrize("opcode", [b"F", b"I", b"L", b"S", b"V", b"P", b"g", b"p"], ids=bytes.decode)
def test_text_of_refused_opcodes_stays_out_of_the_message(opcode, line, tmp_path):
    """Opcodes of protocol 0 take a line of text; a parser may complain about it at any length, or warn."""
    assert_refused(write(tmp_path, attribute_bomb(opcode + line + b"\n")), "")


# --- not a snapshot at all ----------------------------------------------------------------------


def png() -> bytes:
    def chunk(kind: bytes, body: bytes) -> bytes:
        return struct.pack(">I", len(body)) + kind + body + struct.pack(">I", zlib.crc32(kind + body))

    header = chunk(b"IHDR", struct.pack(">IIBBBBB", 1, 1, 8, 0, 0, 0, 0))
    return b"\x89PNG\r\n\x1a\n" + header + chunk(b"IDAT", zlib.compress(b"\0\0")) + chunk(b"IEND", b"")


NO_SNAPSHOTS: dict[str, tuple[bytes, str]] = {
    "empty": (b"", r"empty"),
    "text": (b"This is a text file, not a network.\n", r"not a|neither|pickle"),
    "web page": (b"<!DOCTYPE html><html><body>404</body></html>", r"not a|neither|pickle|web page"),
    "pointer of git-lfs": (
        b"version https://git-lfs.github.com/spec/v1\noid sha256:4d7a\n",
        r"not a|lfs|pickle",
    ),
    "PNG": (png(), r"not a|neither|pickle|PNG"),
    "gzip": (b"\x1f\x8b\x08\0\0\0\0\0\0\3" + b"\0" * 20, r"not a|neither|pickle|gzip"),
    "zeros": (b"\0" * 5000, r"not a|neither|pickle"),
    "magic of a pickle only": (b"\x80\x03", r"trunc|ends|damaged|incomplete|cut|not a network"),
    "pickle of None": (document(None), r"snapshot|G_ema|network|generator|None"),
    "pickle of a number": (document(7), r"snapshot|G_ema|network|generator"),
    "pickle of a list": (document([1, 2]), r"snapshot|G_ema|network|generator"),
    "pickle of an empty dict": (document({}), r"G_ema|no tensors"),
    "newer protocol": (b"\x80\x07N.", r"protocol|pickle"),
    "protocol 0": (b"(dp0\n.", r"opcode|pickle|G_ema|protocol"),
    "G_ema is None": (document({"G": None, "D": None, "G_ema": None}), r"G_ema"),
    "G_ema is a string": (document({"G_ema": "x"}), r"G_ema|generator"),
    "G_ema is a dict": (document({"G_ema": {"z_dim": 4}}), r"G_ema|generator"),
    "only a discriminator": (document({"D": tiny_module("Discriminator")}), r"generator"),
    "discriminator as G_ema": (document({"G_ema": tiny_module("Discriminator")}), r"Discriminator"),
    "keys are not strings": (document({1: 2, None: 3}), r"G_ema|snapshot|key|no tensors"),
    "empty zip": (b"PK\x05\x06" + b"\0" * 18, r"zip|torch|data\.pkl"),
    "zip without a pickle": (torch_zip(b"").replace(b"data.pkl", b"data.txt"), r"zip|torch|archive"),
    "damaged zip": (torch_zip(b"\x80\x02}.")[:60], r"zip|damaged|torch"),
    "torch zip of a number": (
        torch_zip(b"\x80\x02K\x07."),
        r"network|generator|famil|recogni|snapshot|G_ema",
    ),
}


@pytest.mark.parametrize("case", NO_SNAPSHOTS)
def test_file_that_is_no_snapshot(case, tmp_path):
    data, mentions = NO_SNAPSHOTS[case]
    assert_refused(write(tmp_path, data), mentions)


def test_missing_path(tmp_path):
    assert_refused(tmp_path / "absent.pkl", r"no file .*absent\.pkl|absent\.pkl.*(not exist|not found)")


def test_directory(tmp_path):
    folder = tmp_path / "folder.pkl"
    folder.mkdir()
    assert_refused(folder, r"director|folder")


def test_unreadable_path_of_strange_characters(tmp_path):
    """A name may hold an escape sequence; the message may not."""
    path = tmp_path / "a\x1b[31mb\nc.pkl"
    path.write_bytes(b"hello")
    assert_refused(path, r"not a|neither|pickle")


# --- other families -----------------------------------------------------------------------------


def stylegan3_snapshot() -> bytes:
    """The parts of a StyleGAN3 file that tell it apart (format note, section 7)."""
    rng = np.random.default_rng(0)

    def tensor(*shape: int, parameter: bool = True) -> SavedTensor:
        return SavedTensor(rng.standard_normal(shape), parameter)

    def dense(rows: int, columns: int) -> Module:
        return Module(
            "FullyConnectedLayer", parameters={"weight": tensor(rows, columns), "bias": tensor(rows)}
        )

    first = Module(
        "SynthesisInput",
        parameters={"weight": tensor(8, 8)},
        buffers={
            "transform": tensor(3, 3, parameter=False),
            "freqs": tensor(8, 2, parameter=False),
            "phases": tensor(8, parameter=False),
        },
        modules={"affine": dense(4, 10)},
    )

    def layer(rows: int) -> Module:
        return Module(
            "SynthesisLayer",
            parameters={"weight": tensor(rows, 8, 3, 3), "bias": tensor(rows)},
            buffers={
                "magnitude_ema": tensor(parameter=False),
                "up_filter": tensor(12, parameter=False),
                "down_filter": tensor(12, parameter=False),
            },
            modules={"affine": dense(8, 10)},
        )

    synthesis = Module(
        "SynthesisNetwork",
        modules={"input": first, "L0_36_8": layer(8), "L1_36_3": layer(3)},
        attributes={"w_dim": 10, "num_ws": 3, "img_resolution": 16, "img_channels": 3},
    )
    mapping = Module(
        "MappingNetwork",
        buffers={"w_avg": tensor(10, parameter=False)},
        modules={"fc0": dense(10, 12), "fc1": dense(10, 10)},
        attributes={"z_dim": 12, "c_dim": 0, "w_dim": 10, "num_ws": 3, "num_layers": 2, "embed": None},
    )
    sizes = {"z_dim": 12, "c_dim": 0, "w_dim": 10, "img_resolution": 16, "img_channels": 3, "num_ws": 3}
    return snapshot(
        Module("Generator", modules={"synthesis": synthesis, "mapping": mapping}, attributes=sizes)
    )


def tensorflow_snapshot() -> bytes:
    """A tuple of three dnnlib.tflib.network.Network objects (format note, section 7)."""
    one = b"cdnnlib.tflib.network\nNetwork\n)\x81}("
    one += text("version") + b"K\x04" + text("name") + text("Gs") + text("static_kwargs") + b"}"
    one += text("components") + b"}" + text("build_module_src") + text("import os\n")
    one += text("build_func_name") + text("G_main") + text("variables") + b"]ub"
    return b"\x80\x04" + one * 3 + b"\x87."


def rosinality_file(legacy: bool) -> bytes:
    state = {
        "input.input": torch.zeros(1, 8, 4, 4),
        "style.1.weight": torch.zeros(8, 8),
        "style.1.bias": torch.zeros(8),
        "conv1.conv.weight": torch.zeros(1, 8, 8, 3, 3),
        "conv1.conv.modulation.weight": torch.zeros(8, 8),
        "convs.0.conv.weight": torch.zeros(1, 8, 8, 3, 3),
        "convs.0.conv.modulation.weight": torch.zeros(8, 8),
        "noises.noise_0": torch.zeros(1, 1, 4, 4),
    }
    stream = io.BytesIO()
    torch.save(
        {"g_ema": state, "latent_avg": torch.zeros(8)}, stream, _use_new_zipfile_serialization=not legacy
    )
    return stream.getvalue()


OTHER_FAMILIES: dict[str, tuple[Callable[[], bytes], str]] = {
    "StyleGAN3": (stylegan3_snapshot, r"StyleGAN3"),
    "TensorFlow": (tensorflow_snapshot, r"TensorFlow"),
    "rosinality, zip": (lambda: rosinality_file(False), r"rosinality"),
    "rosinality, before torch 1.6": (lambda: rosinality_file(True), r"rosinality"),
}


@pytest.mark.parametrize("family", OTHER_FAMILIES)
def test_known_but_unsupported_family_is_named(family, tmp_path):
    make, mentions = OTHER_FAMILIES[family]
    assert_refused(write(tmp_path, make()), mentions)


# --- damage -------------------------------------------------------------------------------------


@pytest.mark.parametrize("layout", [TORCH_1_7, TORCH_2_13], ids=["torch1_7", "torch2_13"])
def test_truncated_file(layout, tmp_path):
    """Cut before, at and after opcode boundaries, one boundary of every kind of opcode among them."""
    data = snapshot(network(), layout)
    positions = [position for _, _, position in pickletools.genops(data)]
    first_of_kind = {op.name: position for op, _, position in reversed(list(pickletools.genops(data)))}
    rng = np.random.default_rng(0)
    cuts = {1, 2, 3, len(data) // 2, len(data) - 2, len(data) - 1}
    cuts |= {position + shift for position in first_of_kind.values() for shift in (0, 1, 2)}
    cuts |= {int(position) for position in rng.choice(positions, 40)}
    cuts |= {int(position) for position in rng.integers(1, len(data), 40)}
    for cut in sorted(cut for cut in cuts if 0 < cut < len(data)):
        assert_refused(
            write(tmp_path, data[:cut]), r"trunc|ends|end of|cut|incomplete|damaged|not a|neither|pickle"
        )


@pytest.mark.parametrize("layout", [TORCH_1_7, TORCH_2_13], ids=["torch1_7", "torch2_13"])
def test_random_damage_is_refused_or_harmless(layout, tmp_path, canary):
    """One byte changed at 150 places outside the weights: never another exception, never a warning."""
    data = snapshot(network(), layout)
    weights = np.zeros(len(data), dtype=bool)
    for _, argument, position in pickletools.genops(data):
        if isinstance(argument, bytes) and len(argument) > 300:
            weights[position + 300 : position + len(argument)] = True
    rng = np.random.default_rng(1)
    refused = 0
    for place in rng.choice(np.flatnonzero(~weights), 150, replace=False):
        damaged = bytearray(data)
        damaged[place] ^= int(rng.integers(1, 256))
        try:
            load(write(tmp_path, bytes(damaged)))
        except CheckpointError as error:
            assert_good_message(str(error), "")
            refused += 1
    assert refused > 50  # the file is mostly names and structure


def zip_of(data: bytes, compression: int) -> bytes:
    stream = io.BytesIO()
    with zipfile.ZipFile(stream, "w", compression) as archive:
        archive.writestr("network.pkl", data)
    return stream.getvalue()


CONTAINERS: dict[str, Callable[[], bytes]] = {
    "stored": lambda: zip_of(snapshot(network()), zipfile.ZIP_STORED),
    "deflated": lambda: zip_of(snapshot(network()), zipfile.ZIP_DEFLATED),
    "bzip2": lambda: zip_of(snapshot(network()), zipfile.ZIP_BZIP2),
    "LZMA": lambda: zip_of(snapshot(network()), zipfile.ZIP_LZMA),
    "torch": lambda: rosinality_file(False),
    "torch before 1.6": lambda: rosinality_file(True),
}


@pytest.mark.parametrize("kind", CONTAINERS)
def test_random_damage_to_containers_is_refused_or_harmless(kind, tmp_path):
    """Up to three bytes changed, most of them in the headers at both ends."""
    data = CONTAINERS[kind]()
    rng = np.random.default_rng(2)
    size = len(data)
    for _ in range(100):
        damaged = bytearray(data)
        for place in (rng.integers(0, 200), size - 1 - rng.integers(0, 200), rng.integers(0, size)):
            if rng.random() < 0.5:
                damaged[place] = int(rng.integers(0, 256))
        try:
            load(write(tmp_path, bytes(damaged)))
        except CheckpointError as error:
            assert_good_message(str(error), "")


# --- tensors that lie ---------------------------------------------------------------------------


def parts_of(array: np.ndarray, **lies: Any) -> bytes:
    return b"".join(storage_parts(array.astype(np.float32).ravel(), **lies))


FILTER_VALUES = np.full((4, 4), 1 / 16)


def lying_storage(part: int, old: bytes, new: bytes) -> bytes:
    parts = storage_parts(FILTER_VALUES.astype(np.float32).ravel())
    assert old in parts[part]
    parts[part] = parts[part].replace(old, new)
    return b"".join(parts)


STORAGES: dict[str, bytes] = {
    "empty": b"",
    "garbage": b"garbage" * 20,
    "claims 10**12 elements in its name": parts_of(FILTER_VALUES, claimed=10**12),
    "counts 10**12 elements": parts_of(FILTER_VALUES, counted=10**12),
    "claims and counts 10**12 elements": parts_of(FILTER_VALUES, claimed=10**12, counted=10**12),
    "claims and counts 2**61 elements": parts_of(FILTER_VALUES, claimed=2**61, counted=2**61),
    "counts -1 elements": parts_of(FILTER_VALUES, claimed=-1, counted=-1),
    "too few bytes": parts_of(FILTER_VALUES)[:-4],
    "no data": parts_of(FILTER_VALUES)[: -16 * 4 - 8],
    "only the magic number": parts_of(FILTER_VALUES)[:15],
    "another magic number": lying_storage(0, b"\x6c\xfc", b"\x6c\xfd"),
    "another protocol": lying_storage(1, b"\xe9\x03", b"\xea\x03"),
    "big endian": lying_storage(2, b"\x88", b"\x89"),
    "type is os.system": lying_storage(3, b"ctorch\nFloatStorage\n", b"cos\nsystem\n"),
    "type is torch.nn.Module": lying_storage(3, b"ctorch\nFloatStorage\n", b"ctorch\nnn.Module\n"),
    "type is a string": lying_storage(3, b"ctorch\nFloatStorage\n", text("FloatStorage")),
    "not a storage": lying_storage(3, b"storage", b"garbage"),
    "two keys": lying_storage(4, b"q\x01a", b"q\x01aK\x01a"),
}


@pytest.mark.parametrize("case", STORAGES)
def test_storage_bytes_that_lie(case, tmp_path):
    sound = network()
    tensor = SavedTensor(FILTER_VALUES, parameter=False, storage=STORAGES[case])
    sound.set_tensor("synthesis.b4.resample_filter", tensor)
    mentions = r"storage|tensor|resample_filter|ends early|damaged|older file format|big-endian"
    mentions += r"|os\.system|nn\.Module|persistent id|opcode"
    assert_refused(write(tmp_path, snapshot(sound)), mentions)


VIEWS: dict[str, dict[str, Any]] = {
    "offset beyond the end": {"offset": 1},
    "offset far beyond the end": {"offset": 2**40},
    "negative offset": {"offset": -1},
    "offset of 100 digits": {"offset": 10**100},
    "offset is a string": {"offset": "0"},
    "offset is None": {"offset": None},
    "size beyond the end": {"size": (12, 4, 5), "stride": (20, 5, 1)},
    "negative size": {"size": (12, -4, -4)},
    "huge size without stride": {"size": (2**31, 2**31, 4), "stride": (0, 0, 1)},
    "zero strides": {"stride": (0, 0, 0)},
    "zero stride, one axis": {"stride": (16, 4, 0)},
    "negative stride": {"offset": 191, "stride": (-16, -4, -1)},
    "overlapping": {"stride": (4, 4, 1)},
    "huge stride": {"stride": (2**62, 4, 1)},
    "wrapping stride": {"stride": (2**64, 4, 1)},
    "one stride missing": {"stride": (16, 4)},
    "one stride more": {"stride": (192, 16, 4, 1)},
    "sizes are floats": {"size": (12.0, 4.0, 4.0)},
    "size is a number": {"size": 192},
    "sizes are tuples": {"size": ((12,), (4,), (4,))},
    "size is a list": {"size": [12, 4, 4]},
    "100000 axes": {"size": (1,) * 100_000, "stride": (1,) * 100_000},
}


@pytest.mark.parametrize("case", VIEWS)
def test_view_that_leaves_its_storage(case, tmp_path):
    """Of the constant input, (12, 4, 4) in 192 elements."""
    sound = network()
    tensor = replace(sound.tensor("synthesis.b4.const"), **VIEWS[case])
    sound.set_tensor("synthesis.b4.const", tensor)
    assert_refused(write(tmp_path, snapshot(sound)), r"stride|size|shape|offset|storage|tensor|integer")


SHAPES: dict[str, tuple[int, ...]] = {
    # tensor of the 8-pixel network: a shape it should not have
    "synthesis.b4.const": (12, 8, 8),
    "synthesis.b4.conv1.weight": (12, 11, 3, 3),
    "synthesis.b4.conv1.bias": (11,),
    "synthesis.b4.conv1.noise_const": (8, 8),
    "synthesis.b4.conv1.noise_strength": (1,),
    "synthesis.b4.conv1.affine.weight": (12, 9),
    "synthesis.b4.conv1.affine.bias": (1,),
    "synthesis.b4.torgb.weight": (3, 12, 3, 3),
    "synthesis.b8.conv0.weight": (12, 12, 5, 5),
    "synthesis.b8.conv0.resample_filter": (0, 0),
    "synthesis.b8.resample_filter": (4,),
    "synthesis.b8.torgb.weight": (4, 12, 1, 1),
    "synthesis.b8.torgb.bias": (4,),
    "mapping.fc0.weight": (10, 13),
    "mapping.fc1.weight": (10, 0),
    "mapping.fc1.bias": (1,),
    "mapping.w_avg": (11,),
}


@pytest.mark.parametrize("name", SHAPES)
def test_wrong_shape_names_the_tensor(name, tmp_path):
    """Shapes that would broadcast, (1,) for a bias, are wrong too."""
    sound = network()
    old = sound.tensor(name)
    sound.set_tensor(name, SavedTensor(np.ones(SHAPES[name]), old.parameter))
    assert_refused(write(tmp_path, snapshot(sound)), re.escape(name))


@pytest.mark.parametrize("name", [name for name in SHAPES if name != "mapping.w_avg"])
def test_missing_tensor_is_named(name, tmp_path):
    sound = network()
    sound.drop_tensor(name)
    assert_refused(write(tmp_path, snapshot(sound)), re.escape(name))


def test_missing_mean_latent_is_refused_or_truncation_is(tmp_path):
    """Some networks keep no w_avg; a truncation towards zeros instead would be a silent mistake."""
    sound = network()
    sound.drop_tensor("mapping.w_avg")
    path = write(tmp_path, snapshot(sound))
    try:
        generator = load(path)
    except CheckpointError as error:
        assert_good_message(str(error), r"mapping\.w_avg")
        return
    z = torch.ones(1, 12)
    assert generator.map(z).shape == (1, 4, 10)
    with pytest.raises(ValueError, match="truncation_psi"):
        generator.map(z, truncation_psi=0.5)


@pytest.mark.parametrize("value", [None, 1.5, "x", [], {}, b"abc", ()])
def test_something_else_instead_of_a_tensor(value, tmp_path):
    """None is torch's way to say that a module has no such parameter."""
    sound = network()
    sound.set_tensor("synthesis.b8.conv1.weight", value)
    assert_refused(write(tmp_path, snapshot(sound)), r"synthesis\.b8\.conv1\.weight|weight.*SynthesisLayer")


@pytest.mark.parametrize("name", ["b4", "b8"])
def test_missing_block_is_named(name, tmp_path):
    sound = network()
    del sound.find("synthesis").modules[name]
    assert_refused(write(tmp_path, snapshot(sound)), rf"{name}\b|not a StyleGAN2-ADA generator")


@pytest.mark.parametrize("child", [None, 7, "x", {}, ()])
def test_something_else_instead_of_a_module(child, tmp_path):
    sound = network()
    sound.find("synthesis.b8").modules["conv1"] = child
    assert_refused(write(tmp_path, snapshot(sound)), r"conv1")


def test_not_a_number_loads_or_is_refused_by_name(tmp_path):
    """A diverged training run is an honest file; nothing else about it may go wrong."""
    tensors = random_tensors(SMALL, 0)
    tensors["synthesis.b8.conv1.weight"][0, 0, 0, 0] = np.nan
    path = write(tmp_path, snapshot(generator_module(SMALL, tensors)))
    try:
        generator = load(path)
    except CheckpointError as error:
        assert_good_message(str(error), r"synthesis\.b8\.conv1\.weight")
        return
    image = generator.synthesize(torch.zeros(1, generator.num_ws, generator.w_dim))
    assert image.isnan().any()


@pytest.mark.parametrize(
    ("storage_type", "dtype"),
    [
        ("DoubleStorage", np.float64),
        ("HalfStorage", np.float16),
        ("LongStorage", np.int64),
        ("BoolStorage", np.bool_),
        ("ComplexFloatStorage", np.complex64),
        ("UntypedStorage", np.uint8),
    ],
)
def test_other_element_types_are_converted_or_refused(storage_type, dtype, tmp_path):
    sound = network()
    values = np.arange(1, 193).reshape(12, 4, 4).astype(dtype)
    storage = b"".join(storage_parts(values.ravel(), storage_type=storage_type))
    sound.set_tensor("synthesis.b4.const", SavedTensor(values, storage=storage))
    path = write(tmp_path, snapshot(sound))
    try:
        found = load(path)
    except CheckpointError as error:
        assert_good_message(str(error), rf"{storage_type}|const")
        return
    # every value here is exact in float32
    honest = network()
    honest.set_tensor("synthesis.b4.const", SavedTensor(values.astype(np.float32)))
    expected = load(write(tmp_path, snapshot(honest)))
    assert found.fingerprint == expected.fingerprint


# --- configurations that lie --------------------------------------------------------------------

BAD_NUMBERS: list[Any] = [2**20, 2**40, 10**9, 33, 0, -4, -1, True, 8.0, "8", None, [8], float("nan")]
LIES = [
    ("", "img_resolution"),
    ("", "img_channels"),
    ("", "z_dim"),
    ("", "c_dim"),
    ("", "w_dim"),
    ("", "num_ws"),
    ("synthesis", "img_resolution"),
    ("synthesis", "num_ws"),
    ("mapping", "num_layers"),
    ("mapping", "z_dim"),
    ("mapping", "num_ws"),
]


@pytest.mark.parametrize(
    ("module", "attribute", "value"),
    [(*lie, value) for lie in LIES for value in BAD_NUMBERS if (lie[1], value) != ("c_dim", 0)],
    ids=lambda part: str(part) or "generator",
)
def test_number_that_contradicts_the_tensors(module, attribute, value, tmp_path):
    """Refused by name before anything is allocated; a copy that nothing reads may be ignored."""
    sound = network()
    owner = sound.find(module) if module else sound
    owner.attributes[attribute] = value
    path = write(tmp_path, snapshot(sound))
    try:
        generator = load(path)
    except CheckpointError as error:
        assert_good_message(str(error), rf"{attribute}|resolution|mapping|synthesis|shape")
        return
    # obeyed the tensors, or another copy of the number
    assert module, f"{attribute} = {value!r} was ignored"
    assert (generator.z_dim, generator.c_dim, generator.w_dim, generator.num_ws) == (12, 0, 10, 4)
    assert generator.resolution == (8, 8)
    assert generator.channels == 3


@pytest.mark.parametrize("value", BAD_NUMBERS, ids=repr)
@pytest.mark.parametrize("attribute", ["img_resolution", "num_ws", "w_dim", "z_dim", "img_channels"])
def test_number_that_is_wrong_in_every_place(attribute, value, tmp_path):
    """All copies of the number agree with each other and disagree with the tensors."""
    sound = network()
    for module in (sound, sound.find("synthesis"), sound.find("mapping")):
        if attribute in module.attributes:
            module.attributes[attribute] = value
    sound.init_kwargs[attribute] = value
    assert_refused(write(tmp_path, snapshot(sound)), rf"{attribute}|resolution|shape")


@pytest.mark.parametrize("value", ["stylegan", "", None, 3, ["skip"]], ids=repr)
def test_unknown_architecture(value, tmp_path):
    sound = network()
    for block in sound.find("synthesis").modules.values():
        block.attributes["architecture"] = value
    assert_refused(write(tmp_path, snapshot(sound)), r"architecture")


@pytest.mark.parametrize("value", ["x", -1.0, float("nan"), [1]], ids=repr)
def test_clamp_that_is_no_bound(value, tmp_path):
    sound = network()
    for name in ("b4.conv1", "b8.conv0", "b8.conv1", "b4.torgb", "b8.torgb"):
        sound.find(f"synthesis.{name}").attributes["conv_clamp"] = value
    assert_refused(write(tmp_path, snapshot(sound)), r"clamp")


@pytest.mark.parametrize("name", ["synthesis", "mapping"])
def test_missing_half(name, tmp_path):
    sound = network()
    del sound.modules[name]
    assert_refused(write(tmp_path, snapshot(sound)), rf"{name}|not a StyleGAN2-ADA generator")


def test_missing_attributes_are_refused_or_not_needed(tmp_path):
    """Any attribute of any module removed: refused by name, or the network is the same."""
    expected = load(write(tmp_path, snapshot(network())))
    ws = torch.ones(1, 4, 10)
    picture = expected.synthesize(ws)
    modules = ["", "synthesis", "mapping", "mapping.fc0", "synthesis.b8", "synthesis.b8.conv0"]
    modules += ["synthesis.b8.conv1", "synthesis.b8.torgb", "synthesis.b8.conv1.affine"]
    for module in modules:
        for attribute in (network().find(module) if module else network()).attributes:
            sound = network()
            del (sound.find(module) if module else sound).attributes[attribute]
            try:
                found = load(write(tmp_path, snapshot(sound)))
            except CheckpointError as error:
                assert_good_message(str(error), attribute)
            else:
                assert torch.equal(found.synthesize(ws), picture), (module, attribute)


@pytest.mark.parametrize(
    "kwargs", [None, EasyDict({}), {"img_resolution": 2**30}, {"synthesis_kwargs": 7}, 5]
)
def test_init_kwargs_never_override_the_modules(kwargs, tmp_path):
    """EDM-family writers store None; what they say is not the truth anyway."""
    sound = network()
    sound.init_kwargs = kwargs
    path = write(tmp_path, snapshot(sound))
    try:
        assert load(path).resolution == (8, 8)
    except CheckpointError as error:
        assert kwargs not in (None, EasyDict({})), error
        assert_good_message(str(error), r"init_kwargs|img_resolution|synthesis_kwargs")


# --- attacks on memory, time and the stack ---------------------------------------------------------


def attribute_bomb(opcodes: bytes) -> bytes:
    sound = network()
    sound.attributes["w_dim"] = Raw(opcodes)
    return snapshot(sound)


def deep_dicts() -> bytes:
    return b"}N" * 10**5 + b"N" + b"s" * 10**5


def version_bomb() -> bytes:
    sound = network()
    sound.version = Raw(b")" + b"\x85" * LESS_DEEP)
    return snapshot(sound)


def lzma_bomb() -> bytes:
    """A zip whose one member claims the largest window that LZMA has."""
    data = bytearray(zip_of(snapshot(network()), zipfile.ZIP_LZMA))
    properties = data.index(b"network.pkl") + len(b"network.pkl") + 4  # after version and length
    data[properties + 1 : properties + 5] = b"\xff\xff\xff\xff"
    return bytes(data)


def storage_memo_bomb() -> bytes:
    sound = network()
    storage = lying_storage(3, b"q\x04Q", b"r\0\0\0\x08Q")
    tensor = SavedTensor(FILTER_VALUES, parameter=False, storage=storage)
    sound.set_tensor("synthesis.b4.resample_filter", tensor)
    return snapshot(sound)


def module_tower(height: int) -> bytes:
    """Persistent objects nested in each other, written without recursion."""
    head = b"ctorch_utils.persistence\n_reconstruct_persistent_obj\n}(" + text("type") + text("class")
    head += text("version") + b"K\x06" + text("module_src") + text("") + text("class_name") + text("Module")
    head += (
        text("state") + b"}(" + text("_parameters") + b"}" + text("_buffers") + b"}" + text("_modules") + b"}"
    )
    head += text("a")
    return head * height + b"N" + b"suu\x85R" * height


def self_containing() -> Module:
    """A block whose children are the children of the network it belongs to."""
    sound = network()
    synthesis = sound.find("synthesis")
    synthesis.modules["b8"].modules = synthesis.modules
    return sound


def module_that_is_its_own_child() -> Module:
    sound = network()
    extra = tiny_module("SynthesisBlock")
    extra.modules["again"] = Module("SynthesisLayer", modules=extra.modules)
    sound.find("synthesis").modules["b16"] = extra
    return sound


def module_laughs() -> Module:
    """60 levels, each twice the one below: 2**60 paths in a few kilobytes."""
    sound, tower = network(), tiny_module("SynthesisBlock")
    for _ in range(60):
        tower = Module("SynthesisBlock", modules={"a": tower, "b": tower})
    sound.find("synthesis").modules["b16"] = tower
    return sound


def dictionary_laughs() -> dict[str, Any]:
    tower: dict[str, Any] = {}
    for _ in range(60):
        tower = {"a": tower, "b": tower}
    return tower


def with_attribute(name: str, value: Any) -> bytes:
    sound = network()
    sound.attributes[name] = value
    return snapshot(sound)


def with_init_kwargs(value: Any) -> bytes:
    sound = network()
    sound.init_kwargs = {"synthesis_kwargs": value}
    return snapshot(sound)


def shared_layers() -> bytes:
    """One object under two names: legal in torch, never written by the official code."""
    sound = network(replace(SMALL, mapping_layers=3))
    mapping = sound.find("mapping")
    mapping.modules["fc2"] = mapping.modules["fc1"]
    return snapshot(sound)


def zip_bomb(gibibytes: int) -> bytes:
    """data.pkl of zeros: 1 MiB in each kilobyte of deflate."""
    chunk = bytes(2**20)
    packer = zlib.compressobj(9, zlib.DEFLATED, -15)
    block = packer.compress(chunk) + packer.flush(zlib.Z_FULL_FLUSH)
    count = gibibytes * 1024
    packed = block * count + zlib.compressobj(9, zlib.DEFLATED, -15).flush()
    name = b"archive/data.pkl"
    # the checksum is false: a reader that gets there has already unpacked everything
    fields = struct.pack("<HHHHHIIIHH", 20, 0, 8, 0, 0x5821, 0, len(packed), count * 2**20, len(name), 0)
    local = b"PK\x03\x04" + fields + name
    entry = b"PK\x01\x02" + struct.pack("<H", 20) + fields + struct.pack("<HHHII", 0, 0, 0, 0, 0) + name
    end = b"PK\x05\x06" + struct.pack("<HHHHIIH", 0, 0, 1, 1, len(entry), len(local) + len(packed), 0)
    return local + packed + entry + end


@dataclass(frozen=True)
class Bomb:
    """A file that costs a careless reader gigabytes, hours or its life.

    Attributes:
        data: the file.
        mentions: pattern for the message.
        may_load: the network in it is sound, and a reader that never looks at the bomb is right too.
    """

    data: Callable[[], bytes]
    mentions: str = "damaged"
    may_load: bool = False


DEEP = 10**6
LESS_DEEP = 2 * 10**5  # enough to overflow the C stack, few enough opcodes to be read to the end
STRUCTURE = r"nest|deep|depth|level|structure|opcodes|w_dim"
LENGTH = r"length|long|trunc|ends|end of|bytes|damaged|opcode"
MODULES = r"module|cycl|twice|shared|itself|nest|deep|b16|b8|again|conv0"
BOMBS = {
    "memo index 2**27": Bomb(lambda: attribute_bomb(b"Nr\0\0\0\x08"), r"memo"),
    "memo index 2**32 - 1": Bomb(lambda: attribute_bomb(b"Nr\xff\xff\xff\xff"), r"memo"),
    "memo index 2**27 in storage bytes": Bomb(storage_memo_bomb, r"memo|storage|resample_filter"),
    "memo index as text": Bomb(lambda: attribute_bomb(b"Np134217728\n"), r"memo|PUT"),
    "deep tuples": Bomb(lambda: attribute_bomb(b")" + b"\x85" * LESS_DEEP), STRUCTURE),
    "deeper tuples": Bomb(lambda: attribute_bomb(b")" + b"\x85" * DEEP), STRUCTURE),
    "deep tuples as a key": Bomb(
        lambda: attribute_bomb(b"})" + b"\x85" * LESS_DEEP + b"Ns"), STRUCTURE + "|key"
    ),
    "deep tuples by marks": Bomb(lambda: attribute_bomb(b"(" * DEEP + b"t" * DEEP), STRUCTURE + "|mark"),
    "deep lists": Bomb(lambda: attribute_bomb(b"]" * 10**5 + b"a" * (10**5 - 1)), STRUCTURE),
    "deep dicts": Bomb(lambda: attribute_bomb(deep_dicts()), STRUCTURE),
    "deep modules": Bomb(lambda: attribute_bomb(module_tower(20_000)), STRUCTURE),
    "deep dicts in D": Bomb(lambda: snapshot(network(), d=Raw(deep_dicts())), STRUCTURE, may_load=True),
    "deep tuples in an unknown attribute": Bomb(
        lambda: with_attribute("extra", Raw(b")" + b"\x85" * LESS_DEEP)), STRUCTURE, may_load=True
    ),
    "deep tuples as version": Bomb(version_bomb, STRUCTURE + "|version"),
    "many opcodes": Bomb(lambda: attribute_bomb(b"](" + b"N" * (3 * DEEP) + b"e"), STRUCTURE),
    "LZMA dictionary of 4 GiB": Bomb(lzma_bomb, r"zip|compress|archive|LZMA", may_load=True),
    "string of 4 GiB": Bomb(lambda: attribute_bomb(b"X\xff\xff\xff\xff"), LENGTH),
    "string of 2**62 bytes": Bomb(lambda: attribute_bomb(b"\x8d" + struct.pack("<Q", 2**62)), LENGTH),
    "bytes of 4 GiB": Bomb(lambda: attribute_bomb(b"B\xff\xff\xff\xff"), LENGTH),
    "bytes of 2**40": Bomb(lambda: attribute_bomb(b"\x8e" + struct.pack("<Q", 2**40)), LENGTH),
    "bytearray of 2**40": Bomb(lambda: attribute_bomb(b"\x96" + struct.pack("<Q", 2**40)), LENGTH),
    "integer of 2 GiB": Bomb(lambda: attribute_bomb(b"\x8b" + struct.pack("<i", 2**31 - 1)), LENGTH),
    "integer of negative length": Bomb(lambda: attribute_bomb(b"\x8b" + struct.pack("<i", -1)), LENGTH),
    "integer of a million bytes": Bomb(
        lambda: attribute_bomb(b"\x8b" + struct.pack("<i", 10**6) + b"\x7f" * 10**6), LENGTH + "|w_dim"
    ),
    "integer of a million digits": Bomb(
        lambda: attribute_bomb(b"I" + b"9" * 10**6 + b"\n"), LENGTH + "|w_dim|INT"
    ),
    "frame of 2**62 bytes": Bomb(
        lambda: b"\x80\x04\x95" + struct.pack("<Q", 2**62) + b"N.", LENGTH + "|frame|NoneType"
    ),
    "names that double": Bomb(lambda: with_attribute("extra", dictionary_laughs()), STRUCTURE, may_load=True),
    "options that double": Bomb(lambda: with_init_kwargs(dictionary_laughs()), STRUCTURE, may_load=True),
    "modules that double": Bomb(lambda: snapshot(module_laughs()), MODULES),
    "module inside itself": Bomb(lambda: snapshot(self_containing()), MODULES),
    "module that is its own child": Bomb(lambda: snapshot(module_that_is_its_own_child()), MODULES),
    "one layer under two names": Bomb(shared_layers, MODULES, may_load=True),
    "resolution 2**40": Bomb(lambda: with_attribute("img_resolution", 2**40), r"resolution"),
    "10**9 mapping layers": Bomb(lambda: _changed("mapping", "num_layers", 10**9), r"num_layers|mapping|fc2"),
    "list of 10**9 resolutions": Bomb(
        lambda: _changed("synthesis", "img_resolution_log2", 10**9), r"resolution", may_load=True
    ),
    "zip bomb": Bomb(lambda: zip_bomb(3), r"zip|compress|size|large|unpack|data\.pkl"),
}


def _changed(module: str, attribute: str, value: Any) -> bytes:
    sound = network()
    sound.find(module).attributes[attribute] = value
    return snapshot(sound)


# In the child: one fork per file. Limits: 1 GiB of address space beyond what importing took, 20 s of
# processor time, 40 s of waiting. The answer of each: kind (refused, loaded, the name of another exception,
# or the signal that killed it), message, seconds, growth of the largest resident size in MiB.
CHILD = """
import json, os, pickle, resource, signal, sys, time
from pathlib import Path
from gan_topdis.generators.checkpoint_error import CheckpointError
from gan_topdis.generators.load import load_generator

def plain(path):
    pickle.loads(Path(path).read_bytes())

jobs = json.loads(sys.stdin.read())
load_generator(jobs.pop("sound"))     # imports, caches
for name, path in jobs.items():
    read_end, write_end = os.pipe()
    child = os.fork()
    if child == 0:
        os.close(read_end)
        pages = int(Path("/proc/self/statm").read_text().split()[0])
        limit = pages * os.sysconf("SC_PAGE_SIZE") + 2**30
        resource.setrlimit(resource.RLIMIT_AS, (limit, limit))
        resource.setrlimit(resource.RLIMIT_CPU, (20, 20))
        resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
        signal.alarm(40)
        before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
        start = time.process_time()
        message = ""
        try:
            (plain if name.startswith("plain ") else load_generator)(Path(path))
            kind = "loaded"
        except CheckpointError as error:
            kind, message = "refused", str(error)
        except BaseException as error:
            kind, message = type(error).__name__, str(error)[:200]
        seconds = time.process_time() - start
        growth = (resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before) / 1024
        os.write(write_end, json.dumps([kind, message[:4000], seconds, growth]).encode())
        os._exit(0)
    os.close(write_end)
    with os.fdopen(read_end, "rb") as pipe:
        answer = pipe.read()
    _, status = os.waitpid(child, 0)
    if not answer:
        answer = json.dumps([f"killed by signal {os.WTERMSIG(status)}", "", 0, 0]).encode()
    print(json.dumps({name: json.loads(answer)}), flush=True)
"""


@pytest.fixture(scope="module")
def verdicts(tmp_path_factory):
    """What became of each bomb: name to (kind, message, seconds, growth in MiB)."""
    if not sys.platform.startswith("linux"):
        pytest.skip("sets limits that only Linux keeps")
    folder = tmp_path_factory.mktemp("bombs")
    jobs = {"sound": folder / "sound.pkl"}
    jobs["sound"].write_bytes(snapshot(network()))
    for index, (name, bomb) in enumerate(BOMBS.items()):
        jobs[name] = folder / f"{index}.pkl"
        jobs[name].write_bytes(bomb.data())
    for name, data in PLAIN_CONTROLS.items():
        jobs[name] = folder / f"{name}.pkl"
        jobs[name].write_bytes(data)
    os.mkfifo(folder / "fifo.pkl")
    jobs["a pipe"] = folder / "fifo.pkl"
    jobs["an endless device"] = Path("/dev/zero")
    root = Path(__file__).parents[2]
    environment = dict(os.environ, PYTHONPATH=str(root), OMP_NUM_THREADS="1", CUDA_VISIBLE_DEVICES="")
    result = subprocess.run(
        [sys.executable, "-c", CHILD],
        input=json.dumps({name: str(path) for name, path in jobs.items()}),
        env=environment,
        cwd=folder,
        capture_output=True,
        text=True,
        timeout=300,
        check=False,
    )
    assert result.returncode == 0, result.stderr[-2000:]
    found: dict[str, list[Any]] = {}
    for line in result.stdout.splitlines():
        found |= json.loads(line)
    return found


# The same attacks on plain pickle, to show that the limits are felt.
PLAIN_CONTROLS = {
    "plain memo bomb": b"\x80\x03Nr\0\0\0\x08.",
    "plain nested key": b"\x80\x03})" + b"\x85" * DEEP + b"Ns.",
}


def test_limits_are_felt(verdicts):
    """Plain pickle runs out of memory on the first and overflows the C stack on the second."""
    assert verdicts["plain memo bomb"][0] == "MemoryError"
    assert verdicts["plain nested key"][0].startswith("killed by signal")


def assert_cheap(seconds: float, growth: float) -> None:
    """Megabytes and seconds, with room for a slow machine; the bombs ask for gigabytes or hours."""
    assert seconds < 10
    assert growth < 250


@pytest.mark.parametrize("name", BOMBS)
def test_bomb_is_refused_cheaply(name, verdicts):
    kind, message, seconds, growth = verdicts[name]
    bomb = BOMBS[name]
    if bomb.may_load:
        assert kind in ("refused", "loaded"), (kind, message)
    else:
        assert kind == "refused", (kind, message)
    if kind == "refused":
        assert_good_message(message, bomb.mentions)
    assert_cheap(seconds, growth)


@pytest.mark.parametrize("name", ["a pipe", "an endless device"])
def test_path_that_is_no_regular_file(name, verdicts):
    kind, message, seconds, growth = verdicts[name]
    assert kind == "refused", (kind, message)
    assert_good_message(message, r"regular|file|pipe|device")
    assert_cheap(seconds, growth)
