"""`tunefair init`: a table of a stranger becomes a suite that runs as it is written."""

import csv
import json
import re
import subprocess
import sys

import numpy as np
import pyarrow as pa
import pyarrow.csv as pc
import pyarrow.parquet as pq
import pytest

from tests import _house, _tiny
from tunefair import suite
from tunefair.cli import app
from tunefair.preparing import prepare
from tunefair.proposing import proposal, roles, seen, suite_text

N = 240


def rows(n: int = N, *, classes: tuple[object, ...] = (0, 1), seed: int = 0) -> dict[str, list]:
    """Texts of the tiny model's words, labels, and what else a table may hold."""
    rng = np.random.default_rng(seed)
    label = rng.integers(0, len(classes), n)
    marks = np.array(["bad", "good", "east"])[label % 3]
    text = [" ".join([*rng.choice(_tiny.WORDS, 9), mark]) for mark in marks]
    return {
        "text": text,
        "label": [classes[i] for i in label],
        "sex": rng.choice(["f", "m"], n).tolist(),
        "area": rng.choice(["north", "south", "west"], n).tolist(),
        "writer": [f"w{i}" for i in rng.integers(0, 40, n)],
        "key": [f"k{i}" for i in range(n)],
    }


def renamed(table: dict[str, list], **names: str) -> pa.Table:
    """Some of the columns, by other names, in the order given."""
    return pa.table({new: table[old] for old, new in names.items()})


def other_names(folder):
    table = renamed(rows(classes=("ham", "spam")), key="row_id", text="message", label="verdict",
                    sex="Gender", area="district", writer="user_name")  # fmt: skip
    pc.write_csv(table, folder / "data.csv")
    return "data.csv", {
        "text": "message", "label": "verdict", "groups": ("Gender", "district"), "id": "row_id",
        "cluster": "user_name",
    }  # fmt: skip


def tabs(folder):
    table = renamed(rows(), text="tweet", label="is_hateful", sex="sex")
    pc.write_csv(table, folder / "data.tsv", pc.WriteOptions(delimiter="\t"))
    return "data.tsv", {"text": "tweet", "label": "is_hateful", "groups": ("sex",)}


def parquet(folder):
    table = renamed(rows(), text="body", label="toxicity", area="region")
    shares = np.random.default_rng(1).random(N).round(2)
    table = table.set_column(1, "toxicity", pa.array(shares))
    pq.write_table(table, folder / "data.parquet")
    return "data.parquet", {
        "text": "body", "label": "toxicity", "label_threshold": 0.5, "groups": ("region",),
    }  # fmt: skip


def json_lines(folder):
    table = rows(classes=("neg", "pos"))
    table["part"] = (["train"] * 150 + ["dev"] * 40 + ["test"] * 50)[:N]
    some = renamed(table, text="content", label="sentiment", sex="sex", part="part")
    (folder / "data.jsonl").write_text("\n".join(map(json.dumps, some.to_pylist())))
    return "data.jsonl", {
        "text": "content", "label": "sentiment", "groups": ("sex",), "split": "part",
    }  # fmt: skip


def pairs(folder):
    table = rows(classes=("no", "yes"))
    table["other"] = rows(seed=5)["text"]
    some = renamed(table, text="premise", other="hypothesis", label="gold_label", key="idx")
    pc.write_csv(some, folder / "data.csv")
    return "data.csv", {
        "text": "premise", "text_pair": "hypothesis", "label": "gold_label", "id": "idx",
        "groups": (),
    }  # fmt: skip


def three_classes(folder):
    table = renamed(
        rows(classes=("against", "for", "neither")), text="text", label="stance", area="country"
    )
    pq.write_table(table, folder / "data.parquet")
    return "data.parquet", {"text": "text", "label": "stance", "groups": ("country",)}


def no_groups(folder):
    table = rows()
    table["date"] = [f"2026-01-{i % 28 + 1:02d}" for i in range(N)]
    pc.write_csv(renamed(table, text="review", label="stars", date="date"), folder / "data.csv")
    return "data.csv", {"text": "review", "label": "stars", "groups": (), "id": ""}


def a_file_a_split(folder):
    (folder / "data").mkdir()
    for seed, (split, n) in enumerate((("train", 200), ("test", 60))):
        table = renamed(rows(n, seed=seed), text="sentence", label="label", sex="gender")
        pc.write_csv(table, folder / "data" / f"{split}.csv")
    return "data", {
        "text": "sentence", "label": "label", "groups": ("gender",), "validation": "",
        "train": "train", "test": "test",
    }  # fmt: skip


