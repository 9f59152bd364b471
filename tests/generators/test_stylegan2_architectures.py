"""Networks of every supported shape, written by our own writer, against our own oracle.

Neither the writer nor the oracle shares code with the loader. Both are first checked against
files and outputs of the official implementation.
"""

from __future__ import annotations

import io
import json
import pickle
import pickletools
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from pickle_writer import (
    MIXED,
    TORCH_1_7,
    TORCH_2_13,
    Module,
    NumpyFloat,
    generator_module,
    random_tensors,
    snapshot,
    storage_parts,
)
from stylegan2_oracle import StyleGAN2Configuration, StyleGAN2Oracle

from gan_topdis.generators.checkpoint_error import CheckpointError
from gan_topdis.generators.load import load_generator
from gan_topdis.generators.protocol import Generator

FIXTURES = Path(__file__).parents[1] / "fixtures" / "stylegan2_ada"
OFFICIAL_LAYOUT = {"uncond32_skip": "torch1_7", "cond32_skip": "torch2_13"}  # of the copies in this folder
LAYOUTS = {"torch1_7": TORCH_1_7, "torch2_13": TORCH_2_13, "mixed": MIXED}

# float32 against float64: official float32 code is within 3e-6 of the oracle on the fixtures;
# the nets below have images within +-10, the smallest mistake we know changes them by 0.1
IMAGE_TOLERANCE = 1e-4
WS_TOLERANCE = 1e-5

BASE = StyleGAN2Configuration()


def load(path: Path) -> Generator:
    """On the CPU, where float32 is float32."""
    return load_generator(path, device="cpu")


# --- the oracle and the writer against the official files ---------------------------------------


class TrustingUnpickler(pickle.Unpickler):
    """Reads the fixtures, which we trust: persistent objects become their meta dicts."""

    def find_class(self, module: str, name: str) -> Any:
        if name == "_reconstruct_persistent_obj":
            return lambda meta: meta
        if name == "EasyDict":
            return dict
        if name == "_rebuild_parameter":
            return lambda tensor, requires_grad, hooks: tensor
        return super().find_class(module, name)


def trusted_tensors(meta: dict[str, Any], prefix: str = "") -> dict[str, np.ndarray]:
    """State dict of a persistent object."""
    state = meta["state"]
    tensors = {
        prefix + name: tensor.numpy()
        for group in ("_parameters", "_buffers")
        for name, tensor in state[group].items()
    }
    for name, child in state["_modules"].items():
        tensors |= trusted_tensors(child, f"{prefix}{name}.")
    return tensors


def official_bytes(name: str) -> bytes:
    return (FIXTURES / f"{name}.{OFFICIAL_LAYOUT[name]}.pkl").read_bytes()


def official(name: str) -> StyleGAN2Oracle:
    tensors = trusted_tensors(TrustingUnpickler(io.BytesIO(official_bytes(name))).load()["G_ema"])
    init = json.loads((FIXTURES / f"{name}.json").read_text())["init_kwargs"]
    configuration = StyleGAN2Configuration(
        z_dim=init["z_dim"],
        c_dim=init["c_dim"],
        w_dim=init["w_dim"],
        img_resolution=init["img_resolution"],
        img_channels=init["img_channels"],
        conv_clamp=init["synthesis_kwargs"]["conv_clamp"],
        mapping_layers=init["mapping_kwargs"]["num_layers"],
    )
    return StyleGAN2Oracle(tensors, configuration)


@pytest.mark.parametrize("name", OFFICIAL_LAYOUT)
def test_oracle_agrees_with_the_official_implementation(name):
    """Float64 against official float32: 2.7e-6 measured in images, 2.2e-6 in ws; 5e-6 allows rounding."""
    oracle, outputs = official(name), np.load(FIXTURES / f"{name}.npz")
    for psi, cutoff, key in (
        (1, None, "psi1_cutnone"),
        (0.7, None, "psi0p7_cutnone"),
        (0.7, 4, "psi0p7_cut4"),
    ):
        ws = oracle.map(outputs["z"], outputs["c"], truncation_psi=psi, truncation_cutoff=cutoff)
        np.testing.assert_allclose(ws, outputs[f"ws_{key}"], rtol=0, atol=5e-6)
    image = oracle.synthesize(ws[:2], "none")
    np.testing.assert_allclose(image, outputs["img_psi0p7_cut4_noisenone"][:2], rtol=0, atol=5e-6)
    image = oracle.synthesize(outputs["ws_perlayer"][:2], "const")
    np.testing.assert_allclose(image, outputs["img_perlayer_noiseconst"][:2], rtol=0, atol=5e-6)


