"""Networks trained here: written, opened again by their contents, and refused when damaged."""

from __future__ import annotations

import json

import pytest
import torch
from safetensors import safe_open
from safetensors.torch import load_file, save_file

from gan_topdis.generators import CheckpointError, load_generator
from gan_topdis.generators.stylegan2_file import SETTINGS_KEY, save_stylegan2
from third_party import stylegan2_ada_pytorch as stylegan2


def network(**changes: object) -> stylegan2.Generator:
    settings = {
        "z_dim": 6,
        "c_dim": 0,
        "w_dim": 5,
        "img_resolution": 16,
        "img_channels": 3,
        "synthesis": stylegan2.SynthesisConfiguration(channels=(4, 3, 2)),
        "mapping": stylegan2.MappingConfiguration(num_layers=2),
    } | changes
    torch.manual_seed(1)
    made = stylegan2.Generator(stylegan2.GeneratorConfiguration(**settings))
    with torch.no_grad():  # initial noise strengths and biases are 0, which would hide a loss
        for parameter in made.parameters():
            parameter += 0.1 * torch.randn_like(parameter)
    return made


@pytest.mark.parametrize(
    "changes",
    [
        {},
        {"c_dim": 3},
        {"img_channels": 1, "mapping": stylegan2.MappingConfiguration(num_layers=1, w_avg_beta=None)},
        {
            "synthesis": stylegan2.SynthesisConfiguration(
                channels=(4, 3, 2), architecture="resnet", conv_clamp=256, resample_filter=((1, 2), (2, 1))
            )
        },
    ],
)
def test_what_is_written_is_read(changes, tmp_path):
    made = network(**changes)
    save_stylegan2(made, tmp_path / "own.safetensors", notes={"seed": 3})
    generator = load_generator(tmp_path / "own.safetensors", device="cpu")
    assert (generator.family, generator.load_mode) == ("stylegan2-ada", "safe")
    assert generator.network.configuration == made.configuration
    z = generator.latents(range(3))
    c = torch.eye(3)[:, : generator.c_dim] if generator.c_dim else None
    with torch.no_grad():
        expected = made.eval()(z, c, noise_mode="const")
    assert torch.equal(generator.synthesize(generator.map(z, c)), expected)
    with safe_open(tmp_path / "own.safetensors", "pt") as file:
        assert json.loads(file.metadata()["notes"]) == {"seed": 3}
    assert [path.name for path in tmp_path.iterdir()] == ["own.safetensors"]


def rewritten(tmp_path, change_settings=None, change_tensors=None):
    """A file of `save_stylegan2` with something changed."""
    path = tmp_path / "own.safetensors"
    save_stylegan2(network(), path)
    with safe_open(path, "pt") as file:
        settings = json.loads(file.metadata()[SETTINGS_KEY])
    tensors = load_file(path)
    if change_settings is not None:
        change_settings(settings)
    if change_tensors is not None:
        change_tensors(tensors)
    save_file(tensors, path, metadata={SETTINGS_KEY: json.dumps(settings)})
    return path


def test_unchanged_it_is_accepted(tmp_path):
    load_generator(rewritten(tmp_path), device="cpu")


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (lambda s: s.pop("z_dim"), r"settings under gan_topdis\.stylegan2 are damaged \(KeyError: 'z_dim'\)"),
        (lambda s: s.update(zdim=3), r"damaged \(TypeError: .*zdim"),
        (lambda s: s.update(z_dim=6.0), r"damaged \(ValueError: sizes should be whole numbers\)"),
        (lambda s: s.update(z_dim=True), "sizes should be whole numbers"),
        (lambda s: s.update(w_dim=10**9), "a size is larger than any network's"),
        (lambda s: s["mapping"].update(num_layers=10**6), "larger than any network's"),
        (lambda s: s.update(img_resolution=2**20), "picture is larger|larger than any network's"),
        (lambda s: s.update(img_resolution=17), "power of two"),
        (lambda s: s["synthesis"].update(architecture="other"), "architecture should be one of"),
        (lambda s: s.update(synthesis=3), r"damaged \(TypeError"),
        (lambda s: s.update(w_dim=7), r"tensor .* should have shape"),
    ],
)
def test_damaged_settings_are_refused(change, message, tmp_path):
    path = rewritten(tmp_path, change_settings=change)
    with pytest.raises(CheckpointError, match=message) as caught:
        load_generator(path, device="cpu")
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (lambda t: t.pop("mapping.fc0.weight"), r"1 missing \(mapping\.fc0\.weight\)"),
        (lambda t: t.update(extra=torch.zeros(2)), r"1 unexpected \('extra'\)"),
        (lambda t: t["mapping.fc0.bias"].fill_(torch.nan), "mapping.fc0.bias holds NaN or infinity"),
    ],
)
def test_damaged_tensors_are_refused(change, message, tmp_path):
    with pytest.raises(CheckpointError, match=message):
        load_generator(rewritten(tmp_path, change_tensors=change), device="cpu")


def test_without_settings_it_is_what_it_was(tmp_path):
    save_stylegan2(network(), tmp_path / "own.safetensors")
    save_file(load_file(tmp_path / "own.safetensors"), tmp_path / "bare.safetensors")
    with pytest.raises(CheckpointError, match="without its settings"):
        load_generator(tmp_path / "bare.safetensors", device="cpu")


def test_a_failed_write_keeps_the_file(tmp_path, monkeypatch):
    path = tmp_path / "own.safetensors"
    save_stylegan2(network(), path)
    before = path.read_bytes()

    def full(*_: object, **__: object) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr("safetensors.torch.save_file", full)
    with pytest.raises(OSError, match="No space left"):
        save_stylegan2(network(), path)
    assert path.read_bytes() == before
    assert [entry.name for entry in tmp_path.iterdir()] == ["own.safetensors"]
