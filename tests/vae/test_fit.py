"""Training of every objective: resume, the delay of TopDis, files, refusals."""

from __future__ import annotations

import math

import numpy as np
import pytest
import torch
from safetensors.torch import save_file

from gan_topdis.losses import TopDisLoss
from gan_topdis.training.csv_log import read_log
from gan_topdis.vae import OBJECTIVES, VAE, fit, load
from gan_topdis.vae.training_task import TopDisSchedule

FEW = {
    "steps": 12,
    "batch_size": 16,
    "latent": 3,
    "model_options": {"hidden": 8},
    "device": "cpu",
    "log_every": 3,
    "checkpoint_every": 100,
}


@pytest.fixture(scope="module")
def images():
    """Squares at 40 places, grey, 16 pixels."""
    rng = np.random.default_rng(0)
    pixels = np.zeros((40, 1, 16, 16), dtype=np.uint8)
    for image, (x, y) in zip(pixels, rng.integers(0, 12, size=(40, 2)), strict=True):
        image[0, y : y + 4, x : x + 4] = 255
    return pixels


def same(a, b):
    return all(torch.equal(x, y) for x, y in zip(a.parameters(), b.parameters(), strict=True))


def stop_after(step):
    def callback(progress):
        if progress.done == step:
            raise KeyboardInterrupt

    return callback


@pytest.mark.parametrize("objective", list(OBJECTIVES))
def test_interrupted_and_resumed_equals_uninterrupted(images, tmp_path, objective):
    """Weights, schedules, discriminators, moments of Adam, log: with TopDis from step 4 on."""
    options = {**FEW, "objective": objective, "topdis_weight": 2.0, "topdis_start": 4, "seed": 3}
    whole = fit(images, **options, outdir=tmp_path / "whole")
    with pytest.raises(KeyboardInterrupt):
        fit(images, **options, outdir=tmp_path / "out", on_progress=stop_after(7))
    torch.manual_seed(99)  # nothing global matters
    with pytest.raises(ValueError, match="the run to continue has images_sha256"):
        fit(255 - images, **options, outdir=tmp_path / "out", resume=True)
    resumed = fit(images, **options, outdir=tmp_path / "out", resume=True)
    assert same(resumed, whole)
    assert (tmp_path / "out" / "log.csv").read_text() == (tmp_path / "whole" / "log.csv").read_text()
    log = read_log(tmp_path / "whole" / "log.csv")
    assert log["step"] == [3, 6, 9, 12] and math.isnan(log["topdis"][0])
    assert all(math.isfinite(v) and v >= 0 for v in log["topdis"][1:])
    # orthogonal afterwards, up to rounding, or not touched
    for before, after in zip(log["topdis_inner"][1:], log["topdis_inner_after"][1:], strict=True):
        assert after == before if before >= 0 else abs(after) < 1e-3 * abs(before)


def test_until_it_starts_topdis_changes_nothing_and_then_it_does(images):
    base = fit(images, **{**FEW, "steps": 6}, objective="beta")
    with_topdis = {"objective": "beta", "topdis_weight": 5.0}
    assert same(base, fit(images, **{**FEW, "steps": 6}, **with_topdis, topdis_start=6))
    assert not same(base, fit(images, **{**FEW, "steps": 6}, **with_topdis, topdis_start=5))
    assert not same(
        fit(images, **{**FEW, "steps": 6}, **with_topdis, topdis_start=0),
        fit(images, **{**FEW, "steps": 6}, **with_topdis, topdis_start=0, orthogonalise=False),
    )


def test_lazy_topdis_enters_at_every_kth_step_with_k_times_its_weight(images, tmp_path):
    """Started at step 5 with interval 4, its steps are 8 and 12; until step 7 nothing differs."""
    schedule = TopDisSchedule(1.5, 5, ramp=0, interval=4)
    assert [schedule.at(step) for step in range(12)] == [0.0] * 7 + [6.0] + [0.0] * 3 + [6.0]
    base = {**FEW, "objective": "vae", "log_every": 1, "topdis_start": 5}
    lazy = {**base, "topdis_weight": 1.5, "topdis_interval": 4}
    seven = {"steps": 7, "orthogonalise": False}
    assert same(fit(images, **{**base, **seven}), fit(images, **{**lazy, **seven}))
    whole = fit(images, **lazy, outdir=tmp_path / "whole")
    log = read_log(tmp_path / "whole" / "log.csv")
    assert [step for step, value in zip(log["step"], log["topdis"], strict=True) if value > 0] == [8, 12]
    # at step 8 the gradient is that of a run with four times the weight that starts there
    eight = {"steps": 8, "orthogonalise": False}
    heavy = {**base, "topdis_weight": 6.0, "topdis_start": 7}
    assert same(fit(images, **{**lazy, **eight}), fit(images, **{**heavy, **eight}))
    fit(images, **{**lazy, "steps": 9}, outdir=tmp_path / "out")
    with pytest.raises(ValueError, match="topdis_interval 4, this one has the default"):
        fit(images, **{**lazy, "topdis_interval": 1}, outdir=tmp_path / "out", resume=True)
    assert same(whole, fit(images, **lazy, outdir=tmp_path / "out", resume=True))


