"""Properties of every task that the scan finds and that needs no network."""

import subprocess
import sys
from collections.abc import Callable
from dataclasses import fields

import datasets
import numpy as np
import pytest

from tunefair import plugins
from tunefair import task as contract
from tunefair.schema import BadInputError, Task

NAMES = plugins.names(contract.PACKAGE)
ROWS = "\n".join(
    f"comment number {i} with word{i % 37} and {i * i},{('no', 'yes')[i % 3 > 0]},{'ab'[i % 2]}"
    for i in range(300)
)
OPTIONS = {  # the least that a task needs to be loaded; a new task belongs here if it needs any
    "files": {"path": "rows.csv", "groups": ("group",)},
    "hub": {"name": "rows", "groups": ("group",), "validation": "", "test": ""},
}


@pytest.fixture(scope="module")
def call(tmp_path_factory) -> Callable[[str, str], Task | str]:
    """Call `load` or `fingerprint` of a task, with views where it has them."""
    folder = tmp_path_factory.mktemp("tasks")
    (folder / "rows").mkdir()
    for file in ("rows.csv", "rows/train.csv"):
        (folder / file).write_text(f"text,label,group\n{ROWS}\n")

    def called(function: str, name: str) -> Task | str:
        options = dict(OPTIONS.get(name, {}))
        if any(option.name == "views" for option in fields(kind(name))):
            options["views"] = True
        with pytest.MonkeyPatch.context() as patch:
            patch.setattr(datasets.config, "HF_DATASETS_CACHE", folder / "cache")
            patch.setattr(datasets.config, "HF_HUB_OFFLINE", True)
            return getattr(contract.load(name, options, folder=folder), function)()

    return called


def kind(name: str) -> type[contract.TaskSource]:
    return plugins.find(contract.PACKAGE, name, contract.TaskSource)


@pytest.fixture(scope="module", params=NAMES)
def task(request, call) -> Task:
    return call("load", request.param)


def test_columns_are_as_long_as_the_task(task):
    columns = [task.text, task.label, task.split, *task.groups.values(), *task.views.values()]
    if task.text_pair is not None:
        columns.append(task.text_pair)
    assert {len(column) for column in columns} == {len(task.example_id)}


def test_ids_are_short_and_never_repeat(task):
    assert len(set(task.example_id.tolist())) == len(task.example_id)
    assert max(map(len, task.example_id.tolist())) <= 64


def test_texts_say_something(task):
    assert all(isinstance(text, str) and text.strip() for text in task.text)


def test_labels_index_the_classes(task):
    assert task.label.dtype == np.int64
    assert set(task.label.tolist()) == set(range(len(task.classes)))
    assert len(set(task.classes)) == len(task.classes) >= 2


def test_every_split_has_every_class_and_group(task):
    assert set(task.split.tolist()) == {"train", "validation", "test"}
    for split in ("train", "validation", "test"):
        rows = task.split == split
        assert set(task.label[rows].tolist()) == set(task.label.tolist())
        for name, group in task.groups.items():
            assert set(group[rows].tolist()) == set(group.tolist()), name


def test_groups_are_never_null(task):
    assert task.groups
    assert all((group != "").all() for group in task.groups.values())


def test_views_change_what_they_do_not_leave_out(task):
    for name, view in task.views.items():
        changed = view != ""
        assert changed.any(), name
        assert (view[changed] != task.text[changed]).all(), name


def test_no_text_is_on_two_sides(task):
    side: dict[str, str] = {}
    for text, split in zip(task.text.tolist(), task.split.tolist(), strict=True):
        assert side.setdefault(text, split) == split


def test_the_card_says_what_a_reader_must_know(task):
    card = vars(task.card)
    assert all(card[key] for key in ("title", "label_meaning", "source", "licence"))
    assert len(task.card.fingerprint) == 64


def test_loading_again_gives_the_same(request, task, call):
    again = call("load", request.node.callspec.params["task"])
    assert again.example_id.tolist() == task.example_id.tolist()
    assert again.split.tolist() == task.split.tolist()


@pytest.mark.parametrize("name", NAMES)
def test_a_fingerprint_is_stable(name, call):
    assert call("fingerprint", name) == call("fingerprint", name)
    assert len(call("fingerprint", name)) == 64


@pytest.mark.parametrize("name", NAMES)
def test_options_are_refused_by_name_and_type(name, tmp_path):
    options = OPTIONS.get(name, {})
    with pytest.raises(BadInputError, match=f"task: {name}: wrong_name: unknown key"):
        contract.load(name, options | {"wrong_name": 1}, folder=tmp_path)
    for option in fields(kind(name)):
        if option.name != contract.FOLDER:
            with pytest.raises(BadInputError, match=f"{option.name} = {{}}: Input should be"):
                contract.load(name, options | {option.name: {}}, folder=tmp_path)
    with pytest.raises(BadInputError, match="folder: unknown key"):
        contract.load(name, options | {contract.FOLDER: "x"}, folder=tmp_path)


@pytest.mark.parametrize("name", NAMES)
def test_no_task_needs_torch(name):
    """Tasks are read by audits and yardsticks as well; the data sets' library is loaded late."""
    heavy = "{'torch', 'transformers', 'pandas', 'sklearn', 'datasets'}"
    code = f"import sys, tunefair.tasks.{name}; print(sorted({heavy} & sys.modules.keys()))"
    found = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, check=True
    )
    assert found.stdout.strip() == "[]"
