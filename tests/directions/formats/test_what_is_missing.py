"""What a format lacks is a required option; what contradicts the file or the network is an error."""

from __future__ import annotations

import logging
from dataclasses import replace

import numpy as np
import pytest
import torch
from format_cases import LACKS, needed, small_generator, some_directions, written

from gan_topdis.directions import Directions, discover
from gan_topdis.directions.formats import FORMATS, formats, read_directions, write_directions
from gan_topdis.directions.formats.deviation import measured_deviation
from gan_topdis.directions.layers import resolve_layers
from gan_topdis.generators import Generator

ASKED = {
    "space": r"does not say its space: give space= \(--space\), one of z, w, w\+",
    "layers": r"does not say which layers move: give layers= \(--layers\), such as all or 0-3",
    "order": r"does not say its order: give order= \(--order\), one of before, after",
    "scale": r"give the network that measures them \(generator=, --network\), or scale= \(--scale\)",
    "num_ws": r"how many layers there are: give the network \(--network\) or num_ws= \(--num-ws\)",
}


@pytest.mark.parametrize("format", LACKS)
def test_every_option_that_a_format_lacks_is_asked_for(tmp_path, format):
    before = some_directions(space=FORMATS[format].spaces[-1])
    path = written(tmp_path, format, before)
    options = needed(format, before)
    if format == "steerability":
        options.pop("num_ws")  # rows are layers
    if "layers" in options:
        options["layers"] = "all"  # a mask would give num_ws
    assert Directions.read(path, format, **options)
    for name in options:
        with pytest.raises(ValueError, match=ASKED[name]):
            Directions.read(path, format, **{k: v for k, v in options.items() if k != name})


def test_an_edit_of_z_has_no_layers_and_comes_before_truncation(tmp_path):
    before = some_directions(space="z", num_ws=1)
    found = Directions.read(written(tmp_path, "sefa", before), "sefa", space="z", scale=1.0)
    assert (found.num_ws, found.meta["edit_order"]) == (1, "before")


@pytest.mark.parametrize(
    ("format", "options", "message"),
    [
        ("factor", {"space": "z"}, r"factor\.pt is of space w, not z"),
        ("factor", {"order": "after"}, r"factor\.pt is of order before, not after"),
        ("factor", {"layers": "all"}, r"layers are in .*factor\.pt already"),
        ("pti_pca", {"scale": 1.0}, r"standard deviations are in .* already"),
        ("sefa", {"space": "w+"}, r"holds directions of shape \(5,\), which are not of space w\+"),
        ("sefa", {"space": "s"}, "space should be one of z, w, w\\+, got 's'"),
        ("sefa", {"scale": [1.0, 2.0]}, r"one number or 3, got shape \(2,\)"),
        ("sefa", {"scale": 0.0}, "scale should be finite and greater than 0"),
        ("sefa", {"scale": np.nan}, "scale should be finite and greater than 0"),
        ("sefa", {"layers": "middle"}, r"layers should be all or positions such as 0-3, got 'middle'"),
        ("sefa", {"layers": "2-1"}, r"ascending and in 0 \.\. 3, got '2-1'"),
        ("sefa", {"layers": "0-4"}, r"ascending and in 0 \.\. 3, got '0-4'"),
        ("sefa", {"layers": [True] * 5}, "number of layers differs: 4 of num_ws, 5 of layers"),
        ("sefa", {"layers": [False] * 4}, "choose some"),
        ("sefa", {"num_ws": 0, "layers": "all"}, "num_ws should be at least 1, got 0"),
        ("sefa", {"names": ["a"]}, r"names should have one entry per direction \(3\)"),
        ("sefa", {"code": np.zeros(5)}, "code is no option of sefa, which takes num_ws, layers, space"),
        ("steerability", {"num_ws": 9}, r"number of layers differs: 9 of num_ws, 4 of"),
    ],
)
def test_contradictions(tmp_path, format, options, message):
    before = some_directions(space=FORMATS[format].spaces[-1])
    path = written(tmp_path, format, before)
    with pytest.raises(ValueError, match=message):
        Directions.read(path, format, **{**needed(format, before), **options})


def test_layers_of_positions():
    from gan_topdis.directions.formats.layer_mask import chosen_positions

    assert chosen_positions("0, 2-3", 5, None).tolist() == [True, False, True, True, False]
    assert chosen_positions("all", 2, None).tolist() == [True, True]


def test_unknown_formats_name_the_known_ones(tmp_path):
    known = ", ".join(formats())
    with pytest.raises(ValueError, match=f"format should be one of {known}, got 'stylespace'"):
        Directions.read(tmp_path, "stylespace")
    with pytest.raises(ValueError, match=f"format should be one of {known}, got 'stylespace'"):
        some_directions().export(tmp_path, "stylespace")


