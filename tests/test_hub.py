"""Models and data sets of a hub on loopback: each case ends as the docs say, and in time.

`docs/hub.md` holds the table that `CASES` makes; the seconds there were measured once.
"""

import shutil
import time
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from tests import _house, _loopback_hub, _tiny
from tests._loopback_hub import COMMIT, TOKEN
from tunefair import suite
from tunefair.hub import snapshots
from tunefair.planning import model_folder
from tunefair.schema import BadInputError
from tunefair.suite import ModelChoice
from tunefair.tasks.hub import Hub
from tunefair.training import model as models

PAGE = Path(__file__).parents[1] / "docs" / "hub.md"
OTHER = "d" * 40
SECONDS = 60.0
CASES: dict[str, tuple[dict[str, str], str]] = {
    "online": ({}, ""),
    "private, with HF_TOKEN": ({"name": "private-bert", "token": TOKEN}, ""),
    "503 now and then": ({"name": "flaky-rows"}, ""),
    "one of two configurations": ({"name": "two-rows", "config": "two"}, ""),
    "private, without a token": (
        {"name": "private-bert"},
        "is not on the hub, or is private: check the name, or set HF_TOKEN",
    ),
    "gated": ({"name": "gated-bert"}, "is gated: accept its terms on its page"),
    "no such repository": ({"name": "nothing"}, "is not on the hub, or is private"),
    "a wrong revision": ({"commit": OTHER}, "has no such revision"),
    "no safetensors": (
        {"name": "bare-bert"},
        "holds no .safetensors file (it has pytorch_model.bin, which is never read)",
    ),
    "two configurations": ({"name": "two-rows"}, "has 2 configurations (one, two): name one"),
    "503 always": ({"name": "busy-bert"}, "the hub answers with status 503; try again later"),
    "a model cut": ({"name": "cut-bert"}, "the download broke off"),
    "a data set cut": ({"name": "cut-rows"}, "the download broke off"),
    "a hub that stalls": ({"name": "stall-rows"}, "the hub did not answer for 15 s"),
}
"""Case -> what is asked for, and the refusal; "" is a snapshot."""


@pytest.fixture(scope="module")
def hub(tmp_path_factory):
    root = tmp_path_factory.mktemp("hub")
    for fault in ("", "private-", "gated-", "bare-", "busy-", "cut-"):
        shutil.copytree(_tiny.model_folder(), root / "models" / "me" / f"{fault}bert")
    bare = root / "models" / "me" / "bare-bert"
    (bare / "model.safetensors").rename(bare / "pytorch_model.bin")
    for fault in ("", "flaky-", "cut-", "stall-"):
        write_rows(root / "datasets" / "me" / f"{fault}rows")
    for config in ("one", "two"):
        write_rows(root / "datasets" / "me" / "two-rows" / config)
    named = "".join(
        f"- config_name: {c}\n  data_files:\n  - split: train\n    path: {c}/train.parquet\n"
        f"  - split: test\n    path: {c}/test.parquet\n"
        for c in ("one", "two")
    )
    (root / "datasets" / "me" / "two-rows" / "README.md").write_text(
        f"---\nconfigs:\n{named}---\n"
    )
    with _loopback_hub.Hub(root).running() as running:
        yield running


def write_rows(folder: Path) -> None:
    """A train and a test split."""
    folder.mkdir(parents=True)
    for seed, (split, n) in enumerate((("train", 160), ("test", 40))):
        rng = np.random.default_rng(seed)
        table = {
            "text": [" ".join(rng.choice(_tiny.WORDS, 9)) for _ in range(n)],
            "label": rng.integers(0, 2, n),
            "sex": rng.choice(["f", "m"], n),
        }
        pq.write_table(pa.table(table), folder / f"{split}.parquet")


@pytest.fixture
def home(tmp_path, hub, monkeypatch):
    """Where the hub's cache is; the environment of our processes points to the loopback hub."""
    monkeypatch.setenv("HF_ENDPOINT", hub.url)
    monkeypatch.setenv("HF_HOME", str(tmp_path / "cache"))
    monkeypatch.setattr("huggingface_hub.constants.HF_HUB_CACHE", str(tmp_path / "cache" / "hub"))
    monkeypatch.delenv("HF_HUB_OFFLINE", raising=False)
    monkeypatch.delenv("HF_TOKEN", raising=False)
    hub.asked.clear()
    return tmp_path