def test_writer_emits_the_bytes_of_official_storages():
    """Every storage of a fixture, rewritten from its values and key, is the same byte string."""
    for name in OFFICIAL_LAYOUT:
        data = official_bytes(name)
        blobs = [a for _, a, _ in pickletools.genops(data) if isinstance(a, bytes) and len(a) > 100]
        assert len(blobs) > 100
        for blob in blobs:
            stream = io.BytesIO(blob)
            for _ in range(4):
                list(pickletools.genops(stream))
            (key,) = pickle.load(stream)
            values = np.frombuffer(blob[stream.tell() + 8 :], dtype=np.float32)
            assert b"".join(storage_parts(values, key=key)) == blob


@pytest.mark.parametrize("name", OFFICIAL_LAYOUT)
def test_writer_uses_the_opcodes_and_globals_of_official_files(name):
    """Nothing that official files lack, apart from the opcodes the format note also lists."""
    # BININT2, LONG_BINGET and the like depend on the size of the network
    sizes = {"BININT2", "LONG_BINGET", "LONG_BINPUT", "BINUNICODE", "SHORT_BINUNICODE"}
    ours = snapshot(generator_module(BASE, random_tensors(BASE, 0)), LAYOUTS[OFFICIAL_LAYOUT[name]])
    theirs = official_bytes(name)
    used = [{op.name for op, _, _ in pickletools.genops(data)} for data in (ours, theirs)]
    assert used[0] ^ used[1] <= sizes
    assert globals_of(ours) == globals_of(theirs)


def globals_of(data: bytes) -> set[tuple[str, str]]:
    """(module, name) of each GLOBAL, and of each STACK_GLOBAL without running anything."""
    strings: list[str] = []
    memo: dict[int, str | None] = {}
    found = set()
    last: str | None = None
    for op, argument, _ in pickletools.genops(data):
        if op.name == "GLOBAL":
            module, name = argument.split(" ")
            found.add((module, name))
        elif op.name == "STACK_GLOBAL":
            found.add((strings[-2], strings[-1]))
            last = None
        elif op.name in ("SHORT_BINUNICODE", "BINUNICODE"):
            strings.append(argument)
            last = argument
        elif op.name == "MEMOIZE":
            memo[len(memo)] = last
        elif op.name in ("BINGET", "LONG_BINGET"):
            if memo.get(argument) is not None:
                strings.append(memo[argument] or "")
        else:
            last = None
    return found


# --- the loader against the oracle ---------------------------------------------------------------

