"""Files laid out key by key as other programs write them, made here by numpy, torch and pickle alone."""

from __future__ import annotations

import io
import json
import pickle
import zipfile
from collections import OrderedDict

import numpy as np
import pytest
import torch

from gan_topdis.directions import Directions

D, L = 6, 4
RNG = np.random.default_rng(3)
ROWS = RNG.normal(size=(4, D)).astype(np.float32)
ROWS *= np.array([[0.5], [1.0], [3.0], [7.0]], np.float32) / np.linalg.norm(ROWS, axis=1, keepdims=True)
LENGTHS = [0.5, 1.0, 3.0, 7.0]
UNIT = ROWS / np.linalg.norm(ROWS, axis=1, keepdims=True)


def check(directions: Directions, unit=UNIT, lengths=LENGTHS):
    # a float32 row normalised in float64 and rounded once: 2^-24 of a number below 1
    np.testing.assert_allclose(directions.vectors, unit, atol=2e-7)
    np.testing.assert_allclose(directions.meta["imported"]["lengths"], lengths, rtol=1e-6)


def cuda(data: bytes) -> bytes:
    """A file of torch.save, as if its tensors had been on a GPU: the location is written there as text."""
    here, there = b"X\x03\x00\x00\x00cpu", b"X\x06\x00\x00\x00cuda:0"
    if not data.startswith(b"PK"):
        assert here in data
        return data.replace(here, there)
    result = io.BytesIO()
    with zipfile.ZipFile(io.BytesIO(data)) as old, zipfile.ZipFile(result, "w") as new:
        for info in old.infolist():
            content = old.read(info)
            if info.filename.endswith("data.pkl"):
                assert here in content
                content = content.replace(here, there)
            new.writestr(info.filename, content)
    return result.getvalue()


def torch_bytes(value, form="zip"):
    stream = io.BytesIO()
    torch.save(value, stream, _use_new_zipfile_serialization="zip" in form)
    return cuda(stream.getvalue()) if "cuda" in form else stream.getvalue()


TORCH_FORMS = ("zip", "legacy", "zip cuda", "legacy cuda")


@pytest.mark.parametrize("form", TORCH_FORMS)
def test_pti_direction(tmp_path, form):
    (tmp_path / "age.pt").write_bytes(torch_bytes(torch.from_numpy(ROWS[2:3]), form))
    found = Directions.read(tmp_path / "age.pt", "pti", num_ws=L, scale=0.25)
    check(found, UNIT[2:3], [3.0])
    assert (found.names, found.space, found.scale[0]) == (("age",), "w", 0.25)
    assert found.layers.tolist() == [[True] * L]
    statement = found.meta["imported"]
    assert (statement["unit"], statement["edit_order"], statement["layers"]) == ("raw", "after", "all")


@pytest.mark.parametrize("form", TORCH_FORMS)
def test_pti_components(tmp_path, form):
    """An edit of one std moves by std times the vector, as it stands in the file."""
    mean, std = torch.linspace(-1, 1, D)[None], torch.tensor([4.0, 3.0, 2.0, 1.0])
    saved = {"mean": mean, "comp": torch.from_numpy(ROWS)[:, None], "std": std}
    (tmp_path / "ffhq_pca.pt").write_bytes(torch_bytes(saved, form))
    found = Directions.read(tmp_path / "ffhq_pca.pt", "pti_pca", num_ws=L, layers="0-1,3")
    check(found)
    np.testing.assert_allclose(found.scale[:, None] * found.vectors, std.numpy()[:, None] * ROWS, rtol=1e-5)
    np.testing.assert_array_equal(found.w_mean, mean[0].numpy())
    assert found.layers.tolist() == [[True, True, False, True]] * 4
    assert found.meta["imported"]["unit"] == "absolute"


@pytest.mark.parametrize("form", TORCH_FORMS)
def test_factor_as_svd_leaves_it(tmp_path, form):
    """`torch.svd(...).V` may be a transposed view, by version and device; torch.save keeps that."""
    matrix = torch.from_numpy(RNG.normal(size=(20, D)).astype(np.float32))
    v = torch.linalg.svd(matrix, full_matrices=False).Vh.contiguous().T
    assert not v.is_contiguous()
    (tmp_path / "factor.pt").write_bytes(torch_bytes({"ckpt": "550000.pt", "eigvec": v}, form))
    found = Directions.read(tmp_path / "factor.pt", "factor", num_ws=L, scale=1.0)
    check(found, v.numpy().T, [1.0] * D)
    assert (found.space, found.meta["edit_order"]) == ("w", "before")


