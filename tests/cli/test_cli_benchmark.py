"""`gan-topdis benchmark` from end to end on small settings: cells, interruption, continuation, refusals."""

from __future__ import annotations

import json

import pytest
from command import contents, error_line, run, usage_error

import gan_topdis.config.benchmark
from gan_topdis.directions import Directions
from gan_topdis.run.results import read_results

TINY = {
    "points": 8,
    "steps": 2,
    "second_steps": 1,
    "restarts": 1,
    "evaluation_points": 16,
    "feature_size": 8,
    "probes": 256,
}
SMALL = ("--networks", "blobs", "--methods", "topdis,random", "--seeds", "0", "--quick")


@pytest.fixture(autouse=True)
def tiny(monkeypatch):
    monkeypatch.setattr(gan_topdis.config.benchmark, "QUICK_OPTIONS", TINY)
    monkeypatch.setattr("gan_topdis.directions.ground_truth_response.SEARCH_SAMPLES", 16)


def cells(folder):
    return [(r["network"], r["method"], r["seed"]) for r in read_results(folder)]


def test_every_cell_is_written_and_shown(tmp_path):
    docs = tmp_path / "docs.md"
    result = run("benchmark", *SMALL, "--outdir", tmp_path / "out", "--write-docs", docs)
    assert result.exit_code == 0, result.output
    assert contents(tmp_path / "out") == {
        "benchmark.md",
        "results.jsonl",
        "run.json",
        "directions_blobs_topdis_0.npz",
        "directions_blobs_random_0.npz",
    }
    assert cells(tmp_path / "out") == [("blobs", "topdis", 0), ("blobs", "random", 0)]
    for cell in read_results(tmp_path / "out"):
        assert cell["status"] == "done"
        assert 0.3 < cell["recovery"] < 1  # six random directions of eight dimensions: about 0.65
        assert len(cell["response"]) == len(cell["factors"]) == 6
        assert cell["seconds"] > 0
    page = docs.read_text()
    assert page == (tmp_path / "out" / "benchmark.md").read_text() == result.stdout
    assert "Short searches" in page and "### Axis recovery" in page
    assert json.loads((tmp_path / "out" / "run.json").read_text())["sessions"][0]["status"] == "complete"


def test_interruption_keeps_cells_and_resume_continues(tmp_path, monkeypatch):
    import gan_topdis.directions

    whole = gan_topdis.directions.discover
    calls = []

    def press_in_the_second(*arguments, **options):
        calls.append(options["method"])
        if len(calls) == 2:
            raise KeyboardInterrupt
        return whole(*arguments, **options)

    monkeypatch.setattr(gan_topdis.directions, "discover", press_in_the_second)
    result = run("benchmark", *SMALL, "--outdir", tmp_path)
    assert result.exit_code == 130
    assert "1 searches are in" in result.stderr and "--resume" in result.stderr
    assert cells(tmp_path) == [("blobs", "topdis", 0)]
    first = read_results(tmp_path)[0]

    with open(tmp_path / "results.jsonl", "a") as file:  # as a kill in mid-line leaves it
        file.write('{"network": "blo')
    assert read_results(tmp_path) == [first]

    result = run("benchmark", *SMALL, "--outdir", tmp_path, "--resume")
    assert result.exit_code == 0, result.output
    assert "1 searches to do, 1 done before" in result.stderr
    assert read_results(tmp_path)[0] == first
    assert calls == ["topdis", "random", "random"]


def test_a_method_that_a_network_does_not_allow_is_a_result(tmp_path):
    result = run(
        "benchmark", "--networks", "blobs", "--methods", "sefa", "--seeds", 0, "--quick", "--outdir", tmp_path
    )
    assert result.exit_code == 0, result.output
    (cell,) = read_results(tmp_path)
    assert cell["status"] == "refused" and "style weights" in cell["reason"]
    assert "blobs, sefa: " in result.stdout


def test_resuming_with_other_searches_is_refused(tmp_path):
    arguments = ("benchmark", "--networks", "blobs", "--methods", "random", "--seeds", 0)
    assert run(*arguments, "--quick", "--outdir", tmp_path).exit_code == 0
    line = error_line(run(*arguments, "--outdir", tmp_path, "--resume"))
    assert "has --quick True, this one False" in line
    line = error_line(run(*arguments, "--quick", "--outdir", tmp_path))
    assert "continue it with --resume" in line


def test_a_variant_is_a_method_with_other_options(tmp_path):
    result = run(
        *("benchmark", "--networks", "blobs", "--methods", "topdis-cold", "--seeds", 0, "--quick"),
        *("--outdir", tmp_path),
    )
    assert result.exit_code == 0, result.output
    found = Directions.load(tmp_path / "directions_blobs_topdis-cold_0.npz")
    assert (found.meta["method"], found.meta["options"]["warm_start"]) == ("topdis", "random")
    assert "topdis-cold: topdis with warm_start=random." in result.stdout


def test_unknown_names_list_the_known_ones(tmp_path):
    result = run("benchmark", "--networks", "faces", "--outdir", tmp_path / "out")
    assert "should be of scenes, sprites" in usage_error(result)
    assert not (tmp_path / "out").exists()


def test_a_dry_run_prints_the_settings(tmp_path, pytestconfig):
    result = run(
        "benchmark",
        *("--config", pytestconfig.rootpath / "configs" / "benchmark.yaml"),
        *("--outdir", tmp_path / "out", "--dry-run"),
    )
    assert result.exit_code == 0, result.output
    assert "seeds: 0-4" in result.stdout and "- demo" in result.stdout
    assert not (tmp_path / "out").exists()
