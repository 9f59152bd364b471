"""`gan-topdis apply`: edited pictures and latents, and what it refuses."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch
from command import contents, error_line, run, tiny_generator, usage_error, use_generator
from PIL import Image

from gan_topdis.directions import Directions
from gan_topdis.directions.edits import Edit, edited_latents, resolve_edit
from gan_topdis.directions.formats.latents import read_latents
from gan_topdis.generators import load_generator
from gan_topdis.report import to_pixels

FIXTURES = Path(__file__).parents[1] / "fixtures" / "stylegan2_ada"


@pytest.fixture
def tiny(monkeypatch):
    generator = tiny_generator()
    use_generator(monkeypatch, generator)
    return generator


@pytest.fixture(scope="module")
def loaded():
    return load_generator(FIXTURES / "uncond32_skip.torch1_7.pkl", device="cpu")


@pytest.fixture
def stylegan(monkeypatch, loaded):
    """Eight layers of w, 32 pixels."""
    use_generator(monkeypatch, loaded)
    return loaded


def directions_of(generator, names=("smile", "age = old"), scale=1.0, edit_order="after"):
    count = len(names)
    return Directions(
        vectors=np.eye(count, generator.w_dim, dtype=np.float32),
        names=names,
        scores=np.zeros(count),
        layers=np.ones((count, generator.num_ws), dtype=bool),
        scale=np.full(count, scale, dtype=np.float32),
        w_mean=np.zeros(generator.w_dim, dtype=np.float32),
        space=generator.latent_space,
        score_name="rtd",
        meta={
            "generator": {"name": generator.name, "fingerprint": generator.fingerprint},
            "edit_order": edit_order,
        },
    )


def apply(generator, tmp_path, *arguments, **options):
    """`apply` with directions of this generator, into tmp_path / out."""
    file = tmp_path / "directions" / "directions.npz"
    file.parent.mkdir(exist_ok=True)
    directions_of(generator, **options).save(file)
    return run("apply", "--directions", file, "--outdir", tmp_path / "out", *arguments)


def saved_w(path):
    """What NVIDIA's generate.py --projected-w reads."""
    with np.load(path) as file:
        assert file.files == ["w"]
        return file["w"]


def picture(path):
    with Image.open(path) as opened:
        return np.asarray(opened)


# --- seeds ---


def test_edits_add_up_in_standard_deviations(tiny, tmp_path):
    result = apply(
        tiny,
        tmp_path,
        "--edit",
        "smile=1.5",
        "--edit",
        "1=-2",
        "--edit",
        "0=0.5",
        "--seeds",
        "3,1",
        scale=0.5,
    )
    assert result.exit_code == 0
    names = ["seed0003.png", "seed0001.png", "projected_w.npz"]
    assert result.stdout.splitlines() == [str(tmp_path / "out" / name) for name in names]
    assert contents(tmp_path / "out") == {*names, "run.json"}
    ws = tiny.map(tiny.latents([3, 1]))
    ws[..., 0] += 1.0  # (1.5 + 0.5) * 0.5
    ws[..., 1] -= 1.0
    saved = saved_w(tmp_path / "out" / "projected_w.npz")
    np.testing.assert_allclose(saved, ws.numpy(), atol=1e-6)
    expected = to_pixels(tiny.synthesize(torch.from_numpy(saved)))
    assert np.array_equal(picture(tmp_path / "out" / "seed0003.png"), expected[0])
    assert np.array_equal(picture(tmp_path / "out" / "seed0001.png"), expected[1])