CASES: dict[str, tuple[StyleGAN2Configuration, dict[str, Any], dict[str, Any]]] = {
    # name: (configuration, options of random_tensors, options of generator_module)
    "skip": (BASE, {}, {}),
    "resnet": (replace(BASE, architecture="resnet"), {}, {}),
    "orig": (replace(BASE, architecture="orig"), {}, {}),
    "conditional": (replace(BASE, c_dim=3), {}, {}),
    "conditional resnet": (replace(BASE, c_dim=3, architecture="resnet"), {}, {}),
    "grey": (replace(BASE, img_channels=1), {}, {}),
    "grey orig": (replace(BASE, img_channels=1, architecture="orig"), {}, {}),
    "rgba": (replace(BASE, img_channels=4), {}, {}),
    "rgba resnet": (replace(BASE, img_channels=4, architecture="resnet"), {}, {}),
    "4 pixels": (replace(BASE, img_resolution=4), {}, {}),
    "4 pixels resnet": (replace(BASE, img_resolution=4, architecture="resnet"), {}, {}),
    "8 pixels": (replace(BASE, img_resolution=8), {}, {}),
    "64 pixels": (replace(BASE, img_resolution=64), {}, {}),
    "64 pixels resnet": (replace(BASE, img_resolution=64, architecture="resnet"), {}, {}),
    "clamp": (replace(BASE, conv_clamp=1.0), {}, {}),
    "clamp resnet": (replace(BASE, conv_clamp=1.0, architecture="resnet"), {}, {}),
    "clamp orig": (replace(BASE, conv_clamp=1.0, architecture="orig"), {}, {}),
    "half precision": (BASE, {}, {"num_fp16_res": 2}),
    "half precision, all resolutions": (replace(BASE, conv_clamp=1.0), {}, {"num_fp16_res": 4}),
    "channels last": (BASE, {}, {"num_fp16_res": 2, "channels_last": True}),
    "channels last resnet": (
        replace(BASE, architecture="resnet", img_channels=1),
        {},
        {"num_fp16_res": 4, "channels_last": True},
    ),
    "StyleGAN3 repository": (replace(BASE, conv_clamp=256), {}, {"sg3_flavour": True, "num_fp16_res": 4}),
    "StyleGAN3 repository resnet": (
        replace(BASE, conv_clamp=256, architecture="resnet", c_dim=2),
        {},
        {"sg3_flavour": True, "num_fp16_res": 4},
    ),
    "no noise": (BASE, {"use_noise": False}, {}),
    "no noise resnet": (replace(BASE, architecture="resnet"), {"use_noise": False}, {}),
    "1 mapping layer": (replace(BASE, mapping_layers=1), {}, {}),
    "1 mapping layer, conditional": (replace(BASE, mapping_layers=1, c_dim=2), {}, {}),
    "3 mapping layers": (replace(BASE, mapping_layers=3), {}, {}),
    "8 mapping layers": (replace(BASE, mapping_layers=8), {}, {}),
    "wide mapping": (
        replace(BASE, mapping_layers=3, c_dim=2),
        {"layer_features": 7, "embed_features": 5},
        {},
    ),
    "other filter": (BASE, {"resample_filter": (1, 2, 2, 1)}, {"resample_filter": (1, 2, 2, 1)}),
    "other filter resnet": (
        replace(BASE, architecture="resnet"),
        {"resample_filter": (1, 2, 2, 1)},
        {"resample_filter": (1, 2, 2, 1)},
    ),
    "mapping at full learning rate": (replace(BASE, lr_multiplier=1.0), {}, {}),
}


def write(path: Path, case: str, layout: str = "torch1_7") -> tuple[StyleGAN2Oracle, Module]:
    """Writes a snapshot whose G differs from its G_ema; returns the oracle and the tree of G_ema."""
    configuration, tensor_options, module_options = CASES[case]
    tensors = random_tensors(configuration, seed=len(case), **tensor_options)
    if configuration.conv_clamp == 256:
        # activations of a few hundred, so that the default clamp of that repository matters
        for name in ("synthesis.b8.conv1.bias", f"synthesis.b{configuration.img_resolution}.torgb.bias"):
            if name in tensors:
                tensors[name] = tensors[name] * 1000
    other = random_tensors(configuration, seed=1000, **tensor_options)
    network = generator_module(configuration, tensors, **module_options)
    raw = generator_module(configuration, other, **module_options)
    path.write_bytes(snapshot(network, LAYOUTS[layout], g=raw))
    return StyleGAN2Oracle(tensors, configuration), network


def inputs(configuration: StyleGAN2Configuration, n: int = 2) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """z (n, z_dim), one-hot c (n, c_dim), and ws (n, num_ws, w_dim) that differ in every position."""
    rng = np.random.default_rng(7)
    z = rng.standard_normal((n, configuration.z_dim)).astype(np.float32)
    c = np.zeros((n, configuration.c_dim), dtype=np.float32)
    if configuration.c_dim:
        c[np.arange(n), rng.integers(0, configuration.c_dim, n)] = 1
    ws = rng.standard_normal((n, configuration.num_ws, configuration.w_dim)).astype(np.float32)
    return z, c, ws