class Blurred(torch.nn.Module):
    """A feature map with weights, that counts how often it is moved."""

    def __init__(self):
        super().__init__()
        self.layer = torch.nn.AvgPool2d(4)
        self.moved = 0

    def _apply(self, function, recurse=True):
        self.moved += 1
        return super()._apply(function, recurse)

    def forward(self, images):
        return self.layer(images)


def make_function():
    """Another object at every call, as in another process; the name stays."""

    def features(images):
        return images.flatten(1)[:, ::2]

    return features


@pytest.mark.parametrize(("make", "other"), [(make_function, Blurred), (Blurred, make_function)])
def test_a_feature_map_goes_to_the_device_and_the_run_can_be_resumed(images, tmp_path, make, other):
    def options(feature_map, **more):
        return {
            **FEW,
            "objective": "vae",
            "topdis_weight": 2.0,
            "topdis_start": 2,
            **more,
            "topdis_options": {"feature_map": feature_map},
        }

    used = make()
    whole = fit(images, **options(used))
    assert not isinstance(used, Blurred) or used.moved > 0
    fit(images, **options(make(), steps=6, outdir=tmp_path))
    assert same(whole, fit(images, **options(make(), outdir=tmp_path, resume=True)))
    assert not same(whole, fit(images, **options(None)))
    with pytest.raises(ValueError, match=r"the run to continue has topdis_options .*feature_map"):
        fit(images, **options(other(), outdir=tmp_path, resume=True))


def test_the_coordinate_follows_the_weights_of_the_decoder(images, monkeypatch):
    """All weight on coordinate 1 at the first step of TopDis, on coordinate 2 at the second."""
    drawn, norms = [], iter([[0.0, 1.0, 0.0], [0.0, 0.0, 1.0]])
    step = TopDisLoss.step

    def recorded(self, *arguments, **options):
        drawn.append(step(self, *arguments, **options))
        return drawn[-1]

    monkeypatch.setattr(TopDisLoss, "step", recorded)
    monkeypatch.setattr(VAE, "first_decoder_layer_norms", lambda self: torch.tensor(next(norms)))
    options = {**FEW, "objective": "vae", "steps": 4, "topdis_weight": 1.0, "topdis_start": 2}
    fit(images, **options, topdis_sampler="weight_norm")
    assert [taken.coordinate for taken in drawn] == [1, 2]


@pytest.mark.parametrize("changed", [{"topdis_sampler": "weight_norm"}, {"topdis_codes": "mean"}])
def test_variants_of_topdis_train_are_recorded_and_do_not_touch_the_default(images, tmp_path, changed):
    options = {**FEW, "objective": "beta_tc", "topdis_weight": 2.0, "topdis_start": 2, "seed": 1}
    whole = fit(images, **options, **changed)
    assert not same(whole, fit(images, **options))
    fit(images, **{**options, "steps": 6}, **changed, outdir=tmp_path)
    with pytest.raises(ValueError, match=f"has {next(iter(changed))} .*, this one has the default"):
        fit(images, **options, outdir=tmp_path, resume=True)
    assert same(whole, fit(images, **options, **changed, outdir=tmp_path, resume=True))


def test_means_are_what_is_shifted(images, monkeypatch):
    seen = []
    step = TopDisLoss.step
    monkeypatch.setattr(
        TopDisLoss,
        "step",
        lambda self, codes, *a, **k: seen.append((codes, k["images"])) or step(self, codes, *a, **k),
    )
    encode = VAE.posterior
    means = []
    monkeypatch.setattr(VAE, "posterior", lambda self, x: means.append(encode(self, x)) or means[-1])
    options = {**FEW, "objective": "vae", "steps": 1, "topdis_weight": 1.0, "topdis_start": 0}
    fit(images, **options, topdis_codes="mean")
    assert torch.equal(seen[0][0], means[0][0]) and seen[0][1] is None


def test_the_ramp():
    schedule = TopDisSchedule(weight=2.0, start=10, ramp=3)
    assert [schedule.at(step) for step in (9, 10, 11, 12, 13, 14)] == [0, 0.5, 1, 1.5, 2, 2]
    assert TopDisSchedule(weight=2.0, start=1).at(1) == 2


def test_seeds_and_learning(images):
    options = {**FEW, "objective": "vae", "steps": 60, "learning_rate": 3e-3, "log_every": 1}
    seen = []
    first = fit(images, **options, on_progress=lambda p: seen.append(p.logs["reconstruction"]))
    assert np.mean(seen[-5:]) < 0.6 * seen[0]
    assert same(first, fit(images, **options))
    assert not same(first, fit(images, **options, seed=1))
    assert not first.training


