"""Checkpoints with a head: new for every seed, or kept with its rows matched by name."""

import html
import json
import shutil

import numpy as np
import pytest
import torch
from transformers import AutoModelForSequenceClassification, set_seed

from tests import _house, _tiny
from tunefair.schema import BadInputError
from tunefair.suite import ModelChoice
from tunefair.training import heads, model
from tunefair.training.model import Classifier, quiet

CLASSES = ("no", "yes")


def folder(tmp_path, architecture="bert", names=("yes", "no"), head=True):
    """A tiny checkpoint, whose head has these classes, or without a head."""
    config = AutoModelForSequenceClassification.from_pretrained(
        _tiny.model_folder(architecture)
    ).config
    config.id2label = dict(enumerate(names))
    config.label2id = {name: i for i, name in enumerate(names)}
    torch.manual_seed(7)
    made = AutoModelForSequenceClassification.from_config(config)
    with torch.no_grad():
        for number, parameter in enumerate(heads.last_linear(made).parameters()):
            parameter.copy_(torch.arange(parameter.numel()).reshape(parameter.shape) + number)
    place = tmp_path / "checkpoint"
    shutil.copytree(_tiny.model_folder(architecture), place)
    with quiet():
        (made if head else made.base_model).save_pretrained(place)
    return place


def loaded(place, seed=0, classes=CLASSES, **choice):
    set_seed(seed)
    made = model.load(ModelChoice(source=str(place), **choice), classes, pad=0, attention="eager")
    weight = heads.last_linear(made).weight
    assert list(made.config.id2label.values()) == list(classes)
    return made, weight.detach().numpy().copy()


@pytest.mark.parametrize("architecture", _tiny.ARCHITECTURES)
def test_a_new_head_is_of_its_seed_whatever_head_the_checkpoint_has(architecture, tmp_path):
    place = folder(tmp_path, architecture)
    _, zero = loaded(place)
    _, again = loaded(place)
    _, one = loaded(place, seed=1)
    assert np.array_equal(zero, again)
    assert not np.isclose(zero, one).any()
    assert np.abs(zero).max() < 1  # the checkpoint's counts up to its size
    assert abs(zero.std() - 0.02) < 0.01  # as the architecture draws it


@pytest.mark.parametrize("architecture", _tiny.ARCHITECTURES)
def test_what_a_checkpoint_has_before_its_head_is_pretrained(architecture, tmp_path):
    place = folder(tmp_path, architecture)
    with quiet():
        before = AutoModelForSequenceClassification.from_pretrained(place)
    made, _ = loaded(place)
    own = heads._names(made, heads.last_linear(made))
    for name, parameter in made.named_parameters():
        if name not in own:
            assert torch.equal(parameter, before.get_parameter(name)), name


@pytest.mark.parametrize("architecture", _tiny.ARCHITECTURES)
@pytest.mark.parametrize(
    "names", [("yes", "no"), ("no", "yes"), ("YES", "No"), ("perhaps", "yes", "no")]
)
def test_a_kept_head_has_its_rows_by_name(architecture, names, tmp_path):
    place = folder(tmp_path, architecture, names)
    made, zero = loaded(place, head="keep")
    _, one = loaded(place, seed=1, head="keep")
    assert np.array_equal(zero, one)
    rows = [[n.lower() for n in names].index(name) for name in CLASSES]
    size = zero.shape[1]
    whole = np.arange(len(names) * size).reshape(len(names), size)
    assert np.array_equal(zero, whole[rows])
    ids = torch.tensor([[2, 5, 6, 3]])
    answers = Classifier(made)({"input_ids": ids, "attention_mask": torch.ones_like(ids)})
    with quiet():
        before = AutoModelForSequenceClassification.from_pretrained(place).eval()
    made.eval()
    answers = Classifier(made)({"input_ids": ids, "attention_mask": torch.ones_like(ids)})
    expected = before(input_ids=ids, attention_mask=torch.ones_like(ids)).logits[:, rows]
    assert torch.allclose(answers.logits, expected)


@pytest.mark.parametrize(
    ("names", "head", "message"),
    [
        (("LABEL_0", "LABEL_1"), True, "classes are 'LABEL_0', 'LABEL_1', the task's 'no', 'yes'"),
        (("no", "maybe"), True, "give them the same names"),
        (("no",), True, "give them the same names"),
        (("no", "yes"), False, "the checkpoint has no head"),
    ],
)
def test_a_head_that_cannot_be_kept_is_refused(names, head, message, tmp_path):
    place = folder(tmp_path, names=names, head=head)
    with pytest.raises(BadInputError, match=message):
        loaded(place, head="keep")


def test_a_kept_head_makes_another_cell():
    new, keep = (_tiny.cells("full", model=_tiny.choice().model_copy(update={"head": head}))[0]
                 for head in ("new", "keep"))  # fmt: skip
    assert new.id == _tiny.cells("full")[0].id != keep.id


@pytest.mark.slow
def test_a_run_that_keeps_the_head_says_that_its_seeds_share_it(tmp_path):
    suite = _house.build(tmp_path, steps=1, own=False)
    place = folder(tmp_path, names=("1", "0"))
    text = suite.read_text().replace(str(_tiny.model_folder()), str(place))
    suite.write_text(text.replace("max_tokens = 32", 'max_tokens = 32\nhead = "keep"'))
    done = _house.tunefair("run", suite, "--runs", tmp_path / "runs", "--only", "full")
    assert done.returncode == 0, done.stderr
    run = tmp_path / "runs" / "small"
    page = html.unescape((run / "report.html").read_text())
    assert "All seeds begin with the checkpoint's own classification head" in page
    facts = json.loads((run / "facts.json").read_text())
    assert facts["model"]["head_kept"]