@pytest.mark.parametrize("layout", ["torch1_7", "torch2_13"])
@pytest.mark.parametrize("case", CASES)
def test_loaded_network_computes_the_oracle(case, layout, tmp_path):
    """ws with every kind of truncation, images with both kinds of fixed noise."""
    path = tmp_path / "network.pkl"
    oracle, _ = write(path, case, layout)
    settings = oracle.configuration
    z, c, ws = inputs(settings)
    generator = load(path)
    assert (generator.z_dim, generator.c_dim, generator.w_dim) == (
        settings.z_dim,
        settings.c_dim,
        settings.w_dim,
    )
    assert generator.num_ws == settings.num_ws
    assert generator.resolution == (settings.img_resolution, settings.img_resolution)
    assert generator.channels == settings.img_channels
    labels = torch.from_numpy(c)
    with torch.no_grad():
        for psi, cutoff in ((1.0, None), (0.7, None), (0.7, 1), (0.0, settings.num_ws), (-0.5, 0)):
            found = generator.map(
                torch.from_numpy(z), labels, truncation_psi=psi, truncation_cutoff=cutoff
            ).numpy()
            expected = oracle.map(z, c, truncation_psi=psi, truncation_cutoff=cutoff)
            np.testing.assert_allclose(found, expected, rtol=0, atol=WS_TOLERANCE)
        if settings.c_dim == 0:
            unlabelled = generator.map(torch.from_numpy(z)).numpy()
            np.testing.assert_allclose(unlabelled, oracle.map(z), rtol=0, atol=WS_TOLERANCE)
        for noise_mode in ("const", "none"):
            found = generator.synthesize(torch.from_numpy(ws), noise_mode=noise_mode).numpy()
            expected = oracle.synthesize(ws, noise_mode)
            assert found.dtype == np.float32
            assert np.ptp(expected) > 0.5  # a picture, so that the tolerance means something
            scale = max(1.0, np.abs(expected).max() / 10)  # only the StyleGAN3 cases exceed 10
            np.testing.assert_allclose(found, expected, rtol=0, atol=IMAGE_TOLERANCE * scale)


def test_files_of_mixed_age_load(tmp_path):
    """Python 3.8 and torch 1.x: protocol 4 with OrderedDict and the old numpy names."""
    oracle, _ = write(tmp_path / "mixed.pkl", "conditional", "mixed")
    _, _, ws = inputs(oracle.configuration)
    found = load(tmp_path / "mixed.pkl").synthesize(torch.from_numpy(ws)).detach().numpy()
    np.testing.assert_allclose(found, oracle.synthesize(ws), rtol=0, atol=IMAGE_TOLERANCE)


@pytest.mark.parametrize("case", [name for name in CASES if CASES[name][0].conv_clamp])
def test_clamp_of_the_cases_bites(case, tmp_path):
    """Without its clamp the oracle gives another picture: a loader that drops it cannot pass."""
    oracle, _ = write(tmp_path / "network.pkl", case)
    _, _, ws = inputs(oracle.configuration)
    free = StyleGAN2Oracle(oracle.tensors, replace(oracle.configuration, conv_clamp=None))
    assert np.abs(free.synthesize(ws) - oracle.synthesize(ws)).max() > 0.1


def test_comparison_rejects_the_wrong_network(tmp_path):
    """The raw G of the same file is far from G_ema."""
    path = tmp_path / "network.pkl"
    oracle, _ = write(path, "skip")
    _, _, ws = inputs(oracle.configuration)
    raw = StyleGAN2Oracle(random_tensors(BASE, seed=1000), BASE)
    found = load(path).synthesize(torch.from_numpy(ws)).detach().numpy()
    assert np.abs(found - raw.synthesize(ws)).max() > 0.5


@pytest.mark.parametrize("case", ["skip", "resnet", "orig"])
def test_each_tensor_matters_to_the_oracle(case):
    """Disturbing any tensor that the maths uses changes the oracle, so a forgotten one would be seen."""
    configuration = CASES[case][0]
    tensors = random_tensors(configuration, seed=0)
    z, _, ws = inputs(configuration, n=1)
    rng = np.random.default_rng(0)

    def outputs(values: dict[str, np.ndarray]) -> np.ndarray:
        oracle = StyleGAN2Oracle(values, configuration)
        return np.concatenate([oracle.map(z, truncation_psi=0.5).ravel(), oracle.synthesize(ws).ravel()])

    reference = outputs(tensors)
    for name in tensors:
        unused = (
            name.endswith("conv1.resample_filter")
            or name == "synthesis.b4.resample_filter"
            or (configuration.architecture != "skip" and name.count(".") == 2 and "resample" in name)
        )
        # element by element: demodulation hides a common factor
        disturbed = tensors[name] * (1 + rng.uniform(0.5, 1, tensors[name].shape))
        changed = np.abs(outputs(tensors | {name: disturbed}) - reference).max()
        assert (changed < 1e-3) == unused, name


