"""`load_generator`: what it recognises, what it refuses in which words, and that nothing runs."""

from __future__ import annotations

import io
import pickle
import pickletools
import random
import struct
import sys
import zipfile
from collections import OrderedDict
from pathlib import Path

import pytest
import torch
from torch import nn

from gan_topdis.generators import load as load_module
from gan_topdis.generators.checkpoint_error import CheckpointError
from gan_topdis.generators.load import load_generator, resolve_device
from gan_topdis.generators.network_file import MAX_EXPANSION, file_kind, read_network_file
from gan_topdis.generators.object_module import ModuleGenerator
from gan_topdis.generators.protocol import Generator
from gan_topdis.generators.torch_storage import STORAGE_TYPES, StoredTensor
from third_party import stylegan2_ada_pytorch as stylegan2

FIXTURES = Path(__file__).parents[1] / "fixtures" / "stylegan2_ada"
FIXTURE = FIXTURES / "uncond32_skip.torch1_7.pkl"
PROTOCOL = b"\x80\x04"


def written(tmp_path: Path, data: bytes) -> Path:
    path = tmp_path / "network.pkl"
    path.write_bytes(data)
    return path


def live_network() -> stylegan2.Generator:
    """A small conditional network that the user owns: in training mode, with gradients, one part frozen."""
    with torch.random.fork_rng():
        torch.manual_seed(0)
        network = stylegan2.Generator(
            stylegan2.GeneratorConfiguration(
                z_dim=6,
                c_dim=3,
                w_dim=5,
                img_resolution=8,
                img_channels=1,
                synthesis=stylegan2.SynthesisConfiguration(channels=(4, 4)),
                mapping=stylegan2.MappingConfiguration(num_layers=2),
            )
        )
    network.mapping.embed.eval().requires_grad_(False)
    return network


def flags(module: nn.Module) -> list[bool]:
    return [part.training for part in module.modules()] + [p.requires_grad for p in module.parameters()]


# --- live modules ---


def test_live_module_gives_its_own_pictures_and_is_given_back():
    network = live_network()
    before = flags(network)
    assert True in before
    assert False in before
    generator = load_generator(network, device="cpu")
    assert (generator.family, generator.load_mode) == ("stylegan2-ada", "object")
    assert (generator.z_dim, generator.c_dim, generator.w_dim, generator.num_ws) == (6, 3, 5, 4)
    z, c = generator.latents([1, 2]), generator.label(2, 2)
    ws = generator.map(z, c).detach().requires_grad_()
    images = generator.synthesize(ws)
    images.sum().backward()
    assert ws.grad is not None
    assert all(parameter.grad is None for parameter in network.parameters())
    assert flags(network) == before
    assert not network.mapping.w_avg.any()  # training mode would have moved it
    expected = network.synthesis(network.mapping(z, c, skip_w_avg_update=True), noise_mode="const")
    torch.testing.assert_close(images, expected, rtol=0, atol=1e-6)
    assert [row.modules for row in generator.layer_table()] == [
        ("b4.conv1",),
        ("b4.torgb", "b8.conv0"),
        ("b8.conv1",),
        ("b8.torgb",),
    ]


def test_live_module_is_given_back_when_it_raises():
    network = live_network()
    before = flags(network)
    generator = load_generator(network, device="cpu")

    def fail(*_: object) -> None:
        raise RuntimeError("out of memory")

    handle = network.synthesis.register_forward_pre_hook(fail)
    with pytest.raises(RuntimeError, match="out of memory"):
        generator.synthesize(torch.zeros(1, 4, 5))
    handle.remove()
    assert flags(network) == before


def test_other_modules_are_pointed_to_from_callable():
    with pytest.raises(CheckpointError, match="from_callable"):
        load_generator(nn.Linear(2, 3), device="cpu")
    with pytest.raises(TypeError, match="from_callable"):
        load_generator(lambda z: z, device="cpu")  # type: ignore[arg-type]


# --- names and paths ---


def test_generator_is_returned_as_it_is():
    generator = load_generator(live_network(), device="cpu")
    assert load_generator(generator) is generator


def test_missing_file_lists_names(tmp_path):
    with pytest.raises(
        CheckpointError, match=r"there is no file .*nothing.pkl; names without a file: scenes"
    ):
        load_generator(tmp_path / "nothing.pkl", device="cpu")
    with pytest.raises(CheckpointError, match="is a folder"):
        load_generator(tmp_path, device="cpu")