def test_strength_zero_is_the_picture_of_generate_py(stylegan, tmp_path):
    """Seed rule, truncation and rounding of generate.py, written out; the network itself is held to
    reference pictures in tests/generators."""
    assert apply(stylegan, tmp_path, "--edit", "0=0", "--seeds", "0,5", "--trunc", "0.7").exit_code == 0
    z = np.stack([np.random.RandomState(seed).randn(stylegan.z_dim) for seed in (0, 5)]).astype(np.float32)
    images = stylegan.synthesize(stylegan.map(torch.from_numpy(z), truncation_psi=0.7))
    # generate.py: (img * 127.5 + 128).clamp(0, 255).to(uint8)
    expected = (images.permute(0, 2, 3, 1) * 127.5 + 128).clamp(0, 255).to(torch.uint8).numpy()
    assert np.array_equal(picture(tmp_path / "out" / "seed0000.png"), expected[0])
    assert np.array_equal(picture(tmp_path / "out" / "seed0005.png"), expected[1])


@pytest.mark.parametrize(("layers", "moved"), [("coarse", range(4)), ("6-7", (6, 7)), ("16x16", (4, 5))])
def test_layers_override_those_of_the_file(stylegan, tmp_path, layers, moved):
    apply(stylegan, tmp_path, "--edit", "smile=2", "--seeds", "0", "--layers", layers)
    edited = saved_w(tmp_path / "out" / "projected_w.npz")[0]
    change = edited - stylegan.map(stylegan.latents([0])).numpy()[0]
    expected = np.zeros_like(change)
    expected[list(moved), 0] = 2
    np.testing.assert_allclose(change, expected, atol=1e-5)


@pytest.mark.parametrize(("order", "reach"), [("after", 2.0), ("before", 1.0)])
def test_order_of_edit_and_truncation(stylegan, tmp_path, order, reach):
    """Before truncation to one half, truncated layers move half as far, the others as far as asked."""
    options = ("--trunc", "0.5", "--trunc-cutoff", "3", "--edit-order", order)
    apply(stylegan, tmp_path, "--edit", "smile=2", "--seeds", "0", *options)
    edited = saved_w(tmp_path / "out" / "projected_w.npz")[0]
    ws = stylegan.map(stylegan.latents([0]), truncation_psi=0.5, truncation_cutoff=3).numpy()[0]
    np.testing.assert_allclose((edited - ws)[:, 0], [reach] * 3 + [2.0] * 5, atol=1e-5)


def test_random_noise_is_the_same_for_the_same_seed_and_any_batch(stylegan, tmp_path):
    pictures = []
    for options in (("--max-batch", "1"), ("--max-batch", "2"), ("--seed", "8")):
        options = ("--edit", "0=1", "--seeds", "0,1", "--noise-mode", "random", "--overwrite", *options)
        assert apply(stylegan, tmp_path, *options).exit_code == 0
        pictures.append(picture(tmp_path / "out" / "seed0001.png"))
    assert np.array_equal(pictures[0], pictures[1])
    assert not np.array_equal(pictures[0], pictures[2])


def test_edits_of_programs_that_edit_before_truncation_are_announced(stylegan, tmp_path):
    edit = ("--edit", "smile=2", "--seeds", "0", "--trunc", "0.5")
    result = apply(stylegan, tmp_path, *edit, edit_order="before")
    assert result.stderr == (
        "Warning: these directions are of a program that edits before truncation; "
        "--edit-order before does as it does\n"
    )
    for options in (("--edit-order", "before"), ("--trunc", "1")):
        result = apply(stylegan, tmp_path, *edit, *options, "--overwrite", edit_order="before")
        assert result.exit_code == 0 and result.stderr == ""


# --- projected latents ---


