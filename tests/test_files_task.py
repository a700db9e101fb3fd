"""Tasks from files and from data sets of the Hub's form: read, split, or refused in one line."""

import json
import re
from collections import Counter
from pathlib import Path

import datasets
import numpy as np
import pyarrow as pa
import pyarrow.csv as pc
import pyarrow.parquet as pq
import pytest

from tunefair.schema import BadInputError
from tunefair.tasks import _near_duplicates, _split, files, hub

WORDS = [f"word{i}" for i in range(400)]


def table(n: int = 600, *, seed: int = 0) -> pa.Table:
    """Rows of random words; a tenth of the texts is a copy of another with a word changed."""
    rng = np.random.default_rng(seed)
    texts = [" ".join(rng.choice(WORDS, size=12)) for _ in range(n)]
    for i in range(0, n - 10, 10):
        words = texts[i].split()
        words[int(rng.integers(12))] = "changed"
        texts[i + 1] = " ".join(words)
    return pa.table(
        {
            "text": texts,
            "other": [" ".join(rng.choice(WORDS, size=5)) for _ in range(n)],
            "label": rng.choice(["no", "yes"], size=n, p=[0.7, 0.3]),
            "sex": rng.choice(["f", "m"], size=n),
            "score": rng.random(n).round(3),
        }
    )


def write(path: Path, rows: pa.Table) -> Path:
    if path.suffix == ".parquet":
        pq.write_table(rows, path)
    elif path.suffix == ".csv":
        pc.write_csv(rows, path)
    else:
        path.write_text("\n".join(json.dumps(row) for row in rows.to_pylist()))
    return path


@pytest.mark.parametrize("name", ["rows.csv", "rows.parquet", "rows.jsonl"])
def test_the_same_rows_from_every_kind_of_file(tmp_path, name):
    write(tmp_path / name, table())
    task = files.Files(path=name, groups=("sex",), folder=tmp_path).load()
    assert task.text.tolist() == table()["text"].to_pylist()
    assert task.classes == ("no", "yes")
    assert [task.classes[i] for i in task.label] == table()["label"].to_pylist()
    assert task.groups["sex"].tolist() == table()["sex"].to_pylist()
    assert task.name == "rows"
    assert task.text_pair is None


@pytest.fixture
def task(tmp_path):
    write(tmp_path / "rows.parquet", table(2000))
    return files.Files(path="rows.parquet", groups=("sex",), folder=tmp_path).load()


def test_own_split_is_in_proportion_in_every_stratum(task):
    for y in (0, 1):
        for sex in ("f", "m"):
            rows = (task.label == y) & (task.groups["sex"] == sex)
            share = Counter(task.split[rows].tolist())
            assert share["test"] / rows.sum() == pytest.approx(0.2, abs=0.02)
            assert share["validation"] / rows.sum() == pytest.approx(0.1, abs=0.02)


def test_own_split_parts_no_near_duplicates(task):
    pairs = [(i, i + 1) for i in range(0, len(task.text) - 10, 10)]
    assert all(task.split[i] == task.split[j] for i, j in pairs)


def test_own_split_does_not_depend_on_the_order_of_the_rows(tmp_path, task):
    order = np.random.default_rng(1).permutation(2000)
    write(tmp_path / "shuffled.parquet", table(2000).take(pa.array(order)))
    shuffled = files.Files(path="shuffled.parquet", groups=("sex",), folder=tmp_path).load()
    assert (shuffled.split == task.split[order]).all()
    assert (shuffled.example_id == task.example_id[order]).all()


def test_a_given_split_is_kept(tmp_path):
    names = np.random.default_rng(0).choice(["train", "dev", "TEST"], size=600)
    write(tmp_path / "rows.csv", table().append_column("part", pa.array(names)))
    task = files.Files(path="rows.csv", split="part", folder=tmp_path).load()
    kept = {"train": "train", "dev": "validation", "TEST": "test"}
    assert task.split.tolist() == [kept[name] for name in names]


def test_text_pairs_and_ids(tmp_path):
    ids = pa.array([f"row {i}" for i in range(600)])
    write(tmp_path / "rows.csv", table().append_column("key", ids))
    task = files.Files(path="rows.csv", text_pair="other", id="key", folder=tmp_path).load()
    assert task.text_pair.tolist() == table()["other"].to_pylist()
    assert task.example_id.tolist() == ids.to_pylist()