def test_pictures_can_be_made_of_a_training_under_way(images):
    options = {**FEW, "objective": "vae", "steps": 5, "checkpoint_every": 2}
    x = torch.from_numpy(images[:1]).float() / 255
    seen = []

    def picture(done, vae):
        with torch.no_grad():
            seen.append((done, vae(x)))

    vae = fit(images, **options, on_checkpoint=picture)
    assert [done for done, _ in seen] == [2, 4, 5]
    assert same(vae, fit(images, **options))
    assert torch.equal(seen[-1][1], vae(x).detach()) and not torch.equal(seen[0][1], seen[1][1])


def test_a_saved_model_is_the_model(images, tmp_path):
    vae = fit(images, **FEW, objective="vae", outdir=tmp_path)
    again = load(tmp_path / "vae.safetensors")
    x = torch.from_numpy(images).float() / 255
    assert torch.equal(again.encode(x), vae.encode(x)) and again.settings == vae.settings
    vae.save(tmp_path / "copy.safetensors")
    assert torch.equal(
        load(tmp_path / "copy.safetensors").decode(torch.ones(1, 3)), vae.decode(torch.ones(1, 3))
    )
    assert not again.training


def test_files_that_are_no_models(tmp_path):
    path = tmp_path / "vae.safetensors"
    with pytest.raises(FileNotFoundError):
        load(path)
    path.write_bytes(b"nothing")
    with pytest.raises(ValueError, match="no safetensors file, or a damaged one"):
        load(path)
    save_file({"x": torch.zeros(2)}, path)
    with pytest.raises(ValueError, match="holds no VAE of gan_topdis"):
        load(path)
    save_file({"x": torch.zeros(2)}, path, {"VAE": '{"channels": 1, "resolution": 16}'})
    with pytest.raises(ValueError, match="does not fit its own settings"):
        load(path)
    save_file({"x": torch.zeros(2)}, path, {"VAE": '{"color": 1}'})
    with pytest.raises(ValueError, match="does not fit its own settings"):
        load(path)


def test_mixed_precision_trains(images):
    seen = []
    options = {**FEW, "objective": "beta", "topdis_weight": 1.0, "topdis_start": 2, "precision": "mixed"}
    fit(images, **options, on_progress=lambda p: seen.append(p.logs))
    assert all(math.isfinite(seen[-1][name]) for name in ("reconstruction", "topdis", "gradient_norm"))


def test_nan_in_the_data_stops_and_keeps_the_checkpoint(images, tmp_path):
    class Broken:
        broken = False

        def __len__(self):
            return 40

        def __getitem__(self, index):
            image = torch.from_numpy(images[index]).float() / 255
            return image * float("nan") if self.broken and index == 7 else image

    data = Broken()
    options = {**FEW, "objective": "vae", "outdir": tmp_path}
    fit(data, **{**options, "steps": 4})
    before = (tmp_path / "checkpoint.pt").read_bytes()
    data.broken = True
    with pytest.raises(ValueError, match="images should be finite"):
        fit(data, **options, resume=True)
    assert (tmp_path / "checkpoint.pt").read_bytes() == before


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"objective": "gan"}, "objective should be one of vae, beta"),
        ({"topdis_weight": -1}, "topdis_weight should be at least 0"),
        ({"steps": 0}, "steps should be at least 1"),
        ({"resume": True}, "resume needs the outdir"),
        ({"topdis_start": -1}, "topdis_start and topdis_ramp should be at least 0"),
        ({"topdis_interval": 0}, "topdis_interval should be at least 1, got 0"),
        ({"objective": "beta", "objective_options": {"gamma": 1}}, "options of beta are"),
        ({"topdis_options": {"amount": 2}}, "amount should be in"),
        ({"topdis_sampler": "norm"}, "topdis_sampler should be one of uniform, weight_norm, got 'norm'"),
        ({"topdis_codes": "mu"}, "topdis_codes should be one of sampled, mean, got 'mu'"),
        (
            {"topdis_sampler": "weight_norm", "topdis_options": {"weights": [1.0, 1.0, 1.0]}},
            "weights of topdis_options and topdis_sampler weight_norm exclude each other",
        ),
    ],
)
def test_refusals(images, options, message):
    with pytest.raises(ValueError, match=message):
        fit(images, **{**FEW, **options})


def test_a_resolution_that_does_not_fit_is_told():
    with pytest.raises(ValueError, match="resolution should be a power of two from 16, got 20"):
        fit(np.zeros((20, 1, 20, 20), dtype=np.uint8), **FEW)


def test_fewer_images_than_a_batch_are_all_used():
    vae = fit(np.zeros((5, 16, 16), dtype=np.uint8), **{**FEW, "batch_size": 64, "steps": 2})
    assert isinstance(vae, VAE) and vae.settings["channels"] == 1
