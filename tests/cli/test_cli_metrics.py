"""`gan-topdis metrics`: table, files, and what it refuses."""

from __future__ import annotations

import json

import numpy as np
import pytest
from command import contents, error_line, run, usage_error

import gan_topdis.config.metrics
from gan_topdis.metrics import METRICS, FactorGrid, factor_vae_score, mig, sap
from gan_topdis.metrics.protocol import PROTOCOLS

QUICK = ("--only", "mig,sap_continuous,modularity")
GRID = FactorGrid((3, 1, 4))


@pytest.fixture
def arrays():
    rng = np.random.default_rng(0)
    factors = GRID.factors.repeat(20, axis=0)
    codes = factors[:, [0, 2]] + 0.2 * rng.normal(size=(240, 2))
    return {"codes": codes, "factors": factors, "factor_names": np.array(["shape", "colour", "x <b>"])}


def save(folder, **arrays):
    path = folder / "codes.npz"
    np.savez(path, **arrays)
    return path


def test_names_are_those_of_the_library():
    assert tuple(METRICS) == gan_topdis.config.metrics.METRICS
    assert tuple(PROTOCOLS) == gan_topdis.config.metrics.PROTOCOLS


def test_table_and_files(tmp_path, arrays):
    result = run("metrics", "--codes", save(tmp_path, **arrays), "--outdir", tmp_path / "out", *QUICK)
    assert result.exit_code == 0, result.output
    assert contents(tmp_path / "out") == {"metrics.json", "metrics.html", "results.jsonl", "run.json"}
    expected = mig(arrays["codes"], arrays["factors"])
    lines = result.stdout.splitlines()
    assert lines[0] == f"MIG {expected:.3f} (paper protocol, points 240, bins 20, seed 0)"
    assert lines[1] == "  note: factor 1 has one value and is left out"
    header, shape, colour, x = (line.split() for line in lines[lines.index("") + 1 :][:4])
    assert header[:2] == ["factor", "MIG"] and shape[:2] == ["shape", f"{expected.per_factor[0]:.3f}"]
    assert colour == ["colour", "n/a", "n/a"] and x[-1] != "n/a"
    content = json.loads((tmp_path / "out" / "metrics.json").read_text())
    assert content["metrics"]["mig"]["score"] == float(expected)
    assert content["metrics"]["mig"]["mutual_information"] == expected.mutual_information.tolist()
    assert content["metrics"]["modularity"]["per_factor"] == [None, None]
    assert content["metrics"]["sap_continuous"]["score"] == sap(arrays["codes"], arrays["factors"], True)
    page = (tmp_path / "out" / "metrics.html").read_text()
    assert "x &lt;b&gt;" in page and "<b>" not in page and "http" not in page
    assert f"{expected.mutual_information[0, 0]:.3g}" in page
    record = json.loads((tmp_path / "out" / "run.json").read_text())
    assert record["sessions"][-1]["status"] == "complete"
    assert record["config"]["only"] == ["mig", "sap_continuous", "modularity"]


def test_ceilings_stand_beside_scores_of_factors(tmp_path):
    """40 values in 20 bins: at most ln 20 of ln 40 nats; 3 values fit."""
    factors = FactorGrid((3, 40)).factors.repeat(10, axis=0)
    path = save(tmp_path, codes=factors.astype(float), factors=factors, factor_names=np.array(["a", "b"]))
    result = run("metrics", "--codes", path, "--outdir", tmp_path / "out", "--only", "mig,modularity")
    assert result.exit_code == 0, result.output
    ceiling = np.log(20) / np.log(40)
    table = result.stdout.partition("\n\n")[2].splitlines()
    assert table[1].split() == ["a", "1.000", "of", "1.000"]
    assert table[2].split() == ["b", f"{ceiling:.3f}", "of", f"{ceiling:.3f}"]
    assert f"{ceiling:.3f} of {ceiling:.3f}" in (tmp_path / "out" / "metrics.html").read_text()
    saved = json.loads((tmp_path / "out" / "metrics.json").read_text())["metrics"]
    first, second = map(json.loads, (tmp_path / "out" / "results.jsonl").read_text().splitlines())
    assert first["ceiling_per_factor"] == saved["mig"]["ceiling_per_factor"] == pytest.approx([1, ceiling])
    assert first["ceiling"] == pytest.approx((1 + ceiling) / 2)
    assert second["ceiling_per_factor"] is None and saved["modularity"]["ceiling_per_factor"] is None


