"""StyleGAN2-ADA: our network against pictures of the official implementation, and its laws.

The reference values are float32 outputs of the official code (see fixtures/stylegan2_ada/README.md); a
float64 implementation differs from them by 2.7e-6 (images) and 2.2e-6 (ws), typical mistakes by 0.3 and more.
"""

from __future__ import annotations

import copy
import json
import logging
from math import sqrt
from pathlib import Path

import numpy as np
import pytest
import torch
from torch.nn import functional as F

from gan_topdis.generators.load import load_generator
from gan_topdis.generators.network_file import read_network_file
from gan_topdis.generators.persistent_record import PersistentRecord
from gan_topdis.generators.stylegan2_ada import StyleGAN2ADAGenerator
from gan_topdis.generators.stylegan2_record import generator_from_record
from third_party import stylegan2_ada_pytorch as stylegan2
from third_party.stylegan2_ada_pytorch.resampling import convolve

FIXTURES = Path(__file__).parents[1] / "fixtures" / "stylegan2_ada"
# the repository holds one pickle of each network; the other two are tested where they lie beside it
PICKLES = sorted(path.name for path in FIXTURES.glob("*.pkl"))
IMAGE_TOLERANCE = 1e-4
WS_TOLERANCE = 1e-5


def network_of(pickle_name: str) -> str:
    return pickle_name.partition(".")[0]


@pytest.fixture(scope="module", params=PICKLES)
def case(request) -> tuple[StyleGAN2ADAGenerator, dict[str, torch.Tensor]]:
    """A loaded fixture and its reference values."""
    generator = load_generator(FIXTURES / request.param, device="cpu")
    with np.load(FIXTURES / f"{network_of(request.param)}.npz") as arrays:
        reference = {key: torch.from_numpy(arrays[key]) for key in arrays.files}
    return generator, reference


@pytest.fixture(scope="module")
def generator() -> StyleGAN2ADAGenerator:
    return load_generator(FIXTURES / "uncond32_skip.torch1_7.pkl", device="cpu")


def difference(a: torch.Tensor, b: torch.Tensor) -> float:
    assert a.shape == b.shape
    return (a - b).abs().max().item()


def small_network(**changes) -> stylegan2.Generator:
    """A random 16-pixel network with visible noise and biases, in float64."""
    synthesis = {"channels": (6, 5, 4)} | changes
    with torch.random.fork_rng():
        torch.manual_seed(0)
        network = stylegan2.Generator(
            stylegan2.GeneratorConfiguration(
                z_dim=7,
                c_dim=0,
                w_dim=8,
                img_resolution=16,
                img_channels=3,
                synthesis=stylegan2.SynthesisConfiguration(**synthesis),
                mapping=stylegan2.MappingConfiguration(num_layers=2),
            )
        ).double()
        for name, parameter in network.named_parameters():
            if name.endswith(("bias", "noise_strength")):
                parameter.data += 0.3 * torch.randn_like(parameter)
    return network


# --- against the official implementation ---


def test_both_networks_are_present():
    assert {network_of(name) for name in PICKLES} == {"uncond32_skip", "cond32_skip"}


@pytest.mark.parametrize(("psi", "psi_name"), [(1.0, "1"), (0.7, "0p7")])
@pytest.mark.parametrize(("cutoff", "cutoff_name"), [(None, "none"), (4, "4")])
def test_ws_and_images(case, psi, psi_name, cutoff, cutoff_name):
    generator, reference = case
    key = f"psi{psi_name}_cut{cutoff_name}"
    ws = generator.map(reference["z"], reference["c"], truncation_psi=psi, truncation_cutoff=cutoff)
    assert difference(ws, reference[f"ws_{key}"]) < WS_TOLERANCE
    for noise in ("const", "none"):
        images = generator.synthesize(ws, noise_mode=noise)
        assert images.dtype == torch.float32
        assert difference(images, reference[f"img_{key}_noise{noise}"]) < IMAGE_TOLERANCE
    # the checker can fail: the two noise modes differ
    assert difference(images, reference[f"img_{key}_noiseconst"]) > 0.1


@pytest.mark.parametrize("noise", ["const", "none"])
def test_every_layer_takes_its_own_latent(case, noise):
    generator, reference = case
    images = generator.synthesize(reference["ws_perlayer"], noise_mode=noise)
    assert difference(images, reference[f"img_perlayer_noise{noise}"]) < IMAGE_TOLERANCE