def test_latents_come_back_in_the_form_in_which_they_came(stylegan, tmp_path):
    ws = stylegan.map(stylegan.latents([0])).numpy()  # (1, 8, w_dim)
    np.savez(tmp_path / "projected_w.npz", w=ws)
    np.save(tmp_path / "code.npy", ws[0])
    torch.save(torch.from_numpy(ws), tmp_path / "0.pt")
    expected = ws.copy()
    expected[..., 0] += 3
    for name, shape in (("projected_w.npz", (1, 8)), ("code.npy", (8,)), ("0.pt", (1, 8))):
        result = apply(
            stylegan, tmp_path, "--edit", "smile=3", "--projected-w", tmp_path / name, "--overwrite"
        )
        assert result.exit_code == 0
        written = tmp_path / "out" / f"projected_w{Path(name).suffix}"
        assert result.stdout.splitlines() == [str(tmp_path / "out" / "proj00.png"), str(written)]
        if name.endswith(".npz"):
            array = saved_w(written)
        elif name.endswith(".npy"):
            array = np.load(written)
        else:
            array = torch.load(written, weights_only=True).numpy()
        assert array.shape == (*shape, stylegan.w_dim) and array.dtype == np.float32
        np.testing.assert_allclose(array.reshape(expected.shape), expected, atol=1e-5)
        shown = to_pixels(stylegan.synthesize(torch.from_numpy(array.reshape(expected.shape))))[0]
        assert np.array_equal(picture(tmp_path / "out" / "proj00.png"), shown)


def test_edited_latents_can_be_edited_back(tiny, tmp_path):
    apply(tiny, tmp_path, "--edit", "smile=1.25", "--seeds", "0-2")
    (tmp_path / "out").rename(tmp_path / "there")
    apply(tiny, tmp_path, "--edit", "smile=-1.25", "--projected-w", tmp_path / "there" / "projected_w.npz")
    assert contents(tmp_path / "out") == {
        "proj00.png",
        "proj01.png",
        "proj02.png",
        "projected_w.npz",
        "run.json",
    }
    back = read_latents(tmp_path / "out" / "projected_w.npz", num_ws=1, w_dim=4).ws
    np.testing.assert_allclose(back, tiny.map(tiny.latents(range(3))).numpy(), atol=1e-6)


def test_latents_of_another_network_are_refused(stylegan, tmp_path):
    np.savez(tmp_path / "projected_w.npz", w=np.zeros((1, 18, stylegan.w_dim), np.float32))
    line = error_line(
        apply(stylegan, tmp_path, "--edit", "0=1", "--projected-w", tmp_path / "projected_w.npz")
    )
    assert line.endswith("has 18 layers, the network 8: it is of another network")
    assert not (tmp_path / "out").exists()


def test_the_folder_of_the_latents_is_not_written_to(tiny, tmp_path):
    (tmp_path / "out").mkdir()
    np.savez(tmp_path / "out" / "projected_w.npz", w=np.zeros((1, 1, 4), np.float32))
    options = ("--edit", "0=1", "--projected-w", tmp_path / "out" / "projected_w.npz", "--overwrite")
    assert error_line(apply(tiny, tmp_path, *options)).startswith(
        "Error: outdir should be another folder than that of the latents"
    )
    assert not saved_w(tmp_path / "out" / "projected_w.npz").any()


def test_directions_of_w_plus_move_each_layer_its_own_way(stylegan, tmp_path):
    rows = np.zeros((1, 8, stylegan.w_dim), np.float32)
    rows[0, 2, 0], rows[0, 5, 1] = 0.6, 0.8
    file = tmp_path / "plus.npz"
    replace(
        directions_of(stylegan, names=("pose",)), vectors=rows, space="w+", layers=np.ones((1, 8), bool)
    ).save(file)
    options = ("--directions", file, "--edit", "pose=2", "--seeds", "0", "--outdir", tmp_path / "out")
    assert run("apply", *options, "--layers", "0-4").exit_code == 0
    change = saved_w(tmp_path / "out" / "projected_w.npz") - stylegan.map(stylegan.latents([0])).numpy()
    expected = np.zeros_like(change)
    expected[0, 2, 0] = 1.2
    np.testing.assert_allclose(change, expected, atol=1e-5)


# --- mistakes ---