def ask(name: str = "bert", commit: str = COMMIT, config: str = "") -> Path:
    """Fetch a repository, whose name says whether it is a model or a data set."""
    kind = "dataset" if name.endswith("rows") else "model"
    return snapshots.snapshot(f"me/{name}", kind, commit, config)


@pytest.mark.slow
@pytest.mark.parametrize("case", CASES)
def test_each_case_ends_as_the_docs_say(case, home, monkeypatch):
    asked, said = CASES[case]
    asked = dict(asked)
    if token := asked.pop("token", ""):
        monkeypatch.setenv("HF_TOKEN", token)
    begun = time.monotonic()
    try:
        folder, refusal = ask(**asked), ""
    except BadInputError as error:
        folder, refusal = None, str(error)
    seconds = time.monotonic() - begun
    print(f"| {case} | {said or 'it is there'} | {seconds:.0f} s |")
    assert said in refusal
    assert "\n" not in refusal
    assert bool(folder) == (not said)
    assert seconds < SECONDS


def test_the_docs_list_these_cases():
    page = PAGE.read_text()
    for case, (_, said) in CASES.items():
        assert f"| {case} |" in page, case
        assert said.split(":")[0] in page, case


@pytest.mark.parametrize("name", ["bert", "rows"])
def test_a_cached_commit_asks_the_hub_nothing(name, home, hub, monkeypatch):
    folder = ask(name)
    assert hub.asked
    hub.asked.clear()
    assert ask(name) == folder
    monkeypatch.setenv("HF_HUB_OFFLINE", "1")
    assert ask(name) == folder
    assert hub.asked == []
    with pytest.raises(BadInputError, match="not in the hub's cache, and HF_HUB_OFFLINE is set"):
        ask(name, OTHER)


def test_what_a_cut_download_left_is_not_whole(home, hub):
    """The weights come last: where they lack, the model is asked for again."""
    folder = ask()
    (folder / "model.safetensors").unlink()
    (folder.parents[1] / "tunefair").rename(home / "lists")
    hub.asked.clear()
    assert (ask() / "model.safetensors").is_file()
    assert hub.asked


@pytest.mark.slow
def test_init_pins_todays_commit_and_keeps_the_test_split(home):
    command = ("init", "me/rows", "--model", "me/bert", "--out", home / "rows.toml")
    done = _house.tunefair(*command)
    assert done.returncode == 0, done.stderr
    found = suite.read(home / "rows.toml")
    assert found.model.revision == found.task.options["revision"] == COMMIT
    assert (found.task.options["validation"], found.task.options["test"]) == ("", "test")
    assert "40 test" in done.stdout


def test_a_name_without_a_commit_is_refused_with_todays(home):
    with pytest.raises(BadInputError, match=f"today's is {COMMIT}"):
        model_folder.fingerprint(ModelChoice(source="me/bert"))
    with pytest.raises(BadInputError, match=f"today's is {COMMIT}"):
        Hub(name="me/rows").load()


@pytest.mark.slow
def test_a_plan_reads_model_and_data_of_the_hub(home):
    task = Hub(name="me/rows", revision=COMMIT, validation="", groups=("sex",)).load()
    assert (task.split == "test").sum() == 40
    assert 0 < (task.split == "validation").sum() < 30
    choice = ModelChoice(source="me/bert", revision=COMMIT, max_tokens=32)
    assert (model_folder.locate(choice) / "tokenizer.json").is_file()
    models.load(choice, ("no", "yes"), pad=0, attention="eager")


def test_what_comes_to_nothing_for_long_is_ended(home, monkeypatch):
    """A hub that stalls is given up by the watch, whatever its library waits for."""
    monkeypatch.setattr(snapshots, "STALLED_SECONDS", 3.0)
    begun = time.monotonic()
    with pytest.raises(BadInputError, match="no byte came for 3 s"):
        ask("stall-rows")
    assert time.monotonic() - begun < SECONDS