def test_copies_get_ids_of_their_own(tmp_path):
    write(tmp_path / "rows.parquet", pa.concat_tables([table(40), table(40)]))
    task = files.Files(path="rows.parquet", folder=tmp_path).load()
    assert len(set(task.example_id)) == 80
    assert (task.split[:40] == task.split[40:]).all()


def test_the_positive_class_is_chosen(tmp_path):
    write(tmp_path / "rows.parquet", table())
    assert files.Files(path="rows.parquet", positive="no", folder=tmp_path).load().classes == (
        "yes",
        "no",
    )
    with pytest.raises(BadInputError, match="say which of them is positive"):
        files.Files(path="rows.parquet", label="sex", folder=tmp_path).load()


def test_scores_become_labels_and_members_at_a_threshold(tmp_path):
    write(tmp_path / "rows.parquet", table())
    options = {"label": "score", "label_threshold": 0.7, "folder": tmp_path}
    task = files.Files(
        path="rows.parquet", groups=("score",), group_threshold=0.2, **options
    ).load()
    score = np.array(table()["score"])
    assert task.classes == ("not score", "score")
    assert (task.label == (score >= 0.7)).all()
    assert (task.groups["score"] == np.where(score >= 0.2, "score", "not score")).all()


def test_many_classes_are_in_order(tmp_path):
    label = pa.array([str(i % 11) for i in range(600)])
    rows = table().drop_columns("label").append_column("label", label)
    write(tmp_path / "rows.csv", rows)
    task = files.Files(path="rows.csv", folder=tmp_path).load()
    assert task.classes == tuple(str(i) for i in range(11))


@pytest.mark.parametrize(
    ("change", "options", "said"),
    [
        ({"text": None}, {}, r"column 'text', row 3: the text is empty"),
        ({"text": " "}, {}, r"column 'text', row 3: the text is empty"),
        ({"label": None}, {}, r"column 'label', row 3: missing"),
        ({"sex": None}, {"groups": ("sex",)}, r"column 'sex', row 3: missing"),
        ({}, {"groups": ("age",)}, r"no column 'age'; there are: 'text'"),
        ({"sex": "holdout"}, {"split": "sex"}, r"column 'sex', row 1 = '[fm]': no split"),
        ({}, {"positive": "maybe"}, r"positive 'maybe' is no label"),
    ],
)
def test_bad_rows(tmp_path, change, options, said):
    rows = table(40).to_pylist()
    rows[2] |= change
    write(tmp_path / "rows.parquet", pa.Table.from_pylist(rows))
    with pytest.raises(BadInputError, match=said):
        files.Files(path="rows.parquet", folder=tmp_path, **options).load()


def test_incomplete_rows_are_left_out_on_request(tmp_path):
    rows = table(40).to_pylist()
    rows[2]["label"], rows[7]["text"], rows[9]["sex"] = None, "", None
    for number, row in enumerate(rows):
        row["part"] = "train" if number != 20 else "holdout"
    write(tmp_path / "rows.parquet", pa.Table.from_pylist(rows))
    options = {"groups": ("sex",), "incomplete": "leave_out", "folder": tmp_path}
    task = files.Files(path="rows.parquet", **options).load()
    assert len(task.text) == 37
    assert task.card.warnings == ("3 rows without a text, label or group were left out.",)
    with pytest.raises(BadInputError, match="column 'part', row 21 = 'holdout': no split"):
        files.Files(path="rows.parquet", split="part", **options).load()


def test_texts_too_alike_to_be_split(tmp_path):
    rows = {"text": ["always the same few words"] * 40, "label": ["a", "b"] * 20}
    write(tmp_path / "rows.parquet", pa.table(rows))
    with pytest.raises(BadInputError, match=r"40 rows in 1 clusters of near-dup.* split column"):
        files.Files(path="rows.parquet", positive="a", folder=tmp_path).load()


def test_a_lexicon_makes_views(tmp_path):
    write(tmp_path / "rows.parquet", table())
    (tmp_path / "l.json").write_text('{"words": {"word1": "word2", "word2": "word1"}}')
    task = files.Files(path="rows.parquet", lexicon="l.json", folder=tmp_path).load()
    view = task.views["swap:words"]
    says = np.array([bool({"word1", "word2"} & set(text.split())) for text in task.text])
    assert ((view != "") == says).all()
    row = int(says.argmax())
    other = {"word1": "word2", "word2": "word1"}
    assert view[row] == " ".join(other.get(word, word) for word in task.text[row].split())
    bare = files.Files(path="rows.parquet", folder=tmp_path).fingerprint()
    assert (
        files.Files(path="rows.parquet", lexicon="l.json", folder=tmp_path).fingerprint() != bare
    )


