"""The order of layers and the other rules on modules, as functions from source text to complaints."""

from __future__ import annotations

import ast
import configparser
import sys
from collections.abc import Iterator, Mapping
from pathlib import Path, PurePosixPath

# From the bottom up; a name imports only names of earlier rows (style guide, Files and layers)
LAYERS: tuple[tuple[str, ...], ...] = (
    ("tensors", "seeding"),
    ("persistence",),
    ("losses", "generators", "data"),
    ("training",),
    ("directions", "vae", "metrics", "connectivity", "gan", "shapes"),
    ("report",),
    ("config", "run"),
    ("cli",),
)
HEIGHT = {name: height for height, row in enumerate(LAYERS) for name in row}

# Heavy or optional imports and the only places that may have them, as patterns below gan_topdis/
OWNERS: Mapping[str, tuple[str, ...]] = {
    "gudhi": ("persistence/gudhi_reference.py",),
    "numba": ("*_kernel.py",),
    "triton": ("*_triton.py",),
    "lightning_fabric": ("training/compute.py",),
    "sklearn": ("metrics/classifiers.py",),
    "click": ("cli/*.py", "__main__.py"),
    "PIL": ("report/*.py", "data/image_folder.py"),
    "scipy": ("shapes/assignment.py",),
    "h5py": ("data/hdf5_rows.py",),
    "matplotlib": ("report/connectivity_plots.py",),
    "jinja2": ("report/*.py",),
    "third_party": ("generators/stylegan2_*.py",),
}
# Not in install_requires: CUDA builds of torch bring it, and nothing else can use it
BROUGHT_BY_TORCH = {"triton"}
USERS_EXTRAS = ("metrics", "data", "shapes", "plots")
MAX_LINES = 400
# Where the name to install and the name to import differ
IMPORT_NAMES = {
    "pillow": "PIL",
    "pyyaml": "yaml",
    "scikit-learn": "sklearn",
    "lightning-fabric": "lightning_fabric",
}

Sources = Mapping[PurePosixPath, str]
"""Text of modules by path relative to the repository."""


def read_sources(root: Path) -> dict[PurePosixPath, str]:
    """Every module of gan_topdis and third_party."""
    return {
        PurePosixPath(path.relative_to(root).as_posix()): path.read_text(encoding="utf-8")
        for package in ("gan_topdis", "third_party")
        for path in sorted((root / package).rglob("*.py"))
    }


def declared_dependencies(root: Path) -> set[str]:
    """Names that install_requires and the extras for users allow to import."""
    parser = configparser.ConfigParser()
    parser.read(root / "setup.cfg", encoding="utf-8")
    extras = parser["options.extras_require"]
    lines = parser["options"]["install_requires"].splitlines()
    lines += [line for name in USERS_EXTRAS for line in extras[name].splitlines()]
    names = {line.split(">")[0].split("=")[0].strip() for line in lines if line and not line.startswith("#")}
    return {IMPORT_NAMES.get(name, name) for name in names if name}


def imports(path: PurePosixPath, source: str) -> Iterator[tuple[str, int]]:
    """(module, line) of every import at any depth, also in functions and for type checkers only.

    `from a import b` counts as `a.b`, since b may be a module; `import_module("a.b")` counts too.
    """
    package = path.parts[:-1]
    for node in ast.walk(ast.parse(source)):
        if isinstance(node, ast.Import):
            for alias in node.names:
                yield alias.name, node.lineno
        elif isinstance(node, ast.ImportFrom):
            base = package[: len(package) - node.level + 1] if node.level else ()
            origin = ".".join([*base, *([node.module] if node.module else [])])
            for alias in node.names:
                yield f"{origin}.{alias.name}", node.lineno
        elif (
            isinstance(node, ast.Call)
            and getattr(node.func, "attr", getattr(node.func, "id", "")) in ("import_module", "__import__")
            and node.args
            and isinstance(node.args[0], ast.Constant)
            and isinstance(node.args[0].value, str)
        ):
            yield node.args[0].value, node.lineno


def layer_of(module: str) -> str | None:
    """The layer that gan_topdis.NAME... belongs to; None for the package itself."""
    parts = module.split(".")
    if parts[0] != "gan_topdis" or len(parts) < 2:
        return None
    return parts[1].removesuffix(".py")