def test_native_interface_gives_the_same_images(case):
    """G(z, c, ...), G.mapping and G.synthesis as user scripts call them."""
    generator, reference = case
    images = generator.network(
        reference["z"],
        reference["c"],
        truncation_psi=0.7,
        truncation_cutoff=4,
        noise_mode="const",
        force_fp32=True,
    )
    assert difference(images, reference["img_psi0p7_cut4_noiseconst"]) < IMAGE_TOLERANCE
    assert difference(generator.network.mapping.w_avg, generator.truncation_centre()) == 0


def test_random_noise_statistics(case):
    """128 draws against 64 of the official code: 6 standard errors of the difference of means."""
    generator, reference = case
    count = 128
    ws = generator.map(reference["z"][:1], reference["c"][:1]).expand(count, -1, -1)
    with torch.random.fork_rng():
        torch.manual_seed(0)
        draws = generator.synthesize(ws, noise_mode="random")
    std = reference["noiserandom_std"]
    error = std * sqrt(1 / 64 + 1 / count)
    assert ((draws.mean(dim=0) - reference["noiserandom_mean"]).abs() < 6 * error + 1e-4).all()
    # 3072 pixels of about 64 draws each: the mean of the ratio is good to a per cent or two
    assert (draws.std(dim=0) / std).mean().item() == pytest.approx(1, abs=0.05)
    assert draws.std(dim=0).mean() > 0.05


def test_raw_generator_is_another_network(case, request):
    generator, reference = case
    path = FIXTURES / request.node.callspec.params["case"]
    raw_record = read_network_file(path)["G"]
    assert isinstance(raw_record, PersistentRecord)
    raw = generator_from_record(raw_record, name="G", device=torch.device("cpu"))
    images = raw.synthesize(raw.map(reference["z"], reference["c"]))
    assert difference(images, reference["img_rawG_psi1_cutnone_noiseconst"]) < IMAGE_TOLERANCE
    assert difference(images, reference["img_psi1_cutnone_noiseconst"]) > 0.1
    assert raw.fingerprint != generator.fingerprint


@pytest.mark.parametrize("pickle_name", PICKLES)
def test_names_and_shapes_of_tensors(pickle_name):
    generator = load_generator(FIXTURES / pickle_name, device="cpu")
    listed = json.loads((FIXTURES / f"{network_of(pickle_name)}.json").read_text())
    state = generator.network.state_dict()
    assert list(state) == list(listed["state_dict"])
    for name, tensor in state.items():
        assert list(tensor.shape) == listed["state_dict"][name]["shape"], name
    parameters = {name for name, entry in listed["state_dict"].items() if entry["kind"] == "parameter"}
    assert {name for name, _ in generator.network.named_parameters()} == parameters


def test_fingerprint_does_not_depend_on_the_writer():
    """The same tensors under torch 1.7 and 2.13; only where both pickles of a network are present."""
    by_network: dict[str, set[str]] = {}
    for name in PICKLES:
        generator = load_generator(FIXTURES / name, device="cpu")
        by_network.setdefault(network_of(name), set()).add(generator.fingerprint)
    assert all(len(found) == 1 for found in by_network.values())
    assert len(set.union(*by_network.values())) == len(by_network)


def test_sizes(case):
    generator, reference = case
    assert generator.family == "stylegan2-ada"
    assert generator.load_mode == "safe"
    assert (generator.z_dim, generator.w_dim, generator.num_ws) == (64, 64, 8)
    assert generator.c_dim == reference["c"].shape[1]
    assert (generator.resolution, generator.channels) == ((32, 32), 3)
    assert generator.reads_noise
    assert generator.latent_space == "w"


# --- laws of every generator ---


def test_truncation(generator):
    z = generator.latents([1, 2])
    centre = generator.truncation_centre()
    assert difference(generator.map(z, truncation_psi=0.0), centre.expand(2, 8, 64)) == 0
    half = generator.map(z, truncation_psi=0.0, truncation_cutoff=3)
    assert difference(half[:, 3:], generator.map(z)[:, 3:]) == 0
    assert difference(half[:, :3], centre.expand(2, 3, 64)) == 0