def test_options_of_export(tmp_path):
    with pytest.raises(ValueError, match="ckpt is no option of sefa, which takes none"):
        some_directions().export(tmp_path / "d.npy", "sefa", ckpt="x")
    with pytest.raises(ValueError, match=r"ganspace_edit needs model_name= \(--model-name\)"):
        some_directions().export(tmp_path / "d", "ganspace_edit", output_class="ffhq")
    with pytest.raises(ValueError, match=r"scale is no option of native, which takes none"):
        Directions.read(tmp_path / "d.npz", scale=1.0)


@pytest.mark.parametrize(
    ("format", "space", "message"),
    [
        ("sefa", "w+", r"sefa holds directions of space z or w, these are of w\+"),
        ("pti", "z", "pti holds directions of space w, these are of z"),
        ("factor", "z", "factor holds directions of space w, these are of z"),
        ("steerability", "z", r"steerability holds directions of space w or w\+, these are of z"),
    ],
)
def test_a_format_refuses_directions_of_other_spaces(tmp_path, format, space, message):
    with pytest.raises(ValueError, match=message):
        some_directions(space=space).export(tmp_path / "d", format)


@pytest.mark.parametrize("format", ["ganspace", "pti_pca"])
def test_formats_with_a_mean_refuse_directions_without(tmp_path, format):
    unknown = replace(some_directions(), w_mean=np.full(5, np.nan, np.float32))
    with pytest.raises(ValueError, match=f"{format} needs the mean latent"):
        unknown.export(tmp_path / "d.npz", format)


def test_notes_say_what_is_lost(tmp_path):
    some = replace(some_directions(), layers=np.eye(3, 4, dtype=bool))
    notes = write_directions(some, tmp_path / "factor.pt", "factor").notes
    assert notes[0] == "not kept: scale, mean, names, layers, scores, provenance"
    assert any("rosinality moves all layers, these directions only some" in note for note in notes)
    assert any("edits before truncation, these directions were meant after it" in note for note in notes)
    kept = write_directions(some_directions(), tmp_path / "d", "pti").notes
    assert not any("truncation" in note or "only some" in note for note in kept)


def test_what_a_file_was_taken_to_be_is_logged(tmp_path, caplog):
    before = some_directions()
    path = written(tmp_path, "factor", before)
    with caplog.at_level(logging.INFO):
        read_directions(path, "factor", **needed("factor", before))
    assert caplog.messages[-1] == (
        f"{path}: read as factor: space w, unit raw, edits before truncation, layers all, "
        "standard deviations from the option"
    )


# With a network


class WGenerator(Generator):
    """A mapping network that stretches z by 1, 2, ..., into 4 layers."""

    name, family, load_mode, fingerprint = "stretch", "test", "object", "f" * 64
    z_dim, c_dim, w_dim, num_ws, resolution, channels = 3, 0, 5, 4, (4, 4), 3
    device = torch.device("cpu")
    has_mapping = True

    def _map(self, z, c):
        w = torch.nn.functional.pad(z, (0, 2)) * torch.arange(1.0, 6.0) + 10
        return w[:, None].repeat(1, 4, 1)

    def _synthesize(self, ws, noise_mode):
        return torch.tanh(ws[:, :3, :1, None]).expand(-1, 3, 4, 4)

    def truncation_centre(self):
        return torch.full((5,), 10.0)

    def layer_table(self):
        from gan_topdis.generators import LayerRow

        return [LayerRow(i, 4 << i, "conv", ()) for i in range(4)]


def test_scale_is_measured_on_the_network(tmp_path):
    """Along axis i the latent has standard deviation i + 1; 10,000 samples give it within 3 %."""
    np.save(tmp_path / "sefa.npy", 7.0 * np.eye(5)[:3, None])
    found = Directions.read(tmp_path / "sefa.npy", "sefa", generator=WGenerator(), space="w", layers="middle")
    np.testing.assert_allclose(found.scale, [1, 2, 3], rtol=0.03)
    np.testing.assert_allclose(found.w_mean, 10, atol=0.1)
    assert found.layers.tolist() == [[False, False, True, True]] * 3
    assert found.meta["generator"]["fingerprint"] == "f" * 64
    assert found.meta["imported"]["scale_from"] == "network"