def test_registered_name(monkeypatch):
    """An entry point is a callable that takes the device."""

    class Entry:
        name = "toy"

        def load(self):
            return lambda device: ModuleGenerator(
                live_network(), name="toy", load_mode="builtin", device=device
            )

    class Broken(Entry):
        name = "broken"

        def load(self):
            return lambda device: 17

    entries = {"toy": Entry(), "broken": Broken()}

    def entry_points(*, group: str, name: str | None = None) -> list[Entry]:
        assert group == "gan_topdis.generators"
        return list(entries.values()) if name is None else [entries[name]]

    monkeypatch.setattr(load_module, "entry_points", entry_points)
    generator = load_generator("toy", device="cpu")
    assert isinstance(generator, Generator)
    assert load_module.names() == [*load_module.BUILT_IN, "broken", "toy"]
    with pytest.raises(TypeError, match=r"'broken' .* should return a .*Generator, got int"):
        load_generator("broken", device="cpu")


def test_devices():
    assert resolve_device("cpu") == torch.device("cpu")
    assert resolve_device("auto").type in ("cpu", "cuda", "mps")
    with pytest.raises(ValueError, match="auto, cpu, cuda, mps, got 'tpu'"):
        resolve_device("tpu")
    with pytest.raises(ValueError, match="device cuda:99 is not there"):
        resolve_device("cuda:99")


# --- loading with code ---

PERSISTENCE = '''
"""A stand-in for the user's checkout: rebuilds the module tree with code, as persistent objects do."""
import torch

from third_party import stylegan2_ada_pytorch as stylegan2


class Saved:
    def __init__(self, state):
        self.state = state


def tensors(saved, prefix=""):
    for group in ("_parameters", "_buffers"):
        for name, tensor in saved.state[group].items():
            yield prefix + name, tensor
    for name, child in saved.state["_modules"].items():
        yield from tensors(child, prefix + name + ".")


def _reconstruct_persistent_obj(meta):
    saved = Saved(meta["state"])
    if meta["class_name"] != "Generator":
        return saved
    state = {name: tensor.detach() for name, tensor in tensors(saved)}
    network = stylegan2.Generator(
        stylegan2.GeneratorConfiguration(
            z_dim=64, c_dim=0, w_dim=64, img_resolution=32, img_channels=3,
            synthesis=stylegan2.SynthesisConfiguration(channels=(64, 64, 64, 64)),
        )
    )
    network.load_state_dict(state)
    return network
'''


@pytest.fixture
def checkout(tmp_path, monkeypatch) -> Path:
    """A folder with torch_utils and dnnlib; whatever is imported from it is forgotten afterwards."""
    root = tmp_path / "stylegan"
    (root / "torch_utils").mkdir(parents=True)
    (root / "dnnlib").mkdir()
    (root / "torch_utils" / "__init__.py").write_text("")
    (root / "torch_utils" / "persistence.py").write_text(PERSISTENCE)
    (root / "dnnlib" / "__init__.py").write_text("from dnnlib import util\n")
    (root / "dnnlib" / "util.py").write_text("class EasyDict(dict):\n    pass\n")
    for name in ("torch_utils", "torch_utils.persistence", "dnnlib", "dnnlib.util"):
        monkeypatch.delitem(sys.modules, name, raising=False)
    yield root
    for name in ("torch_utils", "torch_utils.persistence", "dnnlib", "dnnlib.util"):
        sys.modules.pop(name, None)


def test_loading_with_code_needs_consent(checkout):
    with pytest.raises(CheckpointError, match="trust_pickle=True"):
        load_generator(FIXTURE, device="cpu", stylegan_repo=checkout)
    assert "torch_utils" not in sys.modules


def test_loading_with_code_gives_the_same_pictures(checkout):
    path = list(sys.path)
    native = load_generator(FIXTURE, device="cpu", trust_pickle=True, stylegan_repo=checkout)
    assert sys.path == path
    assert native.load_mode == "repo"
    safe = load_generator(FIXTURE, device="cpu")
    assert native.fingerprint == safe.fingerprint
    z = safe.latents([0, 1])
    ws = safe.map(z, truncation_psi=0.5)
    torch.testing.assert_close(native.map(z, truncation_psi=0.5), ws, rtol=0, atol=1e-6)
    torch.testing.assert_close(native.synthesize(ws), safe.synthesize(ws), rtol=0, atol=1e-5)
    assert native.layer_table() == safe.layer_table()