def test_a_complete_grid_needs_no_factors(tmp_path):
    codes = GRID.factors[:, [0, 2]] + 0.3 * np.random.default_rng(1).normal(size=(12, 2))
    path = save(tmp_path, codes=codes, factor_sizes=np.array([3, 1, 4]))
    result = run("metrics", "--codes", path, "--outdir", tmp_path / "out", "--only", "factor_vae_score,mig")
    assert result.exit_code == 0, result.output
    score = json.loads((tmp_path / "out" / "metrics.json").read_text())["metrics"]["factor_vae_score"]
    assert score["score"] == float(factor_vae_score(codes, GRID))
    assert score["votes"] == factor_vae_score(codes, GRID).votes.tolist()


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (
            {"codes": None},
            r"should hold codes (n, d) and factors (n, k), found factors (240, 3), factor_names (3,)",
        ),
        (
            {"factors": None},
            "should hold codes (n, d) and factors (n, k), found codes (240, 2), factor_names (3,)",
        ),
        ({"codes": np.full((240, 2), np.nan)}, "codes should be finite"),
        ({"factors": np.ones((239, 3), dtype=int)}, "as many rows, got 240 and 239"),
        ({"factor_names": np.array(["a"])}, "should be 3 strings, got (1,)"),
        (
            {"factor_sizes": np.array([3, 1, 4])},
            "one row per combination of factor_sizes (3 x 1 x 4), got 240",
        ),
        ({"factor_sizes": np.array([0.5])}, "should be (k,) whole numbers"),
        ({"codes": np.array([{"a": 1}])}, "cannot be read as an .npz file of plain arrays: Object arrays"),
    ],
)
def test_files_that_do_not_fit(tmp_path, arrays, change, message):
    kept = {name: value for name, value in {**arrays, **change}.items() if value is not None}
    line = error_line(run("metrics", "--codes", save(tmp_path, **kept), "--outdir", tmp_path / "out"))
    assert message in line
    assert not (tmp_path / "out").exists()


def test_without_scikit_learn_the_extra_is_named(tmp_path, arrays, monkeypatch):
    monkeypatch.setattr("gan_topdis.metrics.classifiers.find_spec", lambda name: None)
    command = ("metrics", "--codes", save(tmp_path, **arrays), "--outdir", tmp_path / "out")
    assert error_line(run(*command, "--only", "mig,sap,dci")) == (
        "Error: scikit-learn is needed for the classifiers of sap, dci: pip install 'gan_topdis[metrics]'"
    )
    assert not (tmp_path / "out").exists()
    assert run(*command, *QUICK).exit_code == 0


def test_other_files_and_options(tmp_path, arrays):
    text = tmp_path / "codes.txt"
    text.write_text("1 2 3")
    assert "cannot be read as an .npz file" in error_line(
        run("metrics", "--codes", text, "--outdir", tmp_path / "out")
    )
    single = tmp_path / "codes.npy"
    np.save(single, np.zeros((3, 2)))
    assert "got a single array" in error_line(run("metrics", "--codes", single, "--outdir", tmp_path / "out"))
    missing = error_line(run("metrics", "--codes", tmp_path / "no.npz", "--outdir", tmp_path / "out"))
    assert "No such file" in missing
    assert "Missing option '--codes'" in usage_error(run("metrics", "--outdir", tmp_path / "out"))
    path = save(tmp_path, **arrays)
    assert "got 'migg'" in usage_error(
        run("metrics", "--codes", path, "--only", "mig,migg", "--outdir", tmp_path / "out")
    )
    dry = run("metrics", "--codes", path, "--outdir", tmp_path / "out", "--dry-run", "--protocol", "fast")
    assert "protocol: fast" in dry.stdout and not (tmp_path / "out").exists()