def messy(folder):
    """Empty texts, copies, a label that nobody gave, spaces in names, no name that tells."""
    table = rows(classes=("A", "B"))
    table["text"][3:9] = [""] * 6
    table["text"][20:24] = [table["text"][50]] * 4
    table["label"][30] = ""
    some = renamed(table, text="What was said", label="Result 1", sex="Who")
    pc.write_csv(some, folder / "data.csv")
    return "data.csv", {
        "text": "What was said", "label": "Result 1", "groups": ("Who",),
        "incomplete": "keep_unannotated",
    }  # fmt: skip


def saved(folder):
    import datasets

    table = renamed(rows(), text="text", label="label", sex="sex")
    datasets.Dataset(table).save_to_disk(str(folder / "data"))
    return "data", {"text": "text", "label": "label", "groups": ("sex",), "validation": ""}


TABLES = [other_names, tabs, parquet, json_lines, pairs, three_classes, no_groups, a_file_a_split,
          messy, saved]  # fmt: skip


def init(folder, *arguments):
    model = () if "--model" in arguments else ("--model", _tiny.model_folder())
    return _house.tunefair("init", *arguments, *model, cwd=folder)


@pytest.fixture(scope="module")
def written(tmp_path_factory):
    """Each table with the suite that is written for it, made once."""
    made = {}

    def of(make):
        if make not in made:
            folder = tmp_path_factory.mktemp(make.__name__)
            data, expected = make(folder)
            file, model = folder / "data.toml", str(_tiny.model_folder())
            wishes = proposal.Wishes(data=str(folder / data), model=model, file=file)
            file.write_text(proposal.finish(wishes, proposal.begin(wishes)).text)
            made[make] = (file, expected)
        return made[make]

    return of


@pytest.mark.parametrize("make", TABLES)
def test_the_right_columns_are_proposed(make, written):
    file, expected = written(make)
    task = suite.read(file).task.options
    assert {key: task.get(key, () if key == "groups" else "") for key in expected} == expected


@pytest.mark.parametrize("make", TABLES)
def test_what_is_written_can_be_run(make, written):
    """All that is checked before training; the slow test trains."""
    file, _ = written(make)
    chosen = suite.read(file)
    prepared = prepare.prepare(chosen, folder=file.parent, cache=file.parent / "cache")
    assert len(prepared.cells) == 4 * 3
    assert prepared.suite.budget.currency == "flops"
    assert set(prepared.task.split) == {"train", "validation", "test"}


@pytest.mark.slow
@pytest.mark.parametrize("make", TABLES)
def test_what_is_written_runs(make, written):
    file, _ = written(make)
    done = _house.tunefair("run", file.name, "--seeds", 1, cwd=file.parent)
    assert done.returncode == 0, done.stderr
    assert re.search(r"3 epochs of 'full' are [\d.e+]+ FLOPs", done.stderr)
    assert (file.parent / "runs" / "data" / "report.html").is_file()


def test_columns_main_lines_and_next_commands_are_shown(tmp_path):
    messy(tmp_path)
    done = init(tmp_path, "data.csv")
    assert done.returncode == 0, done.stderr
    said = " ".join(done.stdout.split())
    assert "text What was said a guess; --text COLUMN settles it" in said
    assert "rows 233 of 240; 7 without a text or a label are left out" in said
    assert re.search(r"copies [1-5] texts occur again in their split", said)
    assert re.search(r"Who [fm] \d+, [fm] \d+", said)
    assert "max_tokens = 32" in said
    assert "tunefair run data.toml" in said


def test_options_overrule_guesses(tmp_path):
    other_names(tmp_path)
    done = init(tmp_path, "data.csv", "--group", "district", "--label", "Gender", "--positive",
                "f", "--out", "mine.toml", "--yes")  # fmt: skip
    assert done.returncode == 0, done.stderr
    task = suite.read(tmp_path / "mine.toml").task.options
    assert (task["label"], task["groups"], task["positive"]) == ("Gender", ("district",), "f")
    assert suite.read(tmp_path / "mine.toml").name == "mine"


def test_paths_are_relative_to_the_suites_file(tmp_path):
    tabs(tmp_path)
    (tmp_path / "suites").mkdir()
    (tmp_path / "tiny").symlink_to(_tiny.model_folder())
    command = ("init", "data.tsv", "--model", "tiny", "--out", "suites/x.toml")
    done = _house.tunefair(*command, cwd=tmp_path)
    assert done.returncode == 0, done.stderr
    found = suite.read(tmp_path / "suites" / "x.toml")
    assert found.task.options["path"] == "../data.tsv"
    assert found.model.source == "../tiny" or found.model.source.endswith(
        _tiny.model_folder().name
    )
    done = _house.tunefair("plan", "x.toml", "--seeds", 1, cwd=tmp_path / "suites")
    assert done.returncode == 0, done.stderr