def test_loading_with_code_from_another_checkout(checkout, tmp_path):
    load_generator(FIXTURE, device="cpu", trust_pickle=True, stylegan_repo=checkout)
    other = tmp_path / "other"
    (other / "torch_utils").mkdir(parents=True)
    with pytest.raises(CheckpointError, match="start a new Python process"):
        load_generator(FIXTURE, device="cpu", trust_pickle=True, stylegan_repo=other)


def test_missing_code_is_explained(tmp_path):
    with pytest.raises(
        CheckpointError, match=r"module torch_utils; give stylegan_repo=DIR.*not torch_utils from PyPI"
    ):
        load_generator(FIXTURE, device="cpu", trust_pickle=True)
    with pytest.raises(CheckpointError, match="a checkout with a folder torch_utils"):
        load_generator(FIXTURE, device="cpu", trust_pickle=True, stylegan_repo=tmp_path)


# --- other families ---


def test_tensorflow_generation(tmp_path):
    network = b"cdnnlib.tflib.network\nNetwork\n)\x81}\x8c\x07version\x94K\x04sb"
    path = written(tmp_path, PROTOCOL + b"(" + 3 * network + b"t.")
    with pytest.raises(CheckpointError, match=r"TensorFlow generation.*legacy.py"):
        load_generator(path, device="cpu")


@pytest.mark.parametrize(
    ("tensors", "message"),
    [
        (("synthesis.b4.const", "mapping.w_avg"), "StyleGAN2-ADA generator without its settings"),
        (("synthesis.input.freqs", "mapping.w_avg"), "StyleGAN3"),
        (("input.input", "convs.0.conv.modulation.weight"), "rosinality"),
        (("mapping.dense0.weight", "truncation.w_avg"), "genforce"),
    ],
)
def test_other_state_dicts(tmp_path, tensors, message):
    path = tmp_path / "weights.pt"
    torch.save({"g_ema": {name: torch.zeros(2, 2) for name in tensors}, "args": 3}, path)
    with pytest.raises(CheckpointError, match=message):
        load_generator(path, device="cpu")


def test_whole_module_asks_for_its_state_dict(tmp_path):
    path = tmp_path / "module.pt"
    torch.save(nn.Linear(2, 3), path)
    with pytest.raises(CheckpointError, match=r"torch.nn.modules.linear.Linear.*state_dict\(\)"):
        load_generator(path, device="cpu")


def test_torchscript(tmp_path):
    path = tmp_path / "script.pt"
    with zipfile.ZipFile(path, "w") as archive:
        for name in ("archive/data.pkl", "archive/constants.pkl", "archive/code/__torch__.py"):
            archive.writestr(name, b"\x80\x02N.")
    with pytest.raises(CheckpointError, match="TorchScript"):
        load_generator(path, device="cpu")


# --- tensors in files of torch ---


@pytest.mark.parametrize("legacy", [False, True])
def test_every_storage_type_and_view(tmp_path, legacy):
    whole = torch.arange(24, dtype=torch.float32).view(2, 3, 4)
    tensors = OrderedDict(
        slice=whole[1],
        scalar=torch.tensor(2.5),
        empty=torch.zeros(0, 3),
        last=torch.randn(2, 3, 4, 5, generator=torch.Generator().manual_seed(0)).to(
            memory_format=torch.channels_last
        ),
        parameter=nn.Parameter(torch.ones(2)),
        bfloat16=torch.tensor([1.5, -3.25], dtype=torch.bfloat16),
        half=torch.tensor([1.5, -3.25], dtype=torch.float16),
        double=torch.tensor([0.1], dtype=torch.float64),
        long=torch.tensor([-7, 2**40]),
        int=torch.tensor([5], dtype=torch.int32),
        short=torch.tensor([-5], dtype=torch.int16),
        char=torch.tensor([-1], dtype=torch.int8),
        byte=torch.tensor([255], dtype=torch.uint8),
        bool=torch.tensor([True, False]),
    )
    path = tmp_path / "tensors.pt"
    torch.save(tensors, path, _use_new_zipfile_serialization=not legacy)
    value = read_network_file(path)
    assert isinstance(value, dict)
    assert list(value) == list(tensors)
    for name, expected in tensors.items():
        found = value[name]
        assert isinstance(found, StoredTensor)
        assert torch.equal(found.float32(), expected.detach().float()), name
    assert len({found.storage.code for found in value.values()}) == len(STORAGE_TYPES)


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"shape": (4, 4)}, "reaches beyond its storage of 6 numbers"),
        ({"offset": 1}, "reaches beyond"),
        ({"strides": (0, 0)}, "neither contiguous nor channels-last"),
        ({"strides": (1, 2)}, "neither contiguous"),
        ({"shape": (-2, 3)}, "whole numbers from 0"),
        ({"shape": (2**39, 2**39)}, "reaches beyond"),
        ({"shape": (1,) * 30, "strides": (1,) * 30}, "30 sizes"),
        ({"strides": (3,)}, "2 sizes and 1 strides"),
        ({"storage": b"none"}, "without a storage"),
    ],
)
def test_views_outside_of_their_storage(tmp_path, changes, message):
    """The argument of torch's rebuilding function, written with Python's own pickler."""
    buffer = io.BytesIO()
    torch.save(torch.arange(6.0).untyped_storage(), io.BytesIO())
    torch.save(torch.arange(6.0), buffer, _use_new_zipfile_serialization=False)
    storage = legacy_storage(6)
    arguments = {"storage": storage, "offset": 0, "shape": (2, 3), "strides": (3, 1)} | changes
    good = {"storage": storage, "offset": 0, "shape": (2, 3), "strides": (3, 1)}
    with pytest.raises(CheckpointError, match=message):
        read_network_file(written(tmp_path, pickled_view(arguments)))
    value = read_network_file(written(tmp_path, pickled_view(good)))
    assert isinstance(value, StoredTensor)
    assert torch.equal(value.float32(), torch.arange(6.0).view(2, 3))


