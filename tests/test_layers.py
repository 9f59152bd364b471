"""The rules on modules hold, and each of them can be broken."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path, PurePosixPath

import pytest
from layer_rules import (
    LAYERS,
    declared_dependencies,
    imports,
    read_sources,
    undeclared_imports,
    unlisted_layers,
    wrong_exports,
    wrong_files,
    wrong_imports,
    wrong_owners,
)

ROOT = Path(__file__).resolve().parents[1]


@pytest.fixture(scope="module")
def sources() -> dict[PurePosixPath, str]:
    found = read_sources(ROOT)
    assert PurePosixPath("gan_topdis/persistence/rtd.py") in found
    assert any(path.parts[0] == "third_party" for path in found)
    return found


def test_layers_import_from_below(sources):
    assert wrong_imports(sources) == []


def test_every_package_has_a_layer(sources):
    assert unlisted_layers(sources) == []


def test_heavy_imports_stay_with_their_owner(sources):
    assert wrong_owners(sources) == []


def test_imports_are_declared(sources):
    dependencies = declared_dependencies(ROOT)
    assert {"torch", "PIL", "yaml", "numba"} <= dependencies
    assert undeclared_imports(sources, dependencies) == []


def test_files_are_short_and_named(sources):
    assert wrong_files(sources) == []


def test_packages_list_their_public_names(sources):
    assert wrong_exports(sources) == []


# --- each rule, broken ---


def one(path: str, source: str) -> dict[PurePosixPath, str]:
    return {PurePosixPath(path): source}


@pytest.mark.parametrize(
    ("path", "source", "complaint"),
    [
        (
            "gan_topdis/persistence/rtd.py",
            "import torch\nfrom gan_topdis.losses import RTDLoss",
            "gan_topdis/persistence/rtd.py:2: persistence imports losses, which is not below it",
        ),
        (
            "gan_topdis/losses/a.py",
            "import gan_topdis.generators.load",
            "gan_topdis/losses/a.py:1: losses imports generators, which is not below it",
        ),
        (
            "gan_topdis/seeding.py",
            "from gan_topdis import tensors",
            "gan_topdis/seeding.py:1: seeding imports tensors, which is not below it",
        ),
        (
            "gan_topdis/generators/a.py",
            "def late():\n    from ..directions import discover",
            "gan_topdis/generators/a.py:2: generators imports directions, which is not below it",
        ),
        (
            "gan_topdis/report/a.py",
            "from typing import TYPE_CHECKING\nif TYPE_CHECKING:\n    from gan_topdis.run.record import Run",
            "gan_topdis/report/a.py:3: report imports run, which is not below it",
        ),
        (
            "gan_topdis/metrics/a.py",
            "import importlib\nimportlib.import_module('gan_topdis.vae.fit')",
            "gan_topdis/metrics/a.py:2: metrics imports vae, which is not below it",
        ),
        (
            "third_party/net/a.py",
            "from gan_topdis.tensors import require_square",
            "third_party/net/a.py:1: third_party imports gan_topdis.tensors.require_square",
        ),
        (
            "gan_topdis/novelty/a.py",
            "from gan_topdis.tensors import require_square",
            "gan_topdis/novelty/a.py:1: novelty has no place in the layers",
        ),
    ],
)
def test_an_import_from_above_is_found(path, source, complaint):
    assert wrong_imports(one(path, source)) == [complaint]


@pytest.mark.parametrize(
    ("path", "source"),
    [
        ("gan_topdis/cli/a.py", "from gan_topdis.persistence import rtd"),
        ("gan_topdis/losses/a.py", "from gan_topdis.losses.b import c\nfrom .b import d\nfrom . import b"),
        ("gan_topdis/losses/a.py", "from gan_topdis import __version__\nfrom gan_topdis.seeding import x"),
        ("gan_topdis/__init__.py", "from gan_topdis.losses import RTDLoss"),
    ],
)
def test_an_import_from_below_is_allowed(path, source):
    assert wrong_imports(one(path, source)) == []


@pytest.mark.parametrize(
    ("path", "source", "owner"),
    [
        ("gan_topdis/persistence/rtd.py", "def f():\n    import gudhi", "gudhi"),
        ("gan_topdis/persistence/rtd.py", "from numba import njit", "numba"),
        ("gan_topdis/persistence/h0_kernel.py", "import triton.language as tl", "triton"),
        ("gan_topdis/run/record.py", "import click", "click"),
        ("gan_topdis/cli/traverse.py", "import PIL.Image", "PIL"),
        ("gan_topdis/cli/report.py", "from jinja2 import Environment", "jinja2"),
        (
            "gan_topdis/generators/load.py",
            "from third_party.stylegan2_ada_pytorch import Generator",
            "third_party",
        ),
    ],
)
def test_a_heavy_import_elsewhere_is_found(path, source, owner):
    (complaint,) = wrong_owners(one(path, source))
    assert complaint.startswith(f"{path}:")
    assert f": {owner} belongs in " in complaint


@pytest.mark.parametrize(
    ("path", "source"),
    [
        ("gan_topdis/persistence/gudhi_reference.py", "import gudhi"),
        ("gan_topdis/persistence/other_kernel.py", "import numba"),
        ("gan_topdis/persistence/other_triton.py", "import triton"),
        ("gan_topdis/cli/discover.py", "import click"),
        ("gan_topdis/generators/stylegan2_ada.py", "import third_party.stylegan2_ada_pytorch"),
    ],
)
def test_a_heavy_import_at_home_is_allowed(path, source):
    assert wrong_owners(one(path, source)) == []


def test_an_undeclared_import_is_found():
    source = "import torch\nimport os\nfrom tensorflow.keras import layers"
    found = undeclared_imports(one("gan_topdis/losses/a.py", source), {"torch"})
    assert found == ["gan_topdis/losses/a.py:3: tensorflow is not in install_requires"]


def test_a_long_file_and_an_empty_name_are_found():
    assert wrong_files(one("gan_topdis/losses/a.py", "x = 1\n" * 401)) == [
        "gan_topdis/losses/a.py: 401 lines; past 400, look for the second idea"
    ]
    assert wrong_files(one("gan_topdis/losses/a.py", "x = 1\n" * 400)) == []
    assert wrong_files(one("gan_topdis/losses/utils.py", "")) == [
        "gan_topdis/losses/utils.py: utils.py says nothing; name the idea"
    ]


def test_a_package_without_a_layer_is_found():
    both = (
        one("gan_topdis/novelty/a.py", "") | one("gan_topdis/utils.py", "") | one("gan_topdis/cli/a.py", "")
    )
    assert unlisted_layers(both) == ["novelty", "utils"]


@pytest.mark.parametrize(
    ("source", "complaint"),
    [
        ("from gan_topdis.a import b", "no __all__"),
        ("from gan_topdis.a import b, c\n__all__ = ['b']", "__all__ and public names differ in ['c']"),
        ("from gan_topdis.a import b\n__all__ = ['b', 'd']", "__all__ and public names differ in ['d']"),
        (
            "from gan_topdis.a import b\n__all__ = ['b', 'b']",
            "__all__ and public names differ in a name twice",
        ),
        ("def main(): ...\n__all__ = []", "__all__ and public names differ in ['main']"),
        ("_LAZY = {'fit': 'gan_topdis.a'}\n__all__ = []", "__all__ and public names differ in ['fit']"),
    ],
)
def test_wrong_exports_are_found(source, complaint):
    path = "gan_topdis/losses/__init__.py"
    assert wrong_exports(one(path, source)) == [f"{path}: {complaint}"]


def test_right_exports_are_allowed():
    source = (
        "from __future__ import annotations\nimport os\nfrom typing import Any\nfrom .a import b as c, _d\n"
        "LIMIT: int = 3\n_hidden = 4\n__version__ = '1'\ndef main(): ...\n"
        "__all__ = ['LIMIT', '__version__', 'c', 'main']"
    )
    assert wrong_exports(one("gan_topdis/losses/__init__.py", source)) == []


def test_relative_imports_are_resolved():
    source = "from . import a\nfrom .b import c\nfrom ...d import e\nimport f.g"
    found = [module for module, _ in imports(PurePosixPath("gan_topdis/x/y/z.py"), source)]
    assert found == ["gan_topdis.x.y.a", "gan_topdis.x.y.b.c", "gan_topdis.d.e", "f.g"]


def test_layers_are_those_of_the_style_guide():
    assert [" | ".join(row) for row in LAYERS[:3]] == [
        "tensors | seeding",
        "persistence",
        "losses | generators | data",
    ]


# --- what importing loads ---


def loaded_by(statement: str) -> set[str]:
    """Top-level packages in a fresh interpreter after one statement."""
    script = f"import sys\nbefore = set(sys.modules)\n{statement}\nprint(*(set(sys.modules) - before))"
    done = subprocess.run(
        [sys.executable, "-c", script], cwd=ROOT, capture_output=True, text=True, timeout=60, check=True
    )
    return {name.split(".")[0] for name in done.stdout.split()}


def test_importing_the_package_loads_nothing_heavy():
    assert not loaded_by("import gan_topdis") & {"torch", "numpy", "numba", "gudhi", "click", "PIL"}


def test_kernels_and_references_are_loaded_when_used():
    loaded = loaded_by("import gan_topdis.losses, gan_topdis.persistence")
    assert "torch" in loaded
    assert not loaded & {"numba", "triton", "gudhi", "click", "PIL", "jinja2", "third_party"}