def test_a_view_that_keeps_the_label_is_named(tmp_path):
    write(tmp_path / "rows.parquet", table())
    (tmp_path / "l.json").write_text('{"a": {"word1": "word2"}, "b": {"word2": "word1"}}')
    options = {"path": "rows.parquet", "lexicon": "l.json", "folder": tmp_path}
    assert files.Files(**options).load().card.label_kept_in == ()
    assert files.Files(label_kept_in=("b",), **options).load().card.label_kept_in == ("swap:b",)
    with pytest.raises(BadInputError, match="label_kept_in: 'c' is no view of the lexicon"):
        files.Files(label_kept_in=("b", "c"), **options).load()


@pytest.mark.parametrize(
    ("content", "said"),
    [
        ('{"gender": {"she": "he"}}', r"view 'gender': its terms occur in no row"),
        ('{"gender": {"She": "he"}}', r"'She' = 'he': a term in lower case"),
        ('{"gender": {"she": 1}}', r"'she' = 1: a term"),
        ('{"gender": ["she"]}', r"view 'gender': not a table"),
        ("[]", "not a table"),
        ("{", "not JSON"),
    ],
)
def test_bad_lexicon(tmp_path, content, said):
    write(tmp_path / "rows.parquet", table())
    (tmp_path / "l.json").write_text(content)
    with pytest.raises(BadInputError, match=said):
        files.Files(path="rows.parquet", lexicon="l.json", folder=tmp_path).load()


def test_one_class(tmp_path):
    rows = table(40).drop_columns("label").append_column("label", pa.array(["a"] * 40))
    write(tmp_path / "rows.csv", rows)
    with pytest.raises(BadInputError, match="holds only one class, 'a'"):
        files.Files(path="rows.csv", folder=tmp_path).load()


def test_fingerprint_is_of_content_and_options(tmp_path):
    write(tmp_path / "a.csv", table())
    write(tmp_path / "b.csv", table())
    write(tmp_path / "c.csv", table(seed=1))
    options = {"groups": ("sex",), "folder": tmp_path}
    a, b, c = (files.Files(path=f"{name}.csv", **options).fingerprint() for name in "abc")
    assert a == b != c
    assert files.Files(path="a.csv", folder=tmp_path).fingerprint() != a
    with pytest.raises(BadInputError, match="No such file"):
        files.Files(path="none.csv").fingerprint()


# The Hub's form


@pytest.fixture
def folder(tmp_path, monkeypatch):
    """A folder of split files, as a data set of the Hub is stored; nothing reaches the network."""
    monkeypatch.setattr(datasets.config, "HF_DATASETS_CACHE", tmp_path / "cache")
    monkeypatch.setattr(datasets.config, "HF_HUB_OFFLINE", True)
    here = tmp_path / "pairs"
    here.mkdir()
    for seed, split in enumerate(("train", "validation", "test")):
        write(here / f"{split}.parquet", table(60, seed=seed))
    return here


def test_a_folder_of_splits(folder):
    task = hub.Hub(name="pairs", text_pair="other", groups=("sex",), folder=folder.parent).load()
    assert Counter(task.split.tolist()) == {"train": 60, "validation": 60, "test": 60}
    assert task.text[task.split == "test"].tolist() == table(60, seed=2)["text"].to_pylist()
    assert task.text_pair is not None
    assert task.classes == ("no", "yes")


def test_only_one_split_is_split(folder):
    task = hub.Hub(name="pairs", validation="", test="", folder=folder.parent).load()
    assert len(task.text) == 60
    assert set(task.split) == {"train", "validation", "test"}


def test_named_classes_get_their_names(folder):
    features = datasets.Features(
        {"text": datasets.Value("string"), "label": datasets.ClassLabel(names=["no", "yes"])}
    )
    for seed, split in enumerate(("train", "validation", "test")):
        rows = {"text": table(60, seed=seed)["text"].to_pylist(), "label": [0, 1] * 30}
        datasets.Dataset.from_dict(rows, features=features).to_parquet(folder / f"{split}.parquet")
    task = hub.Hub(name="pairs", folder=folder.parent).load()
    assert task.classes == ("no", "yes")
    assert task.label.tolist() == [0, 1] * 90


