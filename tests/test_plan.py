"""Cells: equal definitions have equal ids, and whatever changes a result changes the id."""

import pickle

import pytest

from tests import _house
from tunefair import suite
from tunefair.planning import plan
from tunefair.planning.identity import TaskContent
from tunefair.schema import BadInputError

CONTENT = TaskContent(examples="t", groups={"group": "g"})


@pytest.fixture
def house(tmp_path):
    return tmp_path, _house.build(tmp_path)


def cells(house, *change):
    folder, file = house
    text = file.read_text()
    assert not change or change[0] in text
    file.write_text(text.replace(*change) if change else text)
    read = suite.read(file)
    file.write_text(text)
    planned = plan.cells(read, folder=folder, task=CONTENT, model="m", attribute="group")
    return {(cell.label, cell.seed): cell for cell in planned}


def ids(house, *change):
    return {key: cell.id for key, cell in cells(house, *change).items()}


def test_ids_repeat_and_differ_between_cells(house):
    found = ids(house)
    assert found == ids(house)
    assert len(set(found.values())) == len(found) == 6


@pytest.mark.parametrize(
    "change",
    [
        ("amount = 6", "amount = 7"),
        ("learning_rate = 1e-3", "learning_rate = 2e-3"),
        ("max_tokens = 32", "max_tokens = 16"),
    ],
)
def test_what_all_share_changes_every_id(house, change):
    before, after = ids(house), ids(house, *change)
    assert not set(before.values()) & set(after.values())


def test_an_option_changes_its_own_cells_only(house):
    before, after = ids(house), ids(house, "rank = 4", "rank = 8")
    changed = {label for (label, seed), cell in after.items() if before[label, seed] != cell}
    assert changed == {"lora+weighted"}


def test_a_new_name_trains_nothing_again(house):
    renamed = ids(house, "[strategies.full]", '[strategies.plain]\nuse = "full"')
    assert renamed["plain", 0] == ids(house)["full", 0]


def test_a_default_written_out_is_the_default(house):
    written = ids(house, "rank = 4", "rank = 4, alpha = 32")
    assert written == ids(house)


def test_an_edited_strategy_is_another_cell_and_a_planned_one_refuses_it(house):
    folder, _ = house
    planned = cells(house)["own", 0]
    planned.strategy()
    sent = pickle.loads(pickle.dumps(planned))
    own = folder / "mine" / "own.py"
    own.write_text(own.read_text() + "\nEDITED = True\n")
    assert cells(house)["own", 0].id != planned.id
    with pytest.raises(BadInputError, match="own: its file changed"):
        sent.strategy()