def test_sample_does_not_depend_on_the_batch(generator):
    """1e-5: other summation orders in convolutions of other batch sizes."""
    z = generator.latents(range(5))
    together = generator.synthesize(generator.map(z))
    alone = torch.cat([generator.synthesize(generator.map(row[None])) for row in z])
    assert difference(together, alone) < 1e-5


def test_loading_and_calling_leave_no_trace():
    before = torch.get_rng_state()
    generator = load_generator(FIXTURES / "uncond32_skip.torch1_7.pkl", device="cpu")
    assert torch.equal(torch.get_rng_state(), before)
    state = copy.deepcopy(generator.network.state_dict())
    ws = generator.map(generator.latents([0]), truncation_psi=0.5)
    for noise in ("const", "none", "random"):
        with torch.random.fork_rng():
            generator.synthesize(ws, noise_mode=noise)
    assert all(torch.equal(tensor, state[name]) for name, tensor in generator.network.state_dict().items())
    assert not any(module.training for module in generator.network.modules())
    assert not any(parameter.requires_grad for parameter in generator.network.parameters())


def test_gradient_in_ws(generator):
    """Directional derivative in float64 against central differences: truncation error about step^2."""
    synthesis = copy.deepcopy(generator.network.synthesis).double()
    ws = generator.map(generator.latents([3, 4])).double().requires_grad_()
    numbers = torch.Generator().manual_seed(0)
    direction = torch.randn(ws.shape, generator=numbers, dtype=torch.float64)
    target = torch.randn(2, 3, 32, 32, generator=numbers, dtype=torch.float64)

    def score(latents: torch.Tensor) -> torch.Tensor:
        return (synthesis(latents, noise_mode="const") * target).sum()

    (gradient,) = torch.autograd.grad(score(ws), ws)
    with torch.no_grad():
        step = 1e-6
        expected = (score(ws + step * direction) - score(ws - step * direction)) / (2 * step)
    assert (gradient * direction).sum().item() == pytest.approx(expected.item(), rel=1e-6)
    assert (gradient.abs().sum(dim=(0, 2)) > 0).all()  # every position matters


def test_layer_table(generator):
    rows = generator.layer_table()
    assert [row.index for row in rows] == list(range(8))
    assert [row.resolution for row in rows] == [4, 4, 8, 8, 16, 16, 32, 32]
    assert rows[0].modules == ("b4.conv1",)
    assert rows[3].modules == ("b8.torgb", "b16.conv0")  # a colour layer shares with the next convolution
    assert [row.kind for row in rows] == ["conv"] * 7 + ["rgb"]
    # the table is true: only the listed modules change when one latent does
    base = generator.map(generator.latents([0]))
    seen: dict[str, torch.Tensor] = {}

    def remember(name):
        def hook(module, inputs, output):
            seen[name] = output

        return hook

    handles = [
        module.register_forward_hook(remember(name.removesuffix(".affine")))
        for name, module in generator.network.synthesis.named_modules()
        if name.endswith(".affine")
    ]
    try:
        generator.synthesize(base)
        before = dict(seen)
        for row in rows:
            ws = base.clone()
            ws[:, row.index] += 1
            generator.synthesize(ws)
            changed = {name for name, style in seen.items() if not torch.equal(style, before[name])}
            assert changed == set(row.modules)
    finally:
        for handle in handles:
            handle.remove()


def test_style_weights_move_the_styles(generator):
    """The matrix of a position is the derivative of its styles in w."""
    weights = generator.style_weights()
    assert len(weights) == generator.num_ws
    assert [weight.shape for weight in weights[:2]] == [(64, 64), (128, 64)]
    affine = generator.network.synthesis.b4.conv1.affine
    w = generator.latents([0])
    direction = generator.latents([1])
    expected = affine(w + direction) - affine(w)
    assert difference(direction @ weights[0].t(), expected) < 1e-5


# --- which network in the file ---


def test_file_without_ema_uses_g_and_says_so(tmp_path, caplog):
    data = (FIXTURES / "uncond32_skip.torch1_7.pkl").read_bytes()
    path = tmp_path / "network.pkl"
    path.write_bytes(data.replace(b"G_ema", b"other"))
    with caplog.at_level(logging.WARNING), np.load(FIXTURES / "uncond32_skip.npz") as reference:
        generator = load_generator(path, device="cpu")
        images = generator.synthesize(generator.map(torch.from_numpy(reference["z"])))
        expected = torch.from_numpy(reference["img_rawG_psi1_cutnone_noiseconst"])
    assert "no G_ema; using G" in caplog.text
    assert difference(images, expected) < IMAGE_TOLERANCE


