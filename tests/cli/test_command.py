"""The command as a whole: help without torch, `inspect`, errors, progress."""

from __future__ import annotations

import errno
import json
import subprocess
import sys

import click
import numpy as np
import pytest
from command import error_line, run, tiny_generator, use_generator

import gan_topdis
from gan_topdis.cli.errors import expected_errors, raised_on_purpose
from gan_topdis.cli.group import VERBS
from gan_topdis.cli.progress import ProgressDisplay, duration
from gan_topdis.config import parse_seeds
from gan_topdis.directions.progress import Progress

HEAVY = ("torch", "numba", "numpy", "PIL", "jinja2", "tqdm", "gudhi")


@pytest.mark.parametrize("arguments", [["--help"], ["--version"], *([verb, "--help"] for verb in VERBS)])
def test_help_imports_nothing_heavy(arguments):
    code = (
        "import sys\nfrom gan_topdis.cli import main\n"
        f"try:\n    main({arguments!r})\nexcept SystemExit as end:\n    assert not end.code\n"
        f"print([name for name in {HEAVY!r} if name in sys.modules])"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.splitlines()[-1] == "[]"


def test_help_lists_the_verbs_and_ends_with_an_example():
    text = run("--help").stdout
    assert [line.split()[0] for line in text.partition("Commands:\n")[2].splitlines()[: len(VERBS)]] == [
        *VERBS
    ]
    assert text.splitlines()[-1].strip() == "Example: gan-topdis discover --network scenes --outdir out"


@pytest.mark.parametrize("verb", VERBS)
def test_help_of_a_verb_ends_with_an_example(verb):
    assert f"Example: gan-topdis {verb} " in " ".join(run(verb, "--help").stdout.split("\n\n")[-1].split())


def test_defaults_and_units_are_shown():
    text = " ".join(run("discover", "--help").stdout.split())
    for words in ("--max-strength SIGMA", "--feature-size PIXELS", "--config YAML", "[default: 0-3]"):
        assert words in text


def test_the_module_runs_as_the_command():
    done = subprocess.run(
        [sys.executable, "-m", "gan_topdis.cli", "--version"], capture_output=True, text=True, check=True
    )
    assert done.stdout == f"gan-topdis, version {gan_topdis.__version__}\n"


def test_inspect_prints_the_network():
    lines = run("inspect", "scenes").stdout.splitlines()
    values = dict(line.split(maxsplit=1) for line in lines if line)
    assert values["family"] == "scenes" and values["z_dim"] == "10"
    assert values["pictures"] == "64 x 64 pixels, 3 channels"
    assert values["class"] == "none (unconditional)"
    assert "hue" in values["true"]
    assert lines[-1].split() == ["0", "64", "all", "render"]


def test_inspect_as_json(monkeypatch):
    generator = tiny_generator()
    use_generator(monkeypatch, generator)
    facts = json.loads(run("inspect", "any", "--json").stdout)
    assert facts["fingerprint"] == generator.fingerprint
    assert facts["resolution"] == [8, 8] and facts["known_factors"] == ["tint", "tilt", "ramp"]
    assert facts["layers"] == [{"index": 0, "resolution": 8, "kind": "all", "modules": ["tiny"]}]


def test_inspect_says_that_a_class_is_needed(monkeypatch):
    generator = tiny_generator()
    generator.c_dim = 7
    use_generator(monkeypatch, generator)
    lines = run("inspect", "any").stdout.splitlines()
    assert lines[4].split(maxsplit=1) == ["class", "needed, --class 0 .. 6"]


def test_names_that_act_on_a_terminal_are_spelled_out(monkeypatch):
    generator = tiny_generator()
    generator.name = "\x1b[31mred"
    use_generator(monkeypatch, generator)
    assert "\\x1b[31mred" in run("inspect", "any").stdout


def test_code_from_a_file_runs_with_a_warning_only(tmp_path):
    line = error_line(run("inspect", tmp_path / "net.pkl", "--stylegan-repo", tmp_path))
    assert line.startswith("Error: stylegan_repo runs code from the network file; allow it with")
    result = run("inspect", tmp_path / "net.pkl", "--trust-pickle")
    assert result.stderr.startswith(f"Warning: --trust-pickle: running code from {tmp_path / 'net.pkl'}\n")


def test_a_raise_statement_of_ours_is_on_purpose():
    with pytest.raises(ValueError) as error:
        parse_seeds("x")
    assert raised_on_purpose(error.value)


@pytest.mark.parametrize("bug", [lambda: int("x"), lambda: np.zeros(2) + np.zeros(3)], ids=["int", "numpy"])
def test_an_error_of_a_computation_is_not(bug):
    with pytest.raises(ValueError) as error:
        bug()
    assert not raised_on_purpose(error.value)


def test_a_computation_of_ours_that_fails_is_a_bug():
    """`int` fails in C, so that the innermost frame is ours, but it is at a call."""
    ours: dict[str, object] = {"__name__": "gan_topdis.example"}
    exec("def parse(text):\n    return int(text)\ndef refuse(text):\n    raise ValueError(text)", ours)
    with pytest.raises(ValueError) as bug:
        ours["parse"]("x")
    assert not raised_on_purpose(bug.value)
    with pytest.raises(ValueError) as refusal:
        ours["refuse"]("x")
    assert raised_on_purpose(refusal.value)


def test_errors_of_the_disk_name_file_and_reason():
    with pytest.raises(click.ClickException) as error, expected_errors():
        raise OSError(errno.EACCES, "Permission denied", "/out/grid.png")
    assert error.value.message == "/out/grid.png: Permission denied" and error.value.exit_code == 1


def test_a_full_device_memory_gets_advice():
    OutOfMemoryError = type("OutOfMemoryError", (RuntimeError,), {})
    with pytest.raises(click.ClickException, match=r"memory; give it less at a time$"), expected_errors():
        raise OutOfMemoryError("CUDA out of memory")
    for options, advice in (
        (("--batch-size", "--steps"), "choose a smaller --batch-size"),
        (
            ("--max-batch", "--points", "--device"),
            "choose a smaller --max-batch or --points, or --device cpu",
        ),
    ):
        verb = click.Command("verb", params=[click.Option([name]) for name in options])
        with pytest.raises(click.ClickException) as error, click.Context(verb), expected_errors():
            raise OutOfMemoryError("CUDA out of memory")
        assert error.value.message == f"the device is out of memory; {advice}"


def test_an_extra_that_is_missing_is_asked_for_and_a_broken_import_is_a_bug():
    ours: dict[str, object] = {"__name__": "gan_topdis.example"}
    exec(
        "def ask():\n    raise ModuleNotFoundError('pip install x')\ndef broken():\n    import nothing_1",
        ours,
    )
    with pytest.raises(click.ClickException, match="pip install x"), expected_errors():
        ours["ask"]()
    with pytest.raises(ModuleNotFoundError, match="nothing_1"), expected_errors():
        ours["broken"]()


def test_other_runtime_errors_are_bugs():
    with pytest.raises(RuntimeError, match="shapes"), expected_errors():
        raise RuntimeError("shapes")


def test_without_a_terminal_progress_is_a_line_now_and_then(capsys, monkeypatch):
    clock = iter([0.0, 1.0, 20.0, 21.0, 40.0])
    monkeypatch.setattr("gan_topdis.cli.progress.time.monotonic", lambda: next(clock))
    with ProgressDisplay(terminal=False) as display:
        for done in (1, 25, 26, 50):
            display(Progress("direction 1 of 2", done, 100))
    assert capsys.readouterr().err.splitlines() == [
        "direction 1 of 2: 25 %, about 1:00 left",
        "direction 1 of 2: 50 %, about 0:40 left",
    ]


def test_on_a_terminal_progress_is_a_bar_that_goes_away(capsys):
    with ProgressDisplay(terminal=True) as display:
        display(Progress("scoring", 1, 2))
        display(Progress("direction 1 of 1", 2, 2))
    text = capsys.readouterr().err
    assert "scoring   0%|" in text and " left" in text
    assert text.split("\r")[-1].strip() == ""


@pytest.mark.parametrize(("seconds", "text"), [(5, "0:05"), (65.4, "1:05"), (7265, "2:01:05")])
def test_durations(seconds, text):
    assert duration(seconds) == text
