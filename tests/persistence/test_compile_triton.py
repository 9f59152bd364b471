"""Every Triton kernel compiles to machine code of a GPU: that needs no GPU, and interpreting cannot tell.

Only that: what the code does on a GPU is for the tests marked `cuda`.
"""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

pytest.importorskip("triton")

ROOT = Path(__file__).resolve().parents[2]
PERSISTENCE = "gan_topdis.persistence"

SWEEP = dict.fromkeys(("ranks", "order", "cone_codes", "cone_times", "deaths", "turns"), "*i32")
SWEEP |= dict.fromkeys(("classless", "todo", "complete"), "*i8")
SWEEP |= dict.fromkeys(("generator_words", "words", "holders"), "*i64")
SWEEP |= dict.fromkeys(("n", "edges", "cones", "capacity"), "i32")

# module, kernel, types of arguments, constants; "*T" is points or distances of either type
KERNELS = [
    (
        f"{PERSISTENCE}.h0_triton",
        "_grow_trees",
        {"distances": "*T", "lengths": "*T", "codes": "*i64", "n": "i32"},
        {"BLOCK": 128},
    ),
    *(
        (
            f"{PERSISTENCE}.principal_persistence_triton",
            "_bars",
            {"points": "*T", "tuples": "*i64", "birth": "*T", "lifetime": "*T", "edges": "*i64"}
            | {"s": "i32", "d": "i32"},
            {"SIZE": size, "T": 16},
        )
        for size in (2, 4)
    ),
    (
        f"{PERSISTENCE}.principal_persistence_triton",
        "_scales",
        {"points": "*T", "edges": "*i64", "by_birth": "*T", "by_lifetime": "*T", "scales": "*fp64"}
        | {"count": "i32", "d": "i32"},
        {"T": 16},
    ),
    (
        f"{PERSISTENCE}.principal_persistence_triton",
        "_collect",
        {"points": "*T", "edges": "*i64", "ends": "*i64", "starts": "*i64", "scales": "*fp64"}
        | {"result": "*T", "d": "i32"},
        {"E": 16, "D": 128},
    ),
    (
        "gan_topdis.losses.mmd_triton",
        "_collect_columns",
        {
            "birth": "*T",
            "lifetime": "*T",
            "weight": "*fp64",
            "columns": "*fp64",
            "present": "*i64",
            "s": "i32",
        },
        {"B": 1024},
    ),
    (
        "gan_topdis.losses.mmd_triton",
        "_sum_columns",
        {"birth": "*T", "lifetime": "*T", "weight": "*fp64", "columns": "*fp64", "present": "*i64"}
        | {"rates": "*fp64", "s": "i32", "shares": "*fp64", "derivatives": "*T"},
        {"ROWS": 32, "COLUMNS": 32},
    ),
    (
        f"{PERSISTENCE}.sweep_triton",
        "find_empty_lunes",
        {"ranks": "*i32", "todo": "*i8", "n": "i32", "edges": "i32"},
        {"K": 64, "J": 32},
    ),
    *(
        (
            f"{PERSISTENCE}.sweep_triton",
            "sweep",
            SWEEP,
            {"WITH_CONE": cone, "N": 128, "S": 512, "W": 2, "B": 1024, "T": 16, "F": 64},
        )
        for cone in (True, False)
    ),
]

SCRIPT = """
import json, sys
from importlib import import_module
from triton.backends.compiler import GPUTarget
from triton.compiler import ASTSource, compile

for module, name, types, constants in json.load(sys.stdin):
    kernel = getattr(import_module(module), name)
    for number in ("fp32", "fp64") if "*T" in types.values() else ("",):
        signature = {key: value.replace("T", number) for key, value in types.items()}
        signature |= dict.fromkeys(constants, "constexpr")
        source = ASTSource(fn=kernel, signature=signature, constexprs=constants)
        made = compile(source, target=GPUTarget("cuda", 80, 32), options={"enable_fp_fusion": False})
        print(json.dumps([name, number, len(made.asm["cubin"]), made.asm["ptx"].count("bar.sync")]))
"""


def compiled(kernels: list, cache: Path) -> subprocess.CompletedProcess[str]:
    environment = {key: value for key, value in os.environ.items() if key != "TRITON_INTERPRET"}
    return subprocess.run(
        [sys.executable, "-c", SCRIPT],
        input=json.dumps(kernels),
        env=environment | {"TRITON_CACHE_DIR": str(cache)},
        cwd=ROOT,
        capture_output=True,
        text=True,
        timeout=300,
    )


def test_all_kernels_compile(tmp_path):
    done = compiled(KERNELS, tmp_path)
    assert done.returncode == 0, done.stderr[-2000:]
    made = [json.loads(line) for line in done.stdout.splitlines()]
    assert {name for name, *_ in made} == {name for _, name, *_ in KERNELS}
    assert all(size > 1000 for *_, size, _ in made)
    # barriers: one after the reading of an edge, two before another is read, three where a generator ends
    assert all(barriers >= 6 for name, *_, barriers in made if name == "sweep")


def test_a_kernel_that_does_not_compile_is_found(tmp_path):
    module, name, types, constants = KERNELS[0]
    done = compiled([(module, name, types, constants | {"BLOCK": 100})], tmp_path)
    assert done.returncode != 0 and "power of 2" in done.stderr


def test_all_kernels_are_listed():
    """A kernel is a function with the decorator whose name no other function calls: launched with [grid]."""
    listed = {name for _, name, *_ in KERNELS}
    launched = {
        line.split("[(")[0].strip()
        for path in (ROOT / "gan_topdis").rglob("*_triton.py")
        for line in path.read_text(encoding="utf-8").splitlines()
        if "[(" in line and "](" in line
    }
    assert launched == listed