def legacy_storage(count: int, *, claimed: int | None = None, tail: bytes = b"") -> bytes:
    """One float storage 0, 1, 2, ... in torch's older format, by the description of its six parts."""
    claimed = count if claimed is None else claimed
    parts = [
        0x1950A86A20F9469CFC6C,
        1001,
        {"protocol_version": 1001, "little_endian": True, "type_sizes": {}},
    ]
    data = b"".join(pickle.dumps(part, protocol=2) for part in parts)
    key = b"\x8c\x011"
    data += b"\x80\x02(\x8c\x07storagectorch\nFloatStorage\n" + key + b"\x8c\x03cpu"
    data += b"J" + struct.pack("<i", claimed) + b"NtQ."
    data += pickle.dumps(["1"], protocol=2)
    return data + struct.pack("<q", claimed) + struct.pack(f"<{count}f", *range(count)) + tail


def pickled_view(arguments: dict[str, object]) -> bytes:
    """REDUCE of _rebuild_tensor_v2 on (storage, offset, shape, strides, False, OrderedDict())."""
    storage = arguments["storage"]
    assert isinstance(storage, bytes)
    loaded = b"ctorch.storage\n_load_from_bytes\nB" + struct.pack("<I", len(storage)) + storage + b"\x85R"
    numbers = b"".join(
        pickle.dumps(arguments[name], protocol=2)[2:-1] for name in ("offset", "shape", "strides")
    )
    if storage == b"none":
        loaded = b"N"
    return (
        PROTOCOL
        + b"ctorch._utils\n_rebuild_tensor_v2\n("
        + loaded
        + numbers
        + b"\x89ccollections\nOrderedDict\n)RtR."
    )


@pytest.mark.parametrize(
    ("storage", "message"),
    [
        (legacy_storage(6, claimed=2**30), "ends early"),
        (legacy_storage(6, claimed=5), "bytes follow"),
        (legacy_storage(6, tail=b"cos\nsystem\n"), "11 bytes follow"),
        (pickle.dumps("nothing of torch", protocol=2), "older file format"),
        (b"", "older file format"),
    ],
)
def test_storages_with_other_contents(tmp_path, storage, message):
    data = pickled_view({"storage": storage, "offset": 0, "shape": (2, 3), "strides": (3, 1)})
    with pytest.raises(CheckpointError, match=message):
        read_network_file(written(tmp_path, data))


# --- damaged and hostile files; more in test_hostile_files.py ---


@pytest.mark.parametrize(
    ("data", "message"),
    [
        (b"", "the file is empty"),
        (b"hello world, no network", "not a network file .it begins with 68 65"),
        (b"<!DOCTYPE html>", "it is a web page: the download failed"),
        (b"version https://git-lfs.github.com/spec/v1", "git lfs pull"),
        (PROTOCOL + b"N", "ends early"),
        (PROTOCOL + b"N.more", "4 bytes follow the pickle"),
        (PROTOCOL + b"N.", "holds a NoneType instead of a network"),
        (PROTOCOL + b"\x8c\x05G_ema}", "ends early"),
        (PROTOCOL + b"}\x8c\x05G_emaNs.", "holds no network: a dict of 1 .'G_ema'."),
        (PROTOCOL + b"}\x8c\x05G_emaK\x07s.", "its G_ema is a int"),
        (PROTOCOL + b"R.", "malformed near byte"),
        (b"PK\x03\x04 not a zip", "archive is damaged"),
        (struct.pack("<Q", 2) + b"{}", "holds no network|not a network file"),
        (struct.pack("<Q", 9) + b'{"a": 17}', "damaged safetensors header"),
    ],
)
def test_messages(tmp_path, data, message):
    with pytest.raises(CheckpointError, match=message) as caught:
        load_generator(written(tmp_path, data), device="cpu")
    assert str(caught.value).startswith("network.pkl: ")
    assert "\n" not in str(caught.value)


