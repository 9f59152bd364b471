"""Records: what they hold, and that a full disk spoils nothing."""

from __future__ import annotations

import errno
import hashlib
import json
import os

import pytest

import gan_topdis
from gan_topdis.run import RunRecord, read_record, recorded, write_atomically
from gan_topdis.run.provenance import network_file, source_commit, versions
from gan_topdis.run.record import append_result


def full_disk(path):
    path.write_bytes(b"half")
    raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))


def test_a_failed_write_keeps_the_old_file_and_names_it(tmp_path):
    path = tmp_path / "grid.png"
    path.write_bytes(b"old")
    with pytest.raises(OSError) as error:
        write_atomically(path, full_disk)
    assert error.value.filename == str(path) and error.value.errno == errno.ENOSPC
    assert path.read_bytes() == b"old"
    assert list(tmp_path.iterdir()) == [path]


def test_writing_text_bytes_and_by_a_function(tmp_path):
    path = tmp_path / "file"
    write_atomically(path, "é")
    assert path.read_bytes() == "é".encode()
    write_atomically(path, b"\x00")
    assert path.read_bytes() == b"\x00"
    write_atomically(path, lambda part: part.write_text("by hand"))
    assert path.read_text() == "by hand"
    assert list(tmp_path.iterdir()) == [path]


def test_the_part_file_keeps_the_ending(tmp_path):
    endings = []
    write_atomically(tmp_path / "a.png", lambda part: (endings.append(part.suffix), part.touch()))
    assert endings == [".png"]


def test_a_record_is_read_as_it_was_written(tmp_path):
    record = RunRecord(
        verb="discover",
        config={"count": 2},
        network={"name": "scènes"},
        command_line=["gan-topdis", "discover"],
    ).started()
    record.save(tmp_path)
    assert read_record(tmp_path) == record
    assert record.status == "running"
    assert record.versions["gan_topdis"] == gan_topdis.__version__


def test_sessions_add_up(tmp_path):
    record = RunRecord(verb="discover", config={}, network={}, command_line=[], commit=None)
    record = record.started().ended("interrupted").started().ended("complete")
    assert [session["status"] for session in record.sessions] == ["interrupted", "complete"]
    assert all(session["started"] <= session["ended"] for session in record.sessions)


def test_no_record_is_none(tmp_path):
    assert read_record(tmp_path) is None


def test_results_are_appended_line_by_line(tmp_path):
    append_result(tmp_path, {"direction": 0, "rtd": 0.5})
    append_result(tmp_path, {"direction": 1, "rtd": None})
    lines = [json.loads(line) for line in (tmp_path / "results.jsonl").read_text().splitlines()]
    assert [(line["direction"], line["rtd"]) for line in lines] == [(0, 0.5), (1, None)]


def test_the_file_of_a_network_is_hashed(tmp_path):
    path = tmp_path / "net.pkl"
    path.write_bytes(b"abc")
    expected = {"path": str(path.resolve()), "bytes": 3, "sha256": hashlib.sha256(b"abc").hexdigest()}
    assert network_file(str(path)) == expected
    assert network_file(f"{path}::member") == expected
    assert network_file("scenes") is None


def test_versions_of_what_is_missing_are_absent(monkeypatch):
    monkeypatch.setattr("gan_topdis.run.provenance._PACKAGES", ("no-such-package",))
    assert versions()["no-such-package"] == "absent"


def test_the_commit_is_of_this_package_alone(tmp_path, monkeypatch):
    """A package installed in a folder that some other repository ignores has no commit."""
    monkeypatch.setattr(gan_topdis, "__file__", str(tmp_path / "__init__.py"))
    assert source_commit() is None


@pytest.mark.parametrize(
    ("error", "status"), [(None, "complete"), (KeyboardInterrupt, "interrupted"), (ValueError, "failed")]
)
def test_how_a_run_ended(tmp_path, error, status):
    record = RunRecord(verb="metrics", config={}, network={}, command_line=[])
    try:
        with recorded(record, tmp_path):
            assert read_record(tmp_path).status == "running"
            if error is not None:
                raise error
    except BaseException as raised:
        assert type(raised) is error
    assert read_record(tmp_path).status == status


def test_an_error_is_reported_although_the_record_cannot_be_written(tmp_path, monkeypatch):
    record = RunRecord(verb="metrics", config={}, network={}, command_line=[])
    save, saves = RunRecord.save, []

    def once(self, directory):
        saves.append(self.status)
        if len(saves) > 1:
            raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))
        save(self, directory)

    monkeypatch.setattr(RunRecord, "save", once)
    with pytest.raises(ValueError, match="bad codes"), recorded(record, tmp_path):
        raise ValueError("bad codes")
    assert saves == ["running", "failed"]