def test_w_plus_scale_is_that_of_w_where_rows_are_equal(monkeypatch):
    monkeypatch.setattr("gan_topdis.directions.formats.deviation.SAMPLES", 200)  # the same for all
    layers = np.array([[True, True, False, True]])
    vector = np.zeros((1, 5))
    vector[0, 1] = 1
    rows = (layers[0][:, None] * vector)[None] / 3**0.5
    flat, _ = measured_deviation(WGenerator(), vector, layers, space="w")
    deep, _ = measured_deviation(WGenerator(), rows, layers, space="w+")
    # moving by scale * rows is moving each of the three layers by one standard deviation
    np.testing.assert_allclose(deep * 3**-0.5, flat, rtol=1e-9)
    # rows that cancel still have a scale
    cancelling = np.zeros((1, 4, 5))
    cancelling[0, 0, 1], cancelling[0, 1, 1] = 0.5**0.5, -(0.5**0.5)
    deviation, _ = measured_deviation(WGenerator(), cancelling, layers, space="w+")
    np.testing.assert_allclose(deviation * 0.5**0.5, flat, rtol=1e-9)


def test_z_in_front_of_a_mapping_network_is_standard_normal():
    deviation, mean = measured_deviation(WGenerator(), np.eye(3), np.ones((3, 4), bool), space="z")
    assert deviation.tolist() == [1, 1, 1] and mean.tolist() == [0, 0, 0]


def test_scale_is_that_of_the_discovery(tmp_path):
    """The same seed draws the same latents: export to a raw format and import are the identity."""
    generator = small_generator()
    options = {"points": 8, "feature_size": 4, "evaluation_points": 16}
    found = discover(generator, 1, method="random", seed=3, **options)
    found.export(tmp_path / "d.npy", "sefa")
    again = Directions.read(tmp_path / "d.npy", "sefa", generator=generator, space="z", layers="all", seed=3)
    np.testing.assert_allclose(again.vectors, found.vectors, atol=2e-7)
    np.testing.assert_allclose(again.scale, found.scale, rtol=1e-6)
    np.testing.assert_allclose(again.w_mean, found.w_mean, atol=1e-6)


@pytest.mark.parametrize(
    ("format", "space", "sizes", "message"),
    [
        ("sefa", "w", {"w_dim": 6}, "does not fit stretch: w_dim should be 6, got 5"),
        ("sefa", "z", {}, "does not fit stretch: z_dim should be 3, got 5"),
        ("steerability", "w+", {"num_ws": 9}, "does not fit stretch: num_ws should be 9, got 4"),
        ("sefa", "w", {"has_mapping": False}, "it is of space w, and the network has no mapping"),
    ],
)
def test_a_file_of_another_network(tmp_path, format, space, sizes, message):
    generator = type("Other", (WGenerator,), sizes)()
    before = some_directions(space=space)
    path = written(tmp_path, format, before)
    options = {k: v for k, v in needed(format, before).items() if k not in ("num_ws", "scale")}
    with pytest.raises(ValueError, match=message):
        Directions.read(path, format, generator=generator, **{**options, "layers": None})


def test_an_edit_of_a_deeper_network(tmp_path):
    deep = some_directions(1, num_ws=18)
    deep.export(tmp_path / "smile.pkl", "ganspace_edit", model_name="StyleGAN2", output_class="ffhq")
    with pytest.raises(ValueError, match="moves layers 0 to 17, the network has 0 to 3"):
        Directions.read(tmp_path / "smile.pkl", "ganspace_edit", generator=WGenerator())


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"num_ws": 5}, "num_ws should be 5, got 4"),
        ({"w_dim": 6}, "w_dim should be 6, got 5"),
        ({"has_mapping": False}, "space should be z, got w"),
        ({"fingerprint": "e" * 64}, r"of another network \(fingerprint ffffffffffff\) than stretch \(eeee"),
    ],
)
def test_a_native_file_of_another_network(tmp_path, change, message):
    """Checked both where it is read and where it is exported."""
    before = replace(some_directions(), meta={"generator": {"fingerprint": "f" * 64}})
    before.save(tmp_path / "d.npz")
    other = type("Other", (WGenerator,), change)()
    assert Directions.read(tmp_path / "d.npz", generator=WGenerator()).names == before.names
    with pytest.raises(ValueError, match=message):
        Directions.read(tmp_path / "d.npz", generator=other)
    with pytest.raises(ValueError, match=message):
        before.export(tmp_path / "d.npy", "sefa", generator=other)


def test_layers_of_a_file_agree_with_resolve_layers():
    from gan_topdis.directions.formats.layer_mask import chosen_positions

    table = WGenerator().layer_table()
    for text in ("all", "0-2", "1,3", "0"):
        assert chosen_positions(text, 4, None).tolist() == resolve_layers(text, table).tolist()
