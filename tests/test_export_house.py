"""Export, verify and predict by the command line, on a small suite that is run once."""

import errno
import json
import os
import shutil
import subprocess
import sys
from functools import partial
from pathlib import Path

import numpy as np
import pytest
from safetensors import SafetensorError
from safetensors.numpy import load_file, save_file

from tests import _command, _house
from tunefair.exporting import assemble, record, source, verify
from tunefair.schema import BadInputError
from tunefair.storage import files, records, run_folder

LINE = """
import sys
sys.modules["tunefair"] = None
from transformers import pipeline
classify = pipeline("text-classification", sys.argv[1], top_k=None, truncation=True)
print([a["label"] for a in classify([sys.argv[2]])[0]])
"""


pytestmark = pytest.mark.slow


@pytest.fixture(scope="module")
def run(tmp_path_factory):
    """A small suite, run once: two strategies, two seeds; weights are not kept."""
    folder = tmp_path_factory.mktemp("house")
    suite = _house.build(folder, own=False)
    text = suite.read_text().replace("learning_rate", 'precision = "fp32"\nlearning_rate')
    more = "[strategies.equalized_odds_threshold]\n[strategies.erase]\n"
    suite.write_text(text + more)
    done = _house.tunefair("run", suite, "--runs", folder / "runs")
    assert done.returncode == 0, done.stderr
    return folder / "runs" / "small"


@pytest.fixture
def command(capsys, monkeypatch):
    """Call the command line in this process; return exit code, what it said and printed."""
    return partial(_command.call, capsys, monkeypatch)


@pytest.fixture(scope="module")
def exported(run, tmp_path_factory):
    """The model of one cell, whose weights were trained again."""
    out = tmp_path_factory.mktemp("exported") / "model"
    done = _house.tunefair("export", run, "lora+weighted", "--seed", 1, "--out", out)
    assert done.returncode == 0, done.stderr
    return out, done


@pytest.fixture
def copy(exported, tmp_path):
    """A copy that a test may damage."""
    return Path(shutil.copytree(exported[0], tmp_path / "copy"))


def test_a_model_that_was_not_kept_is_trained_again_and_proved(run, exported):
    out, done = exported
    made = record.read(out)
    assert made.weights == "trained again: the same predictions, byte for byte"
    assert "weights were not kept" in done.stderr
    assert made.proof[0].max_difference <= 1e-5
    assert made.proof[0].flips == 0
    assert {row.group for row in made.proof} == {"", "a", "b"}
    config = json.loads((out / "config.json").read_text())
    assert config["id2label"] == {"0": "0", "1": "1"}
    assert not (out / "adapter_config.json").exists()
    assert files.is_sealed(out)
    stored = records.read_outcome(run_folder.cell_folder(run, made.cell)).test["original"]
    kept = record.read_answers(out)
    assert (kept.probability == stored.probability).all()
    assert not list(run.parent.glob("**/model"))  # nothing is left in the run
    assert str(run) not in (out / "tokenizer_config.json").read_text()