def test_nothing_runs(tmp_path):
    target = tmp_path / "touched"

    class Payload:
        def __reduce__(self):
            return (target.write_text, ("ran",))

    class Print:
        def __reduce__(self):
            return (print, ("ran",))

    for payload in (Payload(), {"G_ema": Print()}, {"D": Print(), "G_ema": None}):
        with pytest.raises(CheckpointError):
            load_generator(written(tmp_path, pickle.dumps(payload)), device="cpu")
    assert not target.exists()
    # the payload is a real one
    pickle.loads(pickle.dumps(Payload()))
    assert target.read_text() == "ran"


def test_unknown_classes_outside_of_the_generator_are_ignored(tmp_path):
    """A discriminator of another program is never built; the same class inside G_ema is named."""
    data = FIXTURE.read_bytes()
    stub = b"cpg_modules.discriminator\nProjectedDiscriminator\n)\x81}b"
    marker = b"X\x05\x00\x00\x00G_ema"
    assert data.count(marker) == 1
    outside = data.replace(marker, b"X\x06\x00\x00\x00extras" + stub + marker)
    generator = load_generator(written(tmp_path, outside), device="cpu")
    assert generator.fingerprint == load_generator(FIXTURE, device="cpu").fingerprint
    start = data.index(marker)
    marks = [at for opcode, _, at in pickletools.genops(data) if opcode.name == "MARK" and at > start]
    # the first MARK opens the record of the generator, the second one its attributes
    inside = data[: marks[1] + 1] + b"X\x06\x00\x00\x00extras" + stub + data[marks[1] + 1 :]
    with pytest.raises(
        CheckpointError, match=r"contains an object of pg_modules.discriminator.ProjectedDiscrim"
    ):
        load_generator(written(tmp_path, inside), device="cpu")


def test_random_damage_is_always_a_checkpoint_error(tmp_path):
    """Bytes outside of the numbers, changed at random: it loads, or it says so; no other exception."""
    data = FIXTURE.read_bytes()
    places = [position for _, _, position in pickletools.genops(data) if position is not None]
    chance = random.Random(0)
    refused = 0
    for _ in range(60):
        damaged = bytearray(data)
        for _ in range(chance.choice((1, 2, 5))):
            place = min(chance.choice(places) + chance.randrange(3), len(data) - 1)
            damaged[place] = chance.randrange(256)
        end = chance.randrange(len(data)) if chance.random() < 0.1 else len(data)
        try:
            load_generator(written(tmp_path, bytes(damaged[:end])), device="cpu")
        except CheckpointError as error:
            refused += 1
            assert "\n" not in str(error)
    assert refused > 30


@pytest.mark.parametrize(
    ("compression", "message"),
    [
        (zipfile.ZIP_DEFLATED, f"expand to more than {MAX_EXPANSION} times"),
        (zipfile.ZIP_LZMA, "unusual method"),
    ],
)
def test_zip_bomb(tmp_path, compression, message):
    """64 MB of zeros in a small file are refused before they are expanded."""
    path = tmp_path / "bomb.whl"
    with zipfile.ZipFile(path, "w", compression) as archive:
        archive.writestr("weights.pkl", PROTOCOL + bytes(64 * 2**20))
    assert path.stat().st_size * MAX_EXPANSION < 32 * 2**20
    with pytest.raises(CheckpointError, match=message):
        load_generator(path, device="cpu")


def test_kinds_of_files(tmp_path):
    assert file_kind(FIXTURE.read_bytes()[:64]) == "pickle"
    assert file_kind(b"GIF89a") == ""
    for legacy, kind in ((True, "torch"), (False, "zip")):
        buffer = io.BytesIO()
        torch.save({}, buffer, _use_new_zipfile_serialization=not legacy)
        assert file_kind(buffer.getvalue()) == kind
