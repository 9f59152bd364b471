"""Run directories: earlier results are neither mixed with new ones nor lost."""

from __future__ import annotations

import pytest

from gan_topdis.run import RunRecord, open_run_directory

OUTPUTS = ("directions.npz", "dir[0-9]*.png")


def record(verb: str = "discover") -> RunRecord:
    return RunRecord(verb=verb, config={}, network={}, command_line=[], commit=None).started()


def refusal(directory, **options) -> str:
    with pytest.raises(ValueError) as error:
        open_run_directory(directory, "discover", OUTPUTS, can_resume=True, **options)
    return str(error.value)


def test_a_new_directory_is_made_with_its_parents(tmp_path):
    assert open_run_directory(tmp_path / "a" / "b", "discover", OUTPUTS) is None
    assert (tmp_path / "a" / "b").is_dir()


def test_files_of_others_are_left_alone(tmp_path):
    (tmp_path / "notes.txt").write_text("mine")
    assert open_run_directory(tmp_path, "discover", OUTPUTS, overwrite=True) is None
    assert (tmp_path / "notes.txt").read_text() == "mine"


def test_results_are_not_overwritten_unasked(tmp_path):
    (tmp_path / "dir000.png").write_bytes(b"old")
    assert refusal(tmp_path) == (
        f"{tmp_path} holds dir000.png; replace it with --overwrite, or choose another --outdir"
    )
    assert (tmp_path / "dir000.png").read_bytes() == b"old"


def test_the_refusal_says_how_the_run_ended_and_how_to_continue(tmp_path):
    record().ended("interrupted").save(tmp_path)
    assert refusal(tmp_path) == (
        f"{tmp_path} holds run.json of a run that is interrupted; continue it with --resume, replace it "
        "with --overwrite, or choose another --outdir"
    )


def test_overwrite_removes_what_the_verb_wrote(tmp_path):
    record().save(tmp_path)
    for name in ("directions.npz", "dir000.png", "dir001.png", "results.jsonl"):
        (tmp_path / name).write_bytes(b"old")
    assert open_run_directory(tmp_path, "discover", OUTPUTS, overwrite=True) is None
    assert list(tmp_path.iterdir()) == []


def test_another_verb_is_never_overwritten(tmp_path):
    record("traverse").save(tmp_path)
    message = f"{tmp_path} holds a run of traverse; choose another --outdir, such as {tmp_path / 'discover'}"
    assert refusal(tmp_path, overwrite=True) == message
    assert (tmp_path / "run.json").exists()


def test_resume_returns_the_record_and_removes_nothing(tmp_path):
    before = record().ended("interrupted")
    before.save(tmp_path)
    (tmp_path / "directions.npz").write_bytes(b"found")
    assert open_run_directory(tmp_path, "discover", OUTPUTS, can_resume=True, resume=True) == before
    assert (tmp_path / "directions.npz").read_bytes() == b"found"


def test_resume_in_a_new_directory_starts(tmp_path):
    assert open_run_directory(tmp_path / "new", "discover", OUTPUTS, can_resume=True, resume=True) is None


def test_resume_without_a_record_is_refused(tmp_path):
    (tmp_path / "directions.npz").write_bytes(b"?")
    assert "holds directions.npz but no run.json" in refusal(tmp_path, resume=True)


def test_resume_and_overwrite_exclude_each_other(tmp_path):
    assert "give one of --resume and --overwrite" in refusal(tmp_path, resume=True, overwrite=True)


def test_a_file_is_no_directory(tmp_path):
    path = tmp_path / "file"
    path.write_text("")
    assert refusal(path) == f"outdir should be a directory, {path} is a file"


def test_a_damaged_record_is_refused(tmp_path):
    (tmp_path / "run.json").write_text("{")
    assert f"{tmp_path / 'run.json'} should be the record of a run" in refusal(tmp_path)