def test_it_runs_where_tunefair_cannot_be_imported_and_cuts_long_texts(exported):
    text = " ".join(["good"] * 500)  # the model has 64 positions
    done = subprocess.run(
        [sys.executable, "-I", "-c", LINE, exported[0], text],
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    assert sorted(json.loads(done.stdout.replace("'", '"'))) == ["0", "1"]
    tokenizer = json.loads((exported[0] / "tokenizer.json").read_text())
    assert tokenizer["truncation"]["max_length"] == 32
    settings = json.loads((exported[0] / "tokenizer_config.json").read_text())
    assert settings["model_max_length"] == 32


def test_verify_repeats_the_proof(exported, command):
    code, _, printed = command("verify", exported[0])
    assert code == 0
    assert "every file is as it was proved" in printed
    assert "group = a" in printed


def test_verify_without_the_run_still_answers_made_up_texts(copy, command, monkeypatch):
    known = json.loads((copy / record.RECORD).read_text()) | {"run": "gone"}
    (copy / record.RECORD).write_text(json.dumps(known))
    monkeypatch.setattr(verify, "check_files", lambda _: ())
    code, _, printed = command("verify", copy)
    assert code == 0
    assert "32 made-up texts" in printed
    assert "test texts were not read again" in printed


def test_weights_that_were_sealed_again_after_an_edit_answer_otherwise(copy, command):
    weights = load_file(copy / "model.safetensors")
    name = "classifier.bias"
    save_file(weights | {name: weights[name] + np.float32([0.1, 0])}, copy / "model.safetensors",
              metadata={"format": "pt"})  # fmt: skip
    seal = json.loads((copy / files.SEAL).read_text())
    seal["model.safetensors"] = files.checksum(copy / "model.safetensors")
    (copy / files.SEAL).write_text(json.dumps(seal))
    code, said, _ = command("verify", copy)
    assert code == 2
    assert "made-up texts get other probabilities" in said


def test_thresholds_of_groups_lie_beside_and_predict_applies_them(run, command, tmp_path):
    out = tmp_path / "thresholds"
    code, said, _ = command("export", run, "equalized_odds_threshold", "--out", out)
    assert code == 0, said
    card = (out / "README.md").read_text()
    assert card.index("does not decide as was audited") < card.index("## Use")
    texts = run.parents[1] / "planted.csv"
    answers = tmp_path / "answers.csv"
    code, said, _ = command("predict", out, texts, "--out", answers)
    assert code == 0, said
    assert len(answers.read_text().splitlines()) == 1 + 3 * 128
    code, said, _ = command("predict", out, texts, "--group", "split")
    assert code == 2
    assert "group = 'test': equalized_odds_threshold learned only of 'a', 'b'" in said


def test_predict_gives_the_probabilities_of_the_run(run, exported, command, tmp_path):
    texts = run.parents[1] / "planted.csv"
    code, said, printed = command("predict", exported[0], texts)
    assert code == 0, said
    lines = [line.split(",") for line in printed.splitlines()[1:]]
    rows = [line.split(",") for line in texts.read_text().splitlines()[1:]]
    found = {row[0]: float(line[2]) for row, line in zip(rows, lines, strict=True)}
    known = record.read_answers(exported[0])
    expected = dict(zip(known.example_id.tolist(), known.probability[:, 1], strict=True))
    assert max(abs(found[e] - p) for e, p in expected.items()) <= 1e-5


def test_a_disk_without_room_is_refused_before_anything(run, command, tmp_path, monkeypatch):
    usage = shutil.disk_usage(tmp_path)
    monkeypatch.setattr(shutil, "disk_usage", lambda path: usage._replace(free=10**6))
    code, said, _ = command("export", run, "full", "--out", tmp_path / "out")
    assert code == 2
    assert "1 MB are free and up to" in said.splitlines()[-1]
    assert not list(tmp_path.iterdir())


def test_a_disk_that_fills_up_leaves_nothing_half_written(run, command, tmp_path, monkeypatch):
    def full(*_):
        raise SafetensorError("I/O error: No space left on device (os error 28)")

    monkeypatch.setattr(assemble.PreTrainedModel, "save_pretrained", full)
    code, said, _ = command("export", run, "full", "--out", tmp_path / "out")
    assert code == 2
    assert said.splitlines()[-1].endswith(os.strerror(errno.ENOSPC))
    assert not list(tmp_path.iterdir())


def test_other_data_than_the_run_was_made_with_are_refused(run, tmp_path):
    house = Path(shutil.copytree(run.parents[1], tmp_path / "house"))
    data = house / "planted.csv"
    data.write_text(data.read_text().replace("good", "fine"))
    with pytest.raises(BadInputError, match="texts, labels, ids or splits changed"):
        source.find(house / "runs" / "small", "full", None)