@pytest.mark.parametrize(
    ("options", "said"),
    [
        ({"name": "nyu-mll/glue"}, "40-digit commit"),
        ({"name": "nyu-mll/glue", "revision": "main"}, "revision = 'main'.*40-digit commit"),
        ({"name": "nobody/none", "revision": "0" * 40}, "not in the hub.s cache, and HF_HUB_OF"),
        (
            {"name": "pairs", "test": "testing"},
            "test = 'testing': no such split; there are: train",
        ),
        ({"name": "pairs", "text": "body"}, "no column 'body'"),
        ({"name": "pairs", "config": "mrpc"}, "cannot be loaded"),
    ],
)
def test_bad_hub(folder, options, said):
    with pytest.raises(BadInputError, match=said) as refused:
        hub.Hub(folder=folder.parent, **options).load()
    assert "\n" not in str(refused.value)


def test_code_in_a_data_set_is_not_run(folder):
    canary = folder.parent / "canary"
    (folder / "pairs.py").write_text(f"open({str(canary)!r}, 'w')")
    with pytest.raises(BadInputError, match="scripts are no longer supported"):
        hub.Hub(name="pairs", folder=folder.parent).load()
    assert not canary.exists()


@pytest.mark.parametrize(
    "named",
    [
        "/etc/hostname",
        "../outside.csv",
        "train/../../outside.csv",
        "http://127.0.0.1:1/train.csv",
        "hf://datasets/a/b/train.csv",
        "~/train.csv",
        "zip://train.csv::train.zip",
    ],
)
@pytest.mark.parametrize("form", ["{}", "[{}]", "[{{split: train, path: {}}}]"])
def test_data_files_elsewhere_are_refused(folder, named, form):
    written = form.format(f'"{named}"')
    readme = f"---\nconfigs:\n- config_name: default\n  data_files: {written}\n---\n"
    (folder / "README.md").write_text(readme)
    with pytest.raises(BadInputError, match="which is not in the folder"):
        hub.Hub(name="pairs", folder=folder.parent).load()


def test_data_files_inside_are_read(folder):
    (folder / "README.md").write_text(
        "---\nconfigs:\n- config_name: default\n  data_files:\n  - split: train\n"
        "    path: train.parquet\n  - split: validation\n    path: validation.parquet\n"
        "  - split: test\n    path: test.parquet\n---\n"
    )
    assert len(hub.Hub(name="pairs", folder=folder.parent).load().text) == 180


def test_a_link_out_of_the_folder_is_refused(folder):
    outside = write(folder.parent / "outside.parquet", table(60))
    (folder / "test.parquet").unlink()
    (folder / "test.parquet").symlink_to(outside)
    with pytest.raises(BadInputError, match="a link that leads out of the folder"):
        hub.Hub(name="pairs", folder=folder.parent).load()


def bomb(path):
    """A megabyte of Parquet whose texts take 20 GB."""
    text = pa.DictionaryArray.from_arrays(
        pa.array([0] * 20_000, pa.int32()), pa.array(["x" * 1_000_000])
    )
    label = pa.array(["no", "yes"] * 10_000)
    pq.write_table(pa.table({"text": text, "label": label}), path, compression="zstd")


def test_a_folder_that_takes_more_memory_than_it_may_is_refused(folder, monkeypatch):
    bomb(folder / "train.parquet")
    monkeypatch.setattr(hub, "_MEMORY_BYTES", 2**30)
    monkeypatch.setattr(hub, "MOST", 1)
    with pytest.raises(BadInputError, match=r"^pairs: ") as refused:
        hub.Hub(name="pairs", folder=folder.parent).load()
    assert re.search("of memory; it is refused|cannot be loaded|exit code", str(refused.value))
    assert "\n" not in str(refused.value)


def test_a_folder_that_takes_longer_than_it_may_is_refused(folder, monkeypatch):
    monkeypatch.setattr(hub, "_SECONDS", 0.01)
    with pytest.raises(BadInputError, match="pairs: reading it takes more than 0"):
        hub.Hub(name="pairs", folder=folder.parent).load()


def test_a_file_gets_every_class_on_every_side(tmp_path):
    rare = ["yes" if i % 111 == 0 else "no" for i in range(600)]
    rows = table().set_column(2, "label", pa.array(rare))
    write(tmp_path / "rows.parquet", rows)
    task = files.Files(path="rows.parquet", groups=("sex",), folder=tmp_path).load()
    for split in ("train", "validation", "test"):
        assert set(task.label[task.split == split].tolist()) == {0, 1}