@pytest.mark.parametrize(
    ("edit", "message"),
    [
        ("smlie=1", "there is no direction 'smlie'; did you mean 'smile'?"),
        ("xyz=1", "there is no direction 'xyz'; known: 'smile', 'age = old'"),
        ("2=1", "edit should be of a direction 0 .. 1, got '2=1'"),
        ("smile", "edit should be NAME_OR_INDEX=SIGMA such as smile=1.5 or 3=-2, got 'smile'"),
        ("smile=much", "edit should be NAME_OR_INDEX=SIGMA such as smile=1.5 or 3=-2, got 'smile=much'"),
        ("smile=nan", "edit should be NAME_OR_INDEX=SIGMA such as smile=1.5 or 3=-2, got 'smile=nan'"),
    ],
)
def test_edits_that_cannot_be_made(tiny, tmp_path, edit, message):
    assert error_line(apply(tiny, tmp_path, "--edit", edit, "--seeds", "0")) == f"Error: {message}"
    assert not (tmp_path / "out").exists()


def test_names_go_before_indices():
    assert resolve_edit("1=2", ("1", "tilt")) == Edit(0, 2.0)
    assert resolve_edit("age = old=-.5", ("smile", "age = old")) == Edit(1, -0.5)
    with pytest.raises(
        ValueError, match="directions 0 and 2 are both named 'a'; give the index, such as 0=1"
    ):
        resolve_edit("a=1", ("a", "b", "a"))


def test_strength_zero_returns_equal_latents(tiny):
    ws = tiny.map(tiny.latents([0, 1]))
    assert torch.equal(edited_latents(ws, directions_of(tiny), [Edit(0, 0.0), Edit(1, 0.0)]), ws)


@pytest.mark.parametrize(
    ("options", "message"),
    [
        (("--edit", "0=1"), "Missing option '--seeds' or '--projected-w'."),
        (("--seeds", "0"), "Missing option '--edit'."),
        (
            ("--edit", "0=1", "--seeds", "0", "--interpret", "w"),
            "--interpret is of --projected-w, not of seeds.",
        ),
        *(
            (
                ("--edit", "0=1", "--projected-w", "x.npz", *option),
                f"{named} is of seeds and has no meaning with --projected-w.",
            )
            for named, *option in (
                ("--seeds", "--seeds", "0"),
                ("--trunc", "--trunc", "0.7"),
                ("--trunc-cutoff", "--trunc-cutoff", "4"),
                ("--class", "--class", "1"),
                ("--edit-order before", "--edit-order", "before"),
            )
        ),
    ],
)
def test_mistakes_of_typing(tiny, tmp_path, options, message):
    assert usage_error(apply(tiny, tmp_path, *options)) == message
    assert not (tmp_path / "out").exists()


def test_directions_are_required(tmp_path):
    assert usage_error(run("apply", "--outdir", tmp_path)) == "Missing option '--directions'."


def test_a_class_is_needed_by_conditional_generators(tiny, tmp_path):
    tiny.c_dim = 3
    line = error_line(apply(tiny, tmp_path, "--edit", "0=1", "--seeds", "0"))
    assert line == "Error: tiny is conditional: choose a class with --class 0 .. 2"


def test_a_dry_run_prints_settings_that_can_be_read_back(tiny, tmp_path):
    result = apply(tiny, tmp_path, "--edit", "0=1", "--edit", "age = old=2", "--seeds", "0-2,7", "-n")
    (tmp_path / "settings.yaml").write_text(result.stdout)
    again = run("apply", "--config", tmp_path / "settings.yaml", "--outdir", tmp_path / "out", "-n")
    assert again.stdout == result.stdout and "seeds: 0-2,7" in result.stdout
    assert not (tmp_path / "out").exists()


def test_the_record_says_what_was_run(tiny, tmp_path):
    apply(tiny, tmp_path, "--edit", "smile=1", "--seeds", "0")
    record = json.loads((tmp_path / "out" / "run.json").read_text())
    assert record["verb"] == "apply" and record["config"]["edit"] == ["smile=1"]
    assert record["sessions"][-1]["status"] == "complete"