def test_missing_noise_leaves_the_modes_equal(tmp_path):
    path = tmp_path / "network.pkl"
    oracle, _ = write(path, "no noise")
    generator = load(path)
    ws = torch.from_numpy(inputs(oracle.configuration)[2])
    pictures = [generator.synthesize(ws, noise_mode=mode) for mode in ("const", "none", "random")]
    assert torch.equal(pictures[0], pictures[1])
    assert torch.equal(pictures[0], pictures[2])
    assert not generator.reads_noise


def test_random_noise_is_fresh_and_has_the_stored_strength(tmp_path):
    """One layer with noise, linear in its effect on the pre-activation: only its statistics can be known."""
    configuration = replace(BASE, img_resolution=4)
    tensors = random_tensors(configuration, 0)
    strength = 1e-2  # so small that the output is linear in the noise
    tensors["synthesis.b4.conv1.noise_strength"] = np.float32(strength)
    path = tmp_path / "network.pkl"
    path.write_bytes(snapshot(generator_module(configuration, tensors)))
    generator = load(path)
    oracle = StyleGAN2Oracle(tensors, configuration)
    ws = inputs(configuration, n=1)[2]
    draws = 500
    torch.manual_seed(0)
    many = torch.from_numpy(np.repeat(ws, draws, axis=0))
    with torch.no_grad():
        pictures = generator.synthesize(many, noise_mode="random").numpy().astype(np.float64)
    quiet = oracle.synthesize(ws, "none")
    # response of each pixel to unit noise at that pixel, from the oracle: 1x1 toRGB, so noise is local
    nudged = dict(tensors)
    nudged["synthesis.b4.conv1.noise_const"] = np.ones((4, 4), dtype=np.float32)
    response = np.abs(StyleGAN2Oracle(nudged, configuration).synthesize(ws, "const") - quiet)[0]
    spread = pictures.std(axis=0)
    # standard error of a standard deviation is 1 / sqrt(2 * 500) = 3 %; a handful of the 48 values
    # sits near the kink of the activation, so compare the medians of the ratios
    assert abs(np.median(spread / response) - 1) < 0.1
    assert np.abs(pictures[0] - pictures[1]).max() > strength / 10


CONTRADICTIONS: dict[str, tuple[str, str, Any]] = {
    # name: (module, attribute, value that is not what the rest of the file says)
    "one layer has a clamp": ("synthesis.b8.conv1", "conv_clamp", 0.2),
    "one layer has another gain": ("synthesis.b8.conv1", "act_gain", NumpyFloat(1.0)),
    "one layer has another activation": ("synthesis.b8.conv0", "activation", "relu"),
    "toRGB has a clamp": ("synthesis.b16.torgb", "conv_clamp", 0.2),
    "toRGB has another gain": ("synthesis.b16.torgb", "weight_gain", NumpyFloat(2.0)),
    "an affine layer has another gain": ("synthesis.b8.conv1.affine", "weight_gain", NumpyFloat(2.0)),
    "an affine layer has another bias gain": ("synthesis.b8.conv1.affine", "bias_gain", 0.5),
    "an affine layer has an activation": ("synthesis.b8.conv1.affine", "activation", "lrelu"),
    "a mapping layer has another gain": ("mapping.fc0", "weight_gain", NumpyFloat(0.5)),
    "a mapping layer has another bias gain": ("mapping.fc1", "bias_gain", 0.5),
    "a mapping layer has another activation": ("mapping.fc0", "activation", "swish"),
    "conv1 resamples": ("synthesis.b8.conv1", "up", 2),
    "conv0 does not resample": ("synthesis.b8.conv0", "up", 1),
    "noise is switched off": ("synthesis.b8.conv0", "use_noise", False),
    "another architecture in one block": ("synthesis.b8", "architecture", "orig"),
}


