"""The benchmark of persistence: its arithmetic and its verdicts, and a smoke run."""

import subprocess
import sys

import numpy as np
import pytest

PEERS = ("gph", "ripser", "gudhi", "torch_topological")


@pytest.fixture
def benchmarks(monkeypatch, pytestconfig):
    """Its modules, imported the way the script finds them."""
    monkeypatch.syspath_prepend(str(pytestconfig.rootpath / "benchmarks"))


def cell(measuring, timing, size, batch, **medians):
    times = {key: timing.Timing(median, median, median) for key, median in medians.items()}
    return measuring.Cell(size, batch, times, skipped=(), difference=0.0)


def test_quartiles_and_growth(benchmarks):
    import timing

    assert timing.timing([4.0, 1.0, 2.0, 3.0, 5.0]) == timing.Timing(2.0, 3.0, 4.0)
    assert timing.timing([7.0]) == timing.Timing(7.0, 7.0, 7.0)
    cubic = {size: 2e-6 * size**3 for size in (64, 128, 256)}
    assert timing.growth(cubic) == pytest.approx(3)
    assert timing.growth(cubic | {16: 1e9}) == pytest.approx(3)  # the three largest count
    assert timing.growth({64: 1.0, 128: 8.0}) is None


def test_every_task_has_as_many_turns_as_the_others(benchmarks):
    import timing

    done = []
    times = timing.timed(
        {"a": lambda: done.append("a"), "b": lambda: done.append("b")}, seconds=0, rounds=3, turn=0
    )
    assert done == ["a", "b"] * 3
    assert set(times) == {"a", "b"}


@pytest.mark.parametrize(
    "wrong", [np.array([1.0, 2.0001]), np.array([1.0]), np.array([1.0, np.nan]), np.array([0.0, 2.0])]
)
def test_the_check_refuses_other_numbers(benchmarks, wrong):
    import measuring

    right = np.array([1.0, 2.0])
    assert measuring.difference([("ours", {"bars": right}), ("peer", {"bars": right * (1 + 1e-7)})]) < 2e-7
    assert measuring.difference([("ours", {"bars": right}), ("peer", {"bars": wrong})]) > measuring.TOLERANCE


def test_gradients_are_compared_with_their_largest_entry(benchmarks):
    import measuring

    ours, peer = np.array([1e-9, 2.0]), np.array([0.0, 2.0])
    assert measuring.difference([("ours", {"gradient": ours}), ("peer", {"gradient": peer})]) < 1e-8
    assert measuring.difference([("ours", {"value": ours}), ("peer", {"value": peer})]) == 1.0


def test_diagrams_are_compared_by_positive_finite_bars_in_any_order(benchmarks):
    import peers

    one = [np.array([[0.0, 2.0], [0.0, 1.0], [0.0, np.inf]]), np.array([[3.0, 4.0], [5.0, 5.0]])]
    other = [np.array([[0.0, 1.0], [0.0, 2.0]]), np.array([[3.0, 4.0]])]
    assert np.array_equal(peers.canonical(one), peers.canonical(other))
    moved = [other[0], np.array([[3.0, 4.5]])]
    assert not np.array_equal(peers.canonical(one), peers.canonical(moved))
    # a bar of degree 1 that is counted to degree 0 is another diagram
    assert not np.array_equal(
        peers.canonical([np.concatenate(other), np.empty((0, 2))]), peers.canonical(other)
    )


def test_long_runs_are_foreseen(benchmarks):
    import measuring
    import timing

    known = [cell(measuring, timing, 64, 1, peer=100.0), cell(measuring, timing, 64, 16)]
    assert measuring.guessed_seconds(known, "peer", 64, 64) == pytest.approx(6.4)
    assert measuring.guessed_seconds(known, "peer", 128, 1) == pytest.approx(0.8)
    assert measuring.guessed_seconds(known, "peer", 128, 16) == float("inf")  # already skipped at 64
    assert measuring.guessed_seconds([], "peer", 128, 16) == 0


def test_verdicts_follow_from_the_times(benchmarks):
    """RTD at N = 128: giotto-ph at 25 times ours meets the mark, at 24 it does not."""
    import measuring
    import persistence_report as report
    import timing

    cells = {
        "rtd": [
            cell(measuring, timing, 128, 1, forward=1.0, backward=2.0, giotto=50.0, topological=1.5),
            cell(measuring, timing, 256, 1, forward=1.0, backward=2.0, giotto=48.0, topological=80.0),
        ]
    }
    table = report.marks_table(cells)
    assert table.startswith("1 of 2 measured marks are met, ")
    assert "N = 128 | 1 | ours and backward | 2.00 | giotto-ph, forward | 50.00 | 25.0 | 25 | met" in table
    assert (
        "N = 256 | 1 | ours and backward | 2.00 | giotto-ph, forward | 48.00 | 24.0 | 25 | NOT met" in table
    )
    assert table.count("| not measured |") == len(report.marks_table({}).splitlines()) - 4 - 2
    assert (
        "- Four-term RTD, N = 128, batch 1: torch-topological and backward, 1.50 ms, 0.8 times ours" in table
    )
    assert report.slower_than_a_peer(cells) == [
        "- Four-term RTD: ours and backward, than torch-topological and backward: "
        "N = 128, batch 1 (2.00 against 1.50)."
    ]
    del cells["rtd"][0]
    assert report.slower_section(cells) == "Nothing, in any size and batch that was measured."


@pytest.mark.benchmark
@pytest.mark.parametrize("works", [["rtd", "rips3", "h0"], ["ppm", "ppm0", "ppm1"]])
def test_smoke_run(pytestconfig, works):
    """Small sizes, every column checked against the others: all tables are there, none of it is written."""
    for peer in PEERS:
        pytest.importorskip(peer, reason="peers come with the benchmark extra")
    page = pytestconfig.rootpath / "docs" / "benchmarks" / "persistence.md"
    before = page.read_bytes() if page.exists() else None
    command = [sys.executable, "benchmarks/persistence.py", "--quick", "--works", *works]
    result = subprocess.run(command, cwd=pytestconfig.rootpath, capture_output=True, text=True, timeout=300)
    assert result.returncode == 0, result.stderr
    for heading in ("# Speed of", "## Marks", "## What is slower than a peer", "## CUDA", "## All times"):
        assert f"\n{heading}" in f"\n{result.stdout}"
    assert result.stdout.count("Exponent of") == len(works)
    assert (page.read_bytes() if page.exists() else None) == before
