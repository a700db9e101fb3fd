"""Kept weights: their names, the disk they take, and that what is there is not trained again."""

import shutil

import pytest

from tests import _tiny
from tunefair.planning import missing, plan
from tunefair.planning.plan import MODEL
from tunefair.storage import run_folder


@pytest.fixture
def cells():
    return _tiny.cells("lora+temperature", seeds=(0, 1), keep_models=True)


def work(cells, held, monkeypatch, tmp_path):
    monkeypatch.setattr(missing, "held", lambda run, cell_id: held.get(cell_id))
    return missing.work(plan.with_first_stages(cells), tmp_path)


def test_weights_wished_afterwards_are_those_of_the_first_stage(cells, monkeypatch, tmp_path):
    """The finished revision stays; only what holds its weights is trained again."""
    held = {c.id: frozenset(c.keeps) for c in cells}
    held |= {c.first.id: frozenset(c.first.keeps) - {MODEL} for c in cells}
    todo = work(cells, held, monkeypatch, tmp_path)
    assert todo.keys() == {c.first.id for c in cells}
    assert all(one.lacking == (MODEL,) for one in todo.values())


def test_weights_that_are_there_train_nothing(cells, monkeypatch, tmp_path):
    held = {c.id: frozenset(c.keeps) for c in cells}
    held |= {c.first.id: frozenset(c.first.keeps) for c in cells}
    assert work(cells, held, monkeypatch, tmp_path) == {}
    assert list(missing.explained({}, tmp_path, {})) == []


def test_a_finished_revision_needs_no_first_stage_where_no_weights_are_wished(
    monkeypatch, tmp_path
):
    cells = _tiny.cells("lora+temperature")
    assert work(cells, {cells[0].id: frozenset(cells[0].keeps)}, monkeypatch, tmp_path) == {}


@pytest.mark.parametrize("free", [10**12, 10])
def test_the_disk_that_weights_take_is_said_before(cells, free, monkeypatch, tmp_path):
    todo = work(cells, {}, monkeypatch, tmp_path)
    usage = shutil.disk_usage(tmp_path)._replace(free=free)
    monkeypatch.setattr(shutil, "disk_usage", lambda path: usage)
    (line,) = [t for t in missing.explained(todo, tmp_path, {}) if t.startswith("keep_models")]
    assert "weights of 2 cells take up to" in line
    assert ("too little" in line) == (free == 10)


def test_kept_weights_have_names_that_lead_to_them(tmp_path):
    for cell_id in ("one", "two", "three"):
        folder = run_folder.cell_folder(tmp_path, cell_id)
        (folder / run_folder.MODEL).mkdir(parents=True)
        (folder / run_folder.MODEL / "config.json").write_text(cell_id)
    run_folder.cell_folder(tmp_path, "revises").mkdir()
    cells = [("lora+weighted", 0, "one"), ("../a b", 1, "two"), ("../a/b", 1, "three")]
    for _ in range(2):  # again is no fault
        run_folder.name_models(tmp_path, [*cells, ("temperature", 0, "revises")])
    links = {p.name: (p / "config.json").read_text() for p in (tmp_path / "models").iterdir()}
    assert links["lora+weighted-seed-0"] == "one"
    assert sorted(links.values()) == ["one", "three", "two"]
    assert all("/" not in name and not name.startswith(".") for name in links)
    run_folder.name_models(tmp_path, cells[:1])
    assert [p.name for p in (tmp_path / "models").iterdir()] == ["lora+weighted-seed-0"]