def test_a_class_that_only_the_test_split_has_is_a_caution(tmp_path):
    split = ["train", "validation", "test"] * 200
    label = ["rare" if i > 590 and split[i] == "test" else "ab"[i % 2] for i in range(600)]
    rows = table().set_column(2, "label", pa.array(label)).append_column("s", pa.array(split))
    write(tmp_path / "rows.csv", rows)
    task = files.Files(path="rows.csv", split="s", folder=tmp_path).load()
    assert any("'rare'" in w and "cannot be learnt" in w for w in task.card.warnings)


@pytest.mark.parametrize("reader", ["csv", "parquet", "jsonl"])
@pytest.mark.parametrize(("value", "said"), [("nan", "missing value"), ("[0, 1]", "multi-label")])
def test_labels_that_are_none(tmp_path, reader, value, said):
    rows = table().to_pylist()
    rows[3]["label"] = value
    write(tmp_path / f"rows.{reader}", pa.Table.from_pylist(rows))
    with pytest.raises(BadInputError, match=said):
        files.Files(path=f"rows.{reader}", folder=tmp_path).load()


@pytest.mark.parametrize("reader", ["csv", "parquet", "jsonl"])
def test_rows_without_annotation_may_stay(tmp_path, reader):
    rows = table().to_pylist()
    for i, row in enumerate(rows):
        row["score"] = None if i % 5 == 0 else (0.0, 0.25, 0.75)[i % 3]
    write(tmp_path / f"rows.{reader}", pa.Table.from_pylist(rows))
    options = {"path": f"rows.{reader}", "groups": ("score",), "folder": tmp_path}
    with pytest.raises(BadInputError, match="group_threshold"):
        files.Files(**options, incomplete="keep_unannotated").load()
    task = files.Files(**options, incomplete="keep_unannotated", group_threshold=0.5).load()
    assert len(task.text) == 600
    assert set(task.groups["score"].tolist()) == {"", "score", "not score"}
    assert any("120 rows are not annotated" in w for w in task.card.warnings)


def test_hub_fingerprint(folder):
    options = {"name": "pairs", "folder": folder.parent}
    before = hub.Hub(**options).fingerprint()
    assert before != hub.Hub(text_pair="other", **options).fingerprint()
    write(folder / "test.parquet", table(61))
    assert hub.Hub(**options).fingerprint() != before
    assert (
        hub.Hub(name="a/b", revision="0" * 40).fingerprint()
        != hub.Hub(name="a/b", revision="1" * 40).fingerprint()
    )


# The split itself


def test_clusters_agree_with_the_definition():
    """Every pair compared, by the words of the docstring."""
    rng = np.random.default_rng(0)
    texts = [" ".join(rng.choice(WORDS[:25], size=rng.integers(1, 16))) for _ in range(150)]
    texts += [f"{t} {rng.choice(WORDS[:25])}" for t in texts[:50]] + ["", "?"]
    linked = {i: {i} for i in range(len(texts))}
    for i, one in enumerate(texts):
        for j in range(i):
            if _similar(one.replace("?", " ").split(), texts[j].replace("?", " ").split()):
                both = linked[i] | linked[j]
                for k in both:
                    linked[k] = both
    cluster = _near_duplicates.clusters(texts)
    for i in range(len(texts)):
        assert set(np.flatnonzero(cluster == cluster[i]).tolist()) == linked[i]


def _similar(one: list[str], two: list[str]) -> bool:
    words = set(one), set(two)
    threes = tuple({tuple(t[i : i + 3]) for i in range(len(t) - 2)} for t in (one, two))
    both = len(threes[0] & threes[1])
    least = min(map(len, threes))
    return (
        _jaccard(*words) >= 0.6 or _jaccard(*threes) >= 0.4 or (least >= 8 and both / least >= 0.8)
    )


def _jaccard(one: set, two: set) -> float:
    return len(one & two) / len(one | two) if one | two else 0.0


def test_large_clusters_stay_in_train():
    identities = [f"same words here {i}" for i in range(6)] + [f"apart{i}" for i in range(94)]
    cluster = np.array([0] * 6 + list(range(1, 95)))
    side = _split.by_cluster(identities, cluster, ["all"] * 100, salt="")
    assert (side[:6] == "train").all()
    assert Counter(side.tolist()) == {"train": 70, "test": 20, "validation": 10}
