"""What the gate makes of a run's folders: copied cells, and damaged files under a valid seal."""

import shutil
from pathlib import Path

import pytest
from typer.testing import CliRunner

from tests import _runs
from tunefair.cli.app import app
from tunefair.schema import BadInputError
from tunefair.storage import files, run_folder


@pytest.fixture
def folders(tmp_path: Path) -> tuple[Path, Path]:
    """Return a run and the baseline that was made of it."""
    _, old = _runs.pair(n=300)
    run = _runs.write(tmp_path / "run", old)
    result = CliRunner().invoke(app, ["baseline", str(run), "--out", str(tmp_path / "base")])
    assert result.exit_code == 0
    return run, tmp_path / "base"


def gate(folders: tuple[Path, Path]) -> tuple[int, str]:
    run, base = folders
    result = CliRunner().invoke(app, ["gate", str(run), "--baseline", str(base)])
    if isinstance(result.exception, BadInputError):
        return 2, str(result.exception)
    assert result.exception is None or isinstance(result.exception, SystemExit)
    return result.exit_code, result.output


def reseal(folder: Path, **content: str) -> None:
    for name, text in content.items():
        (folder / name.replace("_", ".")).write_text(text)
    files.write(folder / files.SEAL, files.to_json(files._checksums(folder)))


@pytest.mark.parametrize(("source", "target"), [("lora-1", "full-1"), ("full-0", "full-1")])
def test_a_cell_copied_over_another_is_not_finished(folders, source, target):
    cells = folders[0] / "cells"
    shutil.rmtree(cells / target)
    shutil.copytree(cells / source, cells / target)
    assert files.is_sealed(cells / target)
    assert not run_folder.is_finished(cells / target)
    code, words = gate(folders)
    assert code == 1
    assert "seed 1 is missing: holds another cell" in words


def test_a_run_that_names_another_cell_as_its_own_is_found_out(folders):
    facts = folders[0] / run_folder.FACTS
    facts.write_text(facts.read_text().replace('"id": "full-1"', '"id": "full-0"'))
    code, words = gate(folders)
    assert code == 1
    assert "seed 1 is missing: holds another cell" in words


def test_a_folder_of_an_earlier_version_stays_finished(folders):
    for cell in (folders[0] / "cells").iterdir():
        (cell / run_folder.CELL).unlink()
        reseal(cell)
        assert run_folder.is_finished(cell)
    assert gate(folders)[0] == 0


def test_a_changed_file_is_said_to_be_damage(folders):
    (folders[0] / "cells" / "full-0" / "ledger.json").write_text("{}")
    code, words = gate(folders)
    assert code == 1
    assert "seed 0 is missing: damaged" in words


@pytest.mark.parametrize("content", ["{}", "[]", "null", "3", '{"flops": "x"}', "{", "\0"])
@pytest.mark.parametrize("name", ["ledger.json", "curve.parquet", "predictions.parquet"])
def test_damage_under_a_seal_is_one_line(folders, name, content):
    reseal(folders[0] / "cells" / "full-0", **{name.replace(".", "_"): content})
    code, words = gate(folders)
    assert code == 2
    assert name in words


@pytest.mark.parametrize("content", ["[]", "{}", "null", '{"reason": 3}', "{"])
def test_a_damaged_failure_file_is_one_line(folders, content):
    run = folders[0]
    shutil.rmtree(run / "cells" / "full-0")
    files.write(run_folder.failure_file(run, "full-0"), content)
    code, words = gate(folders)
    assert code == 2
    assert "full-0.json" in words