RESIDUAL: dict[str, tuple[str, str, Any]] = {
    "the side branch has a clamp": ("synthesis.b8.skip", "conv_clamp", 0.2),
    "the side branch has another gain": ("synthesis.b8.skip", "act_gain", 2),
    "the side branch has another weight gain": ("synthesis.b8.skip", "weight_gain", NumpyFloat(2.0)),
    "the side branch has an activation": ("synthesis.b8.skip", "activation", "lrelu"),
    "the side branch does not resample": ("synthesis.b8.skip", "up", 1),
    "the side branch resamples down": ("synthesis.b8.skip", "down", 2),
    "conv1 has the gain of the sum": ("synthesis.b8.conv1", "act_gain", NumpyFloat(1.0)),
}
CONTRADICTIONS |= RESIDUAL


@pytest.mark.parametrize("case", CONTRADICTIONS)
def test_unusual_attributes_are_obeyed_or_refused_never_ignored(case, tmp_path):
    """The attributes of a module are the ground truth: the plain network is the wrong answer."""
    module, attribute, value = CONTRADICTIONS[case]
    path = tmp_path / "network.pkl"
    oracle, network = write(path, "resnet" if case in RESIDUAL else "skip")
    network.find(module).attributes[attribute] = value
    path.write_bytes(snapshot(network))
    z, _, ws = inputs(oracle.configuration)
    try:
        generator = load(path)
    except CheckpointError as error:
        assert "\n" not in str(error)
        assert any(part in str(error) for part in (attribute, module, module.split(".")[-1])), error
        return
    with torch.no_grad():
        mapped = generator.map(torch.from_numpy(z)).numpy()
        image = generator.synthesize(torch.from_numpy(ws)).numpy()
    differences = np.abs(mapped - oracle.map(z)).max(), np.abs(image - oracle.synthesize(ws)).max()
    assert max(differences) > 1e-2, f"{module}.{attribute} = {value} was ignored"


@pytest.mark.parametrize("activation", ["relu", "swish", "linear"])
def test_other_mapping_activations_are_right_or_refused(activation, tmp_path):
    configuration = replace(BASE, activation=activation)
    tensors = random_tensors(configuration, 0)
    path = tmp_path / "network.pkl"
    path.write_bytes(snapshot(generator_module(configuration, tensors)))
    try:
        generator = load(path)
    except CheckpointError as error:
        assert activation in str(error)
        return
    z, _, _ = inputs(configuration)
    found = generator.map(torch.from_numpy(z)).detach().numpy()
    expected = StyleGAN2Oracle(tensors, configuration).map(z)
    np.testing.assert_allclose(found, expected, rtol=0, atol=WS_TOLERANCE)


def test_source_text_in_the_file_is_not_run(tmp_path):
    """Official Python executes module_src; here it may say anything and the network still loads."""
    canary = tmp_path / "canary"
    tensors = random_tensors(BASE, 0)
    source = f"open({str(canary)!r}, 'w').close()\nraise SystemExit\n"
    path = tmp_path / "network.pkl"
    path.write_bytes(snapshot(generator_module(BASE, tensors, module_src=source)))
    _, _, ws = inputs(BASE)
    found = load(path).synthesize(torch.from_numpy(ws)).detach().numpy()
    np.testing.assert_allclose(
        found, StyleGAN2Oracle(tensors, BASE).synthesize(ws), rtol=0, atol=IMAGE_TOLERANCE
    )
    assert not canary.exists()


def test_same_tensors_have_the_same_fingerprint_in_both_layouts(tmp_path):
    """Fingerprint: of names, shapes and values, so the layout and the strides do not enter."""
    tensors = random_tensors(BASE, 0)
    prints = set()
    for index, (layout, options) in enumerate(
        [
            (TORCH_1_7, {}),
            (TORCH_2_13, {}),
            (TORCH_2_13, {"num_fp16_res": 2, "channels_last": True}),
        ]
    ):
        path = tmp_path / f"{index}.pkl"
        path.write_bytes(snapshot(generator_module(BASE, tensors, **options), layout))
        prints.add(load(path).fingerprint)
    assert len(prints) == 1
    changed = tensors | {"mapping.w_avg": tensors["mapping.w_avg"] + np.float32(1e-6)}
    path.write_bytes(snapshot(generator_module(BASE, changed)))
    assert load(path).fingerprint not in prints