def wrong_imports(sources: Sources) -> list[str]:
    """Imports from the same or a higher layer, and of gan_topdis by third_party."""
    complaints = []
    for path, source in sources.items():
        here = layer_of(".".join(path.parts))
        for module, line in imports(path, source):
            if module.split(".")[0] != "gan_topdis":
                continue
            where = f"{path}:{line}"
            there = layer_of(module)
            if path.parts[0] == "third_party":
                complaints.append(f"{where}: third_party imports {module}")
            elif here in (None, "__init__", "__main__") or there in (None, here) or there.startswith("__"):
                continue
            elif here not in HEIGHT:
                complaints.append(f"{where}: {here} has no place in the layers")
            elif there in HEIGHT and HEIGHT[there] >= HEIGHT[here]:
                complaints.append(f"{where}: {here} imports {there}, which is not below it")
    return complaints


def wrong_owners(sources: Sources) -> list[str]:
    """Heavy imports outside the module that owns them."""
    complaints = []
    for path, source in sources.items():
        if path.parts[0] == "third_party":
            continue
        below = PurePosixPath(*path.parts[1:])
        for module, line in imports(path, source):
            name = module.split(".")[0]
            if name in OWNERS and not any(below.match(pattern) for pattern in OWNERS[name]):
                complaints.append(f"{path}:{line}: {name} belongs in {', '.join(OWNERS[name])}")
    return complaints


def undeclared_imports(sources: Sources, dependencies: set[str]) -> list[str]:
    """Imports that are neither ours, nor Python's, nor declared in setup.cfg."""
    known = {"gan_topdis", "third_party", "__future__", *sys.stdlib_module_names, *dependencies}
    known |= BROUGHT_BY_TORCH
    return [
        f"{path}:{line}: {module.split('.')[0]} is not in install_requires"
        for path, source in sources.items()
        for module, line in imports(path, source)
        if module.split(".")[0] not in known
    ]


def wrong_files(sources: Sources) -> list[str]:
    """Long files, and names that say nothing."""
    complaints = []
    for path, source in sources.items():
        length = len(source.splitlines())
        if length > MAX_LINES:
            complaints.append(f"{path}: {length} lines; past {MAX_LINES}, look for the second idea")
        if path.stem in ("utils", "util", "helpers", "misc", "common"):
            complaints.append(f"{path}: {path.name} says nothing; name the idea")
    return complaints


def unlisted_layers(sources: Sources) -> list[str]:
    """Packages and modules directly below gan_topdis that have no place in the layers."""
    names = {layer_of(".".join(path.parts)) for path in sources if path.parts[0] == "gan_topdis"}
    return sorted(name for name in names if name and not name.startswith("__") and name not in HEIGHT)


def wrong_exports(sources: Sources) -> list[str]:
    """Packages of gan_topdis whose `__all__` is missing or differs from their public names.

    Public names of an `__init__.py` are what its top level defines or imports from gan_topdis, without
    a leading underscore. Names that `__getattr__` serves are listed in a dictionary `_LAZY`.
    """
    complaints = []
    for path, source in sources.items():
        if path.parts[0] != "gan_topdis" or path.name != "__init__.py":
            continue
        public: set[str] = set()
        listed: list[str] | None = None
        for node in ast.parse(source).body:
            if isinstance(node, ast.ImportFrom) and (
                node.level or (node.module or "").startswith("gan_topdis")
            ):
                public |= {alias.asname or alias.name for alias in node.names}
            elif isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef | ast.ClassDef):
                public.add(node.name)
            elif isinstance(node, ast.Assign | ast.AnnAssign):
                targets = node.targets if isinstance(node, ast.Assign) else [node.target]
                names = {target.id for target in targets if isinstance(target, ast.Name)}
                if "__all__" in names and node.value is not None:
                    listed = ast.literal_eval(node.value)
                elif "_LAZY" in names and isinstance(node.value, ast.Dict):
                    public |= {ast.literal_eval(key) for key in node.value.keys if key is not None}
                else:
                    public |= names
        public = {name for name in public if not name.startswith("_")} | ({"__version__"} & public)
        if listed is None:
            complaints.append(f"{path}: no __all__")
        elif set(listed) != public or len(listed) != len(public):
            difference = sorted(set(listed) ^ public) or "a name twice"
            complaints.append(f"{path}: __all__ and public names differ in {difference}")
    return complaints