def test_export_of_factor_opens_with_weights_only(tmp_path):
    """What `apply_factor.py` does: column i of eigvec, (d,)."""
    found = Directions.read(boundary(tmp_path), "interfacegan", **BOUNDARY)
    found.export(tmp_path / "factor.pt", "factor", ckpt="net.pt")
    saved = torch.load(tmp_path / "factor.pt", weights_only=True)
    assert list(saved) == ["ckpt", "eigvec"] and saved["ckpt"] == "net.pt"
    assert saved["eigvec"].shape == (D, D) and not saved["eigvec"][:, 1:].any()
    np.testing.assert_allclose(saved["eigvec"][:, 0], UNIT[1], atol=2e-7)


BOUNDARY = {"space": "w", "layers": "all", "order": "before", "num_ws": L, "scale": 1.0}


def boundary(tmp_path):
    np.save(tmp_path / "boundary.npy", ROWS[1:2].astype(np.float64))
    return tmp_path / "boundary.npy"


def test_boundary_in_float64(tmp_path):
    found = Directions.read(boundary(tmp_path), "interfacegan", **BOUNDARY)
    check(found, UNIT[1:2], [1.0])
    assert found.vectors.dtype == np.float32
    found.export(tmp_path / "again.npy", "interfacegan")
    assert np.load(tmp_path / "again.npy").shape == (1, D)  # readers demand 2-D, one row


def test_sefa_rows(tmp_path):
    np.save(tmp_path / "sefa_ffhq.npy", ROWS[:, None])
    check(Directions.read(tmp_path / "sefa_ffhq.npy", "sefa", space="z", scale=[1, 2, 3, 4]))


def components(tmp_path, name):
    count = 4
    np.savez_compressed(
        tmp_path / name,
        act_comp=RNG.normal(size=(count, 1, D)).astype(np.float32),
        act_mean=RNG.normal(size=(1, D)).astype(np.float32),
        act_stdev=np.ones(count, np.float32),
        lat_comp=UNIT[:, None],
        lat_mean=np.arange(D, dtype=np.float32)[None],
        lat_stdev=np.array([9, 4, 2, 1], np.float32),
        var_ratio=np.array([0.5, 0.25, 0.125, 0.0625], np.float32),
        random_stdevs=np.ones(count, np.float32),
    )
    return tmp_path / name


@pytest.mark.parametrize(
    ("name", "space"),
    [
        ("stylegan2-ffhq_style_ipca_c80_n1000000_w.npz", "w"),
        ("stylegan2-ffhq_style_ipca_c80_n1000000_w_seed3.npz", "w"),
        ("biggan-512-husky_generator.gen_z_ipca_c80_n1000000.npz", "z"),
    ],
)
def test_ganspace_components(tmp_path, name, space):
    found = Directions.read(components(tmp_path, name), "ganspace", num_ws=L, layers="all")
    check(found, UNIT, [1.0] * 4)
    assert found.space == space
    np.testing.assert_allclose(found.scale, [9, 4, 2, 1], rtol=3e-7)  # of a norm in float32
    np.testing.assert_array_equal(found.w_mean, np.arange(D))
    np.testing.assert_array_equal(found.table["var_ratio"], [0.5, 0.25, 0.125, 0.0625])
    assert found.meta["imported"]["unit"] == "sigma"


def test_ganspace_under_another_name_does_not_say_its_space(tmp_path):
    path = components(tmp_path, "mine.npz")
    with pytest.raises(ValueError, match=r"does not say its space: give space= \(--space\)"):
        Directions.read(path, "ganspace", num_ws=L, layers="all")


def test_export_to_ganspace_has_its_keys_name_and_15_rows(tmp_path):
    found = Directions.read(
        components(tmp_path, "a-b_style_ipca_c4_n9_w.npz"), "ganspace", num_ws=L, layers="all"
    )
    (tmp_path / "components").mkdir()
    (file,) = found.export(tmp_path / "components", "ganspace", model_name="StyleGAN2", output_class="cat")
    assert file.name == "stylegan2-cat_style_ipca_c15_n10000_w.npz"
    with np.load(file, allow_pickle=False) as arrays:
        shapes = {name: arrays[name].shape for name in arrays.files}
        assert {arrays[name].dtype for name in arrays.files} == {np.dtype("float32")}
        np.testing.assert_array_equal(arrays["act_comp"], arrays["lat_comp"])
        assert not arrays["lat_comp"][4:].any()
    assert shapes == {
        "act_comp": (15, 1, D),
        "act_mean": (1, D),
        "act_stdev": (15,),
        "lat_comp": (15, 1, D),
        "lat_mean": (1, D),
        "lat_stdev": (15,),
        "var_ratio": (15,),
        "random_stdevs": (15,),
    }
    with pytest.raises(ValueError, match="found by name: give model_name= and output_class="):
        found.export(tmp_path / "components", "ganspace")