# --- parts of the network ---


@pytest.mark.parametrize("up", [False, True])
def test_modulated_convolution_is_a_kernel_per_sample(up):
    """arXiv:1912.04958, equations 1 and 3, written out with one kernel per sample; float64 rounding."""
    numbers = torch.Generator().manual_seed(0)
    x = torch.randn(3, 4, 6, 6, generator=numbers, dtype=torch.float64)
    weight = torch.randn(5, 4, 3, 3, generator=numbers, dtype=torch.float64)
    styles = torch.randn(3, 4, generator=numbers, dtype=torch.float64)
    taps = stylegan2.normalised_filter((1.0, 3.0, 3.0, 1.0)).double() if up else None
    result = stylegan2.modulated_convolution(x, weight, styles, upsample_taps=taps)
    for sample in range(3):
        kernel = weight * styles[sample][None, :, None, None]  # eq. 1
        kernel = kernel / (kernel.square().sum(dim=(1, 2, 3), keepdim=True) + 1e-8).sqrt()  # eq. 3
        one = x[sample : sample + 1]
        if taps is None:
            expected = F.conv2d(one, kernel, padding=1)
        else:
            # upsampling first, then the convolution, mirrored: equal away from the border
            expected = F.conv2d(stylegan2.upsample(one, taps), kernel.flip(2, 3), padding=1)
            expected, result_inside = expected[..., 3:-3, 3:-3], result[..., 3:-3, 3:-3]
        inside = result if taps is None else result_inside
        assert difference(inside[sample : sample + 1], expected) < 1e-12


@pytest.mark.parametrize("taps", [1, 2, 3, 4, 6, 8, 9, 12])
def test_upsampling_filters_the_zero_inserted_image(taps):
    numbers = torch.Generator().manual_seed(taps)
    row = tuple(torch.rand(taps, generator=numbers).add(0.1).tolist())
    kernel = stylegan2.normalised_filter(row).double()
    assert kernel.ndim == (1 if taps >= 8 else 2)
    assert kernel.sum().item() == pytest.approx(1, abs=1e-6)
    x = torch.randn(2, 3, 5, 5, generator=numbers, dtype=torch.float64)
    zeros = torch.zeros(2, 3, 10, 10, dtype=torch.float64)
    zeros[..., ::2, ::2] = x
    before = (taps + 1) // 2
    expected = convolve(zeros, kernel, before=before, after=taps - 1 - before, gain=4.0)
    assert difference(stylegan2.upsample(x, kernel), expected) < 1e-12


def test_separable_filter_is_the_outer_product():
    row = tuple(float(tap) for tap in range(1, 9))
    long = stylegan2.normalised_filter(row).double()
    square = torch.outer(long, long)
    x = torch.randn(1, 2, 6, 6, generator=torch.Generator().manual_seed(0), dtype=torch.float64)
    assert difference(stylegan2.upsample(x, long), stylegan2.upsample(x, square)) < 1e-12


@pytest.mark.parametrize("architecture", stylegan2.ARCHITECTURES)
@pytest.mark.parametrize("img_filter", [(1.0, 3.0, 3.0, 1.0), tuple([1.0] * 8)])
def test_architectures_are_differentiable(architecture, img_filter):
    network = small_network(architecture=architecture, resample_filter=img_filter)
    ws = network.mapping(torch.ones(2, 7, dtype=torch.float64)).detach()
    direction = torch.randn(ws.shape, generator=torch.Generator().manual_seed(1), dtype=torch.float64)
    ws.requires_grad_()
    images = network.synthesis(ws, noise_mode="const")
    assert images.shape == (2, 3, 16, 16)
    (gradient,) = torch.autograd.grad(images.square().sum(), ws)
    step = 1e-6
    with torch.no_grad():
        ahead, behind = (
            network.synthesis(ws + sign * step * direction, noise_mode="const").square().sum()
            for sign in (1, -1)
        )
    expected = (ahead - behind) / (2 * step)
    assert (gradient * direction).sum().item() == pytest.approx(expected.item(), rel=1e-5)


