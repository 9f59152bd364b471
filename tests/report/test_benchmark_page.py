"""Tables of the benchmark: means, best in bold, and honesty about losses."""

import gan_topdis.config.benchmark
from gan_topdis.report.benchmark_page import (
    CEILING,
    benchmark_page,
    benchmark_tables,
    losses,
    reading_checks,
    refusals,
)


def cell(network, method, seed, recovery, disentanglement=0.5):
    return {
        "network": network,
        "method": method,
        "seed": seed,
        "status": "done",
        "recovery": recovery,
        "disentanglement": disentanglement,
        "disentanglement_of_squares": disentanglement + 0.2,
        "completeness": 0.25,
        "seconds": 2.0,
        "megabytes": None,
        "factors": ["x", "y"],
        "response": [[1.0, 0.25], [0.0, 0.5]],
        "displacements": [0.5, 0.4],
    }


CELLS = [
    cell("a", "topdis", 0, 0.9),
    cell("a", "topdis", 1, 1.0),
    cell("a", "random", 0, 0.6, disentanglement=0.75),
    cell("b", "topdis", 0, None),
    {"network": "b", "method": "random", "seed": 0, "status": "refused", "reason": "no styles"},
]


def rows(text):
    return [line for line in text.splitlines() if line.startswith("|")]


def test_means_deviations_and_the_best():
    tables = rows(benchmark_tables(CELLS, ["a", "b"], ["topdis", "random"]))
    # sample standard deviation of 0.9 and 1.0: 0.1 / sqrt 2; network b has no axes and no row here
    assert tables[:3] == [
        "| network | topdis | random |",
        "|---|---|---|",
        "| a | **0.950** +- 0.071 | 0.600 |",
    ]
    assert "| a | 0.500 +- 0.000 | **0.750** |" in tables
    assert "| b | **0.500** | - |" in tables
    assert "| a | 2.0 +- 0.0 | 2.0 |" in tables, "cost has no best"


def test_losses_are_told():
    assert losses(CELLS, ["a", "b"], ["topdis", "random"]) == [
        "a, disentanglement of the factor response: random 0.750; topdis only 0.500",
        "a, disentanglement of the squared response: random 0.950; topdis only 0.700",
    ]
    assert losses(CELLS[:2], ["a"], ["topdis"]) == []


def test_the_ceiling_is_shown_but_never_best_and_no_loss():
    assert CEILING == gan_topdis.config.benchmark.CEILING
    told = [*CELLS, cell("a", CEILING, 0, 1.0, disentanglement=0.99)]
    methods = ["topdis", "random", CEILING]
    assert "| a | **0.950** +- 0.071 | 0.600 | 1.000 |" in rows(benchmark_tables(told, ["a"], methods))
    assert losses(told, ["a", "b"], methods) == losses(CELLS, ["a", "b"], methods)
    alone = [cell("a", CEILING, 0, 1.0)]
    assert "| a | 1.000 |" in rows(benchmark_tables(alone, ["a"], methods))


def test_a_cell_that_was_repeated_counts_once():
    again = [*CELLS, cell("a", "topdis", 1, 0.5)]
    assert "| a | **0.700** +- 0.283 | 0.600 |" in rows(benchmark_tables(again, ["a"], ["topdis", "random"]))


def test_the_page_tells_what_was_refused_and_what_moves():
    page = benchmark_page(
        CELLS,
        networks={"a": "one", "b": "two"},
        methods=["topdis", "random"],
        command="gan-topdis benchmark",
        conditions="here",
        quick=False,
    )
    assert refusals(CELLS) == ["b, random: no styles"]
    assert "- b, random: no styles" in page
    assert "| 0 | **1.00** | 0.25 | 0.50 |" in page
    assert "1 to 2 seeds a network" in page
    assert "--quick" not in page


def test_unreadable_pictures_are_told():
    """Cells of exact formulas, and of runs before the check existed, say nothing."""
    (line,) = reading_checks([*CELLS, {**cell("demo", "topdis", 0, None), "unexplained": 0.529}])
    assert line.startswith("demo: ") and "by 0.53 of" in line
