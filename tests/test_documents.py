"""README and docs: links lead somewhere, and the commands they show exist."""

import re
import shlex
from pathlib import Path

import pytest
from click.testing import CliRunner

from gan_topdis.cli import main

ROOT = Path(__file__).resolve().parents[1]
LINK = re.compile(r"\]\(([^)#]+)\)")
COMMAND = re.compile(r"^(?:\$ )?gan-topdis (.+)$", re.MULTILINE)


@pytest.fixture(
    params=sorted(
        path.relative_to(ROOT).as_posix()
        for path in (ROOT / "README.md", ROOT / "CHANGELOG.md", *(ROOT / "docs").rglob("*.md"))
    )
)
def document(request):
    return ROOT / request.param


def broken_links(path):
    links = LINK.findall(path.read_text())
    return [link for link in links if "://" not in link and not (path.parent / link).exists()]


def test_links_lead_somewhere(document, tmp_path):
    assert broken_links(document) == []
    (tmp_path / "bad.md").write_text("[a](nowhere.md) [b](bad.md) [c](https://example.org)")
    assert broken_links(tmp_path / "bad.md") == ["nowhere.md"]


def test_nothing_is_left_to_fill_in(document):
    assert not re.findall(r"@[A-Z]+@", document.read_text())


def test_commands_of_the_readme_are_understood(pytestconfig):
    """Each with --help behind it: click then parses the options before it and runs nothing."""
    commands = COMMAND.findall((pytestconfig.rootpath / "README.md").read_text())
    assert len(commands) >= 4
    for command in commands:
        arguments = [word for word in shlex.split(command) if not word.startswith("#")]
        result = CliRunner().invoke(main, [*arguments, "--help"])
        assert result.exit_code == 0, (command, result.output)
    assert CliRunner().invoke(main, ["discover", "--nowhere", "--help"]).exit_code == 2