def test_clamp_bounds_features():
    """'orig' has one colour layer, so its image is clamped itself; without clamp it is larger."""
    bound = 0.01
    z = torch.ones(2, 7, dtype=torch.float64)
    clamped = small_network(architecture="orig", conv_clamp=bound)(z, noise_mode="const")
    free = small_network(architecture="orig")(z, noise_mode="const")
    assert clamped.abs().max().item() <= bound < free.abs().max().item()


def test_network_without_noise():
    network = small_network(use_noise=False)
    assert not any("noise" in name for name in network.state_dict())
    ws = network.mapping(torch.ones(1, 7, dtype=torch.float64))
    assert torch.equal(network.synthesis(ws, noise_mode="const"), network.synthesis(ws, noise_mode="none"))


def test_training_updates_the_mean_latent():
    """w_avg moves by 1 - beta towards the batch mean, and only in training mode."""
    network = small_network()
    z = torch.randn(4, 7, generator=torch.Generator().manual_seed(0), dtype=torch.float64)
    network.eval().mapping(z)
    assert not network.mapping.w_avg.any()
    w = network.train().mapping(z)[:, 0]
    assert difference(network.mapping.w_avg, 0.005 * w.mean(dim=0).detach()) < 1e-15


def test_fresh_network_has_unit_features():
    """Equalised learning rate: z, w and the styles of a fresh network have a second moment near 1."""
    with torch.random.fork_rng():
        torch.manual_seed(0)
        configuration = stylegan2.GeneratorConfiguration(
            z_dim=128,
            c_dim=0,
            w_dim=128,
            img_resolution=16,
            img_channels=3,
            synthesis=stylegan2.SynthesisConfiguration(
                channels=stylegan2.channels_by_resolution(16, channel_max=64)
            ),
        )
        network = stylegan2.Generator(configuration)
        w = network.mapping(torch.randn(64, 128), skip_w_avg_update=True)[:, 0]
    # eight random layers of 128 features: each wanders by some per cent
    assert 0.5 < w.square().mean().item() < 2
    styles = network.synthesis.b4.conv1.affine(w)
    # the mean of 64 styles, each 1 + a unit normal: standard deviation 1 / 8
    assert styles.mean().item() == pytest.approx(1, abs=0.5)


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"channels": (4, 4)}, "should hold 3 positive numbers"),
        ({"architecture": "dense"}, "skip, resnet, orig"),
        ({"activation": "gelu"}, "activation should be one of linear"),
        ({"conv_clamp": -1.0}, "conv_clamp"),
        ({"resample_filter": (1.0, -1.0)}, "sum to 0"),
        ({"resample_filter": ((1.0, 2.0),)}, r"\(k, k\)"),
    ],
)
def test_impossible_configurations(changes, message):
    with pytest.raises(ValueError, match=message):
        small_network(**changes)


def test_wrong_arguments(generator):
    with pytest.raises(ValueError, match=r"ws should have shape \(n, 8, 64\)"):
        generator.network.synthesis(torch.zeros(1, 7, 64))
    with pytest.raises(ValueError, match="random, const, none"):
        generator.network.synthesis(torch.zeros(1, 8, 64), noise_mode="quiet")
    with pytest.raises(ValueError, match=r"z should have shape \(n, 64\)"):
        generator.network.mapping(torch.zeros(1, 8, 64))
    conditional = load_generator(FIXTURES / "cond32_skip.torch2_13.pkl", device="cpu")
    with pytest.raises(ValueError, match=r"c should have shape \(1, 10\), got None"):
        conditional.network(torch.zeros(1, 64), None)


def test_architecture_stands_alone():
    """third_party imports nothing of ours, only adapter, file formats and training import it."""
    root = Path(stylegan2.__file__).parents[2]
    for path in Path(stylegan2.__file__).parent.glob("*.py"):
        assert "import gan_topdis" not in path.read_text()
        assert "from gan_topdis" not in path.read_text()
    users = {path.name for path in (root / "gan_topdis").rglob("*.py") if "third_party" in path.read_text()}
    adapters = ("ada", "file", "record", "training")
    assert users == {f"stylegan2_{name}.py" for name in adapters}
    assert len(set(stylegan2.__all__)) == len(stylegan2.__all__)
    assert all(hasattr(stylegan2, name) for name in stylegan2.__all__)