def ganspace_edit(**changes):
    return {
        "name": "Smile",
        "sigma_range": 2.0,
        "component_index": 3,
        "act_comp": UNIT[2:3],
        "lat_comp": UNIT[2:3],
        "latent_space": "W",
        "act_stdev": np.float32(1.5),
        "lat_stdev": np.float32(0.75),
        "model_name": "StyleGAN2",
        "output_class": "ffhq",
        "decomposition": {
            "name": "ipca",
            "components": 80,
            "samples": 1_000_000,
            "layer": "style",
            "class_name": "ffhq",
        },
        "edit_type": "latent",
        "truncation": 0.7,
        "edit_start": 1,
        "edit_end": 3,
        "example_seed": 42,
        **changes,
    }


@pytest.mark.parametrize("protocol", [2, 3, 4, 5])
@pytest.mark.parametrize("old_numpy", [True, False])
def test_ganspace_edit(tmp_path, protocol, old_numpy):
    data = pickle.dumps(ganspace_edit(), protocol=protocol)
    if old_numpy and protocol < 4:  # numpy 2 moved the module; its length stands in front in protocol 4
        data = data.replace(b"cnumpy._core.", b"cnumpy.core.")
    (tmp_path / "smile.pkl").write_bytes(data)
    found = Directions.read(tmp_path / "smile.pkl", "ganspace_edit", num_ws=L)
    check(found, UNIT[2:3], [1.0])
    assert (found.names, found.space, found.scale[0]) == (("Smile",), "w", 0.75)
    assert found.layers.tolist() == [[False, True, True, False]]
    assert found.meta["imported"]["facts"]["smile"]["truncation"] == 0.7


@pytest.mark.parametrize(
    ("array", "expected"),
    [
        (UNIT[2:3].astype(">f8"), UNIT[2:3]),
        (np.asfortranarray(UNIT[2:3].astype(np.float64)), UNIT[2:3]),
        (np.array([[3, 0, 0, 0, 0, 4]], dtype=np.int64), np.array([[0.6, 0, 0, 0, 0, 0.8]])),
    ],
)
def test_arrays_of_other_types_and_byte_orders(tmp_path, array, expected):
    (tmp_path / "d.pkl").write_bytes(pickle.dumps(ganspace_edit(lat_comp=array, lat_stdev=1.0)))
    found = Directions.read(tmp_path / "d.pkl", "ganspace_edit", num_ws=L)
    np.testing.assert_allclose(found.vectors, expected, atol=2e-7)


def test_export_of_a_ganspace_edit_has_its_keys(tmp_path):
    (tmp_path / "smile.pkl").write_bytes(pickle.dumps(ganspace_edit()))
    found = Directions.read(tmp_path / "smile.pkl", "ganspace_edit", num_ws=L)
    found.export(tmp_path / "out.pkl", "ganspace_edit", model_name="StyleGAN2", output_class="ffhq")
    ours = pickle.loads((tmp_path / "out.pkl").read_bytes())
    theirs = ganspace_edit()
    assert list(ours) == list(theirs) and list(ours["decomposition"]) == list(theirs["decomposition"])
    for key, value in theirs.items():
        assert type(ours[key]) is type(value), key
    np.testing.assert_allclose(ours["lat_comp"], theirs["lat_comp"], atol=2e-7)
    assert (ours["edit_start"], ours["edit_end"]) == (1, 3)
    with pytest.raises(ValueError, match="one range of layers"):
        holes = np.array([[True, False, True, False]])
        Directions(**{**found.__dict__, "layers": holes}).export(
            tmp_path / "out", "ganspace_edit", model_name="a", output_class="b"
        )


@pytest.mark.parametrize("form", TORCH_FORMS)
def test_deformators(tmp_path, form):
    (tmp_path / "models").mkdir()
    state = OrderedDict({"linear.weight": torch.from_numpy(ROWS.T.copy()), "linear.bias": torch.zeros(D)})
    (tmp_path / "models" / "deformator_9000.pt").write_bytes(torch_bytes(state, form))
    (tmp_path / "models" / "deformator_10000.pt").write_bytes(torch_bytes(state, form))
    (tmp_path / "args.json").write_text(json.dumps({"deformator": "proj"}))
    (tmp_path / "human_annotation.txt").write_text("2: smile\n0: background: removal\n")
    found = Directions.read(tmp_path, "gan_latent_discovery", space="w", num_ws=L, scale=1.0)
    check(found)
    assert found.names == ("background: removal", "direction 1", "smile", "direction 3")


def test_orthogonal_deformator(tmp_path):
    """Columns of expm(M - M^T): for M = [[0, a], [0, 0]] the rotation by a."""
    half = torch.tensor([[0.0, 0.3], [0.0, 0.0]])
    torch.save(OrderedDict(log_mat_half=half), tmp_path / "deformator_1.pt")
    found = Directions.read(tmp_path / "deformator_1.pt", "gan_latent_discovery", space="z", scale=1.0)
    c, s = np.cos(0.3), np.sin(0.3)
    np.testing.assert_allclose(found.vectors, [[c, -s], [s, c]], atol=1e-7)


