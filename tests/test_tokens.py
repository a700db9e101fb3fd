"""Tokens: written once, mapped back, and equal to what the tokenizer says text by text."""

import time
from dataclasses import replace
from itertools import chain, islice

import numpy as np
import pytest
from transformers import AutoTokenizer

from tests import _tiny
from tunefair.preparing import prepare
from tunefair.schema import BadInputError
from tunefair.training import tokens
from tunefair.training.batches import BatchSampler, pad
from tunefair.training.tokens import ORIGINAL


@pytest.fixture(scope="module")
def task():
    return _tiny.task(n=64)


@pytest.mark.parametrize("architecture", ["bert", "llama"])
def test_every_text_is_what_the_tokenizer_makes_of_it(architecture, task, tmp_path):
    encoded = _tiny.encoded(task, tmp_path, architecture)
    tokenizer = AutoTokenizer.from_pretrained(_tiny.model_folder(architecture))
    views = {ORIGINAL: task.text, **task.views}
    assert list(encoded.views) == list(views)
    for name, view in encoded.views.items():
        assert (view.row == np.flatnonzero(views[name] != "")).all()
        for entry, row in enumerate(view.row):
            found = view.token[view.start[entry] : view.start[entry + 1]]
            assert found.tolist() == tokenizer(str(views[name][row]))["input_ids"]


def test_long_texts_are_cut_and_keep_their_end_token(task, tmp_path):
    choice = _tiny.choice(max_tokens=6)
    tokens.encode(task, choice, tmp_path)
    view = tokens.Tokens.open(tmp_path).views[ORIGINAL]
    assert view.length.max() == 6
    assert (view.token[view.start[1:] - 1] == 3).all()


def test_cut_texts_are_counted_for_each_group_of_the_test_split(task, tmp_path):
    tokens.encode(task, _tiny.choice(max_tokens=6), tmp_path)
    tokenizer = AutoTokenizer.from_pretrained(_tiny.model_folder())
    cut = np.array([len(tokenizer(str(text))["input_ids"]) > 6 for text in task.text])
    prepared = prepare.Prepared(
        suite=None,
        task=task,
        task_file=tmp_path,
        tokens_folder=tmp_path,
        cells=(),
        planner=None,
        spaces={},
        content=None,
    )
    test = task.split == "test"
    attribute, column = next(iter(task.groups.items()))
    expected = {
        (attribute, str(g)): int(cut[test & (column == g)].sum()) for g in np.unique(column)
    }
    found = {(x.attribute, x.group): x.cut for x in prepared.cut_texts}
    assert 0 < found["", ""] == cut[test].sum()
    assert found.items() >= expected.items()
    (tmp_path / tokens.CUT).unlink()  # as a cache of an older version has none
    assert prepared.cut_texts == ()


def test_the_file_of_cut_texts_has_one_name():
    assert prepare.CUT_ROWS == tokens.CUT


def test_pairs_carry_segments(task, tmp_path):
    pairs = replace(task, text_pair=task.text[::-1])
    tokens.encode(pairs, _tiny.choice(max_tokens=64), tmp_path)
    encoded = tokens.Tokens.open(tmp_path)
    view = encoded.views[ORIGINAL]
    tokenizer = AutoTokenizer.from_pretrained(_tiny.model_folder())
    expected = tokenizer(
        [str(t) for t in pairs.text[:5]],
        [str(t) for t in pairs.text_pair[:5]],
        padding=True,
        return_token_type_ids=True,
        return_tensors="pt",
    )
    inputs = pad(view, np.arange(5), encoded.pad)
    for name in ("input_ids", "attention_mask", "token_type_ids"):
        assert (inputs[name] == expected[name]).all(), name