def test_an_edited_suite_is_not_written_over(tmp_path):
    tabs(tmp_path)
    assert init(tmp_path, "data.tsv").returncode == 0
    assert init(tmp_path, "data.tsv").returncode == 0  # as it was written: written again
    file = tmp_path / "data.toml"
    file.write_text(file.read_text().replace("epochs = 3", "epochs = 1"))
    again = init(tmp_path, "data.tsv")
    assert again.returncode == 2
    assert "data.toml: is there already" in again.stderr


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (("absent.csv",), "absent.csv: No such file or directory"),
        (("no/such/thing.xlsx",), "no such file; give a CSV"),
        (("data.tsv", "--label", "nothing"), "no column 'nothing'; there are: 'tweet'"),
        (("data.tsv", "--model", "./nothing"), "--model ./nothing: no such folder"),
        (("data.tsv", "--out", "no/x.toml"), "no folder no"),
        (("numbers.csv",), "no column looks like the text: name it, --text COLUMN"),
        (("org/name",), "org/name: not in the hub's cache, and HF_HUB_OFFLINE is set"),
    ],
)
def test_what_cannot_be_begun_is_one_line(arguments, said, tmp_path, monkeypatch, capsys):
    tabs(tmp_path)
    (tmp_path / "numbers.csv").write_text("a,b\n" + "1,2\n3,4\n" * 20)
    monkeypatch.chdir(tmp_path)
    model = [] if "--model" in arguments else ["--model", str(_tiny.model_folder())]
    monkeypatch.setattr(sys, "argv", ["tunefair", "init", *arguments, *model])
    with pytest.raises(SystemExit) as ended:
        app.main()
    assert ended.value.code == 2
    (line,) = capsys.readouterr().err.strip().splitlines()
    assert said in line


def test_on_a_terminal_it_asks_with_its_guess_as_default(tmp_path, monkeypatch):
    other_names(tmp_path)
    monkeypatch.chdir(tmp_path)
    asked = []

    def answer(question, default):
        asked.append((question.split()[0], default))
        return {"groups": "Gender", "cluster": "-"}.get(question.split()[0], default)

    monkeypatch.setattr("tunefair.cli.init.typer.prompt", answer)
    monkeypatch.setattr(sys.stdin, "isatty", lambda: True, raising=False)
    monkeypatch.setattr(
        sys, "argv", ["tunefair", "init", "data.csv", "--model", str(_tiny.model_folder())]
    )
    with pytest.raises(SystemExit) as ended:
        app.main()
    assert not ended.value.code
    task = suite.read(tmp_path / "data.toml").task.options
    assert task["groups"] == ("Gender",)
    assert "cluster" not in task
    assert ("label", "verdict") in asked
    assert ("groups", "Gender,district") in asked


def test_it_needs_no_torch(tmp_path):
    tabs(tmp_path)
    code = (
        "import sys; from tunefair.cli import app\n"
        f"sys.argv[1:] = ['init', 'data.tsv', '--model', {str(_tiny.model_folder())!r}]\n"
        "if __name__ == '__main__':\n"
        "    try: app.main()\n"
        "    finally: print('HEAVY', sorted({'torch', 'transformers', 'peft'} & {*sys.modules}))"
    )
    (tmp_path / "call.py").write_text(code)
    done = subprocess.run(
        [sys.executable, "call.py"], cwd=tmp_path, capture_output=True, text=True, check=False
    )
    assert "HEAVY []" in done.stdout, done.stderr


def test_a_copy_of_the_label_is_no_group():
    table = rows()
    table["label_name"] = [("good", "bad")[i] for i in table["label"]]
    found = renamed(table, text="text", label="label", label_name="mood", sex="sex")
    columns = seen.columns(_house.Path("x"), found)
    guess = roles.propose(
        roles.Table(columns, lambda a, b: seen.says_the_same(found, a, b)), roles.Roles()
    )
    assert guess.groups == ("sex",)


def test_any_name_of_a_file_is_made_fit():
    for text in ("My Data (1)", "ÄÖÜ", "", "x" * 99, "_-a", "9"):
        name = suite_text.name_of(text)
        assert re.fullmatch(r"[a-z0-9][a-z0-9_-]{0,63}", name), (text, name)


def test_quotes_and_marks_in_names_survive(tmp_path):
    names = {"text": 'the "text" \\ é', "label": "label", "sex": "group\u2028of"}
    with (tmp_path / "data.csv").open("w", newline="") as file:
        writer = csv.writer(file)
        writer.writerow(names.values())
        table = rows()
        writer.writerows(zip(*(table[name] for name in names), strict=True))
    done = init(tmp_path, "data.csv")
    assert done.returncode == 0, done.stderr
    assert suite.read(tmp_path / "data.toml").task.options["text"] == names["text"]