def test_deformators_without_directions_are_refused(tmp_path):
    for state, message in (
        ({"fc1.weight": torch.ones(2, 2)}, "the kind fc is not linear"),
        ({"linear.weight": torch.ones(3, 2), "linear.bias": torch.ones(3)}, "linear.bias, which moves every"),
    ):
        torch.save(OrderedDict(state), tmp_path / "deformator_1.pt")
        with pytest.raises(ValueError, match=message):
            Directions.read(tmp_path / "deformator_1.pt", "gan_latent_discovery", space="z", scale=1.0)


def latentclr(model):
    optimizer = torch.optim.Adam([torch.nn.Parameter(torch.ones(2))]).state_dict()
    return {
        "iteration": 100,
        "optimizer": optimizer,
        "model": model,
        "projector": OrderedDict(weight=torch.ones(2, 2)),
        "scheduler": {"last_epoch": 3},
        "scaler": {},
    }


@pytest.mark.parametrize("form", TORCH_FORMS)
def test_latentclr_checkpoint(tmp_path, form):
    model = OrderedDict(params=torch.nn.Parameter(torch.from_numpy(ROWS)))
    (tmp_path / "best_model.pt").write_bytes(torch_bytes(latentclr(model), form))
    found = Directions.read(tmp_path / "best_model.pt", "latentclr", space="z", scale=1.0)
    check(found)
    assert found.num_ws == 1 and found.meta["edit_order"] == "before"


def test_conditional_latentclr_is_refused(tmp_path):
    torch.save(latentclr(OrderedDict({"net.0.weight": torch.ones(2, 2)})), tmp_path / "m.pt")
    with pytest.raises(ValueError, match="conditional models have a direction per latent"):
        Directions.read(tmp_path / "m.pt", "latentclr", space="z", scale=1.0)


def test_warped_direction_is_the_gradient_of_the_warping(tmp_path):
    """Against differences of f(x) = sum_i alpha_i exp(-gamma |x - s_i|^2), in float64."""
    count, pairs = 3, 4
    support = RNG.normal(size=(count, pairs * D)).astype(np.float32)
    alphas = RNG.normal(size=(count, pairs)).astype(np.float32)
    log_gamma = np.log(RNG.uniform(0.1, 0.4, size=(count, 1))).astype(np.float32)
    state = {"SUPPORT_SETS": support, "ALPHAS": alphas, "LOGGAMMA": log_gamma}
    torch.save(OrderedDict((k, torch.from_numpy(v)) for k, v in state.items()), tmp_path / "support_sets.pt")
    code = RNG.normal(size=D)

    def warping(x):
        squared = np.square(x - support.reshape(count, pairs, D).astype(np.float64)).sum(axis=2)
        return (alphas * np.exp(-np.exp(log_gamma.astype(np.float64)) * squared)).sum(axis=1)

    step = 1e-5
    gradient = np.stack(
        [(warping(code + e) - warping(code - e)) / (2 * step) for e in step * np.eye(D)], axis=1
    )
    expected = gradient / np.linalg.norm(gradient, axis=1, keepdims=True)
    options = {"space": "z", "scale": 1.0}
    found = Directions.read(tmp_path / "support_sets.pt", "warped", code=code, **options)
    np.testing.assert_allclose(found.vectors, expected, atol=1e-6)
    # where every exponential underflows, the nearest support vector decides
    far = Directions.read(tmp_path / "support_sets.pt", "warped", code=1e3 * np.ones(D), **options)
    assert np.isfinite(far.vectors).all()
    with pytest.raises(ValueError, match=r"warped needs code= \(--code\)"):
        Directions.read(tmp_path / "support_sets.pt", "warped", **options)
    with pytest.raises(ValueError, match="warped is read only"):
        found.export(tmp_path / "x", "warped")


def test_one_w_plus_direction_is_never_many_w_directions(tmp_path):
    rows = RNG.normal(size=(L, D))
    rows[1] = 0
    np.save(tmp_path / "zoom.npy", rows)
    found = Directions.read(tmp_path / "zoom.npy", "steerability", order="after", scale=2.0)
    assert (len(found), found.space, found.names) == (1, "w+", ("zoom",))
    np.testing.assert_allclose(found.vectors[0], rows / np.linalg.norm(rows), atol=2e-7)
    assert found.layers.tolist() == [[True, False, True, True]]
    with pytest.raises(ValueError, match=r"boundary of shape \(1, d\), got \(4, 6\)"):
        Directions.read(tmp_path / "zoom.npy", "interfacegan", **BOUNDARY)