def test_padding_fills_to_the_longest_and_no_further(task, tmp_path):
    encoded = _tiny.encoded(task, tmp_path)
    view = encoded.views[ORIGINAL]
    inputs = pad(view, np.array([3, 1, 2]), encoded.pad)
    assert inputs["input_ids"].shape == (3, view.length[[3, 1, 2]].max())
    assert (inputs["attention_mask"].sum(dim=1).numpy() == view.length[[3, 1, 2]]).all()
    assert ((inputs["input_ids"] == encoded.pad) == (inputs["attention_mask"] == 0)).all()


def test_reloads_at_once(task, tmp_path):
    _tiny.encoded(task, tmp_path)
    start = time.process_time()
    view = tokens.Tokens.open(tmp_path).views[ORIGINAL]
    assert time.process_time() - start < 0.05
    assert isinstance(view.token, np.memmap)


def test_a_text_without_tokens_is_refused_by_its_id(task, tmp_path):
    text = task.text.copy()
    text[7] = " "
    with pytest.raises(BadInputError, match="the text of e7 holds no token"):
        tokens.encode(replace(task, text=text), _tiny.choice("llama"), tmp_path)


def test_more_tokens_than_the_model_reads_are_refused(task, tmp_path):
    with pytest.raises(BadInputError, match=r"model.max_tokens = 65: the model reads 64"):
        tokens.encode(task, _tiny.choice(max_tokens=65), tmp_path)


def taken(sampler, n):
    return list(islice(sampler, n))


def test_every_example_comes_once_an_epoch():
    length = np.random.default_rng(0).integers(1, 50, 320)
    seen = np.concatenate(taken(BatchSampler(length, None, size=32, parts=1, seed=0), 50))
    assert len(seen) == 1600
    assert (np.bincount(seen) == 5).all()


def test_no_row_is_left_over_when_batches_do_not_divide_the_epoch():
    seen = np.concatenate(taken(BatchSampler(np.ones(7), None, size=3, parts=1, seed=0), 50))
    counts = np.bincount(seen, minlength=7)
    assert counts.max() - counts.min() <= 1


def test_batches_hold_texts_of_one_length():
    rng = np.random.default_rng(0)
    length = rng.integers(4, 50, 8000)
    batches = taken(BatchSampler(length, None, size=32, parts=1, seed=0), 250)
    padded = sum(length[b].max() * len(b) for b in batches)
    assert 1 - sum(length[b].sum() for b in batches) / padded < 0.05


def test_long_and_short_batches_are_mixed():
    length = np.arange(3200)
    batches = taken(BatchSampler(length, None, size=32, parts=1, seed=0), 50)
    means = [length[b].mean() for b in batches]
    assert abs(np.corrcoef(means, np.arange(50))[0, 1]) < 0.5


def test_parts_are_the_batch_in_order():
    length = np.random.default_rng(0).integers(1, 50, 320)
    whole = taken(BatchSampler(length, None, size=32, parts=1, seed=3), 10)
    cut = taken(BatchSampler(length, None, size=32, parts=4, seed=3), 40)
    assert [list(chain(*cut[i : i + 4])) for i in range(0, 40, 4)] == whole


def test_equal_weights_are_no_weights():
    length = np.random.default_rng(0).integers(1, 50, 320)
    plain = taken(BatchSampler(length, None, size=32, parts=1, seed=3), 20)
    assert taken(BatchSampler(length, np.full(320, 0.25), size=32, parts=1, seed=3), 20) == plain


def test_a_weight_of_zero_leaves_a_row_out():
    weights = np.ones(100)
    weights[:50] = 0
    seen = np.concatenate(taken(BatchSampler(np.ones(100), weights, size=10, parts=1, seed=0), 50))
    assert seen.min() == 50
    assert (np.bincount(seen)[50:] == 10).all()


def test_unequal_weights_are_odds():
    weights = np.array([1.0, 3.0] * 50)
    seen = np.concatenate(
        taken(BatchSampler(np.ones(100), weights, size=20, parts=1, seed=0), 500)
    )
    assert (seen % 2).mean() == pytest.approx(0.75, abs=0.02)
