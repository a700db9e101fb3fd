"""Writes happen whole or not at all, and damage is seen."""

import json
import os
import subprocess
import sys

import pytest

from tunefair.schema import BadInputError
from tunefair.storage import files


def filled(content):
    def fill(folder):
        (folder / "sub").mkdir()
        (folder / "sub" / "a.txt").write_text(content)

    return fill


def test_a_failed_write_leaves_the_old_file_and_no_draft(tmp_path, monkeypatch):
    path = tmp_path / "table.json"
    files.write(path, "old")

    def full_disk(*_):
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(os, "fsync", full_disk)
    with pytest.raises(OSError, match="No space"):
        files.write(path, "new")
    assert path.read_text() == "old"
    assert [p.name for p in tmp_path.iterdir()] == ["table.json"]


def test_a_sealed_folder_appears_whole_or_not_at_all(tmp_path):
    def breaks(folder):
        (folder / "a").write_text("half")
        raise RuntimeError("power cut")

    with pytest.raises(RuntimeError):
        files.write_sealed(tmp_path / "cell", breaks)
    assert list(tmp_path.iterdir()) == []
    files.write_sealed(tmp_path / "cell", filled("x"))
    assert files.is_sealed(tmp_path / "cell")
    assert [p.name for p in tmp_path.iterdir()] == ["cell"]


def test_a_second_writer_of_one_folder_keeps_the_first(tmp_path):
    files.write_sealed(tmp_path / "cell", filled("first"))
    files.write_sealed(tmp_path / "cell", filled("second"))
    assert (tmp_path / "cell" / "sub" / "a.txt").read_text() == "first"


@pytest.mark.parametrize("damage", ["edit", "truncate", "remove", "add", "unseal"])
def test_every_damage_is_seen(tmp_path, damage):
    cell = tmp_path / "cell"
    files.write_sealed(cell, filled("content"))
    inside = cell / "sub" / "a.txt"
    {
        "edit": lambda: inside.write_text("Content"),
        "truncate": lambda: inside.write_text("cont"),
        "remove": inside.unlink,
        "add": lambda: (cell / "b").write_text(""),
        "unseal": (cell / files.SEAL).unlink,
    }[damage]()
    assert not files.is_sealed(cell)
    shelf = files.set_aside(cell)
    assert shelf.is_dir()
    assert not cell.exists()


def test_two_damaged_folders_of_one_name_are_both_kept(tmp_path):
    for _ in range(2):
        (tmp_path / "cell").mkdir()
        files.set_aside(tmp_path / "cell")
    assert len(list((tmp_path / "set-aside").iterdir())) == 2


def test_what_is_set_aside_takes_no_place_that_is_taken(tmp_path):
    """A person may have cleared a part of the shelf, and a file replaces a file unasked."""
    shelf = tmp_path / "set-aside"
    for content in ("1", "2", "3"):
        (tmp_path / "cell").write_text(content)
        place = files.set_aside(tmp_path / "cell")
        if content == "2":
            (shelf / "cell-1").unlink()
    assert place.read_text() == "3"
    assert sorted(p.read_text() for p in shelf.iterdir()) == ["2", "3"]


def test_a_link_that_leads_nowhere_is_set_aside_too(tmp_path):
    (tmp_path / "cell").symlink_to(tmp_path / "gone")
    files.write_sealed(tmp_path / "cell", filled("x"))
    assert files.is_sealed(tmp_path / "cell")
    assert (tmp_path / "set-aside" / "cell-1").is_symlink()


def test_json_has_null_where_a_number_is_not_finite():
    text = files.to_json({"a": float("nan"), "b": [float("inf"), 1.5], "c": (True, None)})
    assert json.loads(text) == {"a": None, "b": [None, 1.5], "c": [True, None]}


HOLD = (
    "import sys; from tunefair.storage import files; from pathlib import Path\n"
    "with files.locked(Path(sys.argv[1])): print('held', flush=True); sys.stdin.read()"
)


def test_a_lock_refuses_the_second_run_and_dies_with_its_process(tmp_path):
    holder = subprocess.Popen(
        [sys.executable, "-c", HOLD, tmp_path], stdin=subprocess.PIPE, stdout=subprocess.PIPE
    )
    with holder:
        assert holder.stdout.readline() == b"held\n"
        with pytest.raises(BadInputError, match="in use by another"), files.locked(tmp_path):
            pass
        holder.kill()
    with files.locked(tmp_path):
        pass
